/** Owns `git merge`. */
import { CommandFailure, type CommandContext } from "../../command.js";
import { errorCode } from "../../support/errors.js";
import { parseOptions } from "../../support/options.js";
import { changesBetween } from "./diff.js";
import { stat, summary } from "./diffstat.js";
import { short } from "./commit-text.js";
import { counted } from "./patch-text.js";
import { fatal } from "./failures.js";
import { isChanged, type Repository } from "./repository.js";
import { reset } from "./restore.js";
import { filesOf } from "./trees.js";
import { setState, stateOf, writeMessage } from "./under-way.js";

export async function merge(repository: Repository, context: CommandContext): Promise<number> {
  const options = parseOptions(
    context,
    "m:q",
    { "no-ff": "noff", "ff-only": "ffonly", "no-edit": "x", abort: "abort", quiet: "q" },
    { status: 129 },
  );
  const { git, base } = repository;
  const merging = stateOf(repository, "MERGE_HEAD");
  if (options.has("abort")) {
    if (merging === undefined) throw fatal("There is no merge to abort (MERGE_HEAD missing).");
    return reset(repository, { ...context, argv: ["reset", "-q", "--hard", "HEAD"] });
  }
  if (merging !== undefined)
    throw fatal(
      "You have not concluded your merge (MERGE_HEAD exists).\nPlease, commit your changes before you merge.",
    );
  const head = await repository.need("HEAD");
  const news: string[] = [];
  for (const word of options.operands) {
    const ancestor = await repository.need(`${word}^{commit}`);
    const isOld = ancestor === head || (await git.isDescendent({ ...base, oid: head, ancestor }));
    if (!isOld) news.push(word);
  }
  if (news.length === 0 && options.operands.length > 0) {
    context.write("Already up to date.\n");
    return 0;
  }
  const [name, extra] = news;
  if (name === undefined || extra !== undefined) throw fatal("merge takes one branch here");
  const theirs = await repository.need(name);
  const ours = await repository.branch();
  if ((await repository.rows()).some(isChanged))
    throw new CommandFailure(
      "error: Your local changes would be overwritten by merge.\nPlease commit your changes or stash them before you merge.",
    );
  const message =
    options.get("m") ??
    `Merge branch '${name}'${ours === "main" || ours === "master" || ours === undefined ? "" : ` into ${ours}`}`;
  let result;
  try {
    result = await git.merge({
      ...base,
      ours: ours ?? head,
      theirs: name,
      fastForward: !options.has("noff"),
      fastForwardOnly: options.has("ffonly"),
      abortOnConflict: false,
      message: `${message}\n`,
      author: await repository.person("AUTHOR"),
      committer: await repository.person("COMMITTER"),
    });
  } catch (error) {
    if (errorCode(error) === "FastForwardError")
      throw fatal("Not possible to fast-forward, aborting.");
    if (errorCode(error) !== "MergeConflictError") throw error;
    const { data } = error as { data?: { filepaths?: string[] } };
    const paths = data?.filepaths ?? [];
    setState(repository, "MERGE_HEAD", `${theirs}\n`);
    writeMessage(repository, message, paths);
    for (const path of paths)
      context.write(`Auto-merging ${path}\nCONFLICT (content): Merge conflict in ${path}\n`);
    context.write("Automatic merge failed; fix conflicts and then commit the result.\n");
    return 1;
  }
  if (result.alreadyMerged) {
    context.write("Already up to date.\n");
    return 0;
  }
  await git.checkout({ ...base, ref: ours ?? result.oid!, force: true });
  context.write(
    result.fastForward
      ? `Updating ${short(head)}..${short(result.oid!)}\nFast-forward\n`
      : "Merge made by the 'ort' strategy.\n",
  );
  const [before, after] = [await filesOf(repository, head), await filesOf(repository, result.oid)];
  const list = await Promise.all(changesBetween(before, after).map(counted));
  context.writeBytes(stat(list) + summary(list));
  return 0;
}
