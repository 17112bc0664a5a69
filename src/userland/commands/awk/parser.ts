/** Owns awk's grammar. The program text is any text; nesting is limited so that it cannot exhaust the stack. */
import { builtins, Lexer, type Token } from "./lexer.js";
import type { Case, Expression, Program, Redirect, Rule, Slot, Statement, Target } from "./ast.js";

const maxDepth = 400;

/** How much of the grammar an expression may use. */
interface Limits {
  /** `in` ends a for-each head; `>` redirects print. */
  noIn?: boolean;
  noGreater?: boolean;
  /** `|` getline was excluded: unparenthesized print arguments. */
  noPipe?: boolean;
}

export class Parser {
  readonly #lexer: Lexer;
  #token: Token;
  #depth = 0;
  #parameters: string[] = [];
  readonly #program: Program = {
    begin: [],
    beginFile: [],
    endFile: [],
    rules: [],
    end: [],
    functions: new Map(),
  };

  constructor(text: string) {
    this.#lexer = new Lexer(text);
    this.#token = this.#lexer.next();
  }

  #fail(message?: string): Error {
    const near =
      this.#token.kind === "end"
        ? "end of file"
        : this.#token.kind === "newline"
          ? "end of line"
          : this.#token.text;
    return this.#lexer.fail(message ?? `syntax error at or near ${near}`, this.#token.line);
  }

  #advance(): Token {
    const token = this.#token;
    this.#token = this.#lexer.next();
    return token;
  }

  #is(text: string): boolean {
    return (
      (this.#token.kind === "operator" || this.#token.kind === "keyword") &&
      this.#token.text === text
    );
  }

  #accept(text: string): boolean {
    if (!this.#is(text)) return false;
    this.#advance();
    return true;
  }

  #expect(text: string): void {
    if (!this.#accept(text)) throw this.#fail();
  }

  #skipNewlines(): void {
    while (this.#token.kind === "newline") this.#advance();
  }

  #skipTerminators(): void {
    while (this.#token.kind === "newline" || this.#is(";")) this.#advance();
  }

  parse(): Program {
    for (;;) {
      this.#skipTerminators();
      if (this.#token.kind === "end") break;
      this.#item();
    }
    return this.#program;
  }

  #item(): void {
    if (this.#accept("function")) return this.#function();
    const lists: Record<string, Statement[]> = {
      BEGIN: this.#program.begin,
      END: this.#program.end,
      BEGINFILE: this.#program.beginFile,
      ENDFILE: this.#program.endFile,
    };
    const list = this.#token.kind === "keyword" ? lists[this.#token.text] : undefined;
    if (list !== undefined) {
      this.#advance();
      this.#skipNewlines();
      list.push(this.#block());
      return;
    }
    const rule: Rule = {};
    if (!this.#is("{")) {
      rule.pattern = this.#expression({});
      if (this.#accept(",")) {
        this.#skipNewlines();
        rule.end = this.#expression({});
      }
    }
    if (this.#is("{")) rule.body = this.#block();
    this.#program.rules.push(rule);
  }

  #function(): void {
    const { kind, text: name } = this.#token;
    if (kind !== "name" && kind !== "function-name") throw this.#fail();
    this.#advance();
    this.#expect("(");
    const parameters: string[] = [];
    while (!this.#is(")")) {
      if (this.#token.kind !== "name") throw this.#fail();
      parameters.push(this.#advance().text);
      if (!this.#accept(",")) break;
      this.#skipNewlines();
    }
    this.#expect(")");
    this.#skipNewlines();
    if (this.#program.functions.has(name)) throw this.#fail(`function ${name} redefined`);
    this.#parameters = parameters;
    const body = this.#block();
    this.#parameters = [];
    this.#program.functions.set(name, { name, parameters, body });
  }

  #slot(name: string): Slot {
    return { local: this.#parameters.indexOf(name) };
  }

  #block(): Statement {
    this.#expect("{");
    const body: Statement[] = [];
    for (;;) {
      this.#skipTerminators();
      if (this.#accept("}")) return { kind: "block", body };
      if (this.#token.kind === "end") throw this.#fail();
      body.push(this.#statement());
    }
  }

  /** A simple statement's end: `;`, a newline, or what closes the block. */
  #end(): void {
    if (this.#is(";") || this.#token.kind === "newline") this.#advance();
    else if (!this.#is("}") && this.#token.kind !== "end") throw this.#fail();
  }

  /** The body of if, while and their like. */
  #body(): Statement {
    this.#skipNewlines();
    if (this.#accept(";")) return { kind: "block", body: [] };
    return this.#statement();
  }

  #statement(): Statement {
    if (++this.#depth > maxDepth) throw this.#fail("program nested too deeply");
    const statement = this.#statementInside();
    this.#depth--;
    return statement;
  }

  #statementInside(): Statement {
    if (this.#is("{")) return this.#block();
    if (this.#token.kind === "keyword") {
      switch (this.#token.text) {
        case "if":
          return this.#if();
        case "while": {
          this.#advance();
          const test = this.#parenthesized();
          return { kind: "while", test, body: this.#body() };
        }
        case "do": {
          this.#advance();
          const body = this.#body();
          this.#skipTerminators();
          this.#expect("while");
          const test = this.#parenthesized();
          this.#end();
          return { kind: "do", test, body };
        }
        case "for":
          return this.#for();
        case "switch":
          return this.#switch();
      }
    }
    const statement = this.#simple();
    this.#end();
    return statement;
  }

  #parenthesized(): Expression {
    this.#expect("(");
    const value = this.#expression({});
    this.#expect(")");
    return value;
  }

  #if(): Statement {
    this.#advance();
    const test = this.#parenthesized();
    const yes = this.#body();
    // Terminators may stand before else; without one the block skips them as well.
    this.#skipTerminators();
    if (!this.#accept("else")) return { kind: "if", test, yes };
    return { kind: "if", test, yes, no: this.#body() };
  }

  #for(): Statement {
    this.#advance();
    this.#expect("(");
    let first: Statement | undefined;
    if (!this.#is(";")) {
      first = this.#simple({ noIn: false });
      const value = first.kind === "expression" ? first.value : undefined;
      if (value?.kind === "in" && value.subscripts.length === 1 && this.#is(")")) {
        const variable = value.subscripts[0]!;
        if (
          variable.kind === "variable" ||
          variable.kind === "element" ||
          variable.kind === "field"
        ) {
          this.#advance();
          return {
            kind: "each",
            variable,
            array: value.array,
            slot: value.slot,
            body: this.#body(),
          };
        }
      }
    }
    this.#expect(";");
    this.#skipNewlines();
    const test = this.#is(";") ? undefined : this.#expression({});
    this.#expect(";");
    this.#skipNewlines();
    const step = this.#is(")") ? undefined : this.#simple();
    this.#expect(")");
    const body = this.#body();
    return {
      kind: "for",
      ...(first && { first }),
      ...(test && { test }),
      ...(step && { step }),
      body,
    };
  }

  #switch(): Statement {
    this.#advance();
    const value = this.#parenthesized();
    this.#skipNewlines();
    this.#expect("{");
    const cases: Case[] = [];
    for (;;) {
      this.#skipTerminators();
      if (this.#accept("}")) return { kind: "switch", value, cases };
      const found: Case = { body: [] };
      if (this.#accept("case")) found.test = this.#unary({});
      else this.#expect("default");
      this.#expect(":");
      for (;;) {
        this.#skipTerminators();
        if (this.#is("case") || this.#is("default") || this.#is("}")) break;
        found.body.push(this.#statement());
      }
      cases.push(found);
    }
  }

  #simple(limits: Limits = {}): Statement {
    const { kind, text } = this.#token;
    if (kind !== "keyword") return { kind: "expression", value: this.#expression(limits) };
    switch (text) {
      case "print":
      case "printf":
        return this.#print();
      case "next":
      case "nextfile":
      case "break":
      case "continue":
        this.#advance();
        return { kind: text };
      case "exit":
      case "return": {
        this.#advance();
        const ends =
          this.#is(";") ||
          this.#is("}") ||
          this.#token.kind === "newline" ||
          this.#token.kind === "end";
        return ends ? { kind: text } : { kind: text, value: this.#expression({}) };
      }
      case "delete": {
        this.#advance();
        const array = this.#token.text;
        if (this.#token.kind !== "name") throw this.#fail();
        this.#advance();
        const slot = this.#slot(array);
        if (!this.#accept("[")) return { kind: "delete", array, slot };
        return { kind: "delete", array, slot, subscripts: this.#subscripts() };
      }
      default:
        return { kind: "expression", value: this.#expression(limits) };
    }
  }

  #subscripts(): Expression[] {
    const list = this.#list("]");
    this.#expect("]");
    return list;
  }

  #list(close: string): Expression[] {
    const list: Expression[] = [];
    this.#skipNewlines();
    while (!this.#is(close)) {
      list.push(this.#expression({}));
      this.#skipNewlines();
      if (!this.#accept(",")) break;
      this.#skipNewlines();
    }
    return list;
  }

  #print(): Statement {
    const format = this.#advance().text === "printf";
    let args: Expression[] = [];
    const limits: Limits = { noGreater: true, noPipe: true };
    const ends = () =>
      this.#is(";") ||
      this.#is("}") ||
      this.#is(">") ||
      this.#is(">>") ||
      this.#is("|") ||
      this.#token.kind === "newline" ||
      this.#token.kind === "end";
    if (!ends()) {
      args.push(this.#expression(limits));
      while (this.#accept(",")) {
        this.#skipNewlines();
        args.push(this.#expression(limits));
      }
      // print (a, b) > "file": the list in parentheses was read as one grouping.
      const [only] = args;
      if (args.length === 1 && only?.kind === "in" && only.array === "") args = only.subscripts;
    }
    let redirect: Redirect | undefined;
    const { text } = this.#token;
    if (this.#is(">") || this.#is(">>") || this.#is("|")) {
      this.#advance();
      redirect = {
        kind: text as ">",
        target: this.#ternary({ noGreater: true, noPipe: true, noIn: true }),
      };
    }
    return { kind: "print", args, format, ...(redirect && { redirect }) };
  }

  #expression(limits: Limits): Expression {
    if (++this.#depth > maxDepth) throw this.#fail("program nested too deeply");
    const value = this.#ternary(limits);
    this.#depth--;
    return value;
  }

  #ternary(limits: Limits): Expression {
    const test = this.#or(limits);
    if (this.#accept("?")) {
      this.#skipNewlines();
      const yes = this.#expression(limits);
      this.#skipNewlines();
      this.#expect(":");
      this.#skipNewlines();
      const no = this.#expression(limits);
      return { kind: "condition", test, yes, no };
    }
    const operator = this.#token.kind === "operator" ? this.#token.text : "";
    if (["=", "+=", "-=", "*=", "/=", "%=", "^="].includes(operator)) {
      // `a == b = c` and `! x = y`: the assignment belongs to the rightmost operand.
      const fixed = this.#assignInto(test, operator, limits);
      if (fixed !== undefined) return fixed;
    }
    return test;
  }

  #assignInto(left: Expression, operator: string, limits: Limits): Expression | undefined {
    if (isTarget(left)) {
      this.#advance();
      this.#skipNewlines();
      return {
        kind: "assign",
        operator: operator.slice(0, -1),
        target: left,
        value: this.#expression(limits),
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
    while (this.#accept("||")) {
      this.#skipNewlines();
      left = { kind: "or", left, right: this.#and(limits) };
    }
    return left;
  }

  #and(limits: Limits): Expression {
    let left = this.#in(limits);
    while (this.#accept("&&")) {
      this.#skipNewlines();
      left = { kind: "and", left, right: this.#in(limits) };
    }
    return left;
  }

  #in(limits: Limits): Expression {
    let left = this.#matching(limits);
    while (!limits.noIn && this.#accept("in")) {
      const subscripts = left.kind === "in" && left.array === "" ? left.subscripts : [left];
      if (this.#token.kind !== "name") throw this.#fail();
      const array = this.#advance().text;
      left = { kind: "in", subscripts, array, slot: this.#slot(array) };
    }
    return left;
  }

  #matching(limits: Limits): Expression {
    let left = this.#comparison(limits);
    while (this.#is("~") || this.#is("!~")) {
      const negated = this.#advance().text === "!~";
      left = { kind: "match", negated, left, right: this.#comparison(limits) };
    }
    return left;
  }

  #comparison(limits: Limits): Expression {
    let left = this.#concatenation(limits, false);
    for (;;) {
      const { kind, text } = this.#token;
      if (kind !== "operator") return left;
      if (["<", "<=", "==", "!=", ">="].includes(text) || (text === ">" && !limits.noGreater)) {
        this.#advance();
        left = { kind: "binary", operator: text, left, right: this.#concatenation(limits, false) };
      } else if (text === "|" && !limits.noPipe) {
        left = this.#pipes(left);
        if (this.#is("|")) return left;
      } else return left;
    }
  }

  #pipes(left: Expression): Expression {
    let value = left;
    while (this.#is("|")) {
      this.#advance();
      if (!this.#accept("getline")) throw this.#fail();
      const target = this.#optionalTarget();
      value = { kind: "getline", from: "command", source: value, ...(target && { target }) };
    }
    return value;
  }

  #startsOperand(): boolean {
    const { kind, text } = this.#token;
    if (["number", "string", "name", "function-name", "builtin"].includes(kind)) return true;
    if (kind === "operator") return ["(", "$", "!", "-", "+", "++", "--"].includes(text);
    return false;
  }

  #concatenation(limits: Limits, primaryOnly: boolean): Expression {
    let left = this.#additive(limits);
    while (this.#startsOperand() && !primaryOnly) {
      if (this.#is("+") || this.#is("-") || (this.#is("in") && limits.noIn)) break;
      left = { kind: "concat", left, right: this.#additive(limits) };
    }
    return left;
  }

  #additive(limits: Limits): Expression {
    let left = this.#multiplicative(limits);
    while (this.#is("+") || this.#is("-")) {
      const operator = this.#advance().text;
      left = { kind: "binary", operator, left, right: this.#multiplicative(limits) };
    }
    return left;
  }

  #multiplicative(limits: Limits): Expression {
    let left = this.#unary(limits);
    while (this.#is("*") || this.#is("/") || this.#is("%")) {
      const operator = this.#advance().text;
      left = { kind: "binary", operator, left, right: this.#unary(limits) };
    }
    return left;
  }

  #unary(limits: Limits): Expression {
    if (++this.#depth > maxDepth) throw this.#fail("program nested too deeply");
    try {
      if (this.#is("!") || this.#is("-") || this.#is("+")) {
        const operator = this.#advance().text;
        return { kind: "unary", operator, operand: this.#unary(limits) };
      }
      return this.#power(limits);
    } finally {
      this.#depth--;
    }
  }

  #power(limits: Limits): Expression {
    const base = this.#postfix(limits);
    if (!this.#accept("^")) return base;
    // Right-associative, and -x is allowed on its right.
    const right =
      this.#is("-") || this.#is("+") || this.#is("!") ? this.#unary(limits) : this.#power(limits);
    return { kind: "binary", operator: "^", left: base, right };
  }

  #postfix(limits: Limits): Expression {
    const value = this.#primary(limits);
    if (isTarget(value) && (this.#is("++") || this.#is("--"))) {
      const by = this.#advance().text === "++" ? 1 : -1;
      return { kind: "increment", by, prefix: false, target: value };
    }
    return value;
  }

  #optionalTarget(): Target | undefined {
    if (this.#is("$") || this.#token.kind === "name") {
      const value = this.#primary({});
      if (isTarget(value)) return value;
      throw this.#fail();
    }
    return undefined;
  }

  #primary(limits: Limits): Expression {
    const token = this.#token;
    switch (token.kind) {
      case "number":
        this.#advance();
        return { kind: "number", value: token.number };
      case "string":
        this.#advance();
        return { kind: "string", value: token.text };
      case "name":
        return this.#variable();
      case "function-name": {
        this.#advance();
        this.#expect("(");
        const args = this.#list(")");
        this.#expect(")");
        return { kind: "call", name: token.text, args, line: token.line };
      }
      case "builtin":
        return this.#builtin();
      case "keyword":
        if (token.text === "getline") return this.#getline();
        throw this.#fail();
      case "operator":
        return this.#operatorPrimary(token, limits);
      default:
        throw this.#fail();
    }
  }

  #variable(): Expression {
    const name = this.#advance().text;
    const slot = this.#slot(name);
    if (!this.#accept("[")) return { kind: "variable", name, slot };
    return { kind: "element", array: name, slot, subscripts: this.#subscripts() };
  }

  #builtin(): Expression {
    const { text: name, line } = this.#advance();
    if (!builtins.has(name)) throw this.#fail();
    let args: Expression[] = [];
    if (this.#accept("(")) {
      args = this.#list(")");
      this.#expect(")");
    } else if (name !== "length") throw this.#fail();
    return { kind: "builtin", name, args, line };
  }

  #getline(): Expression {
    this.#advance();
    const target = this.#optionalTarget();
    if (!this.#accept("<")) return { kind: "getline", from: "input", ...(target && { target }) };
    const source = this.#concatenation({ noGreater: true, noPipe: true, noIn: true }, true);
    return { kind: "getline", from: "file", source, ...(target && { target }) };
  }

  #operatorPrimary(token: Token, limits: Limits): Expression {
    switch (token.text) {
      case "$": {
        this.#advance();
        if (this.#is("++") || this.#is("--")) {
          const by = this.#advance().text === "++" ? 1 : -1;
          const target = this.#primary(limits);
          if (!isTarget(target)) throw this.#fail();
          return { kind: "field", index: { kind: "increment", by, prefix: true, target } };
        }
        if (this.#is("-") || this.#is("+") || this.#is("!")) {
          const operator = this.#advance().text;
          return {
            kind: "field",
            index: { kind: "unary", operator, operand: this.#primary(limits) },
          };
        }
        return { kind: "field", index: this.#primary(limits) };
      }
      case "++":
      case "--": {
        this.#advance();
        const target = this.#primary(limits);
        if (!isTarget(target)) throw this.#fail();
        return { kind: "increment", by: token.text === "++" ? 1 : -1, prefix: true, target };
      }
      case "/":
      case "/=": {
        const source = this.#lexer.regex(token.text);
        this.#advance();
        return { kind: "regex", source };
      }
      case "(": {
        this.#advance();
        const list = this.#list(")");
        this.#expect(")");
        if (list.length === 0) throw this.#fail();
        if (list.length === 1) return { kind: "group", body: list[0]! };
        // A list is the subscripts of `in`, or all of print's arguments.
        return { kind: "in", subscripts: list, array: "", slot: { local: -1 } };
      }
      default:
        throw this.#fail();
    }
  }
}

function isTarget(value: Expression): value is Target {
  return value.kind === "variable" || value.kind === "field" || value.kind === "element";
}
