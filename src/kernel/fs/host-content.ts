/**
 * Owns the content of a file of the host that is open: reads and writes by its descriptor.
 *
 * Invariant: a descriptor is closed once, and given back to the account then. Untrusted: positions and lengths, which
 * were checked before.
 */
import { fstatSync, fsyncSync, ftruncateSync, readSync, writeSync } from "node:fs";
import { Errno, type Failure } from "../../abi/errno.js";
import { O_ACCMODE, O_RDWR, O_TRUNC, O_WRONLY } from "../../abi/fcntl.js";
import * as dirfd from "../../sandbox/dirfd.js";
import type { OpenContent } from "./external-file.js";
import type { FileStat } from "./file-stat.js";
import { BLOCK_BYTES } from "./inode.js";
import type { HostFile } from "./host-inodes.js";

const APPEND = -1;

export function failureOf(error: unknown): Failure {
  const { errno } = error as NodeJS.ErrnoException;
  return typeof errno === "number" && errno < 0 ? errno : -Errno.EIO;
}

/** What of a guest's open flags the host sees; appending is done by position. */
export function hostFlags(flags: number): number {
  const writes = (flags & O_ACCMODE) === O_WRONLY || (flags & O_ACCMODE) === O_RDWR;
  return (flags & O_ACCMODE) | (writes ? flags & O_TRUNC : 0);
}

export class HostContent implements OpenContent {
  readonly tellsAhead = true;
  readonly #inode: HostFile;
  #fd: number;

  constructor(inode: HostFile, fd: number) {
    this.#inode = inode;
    this.#fd = fd;
    const stat = dirfd.statOf(fd);
    if (typeof stat !== "number") inode.show(stat);
  }

  read(target: Uint8Array, position: number): number | Failure {
    try {
      return readSync(this.#fd, target, 0, target.byteLength, position);
    } catch (error) {
      return failureOf(error);
    }
  }

  write(source: Uint8Array, position: number): number | Failure {
    try {
      const at = position === APPEND ? fstatSync(this.#fd).size : position;
      return writeSync(this.#fd, source, 0, source.byteLength, at);
    } catch (error) {
      return failureOf(error);
    }
  }

  truncate(length: number): 0 | Failure {
    try {
      ftruncateSync(this.#fd, length);
      return 0;
    } catch (error) {
      return failureOf(error);
    }
  }

  sync(): 0 | Failure {
    try {
      fsyncSync(this.#fd);
      return 0;
    } catch (error) {
      return failureOf(error);
    }
  }

  stat(): FileStat {
    const stat = this.#fd < 0 ? -Errno.EBADF : dirfd.statOf(this.#fd);
    if (typeof stat !== "number") this.#inode.show(stat);
    return { ...this.#inode.stat(), blksize: BLOCK_BYTES };
  }

  close(): void {
    if (this.#fd < 0) return;
    dirfd.closeFd(this.#fd);
    this.#fd = -1;
    this.#inode.mount.options.superblock.account.give("hostFile");
  }
}
