/** Owns what concerns other repositories: init, clone, fetch, pull, push, remote. */
import { CommandFailure, type CommandContext } from "../../command.js";
import { parseOptions, type Options } from "../../support/options.js";
import { library, transport } from "./library.js";
import { cloneLocal, fetchLocal, localGitdir, pushLocal } from "./local-remote.js";
import { merge } from "./merge.js";
import { rebase } from "./pick.js";
import { fatal } from "./failures.js";
import { globalConfig, type Repository } from "./repository.js";

function overHttp(url: string): void {
  if (!/^https?:\/\//.test(url))
    throw fatal(
      `'${url}': only http, https and folders of the machine are there, no ssh or git transport`,
    );
}

export async function init(context: CommandContext): Promise<number> {
  const options = parseOptions(
    context,
    "qb:",
    { quiet: "q", "initial-branch=": "b", bare: "bare" },
    { status: 129 },
  );
  const [word = "."] = options.operands;
  context.fs.mkdirSync(word, { recursive: true });
  const dir = context.fs.realpathSync(word);
  const bare = options.has("bare");
  const gitdir = bare ? dir : `${dir === "/" ? "" : dir}/.git`;
  const again = context.fs.existsSync(`${gitdir}/HEAD`);
  const defaultBranch =
    options.get("b") ?? globalConfig(context).get("init.defaultbranch") ?? "master";
  await library().init({ fs: context.fs, dir, gitdir, bare, defaultBranch });
  if (!options.has("q"))
    context.write(
      `${again ? "Reinitialized existing" : "Initialized empty"} Git repository in ${gitdir}/\n`,
    );
  return 0;
}

export async function clone(context: CommandContext): Promise<number> {
  const options = parseOptions(
    context,
    "b:q",
    {
      "branch=": "b",
      "depth=": "depth",
      quiet: "q",
      "single-branch": "single",
      bare: "bare",
      local: "x",
      "no-hardlinks": "x",
    },
    { status: 129 },
  );
  const [url, word] = options.operands;
  if (url === undefined) throw fatal("You must specify a repository to clone.");
  const local = localGitdir(context, url);
  const bare = options.has("bare");
  if (local === undefined) overHttp(url);
  if (local === undefined && bare) throw fatal("--bare is there for folders of the machine only");
  const last = url
    .replace(/\/+$/, "")
    .replace(/\/\.git$/, "")
    .split("/")
    .at(-1)!
    .replace(/\.git$/, "");
  const name = word ?? (bare ? `${last}.git` : last);
  const dir = name.startsWith("/") ? name : `${context.cwd()}/${name}`;
  if (context.fs.existsSync(dir) && context.fs.readdirSync(dir).length > 0)
    throw fatal(`destination path '${name}' already exists and is not an empty directory.`);
  if (!options.has("q"))
    context.writeError(`Cloning into ${bare ? "bare repository " : ""}'${name}'...\n`);
  if (local !== undefined)
    return cloneLocal(context, local, dir, {
      bare,
      branch: options.get("b"),
      quiet: options.has("q"),
    });
  const [ref, depth] = [options.get("b"), options.get("depth")];
  await library().clone({
    fs: context.fs,
    http: transport,
    dir,
    url,
    singleBranch: options.has("single", "depth"),
    ...(ref === undefined ? {} : { ref }),
    ...(depth === undefined ? {} : { depth: Number(depth) }),
  });
  return 0;
}

async function urlOf(repository: Repository, remote: string): Promise<string> {
  const url = (await repository.git.listRemotes({ ...repository.base })).find(
    (each) => each.remote === remote,
  )?.url;
  if (url !== undefined) return url;
  if (remote.includes("/") || remote.startsWith(".")) return remote;
  throw fatal(
    `'${remote}' does not appear to be a git repository\nfatal: Could not read from remote repository.\n\nPlease make sure you have the correct access rights\nand the repository exists.`,
  );
}

export async function fetch(repository: Repository, context: CommandContext): Promise<number> {
  const options = parseOptions(
    context,
    "qp",
    { quiet: "q", prune: "p", tags: "tags", all: "all" },
    { status: 129 },
  );
  const [remote = "origin", ref] = options.operands;
  const isUsual = options.operands.length === 0;
  // There is nothing to be fetched then, which is no mistake.
  if (isUsual && (await repository.git.listRemotes({ ...repository.base })).length === 0) return 0;
  const url = await urlOf(repository, remote);
  const source = localGitdir({ ...context, cwd: () => repository.dir }, url);
  if (source !== undefined) {
    const [prune, quiet] = [options.has("p"), options.has("q")];
    await fetchLocal(repository, source, { remote, url, prune, quiet });
    return 0;
  }
  overHttp(url);
  await repository.git.fetch({
    ...repository.base,
    http: transport,
    remote,
    prune: options.has("p"),
    tags: options.has("tags"),
    ...(ref === undefined ? {} : { remoteRef: ref, ref }),
  });
  return 0;
}

export async function pull(repository: Repository, context: CommandContext): Promise<number> {
  const options = parseOptions(
    context,
    "q",
    {
      quiet: "q",
      "ff-only": "ffonly",
      ff: "x",
      "no-rebase": "x",
      "no-edit": "x",
      rebase: "rebase",
    },
    { status: 129 },
  );
  const branch = await repository.branch();
  const [remote = "origin", name = branch] = options.operands;
  if (name === undefined) throw fatal("You are not currently on a branch.");
  const quiet = options.has("q") ? ["-q"] : [];
  await fetch(repository, { ...context, argv: ["fetch", ...quiet, remote] });
  if (options.has("rebase"))
    return rebase(repository, { ...context, argv: ["rebase", `${remote}/${name}`] });
  const url = (await urlOf(repository, remote)).replace(/\.git$|\/+$/, "");
  const forwards = options.has("ffonly") ? ["--ff-only"] : [];
  // The message names where it came from, as git's does.
  const message = ["-m", `Merge branch '${name}' of ${url}`];
  const argv = ["merge", ...quiet, ...forwards, ...message, `${remote}/${name}`];
  return merge(repository, { ...context, argv });
}

/** What is pushed where: `main`, `HEAD`, `one:other`, `:gone`, a tag; `+` in front forces. */
async function refspec(repository: Repository, word: string) {
  const text = word.replace(/^\+/, "");
  const [from = "", to] = text.split(":", 2) as [string, string | undefined];
  const name = from === "HEAD" ? ((await repository.branch()) ?? "HEAD") : from;
  const isTag = (await repository.resolve(`refs/tags/${name}`)) !== undefined;
  const kind = isTag && (await repository.resolve(`refs/heads/${name}`)) === undefined;
  const full = (ref: string): string =>
    ref.startsWith("refs/") ? ref : `refs/${kind ? "tags" : "heads"}/${ref}`;
  const own = (await repository.resolve(full(name))) === undefined ? name : full(name);
  return { source: from === "" ? undefined : own, target: full(to ?? name) };
}

async function toFolder(
  repository: Repository,
  folder: string,
  url: string,
  options: Options,
  words: readonly string[],
): Promise<void> {
  const { git, base } = repository;
  const names = [...words];
  if (options.has("all")) names.push(...(await git.listBranches({ ...base })));
  if (options.has("tags")) names.push(...(await git.listTags({ ...base })));
  const specs = options.has("d") ? names.map((name) => `:${name}`) : names;
  const pairs = await Promise.all(specs.map((word) => refspec(repository, word)));
  await pushLocal(repository, folder, {
    remote: options.operands[0] ?? "origin",
    url,
    force: options.has("f") || specs.some((word) => word.startsWith("+")),
    quiet: options.has("q"),
    pairs,
  });
}

export async function push(repository: Repository, context: CommandContext): Promise<number> {
  const options = parseOptions(
    context,
    "ufqd",
    {
      "set-upstream": "u",
      force: "f",
      "force-with-lease": "f",
      quiet: "q",
      delete: "d",
      tags: "tags",
      all: "all",
      "no-verify": "x",
    },
    { status: 129 },
  );
  const [remote = "origin", ...words] = options.operands;
  const branch = await repository.branch();
  const [ref = branch] = words;
  const url = await urlOf(repository, remote);
  const folder = localGitdir({ ...context, cwd: () => repository.dir }, url);
  if (ref === undefined && !options.has("tags", "all"))
    throw fatal("You are not currently on a branch.");
  if (folder !== undefined) {
    const own = ref === undefined || options.has("tags", "all") ? [] : [ref];
    await toFolder(repository, folder, url, options, words.length > 0 ? words : own);
  } else {
    overHttp(url);
    if (options.has("tags", "all", "d") || words.length > 1 || /[:+]/.test(ref!))
      throw fatal("a push over http takes one branch or tag");
    const result = await repository.git.push({
      ...repository.base,
      http: transport,
      remote,
      ref: ref!,
      force: options.has("f"),
    });
    if (!result.ok) throw new CommandFailure(`error: failed to push some refs to '${url}'`);
  }
  const followed = ref === "HEAD" ? branch : ref?.split(":").at(-1);
  if (options.has("u") && followed !== undefined) {
    const { git, base } = repository;
    const own = ref === "HEAD" ? branch! : ref!.replace(/^\+/, "").split(":")[0]!;
    await git.setConfig({ ...base, path: `branch.${own}.remote`, value: remote });
    await git.setConfig({ ...base, path: `branch.${own}.merge`, value: `refs/heads/${followed}` });
    if (!options.has("q") && folder !== undefined)
      context.write(`branch '${own}' set up to track '${remote}/${followed}'.\n`);
  }
  return 0;
}

export async function remote(repository: Repository, context: CommandContext): Promise<number> {
  const [, verb, name, url] = context.argv;
  const { git, base } = repository;
  const list = await git.listRemotes({ ...base });
  const known = list.find((each) => each.remote === name);
  if (verb === undefined || (verb === "show" && name === undefined))
    for (const each of list) context.write(`${each.remote}\n`);
  else if (verb === "-v" || verb === "--verbose")
    for (const each of list)
      context.write(`${each.remote}\t${each.url} (fetch)\n${each.remote}\t${each.url} (push)\n`);
  else if (verb === "add" && name !== undefined && url !== undefined) {
    if (known !== undefined) throw new CommandFailure(`error: remote ${name} already exists.`, 3);
    await git.addRemote({ ...base, remote: name, url });
  } else if (known === undefined)
    throw new CommandFailure(`error: No such remote '${name ?? ""}'`, 2);
  else if (verb === "remove" || verb === "rm")
    await git.deleteRemote({ ...base, remote: known.remote });
  else if (verb === "get-url") context.write(`${known.url}\n`);
  else if (verb === "set-url" && url !== undefined)
    await git.addRemote({ ...base, remote: known.remote, url, force: true });
  else throw fatal(`remote ${verb} is not there`);
  return 0;
}
