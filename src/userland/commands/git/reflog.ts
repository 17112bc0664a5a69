/**
 * Owns where HEAD and branches have been: the lines in .git/logs that commands which move HEAD leave, `git reflog`, and
 * what `HEAD@{1}` and `@{-1}` mean. What moved is seen from outside, before and after a command. A log is a file that
 * anybody may have written: lines that do not look like one are passed by.
 */
import type { CommandContext } from "../../command.js";
import { parseOptions } from "../../support/options.js";
import { formatted, short, zoneText, type Commit } from "./commit-text.js";
import { fatal } from "./failures.js";
import type { Repository } from "./repository.js";

/** Commands after which HEAD may be elsewhere. */
export const movers: ReadonlySet<string> = new Set(
  "branch checkout cherry-pick commit merge pull rebase reset revert switch".split(" "),
);

interface Place {
  readonly oid: string | undefined;
  readonly branch: string | undefined;
}

export interface Move {
  readonly from: string;
  readonly to: string;
  readonly message: string;
}

const nothing = "0".repeat(40);
/** Commits that one command is believed to have made. */
const commitsMax = 1000;

export async function placeOf(repository: Repository): Promise<Place> {
  const oid = await repository.resolve("HEAD");
  const branch = await repository.branch().catch(() => undefined);
  return { oid, branch };
}

const logOf = (repository: Repository, ref: string): string => `${repository.dir}/.git/logs/${ref}`;

/** Oldest first. */
function movesOf(repository: Repository, ref: string): Move[] {
  let text: string;
  try {
    text = repository.context.fs.readFileSync(logOf(repository, ref), "utf8");
  } catch {
    return [];
  }
  return text.split("\n").flatMap((line) => {
    const found = /^([0-9a-f]{40}) ([0-9a-f]{40}) [^\t]*(?:\t(.*))?$/.exec(line);
    return found === null ? [] : [{ from: found[1]!, to: found[2]!, message: found[3] ?? "" }];
  });
}

async function write(repository: Repository, ref: string, moves: readonly Move[]): Promise<void> {
  const { fs } = repository.context;
  if (moves.length === 0 || !fs.existsSync(`${repository.dir}/.git/HEAD`)) return;
  const { name, email, timestamp, timezoneOffset } = await repository.person("COMMITTER");
  const who = `${name} <${email}> ${timestamp} ${zoneText(timezoneOffset)}`;
  const path = logOf(repository, ref);
  fs.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
  fs.appendFileSync(
    path,
    moves.map(({ from, to, message }) => `${from} ${to} ${who}\t${message}\n`).join(""),
  );
}

/** Writes down what a command has moved. A repository whose log cannot be written works all the same. */
export async function recordMoves(
  repository: Repository,
  { argv }: CommandContext,
  before: Place,
): Promise<void> {
  const after = await placeOf(repository);
  if (after.oid === undefined) return;
  if (argv[0] === "branch") return recordBranch(repository, argv.slice(1), after);
  const hasMoved = after.oid !== before.oid || after.branch !== before.branch;
  const isReset = argv[0] === "reset" && argv.some((word) => /^--(?:hard|soft|mixed)$/.test(word));
  if (!hasMoved && !isReset) return;
  try {
    const moves = await describe(repository, argv, before, after);
    await write(repository, "HEAD", moves);
    if (after.branch === undefined) return;
    const ref = `refs/heads/${after.branch}`;
    const creates = argv.some((word) => /^-[bBcC]$|^--create/.test(word));
    if (after.branch !== before.branch) {
      const start = argv.slice(1).filter((word) => !word.startsWith("-"))[1] ?? "HEAD";
      const message = `branch: Created from ${start}`;
      if (creates) await write(repository, ref, [{ from: nothing, to: after.oid, message }]);
    } else if (argv[0] !== "rebase" || moves.length < 2) await write(repository, ref, moves);
    else {
      const message = `rebase (finish): ${ref} onto ${moves[0]!.to}`;
      await write(repository, ref, [{ from: moves[0]!.from, to: after.oid, message }]);
    }
  } catch {
    // Somebody without a name, or a read-only repository.
  }
}

/** `git branch new [start]` */
async function recordBranch(
  repository: Repository,
  words: readonly string[],
  { branch }: Place,
): Promise<void> {
  const [name = "", start = branch ?? "HEAD", extra] = words;
  const ref = `refs/heads/${name}`;
  if (extra !== undefined || words.some((word) => word.startsWith("-"))) return;
  const to = await repository.resolve(ref);
  if (to === undefined || movesOf(repository, ref).at(-1)?.to === to) return;
  const message = `branch: Created from ${start}`;
  await write(repository, ref, [{ from: nothing, to, message }]).catch(() => undefined);
}

const subjectOf = ({ commit }: Commit): string => commit.message.split("\n", 1)[0]!;

/** Commits by first parents, oldest first, from behind `from` up to `to`. */
async function madeBetween(
  { git, base }: Repository,
  from: string | undefined,
  to: string,
): Promise<Commit[]> {
  const made: Commit[] = [];
  for (let at: string | undefined = to; at !== undefined && at !== from;) {
    if (made.length >= commitsMax) return [];
    const commit: Commit = await git.readCommit({ ...base, oid: at });
    made.unshift(commit);
    at = commit.commit.parent[0];
  }
  return made;
}

async function describe(
  repository: Repository,
  argv: readonly string[],
  before: Place,
  after: Place,
): Promise<Move[]> {
  const [name = "", ...words] = argv;
  const operand = words.find((word) => !word.startsWith("-"));
  const from = before.oid ?? nothing;
  const to = after.oid!;
  const one = (message: string): Move[] => [{ from, to, message }];
  const commit = await repository.git.readCommit({ ...repository.base, oid: to });
  const merged = commit.commit.parent.length > 1 && commit.commit.parent[0] === before.oid;
  switch (name) {
    case "checkout":
    case "switch": {
      const target = after.branch ?? operand ?? to;
      return one(`checkout: moving from ${before.branch ?? from} to ${target}`);
    }
    case "merge":
    case "pull": {
      const asked = [name, ...words.filter((word) => !word.startsWith("-"))].join(" ");
      if (words.includes("--continue")) return one(`commit (merge): ${subjectOf(commit)}`);
      return one(`${asked}: ${merged ? "Merge made by the 'ort' strategy." : "Fast-forward"}`);
    }
    case "reset":
      return one(`reset: moving to ${operand ?? "HEAD"}`);
    case "cherry-pick":
    case "revert":
      return chain(await madeBetween(repository, before.oid, to), from, name);
    case "rebase":
      return rebased(repository, words, before, after);
    default: {
      const { parent } = commit.commit;
      const kind = words.includes("--amend")
        ? " (amend)"
        : parent.length === 0
          ? " (initial)"
          : parent.length > 1
            ? " (merge)"
            : "";
      return one(`commit${kind}: ${subjectOf(commit)}`);
    }
  }
}

function chain(made: readonly Commit[], from: string, what: string): Move[] {
  return made.map((commit, at) => ({
    from: made[at - 1]?.oid ?? from,
    to: commit.oid,
    message: `${what}: ${subjectOf(commit)}`,
  }));
}

async function rebased(
  repository: Repository,
  words: readonly string[],
  before: Place,
  after: Place,
): Promise<Move[]> {
  const to = after.oid!;
  const operand = words.find((word) => !word.startsWith("-"));
  const onto = operand === undefined ? undefined : await repository.resolve(operand);
  const finish = `rebase (finish): returning to ${after.branch === undefined ? to : `refs/heads/${after.branch}`}`;
  if (onto === undefined) return [{ from: before.oid ?? nothing, to, message: finish }];
  const made = await madeBetween(repository, onto, to);
  return [
    { from: before.oid ?? nothing, to: onto, message: `rebase (start): checkout ${operand}` },
    ...chain(made, onto, "rebase (pick)"),
    { from: to, to, message: finish },
  ];
}

/** What `ref@{n}` stands for; `ref` as it was written, "" for the branch that one is on. */
export async function pastOf(
  repository: Repository,
  ref: string,
  steps: number,
): Promise<string | undefined> {
  const name = ref === "" ? ((await repository.branch()) ?? "HEAD") : ref;
  const full = fullName(repository, name);
  const moves = movesOf(repository, full);
  if (moves.length === 0) return steps === 0 ? repository.resolve(name) : undefined;
  if (steps === moves.length && moves[0]!.from !== nothing) return moves[0]!.from;
  if (steps >= moves.length) throw fatal(`log for '${name}' only has ${moves.length} entries`);
  return moves.at(-1 - steps)!.to;
}

function fullName(repository: Repository, name: string): string {
  const tried = [name, `refs/${name}`, `refs/heads/${name}`, `refs/remotes/${name}`];
  const { fs } = repository.context;
  return tried.find((one) => fs.existsSync(logOf(repository, one))) ?? name;
}

/** The branch, or the commit, that was left `steps` checkouts ago: `@{-1}`. */
export function leftBefore(repository: Repository, steps: number): string | undefined {
  const left = movesOf(repository, "HEAD").flatMap(
    ({ message }) => /^checkout: moving from (\S+) to /.exec(message)?.[1] ?? [],
  );
  return left.at(0 - steps);
}

export async function reflog(repository: Repository, context: CommandContext): Promise<number> {
  const options = parseOptions(
    context,
    "n:",
    {
      "max-count=": "n",
      "format=": "format",
      "pretty=": "format",
      "no-decorate": "x",
      "date=": "date",
    },
    { status: 129, numberOption: "n" },
  );
  const words = options.operands.filter((word) => word !== "show");
  if (["expire", "delete"].includes(words[0] ?? ""))
    throw fatal(`reflog ${words[0]} is not there: logs are kept whole`);
  if (words[0] === "exists")
    return movesOf(repository, fullName(repository, words[1] ?? "")).length > 0 ? 0 : 1;
  const name = words[0] ?? "HEAD";
  if (name !== "HEAD") await repository.need(name);
  const template = (options.get("format") ?? "%h %gd: %gs").replace(/^t?format:/, "");
  const moves = movesOf(repository, fullName(repository, name)).reverse();
  const { git, base } = repository;
  for (const [at, { to, message }] of moves
    .slice(0, Number(options.get("n") ?? Infinity))
    .entries()) {
    const place = `${name}@{${at}}`;
    const line = template
      .replace(/%h/g, short(to))
      .replace(/%g[dDs]/g, (code) => (code === "%gs" ? message : place).replaceAll("%", "%%"));
    const commit = await git.readCommit({ ...base, oid: to });
    context.write(`${formatted(line, commit, { date: options.get("date") })}\n`);
  }
  return 0;
}
