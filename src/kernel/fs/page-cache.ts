/**
 * Sparse content of one regular file.
 *
 * Owns: the pages of a file and their share of the byte quota.
 * Invariants: a page that was never written is absent and reads as zeros; bytes
 * past the end of file inside a stored page are zero, so growing a file never
 * shows old data; `stored` is exactly what the quota was charged.
 * Pages are 64 KiB. Only the first may be shorter, so that small files are cheap.
 * Untrusted: positions and lengths come from the guest; the caller has made them
 * whole numbers within the file size limit.
 */
import type { Quota } from "./quota.js";

export const PAGE_BYTES = 65_536;
const SMALLEST_ALLOCATION = 512;

export class PageCache {
  readonly #quota: Quota;
  #first: Uint8Array | undefined;
  /** Pages from number 1 on; made when needed, since most files have none. */
  #others: Map<number, Uint8Array> | undefined;
  #stored = 0;
  #size = 0;

  constructor(quota: Quota) {
    this.#quota = quota;
  }

  get size(): number {
    return this.#size;
  }

  get stored(): number {
    return this.#stored;
  }

  /** Fills `target` from `position`; returns how many bytes the file had there. */
  read(target: Uint8Array, position: number): number {
    const count = Math.min(target.length, this.#size - position);
    if (count <= 0) return 0;
    let done = 0;
    while (done < count) {
      const at = position + done;
      const offset = at % PAGE_BYTES;
      const end = done + Math.min(count - done, PAGE_BYTES - offset);
      const page = this.#page((at - offset) / PAGE_BYTES);
      const available = page === undefined ? 0 : Math.min(end - done, page.length - offset);
      if (available > 0) {
        target.set(page!.subarray(offset, offset + available), done);
        done += available;
      }
      if (done < end) target.fill(0, done, end);
      done = end;
    }
    return count;
  }

  /** Stores `source` at `position`; returns how much of it the quota had room for. */
  write(source: Uint8Array, position: number): number {
    let done = 0;
    while (done < source.length) {
      const at = position + done;
      const offset = at % PAGE_BYTES;
      const count = Math.min(source.length - done, PAGE_BYTES - offset);
      const page = this.#pageForWriting((at - offset) / PAGE_BYTES, offset + count);
      if (page === undefined) break;
      page.set(source.subarray(done, done + count), offset);
      done += count;
    }
    if (done > 0) this.#size = Math.max(this.#size, position + done);
    return done;
  }

  /** Growing stores nothing; shrinking releases pages and clears the rest of the last one. */
  resize(size: number): void {
    if (size < this.#size) {
      const kept = Math.ceil(size / PAGE_BYTES);
      if (kept === 0) this.#drop(this.#first);
      if (kept === 0) this.#first = undefined;
      if (this.#others !== undefined) {
        for (const [number, page] of this.#others) {
          if (number < kept) continue;
          this.#others.delete(number);
          this.#drop(page);
        }
        if (this.#others.size === 0) this.#others = undefined;
      }
      const offset = size % PAGE_BYTES;
      if (offset > 0) this.#page(kept - 1)?.fill(0, offset);
    }
    this.#size = size;
  }

  #page(number: number): Uint8Array | undefined {
    return number === 0 ? this.#first : this.#others?.get(number);
  }

  #drop(page: Uint8Array | undefined): void {
    if (page === undefined) return;
    this.#stored -= page.length;
    this.#quota.giveBytes(page.length);
  }

  #pageForWriting(number: number, needed: number): Uint8Array | undefined {
    if (number === 0) return this.#growFirst(needed);
    const present = this.#others?.get(number);
    if (present !== undefined) return present;
    const page = this.#allocate(PAGE_BYTES);
    if (page !== undefined) (this.#others ??= new Map()).set(number, page);
    return page;
  }

  #growFirst(needed: number): Uint8Array | undefined {
    const old = this.#first;
    const had = old?.length ?? 0;
    if (old !== undefined && had >= needed) return old;
    const exact = Math.ceil(needed / SMALLEST_ALLOCATION) * SMALLEST_ALLOCATION;
    const roomy = Math.min(Math.max(exact, had * 2), PAGE_BYTES);
    const page = this.#allocate(roomy, had) ?? this.#allocate(exact, had);
    if (page === undefined) return undefined;
    if (old !== undefined) page.set(old);
    this.#first = page;
    return page;
  }

  /** A zeroed page of `bytes`, charged for what it adds to the `replaced` bytes it takes over from. */
  #allocate(bytes: number, replaced = 0): Uint8Array | undefined {
    if (!this.#quota.takeBytes(bytes - replaced)) return undefined;
    this.#stored += bytes - replaced;
    return new Uint8Array(bytes);
  }
}
