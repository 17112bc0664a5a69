/** `compgen`, `complete` and `compopt`: candidates, and rules that are kept but never asked for any. */
import { S_IFDIR, S_IFMT } from "../../../abi/fcntl.js";
import { ShellError } from "../control.js";
import type { Environment } from "../environment.js";
import { expandPathnames } from "../glob.js";
import { bashOptionNames } from "../options.js";
import { patternOf } from "../matching.js";
import { shoptNames } from "../shell-options.js";
import { eventNames, signalNames } from "../signals.js";
import { limits } from "../limits.js";
import { quoteIfNeeded, singleQuote } from "../quoting.js";
import { userNames } from "../users.js";
import { ShellArray } from "../variables.js";
import type { Builtin, BuiltinCall } from "./builtin.js";

const keywords =
  "if then else elif fi case esac for select while until do done in function time { } ! [[ ]] coproc".split(
    " ",
  );

const actionOfLetter: Readonly<Record<string, string>> = {
  a: "alias",
  b: "builtin",
  c: "command",
  d: "directory",
  e: "export",
  f: "file",
  g: "group",
  j: "job",
  k: "keyword",
  s: "service",
  u: "user",
  v: "variable",
};

async function candidates(call: BuiltinCall, action: string, word: string): Promise<string[]> {
  const { env, shell } = call;
  switch (action) {
    case "alias":
      return [...env.aliases.keys()].sort();
    case "arrayvar":
      return env.variables.names().filter((name) => env.variables.own(name)?.array !== undefined);
    case "builtin":
    case "helptopic":
      return [...env.shell.builtins.keys()].sort((a, b) => (a < b ? -1 : 1));
    case "enabled":
      return [...env.shell.builtins.keys()]
        .filter((name) => !env.disabledBuiltins.has(name))
        .sort();
    case "disabled":
      return [...env.disabledBuiltins].sort();
    case "command":
      return [
        ...env.aliases.keys(),
        ...keywords,
        ...env.functions.keys(),
        ...env.shell.builtins.keys(),
        ...commandFiles(env),
      ];
    case "directory":
    case "file":
      return paths(env, word, action === "directory");
    case "export":
      return env.variables.names().filter((name) => env.variables.own(name)?.exported === true);
    case "function":
      return [...env.functions.keys()].sort();
    case "group":
    case "service":
      return [];
    case "hostname":
      return [shell.system.hostname?.() ?? "localhost", "localhost"];
    case "job":
    case "running":
      return env.jobs.all().map(({ text }) => text);
    case "stopped":
      return [];
    case "keyword":
      return keywords;
    case "setopt":
      return [...bashOptionNames];
    case "shopt":
      return [...shoptNames];
    case "signal":
      return [...signalNames.slice(1).map((name) => `SIG${name}`), ...eventNames];
    case "user":
      return userNames(shell.system);
    case "variable":
      return env.variables.names();
    default:
      return call.fail(`${action}: invalid action name`);
  }
}

function commandFiles(env: Environment): string[] {
  const { system } = env.shell;
  return (env.variables.value("PATH") ?? "").split(":").flatMap((directory) => {
    const names = directory === "" ? -1 : system.readdir(directory);
    return typeof names === "number" ? [] : [...names];
  });
}

function paths(env: Environment, word: string, directoriesOnly: boolean): string[] {
  const { system } = env.shell;
  const slash = word.lastIndexOf("/") + 1;
  const directory = word.slice(0, slash);
  const names = system.readdir(env.resolve(directory === "" ? "." : directory));
  if (typeof names === "number") return [];
  return [...names].sort().flatMap((name) => {
    const path = directory + name;
    const status = system.stat(env.resolve(path));
    const isDirectory = typeof status !== "number" && (status.mode & S_IFMT) === S_IFDIR;
    return directoriesOnly && !isDirectory ? [] : [path];
  });
}

/** The words of `-W`, split by IFS after expansion. */
async function wordList(call: BuiltinCall, text: string): Promise<string[]> {
  const { env, shell } = call;
  const expanded = await shell.prompt(env, text.replaceAll("\\", "\\\\"));
  const { separators } = env;
  const words: string[] = [];
  let word = "";
  for (const character of expanded) {
    if (!separators.isAny(character)) word += character;
    else if (word !== "") {
      words.push(word);
      word = "";
    }
  }
  return word === "" ? words : [...words, word];
}

/** Removes what `-X` matches; with `!` in front, what it does not match. */
function filtered(
  env: Environment,
  words: readonly string[],
  filter: string | undefined,
): string[] {
  if (filter === undefined) return [...words];
  const negated = filter.startsWith("!");
  const pattern = patternOf(env, negated ? filter.slice(1) : filter);
  return words.filter((word) => pattern.matches(word) === negated);
}

/** COMPREPLY, as the function of `-F` leaves it. */
async function fromFunction(call: BuiltinCall, name: string, word: string): Promise<string[]> {
  const { env, shell } = call;
  await call.complain("warning: -F option may not work as you expect");
  if (!env.functions.has(name)) {
    throw new ShellError(`completion: function \`${name}' not found`, 1);
  }
  env.variables.setArray("COMPREPLY", new ShellArray(false, []));
  await shell.callFunction(env, name, ["compgen", word, ""], true);
  return env.variables.get("COMPREPLY")?.array?.values() ?? [];
}

async function compgen(call: BuiltinCall): Promise<number> {
  const { env } = call;
  const { flags, operands } = call.options("abcdefgjksuvo:A:G:W:F:C:X:P:S:");
  const [word = ""] = operands;
  if (flags.has("C")) call.fail("-C: not available in this shell");
  const found: string[] = [];
  const actions = [...flags.keys()].flatMap((letter) => actionOfLetter[letter] ?? []);
  const named = flags.get("A");
  for (const action of named === undefined ? actions : [...actions, named]) {
    const all = await candidates(call, action, word);
    found.push(...all.filter((one) => one.startsWith(word)));
  }
  const glob = flags.get("G");
  if (glob !== undefined) found.push(...expandPathnames(env, glob));
  const list = flags.get("W");
  if (list !== undefined) {
    found.push(...(await wordList(call, list)).filter((one) => one.startsWith(word)));
  }
  const name = flags.get("F");
  if (name !== undefined) found.push(...(await fromFunction(call, name, word)));
  const shown = filtered(env, found, flags.get("X"));
  const [prefix, suffix] = [flags.get("P") ?? "", flags.get("S") ?? ""];
  await call.print(shown.map((one) => `${prefix}${one}${suffix}\n`).join(""));
  return shown.length > 0 || flags.size === 0 ? 0 : 1;
}

const ruleFlags = "abcdefgjksuvprDEIo:A:G:W:F:C:X:P:S:";
const specialNames: Readonly<Record<string, string>> = {
  D: "_DefaultCmD_",
  E: "_EmptycmD_",
  I: "_InitialWorD_",
};
const longActions = [
  "setopt",
  "shopt",
  "signal",
  "stopped",
  "running",
  "hostname",
  "helptopic",
  "function",
  "enabled",
  "disabled",
  "binding",
  "arrayvar",
].reverse();
const actionLetters = new Map(
  Object.entries(actionOfLetter).map(([letter, action]) => [action, letter]),
);

/** A rule as `complete -p` prints it, but for its name (print_one_completion of bash's complete.def). */
function ruleText(flags: ReadonlyMap<string, string>): string {
  const option = flags.get("o");
  const named = flags.get("A");
  const letters = Object.keys(actionOfLetter).filter(
    (letter) => flags.has(letter) || (named !== undefined && actionLetters.get(named) === letter),
  );
  const parts = option === undefined ? [] : [`-o ${option}`];
  parts.push(...letters.map((letter) => `-${letter}`));
  if (named !== undefined && longActions.includes(named)) parts.push(`-A ${named}`);
  for (const letter of "GWPSXC") {
    const value = flags.get(letter);
    if (value !== undefined) parts.push(`-${letter} ${singleQuote(value)}`);
  }
  const name = flags.get("F");
  if (name !== undefined) parts.push(`-F ${quoteIfNeeded(name)}`);
  return parts.join(" ");
}

/** Rules are kept, listed and removed; the line editor completes words without them. */
async function complete(call: BuiltinCall): Promise<number> {
  const { completions } = call.env;
  const { flags, operands } = call.options(ruleFlags);
  const special = Object.keys(specialNames).find((letter) => flags.has(letter));
  const names = special === undefined ? operands : [specialNames[special]!];
  const shown = (name: string, rule: string): string => {
    const letter = Object.keys(specialNames).find((one) => specialNames[one] === name);
    return `complete ${rule === "" ? "" : `${rule} `}${letter === undefined ? quoteIfNeeded(name) : `-${letter}`}\n`;
  };
  if (flags.has("p") || (names.length === 0 && flags.size === 0)) {
    if (names.length === 0) {
      return call.print([...completions].map(([name, rule]) => shown(name, rule)).join(""));
    }
    return forEach(call, names, (rule, name) => call.print(shown(name, rule)));
  }
  if (flags.has("r")) {
    if (names.length === 0) completions.clear();
    return forEach(call, names, (_, name) => (completions.delete(name), 0));
  }
  if (names.length === 0) return call.misuse();
  for (const name of names) {
    if (!completions.has(name) && completions.size >= limits.completions) {
      return call.complain("too many completion specifications");
    }
    completions.set(name, ruleText(flags));
  }
  return 0;
}

/** Status 1 when a name has no rule. */
async function forEach(
  call: BuiltinCall,
  names: readonly string[],
  act: (rule: string, name: string) => number | Promise<number>,
): Promise<number> {
  let status = 0;
  for (const name of names) {
    const rule = call.env.completions.get(name);
    if (rule === undefined) status = await call.complain(`${name}: no completion specification`);
    else await act(rule, name);
  }
  return status;
}

/** Options of rules; a completion that could be under way there never is. */
function compopt(call: BuiltinCall): number | Promise<number> {
  const { operands } = call.options("o:DEI");
  if (operands.length === 0) return call.complain("not currently executing completion function");
  return forEach(call, operands, () => 0);
}

export const completionBuiltins: Record<string, Builtin> = {
  compgen: { run: compgen, bashOnly: true },
  complete: { run: complete, bashOnly: true },
  compopt: { run: compopt, bashOnly: true },
};
