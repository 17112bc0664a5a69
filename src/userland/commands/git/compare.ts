/** Owns `git diff-index`, `diff-files` and `diff-tree`: differences for scripts, by default as lines of modes and objects. */
import type { CommandContext } from "../../command.js";
import { parseOptions, type Options } from "../../support/options.js";
import { changesBetween, diffForms, diffOptions, writeChanges } from "./diff.js";
import type { Change } from "./diffstat.js";
import { pathspec } from "./pathspec.js";
import { writeRaw } from "./raw-changes.js";
import { fatal } from "./failures.js";
import type { Repository } from "./repository.js";
import { filesOf, tracked, type Files } from "./trees.js";

/** Splits a command line at `--`. */
export function atDashes(context: CommandContext): { before: CommandContext; after: string[] } {
  const end = context.argv.indexOf("--");
  if (end === -1) return { before: context, after: [] };
  return {
    before: { ...context, argv: context.argv.slice(0, end) },
    after: context.argv.slice(end + 1),
  };
}

const compareOptions = {
  ...diffOptions,
  cached: "cached",
  "exit-code": "code",
  "ignore-submodules=?": "x",
  raw: "raw",
};

async function told(
  context: CommandContext,
  list: readonly Change[],
  options: Options,
  staged?: Files,
): Promise<number> {
  const chosen = options.list.some(({ key }) => diffForms.includes(key) || key === "quiet");
  if (chosen) await writeChanges(context, list, options);
  else writeRaw(context, list, options, staged);
  return options.has("code", "quiet") && list.length > 0 ? 1 : 0;
}

export async function diffIndex(repository: Repository, context: CommandContext): Promise<number> {
  const { before, after } = atDashes(context);
  const options = parseOptions(before, "pqrmzsM", compareOptions, { status: 129 });
  const [name, ...words] = options.operands;
  if (name === undefined) throw fatal("diff-index takes a tree");
  const old = await filesOf(repository, await repository.need(`${name}^{tree}`));
  const cached = options.has("cached");
  const staged = await tracked(repository, "index");
  const now = cached ? staged : await tracked(repository, "work");
  const has = pathspec(repository, [...words, ...after]);
  const list = changesBetween(old, now, has, options.has("M"));
  return told(context, list, options, cached ? undefined : staged);
}

export async function diffFiles(repository: Repository, context: CommandContext): Promise<number> {
  const { before, after } = atDashes(context);
  const options = parseOptions(before, "pqrzs", compareOptions, { status: 129 });
  const staged = await tracked(repository, "index");
  const has = pathspec(repository, [...options.operands, ...after]);
  const list = changesBetween(staged, await tracked(repository, "work"), has, false);
  return told(context, list, options, staged);
}

export async function diffTree(repository: Repository, context: CommandContext): Promise<number> {
  const { before, after } = atDashes(context);
  const options = parseOptions(
    before,
    "prtzsmcM",
    { ...compareOptions, root: "root", "no-commit-id": "noid" },
    { status: 129 },
  );
  if (!options.has("r") && !options.list.some(({ key }) => diffForms.includes(key)))
    throw fatal("diff-tree without -r is not there");
  const [name, second, ...words] = options.operands;
  if (name === undefined) throw fatal("diff-tree takes a commit or two trees");
  const other = second === undefined ? undefined : await repository.resolve(second);
  const has = pathspec(repository, [
    ...(second !== undefined && other === undefined ? [second] : []),
    ...words,
    ...after,
  ]);
  if (other !== undefined) {
    const sides = [await repository.need(name), other].map((oid) => filesOf(repository, oid));
    const [old, now] = (await Promise.all(sides)) as [Files, Files];
    return told(context, changesBetween(old, now, has, options.has("M")), options);
  }
  const oid = await repository.need(`${name}^{commit}`);
  const { parent } = (await repository.git.readCommit({ ...repository.base, oid })).commit;
  if (parent.length > 1 || (parent.length === 0 && !options.has("root"))) return 0;
  const old = await filesOf(repository, parent[0]);
  const list = changesBetween(old, await filesOf(repository, oid), has, options.has("M"));
  if (list.length > 0 && !options.has("noid"))
    context.write(`${oid}${options.has("z") ? "\0" : "\n"}`);
  return told(context, list, options);
}
