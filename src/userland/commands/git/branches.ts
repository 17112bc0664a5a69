/** Owns `git branch` and `tag`: names of commits. */
import { CommandFailure, type CommandContext } from "../../command.js";
import { globRegex } from "../../support/glob.js";
import { parseOptions, type Options } from "../../support/options.js";
import { short } from "./commit-text.js";
import {
  allRefs,
  formattedRef,
  peeled,
  shortName,
  sortedRefs,
  upstreamOf,
  type Ref,
} from "./refs.js";
import { fatal } from "./failures.js";
import type { Repository } from "./repository.js";
import { besideUpstream } from "./status.js";

/** What `--list` shows: names that a pattern matches, or all. */
function matching(patterns: readonly string[]): (name: string) => boolean {
  const wanted = patterns.map((pattern) => globRegex(pattern));
  return (name) => wanted.length === 0 || wanted.some((one) => one.test(name));
}

/** `--contains X`: these take the next word, where there is one. */
function joined(context: CommandContext): CommandContext {
  const argv: string[] = [];
  for (let at = 0; at < context.argv.length; at++) {
    const word = context.argv[at]!;
    const next = context.argv[at + 1];
    if (!/^--(?:no-)?(?:contains|merged)$/.test(word) || next === undefined) argv.push(word);
    else {
      argv.push(`${word}=${next}`);
      at++;
    }
  }
  return { ...context, argv };
}

export async function branch(repository: Repository, context: CommandContext): Promise<number> {
  const options = parseOptions(
    joined(context),
    "dDmMarvlfqu:",
    {
      delete: "d",
      move: "m",
      "show-current": "current",
      list: "list",
      all: "a",
      remotes: "r",
      verbose: "v",
      force: "f",
      quiet: "q",
      "format=": "format",
      "sort=": "sort",
      "contains=?": "contains",
      "merged=?": "merged",
      "no-merged=?": "no-merged",
      "points-at=": "points",
      "set-upstream-to=": "u",
      "unset-upstream": "unset",
      "no-color": "x",
      "color=?": "x",
      "no-abbrev": "x",
      "no-column": "x",
    },
    { status: 129 },
  );
  const { git, base } = repository;
  const current = await repository.branch();
  const [name, second] = options.operands;
  if (options.has("current")) context.write(current === undefined ? "" : `${current}\n`);
  else if (options.has("d", "D")) {
    if (name === undefined) throw fatal("branch name required");
    const oid = await repository.resolve(`refs/heads/${name}`);
    if (oid === undefined) throw new CommandFailure(`error: branch '${name}' not found.`);
    if (name === current)
      throw new CommandFailure(
        `error: Cannot delete branch '${name}' checked out at '${repository.dir}'`,
      );
    const head = await repository.need("HEAD");
    if (
      !options.has("D") &&
      oid !== head &&
      !(await git.isDescendent({ ...base, oid: head, ancestor: oid }))
    )
      throw new CommandFailure(
        `error: The branch '${name}' is not fully merged.\nIf you are sure you want to delete it, run 'git branch -D ${name}'.`,
      );
    await git.deleteBranch({ ...base, ref: name });
    context.write(`Deleted branch ${name} (was ${short(oid)}).\n`);
  } else if (options.has("u", "unset"))
    return setUpstream(repository, context, name ?? current, options.get("u"));
  else if (options.has("m", "M")) {
    const [from, to] = second === undefined ? [current, name] : [name, second];
    if (from === undefined || to === undefined) throw fatal("branch name required");
    await git.renameBranch({ ...base, oldref: from, ref: to, checkout: from === current });
  } else if (name !== undefined && !lists(options)) {
    const there = await repository.resolve(`refs/heads/${name}`);
    if (there !== undefined && !options.has("f"))
      throw fatal(`a branch named '${name}' already exists`);
    const object = second === undefined ? undefined : await repository.need(`${second}^{commit}`);
    await git.branch({
      ...base,
      ref: name,
      force: true,
      ...(object === undefined ? {} : { object }),
    });
  } else return listBranches(repository, context, options);
  return 0;
}

const listKeys = [
  "list",
  "l",
  "a",
  "r",
  "v",
  "format",
  "contains",
  "merged",
  "no-merged",
  "points",
  "sort",
];
const lists = (options: Options): boolean => options.has(...listKeys);

async function setUpstream(
  repository: Repository,
  context: CommandContext,
  branch: string | undefined,
  upstream: string | undefined,
): Promise<number> {
  if (branch === undefined)
    throw fatal("could not set upstream of HEAD when it does not point to any branch");
  const { git, base } = repository;
  const [remote, ...rest] = (upstream ?? "").split("/");
  const isRemote = (await git.listRemotes({ ...base })).some((each) => each.remote === remote);
  if (upstream !== undefined && (await repository.resolve(upstream)) === undefined)
    throw fatal(`the requested upstream branch '${upstream}' does not exist`);
  const values =
    upstream === undefined
      ? [undefined, undefined]
      : isRemote
        ? [remote, `refs/heads/${rest.join("/")}`]
        : [".", `refs/heads/${upstream}`];
  await git.setConfig({ ...base, path: `branch.${branch}.remote`, value: values[0] });
  await git.setConfig({ ...base, path: `branch.${branch}.merge`, value: values[1] });
  if (upstream !== undefined) context.write(`branch '${branch}' set up to track '${upstream}'.\n`);
  return 0;
}

/** Whether a commit leads to another, as `--contains` and `--merged` ask. */
async function reaches(repository: Repository, from: string, to: string): Promise<boolean> {
  const { git, base } = repository;
  return from === to || git.isDescendent({ ...base, oid: from, ancestor: to });
}

async function isListed(repository: Repository, oid: string, options: Options): Promise<boolean> {
  const of = (key: string): Promise<string> => repository.need(options.get(key) || "HEAD");
  if (options.has("points") && oid !== (await of("points"))) return false;
  if (options.has("contains") && !(await reaches(repository, oid, await of("contains"))))
    return false;
  if (options.has("merged") && !(await reaches(repository, await of("merged"), oid))) return false;
  return !(options.has("no-merged") && (await reaches(repository, await of("no-merged"), oid)));
}

async function listBranches(
  repository: Repository,
  context: CommandContext,
  options: Options,
): Promise<number> {
  const current = await repository.branch();
  const listed = matching(options.operands);
  const kinds = options.has("r")
    ? ["remotes"]
    : options.has("a")
      ? ["heads", "remotes"]
      : ["heads"];
  const refs: Ref[] = [];
  for (const ref of await allRefs(repository)) {
    const kind = kinds.find((one) => ref.name.startsWith(`refs/${one}/`));
    if (kind === undefined || !listed(shortName(ref.name))) continue;
    if (await isListed(repository, ref.oid, options)) refs.push(ref);
  }
  const sorted = await sortedRefs(repository, refs, options.all("sort"));
  const format = options.get("format");
  if (format !== undefined) {
    for (const facts of sorted) context.write(`${await formattedRef(repository, facts, format)}\n`);
    return 0;
  }
  const shown = sorted.map(({ ref, message }) => ({
    mark: ref.name === `refs/heads/${current}` ? "*" : " ",
    name:
      ref.name.startsWith("refs/remotes/") && options.has("a")
        ? ref.name.slice("refs/".length)
        : shortName(ref.name),
    ref,
    subject: message.split("\n", 1)[0]!,
  }));
  const head = await repository.resolve("HEAD");
  if (current === undefined && head !== undefined && !options.has("r")) {
    const subject = (
      await repository.git.readCommit({ ...repository.base, oid: head })
    ).commit.message.split("\n", 1)[0]!;
    shown.unshift({
      mark: "*",
      name: `(HEAD detached at ${short(head)})`,
      ref: { name: "", oid: head },
      subject,
    });
  }
  const width = Math.max(0, ...shown.map(({ name }) => name.length));
  for (const { mark, name, ref, subject } of shown) {
    if (!options.has("v")) {
      context.write(`${mark} ${name}\n`);
      continue;
    }
    const branch = /^refs\/heads\/(.*)$/s.exec(ref.name)?.[1];
    const beside =
      branch === undefined
        ? ""
        : await trackText(repository, branch, ref.oid, options.count("v") > 1);
    context.write(`${mark} ${name.padEnd(width)} ${short(ref.oid)} ${beside}${subject}\n`);
  }
  return 0;
}

/** `[origin/main: ahead 1] `, of which `-v` has the counts alone. */
async function trackText(
  repository: Repository,
  branch: string,
  oid: string,
  named: boolean,
): Promise<string> {
  const upstream = await upstreamOf(repository, branch);
  if (upstream === undefined) return "";
  const said = await besideUpstream(repository, upstream, oid);
  const parts = [named ? shortName(upstream) : "", said].filter(Boolean).join(": ");
  return parts === "" ? "" : `[${parts}] `;
}

async function listTags(
  repository: Repository,
  context: CommandContext,
  options: Options,
): Promise<number> {
  const listed = matching(options.operands);
  const refs: Ref[] = [];
  for (const ref of await allRefs(repository)) {
    if (!ref.name.startsWith("refs/tags/") || !listed(shortName(ref.name))) continue;
    if (await isListed(repository, await peeled(repository, ref.oid), options)) refs.push(ref);
  }
  const format = options.get("format") ?? "%(refname:short)";
  for (const facts of await sortedRefs(repository, refs, options.all("sort")))
    context.write(`${await formattedRef(repository, facts, format)}\n`);
  return 0;
}

export async function tag(repository: Repository, context: CommandContext): Promise<number> {
  const options = parseOptions(
    joined(context),
    "am:F:dfln::",
    {
      annotate: "a",
      "message=": "m",
      "file=": "F",
      delete: "d",
      force: "f",
      list: "l",
      "sort=": "sort",
      "format=": "format",
      "points-at=": "points",
      "contains=?": "contains",
      "merged=?": "merged",
      "no-merged=?": "no-merged",
      "no-column": "x",
      "no-sign": "x",
    },
    { status: 129 },
  );
  const { git, base } = repository;
  const [name, target] = options.operands;
  if (name === undefined || options.has("l", "sort", "points", "contains", "merged", "no-merged"))
    return listTags(repository, context, options);
  const old = await repository.resolve(`refs/tags/${name}`);
  if (options.has("d")) {
    if (old === undefined) throw new CommandFailure(`error: tag '${name}' not found.`);
    await git.deleteTag({ ...base, ref: name });
    context.write(`Deleted tag '${name}' (was ${short(old)})\n`);
    return 0;
  }
  if (old !== undefined && !options.has("f")) throw fatal(`tag '${name}' already exists`);
  const object = await repository.need(target ?? "HEAD");
  const file = options.get("F");
  const message = options.has("m")
    ? options.all("m").join("\n\n")
    : file && context.fs.readFileSync(file === "-" ? 0 : file, "utf8").trimEnd();
  if (message === undefined && options.has("a"))
    throw fatal("no editor here: give the message with -m");
  if (message === undefined) await git.tag({ ...base, ref: name, object, force: true });
  else
    await git.annotatedTag({
      ...base,
      ref: name,
      object,
      message,
      tagger: await repository.person("COMMITTER"),
      force: true,
    });
  return 0;
}
