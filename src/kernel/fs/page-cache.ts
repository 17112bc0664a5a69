/**
 * Sparse content of one regular file.
 *
 * Owns: the pages of a file and their share of the byte quota.
 * Invariants: a page that was never written is absent and reads as zeros; bytes
 * past the end of file inside a stored page are zero, so growing a file never
 * shows old data; the quota is charged for exactly the pages that are held, shared
 * ones in full; a page that is shared with a clone is copied before it is written to.
 * Pages are 64 KiB. Only the first may be shorter, so that small files are cheap.
 * Untrusted: positions and lengths come from the guest; the caller has made them
 * whole numbers within the file size limit.
 */
import type { Loan } from "./loan.js";
import { PAGE_BYTES, givePage, takePage } from "./page-memory.js";
import type { Quota } from "./quota.js";

const SMALLEST_ALLOCATION = 512;
/** Of a file that goes all at once, what is given back by itself; the rest is left to the collector. */
const mostGiven = 1024;
/** What `blocks` counts in, as file systems on Linux do; sixteen to a page. */
const BLOCK_BYTES = 4096;

export class PageCache {
  readonly #quota: Quota;
  #first: Uint8Array | undefined;
  /** Pages from number 1 on; made when needed, since most files have none. */
  #others: Map<number, Uint8Array> | undefined;
  /** Per page, a bit for each of its blocks that was written. */
  #written: Map<number, number> | undefined;
  #blocks = 0;
  #size = 0;
  /** Pages that are in no other file; undefined while all are. */
  #own: Set<number> | undefined;
  /** Somebody may still look at pages of it. */
  #shown = false;
  /** Of clones that share pages, and have to be told which it gives up. */
  #loans: Loan[] | undefined;

  constructor(quota: Quota) {
    this.#quota = quota;
  }

  get size(): number {
    return this.#size;
  }

  /** Bytes of blocks that were written: what the file is said to occupy, not what memory it takes. */
  get occupied(): number {
    return this.#blocks * BLOCK_BYTES;
  }

  /** What of the quota it has taken. */
  get charged(): number {
    return (this.#first?.length ?? 0) + (this.#others?.size ?? 0) * PAGE_BYTES;
  }

  /** The same content in a file of another quota, which has been charged for it; or of one that is on loan. */
  share(quota: Quota, loan?: Loan): PageCache {
    const other = new PageCache(quota);
    other.#first = this.#first;
    if (this.#others !== undefined) other.#others = new Map(this.#others);
    if (this.#written !== undefined) other.#written = new Map(this.#written);
    other.#blocks = this.#blocks;
    other.#size = this.#size;
    for (const side of [this, other])
      side.#own = this.#first || this.#others ? new Set() : undefined;
    if (loan !== undefined && this.#own !== undefined) {
      this.#loans = [...(this.#loans ?? []).filter(({ isOver }) => !isOver), loan];
      loan.shared(this, other);
    }
    return other;
  }

  /** Whether that very page is the one of that number. */
  has(number: number, page: Uint8Array): boolean {
    return this.#page(number) === page;
  }

  /** Bytes of the pages that both have. */
  inCommonWith(other: PageCache): number {
    let bytes = 0;
    for (const number of this.numbers()) {
      const page = this.#page(number)!;
      if (other.has(number, page)) bytes += page.length;
    }
    return bytes;
  }

  /** The ranges that were written, in order and apart from each other; everything else is zeros. */
  *extents(): Iterable<readonly [start: number, end: number]> {
    let [start, end] = [0, 0];
    for (const number of [...(this.#written?.keys() ?? [])].sort((a, b) => a - b)) {
      const bits = this.#written!.get(number)!;
      for (let block = 0; block < PAGE_BYTES / BLOCK_BYTES; block++) {
        if ((bits & (1 << block)) === 0) continue;
        const at = number * PAGE_BYTES + block * BLOCK_BYTES;
        if (at !== end) {
          if (end > start) yield [start, Math.min(end, this.#size)];
          start = at;
        }
        end = at + BLOCK_BYTES;
      }
    }
    if (end > start) yield [start, Math.min(end, this.#size)];
  }

  /** Which pages are stored, in order. */
  numbers(): number[] {
    const numbers = [...(this.#others?.keys() ?? [])];
    if (this.#first !== undefined) numbers.push(0);
    return numbers.sort((a, b) => a - b);
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

  /** What is between two positions inside the file, page by page: memory of the file's own, to be looked at only. */
  *pieces(start: number, end: number): Iterable<Uint8Array> {
    for (let at = start; at < end;) {
      const offset = at % PAGE_BYTES;
      const stop = Math.min(end, at - offset + PAGE_BYTES);
      const page = this.#page((at - offset) / PAGE_BYTES);
      const available = page === undefined ? 0 : Math.min(stop - at, page.length - offset);
      this.#shown = true;
      if (available > 0) yield page!.subarray(offset, offset + available);
      const rest = stop - at - Math.max(0, available);
      if (rest > 0) yield new Uint8Array(rest);
      at = stop;
    }
  }

  /** Stores `source` at `position`; returns how much of it the quota had room for. */
  write(source: Uint8Array, position: number): number {
    let done = 0;
    while (done < source.length) {
      const at = position + done;
      const offset = at % PAGE_BYTES;
      const count = Math.min(source.length - done, PAGE_BYTES - offset);
      const page = this.#pageForWriting((at - offset) / PAGE_BYTES, offset, offset + count);
      if (page === undefined) break;
      page.set(source.subarray(done, done + count), offset);
      this.#mark((at - offset) / PAGE_BYTES, offset, offset + count);
      done += count;
    }
    if (done > 0) this.#size = Math.max(this.#size, position + done);
    return done;
  }

  /** Growing stores nothing; shrinking releases pages and clears the rest of the last one. */
  resize(size: number): void {
    if (size === 0) this.#clear();
    else if (size < this.#size) {
      const kept = Math.ceil(size / PAGE_BYTES);
      if (this.#others !== undefined) {
        for (const [number, page] of this.#others) {
          if (number < kept) continue;
          this.#others.delete(number);
          this.#drop(number, page);
        }
        if (this.#others.size === 0) this.#others = undefined;
      }
      const offset = size % PAGE_BYTES;
      for (const [number, bits] of this.#written ?? []) {
        if (number >= kept) this.#keep(number, bits, 0);
        else if (number === kept - 1 && offset > 0)
          this.#keep(number, bits, bits & ((1 << Math.ceil(offset / BLOCK_BYTES)) - 1));
      }
      if (offset > 0) this.#ownPage(kept - 1)?.fill(0, offset);
    }
    this.#size = size;
  }

  /** At once, however much there is. */
  #clear(): void {
    this.#quota.giveBytes(this.charged);
    for (const loan of this.#loans ?? []) loan.gaveUpAll(this);
    this.#loans = undefined;
    let left = mostGiven;
    for (const [number, page] of this.#others ?? []) {
      if (--left < 0) break;
      this.#release(number, page);
    }
    if (this.#first !== undefined) this.#release(0, this.#first);
    this.#own = undefined;
    this.#first = undefined;
    this.#others = undefined;
    this.#written = undefined;
    this.#blocks = 0;
  }

  #mark(number: number, from: number, to: number): void {
    const old = this.#written?.get(number) ?? 0;
    const first = Math.floor(from / BLOCK_BYTES);
    const last = Math.floor((to - 1) / BLOCK_BYTES);
    const bits = old | (((1 << (last + 1)) - 1) & ~((1 << first) - 1));
    if (bits !== old) this.#keep(number, old, bits);
  }

  #keep(number: number, old: number, bits: number): void {
    this.#blocks += ones(bits) - ones(old);
    if (bits === 0) this.#written?.delete(number);
    else (this.#written ??= new Map()).set(number, bits);
  }

  /** What a write between two positions would take of the quota, at most. */
  lacks(from: number, to: number): number {
    let bytes = 0;
    for (let number = Math.floor(from / PAGE_BYTES); number * PAGE_BYTES < to; number++)
      bytes += PAGE_BYTES - (this.#page(number)?.length ?? 0);
    return bytes;
  }

  #page(number: number): Uint8Array | undefined {
    return number === 0 ? this.#first : this.#others?.get(number);
  }

  /** The page, of which no other file knows afterwards; what is about to be written, from `from` to `to`, may be anything. */
  #ownPage(number: number, from = 0, to = from): Uint8Array | undefined {
    const page = this.#page(number);
    if (page === undefined || this.#own === undefined || this.#own.has(number)) return page;
    const copy = takePage(page.length);
    if (from > 0) copy.set(page.subarray(0, from));
    if (to < page.length) copy.set(page.subarray(to), to);
    if (number === 0) this.#first = copy;
    else this.#others!.set(number, copy);
    this.#own.add(number);
    this.#giveUp(number, page);
    return copy;
  }

  #drop(number: number, page: Uint8Array): void {
    this.#quota.giveBytes(page.length);
    this.#giveUp(number, page);
    this.#release(number, page);
    this.#own?.delete(number);
  }

  /** The page is in this file no more; its memory is nobody's, if no other file has it and nobody looks at it. */
  #release(number: number, page: Uint8Array): void {
    if (!this.#shown && (this.#own === undefined || this.#own.has(number))) givePage(page);
  }

  #giveUp(number: number, page: Uint8Array): void {
    for (const loan of this.#loans ?? []) loan.gaveUp(this, number, page);
  }

  /** The page, in which everything but what is about to be written, from `from` to `to`, is as it was, or zero. */
  #pageForWriting(number: number, from: number, to: number): Uint8Array | undefined {
    if (number === 0) return this.#growFirst(from, to);
    const present = this.#ownPage(number, from, to);
    if (present !== undefined) return present;
    const page = this.#allocate(PAGE_BYTES);
    if (page === undefined) return undefined;
    page.fill(0, 0, from).fill(0, to);
    (this.#others ??= new Map()).set(number, page);
    this.#own?.add(number);
    return page;
  }

  #growFirst(from: number, needed: number): Uint8Array | undefined {
    const old = this.#first;
    const had = old?.length ?? 0;
    if (old !== undefined && had >= needed) return this.#ownPage(0, from, needed);
    const exact = Math.ceil(needed / SMALLEST_ALLOCATION) * SMALLEST_ALLOCATION;
    const roomy = Math.min(Math.max(exact, had * 2), PAGE_BYTES);
    const page = this.#allocate(roomy, had) ?? this.#allocate(exact, had);
    if (page === undefined) return undefined;
    if (old !== undefined) page.set(old);
    // Beyond what was there and before what comes, and after that.
    if (had < from) page.fill(0, had, from);
    page.fill(0, Math.max(had, needed));
    this.#own?.add(0);
    this.#first = page;
    if (old !== undefined) this.#giveUp(0, old);
    return page;
  }

  /** A page of `bytes` that holds anything, charged for what it adds to the `replaced` bytes it takes over from. */
  #allocate(bytes: number, replaced = 0): Uint8Array | undefined {
    if (!this.#quota.takeBytes(bytes - replaced)) return undefined;
    return takePage(bytes);
  }
}

function ones(bits: number): number {
  let count = 0;
  for (let rest = bits; rest !== 0; rest &= rest - 1) count++;
  return count;
}
