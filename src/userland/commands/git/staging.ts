/** Owns `git add`, `rm` and `mv`: what the next commit will have. */
import { CommandFailure, type CommandContext } from "../../command.js";
import { codeText, errorCode } from "../../support/errors.js";
import { parseOptions } from "../../support/options.js";
import { conflictsOf } from "./conflicts.js";
import { fatal } from "./failures.js";
import type { Repository } from "./repository.js";

export async function add(repository: Repository, context: CommandContext): Promise<number> {
  const options = parseOptions(
    context,
    "Aufv",
    { all: "A", update: "u", force: "f", verbose: "v" },
    { status: 129 },
  );
  const words =
    options.operands.length === 0 && options.has("A", "u") ? [repository.dir] : options.operands;
  if (words.length === 0) {
    context.writeError(
      "Nothing specified, nothing added.\nhint: Maybe you wanted to say 'git add .'?\n",
    );
    return 0;
  }
  const { git, base } = repository;
  for (const word of words) {
    const path = repository.pathOf(word);
    const rows = await repository.rows([path]);
    if (rows.length === 0 && path !== "." && !context.fs.existsSync(word))
      throw fatal(`pathspec '${word}' did not match any files`);
    if (rows.length === 0 && options.has("f"))
      await git.add({ ...base, filepath: path, force: true });
    else if (
      rows.length === 0 &&
      path !== "." &&
      (await git.isIgnored({ ...base, filepath: path }))
    ) {
      context.writeError(
        `The following paths are ignored by one of your .gitignore files:\n${path}\nhint: Use -f if you really want to add them.\n`,
      );
      return 1;
    }
    for (const { path: filepath, work, stage } of rows) {
      if (work === stage || (options.has("u") && stage === 0)) continue;
      if (work === 0) await git.remove({ ...base, filepath });
      else await git.add({ ...base, filepath, force: true });
    }
  }
  return 0;
}

export async function remove(repository: Repository, context: CommandContext): Promise<number> {
  const options = parseOptions(
    context,
    "rfq",
    { cached: "cached", force: "f", quiet: "q" },
    { status: 129 },
  );
  const { git, base } = repository;
  for (const word of options.operands) {
    const path = repository.pathOf(word);
    const all = await repository.rows([path]);
    const open = await conflictsOf(repository, all);
    const rows = all.filter(({ path: each, stage }) => stage !== 0 || open.has(each));
    if (rows.length === 0) throw fatal(`pathspec '${word}' did not match any files`);
    if (!options.has("r") && (rows.length > 1 || rows[0]!.path !== path))
      throw fatal(`not removing '${word}' recursively without -r`);
    const changed = rows.find(
      ({ path: each, head, work, stage }) =>
        !open.has(each) && ((work !== stage && work !== 0) || head === 0 || stage !== 1),
    );
    if (changed !== undefined && !options.has("f", "cached")) {
      const staged = changed.work === changed.stage;
      throw new CommandFailure(
        `error: the following file has ${staged ? "changes staged in the index" : "local modifications"}:\n    ${changed.path}\n(use --cached to keep the file, or -f to force removal)`,
      );
    }
    for (const { path: filepath } of rows) {
      await git.remove({ ...base, filepath });
      if (!options.has("cached"))
        context.fs.rmSync(`${repository.dir}/${filepath}`, { force: true });
      if (!options.has("q")) context.write(`rm '${filepath}'\n`);
    }
  }
  return 0;
}

export async function move(repository: Repository, context: CommandContext): Promise<number> {
  const [, from, to, extra] = context.argv;
  if (from === undefined || to === undefined || extra !== undefined || from.startsWith("-"))
    throw fatal("mv takes one source and one target here");
  const directory = context.fs.statSync(to, { throwIfNoEntry: false })?.isDirectory() ?? false;
  const target = directory ? `${to}/${from.replace(/\/+$/, "").split("/").at(-1)!}` : to;
  const rows = (await repository.rows([repository.pathOf(from)])).filter(
    ({ stage }) => stage !== 0,
  );
  if (rows.length === 0)
    throw fatal(`not under version control, source=${from}, destination=${target}`);
  if (context.fs.existsSync(target))
    throw fatal(`destination exists, source=${from}, destination=${target}`);
  try {
    context.fs.renameSync(from, target);
  } catch (error) {
    throw fatal(`renaming '${from}' failed: ${codeText(errorCode(error) ?? "")}`);
  }
  const [source, destination] = [repository.pathOf(from), repository.pathOf(target)];
  for (const { path } of rows) {
    await repository.git.remove({ ...repository.base, filepath: path });
    await repository.git.add({
      ...repository.base,
      filepath: destination + path.slice(source.length),
    });
  }
  return 0;
}
