/** Owns `git status`: what is staged, what is not, what is untracked. */
import type { CommandContext } from "../../command.js";
import { parseOptions } from "../../support/options.js";
import { posix } from "node:path";
import { compareBytes } from "../../support/text.js";
import { between } from "./commit-walk.js";
import { conflictsOf, conflictWords, underWayText, type ConflictLetters } from "./conflicts.js";
import { changesBetween } from "./diff.js";
import { shortName, upstreamOf } from "./refs.js";
import type { Repository, Row } from "./repository.js";
import { filesOf, tracked } from "./trees.js";
import { stateOf } from "./under-way.js";

interface Change {
  path: string;
  letter: "A" | "M" | "D" | "R";
  /** Of a file that was moved and not changed. */
  from?: string;
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

/** Moved files as one change each, where there are files that came and files that went. */
async function withRenames(repository: Repository, staged: readonly Change[]): Promise<Change[]> {
  const has = (wanted: string): boolean => staged.some(({ letter }) => letter === wanted);
  if (!has("A") || !has("D")) return [...staged];
  const index = await tracked(repository, "index");
  const all = changesBetween(await filesOf(repository, await repository.resolve("HEAD")), index);
  const moved = new Map(
    all.flatMap(({ path, from }) => (from === undefined ? [] : [[path, from]])),
  );
  const gone = new Set(moved.values());
  return staged
    .filter(({ path, letter }) => letter !== "D" || !gone.has(path))
    .map((change): Change => {
      const from = change.letter === "A" ? moved.get(change.path) : undefined;
      return from === undefined ? change : { path: change.path, letter: "R", from };
    });
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

const words = { A: "new file:   ", M: "modified:   ", D: "deleted:    ", R: "renamed:    " };

/** What the long form says of the branch that this one follows. */
async function trackingText(
  repository: Repository,
  branch: string | undefined,
  head: string | undefined,
): Promise<string> {
  const upstream = branch === undefined ? undefined : await upstreamOf(repository, branch);
  if (upstream === undefined || head === undefined) return "";
  const name = shortName(upstream);
  const said = await besideUpstream(repository, upstream, head);
  const count = (kind: string): number => Number(new RegExp(`${kind} (\\d+)`).exec(said)?.[1] ?? 0);
  const commits = (number: number): string => `${number} commit${number === 1 ? "" : "s"}`;
  const [ahead, behind] = [count("ahead"), count("behind")];
  if (said === "gone")
    return `Your branch is based on '${name}', but the upstream is gone.\n  (use "git branch --unset-upstream" to fixup)\n\n`;
  if (ahead > 0 && behind > 0)
    return (
      `Your branch and '${name}' have diverged,\nand have ${ahead} and ${behind} different commits each, respectively.\n` +
      '  (use "git pull" to merge the remote branch into yours)\n\n'
    );
  if (ahead > 0)
    return `Your branch is ahead of '${name}' by ${commits(ahead)}.\n  (use "git push" to publish your local commits)\n\n`;
  if (behind > 0)
    return `Your branch is behind '${name}' by ${commits(behind)}, and can be fast-forwarded.\n  (use "git pull" to update your local branch)\n\n`;
  return `Your branch is up to date with '${name}'.\n\n`;
}

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
      "porcelain=?": "porcelain",
      branch: "b",
      null: "z",
      "untracked-files=?": "u",
      "ignore-submodules=?": "x",
      "no-renames": "norenames",
      "no-ahead-behind": "x",
    },
    { status: 129 },
  );
  const rows = await repository.rows(
    options.operands.length === 0 ? ["."] : options.operands.map((word) => repository.pathOf(word)),
  );
  const conflicts = await conflictsOf(repository, rows);
  const isOpen = ({ path }: { path: string }): boolean => conflicts.has(path);
  const changed = unstagedChanges(rows).filter((each) => !isOpen(each));
  const indexed = stagedChanges(rows).filter((each) => !isOpen(each));
  const staged = options.has("norenames") ? indexed : await withRenames(repository, indexed);
  const mode = options.has("u") ? options.get("u")! : "normal";
  const others = othersOf(
    rows.filter((each) => !isOpen(each)),
    mode,
  );
  const state: State = { staged, changed, others, conflicts };
  const branch = await repository.branch();
  const head = await repository.resolve("HEAD");
  // What is for programs names files from the repository's root, what is for people from where they are.
  const machine = options.has("z", "porcelain");
  const below = repository.pathOf(".");
  const shown = (path: string): string =>
    machine || below === "." ? path : posix.relative(below, path) + (path.endsWith("/") ? "/" : "");
  if (options.has("s", "z", "porcelain")) {
    const end = options.has("z") ? "\0" : "\n";
    if (options.has("b"))
      context.write(
        `## ${head === undefined ? "No commits yet on " : ""}${branch ?? "HEAD (no branch)"}${await followed(repository, branch, head)}${end}`,
      );
    writeShort(context, state, shown, end);
    return 0;
  }
  context.write(
    branch === undefined ? `HEAD detached at ${head?.slice(0, 7)}\n` : `On branch ${branch}\n`,
  );
  context.write(await trackingText(repository, branch, head));
  context.write(underWayText(repository, conflicts.size > 0));
  if (head === undefined) context.write(`\n${unborn}\n\n`);
  writeLong(context, state, shown, {
    isUnborn: head === undefined,
    isMerging: stateOf(repository, "MERGE_HEAD") !== undefined,
  });
  return 0;
}

/** What a status is about. */
interface State {
  staged: readonly Change[];
  changed: readonly Change[];
  others: readonly string[];
  conflicts: ReadonlyMap<string, ConflictLetters>;
}

function writeShort(
  context: CommandContext,
  { staged, changed, others, conflicts }: State,
  shown: (path: string) => string,
  end: string,
): void {
  const pairs = new Map<string, [string, string]>(
    [...conflicts].map(([path, letters]) => [path, [letters[0]!, letters[1]!]]),
  );
  const sources = new Map<string, string>();
  for (const { path, letter, from } of staged) {
    pairs.set(path, [letter, " "]);
    if (from !== undefined) sources.set(path, from);
  }
  for (const { path, letter } of changed) pairs.set(path, [pairs.get(path)?.[0] ?? " ", letter]);
  for (const path of [...pairs.keys()].sort(compareBytes)) {
    const from = sources.get(path);
    const names =
      from === undefined
        ? shown(path)
        : end === "\0"
          ? `${shown(path)}\0${shown(from)}`
          : `${shown(from)} -> ${shown(path)}`;
    context.write(`${pairs.get(path)!.join("")} ${names}${end}`);
  }
  for (const path of others) context.write(`?? ${shown(path)}${end}`);
}

function writeLong(
  context: CommandContext,
  { staged, changed, others, conflicts }: State,
  shown: (path: string) => string,
  { isUnborn, isMerging }: { isUnborn: boolean; isMerging: boolean },
): void {
  if (staged.length > 0) {
    const undo = isUnborn ? "git rm --cached <file>..." : "git restore --staged <file>...";
    context.write(`Changes to be committed:\n${isMerging ? "" : `  (use "${undo}" to unstage)\n`}`);
    for (const { path, letter, from } of staged) {
      const source = from === undefined ? "" : `${shown(from)} -> `;
      context.write(`\t${words[letter]}${source}${shown(path)}\n`);
    }
    context.write("\n");
  }
  if (conflicts.size > 0) {
    const removes = [...conflicts.values()].some((letters) => letters.includes("D"));
    context.write(
      `Unmerged paths:\n  (use "git add${removes ? "/rm" : ""} <file>..." ${removes ? "as appropriate " : ""}to mark resolution)\n`,
    );
    for (const [path, letters] of conflicts)
      context.write(`\t${conflictWords[letters]}${shown(path)}\n`);
    context.write("\n");
  }
  if (changed.length > 0) {
    const add = changed.some(({ letter }) => letter === "D") ? "add/rm" : "add";
    context.write(
      `Changes not staged for commit:\n  (use "git ${add} <file>..." to update what will be committed)\n` +
        `  (use "git restore <file>..." to discard changes in working directory)\n`,
    );
    for (const { path, letter } of changed) context.write(`\t${words[letter]}${shown(path)}\n`);
    context.write("\n");
  }
  if (others.length > 0) {
    context.write(
      'Untracked files:\n  (use "git add <file>..." to include in what will be committed)\n',
    );
    for (const path of others) context.write(`\t${shown(path)}\n`);
    context.write("\n");
  }
  if (staged.length > 0) return;
  if (changed.length + conflicts.size > 0)
    context.write('no changes added to commit (use "git add" and/or "git commit -a")\n');
  else if (others.length > 0)
    context.write('nothing added to commit but untracked files present (use "git add" to track)\n');
  else if (isUnborn)
    context.write('nothing to commit (create/copy files and use "git add" to track)\n');
  else context.write("nothing to commit, working tree clean\n");
}
