/** Owns what concerns other repositories: init, clone, fetch, pull, push, remote. */
import { CommandFailure, type CommandContext } from "../../command.js";
import { parseOptions } from "../../support/options.js";
import { library, transport } from "./library.js";
import { merge } from "./merge.js";
import { fatal } from "./failures.js";
import { globalConfig, type Repository } from "./repository.js";

function overHttp(url: string): void {
  if (!/^https?:\/\//.test(url))
    throw fatal(`'${url}': only http and https are there, no ssh, git or file transport`);
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
    { "branch=": "b", "depth=": "depth", quiet: "q", "single-branch": "single" },
    { status: 129 },
  );
  const [url, word] = options.operands;
  if (url === undefined) throw fatal("You must specify a repository to clone.");
  overHttp(url);
  const name =
    word ??
    url
      .replace(/\/+$/, "")
      .split("/")
      .at(-1)!
      .replace(/\.git$/, "");
  const dir = name.startsWith("/") ? name : `${context.cwd()}/${name}`;
  if (context.fs.existsSync(dir) && context.fs.readdirSync(dir).length > 0)
    throw fatal(`destination path '${name}' already exists and is not an empty directory.`);
  if (!options.has("q")) context.writeError(`Cloning into '${name}'...\n`);
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
  if (url === undefined) throw fatal(`'${remote}' does not appear to be a git repository`);
  overHttp(url);
  return url;
}

export async function fetch(repository: Repository, context: CommandContext): Promise<number> {
  const options = parseOptions(
    context,
    "qp",
    { quiet: "q", prune: "p", tags: "tags" },
    { status: 129 },
  );
  const [remote = "origin", ref] = options.operands;
  const isUsual = options.operands.length === 0;
  // There is nothing to be fetched then, which is no mistake.
  if (isUsual && (await repository.git.listRemotes({ ...repository.base })).length === 0) return 0;
  await urlOf(repository, remote);
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
    { quiet: "q", "ff-only": "ffonly", "no-rebase": "x" },
    { status: 129 },
  );
  const branch = await repository.branch();
  const [remote = "origin", name = branch] = options.operands;
  if (name === undefined) throw fatal("You are not currently on a branch.");
  await fetch(repository, { ...context, argv: ["fetch", remote] });
  const argv = ["merge", ...(options.has("ffonly") ? ["--ff-only"] : []), `${remote}/${name}`];
  return merge(repository, { ...context, argv });
}

export async function push(repository: Repository, context: CommandContext): Promise<number> {
  const options = parseOptions(
    context,
    "ufq",
    { "set-upstream": "u", force: "f", quiet: "q" },
    { status: 129 },
  );
  const [remote = "origin", ref = await repository.branch()] = options.operands;
  if (ref === undefined) throw fatal("You are not currently on a branch.");
  const url = await urlOf(repository, remote);
  const result = await repository.git.push({
    ...repository.base,
    http: transport,
    remote,
    ref,
    force: options.has("f"),
  });
  if (!result.ok) throw new CommandFailure(`error: failed to push some refs to '${url}'`);
  if (options.has("u")) {
    const { git, base } = repository;
    await git.setConfig({ ...base, path: `branch.${ref}.remote`, value: remote });
    await git.setConfig({ ...base, path: `branch.${ref}.merge`, value: `refs/heads/${ref}` });
  }
  return 0;
}

export async function remote(repository: Repository, context: CommandContext): Promise<number> {
  const [, verb, name, url] = context.argv;
  const { git, base } = repository;
  const list = await git.listRemotes({ ...base });
  const known = list.find((each) => each.remote === name);
  if (verb === undefined) for (const each of list) context.write(`${each.remote}\n`);
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
