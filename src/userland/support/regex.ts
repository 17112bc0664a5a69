/**
 * Owns POSIX regular expressions on top of the engine's: translation, and the rule that the
 * longest of the leftmost matches counts, which alternatives in JavaScript do not follow.
 */
import { decode, decodeWithPositions, encode, hasWide, sizeAt } from "./characters.js";
import { wideWord, type WideSet } from "./character-classes.js";
import { RegexError, RegexParser, type Node, type RegexOptions } from "./regex-parse.js";

export { RegexError } from "./regex-parse.js";

export interface PosixRegexOptions extends RegexOptions {
  /** `^` and `$` also at line ends inside the text (sed's M flag). */
  multiline?: boolean;
  /** Wrap: the whole text (grep -x) or whole words (grep -w). */
  whole?: "line" | "word";
}

export interface Match {
  index: number;
  end: number;
  /** [0] is the whole match; a group that took no part is undefined. */
  groups: (string | undefined)[];
}

/** One translation of a pattern: for byte strings, or for decoded text. */
class Translation {
  readonly groups: number;
  readonly #search: RegExp;
  readonly #source: string;
  readonly #flags: string;
  /** Whether JavaScript may prefer a shorter match. */
  readonly #ambiguous: boolean;

  constructor(pattern: string, options: PosixRegexOptions) {
    const parser = new RegexParser(pattern, options);
    const node = parser.parse();
    this.groups = parser.groups;
    const word = wordClass(options.wide === true);
    let source = emit(node, options.multiline === true, word);
    if (options.whole === "line") source = `^(?:${source})$`;
    if (options.whole === "word") source = `(?<!${word})(?:${source})(?!${word})`;
    this.#source = source;
    this.#flags = options.wide ? (options.ignoreCase ? "iv" : "v") : "";
    this.#ambiguous = isAmbiguous(node);
    try {
      this.#search = new RegExp(source, `g${this.#flags}`);
    } catch {
      throw new RegexError("Regular expression too big");
    }
  }

  test(text: string): boolean {
    this.#search.lastIndex = 0;
    return this.#search.test(text);
  }

  exec(text: string, from: number): Match | undefined {
    this.#search.lastIndex = from;
    const found = this.#search.exec(text);
    if (found === null) return undefined;
    const match = { index: found.index, end: found.index + found[0].length, groups: [...found] };
    return this.#ambiguous && match.end < text.length ? this.#longest(text, match) : match;
  }

  #longest(text: string, match: Match): Match {
    // Demanding that less text remains makes the engine go on to its next way of matching, until
    // there is none that is longer.
    let longest = match;
    while (longest.end < text.length) {
      const rest = text.slice(longest.end);
      const left = this.#flags === "" ? rest.length : [...rest].length;
      const longer = new RegExp(`(?:${this.#source})(?![^]{${left}})`, `y${this.#flags}`);
      longer.lastIndex = match.index;
      const found = longer.exec(text);
      if (found === null) break;
      longest = { index: match.index, end: match.index + found[0].length, groups: [...found] };
    }
    return longest;
  }
}

/** Takes and answers byte strings and byte offsets; in a UTF-8 locale it matches characters. */
export class PosixRegex {
  readonly groups: number;
  /** For text that is ASCII, where bytes are characters. */
  readonly #narrow: Translation;
  #wide: Translation | undefined;
  readonly #wideOnly: boolean;

  constructor(
    private readonly pattern: string,
    private readonly options: PosixRegexOptions,
  ) {
    this.#wideOnly = hasWide(pattern);
    this.#narrow = this.#wideOnly ? this.#translateWide() : new Translation(pattern, options);
    this.groups = this.#narrow.groups;
  }

  #translateWide(): Translation {
    this.#wide ??= new Translation(decode(this.pattern), { ...this.options, wide: true });
    return this.#wide;
  }

  test(text: string): boolean {
    if (!this.#wideOnly && !hasWide(text)) return this.#narrow.test(text);
    return this.#translateWide().test(decode(text));
  }

  /** The leftmost longest match that starts at `from` or later; `^` is the start of the text. */
  exec(text: string, from = 0): Match | undefined {
    if (!this.#wideOnly && !hasWide(text)) return this.#narrow.exec(text, from);
    const decoded = decodeWithPositions(text);
    const match = this.#translateWide().exec(decoded.text, decoded.fromByte[from]!);
    if (match === undefined) return undefined;
    return {
      index: decoded.toByte[match.index]!,
      end: decoded.toByte[match.end]!,
      groups: match.groups.map((group) => (group === undefined ? undefined : encode(group))),
    };
  }
}

/** Where a search goes on behind an empty match at `at`: one character further. */
export function afterCharacter(text: string, at: number): number {
  return at + Math.max(1, sizeAt(text, at));
}

const narrowWord = "[A-Za-z0-9_]";

function wordClass(wide: boolean): string {
  return wide ? `[A-Za-z0-9_${wideWord.items}]` : narrowWord;
}

function emit(node: Node, multiline: boolean, word: string): string {
  switch (node.kind) {
    case "set":
      return node.wide === undefined ? emitSet(node.set) : emitWide(node.set, node.wide);
    case "assert":
      switch (node.assert) {
        case "start":
          return multiline ? "(?<![^\\n])" : "^";
        case "end":
          return multiline ? "(?![^\\n])" : "$";
        case "bufferStart":
          return "(?<![^])";
        case "bufferEnd":
          return "(?![^])";
        case "<":
          return `(?<!${word})(?=${word})`;
        case ">":
          return `(?<=${word})(?!${word})`;
        case "b":
          return `(?:(?<!${word})(?=${word})|(?<=${word})(?!${word}))`;
        case "B":
          return `(?:(?<!${word})(?!${word})|(?<=${word})(?=${word}))`;
      }
    case "group":
      return `(${emit(node.body, multiline, word)})`;
    case "alternatives":
      return node.branches.map((branch) => emit(branch, multiline, word)).join("|");
    case "sequence":
      return node.items
        .map((item) =>
          item.kind === "alternatives"
            ? `(?:${emit(item, multiline, word)})`
            : emit(item, multiline, word),
        )
        .join("");
    case "reference":
      return `(?:\\${node.index})`;
    case "repeat": {
      const { item, min, max } = node;
      const inner = emit(item, multiline, word);
      const single = item.kind === "set" || item.kind === "group";
      const body = single ? inner : `(?:${inner})`;
      if (min === 0 && max === Infinity) return `${body}*`;
      if (min === 1 && max === Infinity) return `${body}+`;
      if (min === 0 && max === 1) return `${body}?`;
      return `${body}{${min},${max === Infinity ? "" : max}}`;
    }
  }
}

function hex(code: number): string {
  const char = String.fromCharCode(code);
  return /[A-Za-z0-9 ]/.test(char) ? char : `\\x${code.toString(16).padStart(2, "0")}`;
}

/** No set holds a byte that is no character, but for one that names it. */
const stray = "\\ud800-\\udfff";

function emitWide(set: Uint8Array, wide: WideSet): string {
  const { ranges } = rangesOf(set, 127);
  if (!wide.negated) {
    if (ranges.length === 0 && wide.items === "") return "[]";
    return `[${ranges.join("")}${wide.items}]`;
  }
  const beyond = `[[^\\x00-\\x7f${stray}]--[${wide.items}]]`;
  return `[${ranges.join("")}${beyond}]`;
}

function emitSet(set: Uint8Array): string {
  const { ranges, members } = rangesOf(set, 255);
  if (members === 256) return "[^]";
  if (members === 1) return ranges[0]!;
  return `[${ranges.join("")}]`;
}

function rangesOf(set: Uint8Array, last: number): { ranges: string[]; members: number } {
  const ranges: string[] = [];
  let members = 0;
  for (let code = 0; code <= last; code++) {
    if (!set[code]) continue;
    let end = code;
    while (end < last && set[end + 1]) end++;
    members += end - code + 1;
    ranges.push(code === end ? hex(code) : `${hex(code)}-${hex(end)}`);
    code = end;
  }
  return { ranges, members };
}

/** Whether some alternatives can begin alike, so that their order could matter. */
function isAmbiguous(node: Node): boolean {
  switch (node.kind) {
    case "alternatives":
      return (
        node.branches.some(isAmbiguous) ||
        node.branches.some((a, i) => node.branches.some((b, j) => i < j && mayOverlap(a, b)))
      );
    case "group":
      return isAmbiguous(node.body);
    case "sequence":
      return node.items.some(isAmbiguous);
    case "repeat":
      return isAmbiguous(node.item);
    default:
      return false;
  }
}

/** False when no text can begin with both: some position tells them apart. */
function mayOverlap(a: Node, b: Node): boolean {
  const left = leadingSets(a);
  const right = leadingSets(b);
  for (let at = 0; at < Math.min(left.length, right.length); at++) {
    if (!left[at]!.some((bit, code) => bit === 1 && right[at]![code] === 1)) return false;
  }
  return true;
}

function leadingSets(node: Node): Uint8Array[] {
  if (node.kind === "set") return [node.set];
  if (node.kind === "group") return leadingSets(node.body);
  if (node.kind === "repeat") return node.min > 0 ? leadingSets(node.item).slice(0, 1) : [];
  if (node.kind !== "sequence") return [];
  const sets: Uint8Array[] = [];
  for (const item of node.items) {
    if (item.kind === "assert" && (item.assert === "start" || item.assert === "<")) continue;
    sets.push(...leadingSets(item));
    if (item.kind !== "set") break;
  }
  return sets;
}

/** Dynamic expressions are few and come again and again. */
export class RegexCache {
  readonly #known = new Map<string, PosixRegex>();

  constructor(private readonly options: PosixRegexOptions) {}

  get(pattern: string): PosixRegex {
    let regex = this.#known.get(pattern);
    if (regex === undefined) {
      if (this.#known.size > 500) this.#known.clear();
      regex = new PosixRegex(pattern, this.options);
      this.#known.set(pattern, regex);
    }
    return regex;
  }
}
