/**
 * Owns which files a merge, pick or revert has left with conflicts. They are the ones that its message lists, until the
 * index has what the work tree has of them, which is what `git add` makes of a file that somebody has put right.
 */
import { CommandFailure } from "../../command.js";
import type { Repository, Row } from "./repository.js";
import { conflictsUnderWay, stateOf } from "./under-way.js";
import { filesOf } from "./trees.js";

/** Both letters of `git status -s`: ours and theirs. */
export type ConflictLetters = "UU" | "AA" | "DU" | "UD";

export const conflictWords: Readonly<Record<ConflictLetters, string>> = {
  UU: "both modified:   ",
  AA: "both added:      ",
  DU: "deleted by us:   ",
  UD: "deleted by them: ",
};

export async function conflictsOf(
  repository: Repository,
  rows: readonly Row[],
): Promise<Map<string, ConflictLetters>> {
  const found = new Map<string, ConflictLetters>();
  const listed = new Set(conflictsUnderWay(repository));
  const open = rows.filter(({ path, work, stage }) => listed.has(path) && work !== stage);
  if (open.length === 0) return found;
  const merging = stateOf(repository, "MERGE_HEAD");
  const picking = stateOf(repository, "CHERRY_PICK_HEAD");
  const theirs = merging ?? picking;
  const other = theirs === undefined ? undefined : await filesOf(repository, theirs);
  const before = theirs === undefined ? undefined : await baseFiles(repository, theirs, merging);
  for (const { path, head } of open) {
    if (head === 0) found.set(path, "DU");
    else if (other !== undefined && !other.has(path)) found.set(path, "UD");
    else found.set(path, before === undefined || before.has(path) ? "UU" : "AA");
  }
  return found;
}

/** What both sides began from. */
async function baseFiles(repository: Repository, theirs: string, merging: string | undefined) {
  const { git, base } = repository;
  if (merging === undefined) {
    const [parent] = (await git.readCommit({ ...base, oid: theirs })).commit.parent;
    return filesOf(repository, parent);
  }
  const oids = [await repository.need("HEAD"), merging];
  const [shared] = (await git.findMergeBase({ ...base, oids })) as unknown[];
  return filesOf(repository, typeof shared === "string" ? shared : undefined);
}

/** What `git status` says of a merge or pick that is under way. */
export function underWayText(repository: Repository, open: boolean): string {
  if (stateOf(repository, "MERGE_HEAD") !== undefined) {
    return open
      ? 'You have unmerged paths.\n  (fix conflicts and run "git commit")\n  (use "git merge --abort" to abort the merge)\n\n'
      : 'All conflicts fixed but you are still merging.\n  (use "git commit" to conclude merge)\n\n';
  }
  const picking = stateOf(repository, "CHERRY_PICK_HEAD");
  if (picking === undefined) return "";
  const next = open ? "fix conflicts and run" : "all conflicts fixed: run";
  return (
    `You are currently cherry-picking commit ${picking.slice(0, 7)}.\n  (${next} "git cherry-pick --continue")\n` +
    '  (use "git cherry-pick --skip" to skip this patch)\n  (use "git cherry-pick --abort" to cancel the cherry-pick operation)\n\n'
  );
}

/** Nothing is committed or merged while there are such files. */
export function unresolved(what: string): CommandFailure {
  return new CommandFailure(
    `error: ${what} is not possible because you have unmerged files.`,
    128,
    "hint: Fix them up in the work tree, and then use 'git add/rm <file>'\nhint: as appropriate to mark resolution and make a commit.\nfatal: Exiting because of an unresolved conflict.\n",
  );
}
