/** Owns awk's built-in functions on values; those that touch variables are in special-forms.ts. */
import { CommandFailure } from "../../command.js";
import { characterCount, lowerCase, sliceCharacters, upperCase } from "../../support/characters.js";
import { fromBytes } from "../../support/text.js";
import { strftime } from "../../support/strftime.js";
import { afterCharacter, type PosixRegex } from "../../support/regex.js";
import type { Runtime } from "./runtime.js";
import { sprintf, toNumber, type Value } from "./values.js";

type Builtin = (runtime: Runtime, args: Value[]) => Value;

const bits = (args: Value[], join: (a: bigint, b: bigint) => bigint) =>
  Number(args.map((value) => BigInt(Math.trunc(toNumber(value)))).reduce(join));

/** xorshift: any seed gives its own sequence, the same each time. */
function random(runtime: Runtime): number {
  let state = (runtime.seed = (runtime.seed + 0x6d2b79f5) | 0);
  state = Math.imul(state ^ (state >>> 15), state | 1);
  state ^= state + Math.imul(state ^ (state >>> 7), state | 61);
  return ((state ^ (state >>> 14)) >>> 0) / 4294967296;
}

/** From 1; 0 when it is not there. */
function characterIndex(text: string, part: string): number {
  const at = text.indexOf(part);
  return at <= 0 ? at + 1 : characterCount(text.slice(0, at)) + 1;
}

function substr(runtime: Runtime, args: Value[]): string {
  const text = runtime.text(args[0]);
  const round = (value: number) =>
    Number.isNaN(value) ? 0 : Math.round(value - (value % 1 === 0.5 ? 1e-9 : 0));
  const start = round(toNumber(args[1]));
  const length = args.length > 2 ? toNumber(args[2]) : Infinity;
  const end = length === Infinity ? Infinity : start + round(length);
  return sliceCharacters(text, Math.max(start - 1, 0), Math.max(end - 1, 0));
}

const table: Record<string, [min: number, max: number, run: Builtin]> = {
  substr: [2, 3, substr],
  index: [2, 2, (r, [a, b]) => characterIndex(r.text(a), r.text(b))],
  sprintf: [
    1,
    Infinity,
    (r, [format, ...args]) => sprintf(r.text(format), args, r.text(r.convfmt.value)),
  ],
  sin: [1, 1, (_, [x]) => Math.sin(toNumber(x))],
  cos: [1, 1, (_, [x]) => Math.cos(toNumber(x))],
  atan2: [2, 2, (_, [y, x]) => Math.atan2(toNumber(y), toNumber(x))],
  exp: [1, 1, (_, [x]) => Math.exp(toNumber(x))],
  log: [1, 1, (_, [x]) => Math.log(toNumber(x))],
  sqrt: [1, 1, (_, [x]) => Math.sqrt(toNumber(x))],
  int: [1, 1, (_, [x]) => Math.trunc(toNumber(x))],
  rand: [0, 0, (r) => random(r)],
  srand: [
    0,
    1,
    (r, args) => {
      const before = r.previousSeed;
      r.previousSeed = args.length === 0 ? Math.floor(Date.now() / 1000) : toNumber(args[0]);
      r.seed = r.previousSeed | 0;
      return before;
    },
  ],
  tolower: [1, 1, (r, [x]) => lowerCase(r.text(x))],
  toupper: [1, 1, (r, [x]) => upperCase(r.text(x))],
  system: [
    1,
    1,
    (r, [command]) => {
      r.flush();
      return r.context.spawnSync("/bin/sh", ["-c", fromBytes(r.text(command))]).code;
    },
  ],
  close: [1, 2, (r, [name]) => r.close(r.text(name))],
  fflush: [
    0,
    1,
    (r) => {
      r.flush();
      return 0;
    },
  ],
  systime: [0, 0, () => Math.floor(Date.now() / 1000)],
  strftime: [
    0,
    3,
    (r, args) =>
      strftime(
        args.length > 0 ? r.text(args[0]) : "%a %b %e %H:%M:%S %Z %Y",
        args.length > 1 ? toNumber(args[1]) * 1000 : Date.now(),
        toNumber(args[2]) !== 0,
      ),
  ],
  mktime: [
    1,
    2,
    (r, [text]) => {
      const parts = r.text(text).trim().split(/\s+/).map(Number);
      if (parts.length < 6 || parts.some(Number.isNaN)) return -1;
      const [year, month, day, hour, minute, second] = parts as [
        number,
        number,
        number,
        number,
        number,
        number,
      ];
      return Math.floor(new Date(year, month - 1, day, hour, minute, second).getTime() / 1000);
    },
  ],
  and: [2, Infinity, (_, args) => bits(args, (a, b) => a & b)],
  or: [2, Infinity, (_, args) => bits(args, (a, b) => a | b)],
  xor: [2, Infinity, (_, args) => bits(args, (a, b) => a ^ b)],
  lshift: [2, 2, (_, args) => bits(args, (a, b) => BigInt.asUintN(64, a << (b & 63n)))],
  rshift: [2, 2, (_, args) => bits(args, (a, b) => a >> (b & 63n))],
  compl: [1, 1, (_, [x]) => Number(BigInt.asUintN(53, ~BigInt(Math.trunc(toNumber(x)))))],
  strtonum: [
    1,
    1,
    (r, [x]) => {
      const text = r.text(x).trim();
      if (/^0[xX][0-9a-fA-F]+$/.test(text)) return Number(text);
      return /^0[0-7]+$/.test(text) ? parseInt(text, 8) : toNumber(text);
    },
  ],
};

export function builtin(name: string, count: number, line: number): Builtin {
  const entry = Object.hasOwn(table, name) ? table[name] : undefined;
  if (entry === undefined)
    throw new CommandFailure(`line ${line}: function ${name} never defined`, 2);
  if (count < entry[0] || count > entry[1]) {
    throw new CommandFailure(`line ${line}: wrong number of arguments in call to ${name}`, 2);
  }
  return entry[2];
}

/** What & and its escapes stand for in the replacement of sub and gsub. */
function replacementOf(text: string): (matched: string) => string {
  if (!/[&\\]/.test(text)) return () => text;
  const parts = text.match(/\\&|\\\\|&|[^&\\]+|\\/g) ?? [];
  return (matched) =>
    parts
      .map((part) =>
        part === "&" ? matched : part === "\\&" ? "&" : part === "\\\\" ? "\\" : part,
      )
      .join("");
}

/** Replaces the first match or all; undefined when there is none. */
export function substitute(
  regex: PosixRegex,
  text: string,
  replacement: string,
  which: "first" | "all" | number,
  groups = false,
): { text: string; count: number } {
  const plain = replacementOf(replacement);
  const replace = (matched: (string | undefined)[]) =>
    groups
      ? replacement.replace(/\\(\d)|\\&|\\\\|&/g, (part, digit: string | undefined) =>
          digit !== undefined
            ? (matched[Number(digit)] ?? "")
            : part === "&"
              ? matched[0]!
              : part[1]!,
        )
      : plain(matched[0]!);
  let output = "";
  let copied = 0;
  let count = 0;
  let lastEnd = -1;
  let seen = 0;
  for (let from = 0; from <= text.length;) {
    const match = regex.exec(text, from);
    if (match === undefined) break;
    const empty = match.end === match.index;
    if (empty && match.index === lastEnd) {
      from = afterCharacter(text, match.end);
      continue;
    }
    seen++;
    lastEnd = match.end;
    if (typeof which !== "number" || seen === which) {
      output += text.slice(copied, match.index) + replace(match.groups);
      copied = match.end;
      count++;
      if (which !== "all") break;
    }
    from = empty ? afterCharacter(text, match.end) : match.end;
  }
  return { text: output + text.slice(copied), count };
}
