/**
 * What a file system may cost the host, and the running account of it.
 *
 * Owns: the limits and three counters (content bytes, inodes, names), and what is lent of each.
 * Invariants: each counter is between 0 and its limit; every successful `take`
 * is matched by exactly one `give` when the thing is released. What is lent is never the reason why
 * something cannot be taken; what is lent over the limit is recalled in the next turn.
 * Untrusted: nothing; amounts are computed by this directory, never by a guest.
 */
import { fsLimits } from "../../protocol/fs-calls.js";
import type { Loan } from "./loan.js";

/** Of each kind. */
export interface Amounts {
  bytes: number;
  inodes: number;
  names: number;
}

export interface FileSystemLimits {
  /** Stored file content (allocated pages, not file sizes) and long link targets. */
  bytes: number;
  inodes: number;
  /** Directory entries. Hard links cost no inode, so they need a limit of their own. */
  names: number;
  /** Largest file size; the maximum of ext4 by default. Beyond it: EFBIG. */
  fileBytes: number;
  /** Hard links to one inode. Beyond it: EMLINK. */
  links: number;
  nameBytes: number;
  /** PATH_MAX, counting the terminating NUL. */
  pathBytes: number;
  symlinkDepth: number;
  /** Components that the walks of one system call look at together: more than one walk ever does. */
  walkSteps: number;
}

const defaults = {
  bytes: 512 * 1024 * 1024,
  inodes: 131_072,
  fileBytes: 2 ** 44,
  links: 65_000,
  nameBytes: 255,
  pathBytes: fsLimits.pathBytes,
  symlinkDepth: 40,
  walkSteps: 131_072,
};

/** Fills in the defaults; throws on a limit that is no whole number, as only the host sets them. */
export function completeLimits(given: Partial<FileSystemLimits> = {}): FileSystemLimits {
  const inodes = given.inodes ?? defaults.inodes;
  const limits = { ...defaults, names: inodes * 2, ...given };
  for (const [name, value] of Object.entries(limits)) {
    if (!Number.isSafeInteger(value) || value < 0)
      throw new RangeError(`file system limit ${name}: ${value}`);
  }
  return limits;
}

export class Quota {
  readonly limits: FileSystemLimits;
  #bytes = 0;
  /** Content of files elsewhere, as long as they are open: no clone has it. */
  #openBytes = 0;
  #inodes = 0;
  #names = 0;
  /** The oldest first. */
  readonly #loans = new Set<Loan>();
  readonly #lent: Amounts = { bytes: 0, inodes: 0, names: 0 };
  #recalling = false;

  constructor(limits: FileSystemLimits) {
    this.limits = limits;
  }

  /** An account of its own with the same in it. */
  copy(limits: FileSystemLimits): Quota {
    const other = new Quota(limits);
    other.#bytes = this.#bytes;
    other.#inodes = this.#inodes;
    other.#names = this.#names;
    return other;
  }

  get bytes(): number {
    return this.#bytes + this.#openBytes;
  }

  get inodes(): number {
    return this.#inodes;
  }

  takeBytes(count: number): boolean {
    if (!this.#hasRoom("bytes", this.bytes + count)) return false;
    this.#bytes += count;
    return true;
  }

  giveBytes(count: number): void {
    this.#bytes -= count;
  }

  takeOpenBytes(count: number): boolean {
    if (!this.#hasRoom("bytes", this.bytes + count)) return false;
    this.#openBytes += count;
    return true;
  }

  giveOpenBytes(count: number): void {
    this.#openBytes -= count;
  }

  takeInode(): boolean {
    if (!this.#hasRoom("inodes", this.#inodes + 1)) return false;
    this.#inodes++;
    return true;
  }

  giveInode(): void {
    this.#inodes--;
  }

  takeName(): boolean {
    if (!this.#hasRoom("names", this.#names + 1)) return false;
    this.#names++;
    return true;
  }

  giveName(): void {
    this.#names--;
  }

  /** What is lent, beside what was taken. */
  get lentAmounts(): Amounts {
    return { ...this.#lent };
  }

  /** From now on `loan` counts here. */
  lend(loan: Loan): void {
    this.#loans.add(loan);
  }

  /** One of its loans has become so much larger. Cannot be refused: it has happened. */
  lent({ bytes, inodes, names }: Amounts): void {
    this.#lent.bytes += bytes;
    this.#lent.inodes += inodes;
    this.#lent.names += names;
    if (this.#recalling || this.#isWithin()) return;
    this.#recalling = true;
    // Not now: what is lent is being copied.
    setImmediate(() => {
      this.#recalling = false;
      this.#hasRoom("bytes", this.bytes);
      this.#hasRoom("inodes", this.#inodes);
      this.#hasRoom("names", this.#names);
    });
  }

  /** It has ended. */
  returned(loan: Loan): void {
    if (!this.#loans.delete(loan)) return;
    this.#lent.bytes -= loan.amounts.bytes;
    this.#lent.inodes -= loan.amounts.inodes;
    this.#lent.names -= loan.amounts.names;
  }

  #isWithin(): boolean {
    const { bytes, inodes, names } = this.#lent;
    return (
      this.bytes + bytes <= this.limits.bytes &&
      this.#inodes + inodes <= this.limits.inodes &&
      this.#names + names <= this.limits.names
    );
  }

  /** Whether `wanted` in all are within the limit: loans are recalled for that. */
  #hasRoom(kind: keyof Amounts, wanted: number): boolean {
    const limit = this.limits[kind];
    if (wanted > limit) return false;
    if (wanted + this.#lent[kind] <= limit) return true;
    for (const loan of this.#loans) {
      if (loan.amounts[kind] === 0) continue;
      loan.recall();
      if (wanted + this.#lent[kind] <= limit) break;
    }
    return true;
  }
}
