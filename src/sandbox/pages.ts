/**
 * Owns how the zygote's memory lies in pages: what a fork copies, and what every
 * guest would otherwise fault in or copy one page at a time.
 *
 * Invariants: nothing here changes a byte that the engine reads; each saving is
 * left out, with its reason, where this Linux refuses it. All of it runs in the
 * zygote, except `PageList.populate`, which is the first thing a child does.
 * Untrusted: nothing. What is measured is a rehearsed life, never a guest's.
 */
import { addressOf, close, errnoView, getrlimit, memoryAt, openReadOnly } from "./libc.js";
import { bind, openLibrary } from "./native.js";
import { RLIMIT_AS } from "./rlimits.js";

const library = openLibrary();
const nMmap = bind<[bigint, bigint, number, number, number, bigint], bigint>(
  library,
  "mmap",
  ["u64", "u64", "i32", "i32", "i32", "i64"],
  "i64",
);
const nMunmap = bind<[bigint, bigint], number>(library, "munmap", ["u64", "u64"], "i32");
const nMprotect = bind<[bigint, bigint, number], number>(
  library,
  "mprotect",
  ["u64", "u64", "i32"],
  "i32",
);
const nMremap = bind<[bigint, bigint, bigint, number, bigint], bigint>(
  library,
  "mremap",
  ["u64", "u64", "u64", "i32", "u64"],
  "i64",
);
const nMadvise = bind<[bigint, bigint, number], number>(
  library,
  "madvise",
  ["u64", "u64", "i32"],
  "i32",
);
const nMemcpy = bind<[bigint, bigint, bigint], bigint>(
  library,
  "memcpy",
  ["u64", "u64", "u64"],
  "u64",
);
const nPread = bind<[number, Uint8Array, bigint, bigint], bigint>(
  library,
  "pread64",
  ["i32", "buffer", "u64", "i64"],
  "i64",
);

/** include/uapi/asm-generic/mman-common.h, include/uapi/linux/mman.h */
const PROT_NONE = 0;
const PROT_READ = 1;
const PROT_READ_WRITE = 3;
const PROT_READ_EXEC = 5;
const MAP_PRIVATE_ANONYMOUS = 0x22;
const MAP_NORESERVE = 0x4000;
const MAP_FIXED_NOREPLACE = 0x10_0000;
const MREMAP_MAYMOVE_FIXED = 3;
const MADV_DONTNEED = 4;
const MADV_HUGEPAGE = 14;
const MADV_POPULATE_WRITE = 23;

const pageBytes = 4096n;
const hugeBytes = 2n * 1024n * 1024n;

/** A line of /proc/self/maps. */
interface Mapping {
  readonly from: bigint;
  readonly to: bigint;
  readonly access: string;
  readonly name: string;
}

const EINVAL = 22;

/** The whole of a file of /proc that is open, or "". */
function readAll(fd: number): string {
  const parts: string[] = [];
  const buffer = Buffer.alloc(64 * 1024);
  for (let at = 0; ;) {
    const got = Number(nPread(fd, buffer, BigInt(buffer.length), BigInt(at)));
    if (got <= 0) return parts.join("");
    parts.push(buffer.toString("latin1", 0, got));
    at += got;
  }
}

/**
 * This process's memory as /proc shows it. Its files are opened once, while that is still
 * allowed, and are among what a child closes first.
 */
export class AddressSpace {
  readonly #maps: number;
  readonly #smaps: number;
  readonly pageMap: PageMap;

  private constructor(maps: number, smaps: number, pageMap: number) {
    this.#maps = maps;
    this.#smaps = smaps;
    this.pageMap = new PageMap(pageMap);
  }

  /** Undefined where /proc cannot be read. */
  static open(): AddressSpace | undefined {
    const fds = ["maps", "smaps", "pagemap"].map((name) => openReadOnly(`/proc/self/${name}`));
    if (fds.every((fd) => fd >= 0)) return new AddressSpace(fds[0]!, fds[1]!, fds[2]!);
    for (const fd of fds) if (fd >= 0) close(fd);
    return undefined;
  }

  /** What is mapped, from the lowest address up. */
  mappings(): Mapping[] {
    return Array.from(
      readAll(this.#maps).matchAll(/^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+ *(.*)$/gm),
      ([, from, to, access, name]) => ({
        from: BigInt(`0x${from}`),
        to: BigInt(`0x${to}`),
        access: access!,
        name: name!,
      }),
    );
  }

  /** Whether the mapping at `address` begins with a huge page. */
  isHuge(address: bigint): boolean {
    const text = readAll(this.#smaps);
    const at = text.search(new RegExp(`^0*${address.toString(16)}-`, "m"));
    return at >= 0 && /^AnonHugePages: +[1-9]/m.test(text.slice(at, at + 2048));
  }
}

// --- page tables ---------------------------------------------------------------------------------

/** V8 draws its hints below this address; OS::GetRandomMmapAddr in base/platform/platform-posix.cc. */
const hintRange = 1n << 46n;
/** Left free behind the C heap, which grows there. */
const heapRoom = 1n << 36n;
/** Nothing is mapped below; vm.mmap_min_addr is 64 KiB at most. */
const lowest = 0x1_0000n;

/**
 * Makes the addresses that V8 asks for unavailable, so that its chunks come one below the
 * other, where the kernel puts them, and share page tables instead of needing three each.
 * Nothing is ever touched there, so it costs no memory. Answers how many holes were filled;
 * under a limit of address space that is none.
 */
export function makeHeapContiguous(space: AddressSpace): number {
  // Holes that are filled count, and whatever fits would be filled.
  const limit = getrlimit(RLIMIT_AS);
  if (typeof limit === "number" || limit.soft !== Infinity) return 0;
  let filled = 0;
  let at = lowest;
  const fill = (to: bigint): void => {
    if (to - at < hugeBytes) return;
    const flags = MAP_PRIVATE_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
    const got = nMmap(at, to - at, PROT_NONE, flags, -1, 0n);
    if (got === at) filled++;
    // A kernel before 4.17 takes the address for a hint.
    else if (got !== -1n) nMunmap(got, to - at);
  };
  for (const { from, to, name } of space.mappings()) {
    if (from >= hintRange) break;
    fill(from);
    at = name === "[heap]" ? to + heapRoom : to;
  }
  if (at < hintRange) fill(hintRange);
  return filled;
}

// --- the engine's text ---------------------------------------------------------------------------

/** The mapping of the engine's text. */
function textOf(mappings: readonly Mapping[]): Mapping | undefined {
  return mappings.find(
    ({ access, name, to, from }) =>
      access === "r-xp" && name.startsWith("/") && to - from > 16n * hugeBytes,
  );
}

/** The whole huge pages of a mapping, lowest first. */
function wholeRegions({ from, to }: Mapping): bigint[] {
  const regions: bigint[] = [];
  let at = (from + hugeBytes - 1n) & -hugeBytes;
  for (; at + hugeBytes <= to; at += hugeBytes) regions.push(at);
  return regions;
}

/** The whole huge pages of the engine's text, lowest first. */
export function textRegions(space: AddressSpace): bigint[] {
  const text = textOf(space.mappings());
  return text === undefined ? [] : wholeRegions(text);
}

/** What lies behind the text in the same file: constants, exception tables, ICU's data. Nobody writes there. */
export class EngineData {
  readonly #space: AddressSpace;
  readonly #mapping: Mapping | undefined;

  /** Before any text is moved. */
  constructor(space: AddressSpace) {
    this.#space = space;
    const mappings = space.mappings();
    const text = textOf(mappings);
    const data = mappings.find(({ from, access }) => from === text?.to && access === "r--p");
    // With a page of its own, its content would be lost by `forget`.
    const shared = data?.name === text?.name && space.pageMap.filePages(data!.from, data!.to) >= 0;
    this.#mapping = shared ? data : undefined;
  }

  /** From here on `usedRegions` counts: the pages are the file's, and come back when they are read. */
  forget(): void {
    if (this.#mapping === undefined) return;
    const { from, to } = this.#mapping;
    nMadvise(from, to - from, MADV_DONTNEED);
  }

  /** Those of its whole huge pages of which more than a few small ones were read since. */
  usedRegions(): bigint[] {
    if (this.#mapping === undefined) return [];
    const { pageMap } = this.#space;
    return wholeRegions(this.#mapping).filter(
      (at) => pageMap.filePages(at, at + hugeBytes) >= fewPages,
    );
  }
}

/** A fault maps up to 16 pages around; fewer than some faults are not worth 2 MiB. */
const fewPages = 48;

/**
 * Moves 2 MiB of the engine's text or data to a huge page, which all guests share and none faults in:
 * a copy, made executable or readable alone and put where the file's was in one step. Answers whether it was
 * moved; where this Linux gives no huge page, or no executable anonymous memory, all stays.
 */
export function moveToHugePage(
  space: AddressSpace,
  region: bigint,
  kind: "text" | "data",
): boolean {
  const protection = kind === "text" ? PROT_READ_EXEC : PROT_READ;
  const copy = copyToHugePages(space, region, hugeBytes, protection);
  if (copy === undefined) return false;
  const moved = nMremap(copy, hugeBytes, hugeBytes, MREMAP_MAYMOVE_FIXED, region);
  if (moved !== region) nMunmap(copy, hugeBytes);
  return moved === region;
}

/** Where a copy of memory lies on huge pages of its own, or undefined where this Linux gives none. */
function copyToHugePages(
  space: AddressSpace,
  from: bigint,
  bytes: bigint,
  protection: number,
): bigint | undefined {
  const copyBytes = (bytes + hugeBytes - 1n) & -hugeBytes;
  const room = nMmap(0n, copyBytes + hugeBytes, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0n);
  if (room === -1n) return undefined;
  const copy = (room + hugeBytes - 1n) & -hugeBytes;
  if (copy > room) nMunmap(room, copy - room);
  if (copy < room + hugeBytes) nMunmap(copy + copyBytes, room + hugeBytes - copy);
  if (nMadvise(copy, copyBytes, MADV_HUGEPAGE) >= 0) {
    nMemcpy(copy, from, bytes);
    // Small pages would cost a fork more than the file's do.
    if (nMprotect(copy, copyBytes, protection) >= 0 && space.isHuge(copy)) return copy;
  }
  nMunmap(copy, copyBytes);
  return undefined;
}

/** The same bytes on huge pages, to be read alone; as they are where this Linux gives none. */
export function onHugePages(space: AddressSpace, bytes: Buffer): Buffer {
  const copy = copyToHugePages(space, addressOf(bytes), BigInt(bytes.length), PROT_READ);
  return copy === undefined ? bytes : memoryAt(copy, bytes.length);
}

// --- pages that every guest writes ---------------------------------------------------------------

/** Bits 32 to 63 of an entry of /proc/<pid>/pagemap; Documentation/admin-guide/mm/pagemap.rst. */
const FILE_OR_SHARED = 1 << 29;
const MAPPED_ONCE = 1 << 24;
const entryBytes = 8;
const entriesPerRead = 8192;
const mostRanges = 4096;

/** This process's page table as /proc shows it. */
class PageMap {
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

  /**
   * The private pages that only this process has. A page that a single living child shares until
   * it writes to it is here once the child has its own. `before` runs first; then, until all
   * is read, nothing is allocated: each page that this process itself writes would count.
   */
  ownPages(mapped: readonly Mapping[], before: () => boolean): PageList | undefined {
    const areas = mapped.filter(({ access }) => /^rw.p$/.test(access));
    const starts = BigUint64Array.from(areas, ({ from }) => from / pageBytes);
    const sizes = Int32Array.from(areas, ({ from, to }) => Number((to - from) / pageBytes));
    if (!before()) return undefined;
    let count = 0;
    for (let area = 0; area < sizes.length && count < mostRanges; area++) {
      for (let at = 0; at < sizes[area]!; at += entriesPerRead) {
        const entries = Math.min(entriesPerRead, sizes[area]! - at);
        const offset = (starts[area]! + BigInt(at)) * BigInt(entryBytes);
        const got = nPread(this.#fd, this.#buffer, BigInt(entries * entryBytes), offset);
        if (got !== BigInt(entries * entryBytes)) return undefined;
        count = this.#collect(area, at, entries, count);
      }
    }
    const ranges = new BigUint64Array(2 * count);
    let pages = 0;
    for (let i = 0; i < count; i++) {
      const first = starts[this.#found[3 * i]!]! + BigInt(this.#found[3 * i + 1]!);
      const size = this.#found[3 * i + 2]!;
      ranges[2 * i] = first * pageBytes;
      ranges[2 * i + 1] = BigInt(size) * pageBytes;
      pages += size;
    }
    return new PageList(ranges, pages);
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

  constructor(ranges: BigUint64Array, pages: number) {
    this.#ranges = ranges;
    this.pages = pages;
  }

  /** In the child. A range that is gone by then is no harm: what it lacks is copied when it is written. */
  populate(): void {
    const ranges = this.#ranges;
    for (let i = 0; i < ranges.length; i += 2) {
      // EINVAL: a Linux before 5.14.
      if (nMadvise(ranges[i]!, ranges[i + 1]!, MADV_POPULATE_WRITE) < 0 && errnoView[0] === EINVAL)
        return;
    }
  }
}
