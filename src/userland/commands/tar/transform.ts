/** Owns `--transform`: names changed by replacements of sed's kind, as transform.c of GNU tar reads them. */
import { CommandFailure } from "../../command.js";
import type { Options } from "../../support/options.js";
import { PosixRegex } from "../../support/regex.js";
import { fromBytes, toBytes } from "../../support/text.js";

interface Rule {
  readonly regex: PosixRegex;
  /** A byte string in which `&` and `\1` stand for what was found. */
  readonly text: string;
  /** The first match that is replaced. */
  readonly from: number;
  readonly all: boolean;
}

function invalid(): never {
  throw new CommandFailure("Invalid transform expression", 2);
}

/** What lies before the next delimiter that is not escaped, and where that is. An escaped one is itself. */
function part(text: string, start: number, delimiter: string): { value: string; end: number } {
  let value = "";
  for (let at = start; at < text.length; at++) {
    if (text[at] === delimiter) return { value, end: at };
    if (text[at] === "\\" && at + 1 < text.length) {
      at += 1;
      value += text[at] === delimiter ? delimiter : `\\${text[at]}`;
    } else value += text[at];
  }
  return invalid();
}

/** Expressions behind each other with `;` between; what they apply to (`flags=`, `r`, `s`, `h`) is not told apart. */
function rulesOf(expressions: string): Rule[] {
  const rules: Rule[] = [];
  const text = toBytes(expressions);
  for (let at = 0; at < text.length;) {
    const scope = /^flags=[rRsShH]*;?/.exec(text.slice(at));
    if (scope !== null) {
      at += scope[0].length;
      continue;
    }
    const delimiter = text[at + 1];
    if (text[at] !== "s" || delimiter === undefined) invalid();
    const pattern = part(text, at + 2, delimiter!);
    const replacement = part(text, pattern.end + 1, delimiter!);
    const flags = /^([gixrRsShH]|\d+)*/.exec(text.slice(replacement.end + 1))![0];
    at = replacement.end + 1 + flags.length;
    if (at < text.length && text[at++] !== ";") invalid();
    rules.push({
      regex: new PosixRegex(pattern.value, {
        extended: flags.includes("x"),
        ignoreCase: flags.includes("i"),
      }),
      text: replacement.value,
      from: Number(/\d+/.exec(flags)?.[0] ?? 1),
      all: flags.includes("g"),
    });
  }
  return rules;
}

function applied(bytes: string, { regex, text, from, all }: Rule): string {
  let output = "";
  let kept = 0;
  let count = 0;
  for (let at = 0; at <= bytes.length;) {
    const found = regex.exec(bytes, at);
    if (found === undefined) break;
    count += 1;
    if (count >= from) {
      const replaced = text.replace(
        /\\(\d)|\\(.)|&/gs,
        (_, digit: string | undefined, escaped: string | undefined) =>
          escaped === undefined
            ? (found.groups[Number(digit ?? 0)] ?? "")
            : escaped === "n"
              ? "\n"
              : escaped,
      );
      output += bytes.slice(kept, found.index) + replaced;
      kept = found.end;
      if (!all) break;
    }
    // Behind an empty match the next character stays what it is.
    at = found.end > found.index ? found.end : found.end + 1;
  }
  return output + bytes.slice(kept);
}

export function transformer(options: Options): (name: string) => string {
  const rules = options.all("transform").flatMap(rulesOf);
  if (rules.length === 0) return (name) => name;
  return (name) => fromBytes(rules.reduce(applied, toBytes(name)));
}
