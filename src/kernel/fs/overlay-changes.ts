/**
 * Owns what was changed in an overlay: its tree compared with the directory of the host below it.
 *
 * Invariant: only what was changed, or lies in a directory that was moved or made, is looked at.
 * Untrusted: names, which programs chose.
 */
import type { Steps } from "../io/steps.js";
import { HostDirectory } from "./host-inodes.js";
import { type Inode } from "./inode.js";
import { SymbolicLink } from "./special-files.js";
import { type Overlay, OverlayDirectory } from "./overlay.js";

export interface OverlayChange {
  path: string;
  change: "added" | "changed" | "removed";
  /** DT_* of what is there, or was. */
  type: number;
}

interface Pair {
  directory: OverlayDirectory;
  /** What the host has under the same path. */
  below: HostDirectory | undefined;
  path: string;
}

/** All changes below `top`, the path of the mount; a removed or added directory and, added, all in it. */
export function* changesOf(overlay: Overlay, top: string): Steps<OverlayChange[]> {
  const changes: OverlayChange[] = [];
  const todo: Pair[] = [{ directory: overlay.root, below: overlay.root.lower, path: top }];
  for (let pair = todo.pop(); pair !== undefined; pair = todo.pop()) {
    const { directory, below } = pair;
    const told = (name: string, change: OverlayChange["change"], inode: Inode): void => {
      changes.push({ path: `${pair!.path}/${name}`, change, type: inode.type });
    };
    for (const name of comparedNames(pair)) {
      yield undefined;
      const now = directory.lookup(name);
      const looked = below?.lookup(name);
      const before = typeof looked === "number" ? undefined : looked;
      const other = now?.type !== before?.type;
      if (before !== undefined && other) told(name, "removed", before);
      if (now === undefined) continue;
      if (other) told(name, "added", now);
      else if (before !== undefined && isChanged(now, before)) told(name, "changed", now);
      if (!(now instanceof OverlayDirectory)) continue;
      const beside = before instanceof HostDirectory ? before : undefined;
      todo.push({ directory: now, below: beside, path: `${pair.path}/${name}` });
    }
  }
  return changes.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}

/** The names in one of both that may differ. */
function comparedNames({ directory, below }: Pair): Set<string> {
  if (below !== undefined && directory.lowerPath === below.path) {
    const own = directory.ownEntries().map(({ name }) => name);
    return new Set([...own, ...directory.hiddenNames()]);
  }
  const before = below?.list() ?? [];
  const all = [...directory.list(), ...(typeof before === "number" ? [] : before)];
  return new Set(all.map(({ name }) => name));
}

/** A time of change that is the host's says that nothing was written here. */
function isChanged(now: Inode, before: Inode): boolean {
  if (now.mode !== before.mode || now.uid !== before.uid || now.gid !== before.gid) return true;
  if (now instanceof OverlayDirectory) return false;
  if (now instanceof SymbolicLink && before instanceof SymbolicLink)
    return now.target !== before.target;
  return (
    now.size !== before.size || now.mtimeMs !== before.mtimeMs || now.ctimeMs !== before.ctimeMs
  );
}
