/** Owns `git commit`. */
import { CommandFailure, type CommandContext } from "../../command.js";
import { parseOptions, type Options } from "../../support/options.js";
import { reportCommit } from "./commit-report.js";
import { conflictsOf, unresolved } from "./conflicts.js";
import { needHook, runHook } from "./hooks.js";
import { pathspec } from "./pathspec.js";
import { fatal } from "./failures.js";
import { dateOf, type Repository } from "./repository.js";
import { stagedChanges, status } from "./status.js";
import { filesOf, tracked, writeTreeOf } from "./trees.js";
import { endSequence, endState, messageUnderWay, sequenceOf, stateOf } from "./under-way.js";

/** Without blanks at the ends of lines, and without empty lines at either end or two in a row. */
const cleaned = (message: string): string =>
  message
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n")
    .replace(/^\n+|\n+$/g, "")
    .replace(/\n{3,}/g, "\n\n");

/** What hooks make of a message, in the file that they are given. */
async function throughHooks(
  repository: Repository,
  message: string,
  options: Options,
): Promise<string> {
  const { fs } = repository.context;
  const file = `${repository.dir}/.git/COMMIT_EDITMSG`;
  fs.writeFileSync(file, message);
  await needHook(repository, "prepare-commit-msg", [".git/COMMIT_EDITMSG", "message"]);
  if (!options.has("n")) await needHook(repository, "commit-msg", [".git/COMMIT_EDITMSG"]);
  return fs.readFileSync(file, "utf8");
}

type Author = Awaited<ReturnType<Repository["person"]>>;

function authorOf(person: Author, options: Options): Author {
  const [given, date] = [options.get("author"), options.get("date")];
  const parts = given === undefined ? undefined : /^(.*?)\s*<(.*)>$/.exec(given);
  if (parts === null)
    throw fatal(`--author '${given}' is not 'Name <email>' and matches no existing author`);
  return {
    ...person,
    ...(parts !== undefined && { name: parts[1]!, email: parts[2]! }),
    ...(date !== undefined && dateOf(date)),
  };
}

/** The index takes the work tree's content of the paths that a commit names. */
async function stageNamed(repository: Repository, words: readonly string[]): Promise<void> {
  const { git, base } = repository;
  for (const word of words) {
    const has = pathspec(repository, [word]);
    const rows = (await repository.rows()).filter(({ path, stage }) => stage !== 0 && has(path));
    if (rows.length === 0)
      throw new CommandFailure(`error: pathspec '${word}' did not match any file(s) known to git`);
    for (const { path: filepath, work, stage } of rows)
      if (work === 0) await git.remove({ ...base, filepath });
      else if (work !== stage) await git.add({ ...base, filepath, force: true });
  }
}

/** HEAD's tree with the index's version of some paths. */
async function treeOfNamed(
  repository: Repository,
  head: string | undefined,
  named: (path: string) => boolean,
): Promise<string> {
  const files = await filesOf(repository, head);
  for (const path of files.keys()) if (named(path)) files.delete(path);
  for (const [path, version] of await tracked(repository, "index"))
    if (named(path)) files.set(path, version);
  return writeTreeOf(repository, files);
}

const commitOptions = {
  "message=": "m",
  "file=": "F",
  all: "a",
  quiet: "q",
  amend: "amend",
  "allow-empty": "empty",
  "no-verify": "n",
  "no-edit": "x",
  "allow-empty-message": "x",
  "author=": "author",
  "date=": "date",
  signoff: "s",
  "no-gpg-sign": "x",
  "no-post-rewrite": "x",
  only: "o",
  include: "i",
  "cleanup=": "x",
};

export async function commit(repository: Repository, context: CommandContext): Promise<number> {
  const options = parseOptions(context, "m:F:aqnsio", commitOptions, { status: 129 });
  const { git, base } = repository;
  const only = options.operands.length > 0 && !options.has("i");
  if (options.operands.length > 0) await stageNamed(repository, options.operands);
  if (!options.has("n")) await needHook(repository, "pre-commit");
  const rows = await repository.rows();
  if (options.has("a"))
    for (const { path: filepath, work, stage } of rows) {
      if (stage === 0 || work === stage) continue;
      if (work === 0) await git.remove({ ...base, filepath });
      else await git.add({ ...base, filepath });
    }
  const open = await conflictsOf(repository, options.has("a") ? await repository.rows() : rows);
  if (open.size > 0) {
    const { message, hint } = unresolved("Committing");
    context.writeErrorFirst(`${message}\n${hint}`);
    context.write([...open.keys()].map((path) => `U\t${path}\n`).join(""));
    return 128;
  }
  const head = await repository.resolve("HEAD");
  const amend = options.has("amend");
  if (amend && head === undefined) throw fatal("You have nothing to amend.");
  const named = only ? pathspec(repository, options.operands) : () => true;
  const staged = stagedChanges(options.has("a") ? await repository.rows() : rows).filter(
    ({ path }) => named(path),
  );
  const theirs = stateOf(repository, "MERGE_HEAD");
  const picked = stateOf(repository, "CHERRY_PICK_HEAD");
  const prepared = messageUnderWay(repository);
  if (theirs !== undefined && amend)
    throw fatal("You are in the middle of a merge -- cannot amend.");
  if (staged.length === 0 && !amend && theirs === undefined && !options.has("empty")) {
    await status(repository, { ...context, argv: ["status"] }, "Initial commit");
    return 1;
  }
  const author = authorOf(await repository.person("AUTHOR"), options);
  const committer = await repository.person("COMMITTER");
  let message = options.all("m").join("\n\n");
  const file = options.get("F");
  if (file !== undefined) message = context.fs.readFileSync(file === "-" ? 0 : file, "utf8");
  const source = amend ? head : picked;
  const old =
    source === undefined ? undefined : (await git.readCommit({ ...base, oid: source })).commit;
  if (!options.has("m", "F") && prepared !== undefined) message = prepared;
  else if (!options.has("m", "F")) {
    if (old === undefined) throw fatal("no editor here: give the message with -m or -F");
    message = old.message;
  }
  if (options.has("s")) {
    const trailer = `Signed-off-by: ${committer.name} <${committer.email}>`;
    if (!message.includes(trailer)) message = `${message.trimEnd()}\n\n${trailer}`;
  }
  message = cleaned(await throughHooks(repository, `${cleaned(message)}\n`, options));
  if (message === "") throw new CommandFailure("Aborting commit due to empty commit message.");
  const oid = await git.commit({
    ...base,
    message: `${message}\n`,
    author: options.has("author", "date") ? author : (old?.author ?? author),
    ...(only && { tree: await treeOfNamed(repository, head, named) }),
    committer,
    amend,
    ...(theirs !== undefined && { parent: [head!, theirs] }),
  });
  endState(repository);
  if (sequenceOf(repository)?.left.length === 0 && picked !== undefined) endSequence(repository);
  await runHook(repository, "post-commit");
  if (!options.has("q")) await reportCommit(repository, context, oid, { dated: old !== undefined });
  return 0;
}
