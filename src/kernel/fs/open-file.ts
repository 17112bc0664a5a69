/**
 * Open file descriptions: what file descriptors, possibly several, share.
 *
 * Owns: access mode, position, and one reference to the inode.
 * Invariants: the inode is not evicted while `ref` outnumbers `unref`; a description
 * whose last reference is gone answers EBADF and never touches the inode again.
 * Untrusted: positions, lengths and the position an lseek has set.
 */
import { Errno, type Failure } from "../../abi/errno.js";
import { O_ACCMODE, O_APPEND, O_RDONLY, O_RDWR, O_WRONLY } from "../../abi/fcntl.js";
import {
  changeLength,
  changeMode,
  changeOwner,
  changeTimes,
  dropPrivileges,
} from "./attributes.js";
import type { Deferred } from "../io/deferred.js";
import type { Identity } from "./credentials.js";
import { CharacterDevice } from "./device.js";
import { Directory, type Inode, RegularFile } from "./inode.js";
import { Fifo } from "./special-files.js";
import type { OpenContent } from "./external-file.js";
import type { FileStat } from "./file-stat.js";
import { LockKind } from "./locks.js";
import { childPath, pathOf } from "./path-walk.js";
import type { SuperBlock } from "./superblock.js";
import { WriteGrant } from "./write-grant.js";

/** Current offset, for `read` and `write`. */
const CURRENT = -1;

export class OpenFile {
  readonly flags: number;
  position = 0;
  readonly #sb: SuperBlock;
  readonly #inode: Inode;
  readonly #opener: Identity;
  readonly #origin: { readonly parent: Directory; readonly name: string };
  readonly #content: OpenContent | undefined;
  #references = 1;
  /** What may not be done with it any more. */
  #noReading = false;
  #noWriting = false;
  /** Why a write that nobody waited for did not succeed, until somebody is told. */
  #late: 0 | Failure = 0;
  /** How far `readAhead` has told, and where it has left the position. */
  #toldTo = 0;
  #leftAt = -1;
  /** The file as its locks know it, once there was one. */
  #lockKey: string | undefined;

  /** Made by FileSystem.open, which has checked permissions and counted it; starts with one reference. */
  constructor(
    sb: SuperBlock,
    inode: Inode,
    flags: number,
    opener: Identity,
    origin: { readonly parent: Directory; readonly name: string },
    content?: OpenContent,
  ) {
    this.#sb = sb;
    this.#inode = inode;
    this.flags = flags;
    this.#opener = { uid: opener.uid, gid: opener.gid };
    this.#origin = origin;
    this.#content = content;
    inode.opens++;
  }

  /** Where it was opened, as the links in /proc/<pid>/fd say it. */
  get path(): string {
    const inode = this.#inode;
    const path =
      inode instanceof Directory
        ? pathOf(inode)
        : childPath(this.#origin.parent, this.#origin.name);
    if (typeof path === "number") return "(too long)";
    return inode.nlink === 0 ? `${path} (deleted)` : path;
  }

  /** The name it was opened by, which may belong to another file by now, or to none. */
  get openedAt(): string | Failure {
    const { parent, name } = this.#origin;
    return this.#inode instanceof Directory ? pathOf(this.#inode) : childPath(parent, name);
  }

  /** Where its content lies, for a copy: the numbers of its pages, or undefined when it is not in memory. */
  get storedPages(): number[] | undefined {
    return this.#inode instanceof RegularFile ? this.#inode.pages.numbers() : undefined;
  }

  /** Whether its content is in memory, where it may have holes that cost nothing. */
  get isStored(): boolean {
    return this.#inode instanceof RegularFile;
  }

  /** Whether what is written here is gone or refused, whatever it is. */
  get isDevice(): boolean {
    return this.#inode instanceof CharacterDevice;
  }

  /** The pipe's name that it was opened by, for who goes on to the pipe itself. */
  get fifo(): Fifo | undefined {
    return this.#inode instanceof Fifo ? this.#inode : undefined;
  }

  /** The same file open at the same place in a clone, counted there; undefined where that has it not, or no room. */
  inClone(clone: SuperBlock): OpenFile | undefined {
    const inode = this.#inode;
    // Files of mounts, and pipes by their names, are the machine's that they were opened in.
    if (inode.lineage === undefined || inode instanceof Fifo || this.#content !== undefined)
      return undefined;
    const { parent, name } = this.#origin;
    if (parent.lineage === undefined) return undefined;
    const own = clone.copyOf(inode);
    if (own.nlink === 0 || !clone.account.take("file")) return undefined;
    const origin = { parent: clone.copyOf(parent) as Directory, name };
    const file = new OpenFile(clone, own, this.flags, this.#opener, origin);
    file.position = this.position;
    file.revoke(this.#noReading, this.#noWriting);
    return file;
  }

  get mayStillRead(): boolean {
    return !this.#noReading;
  }

  get mayStillWrite(): boolean {
    return !this.#noWriting;
  }

  /** For all who hold it: no more reading, no more changes. */
  revoke(reading: boolean, writing: boolean): void {
    this.#noReading ||= reading;
    this.#noWriting ||= writing;
  }

  ref(): void {
    if (this.#references > 0) this.#references++;
  }

  /** The last one releases an unlinked inode; further ones do nothing. */
  unref(): void {
    if (this.#references === 0) return;
    if (--this.#references > 0) return;
    if (this.#lockKey !== undefined) this.#sb.locks.release(this.#lockKey, this);
    this.#inode.opens--;
    this.#content?.close();
    this.#sb.account.give("file");
    this.#sb.evictIfUnused(this.#inode);
  }

  read(target: Uint8Array, position: number): number | Failure {
    const mode = this.flags & O_ACCMODE;
    if (this.#references === 0 || !(mode === O_RDONLY || mode === O_RDWR)) return -Errno.EBADF;
    if (this.#noReading) return -Errno.EACCES;
    const inode = this.#inode;
    if (inode instanceof Directory) return -Errno.EISDIR;
    // Who has come here could not wait for anybody: the host.
    if (inode instanceof Fifo) return -Errno.ENXIO;
    const at = this.#resolve(position);
    if (at < 0) return at;
    if (inode instanceof CharacterDevice) return inode.read(target);
    if (this.#content !== undefined) {
      const count = this.#content.read(target, at);
      if (count > 0 && position === CURRENT) this.position = at + count;
      return count;
    }
    if (!(inode instanceof RegularFile)) return -Errno.EINVAL;
    if (target.length === 0) return 0;
    const count = inode.pages.read(target, at);
    inode.accessed(this.#sb.now());
    if (position === CURRENT) this.position = at + count;
    return count;
  }

  /**
   * Whether who reads it may be told more than it asks for: it is nobody else's, who would see its position before
   * `readTo`, and looking at it leaves no trace.
   */
  get tellsAhead(): boolean {
    if (this.#references !== 1) return false;
    return this.#content === undefined ? this.isStored : this.#content.tellsAhead === true;
  }

  /** Up to where `readAhead` has told, for as long as nobody has read or moved the position otherwise. */
  get toldTo(): number {
    return this.position === this.#leftAt ? this.#toldTo : 0;
  }

  /** Reads from the current position on, which moves by no more than `length`. */
  readAhead(target: Uint8Array, length: number): number | Failure {
    const from = this.position;
    const count = this.read(target, from);
    if (count < 0) return count;
    this.position = from + Math.min(count, length);
    this.#toldTo = Math.max(from === this.#leftAt ? this.#toldTo : 0, from + count);
    this.#leftAt = this.position;
    return count;
  }

  /** Moves the position on in what `readAhead` has told, or not at all. */
  readTo(position: number): void {
    const isTold = position > this.position && position <= this.#toldTo;
    if (Number.isSafeInteger(position) && isTold) this.position = this.#leftAt = position;
  }

  /** With O_APPEND the position is always the end of file, as on Linux even for pwrite. */
  write(source: Uint8Array, position: number): number | Failure {
    const mode = this.flags & O_ACCMODE;
    if (this.#references === 0 || !(mode === O_WRONLY || mode === O_RDWR)) return -Errno.EBADF;
    if (this.#noWriting) return -Errno.EACCES;
    if (this.#late !== 0) return this.#takeLate();
    const inode = this.#inode;
    if (inode instanceof Fifo) return -Errno.ENXIO;
    const given = this.#resolve(position);
    if (given < 0) return given;
    if (inode instanceof CharacterDevice) return inode.write(source);
    if (this.#content !== undefined) {
      const appending = (this.flags & O_APPEND) !== 0;
      const count = this.#content.write(source, appending ? -1 : given);
      if (count < 0 || position !== CURRENT) return count;
      this.position = appending ? this.stat().size : given + count;
      return count;
    }
    if (!(inode instanceof RegularFile)) return -Errno.EINVAL;
    if (source.length === 0) return 0;
    const at = (this.flags & O_APPEND) !== 0 ? inode.size : given;
    const room = this.#sb.limits.fileBytes - at;
    if (room <= 0) return -Errno.EFBIG;
    const count = inode.write(room < source.length ? source.subarray(0, room) : source, at);
    if (count === 0) return -Errno.ENOSPC;
    if (this.#opener.uid !== 0) dropPrivileges(inode, this.#opener);
    inode.modified(this.#sb.now());
    this.#sb.watches.changed(inode, this.#origin);
    if (position === CURRENT) this.position = at + count;
    return count;
  }

  /** Promises that up to `bytes` more will fit at its position; only of what is nobody else's and has no other end. */
  promise(bytes: number): WriteGrant | undefined {
    const inode = this.#inode;
    if (this.#references !== 1 || (this.flags & O_APPEND) !== 0 || this.#content !== undefined)
      return undefined;
    if (!(inode instanceof RegularFile) || this.#noWriting) return undefined;
    let most = Math.min(bytes, this.#sb.limits.fileBytes - this.position);
    // Less where there is not so much room any more.
    for (; most > 0; most >>>= 2) {
      const grant = new WriteGrant(this, inode.pages, this.#sb.quota, most);
      if (grant.left > 0) return grant;
    }
    return undefined;
  }

  /** Writes at the position what was promised to fit; a failure is told later. */
  writeLate(data: Uint8Array): number {
    const written = this.write(data, CURRENT);
    if (written < data.byteLength) this.#late = written < 0 ? written : -Errno.ENOSPC;
    return Math.max(0, written);
  }

  #takeLate(): 0 | Failure {
    const late = this.#late;
    this.#late = 0;
    return late;
  }

  /** Answers after the last `unref` too, as no permission hangs on it. */
  stat(): FileStat {
    return this.#content?.stat() ?? this.#inode.stat();
  }

  truncate(length: number): 0 | Failure {
    if (this.#references === 0) return -Errno.EBADF;
    const mode = this.flags & O_ACCMODE;
    if (!(mode === O_WRONLY || mode === O_RDWR)) return -Errno.EINVAL;
    if (this.#noWriting) return -Errno.EACCES;
    if (this.#content !== undefined) {
      if (!Number.isSafeInteger(length) || length < 0) return -Errno.EINVAL;
      return this.#content.truncate(length);
    }
    return this.#changed(changeLength(this.#sb, this.#inode, this.#opener, length));
  }

  chmod(mode: number, who: Identity): 0 | Failure {
    if (this.#references === 0) return -Errno.EBADF;
    return this.#changed(changeMode(this.#sb, this.#inode, who, mode));
  }

  chown(uid: number, gid: number, who: Identity): 0 | Failure {
    if (this.#references === 0) return -Errno.EBADF;
    return this.#changed(changeOwner(this.#sb, this.#inode, who, uid, gid));
  }

  /** Without `who`, on behalf of the opener. */
  utimes(atimeMs: number, mtimeMs: number, who: Identity = this.#opener): 0 | Failure {
    if (this.#references === 0) return -Errno.EBADF;
    return this.#changed(changeTimes(this.#sb, this.#inode, who, atimeMs, mtimeMs));
  }

  /** fsync: there is nothing more durable than memory, unless the content is elsewhere. */
  sync(): 0 | Failure | Deferred<0> {
    if (this.#late !== 0) return this.#takeLate();
    return this.#references > 0 && this.#content !== undefined ? this.#content.sync() : 0;
  }

  /** Before a close: stores what is to be stored elsewhere, and says whether that went well. */
  flush(): 0 | Failure | Deferred<0> {
    if (this.#late !== 0) return this.#takeLate();
    return this.#references > 0 ? (this.#content?.flush?.() ?? 0) : 0;
  }

  /**
   * A byte-range lock of this description, as F_OFD_SETLK; never waits. `kind` is a `LockKind`.
   * Locks of this file system know nothing of those that the host's processes hold.
   */
  lock(kind: number, start: number, length: number): 0 | Failure {
    if (this.#references === 0) return -Errno.EBADF;
    const mode = this.flags & O_ACCMODE;
    if (kind === LockKind.shared && mode === O_WRONLY) return -Errno.EBADF;
    if (kind === LockKind.exclusive && mode === O_RDONLY) return -Errno.EBADF;
    return this.#sb.locks.set(this.#keyOfLocks(), this, kind, start, length);
  }

  /** Whether somebody else's lock would be in the way of an exclusive one; F_OFD_GETLK. */
  isLocked(start: number, length: number): boolean {
    return this.#sb.locks.conflicts(this.#keyOfLocks(), this, true, start, start + length);
  }

  #keyOfLocks(): string {
    if (this.#lockKey === undefined) {
      const { dev, ino } = this.stat();
      this.#lockKey = `${dev}:${ino}`;
    }
    return this.#lockKey;
  }

  #changed(result: 0 | Failure): 0 | Failure {
    if (result === 0) this.#sb.watches.changed(this.#inode, this.#origin);
    return result;
  }

  #resolve(position: number): number | Failure {
    const at = position === CURRENT ? this.position : position;
    return Number.isSafeInteger(at) && at >= 0 ? at : -Errno.EINVAL;
  }
}

/** Writes all of `data` at `position`, the current one by default, or says why not. */
export function writeAll(file: OpenFile, data: Uint8Array, position = -1): number {
  for (let at = 0; at < data.byteLength;) {
    const written = file.write(data.subarray(at), position < 0 ? position : position + at);
    if (written < 0) return written;
    if (written === 0) return -Errno.EIO;
    at += written;
  }
  return 0;
}
