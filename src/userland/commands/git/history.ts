/** Owns what shows a repository: log, and what names its commits: rev-list, merge-base, describe. */
import type { CommandContext } from "../../command.js";
import { globRegex } from "../../support/glob.js";
import { parseOptions, type Options } from "../../support/options.js";
import { between, commitsFrom } from "./commit-walk.js";
import { changesOf, diffForms, diffOptions, writeChanges } from "./diff.js";
import type { Change } from "./diffstat.js";
import { decorations } from "./refs.js";
import { fatal } from "./failures.js";
import { isChanged, type Repository } from "./repository.js";
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
    const range = /^(.*?)(\.\.\.?)(.*)$/.exec(word);
    if (range !== null && !repository.context.fs.existsSync(word)) {
      const [one, other] = [range[1]!, range[3]!].map((side) => (side === "" ? "HEAD" : side)) as [
        string,
        string,
      ];
      wanted.push(await repository.need(other));
      if (range[2] === "..") await leave(one);
      else {
        wanted.push(await repository.need(one));
        const sides = [one, other].map((side) => repository.need(`${side}^{commit}`));
        const oids = await Promise.all(sides);
        const shared: unknown[] = await repository.git.findMergeBase({ ...repository.base, oids });
        for (const oid of shared) await leave(String(oid));
      }
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
    const [fewest, most] = [options.get("min-parents"), options.get("max-parents")];
    return (
      (fewest === undefined || parent.length >= Number(fewest)) &&
      (most === undefined || parent.length <= Number(most)) &&
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
  "decorate=?": "decorate",
  "no-decorate": "x",
  "abbrev-commit": "abbrev",
  "no-abbrev-commit": "x",
  "date=": "date",
  tags: "tags",
  branches: "branches",
  "min-parents=": "min-parents",
  "max-parents=": "max-parents",
  // Commits are always shown after what they lead to, as far as their clocks say.
  "date-order": "x",
  "topo-order": "x",
  follow: "x",
  "no-show-signature": "x",
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

export async function log(repository: Repository, context: CommandContext): Promise<number> {
  const options = parseOptions(beforeDashes(context), "n:piszS:", logOptions, {
    status: 129,
    numberOption: "n",
  });
  const all = await startsOf(repository, options);
  const template = templateOf(options);
  const isDecorated = options.has("decorate") && options.get("decorate") !== "no";
  const names =
    isDecorated ||
    (template !== undefined &&
      /%[dD]/.test(template) &&
      options.last("oneline", "format") !== "oneline")
      ? await decorations(repository, options.get("decorate") === "full")
      : new Map<string, string[]>();
  const { list, paths } = await commitsOf(
    repository,
    wordsOf(context, [...options.operands, ...all]),
  );
  const filter = filterOf(options);
  const shows = options.list.some(({ key }) => diffForms.includes(key)) && !options.has("s");
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
    if (options.has("S") && !(await addsOrTakes(repository, each, paths, options.get("S")!)))
      continue;
    if (skip-- > 0) continue;
    chosen.push({ each, changed });
  }
  if (options.has("reverse")) chosen.reverse();
  const format = options.get("format") ?? "";
  // format: stands between commits, tformat: and a bare template behind each.
  const separates = format.startsWith("format:") && !shows;
  const end = options.has("z") ? "\0" : "\n";
  for (const [at, { each, changed }] of chosen.entries()) {
    const shown = { names: names.get(each.oid) ?? [], date: options.get("date") };
    if (template === "") {
      if (!shows || changed.length === 0) continue;
      if (at > 0) context.write("\n");
    } else if (template === undefined)
      context.write(`${at === 0 ? "" : "\n"}${header(each, options.has("abbrev"), shown)}`);
    else {
      const text = formatted(template, each, shown);
      const isLast = at === chosen.length - 1;
      // Where nothing follows, git ends the line all the same: unless its output is for a program.
      context.write(separates ? (isLast ? text : text + end) : `${text}${end}`);
    }
    if (!shows || changed.length === 0) continue;
    if (template === undefined || (template !== "" && !options.has("oneline"))) context.write("\n");
    await writeChanges(context, changed, options);
  }
  return 0;
}

/** Whether a commit changes how often a text occurs in a file, as `-S` asks. */
async function addsOrTakes(
  repository: Repository,
  { oid, commit }: Commit,
  paths: readonly string[],
  text: string,
): Promise<boolean> {
  if (commit.parent.length > 1) return false;
  const wanted = Buffer.from(text).toString("latin1");
  const count = async (side: Change["old"]): Promise<number> =>
    side === undefined || wanted === "" ? 0 : (await side.text()).split(wanted).length - 1;
  for (const { old, new: now } of await changesOf(repository, oid, paths))
    if ((await count(old)) !== (await count(now))) return true;
  return false;
}

function firstParents(list: readonly Commit[]): Set<string> {
  const byName = new Map(list.map((each) => [each.oid, each]));
  const line = new Set<string>();
  for (let at = list[0]; at !== undefined; at = byName.get(at.commit.parent[0] ?? ""))
    line.add(at.oid);
  return line;
}

/** Objects of refs of these kinds, each with its name. */
async function refsOf(
  repository: Repository,
  kinds: readonly string[],
): Promise<Record<string, string>> {
  const { git, base } = repository;
  const found: Record<string, string> = {};
  for (const kind of kinds)
    for (const name of await git.listRefs({ ...base, filepath: `refs/${kind}` })) {
      const oid = await repository.resolve(`refs/${kind}/${name}`);
      if (oid !== undefined) found[oid] = name;
    }
  return found;
}

/** Where `--all`, `--tags` and `--branches` begin. */
async function startsOf(repository: Repository, options: Options): Promise<string[]> {
  const kinds = ["tags", "branches"].filter((key) => options.has(key));
  if (options.has("all"))
    return [
      ...Object.keys(await refsOf(repository, ["heads", "tags", "remotes"])),
      ...[(await repository.resolve("HEAD")) ?? []].flat(),
    ];
  return Object.keys(
    await refsOf(
      repository,
      kinds.map((kind) => (kind === "tags" ? "tags" : "heads")),
    ),
  );
}

export async function revList(repository: Repository, context: CommandContext): Promise<number> {
  const options = parseOptions(
    beforeDashes(context),
    "n:",
    { ...logOptions, count: "count", "left-right": "sides" },
    { status: 129, numberOption: "n" },
  );
  const all = await startsOf(repository, options);
  if (options.operands.length + all.length === 0) {
    context.writeError("usage: git rev-list [<options>] <commit>...\n");
    return 129;
  }
  const { list, paths } = await commitsOf(
    repository,
    wordsOf(context, [...options.operands, ...all]),
  );
  if (options.has("sides")) {
    if (!options.has("count") || options.operands.length !== 1)
      throw fatal("rev-list: --left-right is there with --count and one A...B");
    return countSides(repository, context, options.operands[0]!, filterOf(options));
  }
  const touches = new Map<string, boolean>();
  if (paths.length > 0)
    for (const { oid } of list)
      touches.set(oid, (await changesOf(repository, oid, paths)).length > 0);
  const onLine = firstParents(list);
  const chosen = list
    .filter(filterOf(options))
    .filter(({ oid }) => (touches.get(oid) ?? true) && (!options.has("first") || onLine.has(oid)))
    .slice(0, options.has("n") ? Number(options.get("n")) : undefined);
  if (options.has("reverse")) chosen.reverse();
  if (options.has("count")) context.write(`${chosen.length}\n`);
  else context.write(chosen.map(({ oid }) => `${oid}\n`).join(""));
  return 0;
}

/** How many commits each side of `A...B` has alone. */
async function countSides(
  repository: Repository,
  context: CommandContext,
  range: string,
  wanted: (commit: Commit) => boolean,
): Promise<number> {
  const sides = range.split("...", 2).map((side) => repository.need(`${side}^{commit}`));
  const [left, right] = (await Promise.all(sides)) as [string, string];
  const own = async (from: string, to: string): Promise<number> =>
    (await between(repository, from, to)).filter(wanted).length;
  context.write(`${await own(right, left)}\t${await own(left, right)}\n`);
  return 0;
}

export async function mergeBase(repository: Repository, context: CommandContext): Promise<number> {
  const options = parseOptions(context, "", { "is-ancestor": "is" }, { status: 129 });
  const [one, other, extra] = options.operands;
  if (one === undefined || other === undefined || extra !== undefined)
    throw fatal("merge-base takes two commits here");
  const { git, base } = repository;
  const oids = await Promise.all([one, other].map((each) => repository.need(`${each}^{commit}`)));
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
    {
      tags: "tags",
      always: "always",
      "dirty=?": "dirty",
      "abbrev=": "abbrev",
      long: "long",
      "match=": "match",
      "exclude=": "exclude",
      "candidates=": "x",
      "exact-match": "exact",
      "first-parent": "first",
    },
    { status: 129 },
  );
  const { git, base } = repository;
  const head = await repository.need(options.operands[0] ?? "HEAD");
  const [match, exclude] = ["match", "exclude"].map((key) =>
    options.all(key).map((pattern) => globRegex(pattern)),
  ) as [RegExp[], RegExp[]];
  const length = options.has("abbrev") ? Number(options.get("abbrev")) : undefined;
  const names = new Map<string, { name: string; weight: number }>();
  for (const name of (await git.listTags({ ...base })).sort()) {
    if (match.length > 0 && !match.some((one) => one.test(name))) continue;
    if (exclude.some((one) => one.test(name))) continue;
    const oid = await git.resolveRef({ ...base, ref: `refs/tags/${name}` });
    const { type } = await git.readObject({ ...base, oid, format: "content" });
    if (type !== "tag" && !options.has("tags")) continue;
    const tag = type === "tag" ? (await git.readTag({ ...base, oid })).tag : undefined;
    const target = tag?.object ?? oid;
    // Of two at a commit an annotated one counts, then the newer one.
    const weight = tag === undefined ? -1 : (tag.tagger?.timestamp ?? 0);
    if ((names.get(target)?.weight ?? -Infinity) < weight) names.set(target, { name, weight });
  }
  const mark = options.get("dirty") || "-dirty";
  const dirty = options.has("dirty") && (await repository.rows()).some(isChanged) ? mark : "";
  const reached = await commitsFrom(repository, [head]);
  const onLine = firstParents(reached);
  const list = options.has("first") ? reached.filter(({ oid }) => onLine.has(oid)) : reached;
  if (options.has("exact") && !names.has(list[0]!.oid))
    throw fatal(`no tag exactly matches '${head}'`);
  const at = list.findIndex(({ oid }) => names.has(oid));
  if (at === -1) {
    if (!options.has("always"))
      throw fatal(
        names.size === 0
          ? "No names found, cannot describe anything."
          : `No tags can describe '${head}'.\nTry --always, or create some tags.`,
      );
    context.write(`${short(head, length)}${dirty}\n`);
    return 0;
  }
  const tagged = list[at]!.oid;
  const below = new Set((await commitsFrom(repository, [tagged])).map(({ oid }) => oid));
  const count = list.filter(({ oid }) => !below.has(oid)).length;
  const { name } = names.get(tagged)!;
  const isExact = (count === 0 && !options.has("long")) || length === 0;
  context.write(`${name}${isExact ? "" : `-${count}-g${short(head, length)}`}${dirty}\n`);
  return 0;
}
