/** Owns what a word at a prompt may be completed to: commands, files and variables. */
import { S_IFDIR, S_IFMT, X_OK } from "../../abi/fcntl.js";
import { builtinOf } from "./builtins/builtin.js";
import type { Environment } from "./environment.js";

export interface Completion {
  /** In place of the word. */
  readonly text: string;
  /** In a list. */
  readonly shown: string;
  /** What follows when it is the only one. */
  readonly end: string;
}

export interface Completions {
  /** Where the word begins. */
  readonly start: number;
  readonly words: readonly Completion[];
}

const mostNames = 1000;

export function completeWord(env: Environment, line: string): Completions {
  const start = /(?:\\.|[^\s;|&()<>`"'=])*$/.exec(line)!.index;
  const word = line.slice(start);
  const before = line.slice(0, start).trimEnd();
  if (/^\$[A-Za-z_]*$/.test(word)) {
    const names = env.variables.names().filter((name) => name.startsWith(word.slice(1)));
    return { start, words: unique(names).map((name) => whole(`$${name}`, name)) };
  }
  const isCommand =
    before === "" || /(?:[;|&(]|\b(?:then|do|else|sudo|exec|command))$/.test(before);
  if (isCommand && !word.includes("/")) return { start, words: commands(env, word) };
  return { start, words: files(env, word) };
}

const whole = (text: string, shown = text): Completion => ({ text, shown, end: " " });

function unique(names: readonly string[]): string[] {
  return [...new Set(names)].sort((a, b) => (a < b ? -1 : 1)).slice(0, mostNames);
}

function commands(env: Environment, word: string): Completion[] {
  const { system } = env.shell;
  const names = [
    ...[...env.shell.builtins.keys()].filter((name) => builtinOf(env, name) !== undefined),
    ...env.functions.keys(),
    ...env.aliases.keys(),
  ];
  for (const directory of (env.variables.value("PATH") ?? "").split(":")) {
    const found = directory.startsWith("/") ? system.readdir(directory) : [];
    if (typeof found === "number") continue;
    names.push(
      ...found.filter(
        (name) => name.startsWith(word) && system.access(`${directory}/${name}`, X_OK) === 0,
      ),
    );
  }
  return unique(names.filter((name) => name.startsWith(word))).map((name) => whole(name));
}

function files(env: Environment, typed: string): Completion[] {
  const { system } = env.shell;
  const word = typed.replace(/\\(.)/g, "$1");
  const slash = word.lastIndexOf("/") + 1;
  const directory = word.slice(0, slash);
  const start = word.slice(slash);
  const home = env.variables.value("HOME") ?? "";
  const path = env.resolve(directory.replace(/^~\//, `${home}/`) || ".");
  const names = system.readdir(path);
  if (typeof names === "number") return [];
  const fitting = names.filter(
    (name) => name.startsWith(start) && (start !== "" || !name.startsWith(".")),
  );
  return unique(fitting).map((name) => {
    const status = system.stat(`${path}/${name}`);
    const isDirectory = typeof status !== "number" && (status.mode & S_IFMT) === S_IFDIR;
    const text = (directory + name).replace(/[\s\\"'$`&|;()<>*?[\]!#]/g, "\\$&");
    return {
      text: isDirectory ? `${text}/` : text,
      shown: isDirectory ? `${name}/` : name,
      end: isDirectory ? "" : " ",
    };
  });
}
