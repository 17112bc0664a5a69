/**
 * The superblock: one mounted file system.
 *
 * Owns: the root directory, inode numbers, the clock, the quota account, and the
 * life and death of inodes.
 * Invariants: inode numbers are never reused; an inode is charged from `make*`
 * until evicted, and evicted exactly once, when it has no name and no open description.
 * Untrusted: modes and owners arrive masked; link targets are charged by length.
 */
import { isPlain, textBytes } from "../../abi/byte-text.js";
import { rootOwner } from "./credentials.js";
import { S_ISGID } from "../../abi/fcntl.js";
import type { Account, Kind } from "../machine/account.js";
import type { Identity } from "./credentials.js";
import { Origin, settle } from "./clone.js";
import { CharacterDevice, type DeviceName } from "./device.js";
import {
  BLOCK_BYTES,
  type Directory,
  type Inode,
  type InodeAttributes,
  MemoryDirectory,
  RegularFile,
} from "./inode.js";
import { Fifo, SocketFile, SymbolicLink } from "./special-files.js";
import type { FileSystemStat } from "./file-stat.js";
import { Lineage } from "./lineage.js";
import { Loan } from "./loan.js";
import { FileLocks } from "./locks.js";
import { PageCache } from "./page-cache.js";
import { WatchTable } from "./watch.js";
import { type FileSystemLimits, Quota } from "./quota.js";

/** Targets up to this length live in the inode at no extra charge, as in ext4. */
const INLINE_TARGET_BYTES = 60;

export class SuperBlock {
  readonly quota: Quota;
  readonly limits: FileSystemLimits;
  readonly now: () => number;
  readonly root: MemoryDirectory;
  readonly locks = new FileLocks();
  readonly watches: WatchTable;
  /** What open files and watches cost. */
  readonly account: Account;
  /** Components that the call in hand may still look at behind links: see path-walk.ts. */
  stepsLeft = Infinity;
  /** The call in hand, by a number that no other has; 0 where none is. It ends before anything else happens. */
  call = 0;
  /** The process whose directory a walk of another last came by; 0: none since somebody asked. */
  inspected = 0;
  readonly lineage: Lineage;
  readonly #origin: Origin | undefined;
  readonly #loan: Loan | undefined;
  /** Without a name, but open: nobody who has only this file system's names can reach them. */
  readonly #orphans = new Set<Inode>();
  #lastInode = 1;

  /**
   * With `source`, a clone of that: the same names, and nothing that is open there. Costs the same for any number of files.
   * With `recall` it is one on loan: see there.
   */
  constructor(
    limits: FileSystemLimits,
    now: () => number,
    account: Account,
    source?: SuperBlock,
    recall?: () => void,
  ) {
    this.limits = limits;
    this.account = account;
    this.watches = new WatchTable(account);
    this.now = now;
    this.quota = source === undefined ? new Quota(limits) : source.#quotaOfNames(limits);
    if (source !== undefined) {
      this.#loan = recall && new Loan(source.quota, recall);
      this.#origin = new Origin(source.lineage, this.quota, this.#loan);
      this.lineage = this.#origin.lineage;
      this.#lastInode = source.#lastInode;
      this.root = this.#origin.copy(source.root) as MemoryDirectory;
      return;
    }
    this.lineage = new Lineage();
    if (!this.quota.takeInode()) throw new RangeError("file system limit inodes: no room for /");
    const ino = ++this.#lastInode;
    const { lineage } = this;
    this.root = new MemoryDirectory({
      ino,
      permissions: 0o755,
      ...rootOwner,
      now: now(),
      lineage,
    });
  }

  /** What is charged for everything that has a name. */
  #quotaOfNames(limits: FileSystemLimits): Quota {
    const quota = this.quota.copy(limits);
    for (const inode of this.#orphans) {
      quota.giveBytes(chargeOf(inode));
      quota.giveInode();
    }
    return quota;
  }

  /** In a clone: its own inode for one that its source has. */
  copyOf(inode: Inode): Inode {
    return this.#origin?.copy(inode) ?? inode;
  }

  /** What is free of the quota, for a file system of that magic number. */
  statfs(type: number): FileSystemStat {
    const { limits, bytes, inodes } = this.quota;
    const free = Math.floor((limits.bytes - bytes) / BLOCK_BYTES);
    return {
      type,
      bsize: BLOCK_BYTES,
      blocks: Math.floor(limits.bytes / BLOCK_BYTES),
      bfree: free,
      bavail: free,
      files: limits.inodes,
      ffree: limits.inodes - inodes,
    };
  }

  /** It is going. Clones of it get what they have not come by yet, since nobody else will keep it. */
  dispose(): void {
    const roots: MemoryDirectory[] = [];
    const collect = (lineage: Lineage, root: Inode): void => {
      for (const clone of lineage.clones) {
        const own = clone.copy(root);
        roots.push(own as MemoryDirectory);
        collect(clone.lineage, own);
      }
    };
    collect(this.lineage, this.root);
    this.#loan?.end();
    settle(roots, () => this.#origin?.release());
  }

  /** Counts one `kind` for `who`. Root, who is the host, is never refused. */
  admit(who: Identity, kind: Kind, bytes = 0): boolean {
    if (this.account.take(kind, bytes)) return true;
    if (who.uid !== 0) return false;
    this.account.force(kind, bytes);
    return true;
  }

  /** The same of `bytes` that something holds for a while; `account.shrink` gives them back. */
  admitBytes(who: Identity, bytes: number): boolean {
    if (this.account.grow(bytes)) return true;
    if (who.uid !== 0) return false;
    this.account.shrink(-bytes);
    return true;
  }

  makeFile(who: Identity, parent: Directory, mode: number): RegularFile | undefined {
    // A set-group-ID program may only be made by a member of the group it will have.
    const foreign = (parent.mode & S_ISGID) !== 0 && who.uid !== 0 && who.gid !== parent.gid;
    const permissions = foreign && (mode & 0o2010) === 0o2010 ? mode & ~S_ISGID : mode;
    const attributes = this.#attributes(who, parent, permissions);
    return attributes && new RegularFile(attributes, new PageCache(this.quota));
  }

  makeDirectory(who: Identity, parent: Directory, mode: number): MemoryDirectory | undefined {
    const attributes = this.#attributes(who, parent, mode | (parent.mode & S_ISGID));
    return (
      attributes &&
      (parent instanceof MemoryDirectory
        ? parent.newDirectory(attributes)
        : new MemoryDirectory(attributes))
    );
  }

  makeSymbolicLink(who: Identity, parent: Directory, target: string): SymbolicLink | undefined {
    const charge = targetCharge(textBytes(target));
    if (!this.quota.takeBytes(charge)) return undefined;
    const attributes = this.#attributes(who, parent, 0o777);
    if (attributes === undefined) this.quota.giveBytes(charge);
    return attributes && new SymbolicLink(attributes, detached(target));
  }

  makeSocket(who: Identity, parent: Directory, mode: number): SocketFile | undefined {
    const attributes = this.#attributes(who, parent, mode);
    return attributes && new SocketFile(attributes);
  }

  makeFifo(who: Identity, parent: Directory, mode: number): Fifo | undefined {
    const attributes = this.#attributes(who, parent, mode);
    return attributes && new Fifo(attributes);
  }

  makeDevice(parent: Directory, device: DeviceName): CharacterDevice | undefined {
    const attributes = this.#attributes(rootOwner, parent, 0o666);
    return attributes && new CharacterDevice(attributes, device);
  }

  /** Releases the inode if this was its last name or description. */
  evictIfUnused(inode: Inode): void {
    // Somebody else's, who is not charged for here.
    if (inode.lineage === undefined) return;
    if (inode.nlink > 0 || inode.evicted) return;
    if (inode.opens > 0) return void this.#orphans.add(inode);
    this.#orphans.delete(inode);
    inode.evicted = true;
    if (inode instanceof RegularFile) inode.resize(0);
    if (inode instanceof SymbolicLink) this.quota.giveBytes(targetCharge(inode.targetBytes));
    this.quota.giveInode();
  }

  #attributes(who: Identity, parent: Directory, permissions: number): InodeAttributes | undefined {
    if (!this.quota.takeInode()) return undefined;
    const gid = (parent.mode & S_ISGID) !== 0 ? parent.gid : who.gid;
    const { lineage } = this;
    const { device } = parent;
    const ino = ++this.#lastInode;
    return { ino, permissions, uid: who.uid, gid, now: this.now(), lineage, device };
  }
}

/** Of the bytes that an inode is charged with. */
function chargeOf(inode: Inode): number {
  if (inode instanceof RegularFile) return inode.pages.charged;
  return inode instanceof SymbolicLink ? targetCharge(inode.targetBytes) : 0;
}

function targetCharge(bytes: number): number {
  return bytes > INLINE_TARGET_BYTES ? bytes : 0;
}

/** A copy that does not keep alive the longer string it may be a slice of. */
export function detached(text: string): string {
  const encoding = isPlain(text) ? "utf8" : "utf16le";
  return Buffer.from(text, encoding).toString(encoding);
}
