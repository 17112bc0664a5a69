/**
 * Owns the list of a directory as a call gets it: all names, in order, however many there are.
 *
 * Invariants: a step is some thousand entries; what is held meanwhile is on the machine's account and given
 * back, whether the work ends or is cancelled.
 * Untrusted: how many entries there are, and their names.
 */
import type { Steps } from "../io/steps.js";
import type { Credentials } from "./credentials.js";
import { type Directory, stepEntries } from "./inode.js";
import type { DirectoryEntry } from "./file-stat.js";
import type { SuperBlock } from "./superblock.js";

/** An entry with its name and its places in lists, twice while they are put in order: measured. */
const entryBytes = 160;

export const byName = (a: DirectoryEntry, b: DirectoryEntry): number =>
  a.name < b.name ? -1 : a.name > b.name ? 1 : 0;

export function* listingOf(
  sb: SuperBlock,
  directory: Directory,
  who: Credentials,
): Steps<DirectoryEntry[]> {
  let bytes = 0;
  const room = (count: number): boolean => {
    const more = count * entryBytes;
    if (!sb.admitBytes(who, more)) return false;
    bytes += more;
    return true;
  };
  try {
    const entries = yield* directory.listing(who, room);
    return typeof entries === "number" ? entries : yield* sorted(entries);
  } finally {
    sb.account.shrink(bytes);
  }
}

/** By name: runs of one step each are sorted by themselves, then pairs of runs put together. */
function* sorted(entries: DirectoryEntry[]): Steps<DirectoryEntry[]> {
  if (entries.length <= stepEntries) return entries.sort(byName);
  let from: DirectoryEntry[] = [];
  for (let at = 0; at < entries.length; at += stepEntries) {
    for (const entry of entries.slice(at, at + stepEntries).sort(byName)) from.push(entry);
    yield undefined;
  }
  for (let run = stepEntries; run < from.length; run *= 2) {
    const to: DirectoryEntry[] = [];
    for (let start = 0; start < from.length; start += 2 * run) {
      const middle = Math.min(start + run, from.length);
      const end = Math.min(start + 2 * run, from.length);
      let left = start;
      let right = middle;
      while (left < middle || right < end) {
        if (to.length % stepEntries === 0) yield undefined;
        const takesLeft =
          right === end || (left < middle && byName(from[left]!, from[right]!) <= 0);
        to.push(takesLeft ? from[left++]! : from[right++]!);
      }
    }
    from = to;
  }
  return from;
}
