/**
 * Owns `git stash`: work tree and index as commits beside the branch. The list is the log of refs/stash, newest last
 * in its file, as git keeps it.
 *
 * Untrusted: that file, which programs may write.
 */
import { CommandFailure, type CommandContext } from "../../command.js";
import { parseOptions, type Options } from "../../support/options.js";
import { resetHard } from "./restore.js";
import { changesBetween, diffOptions, writeChanges } from "./diff.js";
import { formatted, short, templateOf } from "./commit-text.js";
import { settle } from "./pick.js";
import { signature, writeCommit } from "./plumbing.js";
import { decorations } from "./refs.js";
import { fatal } from "./failures.js";
import { isChanged, type Repository, type Row } from "./repository.js";
import { status } from "./status.js";
import { mergeTrees } from "./three-way.js";
import { filesOf, place, stage, tracked, writeTreeOf, type Files } from "./trees.js";

const none = "0".repeat(40);
const ref = "refs/stash";

interface Entry {
  oid: string;
  /** Whose and when, as in a log. */
  person: string;
  message: string;
}

function logPath({ dir }: Repository): string {
  return `${dir}/.git/logs/${ref}`;
}

/** Newest first. */
function entries(repository: Repository): Entry[] {
  const { fs } = repository.context;
  const path = logPath(repository);
  if (!fs.existsSync(path)) return [];
  const list: Entry[] = [];
  for (const line of fs.readFileSync(path, "utf8").split("\n")) {
    const parts = /^[0-9a-f]{40} ([0-9a-f]{40}) ([^\t]*)\t(.*)$/.exec(line);
    if (parts !== null) list.unshift({ oid: parts[1]!, person: parts[2]!, message: parts[3]! });
  }
  return list;
}

async function save(repository: Repository, list: readonly Entry[]): Promise<void> {
  const { fs } = repository.context;
  const path = logPath(repository);
  const { git, base } = repository;
  const [newest] = list;
  if (newest === undefined) {
    fs.rmSync(path, { force: true });
    await git.deleteRef({ ...base, ref });
    return;
  }
  fs.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
  const lines = list.toReversed().map(({ oid, person, message }, at, all) => {
    const before = at === 0 ? none : all[at - 1]!.oid;
    return `${before} ${oid} ${person}\t${message}\n`;
  });
  fs.writeFileSync(path, lines.join(""));
  await git.writeRef({ ...base, ref, value: newest.oid, force: true });
}

/** `stash@{2}`, or its number. */
function indexOf(word: string | undefined): number {
  const [, digits] = /^(?:stash@\{)?(\d+)\}?$/.exec(word ?? "0") ?? [];
  if (digits === undefined) throw fatal(`'${word}' is not a stash-like commit`);
  return Number(digits);
}

function entryOf(repository: Repository, word: string | undefined): { entry: Entry; at: number } {
  const list = entries(repository);
  const at = indexOf(word);
  const entry = list[at];
  if (entry !== undefined) return { entry, at };
  if (list.length === 0) throw new CommandFailure("No stash entries found.");
  throw fatal(`log for 'stash' only has ${list.length} entries`);
}

interface Made {
  oid: string;
  person: string;
  message: string;
  head: string;
  staged: Files;
  others: readonly Row[];
}

/** Work tree and index as commits, which nothing names yet; nothing where nothing has changed. */
async function made(
  repository: Repository,
  given: string | undefined,
  withOthers: boolean,
): Promise<Made | undefined> {
  const { git, base } = repository;
  const head = await repository.resolve("HEAD");
  if (head === undefined) throw new CommandFailure("You do not have the initial commit yet");
  const rows = await repository.rows();
  const others = withOthers ? rows.filter(({ work, stage: at }) => at === 0 && work !== 0) : [];
  if (!rows.some(isChanged) && others.length === 0) return undefined;
  const subject = (await git.readCommit({ ...base, oid: head })).commit.message.split("\n", 1)[0]!;
  const place = `${(await repository.branch()) ?? "(no branch)"}`;
  const where = `${place}: ${short(head)} ${subject}`;
  const message = given === undefined ? `WIP on ${where}` : `On ${place}: ${given}`;
  const commit = (tree: string, parents: string[], text: string): Promise<string> =>
    writeCommit(repository, tree, parents, text);
  const staged = await tracked(repository, "index");
  const index = await commit(await writeTreeOf(repository, staged), [head], `index on ${where}\n`);
  const parents = [head, index];
  if (others.length > 0) {
    const files = await written(
      repository,
      others.map(({ path }) => path),
    );
    const tree = await writeTreeOf(repository, files);
    parents.push(await commit(tree, [], `untracked files on ${where}\n`));
  }
  const work = new Map(await tracked(repository, "work"));
  for (const [path, version] of await written(repository, [...work.keys()]))
    work.set(path, version);
  const oid = await commit(await writeTreeOf(repository, work), parents, message);
  const person = signature(await repository.person("COMMITTER"));
  return { oid, person, message, head, staged, others };
}

async function push(
  repository: Repository,
  context: CommandContext,
  options: Options,
): Promise<number> {
  const entry = await made(repository, options.get("m"), options.has("u"));
  if (entry === undefined) {
    context.write("No local changes to save\n");
    return 0;
  }
  const { head, staged, others, message } = entry;
  await save(repository, [entry, ...entries(repository)]);
  await resetHard(repository, head);
  for (const { path } of others) await removed(repository, path);
  if (options.has("k")) await restoreIndex(repository, await filesOf(repository, head), staged);
  if (!options.has("q")) context.write(`Saved working directory and index state ${message}\n`);
  return 0;
}

/** Names a commit that `stash create` has made. */
async function store(
  repository: Repository,
  word: string | undefined,
  message = 'Created via "git stash store".',
): Promise<number> {
  if (word === undefined)
    throw new CommandFailure('"git stash store" requires one <commit> argument');
  const oid = await repository.resolve(`${word}^{commit}`);
  if (oid === undefined) throw new CommandFailure(`Cannot update refs/stash with ${word}`);
  const person = signature(await repository.person("COMMITTER"));
  await save(repository, [{ oid, person, message }, ...entries(repository)]);
  return 0;
}

async function list(
  repository: Repository,
  context: CommandContext,
  options: Options,
): Promise<number> {
  const template = templateOf(options);
  const end = options.has("z") ? "\0" : "\n";
  const names =
    template !== undefined && /%[dD]/.test(template) ? await decorations(repository) : undefined;
  for (const [at, { oid, message }] of entries(repository).entries()) {
    const selector = `stash@{${at}}`;
    if (template === undefined) {
      context.write(`${selector}: ${message}${end}`);
      continue;
    }
    const commit = await repository.git.readCommit({ ...repository.base, oid });
    const own = template
      .replace(/%gd/g, selector)
      .replace(/%gD/g, `refs/${selector}`)
      .replace(/%gs/g, message.replace(/%/g, "%%"));
    context.write(`${formatted(own, commit, { names: names?.get(oid) ?? [] })}${end}`);
  }
  return 0;
}

const removed = (repository: Repository, path: string): Promise<void> =>
  place(repository, path, undefined);

/** Files of the work tree, their objects written. */
async function written(repository: Repository, paths: readonly string[]): Promise<Files> {
  const { context, dir, git, base } = repository;
  const files: Files = new Map();
  for (const path of paths) {
    const full = `${dir}/${path}`;
    const stat = context.fs.lstatSync(full);
    const isLink = stat.isSymbolicLink();
    const blob = isLink
      ? Buffer.from(context.fs.readlinkSync(full))
      : context.fs.readFileSync(full);
    const mode = isLink ? "120000" : (stat.mode & 0o100) === 0 ? "100644" : "100755";
    const text = blob.toString("latin1");
    files.set(path, {
      oid: await git.writeBlob({ ...base, blob }),
      mode,
      text: () => Promise.resolve(text),
    });
  }
  return files;
}

/** Makes index and work tree what the index was. */
async function restoreIndex(repository: Repository, now: Files, wanted: Files): Promise<void> {
  for (const { path, new: version } of changesBetween(now, wanted, [], false)) {
    await place(repository, path, version);
    await stage(repository, path, version);
  }
}

/** 1 when it conflicts. */
async function apply(
  repository: Repository,
  context: CommandContext,
  { oid }: Entry,
  options: Options,
): Promise<number> {
  const { commit } = await repository.git.readCommit({ ...repository.base, oid });
  const [base, index, others] = commit.parent;
  const [before, after] = [await filesOf(repository, base), await filesOf(repository, oid)];
  const head = await tracked(repository, "index");
  const touched = new Set(changesBetween(before, after, [], false).map(({ path }) => path));
  const dirty = (await repository.rows()).filter(
    ({ path, work, stage: staged }) => touched.has(path) && staged !== 0 && work !== staged,
  );
  if (dirty.length > 0) {
    const names = dirty.map(({ path }) => `\t${path}\n`).join("");
    context.writeError(
      `error: Your local changes to the following files would be overwritten by merge:\n${names}Please commit your changes or stash them before you merge.\nAborting\n`,
    );
    await status(repository, { ...context, argv: ["status"] });
    return 1;
  }
  const merged = await mergeTrees(repository, before, head, after, {
    ours: "Updated upstream",
    theirs: "Stashed changes",
  });
  for (const [path, version] of await filesOf(repository, others)) {
    if (context.fs.existsSync(`${repository.dir}/${path}`))
      throw new CommandFailure(
        `${path} already exists, no checkout\nerror: could not restore untracked files from stash`,
      );
    await place(repository, path, version);
  }
  await settle(repository, head, merged);
  context.writeBytes(merged.said.join(""));
  // What was only changed is not staged; what was added is.
  const keep = options.has("index") ? await filesOf(repository, index) : undefined;
  for (const [path, version] of head) {
    if (merged.conflicts.length > 0) break;
    const wanted = keep === undefined ? version : (keep.get(path) ?? version);
    if (merged.files.get(path)?.oid !== wanted.oid) await stage(repository, path, wanted);
  }
  if (merged.conflicts.length > 0 || !options.has("q"))
    await status(repository, { ...context, argv: ["status"] });
  return merged.conflicts.length > 0 ? 1 : 0;
}

async function drop(
  repository: Repository,
  context: CommandContext,
  word: string | undefined,
  quiet: boolean,
): Promise<void> {
  const { entry, at } = entryOf(repository, word);
  await save(
    repository,
    entries(repository).filter((_, index) => index !== at),
  );
  if (!quiet)
    context.write(
      `Dropped ${word === undefined ? `${ref}@{${at}}` : `stash@{${at}}`} (${entry.oid})\n`,
    );
}

async function show(
  repository: Repository,
  context: CommandContext,
  options: Options,
): Promise<number> {
  const { entry } = entryOf(repository, options.operands[0]);
  const { commit } = await repository.git.readCommit({ ...repository.base, oid: entry.oid });
  const before = await filesOf(repository, commit.parent[0]);
  const list = changesBetween(before, await filesOf(repository, entry.oid));
  const forms = ["names", "status", "stat", "numstat", "shortstat", "summary", "p"];
  const chosen = options.list.some(({ key }) => forms.includes(key));
  if (!chosen) options.list.push({ key: "stat", value: "" });
  await writeChanges(context, list, options);
  return 0;
}

export async function stash(repository: Repository, context: CommandContext): Promise<number> {
  const named = context.argv[1];
  const hasName = named !== undefined && !named.startsWith("-");
  const command = hasName ? named : "push";
  const argv = hasName ? context.argv.slice(1) : context.argv;
  const options = parseOptions(
    { ...context, argv },
    "m:ukqpaz",
    {
      ...diffOptions,
      "format=": "format",
      "pretty=": "format",
      "message=": "m",
      "include-untracked": "u",
      "keep-index": "k",
      quiet: "q",
      index: "index",
    },
    { status: 129 },
  );
  const [word] = options.operands;
  switch (command) {
    case "push":
    case "save":
      if (command === "save" && word !== undefined)
        options.list.push({ key: "m", value: options.operands.join(" ") });
      else if (word !== undefined) throw fatal("stash push takes no paths here");
      if (options.has("p", "a")) throw fatal("stash push takes -u, -k, -m and -q here");
      return push(repository, context, options);
    case "list":
      return list(repository, context, options);
    case "create": {
      const entry = await made(repository, options.operands.join(" ") || undefined, false);
      if (entry !== undefined) context.write(`${entry.oid}\n`);
      return 0;
    }
    case "store":
      return store(repository, word, options.get("m"));
    case "show":
      return show(repository, context, options);
    case "apply":
    case "pop": {
      const result = await apply(repository, context, entryOf(repository, word).entry, options);
      if (command === "apply") return result;
      if (result === 0) await drop(repository, context, word, options.has("q"));
      else context.write("The stash entry is kept in case you need it again.\n");
      return result;
    }
    case "drop":
      await drop(repository, context, word, options.has("q"));
      return 0;
    case "clear":
      if (entries(repository).length > 0) await save(repository, []);
      return 0;
    default:
      throw new CommandFailure(`error: unknown subcommand: ${command}`, 129);
  }
}
