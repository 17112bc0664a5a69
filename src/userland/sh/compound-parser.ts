/** Owns the grammar of compound commands and function definitions. */
import type { CaseItem, Command, Word } from "./ast.js";
import { parseArithmetic } from "./arithmetic-parser.js";
import { literalText } from "./ast.js";
import { ConditionParser } from "./condition-parser.js";
import type { Parser } from "./parser.js";
import { matchingParenthesis } from "./scanner.js";

const validName = /^[A-Za-z_]\w*$/;
const functionName = /^[^\s"'$&();<>\\`|=/][^\s"'$&();<>\\`|]*$/;

const bashKeywords = new Set(["select", "coproc"]);

/** Names that dash reserves from functions. */
const specialBuiltins = new Set(
  ". : break continue eval exec exit export readonly return set shift times trap unset".split(" "),
);

export class CompoundParser {
  readonly #parser: Parser;

  constructor(parser: Parser) {
    this.#parser = parser;
  }

  /** `undefined` and no move when a simple command stands here. */
  parse(): Command | undefined {
    const parser: Parser = this.#parser;
    const token = parser.peek();
    if (token.kind === "operator" && token.text === "(") {
      return parser.scanner.nested(() => this.#parenthesis(token.line));
    }
    if (token.kind !== "word" || token.plain === undefined) return undefined;
    const parse = this.#keywords.get(token.plain);
    if (parse === undefined) return undefined;
    if (!parser.options.bash && bashKeywords.has(token.plain)) return undefined;
    return parser.scanner.nested(() => {
      parser.take();
      return parse(token.line);
    });
  }

  readonly #keywords: ReadonlyMap<string, (line: number) => Command> = new Map([
    ["{", () => this.#group()],
    ["select", (line: number) => this.#select(line)],
    ["coproc", () => this.#coprocess()],
    ["if", () => this.#if()],
    ["while", () => this.#while(false)],
    ["until", () => this.#while(true)],
    ["for", (line: number) => this.#for(line)],
    ["case", (line: number) => this.#case(line)],
    ["[[", (line: number) => new ConditionParser(this.#parser).parse(line)],
    ["function", (line: number) => this.#functionKeyword(line)],
    ...["then", "else", "elif", "fi", "do", "done", "esac", "}", "in"].map(
      (word) => [word, () => this.#stray(word)] as [string, () => Command],
    ),
  ]);

  #stray(word: string): never {
    return this.#parser.scanner.fail(`"${word}" unexpected`, word);
  }

  #group(): Command {
    const body = this.#parser.compoundList();
    this.#parser.expectWord("}");
    return { kind: "group", body };
  }

  #parenthesis(line: number): Command {
    const parser: Parser = this.#parser;
    const { scanner } = parser;
    parser.take();
    if (
      scanner.peek() === "(" &&
      isArithmetic(scanner.text, scanner.position, parser.options.bash)
    ) {
      scanner.position += 1;
      const from = scanner.position;
      const expression = parser.lexer.words.arithmetic();
      const source = scanner.text.slice(from, scanner.position - 2);
      return { kind: "arithmetic", expression: { ...expression, source }, line };
    }
    const body = parser.compoundList();
    parser.expectOperator(")");
    return { kind: "subshell", body, line };
  }

  #if(): Command {
    const parser: Parser = this.#parser;
    const clauses: { condition: Command; body: Command }[] = [];
    do {
      const condition = parser.compoundList();
      parser.expectWord("then");
      clauses.push({ condition, body: parser.compoundList() });
    } while (this.#takeIf("elif"));
    const otherwise = this.#takeIf("else") ? parser.compoundList() : undefined;
    parser.expectWord("fi");
    return { kind: "if", clauses, ...(otherwise && { otherwise }) };
  }

  #while(until: boolean): Command {
    const condition = this.#parser.compoundList();
    return { kind: "while", until, condition, body: this.#doGroup() };
  }

  #for(line: number): Command {
    const parser: Parser = this.#parser;
    parser.scanner.skipBlanks();
    if (parser.scanner.startsWith("((")) return this.#arithmeticFor(line);
    return { kind: "for", line, ...this.#variableAndWords() };
  }

  #select(line: number): Command {
    return { kind: "select", line, ...this.#variableAndWords() };
  }

  /** `name [in word…]; do …; done` */
  #variableAndWords(): { variable: string; words?: readonly Word[]; body: Command } {
    const parser: Parser = this.#parser;
    const token = parser.peek(false);
    const variable = token.kind === "word" ? (token.plain ?? token.word.source) : undefined;
    // bash finds out when it runs the loop.
    if (variable === undefined || (!parser.options.bash && !validName.test(variable))) {
      return parser.scanner.fail("Bad for loop variable");
    }
    parser.take();
    parser.skipNewlines();
    let words: Word[] | undefined;
    if (this.#takeIf("in")) {
      words = [];
      for (let next = parser.peek(false); next.kind === "word"; next = parser.peek(false)) {
        words.push(next.word);
        parser.take();
      }
      if (parser.peek().kind !== "newline" && !parser.isOperator(";")) parser.unexpected();
      parser.take();
    } else if (parser.isOperator(";")) parser.take();
    parser.skipNewlines();
    const body = parser.options.bash && parser.isWord("{") ? this.#bracedBody() : this.#doGroup();
    return { variable, body, ...(words && { words }) };
  }

  /** `coproc [NAME] command`; a name can only stand before a compound command. */
  #coprocess(): Command {
    const parser: Parser = this.#parser;
    const token = parser.peek();
    const start = parser.lexer.tokenStart;
    let name = "COPROC";
    if (token.kind === "word" && token.plain !== undefined && validName.test(token.plain)) {
      const behind = /^[ \t]+(?:\(|(?:\{|if|while|until|for|case|select|\[\[)(?=[\s;]))/;
      const { position, text } = parser.scanner;
      if (behind.test(text.slice(position, position + 80)) && !this.#keywords.has(token.plain)) {
        name = token.plain;
        parser.take();
      }
    }
    const command = parser.functionBody();
    return { kind: "coprocess", name, command, text: parser.sourceFrom(start) };
  }

  #arithmeticFor(line: number): Command {
    const parser: Parser = this.#parser;
    const { scanner } = parser;
    const { words } = parser.lexer;
    scanner.position += 2;
    /** What `parse` reads, with its text but for the `closing` characters. */
    const sourced = (parse: () => Word, closing: number): Word => {
      const from = scanner.position;
      const word = parse();
      return { ...word, source: scanner.text.slice(from, scanner.position - closing) };
    };
    const initial = sourced(() => words.closedBy(";", true), 1);
    const condition = sourced(() => words.closedBy(";", true), 1);
    const update = sourced(() => words.arithmetic(), 2);
    if (parser.isOperator(";")) parser.take();
    parser.skipNewlines();
    const body = parser.isWord("{") ? this.#bracedBody() : this.#doGroup();
    return { kind: "arithmetic-for", initial, condition, update, body, line };
  }

  #bracedBody(): Command {
    this.#parser.take();
    return this.#group();
  }

  #doGroup(): Command {
    const parser: Parser = this.#parser;
    parser.skipNewlines();
    parser.expectWord("do");
    const body = parser.compoundList();
    parser.expectWord("done");
    return body;
  }

  #case(line: number): Command {
    const parser: Parser = this.#parser;
    const subject = parser.peek(false);
    if (subject.kind !== "word") parser.unexpected("word");
    parser.take();
    parser.skipNewlines();
    parser.expectWord("in");
    const items: CaseItem[] = [];
    for (;;) {
      while (parser.peek(false).kind === "newline") parser.take();
      if (this.#takeIf("esac")) break;
      if (parser.isOperator("(")) parser.take();
      const patterns: Word[] = [];
      do {
        const pattern = parser.peek(false);
        if (pattern.kind !== "word") parser.unexpected();
        patterns.push(pattern.word);
        parser.take();
        parser.peek(false);
      } while (this.#takeOperator("|"));
      parser.expectOperator(")");
      const body = parser.compoundList(true);
      const end = this.#caseEnd();
      items.push({ patterns, body, end: end ?? ";;" });
      if (end === undefined) {
        parser.expectWord("esac");
        break;
      }
    }
    return { kind: "case", subject: subject.word, items, line };
  }

  #caseEnd(): CaseItem["end"] | undefined {
    for (const end of [";;", ";&", ";;&"] as const) if (this.#takeOperator(end)) return end;
    return undefined;
  }

  /** From the `(` behind the name. */
  functionDefinition(word: Word, line: number): Command {
    const parser: Parser = this.#parser;
    parser.expectOperator("(");
    if (!parser.isOperator(")")) parser.unexpected(")", true);
    parser.take();
    const name = literalText(word);
    const special = !parser.options.bash && specialBuiltins.has(name ?? "");
    if (name === undefined || special || !functionName.test(name)) {
      return parser.scanner.fail("Bad function name");
    }
    return { kind: "function", name, body: parser.functionBody(), line };
  }

  #functionKeyword(line: number): Command {
    const parser: Parser = this.#parser;
    const token = parser.peek(false);
    const name = token.kind === "word" ? token.plain : undefined;
    if (name === undefined) parser.unexpected();
    parser.take();
    if (this.#takeOperator("(")) parser.expectOperator(")");
    return { kind: "function", name, body: parser.functionBody(), line };
  }

  #takeIf(word: string): boolean {
    if (!this.#parser.isWord(word)) return false;
    this.#parser.take();
    return true;
  }

  #takeOperator(text: string): boolean {
    if (!this.#parser.isOperator(text)) return false;
    this.#parser.take();
    return true;
  }
}

/** From the second `(` of `((`: do both close together around what could be an expression? */
function isArithmetic(text: string, from: number, bash: boolean): boolean {
  const end = matchingParenthesis(text, from);
  if (end === undefined || text[end + 1] !== ")") return false;
  if (bash) return true;
  try {
    // What expansions stand for is not known yet; a number is as good as any.
    parseArithmetic(
      text.slice(from + 1, end).replace(/\$(?:\{[^}]*\}|\([^)]*\)|\w+|[#?@*])/g, "1"),
      false,
    );
    return true;
  } catch {
    return false;
  }
}
