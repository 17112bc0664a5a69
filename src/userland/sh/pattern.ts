/**
 * Owns shell patterns: `*`, `?`, `[…]`, and `\` before what is literal. Matching
 * is by sets of states, never by backtracking over several stars, so that no
 * pattern costs more than its length times the text's.
 */

type PatternToken =
  | { readonly kind: "character"; readonly character: string }
  | { readonly kind: "any" }
  | { readonly kind: "star" }
  | { readonly kind: "set"; readonly negated: boolean; readonly contains: (c: string) => boolean };

const special = /[*?[\]\\!^-]/g;
const classes: ReadonlyMap<string, RegExp> = new Map([
  ["alnum", /^[\p{L}\p{Nd}]$/u],
  ["alpha", /^\p{L}$/u],
  ["blank", /^[ \t]$/],
  ["cntrl", /^\p{Cc}$/u],
  ["digit", /^[0-9]$/],
  ["graph", /^[^\s\p{C}]$/u],
  ["lower", /^\p{Ll}$/u],
  ["print", /^[^\p{C}]$/u],
  ["punct", /^[!-/:-@[-`{-~]$/],
  ["space", /^\s$/],
  ["upper", /^\p{Lu}$/u],
  ["xdigit", /^[0-9A-Fa-f]$/],
]);

/** Text that stands for itself in a pattern. */
export function quotePattern(text: string): string {
  return text.replace(special, "\\$&");
}

/** A lone `[`, the command, is no pattern. */
export function hasPatternCharacters(text: string): boolean {
  return /[*?]|\[.+\]/s.test(text);
}

/** What a pattern without special characters stands for. */
export function unquotePattern(pattern: string): string {
  return pattern.replace(/\\([\s\S])/g, "$1");
}

type Characters = string | readonly string[];

/** Indexed by character: astral ones count as one. */
function characters(text: string): Characters {
  return /[\ud800-\udbff]/.test(text) ? Array.from(text) : text;
}

function slice(text: Characters, from: number, to: number): string {
  return typeof text === "string" ? text.slice(from, to) : text.slice(from, to).join("");
}

export class Pattern {
  readonly #tokens: readonly PatternToken[];
  /** Set when the pattern is plain text. */
  readonly #literal: string | undefined;

  constructor(pattern: string, ignoreCase = false) {
    this.#tokens = parse(characters(pattern), ignoreCase);
    this.#literal = ignoreCase ? undefined : literalOf(this.#tokens);
  }

  matches(text: string): boolean {
    if (this.#literal !== undefined) return text === this.#literal;
    const tokens = this.#tokens;
    const subject = characters(text);
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
    const literal = this.#literal;
    if (literal !== undefined) {
      if (side === "prefix") return text.startsWith(literal) ? text.slice(literal.length) : text;
      return text.endsWith(literal) ? text.slice(0, text.length - literal.length) : text;
    }
    const subject = characters(text);
    const reverse = side === "suffix";
    const length = matchLength(this.#tokens, subject, 0, reverse, longest);
    if (length < 0) return text;
    if (reverse) return slice(subject, 0, subject.length - length);
    return slice(subject, length, subject.length);
  }

  /** Replaces the longest matches. */
  replace(text: string, where: "first" | "all" | "prefix" | "suffix", replacement: string): string {
    const subject = characters(text);
    if (where === "prefix" || where === "suffix") {
      const rest = this.trim(text, where, true);
      const length = matchLength(this.#tokens, subject, 0, where === "suffix", true);
      if (length < 0) return text;
      return where === "prefix" ? replacement + rest : rest + replacement;
    }
    let result = "";
    let kept = 0;
    for (let at = 0; at < subject.length;) {
      const length = matchLength(this.#tokens, subject, at, false, true);
      if (length <= 0) {
        // What a star in front did not find from here is not further on either.
        if (this.#tokens[0]?.kind === "star") break;
        at += 1;
        continue;
      }
      result += slice(subject, kept, at) + replacement;
      at += length;
      kept = at;
      if (where === "first") break;
    }
    return result + slice(subject, kept, subject.length);
  }
}

const cache = new Map<string, Pattern>();

/** A compiled pattern; the last few hundred are kept, for loops. */
export function compilePattern(pattern: string): Pattern {
  let compiled = cache.get(pattern);
  if (compiled === undefined) {
    if (cache.size >= 256) cache.clear();
    compiled = new Pattern(pattern);
    cache.set(pattern, compiled);
  }
  return compiled;
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

function literalOf(tokens: readonly PatternToken[]): string | undefined {
  let text = "";
  for (const token of tokens) {
    if (token.kind !== "character") return undefined;
    text += token.character;
  }
  return text;
}

function parse(pattern: Characters, ignoreCase: boolean): PatternToken[] {
  const tokens: PatternToken[] = [];
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern[at]!;
    if (character === "*") {
      if (tokens.at(-1)?.kind !== "star") tokens.push({ kind: "star" });
    } else if (character === "?") tokens.push({ kind: "any" });
    else if (character === "[") {
      const set = parseSet(pattern, at);
      if (set === undefined) tokens.push({ kind: "character", character });
      else {
        tokens.push(set.token);
        at = set.end;
      }
    } else {
      if (character === "\\" && at + 1 < pattern.length) at += 1;
      tokens.push({ kind: "character", character: pattern[at]! });
    }
  }
  return ignoreCase ? tokens.map(caseless) : tokens;
}

function caseless(token: PatternToken): PatternToken {
  if (token.kind !== "character") return token;
  const wanted = token.character.toLowerCase();
  return { kind: "set", negated: false, contains: (c) => c.toLowerCase() === wanted };
}

/** A bracket expression from its `[`; `undefined` when it does not end, so that `[` is literal. */
function parseSet(
  pattern: Characters,
  from: number,
): { token: PatternToken; end: number } | undefined {
  let at = from + 1;
  const negated = pattern[at] === "!" || pattern[at] === "^";
  if (negated) at += 1;
  const singles = new Set<string>();
  const ranges: [number, number][] = [];
  const named: RegExp[] = [];
  for (let first = true; ; first = false) {
    let character = pattern[at];
    if (character === undefined || character === "/") return undefined;
    if (character === "]" && !first) break;
    if (character === "[" && pattern[at + 1] === ":") {
      const rest = slice(pattern, at + 2, at + 12);
      const close = rest.indexOf(":]");
      const known = close > 0 ? classes.get(rest.slice(0, close)) : undefined;
      if (known !== undefined) {
        named.push(known);
        at += close + 4;
        continue;
      }
    }
    if (character === "\\" && at + 1 < pattern.length) character = pattern[++at]!;
    at += 1;
    const high = pattern[at + 1];
    if (pattern[at] === "-" && high !== undefined && high !== "]") {
      const last = high === "\\" ? pattern[at + 2] : high;
      ranges.push([character.codePointAt(0)!, (last ?? high).codePointAt(0)!]);
      at += high === "\\" ? 3 : 2;
    } else singles.add(character);
  }
  const contains = (character: string): boolean => {
    if (singles.has(character)) return true;
    const code = character.codePointAt(0)!;
    return (
      ranges.some(([low, high]) => low <= code && code <= high) ||
      named.some((expression) => expression.test(character))
    );
  };
  return { token: { kind: "set", negated, contains }, end: at };
}
