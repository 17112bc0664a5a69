/** Owns `git commit`. */
import { CommandFailure, type CommandContext } from "../../command.js";
import { parseOptions } from "../../support/options.js";
import { reportCommit } from "./commit-report.js";
import { fatal, type Repository } from "./repository.js";
import { stagedChanges, status } from "./status.js";
import { endSequence, endState, messageUnderWay, sequenceOf, stateOf } from "./under-way.js";

export async function commit(repository: Repository, context: CommandContext): Promise<number> {
  const options = parseOptions(
    context,
    "m:F:aq",
    {
      "message=": "m",
      "file=": "F",
      all: "a",
      quiet: "q",
      amend: "amend",
      "allow-empty": "empty",
      "no-verify": "x",
      "no-edit": "x",
    },
    { status: 129 },
  );
  const { git, base } = repository;
  if (options.operands.length > 0) throw fatal("commit takes no paths here: add them first");
  const rows = await repository.rows();
  if (options.has("a"))
    for (const { path: filepath, work, stage } of rows) {
      if (stage === 0 || work === stage) continue;
      if (work === 0) await git.remove({ ...base, filepath });
      else await git.add({ ...base, filepath });
    }
  const head = await repository.resolve("HEAD");
  const amend = options.has("amend");
  if (amend && head === undefined) throw fatal("You have nothing to amend.");
  const staged = stagedChanges(options.has("a") ? await repository.rows() : rows);
  const theirs = stateOf(repository, "MERGE_HEAD");
  const picked = stateOf(repository, "CHERRY_PICK_HEAD");
  const prepared = messageUnderWay(repository);
  if (theirs !== undefined && amend)
    throw fatal("You are in the middle of a merge -- cannot amend.");
  if (staged.length === 0 && !amend && theirs === undefined && !options.has("empty")) {
    await status(repository, { ...context, argv: ["status"] }, "Initial commit");
    return 1;
  }
  const author = await repository.person("AUTHOR");
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
  message = message
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n")
    .replace(/^\n+|\n+$/g, "")
    .replace(/\n{3,}/g, "\n\n");
  if (message === "") throw new CommandFailure("Aborting commit due to empty commit message.");
  const oid = await git.commit({
    ...base,
    message: `${message}\n`,
    author: old?.author ?? author,
    committer,
    amend,
    ...(theirs !== undefined && { parent: [head!, theirs] }),
  });
  endState(repository);
  if (sequenceOf(repository)?.left.length === 0 && picked !== undefined) endSequence(repository);
  if (!options.has("q")) await reportCommit(repository, context, oid, { dated: old !== undefined });
  return 0;
}
