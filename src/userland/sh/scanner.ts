/**
 * Owns the text being parsed and the position in it, the count of lines, the
 * depth of nesting, and the accumulation of word parts. The text is hostile:
 * everything that nests passes `nested`, so that no script overflows the stack.
 */
import type { TextPart, Word, WordPart } from "./ast.js";
import { SyntaxFailure } from "./control.js";
import { limits } from "./limits.js";

/** Collects the parts of one word and joins neighbouring text. */
export class WordBuilder {
  readonly #parts: WordPart[] = [];
  #text = "";
  #quoted = false;
  #open = false;

  text(text: string, quoted: boolean): void {
    if (this.#open && this.#quoted === quoted) {
      this.#text += text;
      return;
    }
    this.#close();
    this.#text = text;
    this.#quoted = quoted;
    this.#open = true;
  }

  part(part: WordPart): void {
    this.#close();
    this.#parts.push(part);
  }

  get empty(): boolean {
    return this.#parts.length === 0 && !this.#open;
  }

  /** The text so far while it is one run of unquoted text. */
  get plain(): string | undefined {
    if (this.#parts.length > 0 || (this.#open && this.#quoted)) return undefined;
    return this.#text;
  }

  word(): Word {
    this.#close();
    return { parts: this.#parts };
  }

  #close(): void {
    if (this.#open) {
      const part: TextPart = { kind: "text", text: this.#text, quoted: this.#quoted };
      this.#parts.push(part);
    }
    this.#open = false;
  }
}

/** Why the text must not end where it does. */
export interface TextEnd {
  /** A newline would be wrong there as well. */
  readonly newline?: boolean;
  readonly awaitedDelimiter?: string;
  /** What bash looks for, and the line from which on. */
  readonly quote?: string;
  readonly line?: number;
}

/** Shared by a script and everything parsed inside it. */
export class Nesting {
  depth = 0;
}

export class Scanner {
  position = 0;

  constructor(
    public text: string,
    public line: number,
    /** False while more lines may follow: running out of text is then no error yet. */
    readonly final: boolean,
    readonly nesting: Nesting,
  ) {
    if (text.length > limits.textLength) throw new SyntaxFailure("script too long", line);
  }

  /** "" at the end. */
  peek(ahead = 0): string {
    return this.text[this.position + ahead] ?? "";
  }

  startsWith(text: string): boolean {
    return this.text.startsWith(text, this.position);
  }

  /** The match of a sticky expression at the position; moves past it. */
  match(expression: RegExp): string | undefined {
    expression.lastIndex = this.position;
    const found = expression.exec(this.text);
    if (found === null) return undefined;
    this.position += found[0].length;
    return found[0];
  }

  looksAt(expression: RegExp): boolean {
    expression.lastIndex = this.position;
    return expression.test(this.text);
  }

  /** Skips blanks and line continuations. */
  skipBlanks(): void {
    for (;;) {
      const character = this.peek();
      if (character === " " || character === "\t") this.position += 1;
      else if (character === "\\" && this.peek(1) === "\n") this.continueLine();
      else return;
    }
  }

  continueLine(): void {
    this.position += 2;
    this.line += 1;
  }

  /** `token`: the one that bash would name. */
  fail(message: string, token?: string): never {
    const { line } = this;
    const cause =
      token === undefined
        ? ({ kind: "other" } as const)
        : ({ kind: "token", token, text: this.#currentLine() } as const);
    throw new SyntaxFailure(`Syntax error: ${message}`, line, false, undefined, cause);
  }

  /** An error that bash has words of its own for. */
  failInWords(message: string, words: string): never {
    const cause = { kind: "words", message: words } as const;
    throw new SyntaxFailure(`Syntax error: ${message}`, this.line, false, undefined, cause);
  }

  /** The text ended inside something. */
  failAtEnd(message: string, end: TextEnd = {}): never {
    const text = `Syntax error: ${message}`;
    // bash reads the newline that it puts behind every text.
    if (end.newline === true && this.final) this.fail(message, "newline");
    // A text counts as lines, each with its newline; the end is behind the last.
    const last = this.line + (this.text.endsWith("\n") ? 0 : 1);
    const cause =
      end.quote === undefined
        ? ({ kind: "end", line: last } as const)
        : ({ kind: "unclosed", quote: end.quote, line: end.line ?? this.line } as const);
    throw new SyntaxFailure(text, this.line, !this.final, end.awaitedDelimiter, cause);
  }

  /** Runs `parse` with more to tell about a text that ends before this quote is closed. */
  quoting<T>(quote: string, parse: () => T): T {
    const { line } = this;
    try {
      return parse();
    } catch (error) {
      if (!(error instanceof SyntaxFailure) || error.cause.kind !== "end") throw error;
      const { message, incomplete, awaitedDelimiter } = error;
      const cause = { kind: "unclosed", quote, line } as const;
      throw new SyntaxFailure(message, error.line, incomplete, awaitedDelimiter, cause);
    }
  }

  /** The line in which the last token was read. */
  #currentLine(): string {
    const before = Math.max(0, this.position - 1);
    const from = this.text.lastIndexOf("\n", before === 0 ? 0 : before - 1) + 1;
    const to = this.text.indexOf("\n", Math.max(from, before));
    return this.text.slice(from, to < 0 ? undefined : to);
  }

  nested<T>(parse: () => T): T {
    if (this.nesting.depth >= limits.syntaxDepth) this.fail("nested too deeply");
    this.nesting.depth += 1;
    try {
      return parse();
    } finally {
      this.nesting.depth -= 1;
    }
  }
}

/** The `)` that closes the `(` at `from`: a flat look ahead, no parsing. */
export function matchingParenthesis(text: string, from: number): number | undefined {
  let depth = 0;
  for (let at = from; at < text.length && at < from + limits.lookAhead; at++) {
    switch (text[at]) {
      case "(":
        depth += 1;
        break;
      case ")":
        if (--depth === 0) return at;
        break;
      case "\\":
        at += 1;
        break;
      case "'":
      case '"': {
        const end = text.indexOf(text[at]!, at + 1);
        if (end < 0) return undefined;
        at = end;
        break;
      }
      default:
    }
  }
  return undefined;
}
