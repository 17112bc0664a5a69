/** Owns the grammar of awk's expressions, from the loosest operator to the tightest. */
import type { Expression, Slot, Target } from "./ast.js";
import { builtins, type Token } from "./lexer.js";
import type { Tokens } from "./tokens.js";

/** How much of the grammar an expression may use. */
export interface Limits {
  /** `in` ends a for-each head; `>` redirects print. */
  noIn?: boolean;
  noGreater?: boolean;
  /** `|` getline was excluded: unparenthesized print arguments. */
  noPipe?: boolean;
}

export class ExpressionParser {
  readonly #tokens: Tokens;
  /** Of the function whose body is read. */
  parameters: string[] = [];

  constructor(tokens: Tokens) {
    this.#tokens = tokens;
  }

  slot(name: string): Slot {
    return { local: this.parameters.indexOf(name) };
  }

  subscripts(): Expression[] {
    const list = this.#list("]");
    this.#tokens.expect("]");
    return list;
  }

  #list(close: string): Expression[] {
    const list: Expression[] = [];
    this.#tokens.skipNewlines();
    while (!this.#tokens.is(close)) {
      list.push(this.expression({}));
      this.#tokens.skipNewlines();
      if (!this.#tokens.accept(",")) break;
      this.#tokens.skipNewlines();
    }
    return list;
  }

  expression(limits: Limits): Expression {
    this.#tokens.down();
    const value = this.ternary(limits);
    this.#tokens.up();
    return value;
  }

  ternary(limits: Limits): Expression {
    const test = this.#or(limits);
    if (this.#tokens.accept("?")) {
      this.#tokens.skipNewlines();
      const yes = this.expression(limits);
      this.#tokens.skipNewlines();
      this.#tokens.expect(":");
      this.#tokens.skipNewlines();
      const no = this.expression(limits);
      return { kind: "condition", test, yes, no };
    }
    const operator = this.#tokens.token.kind === "operator" ? this.#tokens.token.text : "";
    if (["=", "+=", "-=", "*=", "/=", "%=", "^="].includes(operator)) {
      // `a == b = c` and `! x = y`: the assignment belongs to the rightmost operand.
      const fixed = this.#assignInto(test, operator, limits);
      if (fixed !== undefined) return fixed;
    }
    return test;
  }

  #assignInto(left: Expression, operator: string, limits: Limits): Expression | undefined {
    if (isTarget(left)) {
      this.#tokens.advance();
      this.#tokens.skipNewlines();
      return {
        kind: "assign",
        operator: operator.slice(0, -1),
        target: left,
        value: this.expression(limits),
      };
    }
    if (
      left.kind === "and" ||
      left.kind === "or" ||
      left.kind === "binary" ||
      left.kind === "match" ||
      left.kind === "concat"
    ) {
      const right = this.#assignInto(left.right, operator, limits);
      return right === undefined ? undefined : { ...left, right };
    }
    if (left.kind === "unary") {
      const operand = this.#assignInto(left.operand, operator, limits);
      return operand === undefined ? undefined : { ...left, operand };
    }
    return undefined;
  }

  #or(limits: Limits): Expression {
    let left = this.#and(limits);
    while (this.#tokens.accept("||")) {
      this.#tokens.skipNewlines();
      left = { kind: "or", left, right: this.#and(limits) };
    }
    return left;
  }

  #and(limits: Limits): Expression {
    let left = this.#in(limits);
    while (this.#tokens.accept("&&")) {
      this.#tokens.skipNewlines();
      left = { kind: "and", left, right: this.#in(limits) };
    }
    return left;
  }

  #in(limits: Limits): Expression {
    let left = this.#matching(limits);
    while (!limits.noIn && this.#tokens.accept("in")) {
      const subscripts = left.kind === "in" && left.array === "" ? left.subscripts : [left];
      if (this.#tokens.token.kind !== "name") throw this.#tokens.fail();
      const array = this.#tokens.advance().text;
      left = { kind: "in", subscripts, array, slot: this.slot(array) };
    }
    return left;
  }

  #matching(limits: Limits): Expression {
    let left = this.#comparison(limits);
    while (this.#tokens.is("~") || this.#tokens.is("!~")) {
      const negated = this.#tokens.advance().text === "!~";
      left = { kind: "match", negated, left, right: this.#comparison(limits) };
    }
    return left;
  }

  #comparison(limits: Limits): Expression {
    let left = this.#concatenation(limits, false);
    for (;;) {
      const { kind, text } = this.#tokens.token;
      if (kind !== "operator") return left;
      if (["<", "<=", "==", "!=", ">="].includes(text) || (text === ">" && !limits.noGreater)) {
        this.#tokens.advance();
        left = { kind: "binary", operator: text, left, right: this.#concatenation(limits, false) };
      } else if (text === "|" && !limits.noPipe) {
        left = this.#pipes(left);
        if (this.#tokens.is("|")) return left;
      } else return left;
    }
  }

  #pipes(left: Expression): Expression {
    let value = left;
    while (this.#tokens.is("|")) {
      this.#tokens.advance();
      if (!this.#tokens.accept("getline")) throw this.#tokens.fail();
      const target = this.#optionalTarget();
      value = { kind: "getline", from: "command", source: value, ...(target && { target }) };
    }
    return value;
  }

  #startsOperand(): boolean {
    const { kind, text } = this.#tokens.token;
    if (["number", "string", "name", "function-name", "builtin"].includes(kind)) return true;
    if (kind === "operator") return ["(", "$", "!", "-", "+", "++", "--"].includes(text);
    return false;
  }

  #concatenation(limits: Limits, primaryOnly: boolean): Expression {
    let left = this.#additive(limits);
    while (this.#startsOperand() && !primaryOnly) {
      if (this.#tokens.is("+") || this.#tokens.is("-") || (this.#tokens.is("in") && limits.noIn))
        break;
      left = { kind: "concat", left, right: this.#additive(limits) };
    }
    return left;
  }

  #additive(limits: Limits): Expression {
    let left = this.#multiplicative(limits);
    while (this.#tokens.is("+") || this.#tokens.is("-")) {
      const operator = this.#tokens.advance().text;
      left = { kind: "binary", operator, left, right: this.#multiplicative(limits) };
    }
    return left;
  }

  #multiplicative(limits: Limits): Expression {
    let left = this.unary(limits);
    while (this.#tokens.is("*") || this.#tokens.is("/") || this.#tokens.is("%")) {
      const operator = this.#tokens.advance().text;
      left = { kind: "binary", operator, left, right: this.unary(limits) };
    }
    return left;
  }

  unary(limits: Limits): Expression {
    this.#tokens.down();
    try {
      if (this.#tokens.is("!") || this.#tokens.is("-") || this.#tokens.is("+")) {
        const operator = this.#tokens.advance().text;
        return { kind: "unary", operator, operand: this.unary(limits) };
      }
      return this.#power(limits);
    } finally {
      this.#tokens.up();
    }
  }

  #power(limits: Limits): Expression {
    const base = this.#postfix(limits);
    if (!this.#tokens.accept("^")) return base;
    // Right-associative, and -x is allowed on its right.
    const right =
      this.#tokens.is("-") || this.#tokens.is("+") || this.#tokens.is("!")
        ? this.unary(limits)
        : this.#power(limits);
    return { kind: "binary", operator: "^", left: base, right };
  }

  #postfix(limits: Limits): Expression {
    const value = this.#primary(limits);
    if (isTarget(value) && (this.#tokens.is("++") || this.#tokens.is("--"))) {
      const by = this.#tokens.advance().text === "++" ? 1 : -1;
      return { kind: "increment", by, prefix: false, target: value };
    }
    return value;
  }

  #optionalTarget(): Target | undefined {
    if (this.#tokens.is("$") || this.#tokens.token.kind === "name") {
      const value = this.#primary({});
      if (isTarget(value)) return value;
      throw this.#tokens.fail();
    }
    return undefined;
  }

  #primary(limits: Limits): Expression {
    const token = this.#tokens.token;
    switch (token.kind) {
      case "number":
        this.#tokens.advance();
        return { kind: "number", value: token.number };
      case "string":
        this.#tokens.advance();
        return { kind: "string", value: token.text };
      case "name":
        return this.#variable();
      case "function-name": {
        this.#tokens.advance();
        this.#tokens.expect("(");
        const args = this.#list(")");
        this.#tokens.expect(")");
        return { kind: "call", name: token.text, args, line: token.line };
      }
      case "builtin":
        return this.#builtin();
      case "keyword":
        if (token.text === "getline") return this.#getline();
        throw this.#tokens.fail();
      case "operator":
        return this.#operatorPrimary(token, limits);
      default:
        throw this.#tokens.fail();
    }
  }

  #variable(): Expression {
    const name = this.#tokens.advance().text;
    const slot = this.slot(name);
    if (!this.#tokens.accept("[")) return { kind: "variable", name, slot };
    return { kind: "element", array: name, slot, subscripts: this.subscripts() };
  }

  #builtin(): Expression {
    const { text: name, line } = this.#tokens.advance();
    if (!builtins.has(name)) throw this.#tokens.fail();
    let args: Expression[] = [];
    if (this.#tokens.accept("(")) {
      args = this.#list(")");
      this.#tokens.expect(")");
    } else if (name !== "length") throw this.#tokens.fail();
    return { kind: "builtin", name, args, line };
  }

  #getline(): Expression {
    this.#tokens.advance();
    const target = this.#optionalTarget();
    if (!this.#tokens.accept("<"))
      return { kind: "getline", from: "input", ...(target && { target }) };
    const source = this.#concatenation({ noGreater: true, noPipe: true, noIn: true }, true);
    return { kind: "getline", from: "file", source, ...(target && { target }) };
  }

  #operatorPrimary(token: Token, limits: Limits): Expression {
    switch (token.text) {
      case "$": {
        this.#tokens.advance();
        if (this.#tokens.is("++") || this.#tokens.is("--")) {
          const by = this.#tokens.advance().text === "++" ? 1 : -1;
          const target = this.#primary(limits);
          if (!isTarget(target)) throw this.#tokens.fail();
          return { kind: "field", index: { kind: "increment", by, prefix: true, target } };
        }
        if (this.#tokens.is("-") || this.#tokens.is("+") || this.#tokens.is("!")) {
          const operator = this.#tokens.advance().text;
          return {
            kind: "field",
            index: { kind: "unary", operator, operand: this.#primary(limits) },
          };
        }
        return { kind: "field", index: this.#primary(limits) };
      }
      case "++":
      case "--": {
        this.#tokens.advance();
        const target = this.#primary(limits);
        if (!isTarget(target)) throw this.#tokens.fail();
        return { kind: "increment", by: token.text === "++" ? 1 : -1, prefix: true, target };
      }
      case "/":
      case "/=": {
        const source = this.#tokens.lexer.regex(token.text);
        this.#tokens.advance();
        return { kind: "regex", source };
      }
      case "(": {
        this.#tokens.advance();
        const list = this.#list(")");
        this.#tokens.expect(")");
        if (list.length === 0) throw this.#tokens.fail();
        if (list.length === 1) return { kind: "group", body: list[0]! };
        // A list is the subscripts of `in`, or all of print's arguments.
        return { kind: "in", subscripts: list, array: "", slot: { local: -1 } };
      }
      default:
        throw this.#tokens.fail();
    }
  }
}

function isTarget(value: Expression): value is Target {
  return value.kind === "variable" || value.kind === "field" || value.kind === "element";
}
