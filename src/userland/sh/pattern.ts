/**
 * Owns shell patterns: `*`, `?`, `[…]`, bash's `@(…)` and its like, and `\` before
 * what is literal. Matching is by sets of states, never by backtracking over several
 * stars, so that no pattern costs more than its length times the text's; only `!(…)`
 * costs the text's length once more.
 */
import { fromBytes, toBytes } from "./locale.js";
import type { Characters, PatternToken } from "./pattern-parser.js";
import { caseless, characters, literalOf, parsePattern, slice } from "./pattern-parser.js";

const special = /[*?[\]\\!^()|+@-]/g;
/** Text that stands for itself in a pattern. */
export function quotePattern(text: string): string {
  return text.replace(special, "\\$&");
}

/** A lone `[`, the command, is no pattern. */
export function hasPatternCharacters(text: string, extended = false): boolean {
  return /[*?]|\[.+\]/s.test(text) || (extended && /[+@!]\(.*\)/s.test(text));
}

/** What a pattern without special characters stands for. */
export function unquotePattern(pattern: string): string {
  return pattern.replace(/\\([\s\S])/g, "$1");
}

export interface PatternOptions {
  readonly ignoreCase?: boolean;
  /** `@(…)`, `?(…)`, `*(…)`, `+(…)` and `!(…)` count. */
  readonly extended?: boolean;
  /** A character is a byte. */
  readonly bytes?: boolean;
}

/** What takes the place of a match, given the match. */
export type Replacement = (match: string) => string;

export class Pattern {
  readonly #tokens: readonly PatternToken[];
  /** Set when the pattern is plain text. */
  readonly #literal: string | undefined;
  readonly #bytes: boolean;
  readonly #grouped: boolean;

  constructor(
    pattern: string,
    { ignoreCase = false, extended, bytes = false }: PatternOptions = {},
  ) {
    const source = bytes ? toBytes(pattern) : pattern;
    const tokens = parsePattern(characters(source), extended === true);
    this.#tokens = ignoreCase ? tokens.map(caseless) : tokens;
    this.#literal = ignoreCase ? undefined : literalOf(this.#tokens);
    this.#bytes = bytes;
    this.#grouped = tokens.some(({ kind }) => kind === "group");
  }

  matches(given: string): boolean {
    const text = this.#bytes ? toBytes(given) : given;
    if (this.#literal !== undefined) return text === this.#literal;
    const tokens = this.#tokens;
    const subject = characters(text);
    if (this.#grouped) return endsOf(tokens, subject, [0]).includes(subject.length);
    let token = 0;
    let at = 0;
    let starToken = -1;
    let starAt = 0;
    while (at < subject.length) {
      const current = tokens[token];
      if (current?.kind === "star") {
        starToken = token++;
        starAt = at;
      } else if (current !== undefined && accepts(current, subject[at]!)) {
        token += 1;
        at += 1;
      } else if (starToken >= 0) {
        // Only the last star ever needs to give way.
        token = starToken + 1;
        at = ++starAt;
      } else return false;
    }
    while (tokens[token]?.kind === "star") token += 1;
    return token === tokens.length;
  }

  /** What is left of `text` without the shortest or longest match at one of its sides. */
  trim(text: string, side: "prefix" | "suffix", longest: boolean): string {
    if (this.#bytes) return fromBytes(this.#trim(toBytes(text), side, longest));
    return this.#trim(text, side, longest);
  }

  #trim(text: string, side: "prefix" | "suffix", longest: boolean): string {
    const literal = this.#literal;
    if (literal !== undefined) {
      if (side === "prefix") return text.startsWith(literal) ? text.slice(literal.length) : text;
      return text.endsWith(literal) ? text.slice(0, text.length - literal.length) : text;
    }
    const subject = characters(text);
    const reverse = side === "suffix";
    const length = this.#length(subject, 0, reverse, longest);
    if (length < 0) return text;
    if (reverse) return slice(subject, 0, subject.length - length);
    return slice(subject, length, subject.length);
  }

  /** Replaces the longest matches. */
  replace(
    text: string,
    where: "first" | "all" | "prefix" | "suffix",
    replacement: Replacement,
  ): string {
    if (!this.#bytes) return this.#replace(text, where, replacement);
    const local: Replacement = (match) => toBytes(replacement(fromBytes(match)));
    return fromBytes(this.#replace(toBytes(text), where, local));
  }

  #replace(
    text: string,
    where: "first" | "all" | "prefix" | "suffix",
    replacement: Replacement,
  ): string {
    const subject = characters(text);
    if (where === "prefix" || where === "suffix") {
      const length = this.#length(subject, 0, where === "suffix", true);
      if (length < 0) return text;
      const cut = where === "prefix" ? length : subject.length - length;
      const [head, tail] = [slice(subject, 0, cut), slice(subject, cut, subject.length)];
      return where === "prefix" ? replacement(head) + tail : head + replacement(tail);
    }
    let result = "";
    let kept = 0;
    for (let at = 0; at < subject.length;) {
      const length = this.#length(subject, at, false, true);
      if (length <= 0) {
        // What a star in front did not find from here is not further on either.
        if (this.#tokens[0]?.kind === "star") break;
        at += 1;
        continue;
      }
      result += slice(subject, kept, at) + replacement(slice(subject, at, at + length));
      at += length;
      kept = at;
      if (where === "first") break;
    }
    return result + slice(subject, kept, subject.length);
  }

  /** The length of the shortest or longest match at `from`, or backwards from the end; or -1. */
  #length(subject: Characters, from: number, reverse: boolean, longest: boolean): number {
    if (!this.#grouped) return matchLength(this.#tokens, subject, from, reverse, longest);
    if (!reverse) {
      const ends = endsOf(this.#tokens, subject, [from]);
      const end = longest ? ends.at(-1) : ends[0];
      return end === undefined ? -1 : end - from;
    }
    const { length } = subject;
    for (let size = 0; size <= length; size++) {
      const candidate = longest ? length - size : size;
      if (endsOf(this.#tokens, subject, [length - candidate]).includes(length)) return candidate;
    }
    return -1;
  }
}

const cache = new Map<string, Pattern>();

/** A compiled pattern; the last few hundred are kept, for loops. */
export function compilePattern(pattern: string, options: PatternOptions = {}): Pattern {
  const { bytes, extended, ignoreCase } = options;
  const key = `${ignoreCase ? "i" : "-"}${extended ? "x" : "-"}${bytes ? "b" : "-"}${pattern}`;
  let compiled = cache.get(key);
  if (compiled === undefined) {
    if (cache.size >= 256) cache.clear();
    compiled = new Pattern(pattern, options);
    cache.set(key, compiled);
  }
  return compiled;
}

/** Where matches end that begin at one of `starts`, in ascending order. */
function endsOf(
  tokens: readonly PatternToken[],
  subject: Characters,
  starts: readonly number[],
): number[] {
  let ends = [...starts];
  for (const token of tokens) {
    if (ends.length === 0) return ends;
    if (token.kind === "star") {
      const from = ends[0]!;
      ends = Array.from({ length: subject.length - from + 1 }, (_, index) => from + index);
    } else if (token.kind === "group") ends = groupEnds(token, subject, ends);
    else {
      ends = ends
        .filter((at) => at < subject.length && accepts(token, subject[at]!))
        .map((at) => at + 1);
    }
  }
  return ends;
}

function groupEnds(
  { operator, alternatives }: Extract<PatternToken, { kind: "group" }>,
  subject: Characters,
  starts: readonly number[],
): number[] {
  const once = (from: readonly number[]): number[] => {
    const found = new Set<number>();
    for (const one of alternatives) for (const end of endsOf(one, subject, from)) found.add(end);
    return ascending(found);
  };
  if (operator === "!") {
    const found = new Set<number>();
    for (const start of starts) {
      const excluded = new Set(once([start]));
      for (let end = start; end <= subject.length; end++) if (!excluded.has(end)) found.add(end);
    }
    return ascending(found);
  }
  const first = once(starts);
  if (operator === "@") return first;
  if (operator === "?") return ascending(new Set([...starts, ...first]));
  const found = new Set(operator === "*" ? [...starts, ...first] : first);
  for (let fresh = first; fresh.length > 0;) {
    fresh = once(fresh).filter((end) => !found.has(end));
    for (const end of fresh) found.add(end);
  }
  return ascending(found);
}

function ascending(found: ReadonlySet<number>): number[] {
  return [...found].sort((a, b) => a - b);
}

function accepts(token: PatternToken, character: string): boolean {
  switch (token.kind) {
    case "character":
      return token.character === character;
    case "any":
      return true;
    case "set":
      return token.contains(character) !== token.negated;
    case "star":
    case "group":
      return false;
  }
}

/** The length of the shortest or longest match from `from`, or from the end backwards; -1 without one. */
function matchLength(
  tokens: readonly PatternToken[],
  subject: Characters,
  from: number,
  reverse: boolean,
  longest: boolean,
): number {
  const count = tokens.length;
  const token = (index: number): PatternToken => tokens[reverse ? count - 1 - index : index]!;
  let states = new Uint8Array(count + 1);
  let next = new Uint8Array(count + 1);
  const enter = (set: Uint8Array, index: number): void => {
    set[index] = 1;
    while (index < count && token(index).kind === "star") set[++index] = 1;
  };
  enter(states, 0);
  let best = -1;
  for (let length = 0; ; length++) {
    if (states[count] === 1) {
      best = length;
      if (!longest) return best;
    }
    if (from + length >= subject.length) return best;
    const character = subject[reverse ? subject.length - 1 - length : from + length]!;
    next.fill(0);
    let alive = false;
    for (let index = 0; index < count; index++) {
      if (states[index] === 0) continue;
      const current = token(index);
      if (current.kind === "star") enter(next, index);
      else if (accepts(current, character)) enter(next, index + 1);
      else continue;
      alive = true;
    }
    if (!alive) return best;
    [states, next] = [next, states];
  }
}
