/**
 * Owns what makes commits out of others: cherry-pick, revert, rebase. Each is a three-way merge of what a commit changed
 * into HEAD; where it conflicts, the rest waits for --continue, --skip or --abort.
 */
import { CommandFailure, type CommandContext } from "../../command.js";
import { parseOptions, type Options } from "../../support/options.js";
import { resetHard } from "./restore.js";
import { reportCommit } from "./commit-report.js";
import { changesOf } from "./diff.js";
import { between } from "./commit-walk.js";
import { patchOf } from "./patch-text.js";
import { short, type Commit as CommitRecord } from "./commit-text.js";
import { fatal } from "./failures.js";
import { isChanged, type Repository } from "./repository.js";
import { mergeTrees, type MergedTree } from "./three-way.js";
import { filesOf, place, stage, tracked, writeTreeOf, type Files } from "./trees.js";
import {
  endSequence,
  endState,
  messageUnderWay,
  sequenceOf,
  setSequence,
  setState,
  stateOf,
  writeMessage,
  type Sequence,
} from "./under-way.js";

type Commit = CommitRecord["commit"];

const subjectOf = ({ message }: Commit): string => message.split("\n", 1)[0]!;

async function isClean(repository: Repository): Promise<boolean> {
  return !(await repository.rows()).some(isChanged);
}

/**
 * Puts what a merge came to into the index and the work tree; a file with conflicts only into the latter, and one that
 * a side has deleted stays out of the index until somebody says what becomes of it.
 */
export async function settle(
  repository: Repository,
  before: Files,
  merged: MergedTree,
): Promise<void> {
  const conflicts = new Set(merged.conflicts);
  for (const path of new Set([...before.keys(), ...merged.files.keys()])) {
    const [old, now] = [before.get(path), merged.files.get(path)];
    if (conflicts.has(path) && merged.deleted.has(path) && old !== undefined)
      await stage(repository, path, undefined);
    if (old?.oid === now?.oid && old?.mode === now?.mode) continue;
    await place(repository, path, now);
    if (!conflicts.has(path)) await stage(repository, path, now);
  }
}

interface Picked {
  merged: MergedTree;
  commit: Commit;
  message: string;
}

/** Merges what a commit did, or undid, into HEAD's files. */
async function merge(
  repository: Repository,
  oid: string,
  command: Sequence["command"],
  options: Options | undefined,
): Promise<Picked> {
  const { commit } = await repository.git.readCommit({ ...repository.base, oid });
  if (commit.parent.length > 1) throw fatal(`commit ${oid} is a merge but no -m option was given.`);
  const head = await filesOf(repository, await repository.need("HEAD"));
  const [before, after] = [
    await filesOf(repository, commit.parent[0]),
    await filesOf(repository, oid),
  ];
  const undo = command === "revert";
  const label = `${short(oid)} (${subjectOf(commit)})`;
  const merged = await mergeTrees(repository, undo ? after : before, head, undo ? before : after, {
    ours: "HEAD",
    theirs: undo ? `parent of ${label}` : label,
  });
  await settle(repository, head, merged);
  let { message } = commit;
  if (undo) message = `Revert "${subjectOf(commit)}"\n\nThis reverts commit ${oid}.\n`;
  else if (options?.has("x"))
    message = `${message.trimEnd()}\n\n(cherry picked from commit ${oid})\n`;
  return { merged, commit, message };
}

/** The commit that a pick makes: somebody's message and name, and HEAD's tree as it is now. */
async function record(
  repository: Repository,
  message: string,
  author: Commit["author"],
): Promise<string> {
  const tree = await writeTreeOf(repository, await tracked(repository, "index"));
  return repository.git.commit({
    ...repository.base,
    message,
    tree,
    author,
    committer: await repository.person("COMMITTER"),
  });
}

async function treeOf(repository: Repository, name: string): Promise<string> {
  const oid = await repository.need(name);
  return (await repository.git.readCommit({ ...repository.base, oid })).commit.tree;
}

/** Does the rest of a sequence; 1 where it stops at a conflict. */
async function run(
  repository: Repository,
  context: CommandContext,
  sequence: Sequence,
  options?: Options,
): Promise<number> {
  const { command, left } = sequence;
  while (left.length > 0) {
    const oid = left.shift()!;
    const { merged, commit, message } = await merge(repository, oid, command, options);
    if (command !== "rebase" || merged.conflicts.length > 0)
      context.writeBytes(merged.said.join(""));
    if (merged.conflicts.length > 0) {
      setState(repository, command === "revert" ? "REVERT_HEAD" : "CHERRY_PICK_HEAD", `${oid}\n`);
      writeMessage(repository, message, merged.conflicts);
      setSequence(repository, sequence);
      context.flush();
      context.writeError(
        `error: could not ${command === "revert" ? "revert" : "apply"} ${short(oid)}... ${subjectOf(commit)}\n` +
          `hint: after resolving the conflicts, mark the corrected paths\nhint: with 'git add <paths>', and run\nhint: 'git ${command} --continue'.\n` +
          `hint: 'git ${command} --skip' leaves this commit out, 'git ${command} --abort' takes all back.\n`,
      );
      return 1;
    }
    if (options?.has("n")) continue;
    const tree = await writeTreeOf(repository, merged.files);
    if (tree === (await treeOf(repository, "HEAD")) && command !== "rebase") {
      context.writeError(
        `The previous ${command} is now empty, possibly due to conflict resolution.\n`,
      );
      return 1;
    }
    if (tree === (await treeOf(repository, "HEAD"))) continue;
    const author = command === "revert" ? await repository.person("AUTHOR") : commit.author;
    const made = await record(repository, message, author);
    if (command !== "rebase") await reportCommit(repository, context, made, { dated: true });
  }
  return finish(repository, context, sequence);
}

async function finish(
  repository: Repository,
  context: CommandContext,
  { command, branch }: Sequence,
): Promise<number> {
  endSequence(repository);
  if (command !== "rebase" || branch === undefined) return 0;
  const { git, base } = repository;
  const value = await repository.need("HEAD");
  await git.writeRef({ ...base, ref: `refs/heads/${branch}`, value, force: true });
  const head = `refs/heads/${branch}`;
  await git.writeRef({ ...base, ref: "HEAD", value: head, symbolic: true, force: true });
  context.writeError(`Successfully rebased and updated ${head}.\n`);
  return 0;
}

/** --continue, --skip and --abort of what stopped at a conflict. */
async function goOn(
  repository: Repository,
  context: CommandContext,
  command: Sequence["command"],
  options: Options,
): Promise<number> {
  const sequence = sequenceOf(repository);
  if (sequence?.command !== command) {
    const what = command === "rebase" ? "No rebase in progress?" : `no ${command} in progress`;
    throw command === "rebase"
      ? fatal(what)
      : new CommandFailure(`error: ${what}\nfatal: ${command} failed`, 128);
  }
  if (options.has("abort")) {
    endState(repository);
    await resetHard(repository, sequence.from);
    endSequence(repository);
    if (sequence.branch !== undefined) {
      const value = `refs/heads/${sequence.branch}`;
      await repository.git.writeRef({
        ...repository.base,
        ref: "HEAD",
        value,
        symbolic: true,
        force: true,
      });
    }
    return 0;
  }
  const picked = stateOf(repository, command === "revert" ? "REVERT_HEAD" : "CHERRY_PICK_HEAD");
  const message = messageUnderWay(repository);
  endState(repository);
  if (options.has("skip")) await resetHard(repository, await repository.need("HEAD"));
  else if (picked !== undefined && message !== undefined) {
    const rows = await repository.rows();
    if (rows.some(({ work, stage: staged }) => staged !== 0 && work !== staged)) {
      setState(
        repository,
        command === "revert" ? "REVERT_HEAD" : "CHERRY_PICK_HEAD",
        `${picked}\n`,
      );
      setState(repository, "MERGE_MSG", message);
      throw new CommandFailure(
        `error: Committing is not possible because you have unmerged files.\nhint: Fix them up in the work tree, and then use 'git add/rm <file>'\nhint: as appropriate to mark resolution and make a commit.`,
        command === "rebase" ? 1 : 128,
      );
    }
    const { commit } = await repository.git.readCommit({ ...repository.base, oid: picked });
    const author = command === "revert" ? await repository.person("AUTHOR") : commit.author;
    const made = await record(repository, `${message.trim()}\n`, author);
    await reportCommit(repository, context, made, { dated: true });
  }
  return run(repository, context, sequence);
}

const control = { continue: "continue", abort: "abort", skip: "skip" };

function isControl(options: Options): boolean {
  return options.has("continue", "abort", "skip");
}

/** Names of commits, `a..b` for those of b that a has not, oldest first. */
async function commitsOf(repository: Repository, words: readonly string[]): Promise<string[]> {
  const list: string[] = [];
  for (const word of words) {
    const range = /^(.*?)\.\.(.*)$/.exec(word);
    if (range === null) list.push(await repository.need(word));
    else {
      const [from, to] = [await repository.need(range[1]!), await repository.need(range[2]!)];
      const found = await between(repository, from, to);
      list.push(...found.map(({ oid }) => oid).reverse());
    }
  }
  return list;
}

async function pickLike(
  repository: Repository,
  context: CommandContext,
  command: "cherry-pick" | "revert",
): Promise<number> {
  const options = parseOptions(
    context,
    "nxe",
    { "no-commit": "n", "no-edit": "noedit", edit: "e", ...control },
    { status: 129 },
  );
  if (isControl(options)) return goOn(repository, context, command, options);
  if (options.has("e")) throw fatal("no editor here");
  if (options.operands.length === 0) {
    context.writeError(`usage: git ${command} [--no-commit] [-x] <commit>...\n`);
    return 129;
  }
  const left = await commitsOf(repository, options.operands);
  if (!(await isClean(repository)) && !options.has("n"))
    throw new CommandFailure(
      `error: your local changes would be overwritten by ${command}.\nhint: commit your changes or stash them to proceed.\nfatal: ${command} failed`,
      128,
    );
  return run(repository, context, { command, from: await repository.need("HEAD"), left }, options);
}

export function cherryPick(repository: Repository, context: CommandContext): Promise<number> {
  return pickLike(repository, context, "cherry-pick");
}

export function revert(repository: Repository, context: CommandContext): Promise<number> {
  return pickLike(repository, context, "revert");
}

export async function rebase(repository: Repository, context: CommandContext): Promise<number> {
  const options = parseOptions(
    context,
    "iq",
    { "onto=": "onto", interactive: "i", quiet: "q", ...control },
    { status: 129 },
  );
  if (isControl(options)) return goOn(repository, context, "rebase", options);
  if (options.has("i")) throw fatal("no editor here: rebase without -i");
  const [upstream, extra] = options.operands;
  if (upstream === undefined || extra !== undefined) throw fatal("rebase takes one upstream here");
  if (!(await isClean(repository)))
    throw new CommandFailure(
      "error: cannot rebase: You have unstaged changes.\nerror: Please commit or stash them.",
    );
  const branch = await repository.branch();
  const head = await repository.need("HEAD");
  const left = await unmerged(repository, context, upstream);
  const onto = await repository.need(options.get("onto") ?? upstream);
  const { git, base } = repository;
  if (left.length > 0 && (await isBelow(repository, onto, left[0]!))) {
    context.write(`Current branch ${branch ?? "HEAD"} is up to date.\n`);
    return 0;
  }
  await git.writeRef({ ...base, ref: "HEAD", value: head, force: true });
  await resetHard(repository, onto);
  const sequence: Sequence = { command: "rebase", from: head, left };
  if (branch !== undefined) sequence.branch = branch;
  return run(repository, context, sequence);
}

/** What a commit changed, without where and between which objects: the same for a commit and its copy. */
async function patchId(repository: Repository, oid: string): Promise<string> {
  const texts = await Promise.all((await changesOf(repository, oid)).map(patchOf));
  return texts.join("").replace(/^(index .*|@@ .* @@.*)$/gm, "@@");
}

/** Commits of HEAD that upstream has not, nor a copy of them, oldest first; merges left out. */
async function unmerged(
  repository: Repository,
  context: CommandContext,
  upstream: string,
): Promise<string[]> {
  const head = await repository.need("HEAD");
  const theirs = await repository.need(upstream);
  const known = new Set<string>();
  for (const { oid, commit } of await between(repository, head, theirs))
    if (commit.parent.length < 2) known.add(await patchId(repository, oid));
  const list: string[] = [];
  for (const { oid, commit } of await between(repository, theirs, head)) {
    if (commit.parent.length > 1) continue;
    if (known.has(await patchId(repository, oid)))
      context.writeError(`warning: skipped previously applied commit ${short(oid)}\n`);
    else list.unshift(oid);
  }
  return list;
}

/** Whether the first commit stands on `onto` already. */
async function isBelow(repository: Repository, onto: string, first: string): Promise<boolean> {
  const { commit } = await repository.git.readCommit({ ...repository.base, oid: first });
  return commit.parent[0] === onto;
}
