/**
 * Owns the tokens of the grammar: operators, words, newlines with the
 * here-documents that follow them, and alias substitution.
 */
import type { Redirection, Word } from "./ast.js";
import type { Scanner } from "./scanner.js";
import { Scanner as TextScanner } from "./scanner.js";
import type { CommandSyntax } from "./word-scanner.js";
import { delimiterOf, WordScanner } from "./word-scanner.js";

export type Token =
  | {
      readonly kind: "word";
      readonly word: Word;
      readonly plain: string | undefined;
      readonly line: number;
    }
  | { readonly kind: "operator"; readonly text: string; readonly line: number }
  | { readonly kind: "number"; readonly fd: number; readonly line: number }
  /** `{name}` in front of a redirection. */
  | { readonly kind: "descriptor"; readonly name: string; readonly line: number }
  | { readonly kind: "newline"; readonly line: number }
  | { readonly kind: "end"; readonly line: number };

const operator = /&&|&>>?|&|\|\||\|&|\||;;&|;;|;&|;|<<<|<<-?|<&|<>|<|>>|>&|>\||>|[()]/y;
const descriptorNumber = /\d{1,9}(?=[<>])/y;
const bashDescriptorNumber = /\d{1,9}(?=[<>](?!\())/y;
const descriptorVariable = /\{[A-Za-z_]\w*(?:\[[^\]\n]*\])?\}(?=[<>](?!\())/y;
const processSubstitution = /[<>]\(/y;
const comment = /#[^\n]*/y;

export const redirectionOperators: ReadonlySet<string> = new Set(
  "< > >> >| <> <& >& << <<- <<< &> &>>".split(" "),
);

interface PendingDocument {
  readonly delimiter: string;
  readonly stripTabs: boolean;
  readonly quoted: boolean;
  /** Filled in when the body has been read. */
  readonly redirection: { -readonly [K in keyof Redirection]: Redirection[K] };
}

interface ActiveAlias {
  readonly name: string;
  /** The alias's text ends where this much of the text is left. */
  readonly textLeft: number;
  readonly endsInBlank: boolean;
}

export class Lexer {
  readonly words: WordScanner;
  #pending: PendingDocument[] = [];
  #aliases: ActiveAlias[] = [];
  /** What bash remarks without failing. */
  readonly warnings: { readonly line: number; readonly text: string }[] = [];
  /** Where the last token began. */
  tokenStart = 0;

  constructor(
    readonly scanner: Scanner,
    commands: CommandSyntax,
    readonly bash: boolean,
    extglob: () => boolean,
  ) {
    this.words = new WordScanner(scanner, commands, bash, extglob);
  }

  /** `assignable`: `name=` here is an assignment. */
  next(assignable: boolean): Token {
    const { scanner } = this;
    scanner.skipBlanks();
    scanner.match(comment);
    const { line } = scanner;
    this.tokenStart = scanner.position;
    const character = scanner.peek();
    if (character === "") return { kind: "end", line };
    if (character === "\n") {
      scanner.position += 1;
      scanner.line += 1;
      this.#readDocuments();
      return { kind: "newline", line };
    }
    if (!this.bash || !scanner.looksAt(processSubstitution)) {
      const symbol = scanner.match(operator);
      if (symbol !== undefined) return { kind: "operator", text: this.#longer(symbol), line };
    }
    const number = scanner.match(this.bash ? bashDescriptorNumber : descriptorNumber);
    if (number !== undefined) return { kind: "number", fd: Number(number), line };
    if (this.bash && character === "{") {
      const name = scanner.match(descriptorVariable);
      if (name !== undefined) return { kind: "descriptor", name: name.slice(1, -1), line };
    }
    const from = scanner.position;
    const assigned = assignable ? this.words.assignment() : undefined;
    const word = assigned ?? this.words.word();
    const source = scanner.text.slice(from, scanner.position);
    const plain = assigned === undefined ? plainText(word) : undefined;
    return { kind: "word", word: { ...word, source }, plain, line };
  }

  /** Replaces the word just read by its alias's text, unless that alias is being replaced already. */
  substituteAlias(name: string, text: string): boolean {
    const { scanner } = this;
    const rest = scanner.text.slice(scanner.position);
    this.#aliases = this.#aliases.filter(
      (alias) => alias.textLeft < scanner.text.length - this.tokenStart,
    );
    if (this.#aliases.some((alias) => alias.name === name)) return false;
    this.#aliases.push({ name, textLeft: rest.length, endsInBlank: /[ \t]$/.test(text) });
    // The blank keeps the alias's last word and the text behind it apart, as a token boundary does.
    scanner.text = text + rest;
    scanner.position = 0;
    return true;
  }

  /** True right behind the text of an alias that ended in a blank: the next word is an alias too. */
  get behindBlankAlias(): boolean {
    const left = this.scanner.text.length - this.tokenStart;
    return this.#aliases.some((alias) => alias.endsInBlank && alias.textLeft >= left);
  }

  forgetBlankAliases(): void {
    this.#aliases = this.#aliases.filter((alias) => !alias.endsInBlank);
  }

  /** Reads the delimiter behind `<<`; the body follows with the next newline. */
  hereDocument(fd: number | undefined, stripTabs: boolean): Redirection {
    const { scanner } = this;
    scanner.skipBlanks();
    const start = scanner.position;
    if (scanner.peek() === "#") scanner.fail("redirection unexpected", "newline");
    const word = this.words.word();
    if (scanner.position === start) scanner.fail("redirection unexpected", "newline");
    const raw = scanner.text.slice(start, scanner.position);
    const redirection = {
      operator: "<<" as const,
      target: word,
      delimiter: { source: raw, stripTabs },
      ...(fd !== undefined && { fd }),
    };
    this.#pending.push({ ...delimiterOf(word, raw), stripTabs, redirection });
    return redirection;
  }

  /** The documents wanted so far belong to the text outside; what `parse` meets is its own. */
  isolated<T>(parse: () => T): T {
    const outside = this.#pending;
    this.#pending = [];
    const result = parse();
    this.#pending = [...outside, ...this.#pending];
    return result;
  }

  /** A document that the text's end cut off ends there. */
  finish(): void {
    if (this.#pending.length > 0) this.#readDocuments();
  }

  #longer(symbol: string): string {
    const { scanner } = this;
    // A continuation may split `&&`, `||` and `;;`, if nobody ever writes that.
    if (scanner.startsWith("\\\n") && "&|;".includes(symbol) && scanner.peek(2) === symbol) {
      scanner.continueLine();
      scanner.position += 1;
      return symbol + symbol;
    }
    return symbol;
  }

  #readDocuments(): void {
    const { scanner } = this;
    const pending = this.#pending;
    this.#pending = [];
    for (const { delimiter, stripTabs, quoted, redirection } of pending) {
      const firstLine = scanner.line;
      const lines: string[] = [];
      for (;;) {
        if (scanner.position >= scanner.text.length) {
          if (!scanner.final) {
            scanner.failAtEnd("here-document unterminated", { awaitedDelimiter: delimiter });
          }
          this.warnings.push({
            line: Math.max(scanner.line - 1, firstLine - 1),
            text: `here-document at line ${firstLine - 1} delimited by end-of-file (wanted \`${delimiter}')`,
          });
          break;
        }
        const newline = scanner.text.indexOf("\n", scanner.position);
        const end = newline < 0 ? scanner.text.length : newline;
        const raw = scanner.text.slice(scanner.position, end);
        const line = stripTabs ? raw.replace(/^\t+/, "") : raw;
        scanner.position = newline < 0 ? end : end + 1;
        scanner.line += 1;
        if (line === delimiter) break;
        lines.push(newline < 0 ? line : line + "\n");
      }
      const body = lines.join("");
      const target: Word = quoted
        ? { parts: [{ kind: "text", text: body, quoted: true }] }
        : this.#expandable(body, firstLine);
      redirection.target = { ...target, source: body };
    }
  }

  #expandable(body: string, line: number): Word {
    if (!/[\\$`]/.test(body)) return { parts: [{ kind: "text", text: body, quoted: true }] };
    const scanner = new TextScanner(body, line, true, this.scanner.nesting);
    const { commands, extglob } = this.words;
    return new WordScanner(scanner, commands, this.bash, extglob).hereDocument();
  }
}

function plainText(word: Word): string | undefined {
  const [part] = word.parts;
  if (word.parts.length !== 1 || part?.kind !== "text" || part.quoted) return undefined;
  return part.text;
}
