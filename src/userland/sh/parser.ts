/**
 * Owns the grammar of commands: POSIX XCU 2.10 with the extensions that bash
 * scripts lean on. One `Parser` reads one text, one complete command at a time,
 * so that an alias or an error takes effect where a shell would notice it.
 */
import type { ArrayElement, Assignment, Command, Redirection, SimpleCommand, Word } from "./ast.js";
import { CompoundParser } from "./compound-parser.js";
import type { Token } from "./lexer.js";
import { Lexer, redirectionOperators } from "./lexer.js";
import { Nesting, Scanner } from "./scanner.js";
import { describe, reserved, tokenText } from "./token-names.js";
import type { CommandSyntax, WordScanner } from "./word-scanner.js";

export interface ParserOptions {
  readonly bash: boolean;
  readonly aliases: ReadonlyMap<string, string>;
  /** The live set of `shopt` options: `extglob` counts from the next command on. */
  readonly shellOptions?: ReadonlySet<string>;
  /** False while the text may go on: an unfinished command is then `incomplete`, not wrong. */
  readonly final: boolean;
  readonly line: number;
}

/** Builtins whose arguments may be assignments, so that `export x=$y` does not split. */
const declarations = new Set("export readonly local declare typeset".split(" "));
const commandPrefixes = new Set(["command", "builtin"]);

/** Never the first word of a command. */
const closing = new Set("} do done elif else esac fi then".split(" "));

export class Parser implements CommandSyntax {
  readonly lexer: Lexer;
  readonly #compound: CompoundParser;
  #token: Token | undefined;
  /** Inside `[[ … ]]`, where `@(…)` is always a pattern. */
  inCondition = false;

  constructor(
    text: string,
    readonly options: ParserOptions,
    outer?: Scanner | WordScanner,
  ) {
    const scanner =
      outer instanceof Scanner
        ? outer
        : new Scanner(text, options.line, options.final, outer?.scanner.nesting ?? new Nesting());
    const { bash, shellOptions } = options;
    const extglob = (): boolean =>
      bash && (this.inCondition || shellOptions?.has("extglob") === true);
    this.lexer = new Lexer(scanner, this, bash, extglob);
    this.#compound = new CompoundParser(this);
  }

  get scanner(): Scanner {
    return this.lexer.scanner;
  }

  // --- what callers ask for ----------------------------------------------------------------------

  /** The next complete command, or `undefined` at the end of the text. */
  nextCommand(): Command | undefined {
    this.skipNewlines();
    if (this.peek().kind === "end") return undefined;
    const command = this.#list(false);
    const token = this.peek();
    if (token.kind === "newline") this.take();
    else if (token.kind !== "end") this.unexpected();
    this.lexer.finish();
    return command;
  }

  /** All that is left. */
  program(): Command {
    const commands: Command[] = [];
    for (let next = this.nextCommand(); next !== undefined; next = this.nextCommand()) {
      commands.push(next);
    }
    return commands.length === 1 ? commands[0]! : { kind: "list", commands };
  }

  // --- CommandSyntax: the inside of words --------------------------------------------------------

  parenthesized(words: WordScanner): Command {
    const inner = new Parser("", this.options, words.scanner);
    const body = inner.compoundList(true);
    inner.expectOperator(")");
    return body;
  }

  text(text: string, line: number, words: WordScanner): Command {
    return new Parser(text, { ...this.options, final: true, line }, words).program();
  }

  arrayElements(words: WordScanner): readonly ArrayElement[] {
    const { scanner } = words;
    const elements: ArrayElement[] = [];
    for (;;) {
      scanner.skipBlanks();
      if (scanner.match(/#[^\n]*/y) !== undefined) continue;
      const character = scanner.peek();
      if (character === "") scanner.failAtEnd("Missing ')'");
      if (character === "\n") {
        scanner.line += 1;
        scanner.position += 1;
      } else if (character === ")") {
        scanner.position += 1;
        return elements;
      } else if (character === "[" && words.atSubscript()) {
        scanner.position += 1;
        const index = words.closedBy("]", false);
        const append = scanner.peek() === "+";
        scanner.position += append ? 2 : 1;
        const value = words.assignmentValue();
        if (!("parts" in value)) return scanner.fail(`"(" unexpected`, "(");
        elements.push({ index, value, ...(append && { append }) });
      } else {
        const start = scanner.position;
        const word = words.word();
        elements.push({ value: { ...word, source: scanner.text.slice(start, scanner.position) } });
        if (scanner.position === start) scanner.fail(`"${character}" unexpected`, character);
      }
    }
  }

  // --- tokens ------------------------------------------------------------------------------------

  peek(assignable = true): Token {
    return (this.#token ??= this.lexer.next(assignable));
  }

  take(): Token {
    const token = this.peek();
    this.#token = undefined;
    return token;
  }

  isOperator(text: string): boolean {
    const token = this.peek();
    return token.kind === "operator" && token.text === text;
  }

  isWord(text: string): boolean {
    const token = this.peek();
    return token.kind === "word" && token.plain === text;
  }

  expectOperator(text: string): void {
    if (!this.isOperator(text)) this.unexpected(text);
    this.take();
  }

  expectWord(text: string): void {
    if (!this.isWord(text)) this.unexpected(text);
    this.take();
  }

  skipNewlines(): void {
    while (this.peek().kind === "newline") this.take();
  }

  /** `newline`: where a newline is as wrong as the end of the text. */
  unexpected(expected?: string, newline = false): never {
    const token = this.peek();
    const what = describe(token);
    const message = `${what} unexpected${expected === undefined ? "" : ` (expecting "${expected}")`}`;
    if (token.kind === "end") return this.scanner.failAtEnd(message, { newline });
    return this.scanner.fail(message, tokenText(token));
  }

  // --- lists -------------------------------------------------------------------------------------

  /** Commands up to a word or operator that cannot start one, over any number of lines. */
  compoundList(mayBeEmpty = false): Command {
    return this.scanner.nested(() => {
      this.skipNewlines();
      if (mayBeEmpty && (this.isOperator(")") || this.#atCaseEnd())) {
        return { kind: "list", commands: [] };
      }
      return this.#list(true);
    });
  }

  #list(overLines: boolean): Command {
    const commands: Command[] = [];
    for (;;) {
      this.peek();
      const start = this.lexer.tokenStart;
      const command = this.#andOr();
      const token = this.peek();
      const separator = token.kind === "operator" ? token.text : token.kind;
      if (separator === "&") {
        const text = this.scanner.text.slice(start, this.lexer.tokenStart).trim();
        commands.push({ kind: "background", command, text });
      } else commands.push(command);
      if (separator === "&" || separator === ";") this.take();
      else if (separator !== "newline" || !overLines) break;
      if (overLines) this.skipNewlines();
      if (!this.#atCommand(overLines)) break;
    }
    return commands.length === 1 ? commands[0]! : { kind: "list", commands };
  }

  /** Whether a command follows here, rather than the end of a list. */
  #atCommand(overLines: boolean): boolean {
    const token = this.peek();
    if (token.kind === "end" || token.kind === "newline") return false;
    if (token.kind === "operator")
      return token.text === "(" || redirectionOperators.has(token.text);
    if (token.kind === "word" && token.plain !== undefined) {
      return !(overLines && closing.has(token.plain));
    }
    return true;
  }

  #atCaseEnd(): boolean {
    return (
      this.isOperator(";;") ||
      this.isOperator(";&") ||
      this.isOperator(";;&") ||
      this.isWord("esac")
    );
  }

  #andOr(): Command {
    const first = this.#pipeline();
    const rest: { operator: "&&" | "||"; command: Command }[] = [];
    while (this.isOperator("&&") || this.isOperator("||")) {
      const operator = this.isOperator("&&") ? "&&" : "||";
      this.take();
      this.skipNewlines();
      rest.push({ operator, command: this.#pipeline() });
    }
    return rest.length === 0 ? first : { kind: "and-or", first, rest };
  }

  #pipeline(): Command {
    let negated = false;
    while (this.isWord("!")) {
      this.take();
      negated = !negated;
    }
    const timed = this.options.bash && this.isWord("time");
    let posix = false;
    if (timed) {
      this.take();
      if (this.isWord("-p")) {
        posix = true;
        this.take();
        if (this.isWord("--")) this.take();
      }
      while (this.isWord("!")) {
        this.take();
        negated = !negated;
      }
      if (this.#atEndOfPipeline()) return { kind: "time", command: nothing, posix };
    } else if (negated && this.options.bash && this.#atEndOfPipeline()) {
      return { kind: "not", command: nothing };
    }
    const commands = [this.#command()];
    while (this.isOperator("|") || this.isOperator("|&")) {
      const both = this.isOperator("|&");
      this.take();
      if (both) commands.push(withErrors(commands.pop()!, this.scanner.line));
      this.skipNewlines();
      commands.push(this.#command());
    }
    let command =
      commands.length === 1 ? commands[0]! : ({ kind: "pipeline", commands } as Command);
    if (timed) command = { kind: "time", command, posix };
    return negated ? { kind: "not", command } : command;
  }

  #atEndOfPipeline(): boolean {
    const token = this.peek();
    if (token.kind === "end" || token.kind === "newline") return true;
    return token.kind === "operator" && [";", "&", ")", "&&", "||"].includes(token.text);
  }

  // --- one command -------------------------------------------------------------------------------

  #command(): Command {
    this.#substituteAliases();
    const { line } = this.peek();
    const compound = this.#compound.parse();
    if (compound === undefined) return this.#simple();
    const redirections: Redirection[] = [];
    for (let next = this.#redirection(); next !== undefined; next = this.#redirection()) {
      redirections.push(next);
    }
    if (redirections.length === 0) return compound;
    return { kind: "redirected", command: compound, redirections, line };
  }

  /** What has been written from `start` up to the token that comes next. */
  sourceFrom(start: number): string {
    this.peek();
    return this.scanner.text.slice(start, this.lexer.tokenStart).trim();
  }

  /** The body of a function: any command. */
  functionBody(): Command {
    this.skipNewlines();
    return this.scanner.nested(() => this.#command());
  }

  #substituteAliases(): void {
    if (this.options.aliases.size === 0) return;
    for (;;) {
      const token = this.peek();
      if (token.kind !== "word" || token.plain === undefined || reserved.has(token.plain)) return;
      const text = this.options.aliases.get(token.plain);
      if (text === undefined || !this.lexer.substituteAlias(token.plain, text)) return;
      this.#token = undefined;
    }
  }

  #simple(): Command {
    const assignments: Assignment[] = [];
    const words: Word[] = [];
    const redirections: Redirection[] = [];
    const { line } = this.peek();
    let declares = false;
    for (;;) {
      const redirection = this.#redirection(words.length === 0 || declares);
      if (redirection !== undefined) {
        redirections.push(redirection);
        continue;
      }
      const token = this.peek(words.length === 0 || declares);
      if (token.kind === "operator" && token.text === "(" && words.length === 1) {
        const name = words[0]!;
        if (assignments.length > 0 || redirections.length > 0) break;
        return this.#compound.functionDefinition(name, line);
      }
      if (token.kind !== "word") break;
      this.take();
      if (token.word.assignment !== undefined && words.length === 0) {
        assignments.push(token.word.assignment);
        continue;
      }
      const plain = token.plain ?? "";
      if (words.length === 0) declares = declarations.has(plain);
      else if (words.length === 1 && isPrefix(words[0]!)) declares = declarations.has(plain);
      words.push(token.word);
      if (this.options.aliases.size > 0) this.#aliasBehindBlank();
    }
    if (words.length + assignments.length + redirections.length === 0) this.unexpected();
    return { kind: "simple", assignments, words, redirections, line } satisfies SimpleCommand;
  }

  #aliasBehindBlank(): void {
    this.peek(false);
    if (!this.lexer.behindBlankAlias) return;
    this.lexer.forgetBlankAliases();
    this.#substituteAliases();
  }

  #redirection(assignable = true): Redirection | undefined {
    let token = this.peek(assignable);
    let fd: number | undefined;
    let fdVariable: string | undefined;
    if (token.kind === "number" || token.kind === "descriptor") {
      if (token.kind === "number") fd = token.fd;
      else fdVariable = token.name;
      this.take();
      token = this.peek();
    }
    if (token.kind !== "operator" || !redirectionOperators.has(token.text)) return undefined;
    const operator = token.text;
    this.take();
    if (operator === "<<" || operator === "<<-") {
      const document = this.lexer.hereDocument(fd, operator === "<<-");
      return fdVariable === undefined ? document : Object.assign(document, { fdVariable });
    }
    const target = this.peek(false);
    if (target.kind !== "word") this.unexpected(undefined, true);
    this.take();
    return {
      operator: operator as Redirection["operator"],
      target: target.word,
      ...(fd !== undefined && { fd }),
      ...(fdVariable !== undefined && { fdVariable }),
    };
  }
}

/** What `time` without a command runs. */
const nothing: Command = { kind: "list", commands: [] };

function isPrefix(word: Word): boolean {
  const part = word.parts[0];
  return part?.kind === "text" && commandPrefixes.has(part.text);
}

/** `a |& b` is `a 2>&1 | b`. */
function withErrors(command: Command, line: number): Command {
  const target: Word = { parts: [{ kind: "text", text: "1", quoted: false }] };
  return { kind: "redirected", command, redirections: [{ fd: 2, operator: ">&", target }], line };
}
