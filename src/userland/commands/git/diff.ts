/** Owns `git diff` and `git show`: which two sides, which files of them, and in which form. */
import type { CommandContext } from "../../command.js";
import { parseOptions, type Options } from "../../support/options.js";
import { byteString, compareBytes } from "../../support/text.js";
import { numstat, shortstat, stat, summary, type Change } from "./diffstat.js";
import { formatted, header, templateOf } from "./commit-text.js";
import { counted, patchOf } from "./patch-text.js";
import { isPattern, pathspec } from "./pathspec.js";
import { writeRaw } from "./raw-changes.js";
import { peeled } from "./refs.js";
import { conflictsOf } from "./conflicts.js";
import { fatal } from "./failures.js";
import type { Repository } from "./repository.js";
import { filesOf, tracked, type Files } from "./trees.js";

/** Options of every command that shows a difference. */
export const diffOptions = {
  "name-only": "names",
  "name-status": "status",
  quiet: "quiet",
  "diff-filter=": "filter",
  "no-color": "x",
  "stat=?": "stat",
  numstat: "numstat",
  shortstat: "shortstat",
  summary: "summary",
  patch: "p",
  "no-patch": "s",
  "unified=": "U",
  binary: "binary",
  text: "x",
  "color=?": "x",
  "src-prefix=": "x",
  "dst-prefix=": "x",
  "submodule=?": "x",
  "output=": "output",
  raw: "raw",
  "no-ext-diff": "x",
  "no-relative": "x",
  "ignore-submodules=?": "x",
  "no-renames": "norenames",
  "find-renames": "x",
};

/** Keys of options that choose how differences are shown. */
export const diffForms = ["names", "status", "stat", "numstat", "shortstat", "summary", "p", "U"];

type Within = readonly string[] | ((path: string) => boolean);

export const isWithin = (path: string, within: Within): boolean =>
  typeof within === "function"
    ? within(path)
    : within.length === 0 ||
      within.some((name) => name === "." || path === name || path.startsWith(`${name}/`));

/** What differs, in byte order of paths. Files that were moved and not changed are one change each. */
export function changesBetween(
  before: Files,
  after: Files,
  paths: Within = [],
  renames = true,
): Change[] {
  const list: Change[] = [];
  const names = new Set([...before.keys(), ...after.keys()]);
  for (const path of [...names].sort(compareBytes)) {
    if (!isWithin(path, paths)) continue;
    const [old, now] = [before.get(path), after.get(path)];
    if (old !== undefined && now !== undefined && old.oid === now.oid && old.mode === now.mode)
      continue;
    list.push({ path, old, new: now });
  }
  return renames ? withRenames(list) : list;
}

const emptyBlob = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";

function withRenames(list: Change[]): Change[] {
  const gone = list.filter(({ new: now, old }) => now === undefined && old!.oid !== emptyBlob);
  const taken = new Set<Change>();
  const result = list.map((change): Change => {
    if (change.old !== undefined) return change;
    const alike = gone
      .filter(({ old }) => old!.oid === change.new!.oid)
      .filter((one) => !taken.has(one));
    const name = change.path.slice(change.path.lastIndexOf("/") + 1);
    const source = alike.find(({ path }) => path.endsWith(`/${name}`) || path === name) ?? alike[0];
    if (source === undefined) return change;
    taken.add(source);
    return { ...change, from: source.path, old: source.old };
  });
  return result.filter((change) => !taken.has(change));
}

const letterOf = ({ old, new: now, from }: Change): string =>
  from !== undefined ? "R100" : old === undefined ? "A" : now === undefined ? "D" : "M";

/** Writes the changes in the forms that are asked for; patches where none is, or `otherwise`. */
export async function writeChanges(
  context: CommandContext,
  all: readonly Change[],
  options: Options,
  otherwise: "patch" | "nothing" = "patch",
): Promise<void> {
  if (options.has("quiet") || options.has("s")) return;
  const list = filtered(all, options.get("filter"));
  const [end, between] = options.has("z") ? ["\0", "\0"] : ["\n", "\t"];
  if (options.has("names")) return context.write(list.map(({ path }) => path + end).join(""));
  if (options.has("status")) {
    const line = ({ from, path }: Change, letter: string): string =>
      [letter, ...(from === undefined ? [] : [from]), path].join(between) + end;
    return context.write(list.map((each) => line(each, letterOf(each))).join(""));
  }
  const short = ["stat", "numstat", "shortstat", "summary"].some((key) => options.has(key));
  if (short) {
    const all = await Promise.all(list.map(counted));
    if (options.has("numstat")) context.writeBytes(numstat(all));
    if (options.has("stat"))
      context.writeBytes(stat(all, Number(options.get("stat")?.split(",", 1)[0]) || undefined));
    else if (options.has("shortstat") && all.length > 0) context.write(shortstat(all));
    if (options.has("summary")) context.writeBytes(summary(list));
  }
  if (!options.has("p", "U") && (short || otherwise === "nothing")) return;
  if (short && list.length > 0) context.write("\n");
  const around = options.has("U") ? Number(options.get("U")) : undefined;
  for (const change of list) {
    const text = await patchOf(change, around);
    if (options.has("binary") && /^Binary files /m.test(text))
      throw fatal(`${change.path}: binary patches are not there`);
    context.writeBytes(text);
  }
}

/** Those whose letter is wanted: capital letters choose, small ones leave out. */
function filtered(list: readonly Change[], filter: string | undefined): readonly Change[] {
  if (filter === undefined) return list;
  const chosen = filter.replace(/[a-z]/g, "");
  return list.filter((each) => {
    const letter = letterOf(each)[0]!;
    return !filter.includes(letter.toLowerCase()) && (chosen === "" || chosen.includes(letter));
  });
}

interface Sides {
  before: Files;
  after: Files;
  /** Where the new side is the work tree. */
  staged: Files | undefined;
}

/** The common ancestor of two sides, for `a...b`. */
async function baseOf(repository: Repository, one: string, other: string): Promise<string> {
  const found: unknown[] = await repository.git.findMergeBase({
    ...repository.base,
    oids: [await peeled(repository, one), await peeled(repository, other)],
  });
  if (typeof found[0] !== "string") throw fatal(`${one}...${other}: no merge base`);
  return found[0];
}

async function sidesOf(
  repository: Repository,
  revisions: readonly string[],
  cached: boolean,
): Promise<Sides> {
  const [first, second] = revisions;
  const before =
    first !== undefined || cached
      ? await filesOf(repository, first ?? (await repository.resolve("HEAD")))
      : await tracked(repository, "index");
  const after =
    second !== undefined
      ? await filesOf(repository, second)
      : await tracked(repository, cached ? "index" : "work");
  const isWork = second === undefined && !cached;
  return { before, after, staged: isWork ? await tracked(repository, "index") : undefined };
}

export async function diff(repository: Repository, context: CommandContext): Promise<number> {
  const end = context.argv.indexOf("--");
  const before = end === -1 ? context.argv : context.argv.slice(0, end);
  const options = parseOptions(
    { ...context, argv: before },
    "puszMU:",
    { ...diffOptions, cached: "cached", staged: "cached", "exit-code": "code" },
    { status: 129 },
  );
  const revisions: string[] = [];
  const paths = end === -1 ? [] : context.argv.slice(end + 1);
  for (const word of options.operands) {
    const range = /^(.*?)(\.\.\.?)(.*)$/.exec(word);
    if (range !== null && !context.fs.existsSync(word)) {
      const sides = [range[1]!, range[3]!].map((each) =>
        repository.need(each === "" ? "HEAD" : each),
      );
      const [one, other] = (await Promise.all(sides)) as [string, string];
      revisions.push(range[2] === "..." ? await baseOf(repository, one, other) : one, other);
      continue;
    }
    const oid = paths.length === 0 ? await repository.resolve(word) : undefined;
    if (oid !== undefined) revisions.push(oid);
    else if (end === -1 && (context.fs.existsSync(word) || isPattern(word))) paths.push(word);
    else await repository.need(word);
  }
  // What conflicts is in no commit: it has a letter of its own in what the work tree is compared with alone.
  if (options.get("filter")?.includes("U") === true && revisions.length === 0) {
    const open = await conflictsOf(repository, await repository.rows());
    for (const path of [...open.keys()].filter(pathspec(repository, paths)))
      context.write(
        `${options.has("status") ? "U\t" : ""}${path}${options.has("z") ? "\0" : "\n"}`,
      );
    return 0;
  }
  const sides = await sidesOf(repository, revisions, options.has("cached"));
  const list = changesBetween(
    sides.before,
    sides.after,
    pathspec(repository, paths),
    !options.has("norenames"),
  );
  const show = (to: CommandContext): Promise<void> | void =>
    options.has("raw") && !options.list.some(({ key }) => diffForms.includes(key))
      ? writeRaw(to, filtered(list, options.get("filter")), options, sides.staged, {
          abbreviated: true,
        })
      : writeChanges(to, list, options);
  const output = options.get("output");
  if (output === undefined) await show(context);
  else {
    let text = "";
    const writeBytes = (data: string): void => void (text += data);
    const write = (data: string | Uint8Array): void => writeBytes(byteString(Buffer.from(data)));
    await show({ ...context, write, writeBytes });
    context.fs.writeFileSync(output, Buffer.from(text, "latin1"));
  }
  return options.has("code", "quiet") && list.length > 0 ? 1 : 0;
}

/** What a commit changed beside its first parent. */
export async function changesOf(
  repository: Repository,
  oid: string,
  paths: readonly string[] = [],
  renames = true,
): Promise<Change[]> {
  const { commit } = await repository.git.readCommit({ ...repository.base, oid });
  const before = await filesOf(repository, commit.parent[0]);
  return changesBetween(before, await filesOf(repository, oid), paths, renames);
}

export async function show(repository: Repository, context: CommandContext): Promise<number> {
  const options = parseOptions(
    context,
    "sp",
    { ...diffOptions, oneline: "oneline", "format=": "format", "pretty=": "format" },
    { status: 129 },
  );
  for (const name of options.operands.length === 0 ? ["HEAD"] : options.operands) {
    const [revision = "", path] = name.split(":", 2);
    const oid = await repository.need(revision);
    if (path !== undefined) {
      const file = (await filesOf(repository, oid)).get(path);
      if (file === undefined) throw fatal(`path '${path}' does not exist in '${revision}'`);
      context.writeBytes(await file.text());
      continue;
    }
    const commit = await repository.git.readCommit({ ...repository.base, oid });
    const template = templateOf(options);
    context.write(template === undefined ? header(commit) : `${formatted(template, commit)}\n`);
    if (options.has("s") || commit.commit.parent.length > 1) continue;
    const list = await changesOf(repository, commit.oid, [], !options.has("norenames"));
    if (list.length > 0 && !options.has("oneline")) context.write("\n");
    await writeChanges(context, list, options);
  }
  return 0;
}
