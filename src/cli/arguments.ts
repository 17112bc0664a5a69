/**
 * Owns the reading of command lines: options after one table for each command, `--` and what follows.
 *
 * Invariants: an option that the table does not have is refused, with the one that was probably meant; a
 * value is checked where the table says what it is.
 * Untrusted: nothing; arguments are the caller's.
 */
import { meantBy, printable } from "../sdk/errors.js";

/** Wrong usage: the process ends with 2. */
export class UsageError extends Error {}

export interface Flag {
  /** Without its dashes. */
  readonly name: string;
  readonly short?: string;
  /** What its value is called in help texts; without it the option has none. */
  readonly value?: string;
  /** `--name` alone is fine, and means "". */
  readonly valueOptional?: true;
  readonly repeated?: true;
  readonly help: string;
}

/** What was given of each option, in order; of one without value, as many empty texts. */
export type Given = ReadonlyMap<string, readonly string[]>;

export interface Arguments {
  readonly given: Given;
  /** All words, as they were. */
  readonly words: readonly string[];
  /** What is no option, and all that comes after `--` or after the first that is none. */
  readonly rest: readonly string[];
  /** Where in `rest` the words after `--` begin, if it was there. */
  readonly dashes: number | undefined;
}

/**
 * Reads `words`. With `stopsAtFirst` what comes after the first word that is no option is all `rest`: it belongs to
 * a program. Throws UsageError.
 */
export function readArguments(
  words: readonly string[],
  flags: readonly Flag[],
  stopsAtFirst: boolean,
): Arguments {
  const given = new Map<string, string[]>();
  const rest: string[] = [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!;
    if (word === "--")
      return { given, words, rest: [...rest, ...words.slice(at + 1)], dashes: rest.length };
    if (word === "-" || !word.startsWith("-")) {
      if (stopsAtFirst)
        return { given, words, rest: [...rest, ...words.slice(at)], dashes: undefined };
      rest.push(word);
      continue;
    }
    const [flag, inline] = flagOf(word, flags);
    const shown = word.startsWith("--") ? `--${flag.name}` : `-${flag.short}`;
    let value = inline;
    if (flag.value === undefined) {
      if (inline !== undefined) throw new UsageError(`${shown} takes no value`);
    } else if (inline === undefined && flag.valueOptional !== true) {
      value = words[++at];
      if (value === undefined) throw new UsageError(`${shown} needs a value: ${flag.value}`);
    }
    const before = given.get(flag.name);
    if (before !== undefined && flag.repeated !== true)
      throw new UsageError(`${shown} is given twice`);
    given.set(flag.name, [...(before ?? []), value ?? ""]);
  }
  return { given, words, rest, dashes: undefined };
}

function flagOf(word: string, flags: readonly Flag[]): [Flag, string | undefined] {
  if (!word.startsWith("--")) {
    const flag = flags.find(({ short }) => short === word[1]);
    if (flag === undefined) throw new UsageError(`unknown option ${printable(word)}`);
    const more = word.slice(2).replace(/^=/, "");
    return [flag, word.length > 2 ? more : undefined];
  }
  const equals = word.indexOf("=");
  const name = word.slice(2, equals === -1 ? undefined : equals);
  const flag = flags.find((one) => one.name === name);
  if (flag !== undefined) return [flag, equals === -1 ? undefined : word.slice(equals + 1)];
  const meant = meantBy(
    name,
    flags.map((one) => one.name),
  );
  const hint = meant === undefined ? "" : `; did you mean --${meant}?`;
  throw new UsageError(`unknown option ${printable(`--${name}`)}${hint}`);
}

const durationMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
const sizeBytes: Readonly<Record<string, number>> = {
  "": 1,
  k: 1024,
  m: 1024 ** 2,
  g: 1024 ** 3,
};

/** Milliseconds of `500ms`, `30s`, `5m`, `1h`; a bare number is seconds, as of timeout(1). */
export function durationOf(option: string, text: string): number {
  const [, number, unit = "s"] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text) ?? [];
  if (number === undefined || Number(number) === 0)
    throw new UsageError(`${option} must be a time such as 500ms, 30s or 5m: ${printable(text)}`);
  return Number(number) * durationMs[unit]!;
}

/** Bytes of `512m`, `64k`, `1g`, `1048576`. */
export function sizeOf(option: string, text: string): number {
  const [, number, unit = ""] = /^(\d+)([kmg]?)(?:i?b)?$/i.exec(text) ?? [];
  if (number === undefined)
    throw new UsageError(`${option} must be a size such as 64k, 512m or 1g: ${printable(text)}`);
  return Number(number) * sizeBytes[unit.toLowerCase()]!;
}
