/**
 * Owns the byte-range locks of one file system: advisory, as fcntl(2) F_OFD_SETLK has them,
 * belonging to an open file description and gone with it. They never wait.
 *
 * Invariants: of one description no two ranges overlap; of two descriptions only shared ones
 * do. Keys are made by the kernel from device and inode number.
 * Untrusted: ranges and how many there are; `fileLocks` of the kernel's limits bounds them.
 */
import { Errno } from "../../abi/errno.js";
import { limits } from "../limits.js";

export const LockKind = Object.freeze({ none: 0, shared: 1, exclusive: 2 } as const);

interface Range {
  readonly owner: object;
  readonly exclusive: boolean;
  readonly start: number;
  /** The first byte behind it. */
  readonly end: number;
}

export class FileLocks {
  readonly #byFile = new Map<string, Range[]>();
  #count = 0;

  /** Answers 0 or -errno; with `none` the range is unlocked. */
  set(file: string, owner: object, kind: number, start: number, length: number): number {
    const end = start + length;
    if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || length <= 0)
      return -Errno.EINVAL;
    const exclusive = kind === LockKind.exclusive;
    if (kind !== LockKind.none && this.conflicts(file, owner, exclusive, start, end))
      return -Errno.EAGAIN;
    const before = this.#byFile.get(file) ?? [];
    const after = before.flatMap((range) => without(range, owner, start, end));
    if (kind !== LockKind.none) after.push({ owner, exclusive, start, end });
    const count = this.#count + after.length - before.length;
    if (count > limits.fileLocks && count > this.#count) return -Errno.ENOLCK;
    this.#store(file, before, after);
    return 0;
  }

  /** Whether a lock of somebody else is in the way of one over the range. */
  conflicts(file: string, owner: object, exclusive: boolean, start: number, end: number): boolean {
    const ranges = this.#byFile.get(file) ?? [];
    return ranges.some(
      (range) =>
        range.owner !== owner &&
        range.start < end &&
        start < range.end &&
        (exclusive || range.exclusive),
    );
  }

  /** The description is closed. */
  release(file: string, owner: object): void {
    const before = this.#byFile.get(file);
    if (before === undefined) return;
    this.#store(
      file,
      before,
      before.filter((range) => range.owner !== owner),
    );
  }

  get count(): number {
    return this.#count;
  }

  #store(file: string, before: readonly Range[], after: Range[]): void {
    this.#count += after.length - before.length;
    if (after.length === 0) this.#byFile.delete(file);
    else this.#byFile.set(file, after);
  }
}

/** What is left of a range when its owner gives up `start` to `end`. */
function without(range: Range, owner: object, start: number, end: number): Range[] {
  if (range.owner !== owner || range.end <= start || end <= range.start) return [range];
  const left: Range[] = [];
  if (range.start < start) left.push({ ...range, end: start });
  if (end < range.end) left.push({ ...range, start: end });
  return left;
}
