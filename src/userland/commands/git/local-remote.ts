/**
 * Owns repositories that are a folder of the machine as remotes: what clone, fetch and push do there. Objects are files
 * of their own and packs, both named by their content, so that what the other side lacks is copied as it is.
 *
 * Untrusted: what the other folder has in it; its refs are taken only where they name an object.
 */
import { posix } from "node:path";
import { CommandFailure, type CommandContext } from "../../command.js";
import { short } from "./commit-text.js";
import { fatal } from "./failures.js";
import { library } from "./library.js";
import type { Repository } from "./repository.js";

/** The folder with HEAD and objects that a URL names, or nothing when it is a URL of the network. */
export function localGitdir(context: CommandContext, url: string): string | undefined {
  if (/^\w[\w+.-]*:\/\//.test(url) && !url.startsWith("file://")) return undefined;
  // host:path is ssh, unless there is such a folder.
  if (/^[^/]+:/.test(url) && !url.startsWith("file:") && !context.fs.existsSync(url))
    return undefined;
  const path = posix.resolve(context.cwd(), url.replace(/^file:\/\//, ""));
  const found = [`${path}/.git`, path, `${path}.git`].find(
    (each) => context.fs.existsSync(`${each}/HEAD`) && context.fs.existsSync(`${each}/objects`),
  );
  if (found === undefined) throw fatal(`repository '${url}' does not exist`);
  return found;
}

/** Copies the objects that the other side lacks. */
function copyObjects({ fs }: CommandContext, from: string, to: string): void {
  for (const folder of fs.readdirSync(`${from}/objects`)) {
    if (!/^(?:[0-9a-f]{2}|pack)$/.test(folder)) continue;
    const target = `${to}/objects/${folder}`;
    fs.mkdirSync(target, { recursive: true });
    const known = new Set(fs.readdirSync(target));
    for (const name of fs.readdirSync(`${from}/objects/${folder}`))
      if (!known.has(name))
        fs.copyFileSync(`${from}/objects/${folder}/${name}`, `${target}/${name}`);
  }
}

/** `refs/heads/main` → object. */
async function refsAt({ fs }: CommandContext, gitdir: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const kind of ["heads", "tags"])
    for (const name of await library().listRefs({ fs, gitdir, filepath: `refs/${kind}` })) {
      const ref = `refs/${kind}/${name}`;
      const oid = await library()
        .resolveRef({ fs, gitdir, ref })
        .catch(() => undefined);
      if (oid !== undefined) found.set(ref, oid);
    }
  return found;
}

/** Where HEAD of a repository points to, also before there is a commit. */
function headOf({ fs }: CommandContext, gitdir: string): string | undefined {
  return /^ref: refs\/heads\/(.+)$/m.exec(fs.readFileSync(`${gitdir}/HEAD`, "utf8"))?.[1];
}

interface CloneOptions {
  bare: boolean;
  branch: string | undefined;
  quiet: boolean;
}

export async function cloneLocal(
  context: CommandContext,
  source: string,
  dir: string,
  { bare, branch, quiet }: CloneOptions,
): Promise<number> {
  const { fs } = context;
  const git = library();
  const gitdir = bare ? dir : `${dir}/.git`;
  const refs = await refsAt(context, source);
  const head = branch ?? headOf(context, source) ?? "master";
  if (branch !== undefined && !refs.has(`refs/heads/${branch}`))
    throw fatal(`Remote branch ${branch} not found in upstream origin`);
  fs.mkdirSync(dir, { recursive: true });
  const base = { fs, dir, gitdir };
  await git.init({ ...base, bare, defaultBranch: head });
  copyObjects(context, source, gitdir);
  await git.setConfig({
    ...base,
    path: "remote.origin.url",
    value: source.replace(/\/\.git$/, ""),
  });
  if (!bare)
    await git.setConfig({
      ...base,
      path: "remote.origin.fetch",
      value: "+refs/heads/*:refs/remotes/origin/*",
    });
  for (const [ref, value] of refs) {
    const own = bare ? ref : ref.replace(/^refs\/heads\//, "refs/remotes/origin/");
    await git.writeRef({ ...base, ref: own, value, force: true });
  }
  if (!quiet && refs.size === 0)
    context.writeError("warning: You appear to have cloned an empty repository.\n");
  if (!quiet) context.writeError("done.\n");
  if (bare) return 0;
  await git.setConfig({ ...base, path: `branch.${head}.remote`, value: "origin" });
  await git.setConfig({ ...base, path: `branch.${head}.merge`, value: `refs/heads/${head}` });
  const oid = refs.get(`refs/heads/${head}`);
  if (oid === undefined) return 0;
  await git.writeRef({
    ...base,
    ref: "refs/remotes/origin/HEAD",
    value: `refs/remotes/origin/${head}`,
    symbolic: true,
    force: true,
  });
  await git.writeRef({ ...base, ref: `refs/heads/${head}`, value: oid, force: true });
  await git.checkout({ ...base, ref: head });
  return 0;
}

interface FetchOptions {
  remote: string;
  url: string;
  prune: boolean;
  quiet: boolean;
}

export async function fetchLocal(
  repository: Repository,
  source: string,
  { remote, url, prune, quiet }: FetchOptions,
): Promise<void> {
  const { context, git, base, dir } = repository;
  const refs = await refsAt(context, source);
  copyObjects(context, source, `${dir}/.git`);
  const lines: string[] = [];
  const fetched: string[] = [];
  for (const [ref, value] of refs) {
    const isTag = ref.startsWith("refs/tags/");
    const own = isTag ? ref : ref.replace(/^refs\/heads\//, `refs/remotes/${remote}/`);
    const name = nameOf(ref);
    const before = await repository.resolve(own);
    if (!isTag)
      fetched.push(
        `${value}\tnot-for-merge\tbranch '${name}' of ${url.replace(/\.git$|\/+$/, "")}\n`,
      );
    if (before === value || (isTag && before !== undefined)) continue;
    await git.writeRef({ ...base, ref: own, value, force: true });
    const shown = isTag ? name : `${remote}/${name}`;
    if (before === undefined)
      lines.push(
        ` * ${`[new ${isTag ? "tag" : "branch"}]`.padEnd(18)}${name.padEnd(10)} -> ${shown}\n`,
      );
    else {
      const ahead = await git.isDescendent({ ...base, oid: value, ancestor: before });
      const range = `${short(before)}${ahead ? ".." : "..."}${short(value)}`;
      lines.push(
        ` ${ahead ? " " : "+"} ${range.padEnd(18)}${name.padEnd(10)} -> ${shown}${ahead ? "" : "  (forced update)"}\n`,
      );
    }
  }
  if (prune)
    for (const name of await git.listBranches({ ...base, remote })) {
      if (name === "HEAD" || refs.has(`refs/heads/${name}`)) continue;
      await git.deleteRef({ ...base, ref: `refs/remotes/${remote}/${name}` });
      lines.unshift(` - ${"[deleted]".padEnd(18)}${"(none)".padEnd(10)} -> ${remote}/${name}\n`);
    }
  context.fs.writeFileSync(`${dir}/.git/FETCH_HEAD`, fetched.join(""));
  if (lines.length > 0 && !quiet)
    context.writeError(`From ${url.replace(/\.git$|\/+$/, "")}\n${lines.join("")}`);
}

interface PushOptions {
  remote: string;
  url: string;
  force: boolean;
  quiet: boolean;
  /** `source:target`, a full ref each; no source deletes. */
  pairs: readonly { source: string | undefined; target: string }[];
}

export async function pushLocal(
  repository: Repository,
  target: string,
  { remote, url, force, quiet, pairs }: PushOptions,
): Promise<void> {
  const { context, git, base, dir } = repository;
  const { fs } = context;
  const there = { fs, gitdir: target };
  const refs = await refsAt(context, target);
  const bare = !target.endsWith("/.git");
  const lines: string[] = [];
  let refused = false;
  let hint = "";
  for (const { source, target: ref } of pairs) {
    const name = nameOf(ref);
    const before = refs.get(ref);
    if (source === undefined) {
      if (before === undefined)
        throw new CommandFailure(
          `error: unable to delete '${name}': remote ref does not exist\nerror: failed to push some refs to '${url}'`,
        );
      await git.deleteRef({ ...there, ref });
      await git.deleteRef({ ...base, ref: `refs/remotes/${remote}/${name}` });
      lines.push(` - ${"[deleted]".padEnd(18)}${name}\n`);
      continue;
    }
    const value = await repository.resolve(source);
    const from = nameOf(source);
    if (value === undefined)
      throw new CommandFailure(
        `error: src refspec ${from} does not match any\nerror: failed to push some refs to '${url}'`,
      );
    if (before === value) continue;
    const isKnown = before !== undefined && fs.existsSync(objectPath(`${dir}/.git`, before));
    const ahead =
      before === undefined ||
      ((isKnown || (await hasObject(repository, before))) &&
        !ref.startsWith("refs/tags/") &&
        (await git.isDescendent({ ...base, oid: value, ancestor: before })));
    if (!ahead && !force) {
      refused = true;
      const isTag = ref.startsWith("refs/tags/");
      const why = isTag ? "already exists" : isKnown ? "non-fast-forward" : "fetch first";
      lines.push(` ! ${"[rejected]".padEnd(18)}${from} -> ${name} (${why})\n`);
      hint = hints[why] ?? "";
      continue;
    }
    if (!bare && headOf(context, target) === name && ref.startsWith("refs/heads/")) {
      refused = true;
      lines.push(
        ` ! ${"[remote rejected]".padEnd(18)}${from} -> ${name} (branch is currently checked out)\n`,
      );
      continue;
    }
    copyObjects(context, `${dir}/.git`, target);
    await git.writeRef({ ...there, ref, value, force: true });
    if (ref.startsWith("refs/heads/"))
      await git.writeRef({ ...base, ref: `refs/remotes/${remote}/${name}`, value, force: true });
    const kind = ref.startsWith("refs/tags/") ? "[new tag]" : "[new branch]";
    lines.push(
      before === undefined
        ? ` * ${kind.padEnd(18)}${from} -> ${name}\n`
        : ` ${ahead ? " " : "+"} ${`${short(before)}${ahead ? ".." : "..."}${short(value)}`.padEnd(18)}${from} -> ${name}${ahead ? "" : " (forced update)"}\n`,
    );
  }
  if (lines.length === 0) {
    if (!quiet) context.writeError("Everything up-to-date\n");
    return;
  }
  if (!quiet || refused) context.writeError(`To ${url}\n${lines.join("")}`);
  if (refused) throw new CommandFailure(`error: failed to push some refs to '${url}'`, 1, hint);
}

const hints: Readonly<Record<string, string>> = {
  "non-fast-forward":
    "hint: Updates were rejected because the tip of your current branch is behind\nhint: its remote counterpart. Integrate the remote changes (e.g.\nhint: 'git pull ...') before pushing again.\nhint: See the 'Note about fast-forwards' in 'git push --help' for details.\n",
  "fetch first":
    "hint: Updates were rejected because the remote contains work that you do\nhint: not have locally. This is usually caused by another repository pushing\nhint: to the same ref. You may want to first integrate the remote changes\nhint: (e.g., 'git pull ...') before pushing again.\nhint: See the 'Note about fast-forwards' in 'git push --help' for details.\n",
  "already exists": "hint: Updates were rejected because the tag already exists in the remote.\n",
};

/** Of a branch or a tag. */
const nameOf = (ref: string): string => ref.replace(/^refs\/(?:heads|tags)\//, "");

const objectPath = (gitdir: string, oid: string): string =>
  `${gitdir}/objects/${oid.slice(0, 2)}/${oid.slice(2)}`;

async function hasObject({ git, base }: Repository, oid: string): Promise<boolean> {
  return git.readObject({ ...base, oid, format: "deflated" }).then(
    () => true,
    () => false,
  );
}
