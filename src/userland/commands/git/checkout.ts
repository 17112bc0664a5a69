/** Owns `git checkout` and `switch`: which commit or branch HEAD is. */
import { CommandFailure, type CommandContext } from "../../command.js";
import { parseOptions } from "../../support/options.js";
import { detachedAdvice } from "./advice.js";
import { short } from "./commit-text.js";
import { fatal } from "./failures.js";
import { leftBefore } from "./reflog.js";
import type { Repository } from "./repository.js";
import { restoreFiles } from "./restore.js";

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
  const [asked = "HEAD", ...rest] = options.operands;
  const name = asked === "-" ? (leftBefore(repository, 1) ?? "@{-1}") : asked;
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
  const wasOn = await repository.branch();
  await git.checkout({
    ...base,
    ref: isBranch && !detach ? name : ((await repository.resolve(name)) ?? name),
    force: options.has("f"),
  });
  if (wasOn !== undefined && !detach && (await repository.branch()) === undefined)
    say(detachedAdvice(name));
  if ((await repository.branch()) !== undefined) say(`Switched to branch '${name}'\n`);
  else {
    const oid = await repository.need("HEAD");
    const { commit: now } = await git.readCommit({ ...base, oid });
    say(`HEAD is now at ${short(oid)} ${now.message.split("\n", 1)[0]!}\n`);
  }
  return 0;
}
