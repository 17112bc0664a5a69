/** Owns the grammar inside `[[ … ]]`. */
import type { Command, Condition, Word } from "./ast.js";
import type { Parser } from "./parser.js";
import { WordBuilder } from "./scanner.js";
import { describe, tokenText } from "./token-names.js";

const unaryOperators = new Set(
  "-a -b -c -d -e -f -g -h -k -n -o -p -r -s -t -u -v -w -x -z -G -L -N -O -R -S".split(" "),
);
const binaryOperators = new Set("= == != =~ -eq -ne -lt -le -gt -ge -nt -ot -ef < >".split(" "));

export class ConditionParser {
  readonly #parser: Parser;

  constructor(parser: Parser) {
    this.#parser = parser;
  }

  /** From behind `[[` to behind `]]`. */
  parse(line: number): Command {
    const parser = this.#parser;
    const outer = parser.inCondition;
    parser.inCondition = true;
    try {
      const expression = this.#or();
      if (!this.#isClosing()) parser.unexpected("]]");
      parser.take();
      return { kind: "conditional", expression, line };
    } finally {
      parser.inCondition = outer;
    }
  }

  #or(): Condition {
    return this.#operands("or", "||", () => this.#and());
  }

  #and(): Condition {
    return this.#operands("and", "&&", () => this.#not());
  }

  #operands(kind: "and" | "or", operator: string, next: () => Condition): Condition {
    const operands = [next()];
    while (this.#isOperator(operator)) {
      this.#parser.take();
      operands.push(next());
    }
    return operands.length === 1 ? operands[0]! : { kind, operands };
  }

  #not(): Condition {
    const parser = this.#parser;
    this.#skipNewlines();
    if (this.#plain() === "!") {
      parser.take();
      return { kind: "not", operand: parser.scanner.nested(() => this.#not()) };
    }
    if (!this.#isOperator("(")) return this.#primary();
    parser.take();
    const inner = parser.scanner.nested(() => this.#or());
    if (!this.#isOperator(")")) this.#failAt("expected `)'");
    parser.take();
    this.#skipNewlines();
    return inner;
  }

  #primary(): Condition {
    const parser = this.#parser;
    const operator = this.#plain();
    const first = this.#word();
    if (operator !== undefined && unaryOperators.has(operator) && this.#atOperand()) {
      const next = this.#plain();
      if (next === undefined || !binaryOperators.has(next)) {
        return this.#finish({ kind: "unary", operator, operand: this.#word() });
      }
    }
    const binary = this.#plain() ?? this.#comparison();
    if (binary === undefined || !binaryOperators.has(binary)) {
      if (this.#atOperand()) this.#failAt("conditional binary operator expected");
      return this.#finish({ kind: "unary", operator: "-n", operand: first });
    }
    parser.take();
    const right = binary === "=~" ? this.#expression() : this.#rightWord();
    return this.#finish({ kind: "binary", operator: binary, left: first, right });
  }

  #finish(condition: Condition): Condition {
    this.#skipNewlines();
    return condition;
  }

  /** The right side of `=~`, in which `(`, `|` and `<` are ordinary. */
  #expression(): Word {
    const { scanner, lexer } = this.#parser;
    scanner.skipBlanks();
    const from = scanner.position;
    const builder = new WordBuilder();
    let depth = 0;
    lexer.words.unquoted(builder, (character) => {
      if (character === "(") depth += 1;
      else if (character === ")") depth -= 1;
      return depth < 0 || (depth === 0 && /\s/.test(character));
    });
    return { ...builder.word(), source: scanner.text.slice(from, scanner.position) };
  }

  #rightWord(): Word {
    if (this.#isClosing()) this.#failAt("unexpected argument `]]' to conditional binary operator");
    return this.#word();
  }

  #word(): Word {
    const token = this.#parser.peek(false);
    if (token.kind !== "word" || token.plain === "]]") this.#parser.unexpected();
    this.#parser.take();
    return token.word;
  }

  /** What bash says inside `[[ … ]]`, instead of its second line about the token. */
  #failAt(words: string): never {
    const token = this.#parser.peek(false);
    if (token.kind === "end") return this.#parser.unexpected();
    const what = words.startsWith("expected") ? `unexpected token \`${tokenText(token)}', ` : "";
    return this.#parser.scanner.failInWords(`${describe(token)} unexpected`, what + words);
  }

  #atOperand(): boolean {
    return this.#parser.peek(false).kind === "word" && !this.#isClosing();
  }

  #plain(): string | undefined {
    const token = this.#parser.peek(false);
    return token.kind === "word" ? token.plain : undefined;
  }

  #comparison(): string | undefined {
    const token = this.#parser.peek(false);
    return token.kind === "operator" ? token.text : undefined;
  }

  #isClosing(): boolean {
    return this.#plain() === "]]";
  }

  #isOperator(text: string): boolean {
    const token = this.#parser.peek(false);
    return token.kind === "operator" && token.text === text;
  }

  #skipNewlines(): void {
    while (this.#parser.peek(false).kind === "newline") this.#parser.take();
  }
}
