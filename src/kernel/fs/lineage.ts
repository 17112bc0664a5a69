/**
 * Owns which file systems were cloned from which, as far as inodes must know.
 *
 * A clone has nothing of its own at first: it copies an inode when it comes by it, or when its source
 * is about to change it. So an inode that belongs to a clone is, until it was copied, still what it was
 * when the clone was made.
 *
 * Invariant: an inode no older than `age` of a clone is copied to it before its next change; one made
 * later never is.
 * Untrusted: nothing.
 */
import type { Inode } from "./inode.js";

/** Where a clone gets its inodes from. */
export interface Copies {
  /** Inodes of its source that are this old or older belong to it. */
  readonly age: number;
  /** The clone's. */
  readonly lineage: Lineage;
  /** The clone's own inode for one of its source, the same each time. */
  copy(inode: Inode): Inode;
}

/** One file system among its clones. */
export class Lineage {
  /** Goes up with every clone that is made. */
  age = 0;
  readonly clones = new Set<Copies>();
  /** What it was cloned from itself. */
  readonly origin: Copies | undefined;

  constructor(origin?: Copies) {
    this.origin = origin;
  }

  /** `inode`, last looked at when this was `age`, is about to change. */
  keep(inode: Inode, age: number): void {
    for (const clone of this.clones) if (clone.age >= age) clone.copy(inode);
  }
}
