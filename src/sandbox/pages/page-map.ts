/** Owns which pages this process has for itself, and the list of those that every guest writes. */
import { errnoView } from "../libc.js";
import type { Mapping } from "./address-space.js";
import {
  hugeBytes,
  MADV_POPULATE_WRITE,
  nAdviseAll,
  nMadvise,
  nPread,
  pageBytes,
  PIDFD_SELF_THREAD_GROUP,
  SYS_PROCESS_MADVISE,
  UIO_MAXIOV,
} from "./calls.js";

const EINVAL = 22;

/** Bits 32 to 63 of an entry of /proc/<pid>/pagemap; Documentation/admin-guide/mm/pagemap.rst. */
const FILE_OR_SHARED = 1 << 29;
const MAPPED_ONCE = 1 << 24;
const entryBytes = 8;
const entriesPerRead = 8192;
const mostRanges = 4096;
const pagesPerHuge = Number(hugeBytes / pageBytes);

/** This process's page table as /proc shows it. */
export class PageMap {
  readonly #fd: number;
  readonly #buffer = Buffer.alloc(entriesPerRead * entryBytes);
  /** Low and high halves in turn. */
  readonly #halves = new Int32Array(
    this.#buffer.buffer,
    this.#buffer.byteOffset,
    2 * entriesPerRead,
  );
  /** Of each range: the mapping it is in, its first page there, its pages. */
  readonly #found = new Int32Array(3 * mostRanges);

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** How many pages from one address to another are mapped, all of them a file's; -1 when one is not, or none can be told. */
  filePages(from: bigint, to: bigint): number {
    const end = to / pageBytes;
    let mapped = 0;
    for (let at = from / pageBytes; at < end; at += BigInt(entriesPerRead)) {
      const entries = Math.min(entriesPerRead, Number(end - at));
      const bytes = BigInt(entries * entryBytes);
      if (nPread(this.#fd, this.#buffer, bytes, at * BigInt(entryBytes)) !== bytes) return -1;
      for (let i = 0; i < entries; i++) {
        const high = this.#halves[2 * i + 1]!;
        if (high >= 0) continue;
        if ((high & FILE_OR_SHARED) === 0) return -1;
        mapped++;
      }
    }
    return mapped;
  }

  /** How many pages from one address to another are in memory; 0 where none can be told. At most `entriesPerRead` pages. */
  presentPages(from: bigint, to: bigint): number {
    const bytes = ((to - from) / pageBytes) * BigInt(entryBytes);
    const at = (from / pageBytes) * BigInt(entryBytes);
    if (nPread(this.#fd, this.#buffer, bytes, at) !== bytes) return 0;
    let present = 0;
    for (let i = 0; i < Number(bytes) / entryBytes; i++) {
      // The sign is the present bit.
      if (this.#halves[2 * i + 1]! < 0) present++;
    }
    return present;
  }

  /**
   * The private pages that only this process has, but no whole huge page of them: no guest writes one so densely. Those are memory that the
   * child has given back, or that Linux has moved to a huge page of the parent's own meanwhile (khugepaged;
   * Documentation/admin-guide/mm/transhuge.rst). A page that a single living child shares until
   * it writes to it is here once the child has its own. `before` runs first; then, until all
   * is read, nothing is allocated: each page that this process itself writes would count.
   */
  ownPages(mapped: readonly Mapping[], before: () => boolean): PageList | undefined {
    const areas = mapped.filter(({ access }) => /^rw.p$/.test(access));
    const starts = Float64Array.from(areas, ({ from }) => Number(from / pageBytes));
    const sizes = Int32Array.from(areas, ({ from, to }) => Number((to - from) / pageBytes));
    if (!before()) return undefined;
    let count = 0;
    for (let area = 0; area < sizes.length && count < mostRanges; area++) {
      for (let at = 0; at < sizes[area]!; at += entriesPerRead) {
        const entries = Math.min(entriesPerRead, sizes[area]! - at);
        const offset = BigInt(starts[area]! + at) * BigInt(entryBytes);
        const got = nPread(this.#fd, this.#buffer, BigInt(entries * entryBytes), offset);
        if (got !== BigInt(entries * entryBytes)) return undefined;
        count = this.#collect(area, at, entries, count);
      }
    }
    return this.#listOf(starts, count);
  }

  /** Of the first so many of what was found. With numbers, as far as they go: each BigInt is garbage that guests inherit. */
  #listOf(starts: Float64Array, count: number): PageList {
    const ranges = new BigUint64Array(4 * count);
    let used = 0;
    let pages = 0;
    let leftOut = 0;
    const put = (first: number, end: number): void => {
      if (first >= end) return;
      ranges[used++] = BigInt(first) * pageBytes;
      ranges[used++] = BigInt(end - first) * pageBytes;
      pages += end - first;
    };
    for (let i = 0; i < count; i++) {
      const first = starts[this.#found[3 * i]!]! + this.#found[3 * i + 1]!;
      const end = first + this.#found[3 * i + 2]!;
      const whole = Math.ceil(first / pagesPerHuge) * pagesPerHuge;
      const wholeEnd = Math.floor(end / pagesPerHuge) * pagesPerHuge;
      if (whole < wholeEnd) {
        put(first, whole);
        put(wholeEnd, end);
        leftOut += (wholeEnd - whole) / pagesPerHuge;
      } else put(first, end);
    }
    return new PageList(ranges.subarray(0, used), pages, leftOut);
  }

  #collect(area: number, at: number, entries: number, found: number): number {
    let count = found;
    for (let i = 0; i < entries; i++) {
      const high = this.#halves[2 * i + 1]!;
      // The sign is the present bit.
      if (high >= 0 || (high & FILE_OR_SHARED) !== 0 || (high & MAPPED_ONCE) === 0) continue;
      const last = 3 * (count - 1);
      if (
        count > 0 &&
        this.#found[last] === area &&
        this.#found[last + 1]! + this.#found[last + 2]! === at + i
      ) {
        this.#found[last + 2]! += 1;
      } else if (count < mostRanges) {
        this.#found[3 * count] = area;
        this.#found[3 * count + 1] = at + i;
        this.#found[3 * count + 2] = 1;
        count++;
      }
    }
    return count;
  }
}

/** Ranges of pages that every guest writes, to be copied in one go. */
export class PageList {
  /** Addresses and sizes in turn. */
  readonly #ranges: BigUint64Array;
  readonly pages: number;
  /** Huge pages that are not in it. */
  readonly leftOut: number;

  constructor(ranges: BigUint64Array, pages: number, leftOut: number) {
    this.#ranges = ranges;
    this.pages = pages;
    this.leftOut = leftOut;
  }

  /** One with nothing in it. */
  get empty(): PageList {
    return new PageList(this.#ranges.subarray(0, 0), 0, 0);
  }

  /** In the child. A range that is gone by then is no harm: what it lacks is copied when it is written. */
  populate(): void {
    const ranges = this.#ranges;
    for (let i = this.#populateAtOnce(); i < ranges.length; i += 2) {
      // EINVAL: a Linux before 5.14.
      if (nMadvise(ranges[i]!, ranges[i + 1]!, MADV_POPULATE_WRITE) < 0 && errnoView[0] === EINVAL)
        return;
    }
  }

  /** Answers where to go on range by range: after what one call did, which is nothing before Linux 6.15. */
  #populateAtOnce(): number {
    const ranges = this.#ranges;
    if (ranges.length === 0) return 0;
    const count = BigInt(Math.min(ranges.length / 2, UIO_MAXIOV));
    let done = nAdviseAll(
      SYS_PROCESS_MADVISE,
      PIDFD_SELF_THREAD_GROUP,
      ranges,
      count,
      MADV_POPULATE_WRITE,
      0n,
    );
    let i = 0;
    for (; done > 0n; i += 2) done -= ranges[i + 1]!;
    return i;
  }
}
