/**
 * Owns how a clone comes by its inodes: copied one by one from its source when they are first
 * needed, pages shared until one of both writes to them.
 *
 * Invariants: names of one inode stay names of one inode; a copy has no open description, lock, watch
 * or mount; what nobody needs of the source any more is not kept alive by the clone.
 * Untrusted: nothing; what is copied obeys the rules of its own file system.
 */
import { CharacterDevice } from "./device.js";
import { type Inode, type InodeAttributes, MemoryDirectory, RegularFile } from "./inode.js";
import { Fifo, SocketFile, SymbolicLink } from "./special-files.js";
import { type Copies, Lineage } from "./lineage.js";
import type { Loan } from "./loan.js";
import type { Quota } from "./quota.js";

/** Entries that are copied in one turn when a source is going. */
const settleEntries = 1000;

export class Origin implements Copies {
  readonly age: number;
  /** Of the clone. */
  readonly lineage: Lineage;
  readonly #source: Lineage;
  readonly #quota: Quota;
  readonly #loan: Loan | undefined;
  readonly #copies = new WeakMap<Inode, Inode>();

  /** `quota` is the clone's; what one that has a `loan` costs is counted there. */
  constructor(source: Lineage, quota: Quota, loan?: Loan) {
    this.#source = source;
    this.#quota = quota;
    this.#loan = loan;
    this.age = source.age++;
    this.lineage = new Lineage(this);
    source.clones.add(this);
  }

  copy(inode: Inode): Inode {
    const present = this.#copies.get(inode);
    if (present !== undefined) return present;
    // The source had not come by it itself yet, and got its names from a source of its own.
    const own = inode.lineage === this.#source ? inode : this.#source.origin!.copy(inode);
    const made = this.#copies.get(own) ?? this.#make(own);
    this.#copies.set(own, made);
    return made;
  }

  #make(inode: Inode): Inode {
    const { ino, mode, uid, gid, birthtimeMs, device } = inode;
    const attributes = { ino, permissions: mode, uid, gid, now: birthtimeMs, device };
    const made = copyOf(inode, { ...attributes, lineage: this.lineage }, this.#quota, this.#loan);
    this.#loan?.copied(inode instanceof MemoryDirectory ? inode.count : 0);
    made.nlink = inode.nlink;
    made.atimeMs = inode.atimeMs;
    made.mtimeMs = inode.mtimeMs;
    made.ctimeMs = inode.ctimeMs;
    // Whoever was cloned from this one before has it as well.
    made.existedBefore();
    return made;
  }

  /** The clone is gone: its source need not keep anything for it. */
  release(): void {
    this.#source.clones.delete(this);
  }
}

function copyOf(
  inode: Inode,
  attributes: InodeAttributes,
  quota: Quota,
  loan: Loan | undefined,
): Inode {
  if (inode instanceof RegularFile)
    return new RegularFile(attributes, inode.pages.share(quota, loan));
  if (inode instanceof MemoryDirectory) return inode.copy(attributes);
  if (inode instanceof SymbolicLink) return new SymbolicLink(attributes, inode.target);
  if (inode instanceof SocketFile) return new SocketFile(attributes);
  if (inode instanceof Fifo) return new Fifo(attributes);
  if (inode instanceof CharacterDevice) return new CharacterDevice(attributes, inode.kind);
  throw new TypeError(`inode ${inode.ino} of device ${inode.device} is not in memory`);
}

/**
 * Copies everything that the clones with these roots still have in their source only, some at a time:
 * the source is going, and would otherwise stay in memory for as long as they.
 */
export function settle(roots: readonly MemoryDirectory[], done: () => void): void {
  const todo = [...roots];
  const go = (): void => {
    let left = settleEntries;
    for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
      for (const inode of next.adoptAll()) {
        left--;
        if (inode instanceof MemoryDirectory) todo.push(inode);
      }
      if (left <= 0) return void setImmediate(go);
    }
    done();
  };
  go();
}
