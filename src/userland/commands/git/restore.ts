/** Owns `git restore` and `reset`: files, index and branch as a commit or the index has them. */
import { CommandFailure, type CommandContext } from "../../command.js";
import { parseOptions } from "../../support/options.js";
import { short } from "./commit-text.js";
import { fatal } from "./failures.js";
import type { Repository } from "./repository.js";
import { place, tracked } from "./trees.js";
import { endState } from "./under-way.js";

/** Puts files back: from the index, or from a revision. */
export async function restoreFiles(
  repository: Repository,
  words: readonly string[],
  ref: string | undefined,
): Promise<void> {
  const { git, base } = repository;
  for (const word of words) {
    const path = repository.pathOf(word);
    const rows = (await repository.rows([path])).filter(
      (row) => (ref === undefined ? row.stage : 1) !== 0,
    );
    if (rows.length === 0)
      throw new CommandFailure(`error: pathspec '${word}' did not match any file(s) known to git`);
    if (ref !== undefined) {
      await git.checkout({ ...base, ref, filepaths: [path], force: true, noUpdateHead: true });
      continue;
    }
    const staged = await tracked(repository, "index");
    for (const { path: name, work, stage } of rows) {
      const version = work === stage ? undefined : staged.get(name);
      if (version !== undefined) await place(repository, name, version);
    }
  }
}

export async function restore(repository: Repository, context: CommandContext): Promise<number> {
  const options = parseOptions(
    context,
    "SWs:",
    { staged: "S", worktree: "W", "source=": "s" },
    { status: 129 },
  );
  if (options.operands.length === 0) throw fatal("you must specify path(s) to restore");
  const source = options.has("s") ? await repository.need(options.get("s")!) : undefined;
  if (options.has("S")) await resetPaths(repository, options.operands, source ?? "HEAD");
  if (!options.has("S") || options.has("W"))
    await restoreFiles(repository, options.operands, source);
  return 0;
}

async function resetPaths(
  repository: Repository,
  words: readonly string[],
  ref: string,
): Promise<void> {
  for (const word of words)
    for (const { path: filepath } of await repository.rows([repository.pathOf(word)]))
      await repository.git.resetIndex({ ...repository.base, filepath, ref });
}

/** Moves the branch, or HEAD where it names none. */
async function moveHead(repository: Repository, oid: string): Promise<void> {
  const name = await repository.branch();
  const ref = name === undefined ? "HEAD" : `refs/heads/${name}`;
  await repository.git.writeRef({ ...repository.base, ref, value: oid, force: true });
}

/** Makes branch, index and work tree what a commit is; what is not tracked stays. */
export async function resetHard(repository: Repository, oid: string): Promise<void> {
  const { git, base, context } = repository;
  const before = (await repository.rows()).filter(({ stage }) => stage !== 0);
  await moveHead(repository, oid);
  await git.checkout({ ...base, ref: (await repository.branch()) ?? oid, force: true });
  for (const { path, head, stage } of await repository.rows())
    if (head === 0 && (stage !== 0 || before.some((row) => row.path === path))) {
      await git.remove({ ...base, filepath: path });
      context.fs.rmSync(`${repository.dir}/${path}`, { force: true });
    }
}

export async function reset(repository: Repository, context: CommandContext): Promise<number> {
  const options = parseOptions(
    context,
    "q",
    { hard: "hard", soft: "soft", mixed: "mixed", quiet: "q" },
    { status: 129 },
  );
  const { git, base } = repository;
  const [first, ...rest] = options.operands;
  const target =
    first === undefined ? await repository.resolve("HEAD") : await repository.resolve(first);
  const paths = target === undefined || first === undefined ? options.operands : rest;
  const oid = target ?? (await repository.resolve("HEAD"));
  if (paths.length > 0) {
    await resetPaths(repository, paths, oid ?? "HEAD");
    return 0;
  }
  if (oid === undefined) throw fatal("Failed to resolve 'HEAD' as a valid revision.");
  if (!options.has("hard")) await moveHead(repository, oid);
  if (options.has("soft")) return 0;
  endState(repository);
  if (options.has("hard")) {
    await resetHard(repository, oid);
    const { commit: now } = await git.readCommit({ ...base, oid });
    if (!options.has("q"))
      context.write(`HEAD is now at ${short(oid)} ${now.message.split("\n", 1)[0]!}\n`);
    return 0;
  }
  await resetPaths(repository, [repository.dir], oid);
  return 0;
}
