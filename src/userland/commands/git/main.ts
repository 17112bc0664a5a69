/** Owns `git`: options before the subcommand, the table of subcommands, and the words of failures. */
import { CommandExit, CommandFailure, type Command, type CommandContext } from "../../command.js";
import { apply } from "./apply.js";
import { archive } from "./archive.js";
import { blame } from "./blame.js";
import { branch, tag } from "./branches.js";
import { checkout } from "./checkout.js";
import { commit } from "./commit.js";
import { merge } from "./merge.js";
import { reset, restore } from "./restore.js";
import { add, move, remove } from "./staging.js";
import { clean } from "./clean.js";
import { setAbbreviation } from "./commit-text.js";
import { diffFiles, diffIndex, diffTree } from "./compare.js";
import { config } from "./config.js";
import { diff, show } from "./diff.js";
import { fatal } from "./failures.js";
import { formatPatch } from "./format-patch.js";
import * as history from "./history.js";
import * as inspect from "./inspect.js";
import { library } from "./library.js";
import { lsFiles, lsTree } from "./listing.js";
import { log } from "./log.js";
import { cherryPick, rebase, revert } from "./pick.js";
import * as plumbing from "./plumbing.js";
import { movers, placeOf, recordMoves, reflog } from "./reflog.js";
import * as refs from "./refs.js";
import * as remotes from "./remotes.js";
import { globalConfig, Repository } from "./repository.js";
import { revParse } from "./rev-parse.js";
import { shortlog } from "./shortlog.js";
import { stash } from "./stash.js";
import { status } from "./status.js";
import { gitVersion } from "./version.js";

type Subcommand = (repository: Repository, context: CommandContext) => Promise<number>;

/** Those that need a repository. */
const subcommands: ReadonlyMap<string, Subcommand> = new Map([
  ["add", add],
  ["apply", apply],
  ["archive", archive],
  ["blame", blame],
  ["branch", branch],
  ["cat-file", plumbing.catFile],
  ["check-ignore", inspect.checkIgnore],
  ["checkout-index", plumbing.checkoutIndex],
  ["commit-tree", plumbing.commitTree],
  ["count-objects", inspect.countObjects],
  ["diff-files", diffFiles],
  ["diff-index", diffIndex],
  ["diff-tree", diffTree],
  ["format-patch", formatPatch],
  ["for-each-ref", refs.forEachRef],
  ["grep", inspect.grep],
  ["hash-object", plumbing.hashObject],
  ["ls-remote", inspect.lsRemote],
  ["read-tree", plumbing.readTree],
  ["show-ref", refs.showRef],
  ["symbolic-ref", refs.symbolicRef],
  ["update-index", plumbing.updateIndex],
  ["update-ref", refs.updateRef],
  ["worktree", inspect.worktree],
  ["write-tree", plumbing.writeTree],
  ["checkout", checkout],
  ["cherry-pick", cherryPick],
  ["clean", clean],
  ["commit", commit],
  ["describe", history.describe],
  ["diff", diff],
  ["fetch", remotes.fetch],
  ["log", log],
  ["ls-files", lsFiles],
  ["ls-tree", lsTree],
  ["merge", merge],
  ["merge-base", history.mergeBase],
  ["mv", move],
  ["pull", remotes.pull],
  ["push", remotes.push],
  ["rebase", rebase],
  ["reflog", reflog],
  ["remote", remotes.remote],
  ["reset", reset],
  ["restore", restore],
  ["rev-list", history.revList],
  ["rev-parse", revParse],
  ["revert", revert],
  ["rm", remove],
  ["shortlog", shortlog],
  ["show", show],
  ["stash", stash],
  ["status", status],
  ["switch", checkout],
  ["tag", tag],
]);

const usage =
  "usage: git [--version] [-C <path>] [-c <name>=<value>] [--no-pager] <command> [<args>]\n";

function version(context: CommandContext): number {
  context.write(`git version ${gitVersion} (isomorphic-git ${library().version()})\n`);
  return 0;
}

/** Aliases that lead to aliases. */
const aliasesMax = 10;

/** The words that `alias.NAME` stands for, with those that follow it; a command of the shell (`!…`) is refused. */
async function aliasOf(
  context: CommandContext,
  directory: string,
  overrides: ReadonlyMap<string, string>,
): Promise<string[] | undefined> {
  const [name = "", ...rest] = context.argv;
  const key = `alias.${name.toLowerCase()}`;
  let value = overrides.get(key) ?? globalConfig(context).get(key);
  try {
    value ??= await Repository.find(context, directory, overrides).config(key);
  } catch (error) {
    // Outside of a repository there are the user's own alone.
    if (!(error instanceof CommandFailure)) throw error;
  }
  if (value === undefined) return undefined;
  if (value.startsWith("!"))
    throw fatal(`alias '${name}' is a command of the shell, which is not there`);
  const words = value.match(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g) ?? [];
  return [...words.map((word) => word.replace(/'([^']*)'|"([^"]*)"/g, "$1$2")), ...rest];
}

/** git's exit code for wrong usage of a subcommand is 129, of itself 1. */
async function run(context: CommandContext, depth = 0): Promise<number> {
  if (depth > aliasesMax) throw fatal("alias loop detected");
  const words = context.argv.slice(1);
  const overrides = new Map<string, string>();
  let directory = context.cwd();
  while (words[0]?.startsWith("-")) {
    const word = words.shift()!;
    if (word === "--version" || word === "-v") return version(context);
    if (word === "-C") {
      process.chdir(words.shift() ?? ".");
      directory = process.cwd();
    } else if (word === "-c") {
      const [name = "", ...value] = (words.shift() ?? "").split("=");
      overrides.set(name.toLowerCase(), value.length === 0 ? "true" : value.join("="));
    } else if (word === "--help" || word === "-h") {
      context.write(usage);
      return 0;
    } else if (!["--no-pager", "-P", "--no-optional-locks", "--literal-pathspecs"].includes(word)) {
      context.writeError(`unknown option: ${word}\n${usage}`);
      return 129;
    }
  }
  const [name] = words;
  if (name === undefined) {
    context.write(usage);
    return 1;
  }
  setAbbreviation(overrides.get("core.abbrev"));
  const inner: CommandContext = { ...context, argv: words, name, cwd: () => directory };
  if (name === "version") return version(context);
  if (name === "help") {
    context.write(usage);
    return 0;
  }
  if (name === "init") return remotes.init(inner);
  if (name === "clone") return remotes.clone(inner);
  if (name === "config") return config(inner, overrides);
  const subcommand = subcommands.get(name);
  if (subcommand === undefined) {
    const expanded = await aliasOf(inner, directory, overrides);
    if (expanded !== undefined) return run({ ...context, argv: ["git", ...expanded] }, depth + 1);
    context.writeError(`git: '${name}' is not a git command. See 'git --help'.\n`);
    return 1;
  }
  const repository = Repository.find(inner, directory, overrides);
  if (!movers.has(name)) return subcommand(repository, inner);
  const before = await placeOf(repository);
  try {
    return await subcommand(repository, inner);
  } finally {
    await recordMoves(repository, inner, before);
  }
}

export const main: Command = async (context) => {
  try {
    return await run(context);
  } catch (error) {
    if (error instanceof CommandExit) throw error;
    if (error instanceof CommandFailure) {
      // Git's own words begin with what kind of failure it is, not with the command's name.
      context.flush();
      context.writeError(`${error.message}\n${error.hint}`);
      return error.status;
    }
    context.flush();
    context.writeError(`fatal: ${error instanceof Error ? error.message : String(error)}\n`);
    return 128;
  }
};
