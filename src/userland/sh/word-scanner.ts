/**
 * Owns the syntax of words: quotes, `$` expansions, backquotes. The grammar of
 * commands inside substitutions belongs to parser.ts, which is handed in.
 */
import type { Assignment, Command, ParameterPart, Word } from "./ast.js";
import { literalText } from "./ast.js";
import { ansiCEscape } from "./escapes.js";
import { scanParameter } from "./parameter-scanner.js";
import type { Scanner } from "./scanner.js";
import { WordBuilder, matchingParenthesis } from "./scanner.js";
import { limits } from "./limits.js";
import { textOfBytes } from "./text.js";

const wordEnd = new Set([" ", "\t", "\n", ";", "&", "|", "<", ">", "(", ")", ""]);
const ordinary = /[^\s\\'"$`;&|<>()[\]{}/:~=^,#%]+/y;
const ordinaryQuoted = /[^\\$`"{}/:;()[\]\n]+/y;
const name = /[A-Za-z_]\w*/y;
const assignmentStart = /[A-Za-z_]\w*(?:\+?=|\[)/y;
const tildePrefix = /~([A-Za-z_][\w.-]*|[-+]?\d+|[-+])?(?=[/:\s;&|<>()}]|$)/y;

/** Parses what lies inside a substitution. */
export interface CommandSyntax {
  /** From behind `$(` to behind the `)`. */
  parenthesized(words: WordScanner): Command;
  /** A text of its own: the inside of backquotes. */
  text(text: string, line: number, words: WordScanner): Command;
  /** From behind `name=(` to behind the `)`. */
  arrayElements(words: WordScanner): Assignment["value"];
}

/** Where a run of parts ends. A function decides about unquoted characters. */
export type Stop = (character: string) => boolean;

export class WordScanner {
  constructor(
    readonly scanner: Scanner,
    readonly commands: CommandSyntax,
    readonly bash: boolean,
    /** Whether `@(…)` and its like are patterns just now. */
    readonly extglob: () => boolean,
  ) {}

  /** A word as the grammar's tokens have it. The scanner stands on its first character. */
  word(): Word {
    const builder = new WordBuilder();
    this.#tilde(builder);
    this.unquoted(builder, (character) => wordEnd.has(character));
    return builder.word();
  }

  /** A word with `name=`, `name+=` or `name[index]=` in front, or `undefined` and no move. */
  assignment(): Word | undefined {
    const { scanner } = this;
    if (!scanner.looksAt(assignmentStart)) return undefined;
    const { position } = scanner;
    const variable = scanner.match(name)!;
    let index: Word | undefined;
    if (scanner.peek() === "[") {
      if (!this.atSubscript()) {
        scanner.position = position;
        return undefined;
      }
      scanner.position += 1;
      index = this.closedBy("]", false);
    }
    const append = scanner.peek() === "+";
    scanner.position += append ? 2 : 1;
    const from = scanner.position;
    const parsed = this.assignmentValue();
    const source = scanner.text.slice(from, scanner.position);
    const value = "parts" in parsed ? { ...parsed, source } : parsed;
    const assignment = { name: variable, append, value };
    return { parts: [], assignment: index === undefined ? assignment : { ...assignment, index } };
  }

  assignmentValue(): Assignment["value"] {
    const { scanner } = this;
    if (scanner.peek() === "(") {
      scanner.position += 1;
      return scanner.quoting(")", () => scanner.nested(() => this.commands.arrayElements(this)));
    }
    const builder = new WordBuilder();
    this.#tilde(builder);
    this.unquoted(builder, (character) => wordEnd.has(character), true);
    return builder.word();
  }

  /** Parts up to an unquoted one of `stops`, where the scanner is left. */
  until(stops: string, quoted: boolean): Word {
    const { scanner } = this;
    const stop: Stop = (character) => stops.includes(character);
    return scanner.nested(() => {
      const builder = new WordBuilder();
      if (quoted) this.#quotedRun(builder, stop, true);
      else {
        this.#tilde(builder);
        this.unquoted(builder, stop);
      }
      if (scanner.peek() === "") scanner.failAtEnd(`Missing '${stops[0]}'`, { quote: stops[0]! });
      return builder.word();
    });
  }

  /** Parts up to and including an unquoted `end`. */
  closedBy(end: string, quoted: boolean): Word {
    const word = this.until(end, quoted);
    this.scanner.position += 1;
    return word;
  }

  /** Unquoted parts up to a character that `stop` names, or the end. */
  unquoted(builder: WordBuilder, stop: Stop, assignment = false): void {
    const { scanner } = this;
    for (;;) {
      const run = scanner.match(ordinary);
      if (run !== undefined) builder.text(run, false);
      const character = scanner.peek();
      if (character === "") return;
      if (character === "(" && run !== undefined && /[?*+@!]$/.test(run) && this.extglob()) {
        this.#alternatives(builder);
        continue;
      }
      if (this.bash && (character === "<" || character === ">") && scanner.peek(1) === "(") {
        this.#process(builder, character);
        continue;
      }
      if (stop(character)) return;
      switch (character) {
        case "\\":
          if (scanner.peek(1) === "\n") scanner.continueLine();
          else if (scanner.peek(1) === "") {
            builder.text("\\", true);
            scanner.position += 1;
          } else {
            builder.text(this.#character(scanner.position + 1), true);
            scanner.position += 1 + this.#character(scanner.position + 1).length;
          }
          break;
        case "'":
          builder.text(this.singleQuoted(), true);
          break;
        case '"':
          this.doubleQuoted(builder);
          break;
        case "$":
          this.dollar(builder, false);
          break;
        case "`":
          this.#backquoted(builder, false);
          break;
        case "\n":
          scanner.line += 1;
          builder.text("\n", false);
          scanner.position += 1;
          break;
        default:
          builder.text(character, false);
          scanner.position += 1;
          if (assignment && character === ":") this.#tilde(builder);
      }
    }
  }

  singleQuoted(): string {
    const { scanner } = this;
    const end = scanner.text.indexOf("'", scanner.position + 1);
    if (end < 0) scanner.failAtEnd("Unterminated quoted string", { quote: "'" });
    const text = scanner.text.slice(scanner.position + 1, end);
    scanner.line += countLines(text);
    scanner.position = end + 1;
    return text;
  }

  doubleQuoted(builder: WordBuilder): void {
    const { scanner } = this;
    scanner.position += 1;
    const before = scanner.position;
    const { line } = scanner;
    scanner.nested(() => this.#quotedRun(builder, (character) => character === '"', false));
    if (scanner.peek() === "") {
      scanner.failAtEnd("Unterminated quoted string", { quote: '"', line });
    }
    // "" is a word although it holds nothing; "$@" with no parameters is none.
    if (scanner.position === before) builder.text("", true);
    scanner.position += 1;
  }

  /** All that is left, as in double quotes where `"` is ordinary: a here-document. */
  hereDocument(): Word {
    const builder = new WordBuilder();
    this.#quotedRun(builder, () => false, false, '"');
    return builder.word();
  }

  /** From behind `((` to behind the `))`. */
  arithmetic(): Word {
    const { scanner } = this;
    let parentheses = 0;
    const builder = new WordBuilder();
    scanner.nested(() => {
      for (;;) {
        this.#quotedRun(builder, (character) => '()"'.includes(character), false);
        const character = scanner.peek();
        if (character === "") scanner.failAtEnd("Missing '))'", { quote: ")" });
        scanner.position += 1;
        if (character === '"') continue;
        if (character === "(") parentheses += 1;
        else if (parentheses > 0) parentheses -= 1;
        else {
          if (scanner.peek() !== ")") scanner.fail("Missing '))'", ")");
          scanner.position += 1;
          return;
        }
        builder.text(character, true);
      }
    });
    return builder.word();
  }

  /** The parts of quoted text. In braces (`"${x-…}"`) a `"` switches quoting off and on again. */
  #quotedRun(builder: WordBuilder, stop: Stop, inBraces: boolean, ordinaryQuote = ""): void {
    const { scanner } = this;
    for (;;) {
      const run = scanner.match(ordinaryQuoted);
      if (run !== undefined) builder.text(run, true);
      const character = scanner.peek();
      if (character === "" || stop(character)) return;
      if (character === "\\") {
        const next = scanner.peek(1);
        if (next === "\n") {
          scanner.continueLine();
          continue;
        }
        const special = '$`"\\'.includes(next) || (inBraces && next === "}");
        const escapes = next !== "" && next !== ordinaryQuote && special;
        builder.text(escapes ? next : "\\", true);
        scanner.position += escapes ? 2 : 1;
      } else if (character === "$") this.dollar(builder, true);
      else if (character === "`") this.#backquoted(builder, true);
      else if (character === '"' && inBraces) scanner.position += 1;
      else {
        if (character === "\n") scanner.line += 1;
        builder.text(character, true);
        scanner.position += 1;
      }
    }
  }

  dollar(builder: WordBuilder, quoted: boolean): void {
    const { scanner } = this;
    scanner.position += 1;
    while (scanner.startsWith("\\\n")) scanner.continueLine();
    const character = scanner.peek();
    if (character === "(") {
      const expression = scanner.peek(1) === "(" ? this.#arithmeticOrNot() : undefined;
      if (expression !== undefined) builder.part({ kind: "arithmetic", expression, quoted });
      else {
        scanner.position += 1;
        const body = scanner.quoting(")", () =>
          scanner.nested(() => this.commands.parenthesized(this)),
        );
        builder.part({ kind: "command", body, quoted });
      }
      return;
    }
    if (character === "{") {
      builder.part(scanner.nested(() => scanParameter(this, quoted)));
      return;
    }
    if (character === "'" && !quoted) {
      builder.text(this.#ansiC(), true);
      return;
    }
    if (character === '"' && !quoted && this.bash) return;
    const parameter = scanner.match(/[A-Za-z_]\w*|[0-9@*#?$!-]/y);
    if (parameter === undefined) builder.text("$", quoted);
    else builder.part({ kind: "parameter", name: parameter, quoted } satisfies ParameterPart);
  }

  /** `$((…))`; `undefined` and no move where it is a subshell inside `$(…)` after all. */
  #arithmeticOrNot(): Word | undefined {
    const { scanner } = this;
    if (this.bash) {
      const end = matchingParenthesis(scanner.text, scanner.position + 1);
      if (end !== undefined && scanner.text[end + 1] !== ")") return undefined;
    }
    scanner.position += 2;
    return this.arithmetic();
  }

  /** The inside of `@(…)` and its like, up to behind the `)`: a piece of a pattern. */
  #alternatives(builder: WordBuilder): void {
    const { scanner } = this;
    builder.text("(", false);
    scanner.position += 1;
    scanner.nested(() => this.unquoted(builder, (character) => character === ")"));
    if (scanner.peek() === "") scanner.failAtEnd("Missing ')'", { quote: ")" });
    scanner.position += 1;
    builder.text(")", false);
  }

  #process(builder: WordBuilder, direction: "<" | ">"): void {
    const { scanner } = this;
    scanner.position += 2;
    const body = scanner.quoting(")", () =>
      scanner.nested(() => this.commands.parenthesized(this)),
    );
    builder.part({ kind: "process", direction, body });
  }

  #backquoted(builder: WordBuilder, quoted: boolean): void {
    const { scanner } = this;
    const line = scanner.line;
    let text = "";
    for (scanner.position += 1; ; scanner.position += 1) {
      const character = scanner.peek();
      if (character === "")
        scanner.failAtEnd("EOF in backquote substitution", { quote: "`", line });
      if (character === "`") break;
      if (character === "\n") scanner.line += 1;
      const next = scanner.peek(1);
      const escape =
        character === "\\" && next !== "" && (quoted ? '$`\\"' : "$`\\").includes(next);
      text += escape ? next : character;
      if (escape) scanner.position += 1;
    }
    scanner.position += 1;
    const body = scanner.nested(() => this.commands.text(text, line, this));
    builder.part({ kind: "command", body, quoted });
  }

  /** `$'…'` from its `'`. */
  #ansiC(): string {
    const { scanner } = this;
    let text = "";
    let bytes: number[] = [];
    for (scanner.position += 1; ;) {
      const character = scanner.peek();
      if (character === "") scanner.failAtEnd("Unterminated quoted string", { quote: "'" });
      if (character === "\n") scanner.line += 1;
      const escape =
        character === "\\" ? ansiCEscape(scanner.text, scanner.position + 1) : undefined;
      if (escape !== undefined && typeof escape.value === "number") bytes.push(escape.value);
      else {
        text += textOfBytes(bytes);
        bytes = [];
        if (character === "'") break;
        text += escape === undefined ? character : escape.value;
      }
      scanner.position = escape === undefined ? scanner.position + 1 : escape.end;
    }
    scanner.position += 1;
    return text;
  }

  #tilde(builder: WordBuilder): void {
    if (this.scanner.peek() !== "~") return;
    const prefix = this.scanner.match(tildePrefix);
    if (prefix !== undefined) builder.part({ kind: "tilde", user: prefix.slice(1) });
  }

  /** Looks ahead from `[`: is there a `]=` or `]+=` behind what it opens? */
  atSubscript(): boolean {
    const { text } = this.scanner;
    let depth = 0;
    const from = this.scanner.position;
    for (let at = from; at < text.length && at < from + limits.lookAhead; at++) {
      const character = text[at]!;
      if (character === "\n") return false;
      if (character === "'" || character === '"') {
        const end = text.indexOf(character, at + 1);
        if (end < 0) return false;
        at = end;
      } else if (character === "\\") at += 1;
      else if (character === "[") depth += 1;
      else if (character === "]" && --depth === 0) return /^\+?=/.test(text.slice(at + 1, at + 3));
    }
    return false;
  }

  /** One whole character, also outside the basic plane. */
  #character(at: number): string {
    return String.fromCodePoint(this.scanner.text.codePointAt(at)!);
  }
}

export function countLines(text: string): number {
  let lines = 0;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) lines += 1;
  return lines;
}

/** The delimiter of a here-document: quotes removed, and whether there were any. */
export function delimiterOf(word: Word, raw: string): { delimiter: string; quoted: boolean } {
  const quoted = word.parts.some((part) => part.kind === "text" && part.quoted);
  return { delimiter: literalText(word) ?? raw, quoted };
}
