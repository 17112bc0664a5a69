/** Owns what shows a repository: log and what names objects: rev-parse, rev-list, merge-base, describe, ls-files, ls-tree, cat-file. */
import type { CommandContext } from "../../command.js";
import { parseOptions, type Options } from "../../support/options.js";
import { commitsFrom } from "./commit-walk.js";
import { changesOf, diffOptions, writeChanges } from "./diff.js";
import type { Change } from "./diffstat.js";
import { fatal, isChanged, type Repository } from "./repository.js";
import { formatted, header, short, templateOf, type Commit } from "./commit-text.js";

/** Which commits a log is about, and how they are filtered. */
async function commitsOf(
  repository: Repository,
  words: readonly string[],
): Promise<{ list: Commit[]; paths: string[] }> {
  const end = words.indexOf("--");
  const named = end === -1 ? words : words.slice(0, end);
  const paths = end === -1 ? [] : words.slice(end + 1);
  const wanted: string[] = [];
  const left = new Set<string>();
  const leave = async (name: string): Promise<void> => {
    for (const { oid } of await commitsFrom(repository, [await repository.need(name)]))
      left.add(oid);
  };
  for (const word of named) {
    const range = /^(.*?)\.\.(?!\.)(.*)$/.exec(word);
    if (range !== null) {
      await leave(range[1]!);
      wanted.push(await repository.need(range[2]!));
    } else if (word.startsWith("^")) await leave(word.slice(1));
    else {
      const oid = await repository.resolve(word);
      if (oid !== undefined) wanted.push(oid);
      else if (end === -1 && repository.context.fs.existsSync(word)) paths.push(word);
      else await repository.need(word);
    }
  }
  if (wanted.length === 0) {
    const head = await repository.resolve("HEAD");
    if (head === undefined)
      throw fatal(
        `your current branch '${(await repository.branch()) ?? "HEAD"}' does not have any commits yet`,
      );
    wanted.push(head);
  }
  const list = (await commitsFrom(repository, wanted)).filter(({ oid }) => !left.has(oid));
  return { list, paths: paths.map((path) => repository.pathOf(path)) };
}

/** Seconds since 1970 of `--since` and `--until`: a date, or `2 days ago`. */
function timeOf(text: string): number {
  const ago = /^(\d+)[ .](second|minute|hour|day|week)s?[ .]ago$/.exec(text);
  const units = { second: 1, minute: 60, hour: 3600, day: 86_400, week: 604_800 };
  if (ago !== null) return Date.now() / 1000 - Number(ago[1]) * units[ago[2] as keyof typeof units];
  const at = /^\d{5,}$/.test(text) ? Number(text) * 1000 : Date.parse(text);
  if (Number.isNaN(at)) throw fatal(`a date that is not understood: ${text}`);
  return at / 1000;
}

function filterOf(options: Options): (commit: Commit) => boolean {
  const pattern = (key: string): RegExp | undefined => {
    const text = options.get(key);
    return text === undefined ? undefined : new RegExp(text, options.has("i") ? "i" : "");
  };
  const [author, grep] = [pattern("author"), pattern("grep")];
  const [since, until] = ["since", "until"].map((key) => {
    const text = options.get(key);
    return text === undefined ? undefined : timeOf(text);
  });
  return ({ commit }) => {
    const { parent, message, committer } = commit;
    const who = `${commit.author.name} <${commit.author.email}>`;
    return (
      !(options.has("no-merges") && parent.length > 1) &&
      !(options.has("merges") && parent.length < 2) &&
      (author?.test(who) ?? true) &&
      (grep?.test(message) ?? true) &&
      (since === undefined || committer.timestamp >= since) &&
      (until === undefined || committer.timestamp <= until)
    );
  };
}

const logOptions = {
  ...diffOptions,
  oneline: "oneline",
  "max-count=": "n",
  "skip=": "skip",
  "format=": "format",
  "pretty=": "format",
  "author=": "author",
  "grep=": "grep",
  "regexp-ignore-case": "i",
  "since=": "since",
  "after=": "since",
  "until=": "until",
  "before=": "until",
  reverse: "reverse",
  all: "all",
  "first-parent": "first",
  "no-merges": "no-merges",
  merges: "merges",
  decorate: "decorate",
  "no-decorate": "x",
  "abbrev-commit": "abbrev",
};

/** Splits the words that are no options, `--` among them. */
function wordsOf(context: CommandContext, operands: readonly string[]): string[] {
  const end = context.argv.indexOf("--");
  return end === -1 ? [...operands] : [...operands, "--", ...context.argv.slice(end + 1)];
}

function beforeDashes(context: CommandContext): CommandContext {
  const end = context.argv.indexOf("--");
  return end === -1 ? context : { ...context, argv: context.argv.slice(0, end) };
}

const forms = ["names", "status", "stat", "numstat", "shortstat", "summary", "p"];

export async function log(repository: Repository, context: CommandContext): Promise<number> {
  const options = parseOptions(beforeDashes(context), "n:pis", logOptions, {
    status: 129,
    numberOption: "n",
  });
  if (options.has("decorate")) throw fatal("log: --decorate is not there");
  const all = options.has("all")
    ? Object.keys(await refsOf(repository)).concat((await repository.resolve("HEAD")) ?? [])
    : [];
  const { list, paths } = await commitsOf(
    repository,
    wordsOf(context, [...options.operands, ...all]),
  );
  const filter = filterOf(options);
  const shows = options.list.some(({ key }) => forms.includes(key)) && !options.has("s");
  const most = options.has("n") ? Number(options.get("n")) : Infinity;
  let skip = Number(options.get("skip") ?? 0);
  const chosen: { each: Commit; changed: Change[] }[] = [];
  const onLine = firstParents(list);
  for (const each of list) {
    if (chosen.length >= most) break;
    if (!filter(each) || (options.has("first") && !onLine.has(each.oid))) continue;
    const looks = (shows || paths.length > 0) && each.commit.parent.length < 2;
    const changed = looks ? await changesOf(repository, each.oid, paths) : [];
    if (paths.length > 0 && changed.length === 0) continue;
    if (skip-- > 0) continue;
    chosen.push({ each, changed });
  }
  if (options.has("reverse")) chosen.reverse();
  const template = templateOf(options);
  for (const [at, { each, changed }] of chosen.entries()) {
    if (template === undefined)
      context.write(`${at === 0 ? "" : "\n"}${header(each, options.has("abbrev"))}`);
    else context.write(`${formatted(template, each)}\n`);
    if (!shows || changed.length === 0) continue;
    if (template === undefined || !options.has("oneline")) context.write("\n");
    await writeChanges(context, changed, options);
  }
  return 0;
}

function firstParents(list: readonly Commit[]): Set<string> {
  const byName = new Map(list.map((each) => [each.oid, each]));
  const line = new Set<string>();
  for (let at = list[0]; at !== undefined; at = byName.get(at.commit.parent[0] ?? ""))
    line.add(at.oid);
  return line;
}

/** Objects of branches and tags, each with its name. */
async function refsOf(repository: Repository): Promise<Record<string, string>> {
  const { git, base } = repository;
  const found: Record<string, string> = {};
  for (const kind of ["heads", "tags"])
    for (const name of await git.listRefs({ ...base, filepath: `refs/${kind}` })) {
      const oid = await repository.resolve(`refs/${kind}/${name}`);
      if (oid !== undefined) found[oid] = name;
    }
  return found;
}

export async function revList(repository: Repository, context: CommandContext): Promise<number> {
  const options = parseOptions(
    beforeDashes(context),
    "n:",
    { count: "count", all: "all", "max-count=": "n", reverse: "reverse", "no-merges": "no-merges" },
    { status: 129, numberOption: "n" },
  );
  const all = options.has("all") ? Object.keys(await refsOf(repository)) : [];
  if (options.operands.length + all.length === 0) {
    context.writeError("usage: git rev-list [<options>] <commit>...\n");
    return 129;
  }
  const { list } = await commitsOf(repository, wordsOf(context, [...options.operands, ...all]));
  const chosen = list
    .filter(filterOf(options))
    .slice(0, options.has("n") ? Number(options.get("n")) : undefined);
  if (options.has("reverse")) chosen.reverse();
  if (options.has("count")) context.write(`${chosen.length}\n`);
  else context.write(chosen.map(({ oid }) => `${oid}\n`).join(""));
  return 0;
}

export async function mergeBase(repository: Repository, context: CommandContext): Promise<number> {
  const options = parseOptions(context, "", { "is-ancestor": "is" }, { status: 129 });
  const [one, other, extra] = options.operands;
  if (one === undefined || other === undefined || extra !== undefined)
    throw fatal("merge-base takes two commits here");
  const { git, base } = repository;
  const oids = [await repository.need(one), await repository.need(other)];
  const found: unknown[] = await git.findMergeBase({ ...base, oids });
  if (options.has("is")) return found[0] === oids[0] ? 0 : 1;
  if (found.length === 0) return 1;
  context.write(`${String(found[0])}\n`);
  return 0;
}

export async function describe(repository: Repository, context: CommandContext): Promise<number> {
  const options = parseOptions(
    context,
    "",
    { tags: "tags", always: "always", dirty: "dirty", "abbrev=": "abbrev", long: "long" },
    { status: 129 },
  );
  const { git, base } = repository;
  const head = await repository.need(options.operands[0] ?? "HEAD");
  const names = new Map<string, string>();
  for (const name of await git.listTags({ ...base })) {
    const oid = await git.resolveRef({ ...base, ref: `refs/tags/${name}` });
    const { type } = await git.readObject({ ...base, oid, format: "content" });
    if (type !== "tag" && !options.has("tags")) continue;
    const target = type === "tag" ? (await git.readTag({ ...base, oid })).tag.object : oid;
    names.set(target, name);
  }
  const dirty = options.has("dirty") && (await repository.rows()).some(isChanged) ? "-dirty" : "";
  const list = await commitsFrom(repository, [head]);
  const at = list.findIndex(({ oid }) => names.has(oid));
  if (at === -1) {
    if (!options.has("always"))
      throw fatal(
        names.size === 0
          ? "No names found, cannot describe anything."
          : `No tags can describe '${head}'.\nTry --always, or create some tags.`,
      );
    context.write(`${short(head)}${dirty}\n`);
    return 0;
  }
  const tagged = list[at]!.oid;
  const below = new Set((await commitsFrom(repository, [tagged])).map(({ oid }) => oid));
  const count = list.filter(({ oid }) => !below.has(oid)).length;
  const name = names.get(tagged)!;
  const isExact = count === 0 && !options.has("long");
  context.write(`${name}${isExact ? "" : `-${count}-g${short(head)}`}${dirty}\n`);
  return 0;
}

export async function lsTree(repository: Repository, context: CommandContext): Promise<number> {
  const options = parseOptions(context, "rt", { "name-only": "names" }, { status: 129 });
  const [name, ...paths] = options.operands;
  if (name === undefined) throw fatal("ls-tree takes a tree");
  const { git, base } = repository;
  const visit = async (oid: string, prefix: string): Promise<void> => {
    for (const entry of (await git.readTree({ ...base, oid })).tree) {
      const path = prefix + entry.path;
      const within = paths.some(
        (one) => path === one || path.startsWith(`${one.replace(/\/$/, "")}/`),
      );
      const leads = paths.some((one) => one.startsWith(`${path}/`));
      if (entry.type === "tree" && (options.has("r") || leads)) {
        await visit(entry.oid, `${path}/`);
        continue;
      }
      if (paths.length > 0 && !within) continue;
      const meta = options.has("names")
        ? ""
        : `${entry.mode.padStart(6, "0")} ${entry.type} ${entry.oid}\t`;
      context.write(`${meta}${path}\n`);
    }
  };
  await visit(await repository.need(name), "");
  return 0;
}

export async function revParse(repository: Repository, context: CommandContext): Promise<number> {
  let abbreviated = false;
  let names = false;
  const words = context.argv.slice(1);
  const [verified, quiet] = [
    words.includes("--verify"),
    words.some((word) => word === "-q" || word === "--quiet"),
  ];
  const below = context.cwd().slice(repository.dir.length + 1);
  for (const word of words) {
    if (word === "--show-toplevel") context.write(`${repository.dir}\n`);
    else if (word === "--show-prefix") context.write(below === "" ? "\n" : `${below}/\n`);
    else if (word === "--show-cdup") context.write(`${below.replace(/[^/]+\/?/g, "../")}\n`);
    else if (word === "--show-superproject-working-tree") continue;
    else if (word === "--is-bare-repository") context.write("false\n");
    else if (word === "--absolute-git-dir") context.write(`${repository.dir}/.git\n`);
    else if (word === "--git-dir")
      context.write(repository.dir === context.cwd() ? ".git\n" : `${repository.dir}/.git\n`);
    else if (word === "--is-inside-work-tree") context.write("true\n");
    else if (word === "--short") abbreviated = true;
    else if (word === "--abbrev-ref") names = true;
    else if (word === "--verify" || word === "-q" || word === "--quiet") continue;
    else if (word.startsWith("-")) throw fatal(`rev-parse: option '${word}' is not there`);
    else if (names)
      context.write(`${word === "HEAD" ? ((await repository.branch()) ?? "HEAD") : word}\n`);
    else {
      const oid = verified ? await repository.resolve(word) : await repository.need(word);
      if (oid === undefined && quiet) return 1;
      if (oid === undefined) throw fatal("Needed a single revision");
      context.write(`${abbreviated ? short(oid) : oid}\n`);
    }
  }
  return 0;
}

export async function lsFiles(repository: Repository, context: CommandContext): Promise<number> {
  const options = parseOptions(
    context,
    "omdz",
    { others: "o", modified: "m", deleted: "d", "exclude-standard": "x", "full-name": "x" },
    { status: 129 },
  );
  const end = options.has("z") ? "\0" : "\n";
  const rows = await repository.rows(
    options.operands.length === 0 ? ["."] : options.operands.map((word) => repository.pathOf(word)),
  );
  for (const { path, work, stage } of rows) {
    const wanted = options.has("o")
      ? stage === 0 && work !== 0
      : options.has("m")
        ? stage !== 0 && work !== stage
        : options.has("d")
          ? stage !== 0 && work === 0
          : stage !== 0;
    if (wanted) context.write(`${path}${end}`);
  }
  return 0;
}

export async function catFile(repository: Repository, context: CommandContext): Promise<number> {
  const [, kind, name, extra] = context.argv;
  if (name === undefined || extra !== undefined)
    throw fatal("cat-file takes -t, -s, -p or a type, and one object");
  const { git, base } = repository;
  const oid = await repository.need(name);
  const object = await git.readObject({ ...base, oid, format: "content" });
  const data = Buffer.from(object.object as Uint8Array);
  if (kind === "-t") context.write(`${object.type}\n`);
  else if (kind === "-s") context.write(`${data.length}\n`);
  else if (kind === "-p" && object.type === "tree") {
    for (const entry of (await git.readTree({ ...base, oid })).tree)
      context.write(`${entry.mode.padStart(6, "0")} ${entry.type} ${entry.oid}\t${entry.path}\n`);
  } else if (kind === "-p" || kind === object.type) context.write(data);
  else if (kind === "-e") return 0;
  else throw fatal(`git cat-file ${name}: bad file`);
  return 0;
}
