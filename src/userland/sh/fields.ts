/**
 * Owns what expansions are collected into: fields that are split and matched
 * against files, one text, or a pattern. The same walk over a word's parts
 * feeds any of them.
 */
import { ShellError } from "./control.js";
import { limits } from "./limits.js";
import { hasPatternCharacters, quotePattern } from "./pattern.js";

export interface Sink {
  /** False: `$*` and `$@` are one text here. */
  readonly splits: boolean;
  /** Unquoted text of the script. */
  literal(text: string): void;
  quoted(text: string): void;
  /** The result of an unquoted expansion. */
  expansion(text: string): void;
  /** Between the elements of `$@`, where they are fields of their own. */
  separate(): void;
}

export class TextSink implements Sink {
  readonly splits = false;
  text = "";

  literal(text: string): void {
    this.#append(text);
  }

  quoted(text: string): void {
    this.#append(text);
  }

  expansion(text: string): void {
    this.#append(text);
  }

  separate(): void {}

  #append(text: string): void {
    if (this.text.length + text.length > limits.textLength) throw new ShellError("word too long");
    this.text += text;
  }
}

export class PatternSink implements Sink {
  readonly splits = false;
  pattern = "";

  literal(text: string): void {
    this.pattern += text;
  }

  quoted(text: string): void {
    this.pattern += quotePattern(text);
  }

  expansion(text: string): void {
    this.pattern += text;
  }

  separate(): void {}
}

/** What takes the place of a match: an unquoted `&` is the match. */
export class ReplacementSink implements Sink {
  readonly splits = false;
  #source = "";

  literal(text: string): void {
    this.#source += text;
  }

  quoted(text: string): void {
    this.#source += text.replace(/[&\\]/g, "\\$&");
  }

  expansion(text: string): void {
    this.#source += text;
  }

  separate(): void {}

  replacement(): (match: string) => string {
    const source = this.#source;
    if (!/[&\\]/.test(source)) return () => source;
    return (match) =>
      source.replace(/\\([&\\])|&/g, (_, literal: string | undefined) => literal ?? match);
  }
}

/** The source of a regular expression: quoted text stands for itself. */
export class ExpressionSink extends PatternSink {
  override quoted(text: string): void {
    this.pattern += text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
  }
}

export interface Field {
  readonly text: string;
  /** Set when unquoted pattern characters are in it. */
  readonly pattern: string | undefined;
}

interface Segment {
  readonly text: string;
  readonly quoted: boolean;
}

/** The delimiters of field splitting. */
export class Separators {
  readonly #whitespace: ReadonlySet<string>;
  readonly #others: ReadonlySet<string>;

  constructor(readonly ifs: string) {
    const all = [...ifs];
    this.#whitespace = new Set(all.filter((character) => /[ \t\n]/.test(character)));
    this.#others = new Set(all.filter((character) => !/[ \t\n]/.test(character)));
  }

  isWhitespace(character: string): boolean {
    return this.#whitespace.has(character);
  }

  isOther(character: string): boolean {
    return this.#others.has(character);
  }

  isAny(character: string): boolean {
    return this.#whitespace.has(character) || this.#others.has(character);
  }
}

export class FieldSink implements Sink {
  readonly splits = true;
  readonly fields: Field[] = [];
  #segments: Segment[] = [];
  #open = false;
  #hasPattern = false;
  /** A field was ended by white space: a delimiter of another kind may still belong to it. */
  #endedBySpace = false;
  #length = 0;

  constructor(
    readonly separators: Separators,
    /** `@(…)` and its like are patterns. */
    readonly extended = false,
  ) {}

  literal(text: string): void {
    this.#append(text, false);
  }

  quoted(text: string): void {
    this.#append(text, true);
  }

  expansion(text: string): void {
    const { separators } = this;
    let from = 0;
    for (let at = 0; at < text.length; at++) {
      const character = text[at]!;
      if (!separators.isAny(character)) continue;
      if (at > from) this.#append(text.slice(from, at), false);
      from = at + 1;
      if (separators.isWhitespace(character)) {
        if (this.#open) {
          this.#close();
          this.#endedBySpace = true;
        }
      } else if (this.#open) this.#close();
      else if (this.#endedBySpace) this.#endedBySpace = false;
      else {
        this.#open = true;
        this.#close();
      }
    }
    if (from < text.length) this.#append(text.slice(from), false);
  }

  separate(): void {
    if (this.#open) this.#close();
    this.#endedBySpace = false;
  }

  /** Ends the word. */
  finish(): Field[] {
    this.separate();
    return this.fields;
  }

  #append(text: string, quoted: boolean): void {
    this.#length += text.length;
    if (this.#length > limits.textLength) throw new ShellError("word too long");
    this.#open = true;
    this.#endedBySpace = false;
    if (!quoted && (/[*?[]/.test(text) || (this.extended && /[+@!]\(/.test(text)))) {
      this.#hasPattern = true;
    }
    this.#segments.push({ text, quoted });
  }

  #close(): void {
    const segments = this.#segments;
    const text = segments.length === 1 ? segments[0]!.text : segments.map((s) => s.text).join("");
    const pattern =
      this.#hasPattern && hasPatternCharacters(text, this.extended)
        ? segments.map((s) => (s.quoted ? quotePattern(s.text) : s.text)).join("")
        : undefined;
    if (this.fields.length >= limits.expansionCount) throw new ShellError("too many words");
    this.fields.push({ text, pattern });
    this.#segments = [];
    this.#open = false;
    this.#hasPattern = false;
  }
}
