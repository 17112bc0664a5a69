/** Owns what shows a repository: log, show, diff, status, rev-parse, ls-files, cat-file. */
import type { CommandContext } from "../../command.js";
import { parseOptions, type Options } from "../../support/options.js";
import { compareBytes, toBytes } from "../../support/text.js";
import { changes, type Hunk } from "../diff/compare.js";
import { dayNames, monthNames } from "../../support/strftime.js";
import { fatal, type Repository } from "./repository.js";

type Commit = Awaited<ReturnType<Repository["git"]["readCommit"]>>;
type Person = Commit["commit"]["author"];

/** Lines of context around a change. */
const contextLines = 3;
const shortLength = 7;
const two = (value: number) => String(value).padStart(2, "0");

export const short = (oid: string) => oid.slice(0, shortLength);

function dateText({ timestamp, timezoneOffset }: Person): string {
  const at = new Date((timestamp - timezoneOffset * 60) * 1000);
  const zone = Math.abs(timezoneOffset);
  const sign = timezoneOffset > 0 ? "-" : "+";
  return `${dayNames[at.getUTCDay()]} ${monthNames[at.getUTCMonth()]} ${at.getUTCDate()} ${two(at.getUTCHours())}:${two(at.getUTCMinutes())}:${two(at.getUTCSeconds())} ${at.getUTCFullYear()} ${sign}${two(Math.floor(zone / 60))}${two(zone % 60)}`;
}

function formatted(template: string, { oid, commit }: Commit): string {
  const lines = commit.message.replace(/\n+$/, "").split("\n");
  const values: Record<string, string> = {
    H: oid,
    h: short(oid),
    T: commit.tree,
    P: commit.parent.join(" "),
    p: commit.parent.map(short).join(" "),
    an: commit.author.name,
    ae: commit.author.email,
    ad: dateText(commit.author),
    at: String(commit.author.timestamp),
    cn: commit.committer.name,
    ce: commit.committer.email,
    cd: dateText(commit.committer),
    ct: String(commit.committer.timestamp),
    s: lines[0]!,
    b: lines
      .slice(2)
      .map((line) => `${line}\n`)
      .join(""),
    B: `${lines.join("\n")}\n`,
    n: "\n",
    "%": "%",
  };
  return template.replace(
    /%(a[ne dt]|c[nedt]|[HhTPpsbBn%])/g,
    (all, key: string) => values[key] ?? all,
  );
}

function header({ oid, commit }: Commit): string {
  const message = commit.message.replace(/\n+$/, "").split("\n");
  const merge = commit.parent.length > 1 ? `Merge: ${commit.parent.map(short).join(" ")}\n` : "";
  return (
    `commit ${oid}\n${merge}Author: ${commit.author.name} <${commit.author.email}>\n` +
    `Date:   ${dateText(commit.author)}\n\n${message.map((line) => (line === "" ? "" : `    ${line}`)).join("\n")}\n`
  );
}

const templateOf = (options: Options): string | undefined => {
  const value = options.get("format");
  if (options.has("oneline") || value === "oneline") return "%h %s";
  if (value === undefined || value === "medium") return undefined;
  if (value.includes("%")) return value.replace(/^t?format:/, "");
  throw fatal(`invalid --pretty format: ${value}`);
};

export async function log(repository: Repository, context: CommandContext): Promise<number> {
  const options = parseOptions(
    context,
    "n:",
    {
      oneline: "oneline",
      "max-count=": "n",
      "format=": "format",
      "pretty=": "format",
      "no-color": "x",
    },
    { status: 129, numberOption: "n" },
  );
  if (options.operands.length > 1) throw fatal("log takes one revision here");
  const name = options.operands[0] ?? "HEAD";
  const head = await repository.resolve(name);
  if (head === undefined && name === "HEAD")
    throw fatal(
      `your current branch '${(await repository.branch()) ?? "HEAD"}' does not have any commits yet`,
    );
  const depth = options.has("n") ? Number(options.get("n")) : undefined;
  if (depth === 0) return 0;
  const list = await repository.git.log({
    ...repository.base,
    ref: head ?? (await repository.need(name)),
    ...(depth === undefined ? {} : { depth }),
  });
  const template = templateOf(options);
  const texts = list.map((each) =>
    template === undefined ? header(each) : `${formatted(template, each)}\n`,
  );
  context.write(texts.join(template === undefined ? "\n" : ""));
  return 0;
}

/** One side of a file's change. */
interface Version {
  oid: string;
  mode: string;
  text: string;
}

type Files = Map<string, () => Promise<Version>>;

async function filesOf(repository: Repository, oid: string | undefined): Promise<Files> {
  const files: Files = new Map();
  if (oid === undefined) return files;
  const { git, base } = repository;
  const visit = async (tree: string, prefix: string): Promise<void> => {
    for (const entry of (await git.readTree({ ...base, oid: tree })).tree) {
      const path = prefix + entry.path;
      if (entry.type === "tree") await visit(entry.oid, `${path}/`);
      else if (entry.type === "blob")
        files.set(path, async () => ({
          oid: entry.oid,
          mode: entry.mode,
          text: await repository.blob(entry.oid),
        }));
    }
  };
  await visit(oid, "");
  return files;
}

/** What the index or the work tree holds of the tracked files. */
async function tracked(repository: Repository, where: "index" | "work"): Promise<Files> {
  const { git, base } = repository;
  const files: Files = new Map();
  const trees = [git.STAGE(), ...(where === "work" ? [git.WORKDIR()] : [])];
  await git.walk({
    ...base,
    trees,
    map: async (path, [staged, work]) => {
      const entry = where === "work" ? work : staged;
      // Undefined would end the walk below a folder of the index, which has no entry there of its own.
      if (!staged) return path === "." ? true : null;
      if (!entry || (await entry.type()) !== "blob") return true;
      files.set(path, async () => {
        const oid = (await entry.oid())!;
        const content = where === "work" ? await entry.content() : undefined;
        const text =
          content === undefined
            ? await repository.blob(oid)
            : Buffer.from(content).toString("latin1");
        return { oid, mode: (await entry.mode()).toString(8), text };
      });
      return true;
    },
  });
  return files;
}

function lines(text: string): { list: string[]; ended: boolean } {
  const list = text.split("\n");
  const ended = list.at(-1) === "";
  if (ended) list.pop();
  return { list, ended };
}

function hunkText(a: string, b: string): string {
  const [left, right] = [lines(a), lines(b)];
  const last = "\\ No newline at end of file\n";
  // A last line without its newline differs from the same line with one.
  const key = (side: { list: string[]; ended: boolean }) =>
    side.list.map((line, at) => (at === side.list.length - 1 && !side.ended ? `${line}\0` : line));
  const groups: Hunk[][] = [];
  for (const hunk of changes(key(left), key(right))) {
    const before = groups.at(-1)?.at(-1);
    if (before !== undefined && hunk.aStart - before.aEnd <= 2 * contextLines)
      groups.at(-1)!.push(hunk);
    else groups.push([hunk]);
  }
  const range = (from: number, to: number) =>
    to - from === 1 ? String(from + 1) : to === from ? `${from},0` : `${from + 1},${to - from}`;
  let out = "";
  const put = (mark: string, side: { list: string[]; ended: boolean }, at: number) => {
    out += `${mark}${side.list[at]!}\n${!side.ended && at === side.list.length - 1 ? last : ""}`;
  };
  for (const group of groups) {
    const [first, end] = [group[0]!, group.at(-1)!];
    const [aFrom, bFrom] = [first.aStart, first.bStart].map((at) =>
      Math.max(0, at - contextLines),
    ) as [number, number];
    const aTo = Math.min(left.list.length, end.aEnd + contextLines);
    const bTo = Math.min(right.list.length, end.bEnd + contextLines);
    const name = left.list.slice(0, aFrom).findLast((line) => /^[A-Za-z_$]/.test(line));
    out += `@@ -${range(aFrom, aTo)} +${range(bFrom, bTo)} @@${name === undefined ? "" : ` ${name.slice(0, 80).trimEnd()}`}\n`;
    let at = aFrom;
    for (const hunk of group) {
      for (; at < hunk.aStart; at++) put(" ", left, at);
      for (; at < hunk.aEnd; at++) put("-", left, at);
      for (let from = hunk.bStart; from < hunk.bEnd; from++) put("+", right, from);
    }
    for (; at < aTo; at++) put(" ", left, at);
  }
  return out;
}

function patchOf(path: string, a: Version | undefined, b: Version | undefined): string {
  if (a !== undefined && b !== undefined && a.oid === b.oid && a.mode === b.mode) return "";
  let out = `diff --git a/${path} b/${path}\n`;
  if (a === undefined) out += `new file mode ${b!.mode}\n`;
  else if (b === undefined) out += `deleted file mode ${a.mode}\n`;
  else if (a.mode !== b.mode) out += `old mode ${a.mode}\nnew mode ${b.mode}\n`;
  if (a?.oid === b?.oid) return toBytes(out);
  const none = "0".repeat(40);
  const mode = a !== undefined && b !== undefined && a.mode === b.mode ? ` ${a.mode}` : "";
  out += `index ${short(a?.oid ?? none)}..${short(b?.oid ?? none)}${mode}\n`;
  const [from, to] = [a?.text ?? "", b?.text ?? ""];
  const names = [
    a === undefined ? "/dev/null" : `a/${path}`,
    b === undefined ? "/dev/null" : `b/${path}`,
  ];
  if (from.includes("\0") || to.includes("\0"))
    return toBytes(`${out}Binary files ${names[0]} and ${names[1]} differ\n`);
  const hunks = hunkText(from, to);
  return toBytes(hunks === "" ? out : `${out}--- ${names[0]}\n+++ ${names[1]}\n`) + hunks;
}

async function writeDiff(
  context: CommandContext,
  a: Files,
  b: Files,
  options: Options,
  paths: string[],
): Promise<number> {
  let differs = 0;
  const names = [...new Set([...a.keys(), ...b.keys()])].sort(compareBytes);
  for (const name of names) {
    if (
      paths.length > 0 &&
      !paths.some((path) => path === "." || name === path || name.startsWith(`${path}/`))
    )
      continue;
    const [left, right] = [await a.get(name)?.(), await b.get(name)?.()];
    const text = patchOf(name, left, right);
    if (text === "") continue;
    differs = 1;
    const letter = left === undefined ? "A" : right === undefined ? "D" : "M";
    if (options.has("quiet")) break;
    if (options.has("names")) context.write(`${name}\n`);
    else if (options.has("status")) context.write(`${letter}\t${name}\n`);
    else context.writeBytes(text);
  }
  return differs;
}

const diffOptions = {
  "name-only": "names",
  "name-status": "status",
  quiet: "quiet",
  "no-color": "x",
};

export async function diff(repository: Repository, context: CommandContext): Promise<number> {
  const end = context.argv.indexOf("--");
  const before = end === -1 ? context.argv : context.argv.slice(0, end);
  const options = parseOptions(
    { ...context, argv: before },
    "",
    { ...diffOptions, cached: "cached", staged: "cached", "exit-code": "code" },
    { status: 129 },
  );
  const words = options.operands.flatMap((word) => word.split(/\.\.(?!\.)/));
  const revisions: string[] = [];
  const paths = end === -1 ? [] : context.argv.slice(end + 1);
  for (const word of words) {
    const oid = paths.length === 0 ? await repository.resolve(word) : undefined;
    if (oid !== undefined) revisions.push(oid);
    else if (end === -1 && context.fs.existsSync(word)) paths.push(word);
    else await repository.need(word);
  }
  const cached = options.has("cached");
  const [first, second] = revisions;
  const left =
    first !== undefined || cached
      ? await filesOf(repository, first ?? (await repository.resolve("HEAD")))
      : await tracked(repository, "index");
  const right =
    second !== undefined
      ? await filesOf(repository, second)
      : await tracked(repository, cached ? "index" : "work");
  const differs = await writeDiff(
    context,
    left,
    right,
    options,
    paths.map((path) => repository.pathOf(path)),
  );
  return options.has("code", "quiet") ? differs : 0;
}

export async function show(repository: Repository, context: CommandContext): Promise<number> {
  const options = parseOptions(
    context,
    "s",
    {
      ...diffOptions,
      "no-patch": "s",
      oneline: "oneline",
      "format=": "format",
      "pretty=": "format",
    },
    { status: 129 },
  );
  for (const name of options.operands.length === 0 ? ["HEAD"] : options.operands) {
    const [revision = "", path] = name.split(":", 2);
    const oid = await repository.need(revision);
    if (path !== undefined) {
      const file = (await filesOf(repository, oid)).get(path);
      if (file === undefined) throw fatal(`path '${path}' does not exist in '${revision}'`);
      context.writeBytes((await file()).text);
      continue;
    }
    const commit = await repository.git.readCommit({ ...repository.base, oid });
    const template = templateOf(options);
    context.write(template === undefined ? header(commit) : `${formatted(template, commit)}\n`);
    if (options.has("s") || commit.commit.parent.length > 1) continue;
    if (template === undefined) context.write("\n");
    const parent = commit.commit.parent[0];
    await writeDiff(
      context,
      await filesOf(repository, parent),
      await filesOf(repository, oid),
      options,
      [],
    );
  }
  return 0;
}

export async function revParse(repository: Repository, context: CommandContext): Promise<number> {
  let abbreviated = false;
  let names = false;
  for (const word of context.argv.slice(1)) {
    if (word === "--show-toplevel") context.write(`${repository.dir}\n`);
    else if (word === "--git-dir")
      context.write(repository.dir === context.cwd() ? ".git\n" : `${repository.dir}/.git\n`);
    else if (word === "--is-inside-work-tree") context.write("true\n");
    else if (word === "--short") abbreviated = true;
    else if (word === "--abbrev-ref") names = true;
    else if (word === "--verify" || word === "-q") continue;
    else if (word.startsWith("-")) throw fatal(`rev-parse: option '${word}' is not there`);
    else if (names)
      context.write(`${word === "HEAD" ? ((await repository.branch()) ?? "HEAD") : word}\n`);
    else {
      const oid = await repository.need(word);
      context.write(`${abbreviated ? short(oid) : oid}\n`);
    }
  }
  return 0;
}

export async function lsFiles(repository: Repository, context: CommandContext): Promise<number> {
  const options = parseOptions(
    context,
    "omdz",
    { others: "o", modified: "m", deleted: "d", "exclude-standard": "x" },
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
