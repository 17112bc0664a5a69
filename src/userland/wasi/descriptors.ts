/**
 * Owns the descriptors a module sees: numbers, the files behind them, their
 * rights and positions.
 *
 * Invariants: a file is closed when its last number goes; rights only shrink.
 * Positions: Node has no lseek, and descriptors are shared with other processes,
 * so a file is read and written where the kernel's position is until the module
 * seeks; from then on the position is kept here.
 * Untrusted: descriptor numbers, rights and flags.
 */
import { FileType, Right, WasiErrno, WasiError, allRights } from "./abi.js";
import { wasiLimits } from "./limits.js";
import type { WasiSystem } from "./system.js";

export interface DirectoryEntry {
  name: Uint8Array;
  type: number;
}

export class OpenFile {
  /** Descriptor numbers that lead here. */
  references = 0;
  position = 0n;
  /** Whether `position` counts, rather than the kernel's. */
  positioned = false;
  append = false;
  /** What fd_readdir lists; made when a listing begins. */
  listing: DirectoryEntry[] | undefined;

  constructor(
    /** Descriptor of this process; -1 for a preopened directory. */
    readonly fd: number,
    readonly type: number,
    /** Absolute path of a directory; empty for all else. */
    readonly path: string,
    public rights: bigint,
    public inheriting: bigint,
    public flags: number,
    /** A directory that the module may look up names under, and how. */
    readonly root: DirectoryRoot | undefined,
    /** Name of a preopened directory. */
    readonly preopen: Uint8Array | undefined,
  ) {}

  get isDirectory(): boolean {
    return this.type === FileType.directory;
  }
}

/** Where the names under a directory may lead. */
export interface DirectoryRoot {
  /** Absolute path; names and links that lead outside are ENOTCAPABLE. undefined: they may lead anywhere. */
  readonly confinedTo: string | undefined;
  /** What the module calls it: absolute link targets below this name are below `confinedTo`. */
  readonly name: string;
  /** Whether names may be relative to the root of the file system instead; see paths.ts. */
  readonly ambiguous: boolean;
}

export function typeOfMode(mode: number): number {
  switch (mode & 0o170000) {
    case 0o100000:
      return FileType.file;
    case 0o040000:
      return FileType.directory;
    case 0o120000:
      return FileType.link;
    case 0o020000:
      return FileType.character;
    case 0o060000:
      return FileType.block;
    case 0o140000:
      return FileType.socketStream;
    default:
      return FileType.unknown;
  }
}

/** A bit that one family of C libraries sets in the numbers of preopened directories. */
const preopenBit = 0x40000000;

export class Descriptors {
  readonly #files = new Map<number, OpenFile>();
  readonly #fs: WasiSystem["fs"];
  readonly #system: WasiSystem;

  constructor(system: WasiSystem) {
    this.#fs = system.fs;
    this.#system = system;
  }

  #number(fd: number): number {
    const number = fd >>> 0;
    return number >= preopenBit ? number - preopenBit : number;
  }

  find(fd: number): OpenFile | undefined {
    return this.#files.get(this.#number(fd));
  }

  get(fd: number, rights: bigint): OpenFile {
    const file = this.find(fd);
    if (file === undefined) throw new WasiError(WasiErrno.EBADF);
    if ((file.rights & rights) !== rights) throw new WasiError(WasiErrno.ENOTCAPABLE);
    return file;
  }

  directory(fd: number, rights: bigint): OpenFile {
    const file = this.get(fd, Right.none);
    if (!file.isDirectory) throw new WasiError(WasiErrno.ENOTDIR);
    if ((file.rights & rights) !== rights) throw new WasiError(WasiErrno.ENOTCAPABLE);
    return file;
  }

  /** One of the descriptors that a process has from its start. */
  addStandard(number: number, fd: number): void {
    const kind = this.#system.kindOf(fd);
    if (kind === "") return;
    let type: number = FileType.unknown;
    if (kind === "file") type = typeOfMode(this.#fs.fstatSync(fd).mode);
    else if (kind === "tty" || kind === "null") type = FileType.character;
    // A character device without these rights is what isatty of wasi-libc takes for a terminal.
    const rights = kind === "tty" ? allRights & ~(Right.fdSeek | Right.fdTell) : allRights;
    const file = new OpenFile(fd, type, "", rights, allRights, 0, undefined, undefined);
    file.references = 1;
    this.#files.set(number, file);
  }

  /** Gives `file` the lowest free number from `from` on. */
  add(file: OpenFile, from = 3): number {
    if (this.#files.size >= wasiLimits.descriptors) throw new WasiError(WasiErrno.EMFILE);
    let number = from;
    while (this.#files.has(number)) number += 1;
    file.references += 1;
    this.#files.set(number, file);
    return number;
  }

  duplicate(fd: number, from = 0): number {
    return this.add(this.get(fd, Right.none), from);
  }

  /** dup2(2). */
  replace(from: number, to: number): void {
    const file = this.get(from, Right.none);
    const target = this.#number(to);
    if (target >= wasiLimits.descriptors) throw new WasiError(WasiErrno.EBADF);
    if (this.#files.get(target) === file) return;
    file.references += 1;
    if (this.#files.has(target)) this.close(target);
    this.#files.set(target, file);
  }

  /** fd_renumber: `to` must be open, and `from` is gone afterwards. */
  renumber(from: number, to: number): void {
    this.get(from, Right.none);
    this.get(to, Right.none);
    if (this.#number(from) === this.#number(to)) return;
    this.replace(from, to);
    this.close(from);
  }

  close(fd: number): void {
    const number = this.#number(fd);
    const file = this.get(number, Right.none);
    this.#files.delete(number);
    file.references -= 1;
    if (file.references === 0 && file.fd >= 0) this.#fs.closeSync(file.fd);
  }

  entries(): IterableIterator<[number, OpenFile]> {
    return this.#files.entries();
  }
}
