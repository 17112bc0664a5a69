/** Owns what concerns other repositories and the configuration: init, clone, fetch, pull, push, remote, config. */
import { CommandFailure, type CommandContext } from "../../command.js";
import { parseOptions } from "../../support/options.js";
import { library, transport } from "./library.js";
import { merge } from "./merge.js";
import { fatal, globalConfig, globalConfigPath, Repository } from "./repository.js";

const noOverrides: ReadonlyMap<string, string> = new Map();

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

/** Keys as git compares them: section and name without case. */
function keyOf(text: string): string {
  const parts = text.split(".");
  if (parts.length < 2)
    throw new CommandFailure(`error: key does not contain a section: ${text}`, 2);
  const [section, name] = [parts.shift()!.toLowerCase(), parts.pop()!.toLowerCase()];
  return [section, ...parts, name].join(".");
}

export async function config(
  context: CommandContext,
  overrides: ReadonlyMap<string, string>,
): Promise<number> {
  const options = parseOptions(
    context,
    "l",
    { global: "global", local: "local", get: "get", unset: "unset", list: "l" },
    { status: 129 },
  );
  const global = options.has("global");
  if (options.has("l")) {
    if (!global) throw fatal("config --list needs --global here");
    for (const [name, value] of globalConfig(context)) context.write(`${name}=${value}\n`);
    return 0;
  }
  const [word, value, extra] = options.operands;
  if (word === undefined || extra !== undefined)
    throw new CommandFailure("error: wrong number of arguments", 129);
  const key = keyOf(word);
  const path = globalConfigPath(context);
  if (value === undefined && !options.has("unset")) {
    const found = global
      ? globalConfig(context).get(key)
      : context.fs.existsSync(".git") || overrides.size > 0
        ? await Repository.find(context, context.cwd(), overrides).config(key)
        : ((await Repository.find(context, context.cwd(), noOverrides)
            .config(key)
            .catch(() => undefined)) ?? globalConfig(context).get(key));
    if (found === undefined) return 1;
    context.write(`${found}\n`);
    return 0;
  }
  if (!global) {
    const { git, base } = Repository.find(context, context.cwd(), overrides);
    await git.setConfig({ ...base, path: key, value });
    return 0;
  }
  // The library writes the file of a folder, called config; the user's own file has another name and place.
  const values = globalConfig(context);
  if (value === undefined) values.delete(key);
  else values.set(key, value);
  const sections = new Map<string, string[]>();
  for (const [name, each] of values) {
    const parts = name.split(".");
    const [section, last] = [parts.shift()!, parts.pop()!];
    const head = parts.length === 0 ? `[${section}]` : `[${section} "${parts.join(".")}"]`;
    sections.set(head, [...(sections.get(head) ?? []), `\t${last} = ${each}`]);
  }
  const text = [...sections].map(([head, lines]) => `${[head, ...lines].join("\n")}\n`).join("");
  context.fs.writeFileSync(path, text);
  return 0;
}
