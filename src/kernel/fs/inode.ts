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
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK } from "../../abi/fcntl.js";
import type { PageCache } from "./page-cache.js";

export interface FileStat {
  dev: number;
  ino: number;
  mode: number;
  nlink: number;
  uid: number;
  gid: number;
  rdev: number;
  size: number;
  blksize: number;
  blocks: number;
  atimeMs: number;
  mtimeMs: number;
  ctimeMs: number;
  birthtimeMs: number;
}

export interface DirectoryEntry {
  name: string;
  /** DT_*: 1 fifo, 2 chr, 4 dir, 6 blk, 8 reg, 10 lnk, 12 sock. */
  type: number;
}

/** Owner, permission bits and creation time of an inode about to exist. */
export interface InodeAttributes {
  ino: number;
  permissions: number;
  uid: number;
  gid: number;
  now: number;
}

/** Device number of the file system, an anonymous one (major 0) as tmpfs has. */
const DEVICE = 42;
export const BLOCK_BYTES = 4096;
const DAY_MS = 86_400_000;

export abstract class Inode {
  readonly ino: number;
  mode: number;
  uid: number;
  gid: number;
  nlink = 0;
  opens = 0;
  evicted = false;
  atimeMs: number;
  mtimeMs: number;
  ctimeMs: number;
  readonly birthtimeMs: number;

  constructor(format: number, attributes: InodeAttributes) {
    this.ino = attributes.ino;
    this.mode = format | (attributes.permissions & 0o7777);
    this.uid = attributes.uid;
    this.gid = attributes.gid;
    this.atimeMs = this.mtimeMs = this.ctimeMs = this.birthtimeMs = attributes.now;
  }

  abstract get size(): number;

  /** Bytes the inode holds in memory, as `blocks` reports them. */
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
      dev: DEVICE,
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
    return this.pages.stored;
  }
}

export class Directory extends Inode {
  readonly entries = new Map<string, Inode>();
  /** Where ".." leads; the root is its own parent. */
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

  list(): DirectoryEntry[] {
    return Array.from(this.entries, ([name, inode]) => ({ name, type: inode.type }));
  }
}

export class SymbolicLink extends Inode {
  readonly target: string;
  readonly targetBytes: number;

  constructor(attributes: InodeAttributes, target: string) {
    super(S_IFLNK, attributes);
    this.target = target;
    this.targetBytes = Buffer.byteLength(target);
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

/** Whether `directory` is `ancestor` or somewhere below it. */
export function isInside(directory: Directory, ancestor: Directory): boolean {
  let at = directory;
  while (at !== ancestor && at !== at.parent) at = at.parent;
  return at === ancestor;
}
