/**
 * Inodes: what a name refers to.
 *
 * Owns: file attributes and, by kind, content, entries, link target or device number.
 * Invariants: `nlink` counts the directory entries that refer to the inode (for a
 * directory: 2 plus its subdirectories, 0 once removed); `opens` counts open file
 * descriptions; an inode with neither is evicted by the superblock. A directory has
 * exactly one name, kept in `name` below `parent`.
 * Untrusted: entry names, hence a Map; link targets, which are only ever text to walk.
 */
import { Errno, type Failure } from "../../abi/errno.js";
import { S_IFDIR, S_IFMT, S_IFREG } from "../../abi/fcntl.js";
import { type Steps, step } from "../io/steps.js";
import type { Credentials } from "./credentials.js";
import type { Lineage } from "./lineage.js";
import type { PageCache } from "./page-cache.js";
import type { FileStat, DirectoryEntry } from "./file-stat.js";
import type { ExternalChanges } from "./external-file.js";

export interface InodeAttributes {
  ino: number;
  permissions: number;
  uid: number;
  gid: number;
  now: number;
  /** Of an inode in memory, which may have clones. */
  lineage?: Lineage;
  /** Of its file system; default: the one in memory. */
  device?: number;
}

/** Device number of the memory file system, an anonymous one (major 0) as tmpfs has. */
export const MEMORY_DEVICE = 42;
export const BLOCK_BYTES = 4096;
const DAY_MS = 86_400_000;

export abstract class Inode {
  ino: number;
  #mode: number;
  #uid: number;
  #gid: number;
  #nlink = 0;
  #atimeMs: number;
  #mtimeMs: number;
  #ctimeMs: number;
  #birthtimeMs: number;
  opens = 0;
  evicted = false;
  /** Root of the file system mounted over this inode, which hides it. */
  covered: Inode | undefined = undefined;
  /** How attributes are changed when the inode only stands for a file somewhere else. */
  external: ExternalChanges | undefined = undefined;
  /** Whether this is such a root: its name can neither be removed nor moved. */
  mountRoot = false;
  readonly lineage: Lineage | undefined;
  readonly #device: number;
  /** Of its lineage, when its clones were last given what it is. */
  #age = 0;

  constructor(format: number, attributes: InodeAttributes) {
    this.ino = attributes.ino;
    this.#mode = format | (attributes.permissions & 0o7777);
    this.#uid = attributes.uid;
    this.#gid = attributes.gid;
    this.#atimeMs = this.#mtimeMs = this.#ctimeMs = this.#birthtimeMs = attributes.now;
    this.lineage = attributes.lineage;
    this.#device = attributes.device ?? MEMORY_DEVICE;
    this.#age = this.lineage?.age ?? 0;
  }

  /** Before every change: clones that have not copied it yet do now. */
  keep(): void {
    const { lineage } = this;
    if (lineage === undefined || lineage.age === this.#age) return;
    const age = this.#age;
    this.#age = lineage.age;
    lineage.keep(this, age);
  }

  /** It is a copy of something that its file system had from the start. */
  existedBefore(): void {
    this.#age = 0;
  }

  get mode(): number {
    return this.#mode;
  }
  set mode(value: number) {
    this.keep();
    this.#mode = value;
  }

  get uid(): number {
    return this.#uid;
  }
  set uid(value: number) {
    this.keep();
    this.#uid = value;
  }

  get gid(): number {
    return this.#gid;
  }
  set gid(value: number) {
    this.keep();
    this.#gid = value;
  }

  get nlink(): number {
    return this.#nlink;
  }
  set nlink(value: number) {
    this.keep();
    this.#nlink = value;
  }

  get atimeMs(): number {
    return this.#atimeMs;
  }
  set atimeMs(value: number) {
    this.keep();
    this.#atimeMs = value;
  }

  get mtimeMs(): number {
    return this.#mtimeMs;
  }
  set mtimeMs(value: number) {
    this.keep();
    this.#mtimeMs = value;
  }

  get ctimeMs(): number {
    return this.#ctimeMs;
  }
  set ctimeMs(value: number) {
    this.keep();
    this.#ctimeMs = value;
  }

  get birthtimeMs(): number {
    return this.#birthtimeMs;
  }
  set birthtimeMs(value: number) {
    this.keep();
    this.#birthtimeMs = value;
  }

  abstract get size(): number;

  /** Of the file system the inode belongs to; names in two of them cannot be moved or linked across. */
  get device(): number {
    return this.#device;
  }

  /** What a change of it has to be made to: itself, unless its content and attributes are only looked at. */
  forChange(_empties?: boolean): Inode | Failure {
    return this;
  }

  /** Whether the file system refuses every change (EROFS). */
  get readOnly(): boolean {
    return false;
  }

  /** What a name of this inode leads to: what is mounted here, brought up to date, or itself. */
  get top(): Inode | Failure {
    if (this.covered === undefined) return this;
    const failed = this.covered.refresh();
    return failed === 0 ? this.covered : failed;
  }

  /** Renews attributes that something outside may have changed. */
  refresh(): 0 | Failure {
    return 0;
  }

  /** Bytes the content occupies, as `blocks` reports them. */
  get stored(): number {
    return 0;
  }

  get rdev(): number {
    return 0;
  }

  /** DT_* of the entry naming this inode. */
  get type(): number {
    return (this.mode & S_IFMT) >>> 12;
  }

  stat(): FileStat {
    return {
      dev: this.device,
      ino: this.ino,
      mode: this.mode,
      nlink: this.nlink,
      uid: this.uid,
      gid: this.gid,
      rdev: this.rdev,
      size: this.size,
      blksize: BLOCK_BYTES,
      blocks: Math.ceil(this.stored / 512),
      atimeMs: this.atimeMs,
      mtimeMs: this.mtimeMs,
      ctimeMs: this.ctimeMs,
      birthtimeMs: this.birthtimeMs,
    };
  }

  /** Records a read the way the relatime mount option does. */
  accessed(now: number): void {
    const stale = this.atimeMs <= this.mtimeMs || this.atimeMs <= this.ctimeMs;
    if (stale || now - this.atimeMs >= DAY_MS) this.atimeMs = now;
  }

  modified(now: number): void {
    this.mtimeMs = this.ctimeMs = now;
  }

  changed(now: number): void {
    this.ctimeMs = now;
  }
}

export class RegularFile extends Inode {
  readonly pages: PageCache;

  constructor(attributes: InodeAttributes, pages: PageCache) {
    super(S_IFREG, attributes);
    this.pages = pages;
  }

  get size(): number {
    return this.pages.size;
  }

  override get stored(): number {
    return this.pages.occupied;
  }

  /** As of its pages, which change in no other way. */
  write(source: Uint8Array, position: number): number {
    this.keep();
    return this.pages.write(source, position);
  }

  resize(size: number): void {
    this.keep();
    this.pages.resize(size);
  }
}

/** What holds names, in any file system. */
export abstract class Directory extends Inode {
  /** The root is its own parent; the root of a mount has the parent of its mount point. */
  parent: Directory = this;
  name = "";

  constructor(attributes: InodeAttributes) {
    super(S_IFDIR, attributes);
    this.nlink = 2;
  }

  get size(): number {
    return BLOCK_BYTES;
  }

  get removed(): boolean {
    return this.nlink === 0;
  }

  /** The inode of that name, mounts not yet looked at; `who` matters to /proc/self only. */
  abstract lookup(name: string, who: Credentials): Inode | undefined | Failure;

  abstract list(): DirectoryEntry[] | Failure;

  /** The same in steps, each of some thousand entries. `room` is asked before more are held: false ends it. */
  *listing(_who: Credentials, room: RoomForEntries): Steps<DirectoryEntry[]> {
    // What serves it may have to be asked outside.
    const entries = yield* step(() => this.list());
    if (typeof entries === "number") return entries;
    return room(entries.length) ? entries : -Errno.ENOMEM;
  }
}

/** Whether so many entries more may be held. */
export type RoomForEntries = (count: number) => boolean;

/** Entries of one step. */
export const stepEntries = 1024;

export class MemoryDirectory extends Directory {
  /**
   * Made with the first name: most directories of a deep tree have none or one. In a clone some
   * may be of its source still, and are copied when somebody comes by.
   */
  #entries: Map<string, Inode> | undefined;

  get isEmpty(): boolean {
    return this.#entries === undefined || this.#entries.size === 0;
  }

  /** How many names of its own it has. */
  get count(): number {
    return this.#entries?.size ?? 0;
  }

  /** Before an entry is made or removed: 0, or why that is not possible. */
  prepare(): 0 | Failure {
    return 0;
  }

  /** Before a name is taken away that something else would show through. */
  hide(_name: string): 0 | Failure {
    return 0;
  }

  /** Whether the name is one of its own entries. */
  holds(_name: string): boolean {
    return true;
  }

  /** A directory that is to be made in it. */
  newDirectory(attributes: InodeAttributes): MemoryDirectory {
    return new MemoryDirectory(attributes);
  }

  protected twin(attributes: InodeAttributes): MemoryDirectory {
    return new MemoryDirectory(attributes);
  }

  enter(name: string, inode: Inode): void {
    this.keep();
    (this.#entries ??= new Map()).set(name, inode);
  }

  drop(name: string): void {
    this.keep();
    this.#entries?.delete(name);
  }

  lookup(name: string): Inode | undefined {
    const inode = this.#entries?.get(name);
    return inode === undefined || inode.lineage === this.lineage ? inode : this.#adopt(name, inode);
  }

  list(): DirectoryEntry[] {
    return Array.from(this.#entries ?? [], ([name, inode]) => ({
      name,
      type: this.#typeOf(inode),
    }));
  }

  override *listing(_who: Credentials, room: RoomForEntries): Steps<DirectoryEntry[]> {
    const made: DirectoryEntry[] = [];
    if (!room(this.count)) return -Errno.ENOMEM;
    for (const [name, inode] of this.#entries ?? []) {
      if (made.length % stepEntries === stepEntries - 1) yield undefined;
      made.push({ name, type: this.#typeOf(inode) });
    }
    return made;
  }

  #typeOf(inode: Inode): number {
    // What its source has mounted there is not here.
    return ((inode.lineage === this.lineage ? inode.covered : undefined) ?? inode).type;
  }

  /** The same names for a clone. */
  copy(attributes: InodeAttributes): MemoryDirectory {
    const made = this.twin(attributes);
    if (this.#entries !== undefined && this.#entries.size > 0)
      made.#entries = new Map(this.#entries);
    return made;
  }

  /** All inodes, copied where they were not. */
  *adoptAll(): Iterable<Inode> {
    for (const name of Array.from(this.#entries?.keys() ?? [])) {
      const inode = this.lookup(name);
      if (inode !== undefined) yield inode;
    }
  }

  #adopt(name: string, foreign: Inode): Inode {
    const inode = this.lineage!.origin!.copy(foreign);
    // A copy of what is known already; no change of the directory.
    this.#entries!.set(name, inode);
    if (inode instanceof Directory) {
      inode.parent = this;
      inode.name = name;
    }
    return inode;
  }
}

/** A file whose content is not in memory. */
