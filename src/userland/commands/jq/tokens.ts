/** Owns the words of a jq filter: the token at hand, and strings with the filters inside them. */
import { CommandFailure } from "../../command.js";
import type { Filter } from "./filter.js";

const tokenPattern =
  /\s+|#[^\n]*|\?\/\/=?|\|=|\/\/=|[-+*/%]=|==|!=|<=|>=|\.\.|\/\/|[-+*/%<>=|,.;:()[\]{}?$]|@[A-Za-z0-9]+|[A-Za-z_]\w*(?:::\w+)*|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?/y;

export interface Token {
  text: string;
  kind: "word" | "number" | "operator" | "string" | "format" | "end";
  parts?: (string | Filter)[];
  spaced: boolean;
}

export function fail(message: string): CommandFailure {
  return new CommandFailure(`error: ${message}\njq: 1 compile error`, 3);
}

export class Tokens {
  /** Nothing, until the first is read by `advance`. */
  token: Token = { text: "", kind: "end", spaced: false };
  #at = 0;
  readonly #interpolated: () => Filter;

  /** `interpolated` reads a filter from these tokens: what a string has in `\( )`. */
  constructor(
    private readonly text: string,
    interpolated: () => Filter,
  ) {
    this.#interpolated = interpolated;
  }

  end(): void {
    if (this.token.kind !== "end") throw this.unexpected();
  }

  unexpected(): CommandFailure {
    const what = this.token.kind === "end" ? "end of file" : this.token.text;
    return fail(`syntax error, unexpected ${what} at <top-level>, line 1:\n${this.text}`);
  }

  #read(): Token {
    let spaced = false;
    for (;;) {
      if (this.#at >= this.text.length) return { text: "", kind: "end", spaced };
      if (this.text[this.#at] === '"') {
        this.#at++;
        return { text: '"', kind: "string", parts: this.#stringParts(), spaced };
      }
      tokenPattern.lastIndex = this.#at;
      const text = tokenPattern.exec(this.text)?.[0];
      if (text === undefined)
        throw fail(
          `syntax error, unexpected INVALID_CHARACTER at <top-level>, line 1:\n${this.text}`,
        );
      this.#at += text.length;
      if (/^[\s#]/.test(text)) {
        spaced = true;
        continue;
      }
      const kind =
        text[0] === "@"
          ? "format"
          : /^[A-Za-z_]/.test(text)
            ? "word"
            : /^\.?\d/.test(text)
              ? "number"
              : "operator";
      return { text, kind, spaced };
    }
  }

  #stringParts(): (string | Filter)[] {
    const parts: (string | Filter)[] = [];
    let text = "";
    for (;;) {
      const char = this.text[this.#at++];
      if (char === undefined) throw fail("syntax error, unterminated string literal");
      if (char === '"') break;
      if (char !== "\\") {
        text += char;
        continue;
      }
      const next = this.text[this.#at++];
      if (next === "(") {
        parts.push(text);
        text = "";
        const saved = this.token;
        this.token = this.#read();
        parts.push(this.#interpolated());
        // The closing parenthesis is the token at hand: the string goes on right behind it.
        if (this.token.text !== ")" || this.token.kind !== "operator") throw this.unexpected();
        this.token = saved;
      } else if (next === "u") {
        text += String.fromCharCode(parseInt(this.text.slice(this.#at, this.#at + 4), 16));
        this.#at += 4;
      } else {
        const simple = {
          n: "\n",
          t: "\t",
          r: "\r",
          b: "\b",
          f: "\f",
          "/": "/",
          "\\": "\\",
          '"': '"',
        }[next ?? ""];
        if (simple === undefined) throw fail("syntax error, invalid escape in string literal");
        text += simple;
      }
    }
    parts.push(text);
    return parts;
  }

  is(text: string): boolean {
    return this.token.text === text && this.token.kind !== "string";
  }

  advance(): Token {
    const token = this.token;
    this.token = this.#read();
    return token;
  }

  accept(text: string): boolean {
    if (!this.is(text)) return false;
    this.advance();
    return true;
  }

  expect(text: string): void {
    if (!this.is(text)) throw this.unexpected();
    this.advance();
  }

  word(): string {
    if (this.token.kind !== "word") throw this.unexpected();
    return this.advance().text;
  }
}
