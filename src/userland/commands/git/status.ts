/** Owns `git status`: what is staged, what is not, what is untracked. */
import type { CommandContext } from "../../command.js";
import { parseOptions } from "../../support/options.js";
import { compareBytes } from "../../support/text.js";
import { between } from "./commit-walk.js";
import { shortName, upstreamOf } from "./refs.js";
import type { Repository, Row } from "./repository.js";

interface Change {
  path: string;
  letter: "A" | "M" | "D";
}

export function stagedChanges(rows: readonly Row[]): Change[] {
  return rows.flatMap(({ path, head, stage }): Change[] =>
    head === 0
      ? stage === 0
        ? []
        : [{ path, letter: "A" }]
      : stage === 0
        ? [{ path, letter: "D" }]
        : stage === 1
          ? []
          : [{ path, letter: "M" }],
  );
}

function unstagedChanges(rows: readonly Row[]): Change[] {
  return rows.flatMap(({ path, work, stage }): Change[] =>
    stage === 0 || work === stage ? [] : [{ path, letter: work === 0 ? "D" : "M" }],
  );
}

/** A folder without one tracked file is shown as itself. */
export function untracked(rows: readonly Row[]): string[] {
  const known = new Set<string>();
  for (const { path, stage } of rows) {
    if (stage === 0) continue;
    for (let at = path.indexOf("/"); at !== -1; at = path.indexOf("/", at + 1))
      known.add(path.slice(0, at + 1));
  }
  const names = new Set<string>();
  for (const { path, work, stage } of rows) {
    if (stage !== 0 || work === 0) continue;
    let name = path;
    for (let at = path.indexOf("/"); at !== -1; at = path.indexOf("/", at + 1)) {
      if (known.has(path.slice(0, at + 1))) continue;
      name = path.slice(0, at + 1);
      break;
    }
    names.add(name);
  }
  return [...names].sort(compareBytes);
}

/** Untracked files as `--untracked-files` wants them shown. */
function othersOf(rows: readonly Row[], mode: string): string[] {
  if (mode === "no") return [];
  if (mode === "normal") return untracked(rows);
  return rows.filter(({ work, stage }) => stage === 0 && work !== 0).map(({ path }) => path);
}

/** `ahead 1, behind 2`, of a commit and what its branch follows. */
export async function besideUpstream(
  repository: Repository,
  upstream: string,
  head: string | undefined,
): Promise<string> {
  const other = await repository.resolve(upstream);
  if (other === undefined) return "gone";
  if (head === undefined) return "";
  const [ahead, behind] = [
    (await between(repository, other, head)).length,
    (await between(repository, head, other)).length,
  ];
  const parts = [ahead > 0 ? `ahead ${ahead}` : "", behind > 0 ? `behind ${behind}` : ""];
  return parts.filter(Boolean).join(", ");
}

/** `...origin/main [ahead 1]`, where the branch follows another. */
async function followed(
  repository: Repository,
  branch: string | undefined,
  head: string | undefined,
): Promise<string> {
  const upstream = branch === undefined ? undefined : await upstreamOf(repository, branch);
  if (upstream === undefined) return "";
  const said = await besideUpstream(repository, upstream, head);
  return `...${shortName(upstream)}${said === "" ? "" : ` [${said}]`}`;
}

const words = { A: "new file:   ", M: "modified:   ", D: "deleted:    " };

export async function status(
  repository: Repository,
  context: CommandContext,
  /** How a repository without commits is called: `git commit` says it otherwise than `git status`. */
  unborn = "No commits yet",
): Promise<number> {
  const options = parseOptions(
    context,
    "sbzu::",
    {
      short: "s",
      "porcelain=?": "s",
      branch: "b",
      null: "z",
      "untracked-files=?": "u",
      "ignore-submodules=?": "x",
      "no-renames": "x",
      "no-ahead-behind": "x",
    },
    { status: 129 },
  );
  const rows = await repository.rows(
    options.operands.length === 0 ? ["."] : options.operands.map((word) => repository.pathOf(word)),
  );
  const [staged, changed] = [stagedChanges(rows), unstagedChanges(rows)];
  const others = othersOf(rows, options.has("u") ? options.get("u")! : "normal");
  const branch = await repository.branch();
  const head = await repository.resolve("HEAD");
  if (options.has("s", "z")) {
    const end = options.has("z") ? "\0" : "\n";
    if (options.has("b"))
      context.write(
        `## ${head === undefined ? "No commits yet on " : ""}${branch ?? "HEAD (no branch)"}${await followed(repository, branch, head)}${end}`,
      );
    const pairs = new Map<string, [string, string]>();
    for (const { path, letter } of staged) pairs.set(path, [letter, " "]);
    for (const { path, letter } of changed) pairs.set(path, [pairs.get(path)?.[0] ?? " ", letter]);
    for (const path of [...pairs.keys()].sort(compareBytes))
      context.write(`${pairs.get(path)!.join("")} ${path}${end}`);
    for (const path of others) context.write(`?? ${path}${end}`);
    return 0;
  }
  context.write(
    branch === undefined ? `HEAD detached at ${head?.slice(0, 7)}\n` : `On branch ${branch}\n`,
  );
  if (head === undefined) context.write(`\n${unborn}\n\n`);
  if (staged.length > 0) {
    const undo =
      head === undefined ? "git rm --cached <file>..." : "git restore --staged <file>...";
    context.write(`Changes to be committed:\n  (use "${undo}" to unstage)\n`);
    for (const { path, letter } of staged) context.write(`\t${words[letter]}${path}\n`);
    context.write("\n");
  }
  if (changed.length > 0) {
    const add = changed.some(({ letter }) => letter === "D") ? "add/rm" : "add";
    context.write(
      `Changes not staged for commit:\n  (use "git ${add} <file>..." to update what will be committed)\n` +
        `  (use "git restore <file>..." to discard changes in working directory)\n`,
    );
    for (const { path, letter } of changed) context.write(`\t${words[letter]}${path}\n`);
    context.write("\n");
  }
  if (others.length > 0) {
    context.write(
      'Untracked files:\n  (use "git add <file>..." to include in what will be committed)\n',
    );
    for (const path of others) context.write(`\t${path}\n`);
    context.write("\n");
  }
  if (staged.length > 0) return 0;
  if (changed.length > 0)
    context.write('no changes added to commit (use "git add" and/or "git commit -a")\n');
  else if (others.length > 0)
    context.write('nothing added to commit but untracked files present (use "git add" to track)\n');
  else if (head === undefined)
    context.write('nothing to commit (create/copy files and use "git add" to track)\n');
  else context.write("nothing to commit, working tree clean\n");
  return 0;
}
