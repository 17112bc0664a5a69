/**
 * Owns `git apply`: a patch as a whole or not at all, without fuzz; hunks may have moved.
 *
 * Untrusted: the patch. No name of it leads out of the repository or into .git.
 */
import { CommandFailure, type CommandContext } from "../../command.js";
import { openInput, readAll } from "../../support/input.js";
import { parseOptions, type Options } from "../../support/options.js";
import { parsePatch, type FilePatch } from "../../support/patch-format.js";
import { Placement, reversed, splitLines } from "../../support/patch-place.js";
import { byteString, toBytes } from "../../support/text.js";
import { changesBetween, diffOptions, writeChanges } from "./diff.js";
import { shortstat, type Counted } from "./diffstat.js";
import { counted } from "./patch-text.js";
import { fatal } from "./failures.js";
import type { Repository } from "./repository.js";
import { place, stage, tracked, type Files, type Version } from "./trees.js";

function textOf(context: CommandContext, name: string): string {
  try {
    const source = openInput(context, name);
    const text = byteString(readAll(source));
    source.close();
    return text;
  } catch {
    throw new CommandFailure(`error: can't open patch '${name}': No such file or directory`, 128);
  }
}

function nameOf(name: string | undefined, strip: number): string | undefined {
  if (name === undefined || name === "/dev/null") return undefined;
  const path = name.split(/\/+/).slice(strip).join("/");
  const parts = path.split("/");
  if (path === "" || name.startsWith("/"))
    throw fatal(
      `git diff header lacks filename information when removing ${strip} leading pathname component`,
    );
  if (parts.some((part) => part === ".." || part.toLowerCase() === ".git"))
    throw new CommandFailure(`error: invalid path '${path}'`);
  return path;
}

/** The files of the work tree or the index that the patches name. */
async function filesNamed(
  repository: Repository,
  names: readonly string[],
  cached: boolean,
): Promise<Files> {
  const staged = await tracked(repository, "index");
  if (cached) return staged;
  const { context, dir } = repository;
  const files: Files = new Map();
  for (const name of names) {
    const path = `${dir}/${name}`;
    const stat = context.fs.lstatSync(path, { throwIfNoEntry: false });
    if (stat === undefined || !stat.isFile()) continue;
    const text = byteString(context.fs.readFileSync(path));
    const mode = (stat.mode & 0o100) === 0 ? "100644" : "100755";
    files.set(name, { oid: "", mode, text: () => Promise.resolve(text) });
  }
  return files;
}

/** A file as the patch makes it; undefined where it is gone. */
async function patched(
  { hunks }: FilePatch,
  path: string,
  before: Version | undefined,
  gone: boolean,
): Promise<string | undefined> {
  const lines = splitLines((await before?.text()) ?? "");
  const places = new Placement(lines, 0, false);
  const output: string[] = [];
  let [copied, offset] = [0, 0];
  for (const hunk of hunks) {
    const found = places.find(hunk, copied, offset);
    if (found === undefined)
      throw new CommandFailure(
        `error: patch failed: ${path}:${hunk.oldStart}\nerror: ${path}: patch does not apply`,
      );
    offset = found.at - hunk.expectedAt;
    output.push(...lines.slice(copied, found.at), ...places.replaced(hunk, found.at, 0));
    copied = found.at + places.covered(hunk, 0);
  }
  output.push(...lines.slice(copied));
  if (gone && output.length > 0)
    throw new CommandFailure(
      `error: removal patch leaves file contents\nerror: ${path}: patch does not apply`,
    );
  return gone ? undefined : output.join("");
}

interface Target {
  path: string;
  from: string | undefined;
  patch: FilePatch;
}

function targetOf(patch: FilePatch, strip: number): Target {
  const [from, to] = [nameOf(patch.oldName, strip), nameOf(patch.newName, strip)];
  const path = to ?? from;
  if (path === undefined) throw fatal("a patch that names no file");
  return { path, from, patch };
}

async function results(
  repository: Repository,
  targets: readonly Target[],
  before: Files,
): Promise<Files> {
  const after: Files = new Map(before);
  const failures: string[] = [];
  for (const target of targets) {
    try {
      await applyTo(repository, target, after);
    } catch (error) {
      if (!(error instanceof CommandFailure)) throw error;
      failures.push(error.message);
    }
  }
  if (failures.length > 0) throw new CommandFailure(failures.join("\n"));
  return after;
}

async function applyTo(
  repository: Repository,
  { path, from, patch }: Target,
  after: Files,
): Promise<void> {
  const old = from === undefined ? undefined : after.get(from);
  if (from !== undefined && old === undefined)
    throw new CommandFailure(`error: ${from}: No such file or directory`);
  if (from === undefined && after.has(path))
    throw new CommandFailure(`error: ${path}: already exists in working directory`);
  const text = await patched(patch, path, old, patch.newName === "/dev/null");
  if (from !== undefined && from !== path) after.delete(from);
  if (text === undefined) {
    after.delete(path);
    return;
  }
  const blob = Buffer.from(text, "latin1");
  const oid = await repository.git.writeBlob({ ...repository.base, blob });
  const mode = patch.mode === undefined ? (old?.mode ?? "100644") : patch.mode.toString(8);
  after.set(path, { oid, mode, text: () => Promise.resolve(text) });
}

/** Widths of apply's own table (apply.c, show_stats). */
const nameColumns = 50;
const tableColumns = 70;

function applyStat(list: readonly Counted[]): string {
  const most = Math.max(1, ...list.map(({ added, removed }) => added + removed));
  const width = Math.min(nameColumns, Math.max(0, ...list.map(({ path }) => path.length)));
  const graph = width + most > tableColumns ? tableColumns - width : most;
  const scaled = (value: number): number =>
    Math.floor((value * graph + Math.floor(most / 2)) / most);
  const rows = list.map(({ path, added, removed }) => {
    const name = path.length > width ? `...${path.slice(path.length - width + 3)}` : path;
    const plus = scaled(added);
    const minus = scaled(added + removed) - plus;
    const total = String(added + removed).padStart(5);
    return ` ${name.padEnd(width)} |${total} ${"+".repeat(plus)}${"-".repeat(minus)}\n`;
  });
  return toBytes(rows.join("")) + shortstat(list);
}

function patchesOf(context: CommandContext, options: Options): FilePatch[] {
  const names = options.operands.length === 0 ? ["-"] : options.operands;
  const texts = names.map((name) => textOf(context, name));
  const refused = /^(GIT binary patch|rename from |copy from )/m.exec(texts.join("\n"));
  if (refused !== null) throw fatal(`'${refused[1]!.trim()}' in a patch is not there`);
  const patches = texts.flatMap((text) => parsePatch(text));
  if (patches.length === 0 && !options.has("allow-empty"))
    throw new CommandFailure('error: No valid patches in input (allow with "--allow-empty")', 128);
  return options.has("R") ? patches.toReversed().map(reversed) : patches;
}

export async function apply(repository: Repository, context: CommandContext): Promise<number> {
  const options = parseOptions(
    context,
    "Rp:vq",
    {
      ...diffOptions,
      check: "check",
      cached: "cached",
      index: "index",
      reverse: "R",
      "allow-empty": "allow-empty",
      // Counts and places of a patch are looked for where they are not right as well.
      "whitespace=": "x",
      recount: "x",
      "unidiff-zero": "x",
      "ignore-whitespace": "x",
      verbose: "v",
    },
    { status: 129 },
  );
  const strip = Number(
    options.list.findLast(({ key, value }) => key === "p" && value !== "")?.value ?? 1,
  );
  const targets = patchesOf(context, options).map((patch) => targetOf(patch, strip));
  const names = targets.flatMap(({ path, from }) => [path, ...(from === undefined ? [] : [from])]);
  const before = await filesNamed(repository, names, options.has("cached"));
  const after = await results(repository, targets, before);
  const list = changesBetween(before, after, [], false);
  if (options.has("stat")) context.writeBytes(applyStat(await Promise.all(list.map(counted))));
  else if (options.has("numstat", "summary", "shortstat"))
    await writeChanges(context, list, options, "nothing");
  if (options.has("check", "stat", "numstat", "summary", "shortstat")) return 0;
  for (const { path, new: version } of list) {
    if (!options.has("cached")) await place(repository, path, version);
    if (options.has("cached", "index")) await stage(repository, path, version);
  }
  return 0;
}
