/** Owns what lists files: ls-files those of the index and the work tree, ls-tree those of a tree. */
import { posix } from "node:path";
import type { CommandContext } from "../../command.js";
import { parseOptions } from "../../support/options.js";
import { pathspec } from "./pathspec.js";
import { fatal } from "./failures.js";
import type { Repository, Row } from "./repository.js";
import { tracked } from "./trees.js";

export async function lsTree(repository: Repository, context: CommandContext): Promise<number> {
  const options = parseOptions(
    context,
    "rtzd",
    {
      "name-only": "names",
      "name-status": "names",
      "full-tree": "full",
      "full-name": "full",
      "object-only": "oids",
    },
    { status: 129 },
  );
  const [name, ...paths] = options.operands;
  if (name === undefined) throw fatal("ls-tree takes a tree");
  const { git, base } = repository;
  const visit = async (oid: string, prefix: string): Promise<void> => {
    for (const entry of (await git.readTree({ ...base, oid })).tree) {
      const path = prefix + entry.path;
      const within = paths.some(
        (one) => path === one || path.startsWith(`${one.replace(/\/$/, "")}/`),
      );
      const leads = paths.some((one) => one.startsWith(`${path}/`));
      const show = (): void => {
        if (options.has("d") && entry.type !== "tree") return;
        const meta = options.has("names")
          ? ""
          : `${entry.mode.padStart(6, "0")} ${entry.type} ${entry.oid}\t`;
        context.write(
          `${options.has("oids") ? entry.oid : meta + path}${options.has("z") ? "\0" : "\n"}`,
        );
      };
      if (entry.type === "tree" && (options.has("r") || leads)) {
        if (options.has("t", "d") && (paths.length === 0 || within)) show();
        await visit(entry.oid, `${path}/`);
        continue;
      }
      if (paths.length === 0 || within) show();
    }
  };
  await visit(await repository.need(name), "");
  return 0;
}

export async function lsFiles(repository: Repository, context: CommandContext): Promise<number> {
  const options = parseOptions(
    context,
    "cosmdzt",
    {
      cached: "c",
      others: "o",
      stage: "s",
      modified: "m",
      deleted: "d",
      "exclude-standard": "x",
      "full-name": "full",
      "error-unmatch": "unmatch",
      deduplicate: "x",
    },
    { status: 129 },
  );
  const end = options.has("z") ? "\0" : "\n";
  const has = pathspec(repository, options.operands.length === 0 ? ["."] : options.operands);
  const rows = (await repository.rows()).filter(({ path }) => has(path));
  const staged = options.has("s") ? await tracked(repository, "index") : undefined;
  const below = repository.pathOf(".");
  const shown = (path: string): string =>
    options.has("full") || below === "." ? path : posix.relative(below, path);
  const show = (path: string, tag: string): void => {
    const version = staged?.get(path);
    const meta = version === undefined ? "" : `${version.mode} ${version.oid} 0\t`;
    context.write(`${options.has("t") ? `${tag} ` : ""}${meta}${shown(path)}${end}`);
  };
  const cached = options.has("c", "s") || !options.has("o", "m", "d");
  const wanted = {
    "?": options.has("o") ? (row: Row) => row.stage === 0 && row.work !== 0 : undefined,
    H: cached ? (row: Row) => row.stage !== 0 : undefined,
    R: options.has("d") ? (row: Row) => row.stage !== 0 && row.work === 0 : undefined,
    C: options.has("m") ? (row: Row) => row.stage !== 0 && row.work !== row.stage : undefined,
  };
  for (const row of rows) if (wanted["?"]?.(row)) show(row.path, "?");
  for (const row of rows)
    for (const tag of ["H", "R", "C"] as const) if (wanted[tag]?.(row)) show(row.path, tag);
  if (!options.has("unmatch")) return 0;
  for (const word of options.operands) {
    const named = pathspec(repository, [word]);
    if (rows.some(({ path, stage }) => stage !== 0 && named(path))) continue;
    context.writeErrorFirst(
      `error: pathspec '${word}' did not match any file(s) known to git\nDid you forget to 'git add'?\n`,
    );
    return 1;
  }
  return 0;
}
