/** Owns the order in which commits are gone through: newest first, those of the same second as they were met. */
import type { Commit } from "./commit-text.js";
import type { Repository } from "./repository.js";

/** Every commit that can be reached from these, as git's log lists them. */
export async function commitsFrom(
  repository: Repository,
  starts: readonly string[],
): Promise<Commit[]> {
  const { git, base } = repository;
  const seen = new Set<string>();
  const waiting: Commit[] = [];
  const meet = async (oid: string): Promise<void> => {
    if (seen.has(oid)) return;
    seen.add(oid);
    const commit = await git.readCommit({ ...base, oid });
    // A tag leads to a commit, which may have been met by its own name.
    if (commit.oid !== oid && seen.has(commit.oid)) return;
    seen.add(commit.oid);
    const { timestamp } = commit.commit.committer;
    let at = waiting.length;
    // Newest last, so that the next is taken from the end; the first met of a second is nearer to it.
    while (at > 0 && waiting[at - 1]!.commit.committer.timestamp >= timestamp) at--;
    waiting.splice(at, 0, commit);
  };
  for (const oid of starts) await meet(oid);
  const list: Commit[] = [];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    list.push(next);
    for (const parent of next.commit.parent) await meet(parent);
  }
  return list;
}

/** Commits that `to` has and `from` has not, newest first. */
export async function between(repository: Repository, from: string, to: string): Promise<Commit[]> {
  const known = new Set((await commitsFrom(repository, [from])).map(({ oid }) => oid));
  return (await commitsFrom(repository, [to])).filter(({ oid }) => !known.has(oid));
}

/** The same commits, each before all of its parents, whatever their clocks said. */
export function childrenFirst(list: readonly Commit[]): Commit[] {
  const children = new Map<string, number>();
  for (const { commit } of list)
    for (const parent of commit.parent) children.set(parent, (children.get(parent) ?? 0) + 1);
  const byName = new Map(list.map((each) => [each.oid, each]));
  const ready = list.filter(({ oid }) => !children.has(oid));
  const sorted: Commit[] = [];
  for (let next = ready.pop(); next !== undefined; next = ready.pop()) {
    sorted.push(next);
    for (const parent of next.commit.parent) {
      const left = children.get(parent)! - 1;
      children.set(parent, left);
      const found = byName.get(parent);
      if (left === 0 && found !== undefined) ready.push(found);
    }
  }
  return sorted;
}
