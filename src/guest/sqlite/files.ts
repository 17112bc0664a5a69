/**
 * Owns what SQLite does to files, in system calls of the machine: opening, transfer, the
 * locking protocol of its unix file system over byte-range locks, and errnos as SQLite's own
 * result codes. Quotas, permissions and locks are the kernel's to judge.
 */
import { Errno } from "../../abi/errno.js";
import { O_CREAT, O_EXCL, O_NOFOLLOW, O_RDONLY, O_RDWR, R_OK, W_OK } from "../../abi/fcntl.js";
import { StatSlot, fsLimits } from "../../protocol/fs-calls.js";
import * as libc from "../../sandbox/libc.js";
import type { SqliteFile, SqliteFiles } from "../../sandbox/sqlite-vfs.js";
import type { KernelClient } from "../environment.js";

/** sqlite3.h */
const Code = Object.freeze({
  ok: 0,
  busy: 5,
  full: 13,
  cantOpen: 14,
  read: 266,
  write: 778,
  sync: 1034,
  truncate: 1546,
  fstat: 1802,
  unlock: 2058,
  delete: 2570,
  deleteMissing: 5898,
  lock: 3850,
  close: 4106,
} as const);
const Open = Object.freeze({
  readOnly: 0x1,
  readWrite: 0x2,
  create: 0x4,
  deleteOnClose: 0x8,
  exclusive: 0x10,
  mainJournal: 0x800,
  superJournal: 0x4000,
  wal: 0x80000,
  noFollow: 0x1000000,
} as const);
const Access = Object.freeze({ exists: 0, readWrite: 1 } as const);
const Level = Object.freeze({ none: 0, shared: 1, reserved: 2, pending: 3, exclusive: 4 } as const);

/** Where the locks lie, as in os_unix.c: beyond the content of any file of ordinary size. */
const pendingByte = 0x4000_0000;
const reservedByte = pendingByte + 1;
const sharedFirst = pendingByte + 2;
const sharedBytes = 510;

/** Kinds of the `lock` call. */
const unlock = 0;
const shared = 1;
const exclusive = 2;

/** SQLITE_DEFAULT_FILE_PERMISSIONS */
const defaultMode = 0o644;
const temporaryMode = 0o600;

class DatabaseFile implements SqliteFile {
  readonly #kernel: KernelClient;
  readonly #fd: number;
  readonly #unlinkAtClose: string | undefined;
  #level: number = Level.none;

  constructor(kernel: KernelClient, fd: number, unlinkAtClose: string | undefined) {
    this.#kernel = kernel;
    this.#fd = fd;
    this.#unlinkAtClose = unlinkAtClose;
  }

  read(target: Buffer, offset: number): number {
    let at = 0;
    while (at < target.length) {
      const length = Math.min(target.length - at, fsLimits.transferBytes);
      const result = this.#kernel.call("read", { fd: this.#fd, length, position: offset + at });
      if (typeof result === "number") return -Code.read;
      if (result.data.byteLength === 0) break;
      target.set(result.data, at);
      at += result.data.byteLength;
    }
    return at;
  }

  write(source: Buffer, offset: number): number {
    for (let at = 0; at < source.length;) {
      const data = source.subarray(at, at + fsLimits.transferBytes);
      const result = this.#kernel.call("write", { fd: this.#fd, data, position: offset + at });
      if (typeof result === "number") return noRoom(result) ? Code.full : Code.write;
      at += result.written;
    }
    return Code.ok;
  }

  truncate(length: number): number {
    const result = this.#kernel.call("ftruncate", { fd: this.#fd, length });
    return typeof result === "number" ? Code.truncate : Code.ok;
  }

  sync(): number {
    const result = this.#kernel.call("fsync", { fd: this.#fd });
    return typeof result === "number" ? Code.sync : Code.ok;
  }

  size(): number {
    const result = this.#kernel.call("fstat", { fd: this.#fd });
    return typeof result === "number" ? -Code.fstat : result.values[StatSlot.size]!;
  }

  lock(level: number): number {
    if (level <= this.#level) return Code.ok;
    if (level === Level.shared) return this.#share();
    if (level === Level.reserved) return this.#take(Level.reserved, [exclusive, reservedByte, 1]);
    if (this.#level < Level.pending) {
      const code = this.#take(Level.pending, [exclusive, pendingByte, 1]);
      if (code !== Code.ok) return code;
    }
    // Until the readers have gone, PENDING keeps new ones out.
    return this.#take(Level.exclusive, [exclusive, sharedFirst, sharedBytes]);
  }

  /** A reader passes the pending byte, where a writer that waits for it would stand. */
  #share(): number {
    const steps = [
      [shared, pendingByte, 1],
      [shared, sharedFirst, sharedBytes],
      [unlock, pendingByte, 1],
    ];
    const taken = this.#locks(steps.flat());
    if (taken === steps.length) {
      this.#level = Level.shared;
      return Code.ok;
    }
    if (taken > 0) this.#locks([unlock, pendingByte, 1]);
    return taken < 0 ? Code.lock : Code.busy;
  }

  #take(level: number, step: readonly number[]): number {
    const taken = this.#locks(step);
    if (taken !== 1) return taken < 0 ? Code.lock : Code.busy;
    this.#level = level;
    return Code.ok;
  }

  unlock(level: number): number {
    if (level >= this.#level) return Code.ok;
    const steps =
      level === Level.shared
        ? [shared, sharedFirst, sharedBytes, unlock, pendingByte, 2]
        : [unlock, pendingByte, 2 + sharedBytes];
    const taken = this.#locks(steps);
    this.#level = level;
    return taken * 3 === steps.length ? Code.ok : Code.unlock;
  }

  reserved(): boolean {
    if (this.#level >= Level.reserved) return true;
    const result = this.#kernel.call("locked", { fd: this.#fd, start: reservedByte, length: 1 });
    return typeof result !== "number" && result.locked;
  }

  #locks(steps: readonly number[]): number {
    const result = this.#kernel.call("lock", { fd: this.#fd, steps: [...steps] });
    return typeof result === "number" ? result : result.taken;
  }

  close(): number {
    if (this.#unlinkAtClose !== undefined)
      this.#kernel.call("unlink", { path: this.#unlinkAtClose });
    const result = this.#kernel.call("close", { fd: this.#fd });
    return typeof result === "number" ? Code.close : Code.ok;
  }
}

const noRoom = (errno: number): boolean => errno === -Errno.ENOSPC || errno === -Errno.EFBIG;

class MachineFiles implements SqliteFiles {
  readonly #kernel: KernelClient;
  readonly #waiting = new Int32Array(new SharedArrayBuffer(4));

  constructor(kernel: KernelClient) {
    this.#kernel = kernel;
  }

  #openTemporary(): number {
    for (const directory of [
      process.env["SQLITE_TMPDIR"],
      process.env["TMPDIR"],
      "/var/tmp",
      "/tmp",
    ]) {
      if (directory === undefined || directory === "") continue;
      const path = `${directory}/etilqs_${libc.getrandom(8).toString("hex")}`;
      const flags = O_RDWR | O_CREAT | O_EXCL;
      const result = this.#kernel.call("open", { path, flags, mode: temporaryMode });
      if (typeof result === "number") continue;
      // Nobody else is to find it, and it goes with its descriptor.
      this.#kernel.call("unlink", { path });
      return result.fd;
    }
    return -Errno.EACCES;
  }

  /** A journal is as readable as the database that it belongs to. */
  #modeFor(path: string, flags: number): number {
    if ((flags & Open.deleteOnClose) !== 0) return temporaryMode;
    if ((flags & (Open.mainJournal | Open.superJournal | Open.wal)) === 0) return defaultMode;
    const database = path.slice(0, path.lastIndexOf("-"));
    const result = this.#kernel.call("stat", { path: database, follow: true });
    return typeof result === "number" ? defaultMode : result.values[StatSlot.mode]! & 0o777;
  }

  open(path: string | undefined, flags: number) {
    if (path === undefined) {
      const fd = this.#openTemporary();
      if (fd < 0) return Code.cantOpen;
      return { file: new DatabaseFile(this.#kernel, fd, undefined), flags };
    }
    const writes = (flags & Open.readWrite) !== 0;
    const extra =
      ((flags & Open.create) !== 0 ? O_CREAT : 0) |
      ((flags & Open.exclusive) !== 0 ? O_EXCL | O_NOFOLLOW : 0) |
      ((flags & Open.noFollow) !== 0 ? O_NOFOLLOW : 0);
    const mode = (flags & Open.create) !== 0 ? this.#modeFor(path, flags) : 0;
    const first = { path, flags: (writes ? O_RDWR : O_RDONLY) | extra, mode };
    let result = this.#kernel.call("open", first);
    let granted = flags;
    if (typeof result === "number" && writes && result !== -Errno.EISDIR) {
      granted = (flags & ~(Open.readWrite | Open.create)) | Open.readOnly;
      result = this.#kernel.call("open", { path, flags: O_RDONLY, mode: 0 });
    }
    if (typeof result === "number") return Code.cantOpen;
    const gone = (flags & Open.deleteOnClose) !== 0 ? path : undefined;
    return { file: new DatabaseFile(this.#kernel, result.fd, gone), flags: granted };
  }

  remove(path: string): number {
    const result = this.#kernel.call("unlink", { path });
    if (typeof result !== "number") return Code.ok;
    return result === -Errno.ENOENT ? Code.deleteMissing : Code.delete;
  }

  access(path: string, mode: number): boolean {
    if (mode === Access.exists) {
      const result = this.#kernel.call("stat", { path, follow: true });
      if (typeof result === "number") return false;
      // An empty journal is none, as in os_unix.c.
      return (
        (result.values[StatSlot.mode]! & 0o170000) !== 0o100000 || result.values[StatSlot.size]! > 0
      );
    }
    const wanted = mode === Access.readWrite ? R_OK | W_OK : R_OK;
    return typeof this.#kernel.call("access", { path, mode: wanted }) !== "number";
  }

  fullPath(path: string): string | undefined {
    const whole = this.#kernel.call("realpath", { path });
    if (typeof whole !== "number") return whole.path;
    if (whole !== -Errno.ENOENT) return undefined;
    // The file is not there yet; its directory may be a link.
    const cut = path.lastIndexOf("/");
    const directory = this.#kernel.call("realpath", {
      path: cut < 0 ? "." : path.slice(0, cut + 1),
    });
    if (typeof directory === "number") return undefined;
    const base = directory.path === "/" ? "" : directory.path;
    return `${base}/${path.slice(cut + 1)}`;
  }

  random(length: number): Buffer {
    const parts: Buffer[] = [];
    for (let left = length; left > 0; left -= 256) parts.push(libc.getrandom(Math.min(left, 256)));
    return Buffer.concat(parts);
  }

  sleep(microseconds: number): void {
    Atomics.wait(this.#waiting, 0, 0, Math.max(1, microseconds / 1000));
  }
}

export function sqliteFiles(kernel: KernelClient): SqliteFiles {
  return new MachineFiles(kernel);
}
