/** Owns find's tests that take an argument. */
import { CommandFailure, type CommandContext } from "../../command.js";
import { typeLetter, withoutTrailingSlashes } from "../../support/files.js";
import { globRegex } from "../../support/glob.js";
import { PosixRegex, RegexError } from "../../support/regex.js";
import { toBytes } from "../../support/text.js";
import type { Test } from "./expression.js";
import type { Found } from "./walk.js";

export function name(pattern: string, ignoreCase: boolean): Test {
  const glob = globRegex(pattern, { ignoreCase });
  return ({ path }) => {
    const trimmed = withoutTrailingSlashes(path);
    return glob.test(trimmed === "/" ? "/" : trimmed.slice(trimmed.lastIndexOf("/") + 1));
  };
}

export function path(pattern: string, ignoreCase: boolean): Test {
  const glob = globRegex(pattern, { ignoreCase });
  return (found) => glob.test(found.path);
}

export function linkName(context: CommandContext, pattern: string, ignoreCase: boolean): Test {
  const glob = globRegex(pattern, { ignoreCase });
  return (found) => found.stats.isSymbolicLink() && glob.test(context.fs.readlinkSync(found.path));
}

export function regex(pattern: string, syntax: string, ignoreCase: boolean): Test {
  const extended =
    /^(posix-)?(extended|egrep|awk)$|^posix-(extended|egrep|awk|minimal-basic)$/.test(syntax);
  // Emacs's syntax: groups and alternatives as in basic expressions, + and ? bare.
  const source =
    syntax === "emacs" || syntax === "findutils-default"
      ? pattern.replace(/\\[^]|\[\^?\]?[^\]]*\]|[+?]/g, (text) =>
          text === "+" || text === "?" ? `\\${text}` : text,
        )
      : pattern;
  try {
    const compiled = new PosixRegex(toBytes(source), { extended, ignoreCase, whole: "line" });
    return (found) => compiled.test(toBytes(found.path));
  } catch (error) {
    if (error instanceof RegexError) {
      throw new CommandFailure(
        `failed to compile regular expression '${pattern}': ${error.message}`,
      );
    }
    throw error;
  }
}

export function type(context: CommandContext, text: string, word: string): Test {
  const letters = text.split(",");
  for (const letter of letters) {
    if (!/^[bcdpfls]$/.test(letter)) {
      throw new CommandFailure(
        letter === ""
          ? `Arguments to ${word} should contain at least one letter`
          : `Unknown argument to ${word}: ${letter[0]}`,
      );
    }
  }
  const wanted = new Set(letters.map((letter) => (letter === "f" ? "-" : letter)));
  return ({ stats, path: where }) => {
    let { mode } = stats;
    if (word === "-xtype" && stats.isSymbolicLink()) {
      mode = context.fs.statSync(where, { throwIfNoEntry: false })?.mode ?? mode;
    }
    return wanted.has(typeLetter(mode));
  };
}

export function empty(context: CommandContext): Test {
  return ({ stats, path: where }) => {
    if (stats.isFile()) return stats.size === 0;
    if (!stats.isDirectory()) return false;
    try {
      return context.fs.readdirSync(where).length === 0;
    } catch {
      return false;
    }
  };
}

/** `+n` more, `-n` less, `n` exactly. */
function comparison(
  text: string,
): { compare: (value: number) => boolean; count: number } | undefined {
  const match = /^([-+]?)(\d+(?:\.\d+)?)$/.exec(text);
  if (match === null) return undefined;
  const count = Number(match[2]);
  if (match[1] === "+") return { count, compare: (value) => value > count };
  if (match[1] === "-") return { count, compare: (value) => value < count };
  return { count, compare: (value) => value === count };
}

export function counted(word: string, text: string, value: (found: Found) => number): Test {
  const rule = comparison(text);
  if (rule === undefined) throw new CommandFailure(`invalid argument \`${text}' to \`${word}'`);
  return (found) => rule.compare(value(found));
}

const sizeUnits = new Map([
  ["", 512],
  ["b", 512],
  ["c", 1],
  ["w", 2],
  ["k", 1024],
  ["M", 1024 ** 2],
  ["G", 1024 ** 3],
]);

export function size(text: string): Test {
  const match = /^([-+]?\d+)([a-zA-Z]?)$/.exec(text);
  const unit = sizeUnits.get(match?.[2] ?? "?");
  if (match === null || unit === undefined) {
    throw new CommandFailure(
      match === null ? `Invalid argument \`${text}' to -size` : `invalid -size type \`${match[2]}'`,
    );
  }
  const rule = comparison(match[1]!)!;
  return ({ stats }) => rule.compare(Math.ceil(stats.size / unit));
}

export function age(word: string, text: string, now: () => number): Test {
  const rule = comparison(text);
  if (rule === undefined) throw new CommandFailure(`invalid argument \`${text}' to \`${word}'`);
  const which = ({ m: "mtimeMs", a: "atimeMs", c: "ctimeMs" } as const)[word[1] as "m"];
  const unitMs = word.endsWith("min") ? 60_000 : 86_400_000;
  return ({ stats }) => {
    const units = (now() - stats[which]) / unitMs;
    // Whole units for days; -mmin compares the exact age but for equality.
    if (text.startsWith("+"))
      return unitMs === 60_000 ? units > rule.count : Math.floor(units) > rule.count;
    if (text.startsWith("-"))
      return unitMs === 60_000 ? units < rule.count : Math.floor(units) < rule.count;
    return unitMs === 60_000 ? Math.ceil(units) === rule.count : Math.floor(units) === rule.count;
  };
}
