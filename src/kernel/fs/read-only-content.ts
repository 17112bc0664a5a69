/** Owns what the content of a file that nobody writes answers to those who try. */
import { Errno, type Failure } from "../../abi/errno.js";
import type { OpenContent } from "./external-file.js";
import type { FileStat } from "./file-stat.js";

export abstract class ReadOnlyContent implements OpenContent {
  abstract read(target: Uint8Array, position: number): number | Failure;
  abstract stat(): FileStat;
  abstract close(): void;

  write(): Failure {
    return -Errno.EBADF;
  }

  truncate(): Failure {
    return -Errno.EINVAL;
  }

  sync(): 0 {
    return 0;
  }
}
