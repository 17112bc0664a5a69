/** Owns which commits a log is about, and what names them: rev-list, merge-base, describe. */
import type { CommandContext } from "../../command.js";
import { globRegex } from "../../support/glob.js";
import { parseOptions, type Options } from "../../support/options.js";
import { between, commitsFrom } from "./commit-walk.js";
import { changesOf, diffOptions } from "./diff.js";
import { fatal } from "./failures.js";
import { isChanged, type Repository } from "./repository.js";
import { short, type Commit } from "./commit-text.js";

/** Which commits a log is about, and how they are filtered. */
export async function commitsOf(
  repository: Repository,
  words: readonly string[],
): Promise<{ list: Commit[]; paths: string[]; starts: string[] }> {
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
  return { list, paths: paths.map((path) => repository.pathOf(path)), starts: wanted };
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

export function filterOf(options: Options): (commit: Commit) => boolean {
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

export const logOptions = {
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
export function wordsOf(context: CommandContext, operands: readonly string[]): string[] {
  const end = context.argv.indexOf("--");
  return end === -1 ? [...operands] : [...operands, "--", ...context.argv.slice(end + 1)];
}

export function beforeDashes(context: CommandContext): CommandContext {
  const end = context.argv.indexOf("--");
  return end === -1 ? context : { ...context, argv: context.argv.slice(0, end) };
}

/** Those that first parents lead to, from each start or from the newest. */
export function firstParents(list: readonly Commit[], starts: readonly string[] = []): Set<string> {
  const byName = new Map(list.map((each) => [each.oid, each]));
  const line = new Set<string>();
  for (const start of starts.length > 1 ? starts : [list[0]?.oid ?? ""])
    for (let at = byName.get(start); at !== undefined && !line.has(at.oid);) {
      line.add(at.oid);
      at = byName.get(at.commit.parent[0] ?? "");
    }
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
export async function startsOf(repository: Repository, options: Options): Promise<string[]> {
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
