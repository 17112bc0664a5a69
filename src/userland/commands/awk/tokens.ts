/** Owns the place in a program's text: the token at hand, what may follow it, and how deep the grammar is nested. */
import { Lexer, type Token } from "./lexer.js";

/** So that no program exhausts the stack. */
const maxDepth = 400;

export class Tokens {
  readonly lexer: Lexer;
  token: Token;
  #depth = 0;

  constructor(text: string) {
    this.lexer = new Lexer(text);
    this.token = this.lexer.next();
  }

  fail(message?: string): Error {
    const near =
      this.token.kind === "end"
        ? "end of file"
        : this.token.kind === "newline"
          ? "end of line"
          : this.token.text;
    return this.lexer.fail(message ?? `syntax error at or near ${near}`, this.token.line);
  }

  advance(): Token {
    const token = this.token;
    this.token = this.lexer.next();
    return token;
  }

  is(text: string): boolean {
    return (
      (this.token.kind === "operator" || this.token.kind === "keyword") && this.token.text === text
    );
  }

  accept(text: string): boolean {
    if (!this.is(text)) return false;
    this.advance();
    return true;
  }

  expect(text: string): void {
    if (!this.accept(text)) throw this.fail();
  }

  skipNewlines(): void {
    while (this.token.kind === "newline") this.advance();
  }

  skipTerminators(): void {
    while (this.token.kind === "newline" || this.is(";")) this.advance();
  }

  /** One level deeper in the grammar, until `up`. */
  down(): void {
    if (++this.#depth > maxDepth) throw this.fail("program nested too deeply");
  }

  up(): void {
    this.#depth--;
  }
}
