/** Owns `git clean`: what is not tracked is removed. */
import { CommandFailure, type CommandContext } from "../../command.js";
import { parseOptions } from "../../support/options.js";
import type { Repository } from "./repository.js";
import { untracked } from "./status.js";

export async function clean(repository: Repository, context: CommandContext): Promise<number> {
  const options = parseOptions(
    context,
    "fndqx",
    { force: "f", "dry-run": "n", quiet: "q" },
    { status: 129 },
  );
  if (!options.has("f", "n"))
    throw new CommandFailure(
      "fatal: clean.requireForce defaults to true and neither -i, -n, nor -f given; refusing to clean",
      128,
    );
  const { dir } = repository;
  const paths = options.operands.map((word) => repository.pathOf(word));
  const rows = await repository.rows(paths.length === 0 ? ["."] : paths);
  const names = options.has("x") ? await withIgnored(repository, paths) : untracked(rows);
  for (const name of names) {
    if (name.endsWith("/") && !options.has("d")) continue;
    if (!options.has("q") || options.has("n"))
      context.write(`${options.has("n") ? "Would remove" : "Removing"} ${name}\n`);
    if (!options.has("n")) context.fs.rmSync(`${dir}/${name}`, { recursive: true, force: true });
  }
  return 0;
}

/** Files of the work tree that are not tracked, those that .gitignore names included. */
async function withIgnored(
  { context, dir, git, base }: Repository,
  within: readonly string[],
): Promise<string[]> {
  const tracked = new Set(await git.listFiles({ ...base }));
  const folders = new Set([...tracked].flatMap((path) => parentsOf(path)));
  const found: string[] = [];
  const visit = (prefix: string): void => {
    for (const entry of context.fs.readdirSync(`${dir}/${prefix}`, { withFileTypes: true })) {
      const path = `${prefix}${entry.name}`;
      if (path === ".git") continue;
      if (entry.isDirectory() && folders.has(path)) visit(`${path}/`);
      else if (!tracked.has(path)) found.push(entry.isDirectory() ? `${path}/` : path);
    }
  };
  visit("");
  return found
    .filter(
      (path) => within.length === 0 || within.some((one) => one === "." || path.startsWith(one)),
    )
    .sort();
}

function parentsOf(path: string): string[] {
  const list: string[] = [];
  for (let at = path.indexOf("/"); at !== -1; at = path.indexOf("/", at + 1))
    list.push(path.slice(0, at));
  return list;
}
