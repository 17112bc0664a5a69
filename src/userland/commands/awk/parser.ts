/** Owns awk's grammar of rules, functions and statements. The program text is any text. */
import type { Case, Expression, Program, Redirect, Rule, Statement } from "./ast.js";
import { ExpressionParser, type Limits } from "./expression-parser.js";
import { Tokens } from "./tokens.js";

export class Parser {
  readonly #tokens: Tokens;
  readonly #expressions: ExpressionParser;
  readonly #program: Program = {
    begin: [],
    beginFile: [],
    endFile: [],
    rules: [],
    end: [],
    functions: new Map(),
  };

  constructor(text: string) {
    this.#tokens = new Tokens(text);
    this.#expressions = new ExpressionParser(this.#tokens);
  }

  parse(): Program {
    for (;;) {
      this.#tokens.skipTerminators();
      if (this.#tokens.token.kind === "end") break;
      this.#item();
    }
    return this.#program;
  }

  #item(): void {
    if (this.#tokens.accept("function")) return this.#function();
    const lists: Record<string, Statement[]> = {
      BEGIN: this.#program.begin,
      END: this.#program.end,
      BEGINFILE: this.#program.beginFile,
      ENDFILE: this.#program.endFile,
    };
    const list = this.#tokens.token.kind === "keyword" ? lists[this.#tokens.token.text] : undefined;
    if (list !== undefined) {
      this.#tokens.advance();
      this.#tokens.skipNewlines();
      list.push(this.#block());
      return;
    }
    const rule: Rule = {};
    if (!this.#tokens.is("{")) {
      rule.pattern = this.#expressions.expression({});
      if (this.#tokens.accept(",")) {
        this.#tokens.skipNewlines();
        rule.end = this.#expressions.expression({});
      }
    }
    if (this.#tokens.is("{")) rule.body = this.#block();
    this.#program.rules.push(rule);
  }

  #function(): void {
    const { kind, text: name } = this.#tokens.token;
    if (kind !== "name" && kind !== "function-name") throw this.#tokens.fail();
    this.#tokens.advance();
    this.#tokens.expect("(");
    const parameters: string[] = [];
    while (!this.#tokens.is(")")) {
      if (this.#tokens.token.kind !== "name") throw this.#tokens.fail();
      parameters.push(this.#tokens.advance().text);
      if (!this.#tokens.accept(",")) break;
      this.#tokens.skipNewlines();
    }
    this.#tokens.expect(")");
    this.#tokens.skipNewlines();
    if (this.#program.functions.has(name)) throw this.#tokens.fail(`function ${name} redefined`);
    this.#expressions.parameters = parameters;
    const body = this.#block();
    this.#expressions.parameters = [];
    this.#program.functions.set(name, { name, parameters, body });
  }

  #block(): Statement {
    this.#tokens.expect("{");
    const body: Statement[] = [];
    for (;;) {
      this.#tokens.skipTerminators();
      if (this.#tokens.accept("}")) return { kind: "block", body };
      if (this.#tokens.token.kind === "end") throw this.#tokens.fail();
      body.push(this.#statement());
    }
  }

  /** A simple statement's end: `;`, a newline, or what closes the block. */
  #end(): void {
    if (this.#tokens.is(";") || this.#tokens.token.kind === "newline") this.#tokens.advance();
    else if (!this.#tokens.is("}") && this.#tokens.token.kind !== "end") throw this.#tokens.fail();
  }

  /** The body of if, while and their like. */
  #body(): Statement {
    this.#tokens.skipNewlines();
    if (this.#tokens.accept(";")) return { kind: "block", body: [] };
    return this.#statement();
  }

  #statement(): Statement {
    this.#tokens.down();
    const statement = this.#statementInside();
    this.#tokens.up();
    return statement;
  }

  #statementInside(): Statement {
    if (this.#tokens.is("{")) return this.#block();
    if (this.#tokens.token.kind === "keyword") {
      switch (this.#tokens.token.text) {
        case "if":
          return this.#if();
        case "while": {
          this.#tokens.advance();
          const test = this.#parenthesized();
          return { kind: "while", test, body: this.#body() };
        }
        case "do": {
          this.#tokens.advance();
          const body = this.#body();
          this.#tokens.skipTerminators();
          this.#tokens.expect("while");
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
    this.#tokens.expect("(");
    const value = this.#expressions.expression({});
    this.#tokens.expect(")");
    return value;
  }

  #if(): Statement {
    this.#tokens.advance();
    const test = this.#parenthesized();
    const yes = this.#body();
    // Terminators may stand before else; without one the block skips them as well.
    this.#tokens.skipTerminators();
    if (!this.#tokens.accept("else")) return { kind: "if", test, yes };
    return { kind: "if", test, yes, no: this.#body() };
  }

  #for(): Statement {
    this.#tokens.advance();
    this.#tokens.expect("(");
    let first: Statement | undefined;
    if (!this.#tokens.is(";")) {
      first = this.#simple({ noIn: false });
      const value = first.kind === "expression" ? first.value : undefined;
      if (value?.kind === "in" && value.subscripts.length === 1 && this.#tokens.is(")")) {
        const variable = value.subscripts[0]!;
        if (
          variable.kind === "variable" ||
          variable.kind === "element" ||
          variable.kind === "field"
        ) {
          this.#tokens.advance();
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
    this.#tokens.expect(";");
    this.#tokens.skipNewlines();
    const test = this.#tokens.is(";") ? undefined : this.#expressions.expression({});
    this.#tokens.expect(";");
    this.#tokens.skipNewlines();
    const step = this.#tokens.is(")") ? undefined : this.#simple();
    this.#tokens.expect(")");
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
    this.#tokens.advance();
    const value = this.#parenthesized();
    this.#tokens.skipNewlines();
    this.#tokens.expect("{");
    const cases: Case[] = [];
    for (;;) {
      this.#tokens.skipTerminators();
      if (this.#tokens.accept("}")) return { kind: "switch", value, cases };
      const found: Case = { body: [] };
      if (this.#tokens.accept("case")) found.test = this.#expressions.unary({});
      else this.#tokens.expect("default");
      this.#tokens.expect(":");
      for (;;) {
        this.#tokens.skipTerminators();
        if (this.#tokens.is("case") || this.#tokens.is("default") || this.#tokens.is("}")) break;
        found.body.push(this.#statement());
      }
      cases.push(found);
    }
  }

  #simple(limits: Limits = {}): Statement {
    const { kind, text } = this.#tokens.token;
    if (kind !== "keyword")
      return { kind: "expression", value: this.#expressions.expression(limits) };
    switch (text) {
      case "print":
      case "printf":
        return this.#print();
      case "next":
      case "nextfile":
      case "break":
      case "continue":
        this.#tokens.advance();
        return { kind: text };
      case "exit":
      case "return": {
        this.#tokens.advance();
        const ends =
          this.#tokens.is(";") ||
          this.#tokens.is("}") ||
          this.#tokens.token.kind === "newline" ||
          this.#tokens.token.kind === "end";
        return ends ? { kind: text } : { kind: text, value: this.#expressions.expression({}) };
      }
      case "delete": {
        this.#tokens.advance();
        const array = this.#tokens.token.text;
        if (this.#tokens.token.kind !== "name") throw this.#tokens.fail();
        this.#tokens.advance();
        const slot = this.#expressions.slot(array);
        if (!this.#tokens.accept("[")) return { kind: "delete", array, slot };
        return { kind: "delete", array, slot, subscripts: this.#expressions.subscripts() };
      }
      default:
        return { kind: "expression", value: this.#expressions.expression(limits) };
    }
  }

  #print(): Statement {
    const format = this.#tokens.advance().text === "printf";
    let args: Expression[] = [];
    const limits: Limits = { noGreater: true, noPipe: true };
    const ends = () =>
      this.#tokens.is(";") ||
      this.#tokens.is("}") ||
      this.#tokens.is(">") ||
      this.#tokens.is(">>") ||
      this.#tokens.is("|") ||
      this.#tokens.token.kind === "newline" ||
      this.#tokens.token.kind === "end";
    if (!ends()) {
      args.push(this.#expressions.expression(limits));
      while (this.#tokens.accept(",")) {
        this.#tokens.skipNewlines();
        args.push(this.#expressions.expression(limits));
      }
      // print (a, b) > "file": the list in parentheses was read as one grouping.
      const [only] = args;
      if (args.length === 1 && only?.kind === "in" && only.array === "") args = only.subscripts;
    }
    let redirect: Redirect | undefined;
    const { text } = this.#tokens.token;
    if (this.#tokens.is(">") || this.#tokens.is(">>") || this.#tokens.is("|")) {
      this.#tokens.advance();
      redirect = {
        kind: text as ">",
        target: this.#expressions.ternary({ noGreater: true, noPipe: true, noIn: true }),
      };
    }
    return { kind: "print", args, format, ...(redirect && { redirect }) };
  }
}
