/** Owns `git log`: which commits are shown, and how. */
import type { CommandContext } from "../../command.js";
import { parseOptions, type Options } from "../../support/options.js";
import { formatted, header, templateOf, type Commit } from "./commit-text.js";
import { changesOf, diffForms, writeChanges } from "./diff.js";
import type { Change } from "./diffstat.js";
import {
  beforeDashes,
  commitsOf,
  filterOf,
  firstParents,
  logOptions,
  startsOf,
  wordsOf,
} from "./history.js";
import { decorations } from "./refs.js";
import type { Repository } from "./repository.js";

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
  const { list, paths, starts } = await commitsOf(
    repository,
    wordsOf(context, [...options.operands, ...all]),
  );
  const shows = options.list.some(({ key }) => diffForms.includes(key)) && !options.has("s");
  const chosen = await chosenOf(repository, { list, paths, starts, options, shows });
  if (options.has("reverse")) chosen.reverse();
  const textOf = ({ each }: Chosen): string => {
    const shown = { names: names.get(each.oid) ?? [], date: options.get("date") };
    return template === undefined
      ? header(each, options.has("abbrev"), shown)
      : formatted(template, each, shown);
  };
  const style = { context, options, shows, template };
  await writeLog(style, chosen, textOf);
  return 0;
}

interface Chosen {
  each: Commit;
  changed: Change[];
}

interface LogStyle {
  context: CommandContext;
  options: Options;
  /** Changes are shown. */
  shows: boolean;
  template: string | undefined;
}

/** The commits that a log shows, each with its changes where those are looked at. */
async function chosenOf(
  repository: Repository,
  asked: { list: Commit[]; paths: string[]; starts: string[]; options: Options; shows: boolean },
): Promise<Chosen[]> {
  const { options, paths, shows } = asked;
  const filter = filterOf(options);
  const most = options.has("n") ? Number(options.get("n")) : Infinity;
  let skip = Number(options.get("skip") ?? 0);
  const chosen: Chosen[] = [];
  const isFirst = options.has("first");
  const onLine = firstParents(asked.list, asked.starts);
  const list = isFirst ? asked.list.filter(({ oid }) => onLine.has(oid)) : asked.list;
  for (const each of list) {
    if (chosen.length >= most) break;
    if (!filter(each)) continue;
    const looks = (shows || paths.length > 0) && each.commit.parent.length < 2;
    const changed = looks ? await changesOf(repository, each.oid, paths) : [];
    if (paths.length > 0 && changed.length === 0) continue;
    if (options.has("S") && !(await addsOrTakes(repository, each, paths, options.get("S")!)))
      continue;
    if (skip-- > 0) continue;
    chosen.push({ each, changed });
  }
  return chosen;
}

async function writeLog(
  { context, options, shows, template }: LogStyle,
  chosen: readonly Chosen[],
  textOf: (one: Chosen) => string,
): Promise<void> {
  const format = options.get("format") ?? "";
  // format: stands between commits, tformat: and a bare template behind each.
  const separates = format.startsWith("format:") && !shows;
  const end = options.has("z") ? "\0" : "\n";
  for (const [at, one] of chosen.entries()) {
    const { changed } = one;
    if (template === "") {
      if (!shows || changed.length === 0) continue;
      if (at > 0) context.write("\n");
    } else if (template === undefined) context.write(`${at === 0 ? "" : "\n"}${textOf(one)}`);
    else {
      const text = textOf(one);
      const isLast = at === chosen.length - 1;
      // Where nothing follows, git ends the line all the same: unless its output is for a program.
      context.write(separates ? (isLast ? text : text + end) : `${text}${end}`);
    }
    if (!shows || changed.length === 0) continue;
    if (template === undefined || (template !== "" && !options.has("oneline"))) context.write("\n");
    await writeChanges(context, changed, options);
  }
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
