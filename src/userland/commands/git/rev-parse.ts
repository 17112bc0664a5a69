/** Owns `git rev-parse`: names of objects, and where the repository is. */
import { posix } from "node:path";
import type { CommandContext } from "../../command.js";
import { short } from "./commit-text.js";
import { shortName, upstreamOf } from "./refs.js";
import { fatal } from "./failures.js";
import type { Repository } from "./repository.js";

/** What an option that asks about the place answers; undefined for another. */
function placeOf(repository: Repository, word: string): string | undefined {
  const { context, dir } = repository;
  const below = posix.relative(dir, context.cwd());
  const gitDir = below === "" ? ".git" : `${dir}/.git`;
  switch (word) {
    case "--show-toplevel":
      return dir;
    case "--show-prefix":
      return below === "" ? "" : `${below}/`;
    case "--show-cdup":
      return below.replace(/[^/]+\/?/g, "../");
    case "--is-bare-repository":
    case "--is-inside-git-dir":
      return "false";
    case "--is-inside-work-tree":
      return "true";
    case "--is-shallow-repository":
      return String(context.fs.existsSync(`${dir}/.git/shallow`));
    case "--absolute-git-dir":
      return `${dir}/.git`;
    case "--git-dir":
      return gitDir;
    case "--git-common-dir":
      return below === "" ? ".git" : `${below.replace(/[^/]+\/?/g, "../")}.git`;
    case "--show-object-format":
      return "sha1";
    case "--show-ref-format":
      return "files";
    default:
      return undefined;
  }
}

/** The name behind a name: of HEAD the branch, of `x@{upstream}` what x follows. */
async function refName(repository: Repository, word: string, full: boolean): Promise<string> {
  const shown = (name: string): string => (full ? name : shortName(name));
  const upstream = /^(.*)@\{(?:u|upstream)\}$/s.exec(word);
  if (upstream !== null) {
    const branch = upstream[1] || (await repository.branch());
    const ref = branch === undefined ? undefined : await upstreamOf(repository, branch);
    if (ref !== undefined) return shown(ref);
    throw fatal(
      branch === undefined
        ? "HEAD does not point to a branch"
        : `no upstream configured for branch '${branch}'`,
    );
  }
  if (word === "HEAD" || word === "@") {
    const branch = await repository.branch();
    return branch === undefined ? "HEAD" : shown(`refs/heads/${branch}`);
  }
  await repository.need(word);
  if (word.startsWith("refs/")) return shown(word);
  for (const kind of ["tags", "heads", "remotes"]) {
    const name = `refs/${kind}/${word}`;
    if ((await repository.resolve(name)) !== undefined) return shown(name);
  }
  return full ? "" : word;
}

/** `--flag` without meaning for what is printed. */
const quietWords = new Set([
  "--verify",
  "-q",
  "--quiet",
  "--show-superproject-working-tree",
  "--revs-only",
  "--no-flags",
  "--end-of-options",
]);

export async function revParse(repository: Repository, context: CommandContext): Promise<number> {
  let length: number | undefined;
  let abbreviated = false;
  let names: "short" | "full" | undefined;
  const words = context.argv.slice(1);
  const verified = words.includes("--verify");
  const quiet = words.some((word) => word === "-q" || word === "--quiet");
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    const place = placeOf(repository, word);
    if (place !== undefined) context.write(`${place}\n`);
    else if (word === "--git-path")
      context.write(`${await gitPath(repository, words.shift() ?? "")}\n`);
    else if (/^--short(=\d+)?$/.test(word)) {
      abbreviated = true;
      length = word.includes("=") ? Number(word.split("=")[1]) : undefined;
    } else if (/^--abbrev-ref(=(loose|strict))?$/.test(word)) names = "short";
    else if (word === "--symbolic-full-name") names ??= "full";
    else if (quietWords.has(word)) continue;
    else if (word === "--") continue;
    else if (word.startsWith("-")) throw fatal(`rev-parse: option '${word}' is not there`);
    else if (names !== undefined) {
      const name = await refName(repository, word, names === "full");
      if (name !== "") context.write(`${name}\n`);
    } else {
      const oid = verified ? await repository.resolve(word) : await repository.need(word);
      if (oid === undefined && quiet) return 1;
      if (oid === undefined) throw fatal("Needed a single revision");
      context.write(`${abbreviated ? short(oid, length) : oid}\n`);
    }
  }
  return 0;
}

async function gitPath(repository: Repository, name: string): Promise<string> {
  const given = await repository.config("core.hookspath");
  if (given !== undefined && /^hooks(?:\/|$)/.test(name)) return given + name.slice("hooks".length);
  const { context, dir } = repository;
  return `${context.cwd() === dir ? ".git" : `${dir}/.git`}/${name}`;
}
