/**
 * Owns the grammar of POSIX regular expressions, basic and extended, with the GNU additions,
 * over byte strings or, for text in UTF-8, over what characters.ts decodes them to.
 * The pattern is whatever a program was given: mistakes are CommandFailures.
 */
import {
  anything,
  characterClass,
  complement,
  spaceSet,
  upperHalf,
  wideClasses,
  wordSet,
  type WideSet,
} from "./character-classes.js";
import { readEscape } from "./text.js";

/** Over characters `wide` says what is in beyond ASCII; the upper half of `set` is then a guess. */
export type SetNode = { kind: "set"; set: Uint8Array; wide?: WideSet };

export type Node =
  | SetNode
  | {
      kind: "assert";
      assert: "start" | "end" | "bufferStart" | "bufferEnd" | "<" | ">" | "b" | "B";
    }
  | { kind: "group"; index: number; body: Node }
  | { kind: "alternatives"; branches: Node[] }
  | { kind: "sequence"; items: Node[] }
  | { kind: "repeat"; item: Node; min: number; max: number }
  | { kind: "reference"; index: number };

export interface RegexOptions {
  extended: boolean;
  ignoreCase?: boolean;
  /** awk: backslash escapes are read as in strings, also between brackets; no back-references. */
  awk?: boolean;
  /** An impossible interval is text in grep and a mistake in sed. */
  looseIntervals?: boolean;
  /** The pattern is decoded text, and so is what it will be matched with. */
  wide?: boolean;
}

export class RegexError extends Error {}

const maxRepeat = 32767;
const maxDepth = 500;

function codeEscape(code: number): string {
  return `\\u{${code.toString(16)}}`;
}

export class RegexParser {
  groups = 0;
  #at = 0;
  #depth = 0;
  readonly #closed = new Set<number>();

  constructor(
    private readonly text: string,
    private readonly options: RegexOptions,
  ) {}

  parse(): Node {
    const node = this.#alternatives();
    if (this.#at < this.text.length) throw new RegexError("Unmatched ) or \\)");
    return node;
  }

  #looking(token: string): boolean {
    return this.text.startsWith(token, this.#at);
  }

  /** `(`, `|` and their like: bare in extended expressions, behind a backslash in basic ones. */
  #special(char: string): string {
    return this.options.extended ? char : `\\${char}`;
  }

  #alternatives(): Node {
    if (++this.#depth > maxDepth) throw new RegexError("Regular expression too big");
    const branches = [this.#sequence()];
    while (this.#looking(this.#special("|"))) {
      this.#at += this.#special("|").length;
      branches.push(this.#sequence());
    }
    this.#depth--;
    return branches.length === 1 ? branches[0]! : { kind: "alternatives", branches };
  }

  #sequence(): Node {
    const { extended } = this.options;
    const items: Node[] = [];
    /** Whether `*` has nothing to repeat. */
    let atStart = true;
    while (this.#at < this.text.length) {
      if (this.#looking(this.#special("|"))) break;
      if (this.#looking(this.#special(")")) && (this.#depth > 1 || !extended || this.options.awk)) {
        if (this.#depth === 1) throw new RegexError("Unmatched ) or \\)");
        break;
      }
      let item = this.#anchor(atStart);
      if (item !== undefined) {
        items.push(item);
        if (extended) item = this.#repeats(item);
        items[items.length - 1] = item;
        // In a basic expression `*` behind the anchor is a star.
        continue;
      }
      if (atStart && this.#looking("*")) {
        this.#at++;
        item = this.#literal("*");
      } else if (atStart && extended && /[+?]/.test(this.text[this.#at]!)) {
        item = this.#literal(this.text[this.#at++]!);
      } else item = this.#atom();
      items.push(this.#repeats(item));
      atStart = false;
    }
    return items.length === 1 ? items[0]! : { kind: "sequence", items };
  }

  #anchor(atStart: boolean): Node | undefined {
    const char = this.text[this.#at];
    if (char === "^" && (this.options.extended || atStart)) {
      this.#at++;
      return { kind: "assert", assert: "start" };
    }
    if (char === "$") {
      const after = this.text.slice(this.#at + 1, this.#at + 3);
      if (this.options.extended || after === "" || after === "\\)" || after === "\\|") {
        this.#at++;
        return { kind: "assert", assert: "end" };
      }
    }
    return undefined;
  }

  #repeats(item: Node): Node {
    const { extended } = this.options;
    let node = item;
    for (let count = 0; ; count++) {
      if (count > 100) throw new RegexError("Regular expression too big");
      if (this.#looking("*")) {
        this.#at++;
        node = { kind: "repeat", item: node, min: 0, max: Infinity };
      } else if (this.#looking(this.#special("+"))) {
        this.#at += this.#special("+").length;
        node = { kind: "repeat", item: node, min: 1, max: Infinity };
      } else if (this.#looking(this.#special("?"))) {
        this.#at += this.#special("?").length;
        node = { kind: "repeat", item: node, min: 0, max: 1 };
      } else if (this.#looking(this.#special("{"))) {
        const interval = this.#interval();
        if (interval === undefined) return node;
        node = { kind: "repeat", item: node, ...interval };
      } else return node;
      if (extended === false && this.#at >= this.text.length) return node;
    }
  }

  #interval(): { min: number; max: number } | undefined {
    const { extended } = this.options;
    const start = this.#at + this.#special("{").length;
    const close = extended ? "}" : "\\}";
    const end = this.text.indexOf(close, start);
    const match = end === -1 ? null : /^(\d*)(,(\d*))?$/.exec(this.text.slice(start, end));
    if (match === null || (match[1] === "" && match[2] === undefined)) {
      if (extended && (this.options.looseIntervals || this.options.awk)) return undefined;
      if (end === -1) throw new RegexError(extended ? "Unmatched { or \\{" : "Unmatched \\{");
      throw new RegexError("Invalid content of \\{\\}");
    }
    const min = Number(match[1]);
    const max = match[2] === undefined ? min : match[3] === "" ? Infinity : Number(match[3]);
    if (min > max) throw new RegexError("Invalid content of \\{\\}");
    if (min > maxRepeat || (max !== Infinity && max > maxRepeat)) {
      throw new RegexError("Regular expression too big");
    }
    this.#at = end + close.length;
    return { min, max };
  }

  #literal(char: string): SetNode {
    const code = char.codePointAt(0)!;
    if (this.options.wide && code > 127) {
      return { kind: "set", set: upperHalf, wide: { items: codeEscape(code), negated: false } };
    }
    const set = new Uint8Array(256);
    set[code & 255] = 1;
    return this.#folded(set);
  }

  /** The character at hand, which is passed. */
  #take(): string {
    const char = String.fromCodePoint(this.text.codePointAt(this.#at)!);
    this.#at += char.length;
    return char;
  }

  #named(set: Uint8Array, className: string, negated = false): SetNode {
    const members = negated ? complement(set) : set;
    if (!this.options.wide) return { kind: "set", set: members };
    return { kind: "set", set: members, wide: { items: wideClasses[className]!, negated } };
  }

  #folded(set: Uint8Array): SetNode {
    if (this.options.ignoreCase) {
      for (let code = 65; code <= 90; code++) {
        if (set[code] || set[code + 32]) set[code] = set[code + 32] = 1;
      }
    }
    return { kind: "set", set };
  }

  #atom(): Node {
    const { extended } = this.options;
    const char = this.text[this.#at]!;
    if (this.#looking(this.#special("("))) {
      this.#at += this.#special("(").length;
      const index = ++this.groups;
      const body = this.#alternatives();
      if (!this.#looking(this.#special(")"))) throw new RegexError("Unmatched ( or \\(");
      this.#at += this.#special(")").length;
      this.#closed.add(index);
      return { kind: "group", index, body };
    }
    if (char === "[") return this.#bracket();
    if (char === ".") {
      this.#at++;
      if (!this.options.wide) return { kind: "set", set: anything };
      return { kind: "set", set: anything, wide: { items: "", negated: true } };
    }
    if (char === "\\") return this.#escape();
    if (extended && char === "{" && this.#startsInterval()) {
      throw new RegexError("Invalid preceding regular expression");
    }
    return this.#literal(this.#take());
  }

  #startsInterval(): boolean {
    return !this.options.looseIntervals && /^\{\d/.test(this.text.slice(this.#at, this.#at + 2));
  }

  #escape(): Node {
    const next = this.text[this.#at + 1];
    if (next === undefined) throw new RegexError("Trailing backslash");
    if (this.options.awk && !"<>y".includes(next)) {
      const escape = /[abefnrtv0-7x\\]/.test(next) ? readEscape(this.text, this.#at) : undefined;
      if (escape !== undefined && next !== "e") {
        this.#at = escape.end;
        return this.#literal(escape.value);
      }
    }
    this.#at += 2;
    if (/[1-9]/.test(next) && !this.options.awk) {
      if (!this.#closed.has(Number(next))) throw new RegexError("Invalid back reference");
      return { kind: "reference", index: Number(next) };
    }
    switch (next) {
      case "w":
        return this.#named(wordSet, "alnum");
      case "W":
        return this.#named(wordSet, "alnum", true);
      case "s":
        return this.#named(spaceSet, "space");
      case "S":
        return this.#named(spaceSet, "space", true);
      case "<":
      case ">":
        return { kind: "assert", assert: next };
      case "b":
      case "B":
        return { kind: "assert", assert: next };
      case "y":
        if (this.options.awk) return { kind: "assert", assert: "b" };
        break;
      case "`":
        return { kind: "assert", assert: "bufferStart" };
      case "'":
        return { kind: "assert", assert: "bufferEnd" };
      case "n":
        return this.#literal("\n");
    }
    if (!this.options.extended && next === "{") {
      throw new RegexError("Invalid preceding regular expression");
    }
    this.#at -= next.length;
    return this.#literal(this.#take());
  }

  #bracket(): Node {
    const { text } = this;
    const set = new Uint8Array(256);
    const lastNarrow = this.options.wide ? 127 : 255;
    let wide = "";
    const unmatched = () => new RegexError("Unmatched [, [^, [:, [., or [=");
    const opened = this.#at;
    let at = this.#at + 1;
    const negated = text[at] === "^";
    if (negated) at++;
    for (let first = true; ; first = false) {
      const char = text[at];
      if (char === undefined) throw unmatched();
      if (char === "]" && !first) break;
      if (char === "[" && text[at + 1] === ":") {
        const end = text.indexOf(":]", at + 2);
        if (end === -1) throw unmatched();
        const members = characterClass(text.slice(at + 2, end));
        if (members === undefined) throw new RegexError("Invalid character class name");
        members.forEach((bit, code) => {
          if (bit) set[code] = 1;
        });
        wide += wideClasses[text.slice(at + 2, end)]!;
        at = end + 2;
        continue;
      }
      const low = this.#bracketChar(at);
      at = low.end;
      let high = low;
      if (text[at] === "-" && text[at + 1] !== "]" && text[at + 1] !== undefined) {
        high = this.#bracketChar(at + 1);
        at = high.end;
      }
      if (low.code > high.code) throw new RegexError("Invalid range end");
      for (let code = low.code; code <= Math.min(high.code, lastNarrow); code++) set[code] = 1;
      if (high.code > lastNarrow) {
        wide += `${codeEscape(Math.max(low.code, lastNarrow + 1))}-${codeEscape(high.code)}`;
      }
    }
    this.#at = at + 1;
    const inside = text.slice(opened + 1, at);
    if (/^:.*:$/.test(inside) && inside.length > 2 && !this.options.awk) {
      throw new RegexError("character class syntax is [[:space:]], not [:space:]");
    }
    const { set: members } = this.#folded(set);
    const chosen = negated ? complement(members) : members;
    if (!this.options.wide) return { kind: "set", set: chosen };
    const reachesWide = negated || wide !== "";
    for (let code = 128; code < 256; code++) chosen[code] = reachesWide ? 1 : 0;
    return { kind: "set", set: chosen, wide: { items: wide, negated } };
  }

  #bracketChar(at: number): { code: number; end: number } {
    const { text } = this;
    const char = text[at]!;
    if (char === "[" && (text[at + 1] === "." || text[at + 1] === "=")) {
      const end = text.indexOf(`${text[at + 1]!}]`, at + 2);
      if (end === -1) throw new RegexError("Unmatched [, [^, [:, [., or [=");
      const code = text.codePointAt(at + 2)!;
      if (end !== at + 2 + String.fromCodePoint(code).length) {
        throw new RegexError("Invalid collation character");
      }
      return { code, end: end + 2 };
    }
    if (char === "\\" && this.options.awk && text[at + 1] !== undefined) {
      const escape = readEscape(text, at);
      if (escape !== undefined && escape.value.length === 1 && text[at + 1] !== "e") {
        return { code: escape.value.charCodeAt(0), end: escape.end };
      }
      return { code: text.charCodeAt(at + 1), end: at + 2 };
    }
    if (!this.options.wide) return { code: char.charCodeAt(0) & 255, end: at + 1 };
    const code = text.codePointAt(at)!;
    return { code, end: at + (code > 0xffff ? 2 : 1) };
  }
}
