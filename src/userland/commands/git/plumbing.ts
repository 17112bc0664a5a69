/** Owns the commands that scripts build trees, the index and commits with: write-tree, commit-tree, read-tree, checkout-index, update-index, hash-object, cat-file. */
import { createHash } from "node:crypto";
import { CommandFailure, type CommandContext } from "../../command.js";
import { readAll, standardInput } from "../../support/input.js";
import { parseOptions } from "../../support/options.js";
import { zoneText } from "./commit-text.js";
import { fatal } from "./failures.js";
import type { Repository } from "./repository.js";
import { filesOf, place, stage, tracked, writeTreeOf } from "./trees.js";

/** Whose and when, as commits and logs have it. */
export function signature(person: Awaited<ReturnType<Repository["person"]>>): string {
  const { name, email, timestamp, timezoneOffset: zone } = person;
  return `${name} <${email}> ${timestamp} ${zoneText(zone)}`;
}

/** A commit of exactly this text. The library's own writeCommit ends every message with a newline. */
export async function writeCommit(
  repository: Repository,
  tree: string,
  parents: readonly string[],
  text: string,
): Promise<string> {
  const author = signature(await repository.person("AUTHOR"));
  const committer = signature(await repository.person("COMMITTER"));
  const above = parents.map((oid) => `parent ${oid}\n`).join("");
  const object = Buffer.from(
    `tree ${tree}\n${above}author ${author}\ncommitter ${committer}\n\n${text}`,
  );
  const { git, base } = repository;
  return git.writeObject({ ...base, type: "commit", format: "content", object });
}

export async function writeTree(repository: Repository, context: CommandContext): Promise<number> {
  parseOptions(context, "", { "missing-ok": "x" }, { status: 129 });
  context.write(`${await writeTreeOf(repository, await tracked(repository, "index"))}\n`);
  return 0;
}

export async function commitTree(repository: Repository, context: CommandContext): Promise<number> {
  const options = parseOptions(context, "p:m:F:", {}, { status: 129 });
  const [name, extra] = options.operands;
  if (name === undefined || extra !== undefined) throw fatal("must give exactly one tree");
  const parents: string[] = [];
  for (const word of options.all("p")) parents.push(await repository.need(`${word}^{commit}`));
  const parts = options.list.flatMap(({ key, value }) =>
    key === "m"
      ? [`${value}\n`]
      : key === "F"
        ? [context.fs.readFileSync(value === "-" ? 0 : value, "utf8")]
        : [],
  );
  const text =
    parts.length > 0 ? parts.join("\n") : Buffer.from(readAll(standardInput(context))).toString();
  const tree = await repository.resolve(`${name}^{tree}`);
  if (tree === undefined) throw fatal(`not a valid object name ${name}`);
  context.write(`${await writeCommit(repository, tree, [...new Set(parents)], text)}\n`);
  return 0;
}

/** The index as a tree has it; with `-u` the work tree as well, where the index named something. */
export async function readTree(repository: Repository, context: CommandContext): Promise<number> {
  const options = parseOptions(context, "mu", { reset: "reset", empty: "empty" }, { status: 129 });
  const [name, other] = options.operands;
  if (other !== undefined) throw fatal("read-tree takes one tree here");
  if (name === undefined && !options.has("empty"))
    throw fatal("one of the operations needs a tree");
  const before = await tracked(repository, "index");
  const after = await filesOf(
    repository,
    name === undefined ? undefined : await repository.need(`${name}^{tree}`),
  );
  for (const [path] of before)
    if (!after.has(path)) {
      await stage(repository, path, undefined);
      if (options.has("u")) await place(repository, path, undefined);
    }
  for (const [path, version] of after) {
    if (before.get(path)?.oid === version.oid && before.get(path)?.mode === version.mode) continue;
    if (options.has("u")) await place(repository, path, version);
    await stage(repository, path, version);
  }
  return 0;
}

export async function checkoutIndex(
  repository: Repository,
  context: CommandContext,
): Promise<number> {
  const options = parseOptions(
    context,
    "afqnuz",
    {
      all: "a",
      force: "f",
      quiet: "q",
      "no-create": "n",
      index: "u",
      "prefix=": "prefix",
      stdin: "stdin",
    },
    { status: 129 },
  );
  const staged = await tracked(repository, "index");
  const end = options.has("z") ? "\0" : "\n";
  const words = options.has("stdin")
    ? Buffer.from(readAll(standardInput(context)))
        .toString()
        .split(end)
        .filter(Boolean)
    : options.operands;
  const paths = options.has("a")
    ? [...staged.keys()]
    : words.map((word) => repository.pathOf(word));
  const prefix = options.get("prefix") ?? "";
  let result = 0;
  for (const path of paths) {
    const version = staged.get(path);
    const there = context.fs.existsSync(`${repository.dir}/${prefix}${path}`);
    if (version === undefined || (there && !options.has("f"))) {
      result = version === undefined || !options.has("a") ? 1 : result;
      if (!options.has("q"))
        context.writeError(
          version === undefined
            ? `git checkout-index: ${path} is not in the cache\n`
            : `${path} already exists, no checkout\n`,
        );
    } else if (there || !options.has("n")) await place(repository, prefix + path, version);
  }
  return result;
}

export async function updateIndex(
  repository: Repository,
  context: CommandContext,
): Promise<number> {
  const { git, base, dir } = repository;
  let [adds, removes, forced] = [false, false, false];
  const words = context.argv.slice(1);
  const one = async (word: string): Promise<void> => {
    const filepath = repository.pathOf(word);
    const known = (await tracked(repository, "index")).has(filepath);
    const there = context.fs.existsSync(`${dir}/${filepath}`);
    if (there && !known && !adds)
      throw fatal(`error: ${filepath}: cannot add to the index - missing --add option?`);
    if (there && !forced) await git.add({ ...base, filepath, force: true });
    else if (known && (removes || forced)) await git.remove({ ...base, filepath });
    else if (!there) throw fatal(`error: ${filepath}: does not exist and --remove not passed`);
  };
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    if (word === "--add") adds = true;
    else if (word === "--remove") removes = true;
    else if (word === "--force-remove") forced = true;
    else if (word === "--cacheinfo") {
      const parts = words.shift()?.split(",") ?? [];
      while (parts.length < 3 && words.length > 0) parts.push(words.shift()!);
      const [mode = "", oid = "", ...path] = parts;
      await stage(repository, path.join(","), { mode, oid: await repository.need(oid) });
    } else if (word === "--again" || word === "-g") {
      const [head, staged] = [
        await filesOf(repository, await repository.resolve("HEAD")),
        await tracked(repository, "index"),
      ];
      for (const [filepath, { oid }] of staged)
        if (head.get(filepath)?.oid !== oid && context.fs.existsSync(`${dir}/${filepath}`))
          await git.add({ ...base, filepath, force: true });
    } else if (["-q", "--refresh", "--really-refresh", "--ignore-missing", "--"].includes(word))
      continue;
    else if (word === "--stdin" || word === "-z") {
      const isNul = word === "-z" || words.includes("-z");
      if (word === "-z") continue;
      for (const each of Buffer.from(readAll(standardInput(context)))
        .toString()
        .split(isNul ? "\0" : "\n"))
        if (each !== "") await one(each);
    } else if (word.startsWith("-")) throw fatal(`update-index: option '${word}' is not there`);
    else await one(word);
  }
  return 0;
}

export async function hashObject(repository: Repository, context: CommandContext): Promise<number> {
  const options = parseOptions(
    context,
    "wt:",
    { stdin: "stdin", "no-filters": "x", "path=": "x", "stdin-paths": "paths", literally: "x" },
    { status: 129 },
  );
  const { git, base } = repository;
  const type = options.get("t") ?? "blob";
  if (!["blob", "tree", "commit", "tag"].includes(type))
    throw fatal(`invalid object type "${type}"`);
  const hash = async (object: Uint8Array): Promise<void> => {
    const oid = options.has("w")
      ? await git.writeObject({ ...base, type: type as "blob", format: "content", object })
      : createHash("sha1").update(`${type} ${object.length}\0`).update(object).digest("hex");
    context.write(`${oid}\n`);
  };
  if (options.has("stdin")) await hash(readAll(standardInput(context)));
  const names = options.has("paths")
    ? Buffer.from(readAll(standardInput(context)))
        .toString()
        .split("\n")
        .filter(Boolean)
    : options.operands;
  for (const name of names) {
    if (!context.fs.existsSync(name))
      throw fatal(`could not open '${name}' for reading: No such file or directory`);
    await hash(context.fs.readFileSync(name));
  }
  return 0;
}

interface Found {
  oid: string;
  type: string;
  data: Buffer;
}

async function objectOf(repository: Repository, name: string): Promise<Found | undefined> {
  const { git, base } = repository;
  const oid = await repository.resolve(name);
  if (oid === undefined) return undefined;
  const { type, object } = await git
    .readObject({ ...base, oid, format: "content" })
    .catch(() => ({ type: undefined, object: undefined }));
  return type === undefined
    ? undefined
    : { oid, type: String(type), data: Buffer.from(object as Uint8Array) };
}

async function batch(
  repository: Repository,
  context: CommandContext,
  format: string,
  shows: boolean,
): Promise<number> {
  for (const name of Buffer.from(readAll(standardInput(context)))
    .toString()
    .split("\n")) {
    if (name === "") continue;
    const [, rest = ""] = /^\S+\s+(.*)$/.exec(name) ?? [];
    const found = await objectOf(
      repository,
      format.includes("%(rest)") ? name.split(/\s/)[0]! : name,
    );
    if (found === undefined) {
      context.write(`${name} missing\n`);
      continue;
    }
    const values: Record<string, string> = {
      objectname: found.oid,
      objecttype: found.type,
      objectsize: String(found.data.length),
      rest,
    };
    const line = format.replace(/%\((\w+)\)/g, (all, key: string) => values[key] ?? all);
    context.write(`${line}\n`);
    if (!shows) continue;
    context.write(found.data);
    context.write("\n");
  }
  return 0;
}

export async function catFile(repository: Repository, context: CommandContext): Promise<number> {
  const words = context.argv.slice(1).filter((word) => word !== "--buffer");
  const [kind, name, extra] = words;
  const batched = /^--batch(-check)?(?:=(.*))?$/s.exec(kind ?? "");
  if (batched !== null && name === undefined)
    return batch(
      repository,
      context,
      batched[2] ?? "%(objectname) %(objecttype) %(objectsize)",
      batched[1] === undefined,
    );
  if (name === undefined || extra !== undefined)
    throw fatal("cat-file takes -t, -s, -p, -e, a type or --batch, and one object");
  const found = await objectOf(repository, name);
  if (kind === "-e" && /^[0-9a-f]{40}$/.test(name)) return found === undefined ? 1 : 0;
  if (found === undefined) throw fatal(`Not a valid object name ${name}`);
  if (kind === "-e") return 0;
  const { git, base } = repository;
  if (kind === "-t") context.write(`${found.type}\n`);
  else if (kind === "-s") context.write(`${found.data.length}\n`);
  else if (kind === "-p" && found.type === "tree") {
    for (const entry of (await git.readTree({ ...base, oid: found.oid })).tree)
      context.write(`${entry.mode.padStart(6, "0")} ${entry.type} ${entry.oid}\t${entry.path}\n`);
  } else if (kind === "-p" || kind === found.type) context.write(found.data);
  else {
    const behind = await objectOf(repository, `${name}^{${kind}}`);
    if (behind === undefined)
      throw new CommandFailure(`fatal: git cat-file ${name}: bad file`, 128);
    context.write(behind.data);
  }
  return 0;
}
