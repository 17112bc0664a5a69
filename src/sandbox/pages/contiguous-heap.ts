/** Owns the first saving: page tables that V8's heap does not need where its chunks lie one below the other. */
import { getrlimit } from "../libc.js";
import { RLIMIT_AS } from "../rlimits.js";
import type { AddressSpace } from "./address-space.js";
import {
  hugeBytes,
  MAP_FIXED_NOREPLACE,
  MAP_NORESERVE,
  MAP_PRIVATE_ANONYMOUS,
  nMmap,
  nMunmap,
  PROT_NONE,
} from "./calls.js";

/** V8 draws its hints below this address; OS::GetRandomMmapAddr in base/platform/platform-posix.cc. */
export const hintRange = 1n << 46n;
/** Left free behind the C heap, which grows there. */
const heapRoom = 1n << 36n;
/** Nothing is mapped below; vm.mmap_min_addr is 64 KiB at most. */
const lowest = 0x1_0000n;

/** Holes that are filled count as address space: under a limit of it, what programs need later would be gone. */
export function mayFillHoles(): boolean {
  const limit = getrlimit(RLIMIT_AS);
  return typeof limit !== "number" && limit.soft === Infinity;
}

/** Has nothing else mapped there, without memory; answers whether the whole of it was free. */
export function fillHole(from: bigint, to: bigint): boolean {
  const flags = MAP_PRIVATE_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
  const got = nMmap(from, to - from, PROT_NONE, flags, -1, 0n);
  // A kernel before 4.17 takes the address for a hint.
  if (got !== from && got !== -1n) nMunmap(got, to - from);
  return got === from;
}

/**
 * Makes the addresses that V8 asks for unavailable, so that its chunks come one below the
 * other, where the kernel puts them, and share page tables instead of needing three each.
 * Nothing is ever touched there, so it costs no memory. Answers how many holes were filled;
 * under a limit of address space that is none.
 */
export function makeHeapContiguous(space: AddressSpace): number {
  if (!mayFillHoles()) return 0;
  let filled = 0;
  let at = lowest;
  const fill = (to: bigint): void => {
    if (to - at >= hugeBytes && fillHole(at, to)) filled++;
  };
  for (const { from, to, name } of space.mappings()) {
    if (from >= hintRange) break;
    fill(from);
    at = name === "[heap]" ? to + heapRoom : to;
  }
  if (at < hintRange) fill(hintRange);
  return filled;
}
