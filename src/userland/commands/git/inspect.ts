/** Owns what looks into a repository without its history: check-ignore, count-objects, grep, ls-remote, worktree list. */
import type { CommandContext } from "../../command.js";
import { lineMatcher } from "../../support/line-matcher.js";
import { readAll, standardInput } from "../../support/input.js";
import { parseOptions } from "../../support/options.js";
import { atDashes } from "./compare.js";
import { transport } from "./library.js";
import { pathspec } from "./pathspec.js";
import { fatal } from "./failures.js";
import type { Repository } from "./repository.js";
import { filesOf, tracked } from "./trees.js";

export async function checkIgnore(
  repository: Repository,
  context: CommandContext,
): Promise<number> {
  const options = parseOptions(
    context,
    "qz",
    { quiet: "q", stdin: "stdin", "no-index": "noindex" },
    { status: 129 },
  );
  const end = options.has("z") ? "\0" : "\n";
  const words = options.has("stdin")
    ? readAll(standardInput(context)).toString().split(end).filter(Boolean)
    : options.operands;
  if (words.length === 0) throw fatal("no path specified");
  const { git, base } = repository;
  const staged = options.has("noindex") ? new Map() : await tracked(repository, "index");
  let found = false;
  for (const word of words) {
    const filepath = repository.pathOf(word);
    if (filepath === "." || staged.has(filepath)) continue;
    if (!(await git.isIgnored({ ...base, filepath }))) continue;
    found = true;
    if (!options.has("q")) context.write(`${word}${end}`);
  }
  return found ? 0 : 1;
}

/** Loose objects and packs, with their sizes in KiB. */
export function countObjects({ dir }: Repository, context: CommandContext): Promise<number> {
  const options = parseOptions(context, "v", { verbose: "v" }, { status: 129 });
  const { fs } = context;
  const folder = `${dir}/.git/objects`;
  const sizes = (path: string, names: readonly string[]): number =>
    names.reduce((sum, name) => sum + fs.statSync(`${path}/${name}`).blocks * 512, 0);
  let [count, size] = [0, 0];
  for (const name of fs.readdirSync(folder)) {
    if (!/^[0-9a-f]{2}$/.test(name)) continue;
    const names = fs.readdirSync(`${folder}/${name}`);
    count += names.length;
    size += sizes(`${folder}/${name}`, names);
  }
  const kib = (bytes: number): number => Math.floor(bytes / 1024);
  if (!options.has("v")) {
    context.write(`${count} objects, ${kib(size)} kilobytes\n`);
    return Promise.resolve(0);
  }
  const packs = fs.existsSync(`${folder}/pack`) ? fs.readdirSync(`${folder}/pack`) : [];
  const indexes = packs.filter((name) => name.endsWith(".idx"));
  // A pack's index, version 2, counts its objects in the last of 256 words behind eight bytes.
  const inPack = indexes.reduce(
    (sum, name) => sum + fs.readFileSync(`${folder}/pack/${name}`).readUInt32BE(8 + 255 * 4),
    0,
  );
  const inPacks = sizes(
    `${folder}/pack`,
    packs.filter((name) => /\.(?:pack|idx)$/.test(name)),
  );
  context.write(
    `count: ${count}\nsize: ${kib(size)}\nin-pack: ${inPack}\npacks: ${indexes.length}\nsize-pack: ${kib(inPacks)}\n` +
      `prune-packable: 0\ngarbage: 0\nsize-garbage: 0\n`,
  );
  return Promise.resolve(0);
}

const grepOptions = {
  "line-number": "n",
  "name-only": "l",
  "files-with-matches": "l",
  "files-without-match": "L",
  "ignore-case": "i",
  "word-regexp": "w",
  "invert-match": "v",
  "extended-regexp": "E",
  "fixed-strings": "F",
  "perl-regexp": "P",
  count: "c",
  null: "z",
  "full-name": "full",
  quiet: "q",
  cached: "cached",
  "no-color": "x",
  "color=?": "x",
};

export async function grep(repository: Repository, context: CommandContext): Promise<number> {
  const { before, after } = atDashes(context);
  const options = parseOptions(before, "nlLiwvEFPGczqhHIe:", grepOptions, { status: 129 });
  const words = [...options.operands];
  const patterns = options.all("e");
  if (patterns.length === 0) patterns.push(words.shift() ?? "");
  if (patterns[0] === "" && patterns.length === 1) throw fatal("no pattern given");
  const syntax = (["F", "P", "E"] as const).find((key) => options.has(key)) ?? "G";
  const whole = options.has("w") ? "word" : undefined;
  const matcher = lineMatcher(patterns, { syntax, ignoreCase: options.has("i"), whole });
  const revision = words[0] === undefined ? undefined : await repository.resolve(words[0]);
  if (revision !== undefined) words.shift();
  const files =
    revision !== undefined
      ? await filesOf(repository, revision)
      : await tracked(repository, options.has("cached") ? "index" : "work");
  const has = pathspec(repository, [...words, ...after]);
  const end = options.has("z") ? "\0" : undefined;
  let found = false;
  for (const [path, version] of files) {
    if (!has(path)) continue;
    const text = await version.text();
    const name = (revision === undefined ? "" : `${before.argv.at(-1 - words.length)}:`) + path;
    const list = text.split("\n");
    if (list.at(-1) === "") list.pop();
    const hits = [...list.entries()].filter(([, line]) => matcher.test(line) !== options.has("v"));
    if (options.has("L")) {
      if (hits.length === 0) context.write(`${name}${end ?? "\n"}`);
      found ||= hits.length === 0;
      continue;
    }
    if (hits.length === 0) continue;
    found = true;
    if (options.has("q")) break;
    if (text.includes("\0")) context.write(`Binary file ${name} matches\n`);
    else if (options.has("l")) context.write(`${name}${end ?? "\n"}`);
    else if (options.has("c")) context.write(`${name}${end ?? ":"}${hits.length}\n`);
    else
      for (const [at, line] of hits) {
        const prefix = options.has("h") ? "" : `${name}${end ?? ":"}`;
        const number = options.has("n") ? `${at + 1}${end ?? ":"}` : "";
        context.write(prefix + number);
        context.writeBytes(`${line}\n`);
      }
  }
  return found ? 0 : 1;
}

export async function lsRemote(repository: Repository, context: CommandContext): Promise<number> {
  const options = parseOptions(
    context,
    "htq",
    {
      heads: "h",
      branches: "h",
      tags: "t",
      quiet: "q",
      refs: "refs",
      "exit-code": "code",
      "get-url": "url",
    },
    { status: 129 },
  );
  const [remote = "origin", ...patterns] = options.operands;
  const { git, base } = repository;
  const url = /^https?:\/\//.test(remote)
    ? remote
    : (await git.listRemotes({ ...base })).find((each) => each.remote === remote)?.url;
  if (url === undefined) throw fatal(`'${remote}' does not appear to be a git repository`);
  if (options.has("url")) {
    context.write(`${url}\n`);
    return 0;
  }
  if (!/^https?:\/\//.test(url))
    throw fatal(`'${url}': what remotes have is listed over http and https alone`);
  const refs = await git.listServerRefs({ http: transport, url, peelTags: !options.has("refs") });
  const only = [
    ...(options.has("h") ? ["refs/heads/"] : []),
    ...(options.has("t") ? ["refs/tags/"] : []),
  ];
  let count = 0;
  for (const each of refs) {
    const { ref: name, oid } = each;
    if (only.length > 0 && !only.some((prefix) => name.startsWith(prefix))) continue;
    const isNamed = patterns.some((one) => name === one || name.endsWith(`/${one}`));
    if (patterns.length > 0 && !isNamed) continue;
    count++;
    context.write(`${oid}\t${name}\n`);
    if (each.peeled !== undefined) context.write(`${each.peeled}\t${name}^{}\n`);
  }
  return options.has("code") && count === 0 ? 2 : 0;
}

/** There is one work tree; others are not made here. */
export async function worktree(repository: Repository, context: CommandContext): Promise<number> {
  const [, verb, ...rest] = context.argv;
  if (verb === "prune") return 0;
  if (verb !== "list") throw fatal(`worktree ${verb ?? ""} is not there`);
  const options = parseOptions(
    { ...context, argv: [verb, ...rest] },
    "vz",
    { porcelain: "p" },
    { status: 129 },
  );
  const head = await repository.resolve("HEAD");
  const branch = await repository.branch();
  const { dir } = repository;
  if (!options.has("p")) {
    const where = branch === undefined ? "(detached HEAD)" : `[${branch}]`;
    context.write(`${dir}  ${(head ?? "0".repeat(40)).slice(0, 7)} ${where}\n`);
    return 0;
  }
  const end = options.has("z") ? "\0" : "\n";
  const place = branch === undefined ? "detached" : `branch refs/heads/${branch}`;
  context.write(
    [`worktree ${dir}`, `HEAD ${head ?? "0".repeat(40)}`, place, "", ""].slice(0, -1).join(end) +
      end,
  );
  return 0;
}
