/** Owns `git branch`, `checkout`, `switch` and `tag`: names of commits, and which of them HEAD is. */
import { CommandFailure, type CommandContext } from "../../command.js";
import { globRegex } from "../../support/glob.js";
import { parseOptions } from "../../support/options.js";
import { short } from "./commit-text.js";
import { fatal, type Repository } from "./repository.js";
import { restoreFiles } from "./restore.js";

/** What `--list` shows: names that a pattern matches, or all. */
function matching(patterns: readonly string[]): (name: string) => boolean {
  const wanted = patterns.map((pattern) => globRegex(pattern));
  return (name) => wanted.length === 0 || wanted.some((one) => one.test(name));
}

export async function branch(repository: Repository, context: CommandContext): Promise<number> {
  const options = parseOptions(
    context,
    "dDmMa",
    { delete: "d", move: "m", "show-current": "current", list: "list", all: "a" },
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
  } else if (options.has("m", "M")) {
    const [from, to] = second === undefined ? [current, name] : [name, second];
    if (from === undefined || to === undefined) throw fatal("branch name required");
    await git.renameBranch({ ...base, oldref: from, ref: to, checkout: from === current });
  } else if (name !== undefined && !options.has("list")) {
    if ((await repository.resolve(`refs/heads/${name}`)) !== undefined)
      throw fatal(`a branch named '${name}' already exists`);
    const object = second === undefined ? undefined : await repository.need(second);
    await git.branch({ ...base, ref: name, ...(object === undefined ? {} : { object }) });
  } else {
    if (current === undefined)
      context.write(`* (HEAD detached at ${short(await repository.need("HEAD"))})\n`);
    const listed = matching(options.operands);
    for (const each of (await git.listBranches({ ...base })).filter(listed).sort())
      context.write(`${each === current ? "*" : " "} ${each}\n`);
    if (options.has("a"))
      for (const remote of await git.listRemotes({ ...base }))
        for (const each of (await git.listBranches({ ...base, remote: remote.remote })).sort())
          context.write(`  remotes/${remote.remote}/${each}\n`);
  }
  return 0;
}

/** A new branch at a revision, or in place of one that has no commit yet; HEAD names it then. */
async function createBranch(repository: Repository, created: string, name: string): Promise<void> {
  const { git, base } = repository;
  if ((await repository.resolve(`refs/heads/${created}`)) !== undefined)
    throw fatal(`a branch named '${created}' already exists`);
  const head = await repository.resolve("HEAD");
  const object = head === undefined ? undefined : await repository.need(name);
  if (object !== undefined) await git.branch({ ...base, ref: created, object });
  // Nothing of the work tree changes: HEAD alone gets another name.
  if (object === head)
    await git.writeRef({
      ...base,
      ref: "HEAD",
      value: `refs/heads/${created}`,
      symbolic: true,
      force: true,
    });
  else await git.checkout({ ...base, ref: created });
}

export async function checkout(repository: Repository, context: CommandContext): Promise<number> {
  const end = context.argv.indexOf("--");
  const argv = end === -1 ? context.argv : context.argv.slice(0, end);
  const options = parseOptions(
    { ...context, argv },
    "b:B:c:C:qfd",
    { "create=": "c", quiet: "q", force: "f", detach: "d" },
    { status: 129 },
  );
  const { git, base } = repository;
  const paths = end === -1 ? [] : context.argv.slice(end + 1);
  const created = options.get("b") ?? options.get("c");
  if (options.has("B", "C")) throw fatal("-B and -C are not there: delete the branch first");
  const [name = "HEAD", ...rest] = options.operands;
  paths.push(...rest);
  const isBranch = (await repository.resolve(`refs/heads/${name}`)) !== undefined;
  if (
    created === undefined &&
    end === -1 &&
    !isBranch &&
    (await repository.resolve(name)) === undefined
  ) {
    if (context.name !== "switch" && context.fs.existsSync(name)) {
      await restoreFiles(repository, [name, ...paths], undefined);
      return 0;
    }
    const remote = await repository.resolve(`refs/remotes/origin/${name}`);
    if (remote === undefined) {
      if (context.name === "switch") throw fatal(`invalid reference: ${name}`);
      throw new CommandFailure(`error: pathspec '${name}' did not match any file(s) known to git`);
    }
  }
  if (paths.length > 0) {
    await restoreFiles(
      repository,
      paths,
      options.operands.length > 0 ? await repository.need(name) : undefined,
    );
    return 0;
  }
  const say = (text: string) => (options.has("q") ? undefined : context.writeError(text));
  if (created !== undefined) {
    await createBranch(repository, created, name);
    say(`Switched to a new branch '${created}'\n`);
    return 0;
  }
  const detach = options.has("d");
  if (name === (await repository.branch()) && !detach) {
    say(`Already on '${name}'\n`);
    return 0;
  }
  await git.checkout({
    ...base,
    ref: isBranch && !detach ? name : ((await repository.resolve(name)) ?? name),
    force: options.has("f"),
  });
  if ((await repository.branch()) !== undefined) say(`Switched to branch '${name}'\n`);
  else {
    const oid = await repository.need("HEAD");
    const { commit: now } = await git.readCommit({ ...base, oid });
    say(`HEAD is now at ${short(oid)} ${now.message.split("\n", 1)[0]!}\n`);
  }
  return 0;
}

export async function tag(repository: Repository, context: CommandContext): Promise<number> {
  const options = parseOptions(
    context,
    "am:dfl",
    { annotate: "a", "message=": "m", delete: "d", force: "f", list: "l" },
    { status: 129 },
  );
  const { git, base } = repository;
  const [name, target] = options.operands;
  if (name === undefined || options.has("l")) {
    const listed = matching(options.operands);
    for (const each of (await git.listTags({ ...base })).sort())
      if (listed(each)) context.write(`${each}\n`);
    return 0;
  }
  const old = await repository.resolve(`refs/tags/${name}`);
  if (options.has("d")) {
    if (old === undefined) throw new CommandFailure(`error: tag '${name}' not found.`);
    await git.deleteTag({ ...base, ref: name });
    context.write(`Deleted tag '${name}' (was ${short(old)})\n`);
    return 0;
  }
  if (old !== undefined && !options.has("f")) throw fatal(`tag '${name}' already exists`);
  const object = await repository.need(target ?? "HEAD");
  const message = options.get("m");
  if (message === undefined && options.has("a"))
    throw fatal("no editor here: give the message with -m");
  if (message === undefined) await git.tag({ ...base, ref: name, object, force: true });
  else
    await git.annotatedTag({
      ...base,
      ref: name,
      object,
      message: `${message}\n`,
      tagger: await repository.person("COMMITTER"),
      force: true,
    });
  return 0;
}
