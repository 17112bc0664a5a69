/** Owns the syntax of shell patterns: the tokens that pattern.ts matches. The text is hostile: groups nest to a bound. */
import { limits } from "./limits.js";

export type PatternToken =
  | { readonly kind: "character"; readonly character: string }
  | { readonly kind: "any" }
  | { readonly kind: "star" }
  | {
      readonly kind: "group";
      readonly operator: string;
      readonly alternatives: readonly (readonly PatternToken[])[];
    }
  | { readonly kind: "set"; readonly negated: boolean; readonly contains: (c: string) => boolean };

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

export type Characters = string | readonly string[];

/** Indexed by character: astral ones count as one. */
export function characters(text: string): Characters {
  return /[\ud800-\udbff]/.test(text) ? Array.from(text) : text;
}

export function slice(text: Characters, from: number, to: number): string {
  return typeof text === "string" ? text.slice(from, to) : text.slice(from, to).join("");
}

export function literalOf(tokens: readonly PatternToken[]): string | undefined {
  let text = "";
  for (const token of tokens) {
    if (token.kind !== "character") return undefined;
    text += token.character;
  }
  return text;
}

export function parsePattern(pattern: Characters, extended: boolean, depth = 0): PatternToken[] {
  const tokens: PatternToken[] = [];
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern[at]!;
    const group =
      extended && pattern[at + 1] === "(" && "?*+@!".includes(character)
        ? parseGroup(pattern, at, depth)
        : undefined;
    if (group !== undefined) {
      tokens.push(group.token);
      at = group.end;
    } else if (character === "*") {
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
  return tokens;
}

/** `@(a|b)` from its `@`; `undefined` when it does not end, so that it is literal. */
function parseGroup(
  pattern: Characters,
  from: number,
  depth: number,
): { token: PatternToken; end: number } | undefined {
  if (depth > limits.expressionDepth) return undefined;
  const alternatives: PatternToken[][] = [];
  let start = from + 2;
  let open = 1;
  for (let at = start; at < pattern.length; at++) {
    const character = pattern[at]!;
    if (character === "\\") at += 1;
    else if (character === "[") at = parseSet(pattern, at)?.end ?? at;
    else if (character === "(" && "?*+@!".includes(pattern[at - 1]!)) open += 1;
    else if (character === ")") open -= 1;
    if ((character === "|" && open === 1) || open === 0) {
      alternatives.push(parsePattern(characters(slice(pattern, start, at)), true, depth + 1));
      start = at + 1;
    }
    if (open === 0) {
      return { token: { kind: "group", operator: pattern[from]!, alternatives }, end: at };
    }
  }
  return undefined;
}

export function caseless(token: PatternToken): PatternToken {
  if (token.kind === "group") {
    return { ...token, alternatives: token.alternatives.map((one) => one.map(caseless)) };
  }
  if (token.kind === "set") {
    const { contains } = token;
    return {
      ...token,
      contains: (c) => contains(c) || contains(c.toLowerCase()) || contains(c.toUpperCase()),
    };
  }
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
