/** Owns what `rg` searches for: its expressions, in JavaScript's. */
import { CommandFailure } from "../../command.js";
import { posixClass } from "../../support/line-matcher.js";
import type { Options } from "../../support/options.js";

/** The expression that finds any of `patterns`. */
export function compile(options: Options, patterns: string[]): RegExp {
  const escape = (text: string) => text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
  const inline = /^\(\?([ims]+)\)/.exec(patterns[0] ?? "");
  let source = patterns
    .map((pattern) => `(?:${options.has("F") ? escape(pattern) : javaScript(pattern)})`)
    .join("|");
  if (patterns.length === 1)
    source = options.has("F") ? escape(patterns[0]!) : javaScript(patterns[0]!);
  if (options.has("x")) source = `^(?:${source})$`;
  else if (options.has("w"))
    source = `(?<![\\p{Alphabetic}\\p{Nd}_])(?:${source})(?![\\p{Alphabetic}\\p{Nd}_])`;
  const mode = options.last("s", "i", "S");
  const smart = mode === "S" && !/\p{Lu}/u.test(patterns.join("").replace(/\\[^]/g, ""));
  let flags = mode === "i" || smart ? "gimu" : "gmu";
  if (options.has("dotall")) flags += "s";
  for (const letter of inline?.[1] ?? "") if (!flags.includes(letter)) flags += letter;
  for (const each of [flags, flags.replace("u", "")]) {
    try {
      return new RegExp(source, each);
    } catch (error) {
      if (each === flags) continue;
      const reason = error instanceof Error ? error.message.replace(/^.*: /s, "") : "";
      throw new CommandFailure(
        `regex parse error:\n    ${patterns.join("|")}\nerror: ${reason}`,
        2,
      );
    }
  }
  throw new CommandFailure("regex parse error", 2);
}

/** Rust's expressions as JavaScript's: the same but for a few spellings. */
function javaScript(pattern: string): string {
  return pattern
    .replace(/^\(\?[ims]+\)/, "")
    .replace(/\(\?P</g, "(?<")
    .replace(
      /\[\[:(\^?)(\w+):\]\]/g,
      (_, not: string, name: string) => `[${not}${posixClass[name] ?? ""}]`,
    )
    .replace(/\[:(\w+):\]/g, (text, name: string) => posixClass[name] ?? text)
    .replace(/\\([AzZ])/g, (_, letter: string) => (letter === "A" ? "^" : "$"))
    .replace(/\\[<>]/g, "\\b")
    .replace(/(?<!\\)\\h/g, "[ \\t]")
    .replace(/\{(?!\d+,?\d*\})/g, (text, at: number, whole: string) =>
      /[\\pPxuk]$/.test(whole.slice(0, at)) ? text : "\\{",
    )
    .replace(/(?<!\\)\\([-#&~ "'@!%,:;<=>`_/])/g, (text, char: string) =>
      char === "/" || char === "-" ? text : char,
    );
}
