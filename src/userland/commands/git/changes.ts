/** Owns what changes a repository: add, rm, commit, reset, restore, branch, checkout, switch, merge, tag. */
import { CommandFailure, type CommandContext } from "../../command.js";
import { codeText, errorCode } from "../../support/errors.js";
import { globRegex } from "../../support/glob.js";
import { parseOptions } from "../../support/options.js";
import { reportCommit } from "./commit-report.js";
import { changesBetween } from "./diff.js";
import { stat, summary } from "./diffstat.js";
import { short } from "./commit-text.js";
import { counted } from "./patch-text.js";
import { fatal, isChanged, type Repository } from "./repository.js";
import { stagedChanges, status } from "./status.js";
import { filesOf, place, tracked } from "./trees.js";
import {
  endSequence,
  endState,
  messageUnderWay,
  sequenceOf,
  setState,
  stateOf,
  writeMessage,
} from "./under-way.js";

export async function add(repository: Repository, context: CommandContext): Promise<number> {
  const options = parseOptions(
    context,
    "Aufv",
    { all: "A", update: "u", force: "f", verbose: "v" },
    { status: 129 },
  );
  const words =
    options.operands.length === 0 && options.has("A", "u") ? [repository.dir] : options.operands;
  if (words.length === 0) {
    context.writeError(
      "Nothing specified, nothing added.\nhint: Maybe you wanted to say 'git add .'?\n",
    );
    return 0;
  }
  const { git, base } = repository;
  for (const word of words) {
    const path = repository.pathOf(word);
    const rows = await repository.rows([path]);
    if (rows.length === 0 && path !== "." && !context.fs.existsSync(word))
      throw fatal(`pathspec '${word}' did not match any files`);
    if (rows.length === 0 && options.has("f"))
      await git.add({ ...base, filepath: path, force: true });
    else if (
      rows.length === 0 &&
      path !== "." &&
      (await git.isIgnored({ ...base, filepath: path }))
    ) {
      context.writeError(
        `The following paths are ignored by one of your .gitignore files:\n${path}\nhint: Use -f if you really want to add them.\n`,
      );
      return 1;
    }
    for (const { path: filepath, work, stage } of rows) {
      if (work === stage || (options.has("u") && stage === 0)) continue;
      if (work === 0) await git.remove({ ...base, filepath });
      else await git.add({ ...base, filepath, force: true });
    }
  }
  return 0;
}

export async function remove(repository: Repository, context: CommandContext): Promise<number> {
  const options = parseOptions(
    context,
    "rfq",
    { cached: "cached", force: "f", quiet: "q" },
    { status: 129 },
  );
  const { git, base } = repository;
  for (const word of options.operands) {
    const path = repository.pathOf(word);
    const rows = (await repository.rows([path])).filter(({ stage }) => stage !== 0);
    if (rows.length === 0) throw fatal(`pathspec '${word}' did not match any files`);
    if (!options.has("r") && (rows.length > 1 || rows[0]!.path !== path))
      throw fatal(`not removing '${word}' recursively without -r`);
    const changed = rows.find(
      ({ head, work, stage }) => (work !== stage && work !== 0) || head === 0 || stage !== 1,
    );
    if (changed !== undefined && !options.has("f", "cached")) {
      const staged = changed.work === changed.stage;
      throw new CommandFailure(
        `error: the following file has ${staged ? "changes staged in the index" : "local modifications"}:\n    ${changed.path}\n(use --cached to keep the file, or -f to force removal)`,
      );
    }
    for (const { path: filepath } of rows) {
      await git.remove({ ...base, filepath });
      if (!options.has("cached"))
        context.fs.rmSync(`${repository.dir}/${filepath}`, { force: true });
      if (!options.has("q")) context.write(`rm '${filepath}'\n`);
    }
  }
  return 0;
}

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

/** What `--list` shows: names that a pattern matches, or all. */
function matching(patterns: readonly string[]): (name: string) => boolean {
  const wanted = patterns.map((pattern) => globRegex(pattern));
  return (name) => wanted.length === 0 || wanted.some((one) => one.test(name));
}

export async function branch(repository: Repository, context: CommandContext): Promise<number> {
  const options = parseOptions(
    context,
    "dDmMa",
    { delete: "d", move: "m", "show-current": "current", list: "list", all: "a" },
    { status: 129 },
  );
  const { git, base } = repository;
  const current = await repository.branch();
  const [name, second] = options.operands;
  if (options.has("current")) context.write(current === undefined ? "" : `${current}\n`);
  else if (options.has("d", "D")) {
    if (name === undefined) throw fatal("branch name required");
    const oid = await repository.resolve(`refs/heads/${name}`);
    if (oid === undefined) throw new CommandFailure(`error: branch '${name}' not found.`);
    if (name === current)
      throw new CommandFailure(
        `error: Cannot delete branch '${name}' checked out at '${repository.dir}'`,
      );
    const head = await repository.need("HEAD");
    if (
      !options.has("D") &&
      oid !== head &&
      !(await git.isDescendent({ ...base, oid: head, ancestor: oid }))
    )
      throw new CommandFailure(
        `error: The branch '${name}' is not fully merged.\nIf you are sure you want to delete it, run 'git branch -D ${name}'.`,
      );
    await git.deleteBranch({ ...base, ref: name });
    context.write(`Deleted branch ${name} (was ${short(oid)}).\n`);
  } else if (options.has("m", "M")) {
    const [from, to] = second === undefined ? [current, name] : [name, second];
    if (from === undefined || to === undefined) throw fatal("branch name required");
    await git.renameBranch({ ...base, oldref: from, ref: to, checkout: from === current });
  } else if (name !== undefined && !options.has("list")) {
    if ((await repository.resolve(`refs/heads/${name}`)) !== undefined)
      throw fatal(`a branch named '${name}' already exists`);
    const object = second === undefined ? undefined : await repository.need(second);
    await git.branch({ ...base, ref: name, ...(object === undefined ? {} : { object }) });
  } else {
    if (current === undefined)
      context.write(`* (HEAD detached at ${short(await repository.need("HEAD"))})\n`);
    const listed = matching(options.operands);
    for (const each of (await git.listBranches({ ...base })).filter(listed).sort())
      context.write(`${each === current ? "*" : " "} ${each}\n`);
    if (options.has("a"))
      for (const remote of await git.listRemotes({ ...base }))
        for (const each of (await git.listBranches({ ...base, remote: remote.remote })).sort())
          context.write(`  remotes/${remote.remote}/${each}\n`);
  }
  return 0;
}

/** Puts files back: from the index, or from a revision. */
async function restoreFiles(
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

/** A new branch at a revision, or in place of one that has no commit yet; HEAD names it then. */
async function createBranch(repository: Repository, created: string, name: string): Promise<void> {
  const { git, base } = repository;
  if ((await repository.resolve(`refs/heads/${created}`)) !== undefined)
    throw fatal(`a branch named '${created}' already exists`);
  const head = await repository.resolve("HEAD");
  const object = head === undefined ? undefined : await repository.need(name);
  if (object !== undefined) await git.branch({ ...base, ref: created, object });
  // Nothing of the work tree changes: HEAD alone gets another name.
  if (object === head)
    await git.writeRef({
      ...base,
      ref: "HEAD",
      value: `refs/heads/${created}`,
      symbolic: true,
      force: true,
    });
  else await git.checkout({ ...base, ref: created });
}

export async function checkout(repository: Repository, context: CommandContext): Promise<number> {
  const end = context.argv.indexOf("--");
  const argv = end === -1 ? context.argv : context.argv.slice(0, end);
  const options = parseOptions(
    { ...context, argv },
    "b:B:c:C:qfd",
    { "create=": "c", quiet: "q", force: "f", detach: "d" },
    { status: 129 },
  );
  const { git, base } = repository;
  const paths = end === -1 ? [] : context.argv.slice(end + 1);
  const created = options.get("b") ?? options.get("c");
  if (options.has("B", "C")) throw fatal("-B and -C are not there: delete the branch first");
  const [name = "HEAD", ...rest] = options.operands;
  paths.push(...rest);
  const isBranch = (await repository.resolve(`refs/heads/${name}`)) !== undefined;
  if (
    created === undefined &&
    end === -1 &&
    !isBranch &&
    (await repository.resolve(name)) === undefined
  ) {
    if (context.name !== "switch" && context.fs.existsSync(name)) {
      await restoreFiles(repository, [name, ...paths], undefined);
      return 0;
    }
    const remote = await repository.resolve(`refs/remotes/origin/${name}`);
    if (remote === undefined) {
      if (context.name === "switch") throw fatal(`invalid reference: ${name}`);
      throw new CommandFailure(`error: pathspec '${name}' did not match any file(s) known to git`);
    }
  }
  if (paths.length > 0) {
    await restoreFiles(
      repository,
      paths,
      options.operands.length > 0 ? await repository.need(name) : undefined,
    );
    return 0;
  }
  const say = (text: string) => (options.has("q") ? undefined : context.writeError(text));
  if (created !== undefined) {
    await createBranch(repository, created, name);
    say(`Switched to a new branch '${created}'\n`);
    return 0;
  }
  const detach = options.has("d");
  if (name === (await repository.branch()) && !detach) {
    say(`Already on '${name}'\n`);
    return 0;
  }
  await git.checkout({
    ...base,
    ref: isBranch && !detach ? name : ((await repository.resolve(name)) ?? name),
    force: options.has("f"),
  });
  if ((await repository.branch()) !== undefined) say(`Switched to branch '${name}'\n`);
  else {
    const oid = await repository.need("HEAD");
    const { commit: now } = await git.readCommit({ ...base, oid });
    say(`HEAD is now at ${short(oid)} ${now.message.split("\n", 1)[0]!}\n`);
  }
  return 0;
}

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
  const [name, extra] = options.operands;
  if (name === undefined || extra !== undefined) throw fatal("merge takes one branch here");
  const theirs = await repository.need(name);
  const ours = await repository.branch();
  const head = await repository.need("HEAD");
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

export async function tag(repository: Repository, context: CommandContext): Promise<number> {
  const options = parseOptions(
    context,
    "am:dfl",
    { annotate: "a", "message=": "m", delete: "d", force: "f", list: "l" },
    { status: 129 },
  );
  const { git, base } = repository;
  const [name, target] = options.operands;
  if (name === undefined || options.has("l")) {
    const listed = matching(options.operands);
    for (const each of (await git.listTags({ ...base })).sort())
      if (listed(each)) context.write(`${each}\n`);
    return 0;
  }
  const old = await repository.resolve(`refs/tags/${name}`);
  if (options.has("d")) {
    if (old === undefined) throw new CommandFailure(`error: tag '${name}' not found.`);
    await git.deleteTag({ ...base, ref: name });
    context.write(`Deleted tag '${name}' (was ${short(old)})\n`);
    return 0;
  }
  if (old !== undefined && !options.has("f")) throw fatal(`tag '${name}' already exists`);
  const object = await repository.need(target ?? "HEAD");
  const message = options.get("m");
  if (message === undefined && options.has("a"))
    throw fatal("no editor here: give the message with -m");
  if (message === undefined) await git.tag({ ...base, ref: name, object, force: true });
  else
    await git.annotatedTag({
      ...base,
      ref: name,
      object,
      message: `${message}\n`,
      tagger: await repository.person("COMMITTER"),
      force: true,
    });
  return 0;
}

export async function move(repository: Repository, context: CommandContext): Promise<number> {
  const [, from, to, extra] = context.argv;
  if (from === undefined || to === undefined || extra !== undefined || from.startsWith("-"))
    throw fatal("mv takes one source and one target here");
  const directory = context.fs.statSync(to, { throwIfNoEntry: false })?.isDirectory() ?? false;
  const target = directory ? `${to}/${from.replace(/\/+$/, "").split("/").at(-1)!}` : to;
  const rows = (await repository.rows([repository.pathOf(from)])).filter(
    ({ stage }) => stage !== 0,
  );
  if (rows.length === 0)
    throw fatal(`not under version control, source=${from}, destination=${target}`);
  if (context.fs.existsSync(target))
    throw fatal(`destination exists, source=${from}, destination=${target}`);
  try {
    context.fs.renameSync(from, target);
  } catch (error) {
    throw fatal(`renaming '${from}' failed: ${codeText(errorCode(error) ?? "")}`);
  }
  const [source, destination] = [repository.pathOf(from), repository.pathOf(target)];
  for (const { path } of rows) {
    await repository.git.remove({ ...repository.base, filepath: path });
    await repository.git.add({
      ...repository.base,
      filepath: destination + path.slice(source.length),
    });
  }
  return 0;
}
