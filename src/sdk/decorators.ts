/**
 * Owns the question whether a text of TypeScript has decorators: an `@` that is in no comment, string, template or regular
 * expression.
 *
 * Nothing depends on the answer being right but which compiler a text goes to: the engine's own refuses what it cannot take.
 * Invariant: time in proportion to the text.
 * Untrusted: the text.
 */

/** Words after which a slash begins a regular expression; after any other word it divides. */
const beforeOperand: ReadonlySet<string> = new Set(
  "await case delete do else in instanceof new of return throw typeof void yield".split(" "),
);
// None of these ever fails once it has begun, so that nothing is looked at twice.
const word = /[\p{ID_Continue}$]+/uy;
const strings = { '"': /"(?:[^"\\\n]+|\\[^]?)*"?/y, "'": /'(?:[^'\\\n]+|\\[^]?)*'?/y };
const lineOfComment = /\/\/[^\n]*/y;
/** Up to what closes a template, or opens an expression in it. */
const templatePart = /(?:[^\\`$]+|\\[^]?|\$(?!\{))*(?:`|\$\{|$)/y;

function endOf(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : at;
}

class Scanner {
  readonly #text: string;
  #at = 0;
  /** How many braces are open in each template expression that is. */
  readonly #templates: number[] = [];
  /** Whether a slash would divide what stands before it. */
  #divides = false;
  /** No regular expression that begins before ends on its line. */
  #noneBefore = 0;

  constructor(text: string) {
    this.#text = text;
  }

  findsDecorator(): boolean {
    while (this.#at < this.#text.length) {
      const char = this.#text[this.#at]!;
      if (char === "@") return true;
      if (char === "/") this.#slash();
      else if (char === '"' || char === "'")
        this.#operand(endOf(strings[char], this.#text, this.#at));
      else if (char === "`") this.#template();
      else if (char === "}" && this.#templates.at(-1) === 0) {
        this.#templates.pop();
        this.#template();
      } else this.#other(char);
    }
    return false;
  }

  #operand(end: number): void {
    this.#at = end;
    this.#divides = true;
  }

  #slash(): void {
    const next = this.#text[this.#at + 1];
    if (next === "/") this.#at = endOf(lineOfComment, this.#text, this.#at);
    else if (next === "*") {
      const end = this.#text.indexOf("*/", this.#at + 2);
      this.#at = end < 0 ? this.#text.length : end + 2;
    } else {
      const end = this.#divides || this.#at < this.#noneBefore ? -1 : this.#regularExpressionEnd();
      if (end >= 0) return this.#operand(end);
      this.#at++;
      this.#divides = false;
    }
  }

  /** Where the expression that begins here ends, or -1 where none does. */
  #regularExpressionEnd(): number {
    let inClass = false;
    let at = this.#at + 1;
    for (; at < this.#text.length && this.#text[at] !== "\n"; at++) {
      const char = this.#text[at];
      if (char === "\\") at++;
      else if (char === "[") inClass = true;
      else if (char === "]") inClass = false;
      else if (char === "/" && !inClass) return at + 1;
    }
    this.#noneBefore = at;
    return -1;
  }

  /** From a quote, or from what closes an expression in a template, on. */
  #template(): void {
    const from = this.#at + 1;
    const end = endOf(templatePart, this.#text, from);
    this.#operand(Math.max(end, from));
    if (end - 2 < from || !this.#text.endsWith("${", end)) return;
    this.#templates.push(0);
    this.#divides = false;
  }

  #other(char: string): void {
    const end = endOf(word, this.#text, this.#at);
    if (end > this.#at) this.#divides = !beforeOperand.has(this.#text.slice(this.#at, end));
    else if (char === ")" || char === "]") this.#divides = true;
    else if (!/\s/.test(char)) this.#divides = false;
    const inner = this.#templates.length - 1;
    if (inner >= 0 && char === "{") this.#templates[inner]!++;
    if (inner >= 0 && char === "}") this.#templates[inner]!--;
    this.#at = Math.max(end, this.#at + 1);
  }
}

export function hasDecorators(text: string): boolean {
  return text.includes("@") && new Scanner(text).findsDecorator();
}
