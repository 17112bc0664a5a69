/** Owns the place in a text of bc: the token at hand, what may follow it, and how deep the grammar is nested. */
import { SyntaxFailure } from "./failures.js";
import type { Token } from "./lexer.js";

/** So that no program exhausts the stack. */
const maxDepth = 500;

export class Tokens {
  at = 0;
  #depth = 0;

  constructor(readonly list: readonly Token[]) {}

  ends(): boolean {
    return this.is("\n") || this.is(";") || this.token.kind === "end";
  }

  get token(): Token {
    return this.list[this.at]!;
  }

  /** The one `by` places further on. */
  next(by = 1): Token | undefined {
    return this.list[this.at + by];
  }

  is(text: string): boolean {
    const token = this.token;
    return token.text === text && (token.kind === "operator" || token.kind === "newline");
  }

  isWord(text: string): boolean {
    return this.token.kind === "name" && this.token.text === text;
  }

  accept(text: string): boolean {
    if (!this.is(text)) return false;
    this.at++;
    return true;
  }

  expect(text: string): void {
    if (!this.accept(text)) throw new SyntaxFailure();
  }

  newlines(): void {
    while (this.is("\n")) this.at++;
  }

  name(): string {
    const token = this.token;
    if (token.kind !== "name") throw new SyntaxFailure();
    this.at++;
    return token.text;
  }

  /** One level deeper in the grammar, until `up`. */
  down(): void {
    if (++this.#depth > maxDepth) throw new SyntaxFailure();
  }

  up(): void {
    this.#depth--;
  }

  /** Behind the line that holds a mistake. */
  skipLine(): void {
    this.#depth = 0;
    while (!this.is("\n") && this.token.kind !== "end") this.at++;
  }
}
