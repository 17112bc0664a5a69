/**
 * Owns what files and directories whose content lives outside the file system have in common: a mount's, an overlay's.
 *
 * Invariant: what a kind of them does not say it can do is EROFS, EPERM or the like, never done in memory.
 */
import { Errno, type Failure } from "../../abi/errno.js";
import type { Deferred } from "../io/deferred.js";
import { rootOwner } from "./credentials.js";
import type { Credentials } from "./credentials.js";
import type { FileStat } from "./file-stat.js";
import { Directory, Inode } from "./inode.js";

/** Of an inode whose attributes are elsewhere, or come later. */
export const unknownAttributes = Object.freeze({ ino: 0, permissions: 0, ...rootOwner, now: 0 });

/** Changes to a file that lives elsewhere; permissions have been checked. */
export interface ExternalChanges {
  setMode(permissions: number): 0 | Failure;
  setOwner(uid: number | undefined, gid: number | undefined): 0 | Failure;
  setTimes(atimeMs: number, mtimeMs: number): 0 | Failure;
}

/** The content of a file that lives elsewhere, while it is open. */
export interface OpenContent {
  /** Whether it may be read before it is asked for: that is no work of anybody's code. */
  readonly tellsAhead?: true;
  read(target: Uint8Array, position: number): number | Failure;
  /** A position of -1 appends. */
  write(source: Uint8Array, position: number): number | Failure;
  truncate(length: number): 0 | Failure;
  sync(): 0 | Failure | Deferred<0>;
  /** What has to be stored before whoever closes it may be told that all is well; nothing by default. */
  flush?(): 0 | Failure | Deferred<0>;
  stat(): FileStat;
  close(): void;
}

export abstract class ExternalFile extends Inode {
  /** `flags` as for open(2); permissions have been checked. */
  abstract open(flags: number, who: Credentials): OpenContent | Failure;
}

/** A directory whose entries are not in memory; what a read-only one never reaches may be left out. */
export abstract class ExternalDirectory extends Directory {
  createFile(
    _name: string,
    _flags: number,
    _permissions: number,
    _who: Credentials,
  ): { inode: Inode; content: OpenContent } | Failure {
    return -Errno.EROFS;
  }
  createDirectory(_name: string, _permissions: number): Directory | Failure {
    return -Errno.EROFS;
  }
  createSymbolicLink(_name: string, _target: string): 0 | Failure {
    return -Errno.EROFS;
  }
  /** Another name, in this directory, for an inode of the same file system. */
  addLink(_name: string, _inode: Inode): 0 | Failure {
    return -Errno.EROFS;
  }
  removeEntry(_name: string, _asDirectory: boolean): 0 | Failure {
    return -Errno.EROFS;
  }
  /** `to` is of the same file system. */
  moveEntry(_name: string, _to: Directory, _newName: string): 0 | Failure {
    return -Errno.EROFS;
  }
}
