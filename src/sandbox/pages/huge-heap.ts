/**
 * Owns the saving by huge pages of what a zygote writes itself: V8's heap, which is moved to one place for that, and the C
 * heap. A fork copies the table of a small page entry by entry, and each takes what Linux keeps of that page. Of a huge one
 * it copies one entry; where writes have parted it since, its pages are still neighbours, which Linux copies, and lets go, together.
 *
 * Invariant: no byte changes, and V8 frees what it was given wherever it lies. Untrusted: nothing; it runs in the zygote.
 */
import type { AddressSpace } from "./address-space.js";
import { hugeBytes, MADV_COLLAPSE, nMadvise, nMunmap, pageBytes } from "./calls.js";
import { fillHole, hintRange, mayFillHoles } from "./contiguous-heap.js";
import { wholeRegions } from "./huge-pages.js";

/** Holes between mappings are smaller; what is larger is where Linux puts what comes next. */
const largestHole = 1n << 30n;
/** Fewer small pages are not worth a huge one, whose rest would be memory that nobody uses. */
const worthwhilePages = Number(hugeBytes / pageBytes) / 2;

/**
 * Has `move` find no hole between what is mapped, so that what it maps comes below all of that, one beside the other.
 * Under a limit of address space it finds them.
 */
export function withoutHoles(space: AddressSpace, move: () => void): void {
  const filled: [at: bigint, bytes: bigint][] = [];
  const fill = (from: bigint, to: bigint): void => {
    if (to > from && to - from <= largestHole && fillHole(from, to)) filled.push([from, to - from]);
  };
  if (mayFillHoles()) {
    let end: bigint | undefined;
    for (const { from, to } of space.mappings()) {
      if (from < hintRange) continue;
      // Below the lowest, what comes next begins with a whole huge page.
      fill(end ?? from & -hugeBytes, from);
      end = to;
    }
  }
  move();
  for (const [at, bytes] of filled) nMunmap(at, bytes);
}

/** Puts what the heaps have on huge pages, where most of one is in use; answers how many Linux made. */
export function collapseHeaps(space: AddressSpace): number {
  let made = 0;
  for (const mapping of space.mappings()) {
    const { access, name } = mapping;
    if (access !== "rw-p" || (name !== "" && name !== "[heap]")) continue;
    for (const at of wholeRegions(mapping))
      if (
        space.pageMap.presentPages(at, at + hugeBytes) >= worthwhilePages &&
        nMadvise(at, hugeBytes, MADV_COLLAPSE) === 0
      )
        made++;
  }
  return made;
}
