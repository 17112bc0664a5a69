/**
 * Owns the saving of faults on files: what is mapped of the engine and its libraries, and not on huge pages. A fork copies no table
 * of a private mapping of a file in which no page was written, as a fault fills it again, for 16 pages at a time; where a fault
 * costs more than copying a few hundred entries, that is the wrong way round. One page of the mapping's own has its tables copied (vma_needs_copy in
 * Linux's mm/memory.c).
 *
 * Invariant: no byte changes, and what can be written or executed is what could be before.
 */
import type { AddressSpace, Mapping } from "./address-space.js";
import { nMemcpy, nMprotect, PROT_READ_EXEC, PROT_READ_WRITE } from "./calls.js";

/** Fewer pages are a fault or two. */
const worthwhilePages = 16;

/** Has forks copy the tables of files' mappings; answers of how many mappings. */
export function inheritTables(space: AddressSpace): number {
  return space.mappings().filter((mapping) => isUsed(space, mapping) && writeOnePage(mapping))
    .length;
}

/** Whether it is a file's text, and enough of it has been read. */
function isUsed(space: AddressSpace, { access, name, from, to }: Mapping): boolean {
  return (
    access === "r-xp" &&
    name.startsWith("/") &&
    space.pageMap.filePages(from, to) >= worthwhilePages
  );
}

/** Writes the first byte as it is. A security module may refuse it: then all stays. */
function writeOnePage({ from, to }: Mapping): boolean {
  if (nMprotect(from, to - from, PROT_READ_WRITE | PROT_READ_EXEC) < 0) return false;
  nMemcpy(from, from, 1n);
  return nMprotect(from, to - from, PROT_READ_EXEC) >= 0;
}
