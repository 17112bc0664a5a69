/** Owns files that have no content of their own: links, sockets and fifos. */
import { textBytes } from "../../abi/byte-text.js";
import { S_IFIFO, S_IFLNK, S_IFSOCK } from "../../abi/fcntl.js";
import { Inode, type InodeAttributes } from "./inode.js";

export class SymbolicLink extends Inode {
  readonly target: string;
  readonly targetBytes: number;

  constructor(attributes: InodeAttributes, target: string) {
    super(S_IFLNK, attributes);
    this.target = target;
    this.targetBytes = textBytes(target);
  }

  get size(): number {
    return this.targetBytes;
  }
}

/** The name of a Unix socket. The socket itself is the network's, found by this inode's number. */
export class SocketFile extends Inode {
  constructor(attributes: InodeAttributes) {
    super(S_IFSOCK, attributes);
  }

  get size(): number {
    return 0;
  }
}

/** The name of a pipe. What is in it is of those who have it open: see io/fifo.ts. */
export class Fifo extends Inode {
  constructor(attributes: InodeAttributes) {
    super(S_IFIFO, attributes);
  }

  get size(): number {
    return 0;
  }
}
