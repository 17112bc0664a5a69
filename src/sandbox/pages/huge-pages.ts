/**
 * Owns the savings by huge pages: the engine's text, what of its data guests read, and texts that many of them take.
 *
 * Invariant: no byte that the engine reads changes; what this Linux refuses stays as it was.
 */
import { addressOf, memoryAt } from "../libc.js";
import type { AddressSpace, Mapping } from "./address-space.js";
import {
  hugeBytes,
  MADV_DONTNEED,
  MADV_HUGEPAGE,
  MAP_PRIVATE_ANONYMOUS,
  MREMAP_MAYMOVE_FIXED,
  nMadvise,
  nMemcpy,
  nMmap,
  nMprotect,
  nMremap,
  nMunmap,
  PROT_READ,
  PROT_READ_EXEC,
  PROT_READ_WRITE,
} from "./calls.js";

/** The mapping of the engine's text. */
function textOf(mappings: readonly Mapping[]): Mapping | undefined {
  return mappings.find(
    ({ access, name, to, from }) =>
      access === "r-xp" && name.startsWith("/") && to - from > 16n * hugeBytes,
  );
}

/** The whole huge pages of a mapping, lowest first. */
export function wholeRegions({ from, to }: Mapping): bigint[] {
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
