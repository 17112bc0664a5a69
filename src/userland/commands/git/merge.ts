/** Owns `git merge`. */
import { CommandFailure, type CommandContext } from "../../command.js";
import { parseOptions, type Options } from "../../support/options.js";
import { changesBetween } from "./diff.js";
import { stat, summary } from "./diffstat.js";
import { commit } from "./commit.js";
import { conflictsOf, unresolved } from "./conflicts.js";
import { short } from "./commit-text.js";
import { counted } from "./patch-text.js";
import { fatal } from "./failures.js";
import { isChanged, type Repository } from "./repository.js";
import { reset } from "./restore.js";
import { settle } from "./pick.js";
import { mergeTrees } from "./three-way.js";
import { filesOf, writeTreeOf } from "./trees.js";
import { setState, stateOf, writeMessage } from "./under-way.js";

export async function merge(repository: Repository, context: CommandContext): Promise<number> {
  const options = parseOptions(
    context,
    "m:qX:",
    {
      "no-ff": "noff",
      "ff-only": "ffonly",
      ff: "x",
      "no-edit": "x",
      "no-verify": "x",
      "message=": "m",
      "strategy-option=": "X",
      abort: "abort",
      continue: "continue",
      quiet: "q",
    },
    { status: 129 },
  );
  const { git, base } = repository;
  const merging = stateOf(repository, "MERGE_HEAD");
  if (options.has("abort")) {
    if (merging === undefined) throw fatal("There is no merge to abort (MERGE_HEAD missing).");
    return reset(repository, { ...context, argv: ["reset", "-q", "--hard", "HEAD"] });
  }
  if (options.has("continue")) {
    if (merging === undefined) throw fatal("There is no merge in progress (MERGE_HEAD missing).");
    return commit(repository, { ...context, argv: ["commit", "--no-edit"] });
  }
  const favoured = options.get("X");
  if (favoured !== undefined && favoured !== "ours" && favoured !== "theirs")
    throw fatal(`unknown strategy option: -X${favoured}`);
  if ((await conflictsOf(repository, await repository.rows())).size > 0)
    throw unresolved("Merging");
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
    if (!options.has("q")) context.write("Already up to date.\n");
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
  return mergeInto(repository, context, { name, theirs, head, ours, message, options, favoured });
}

interface Merge {
  /** The revision as it was named, and the commit that it is. */
  name: string;
  theirs: string;
  head: string;
  /** The branch that HEAD is. */
  ours: string | undefined;
  message: string;
  options: Options;
  favoured: "ours" | "theirs" | undefined;
}

async function mergeInto(
  repository: Repository,
  context: CommandContext,
  { name, theirs, head, ours, message, options, favoured }: Merge,
): Promise<number> {
  const { git, base } = repository;
  const say = (text: string): void => (options.has("q") ? undefined : context.write(text));
  const [shared] = (await git.findMergeBase({
    ...base,
    oids: [head, await repository.need(`${name}^{commit}`)],
  })) as unknown[];
  const ancestor = typeof shared === "string" ? shared : undefined;
  if (ancestor === undefined) throw fatal("refusing to merge unrelated histories");
  const before = await filesOf(repository, head);
  const forward = ancestor === head && !options.has("noff");
  if (!forward && options.has("ffonly")) throw fatal("Not possible to fast-forward, aborting.");
  const merged = await mergeTrees(
    repository,
    await filesOf(repository, ancestor),
    before,
    await filesOf(repository, theirs),
    { ours: "HEAD", theirs: name },
    favoured,
  );
  // Conflicts are told of in any case.
  if (merged.conflicts.length > 0) context.write(merged.said.join(""));
  else if (!forward) say(merged.said.join(""));
  await settle(repository, before, merged);
  if (merged.conflicts.length > 0) {
    setState(repository, "MERGE_HEAD", `${theirs}\n`);
    writeMessage(repository, message, merged.conflicts);
    context.write("Automatic merge failed; fix conflicts and then commit the result.\n");
    return 1;
  }
  let made = theirs;
  if (forward)
    await git.writeRef({
      ...base,
      ref: ours === undefined ? "HEAD" : `refs/heads/${ours}`,
      value: made,
      force: true,
    });
  else
    made = await git.commit({
      ...base,
      message: `${message}\n`,
      tree: await writeTreeOf(repository, merged.files),
      parent: [head, theirs],
      author: await repository.person("AUTHOR"),
      committer: await repository.person("COMMITTER"),
    });
  say(
    forward
      ? `Updating ${short(head)}..${short(made)}\nFast-forward\n`
      : "Merge made by the 'ort' strategy.\n",
  );
  if (options.has("q")) return 0;
  const list = await Promise.all(changesBetween(before, merged.files).map(counted));
  context.writeBytes(stat(list) + summary(list));
  return 0;
}
