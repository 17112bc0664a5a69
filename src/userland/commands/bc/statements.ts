/** Owns bc's statements: read once, each becomes a function that the machine runs. */
import * as decimal from "./decimal.js";
import { ExpressionParser } from "./expressions.js";
import { Halt, SyntaxFailure } from "./failures.js";
import { limitsText } from "./limits.js";
import type { Evaluate, Machine, Run, UserFunction } from "./machine.js";
import type { Tokens } from "./tokens.js";

export class StatementParser {
  readonly #tokens: Tokens;
  readonly #machine: Machine;
  readonly #expressions: ExpressionParser;
  #inFunction = false;

  constructor(tokens: Tokens, machine: Machine) {
    this.#tokens = tokens;
    this.#machine = machine;
    this.#expressions = new ExpressionParser(tokens, machine);
  }

  /** The next line's statements, all of them before any is run; a definition is one of its own. */
  line(): Run[] {
    if (this.#tokens.isWord("define")) {
      this.#define();
      return [];
    }
    const runs = [this.#statement()];
    while (this.#tokens.accept(";")) if (!this.#tokens.ends()) runs.push(this.#statement());
    if (!this.#tokens.ends()) throw new SyntaxFailure();
    return runs;
  }

  #define(): void {
    this.#tokens.at++;
    const isVoid = this.#tokens.isWord("void") && this.#tokens.next()?.kind === "name";
    if (isVoid) this.#tokens.at++;
    const name = this.#tokens.name();
    const list = (): { name: string; array: boolean }[] => {
      const names: { name: string; array: boolean }[] = [];
      while (this.#tokens.token.kind === "name" || this.#tokens.is("*")) {
        this.#tokens.accept("*");
        const each = this.#tokens.name();
        const array = this.#tokens.accept("[");
        if (array) this.#tokens.expect("]");
        names.push({ name: each, array });
        if (!this.#tokens.accept(",")) break;
      }
      return names;
    };
    this.#tokens.expect("(");
    const parameters = list();
    this.#tokens.expect(")");
    this.#tokens.newlines();
    this.#tokens.expect("{");
    this.#tokens.newlines();
    let locals: { name: string; array: boolean }[] = [];
    if (this.#tokens.isWord("auto")) {
      this.#tokens.at++;
      locals = list();
    }
    this.#inFunction = true;
    // Known before its body is read, so that it may call itself.
    const defined: UserFunction = { parameters, locals, body: () => "next", isVoid };
    this.#machine.functions.set(name, defined);
    defined.body = this.#block();
    this.#inFunction = false;
  }

  /** Up to the closing brace, which is passed. */
  #block(): Run {
    const body: Run[] = [];
    for (;;) {
      while (this.#tokens.is("\n") || this.#tokens.is(";")) this.#tokens.at++;
      if (this.#tokens.accept("}")) break;
      if (this.#tokens.token.kind === "end") throw new SyntaxFailure();
      body.push(this.#statement());
    }
    return () => {
      for (const each of body) {
        const flow = each();
        if (flow !== "next") return flow;
      }
      return "next";
    };
  }

  #statement(): Run {
    this.#tokens.down();
    const run = this.#statementInside();
    this.#tokens.up();
    return run;
  }

  #statementInside(): Run {
    if (this.#tokens.accept("{")) return this.#block();
    const token = this.#tokens.token;
    if (token.kind === "string") {
      this.#tokens.at++;
      return () => {
        this.#machine.out(token.text);
        return "next";
      };
    }
    if (token.kind === "name") {
      const keyword = this.#keyword(token.text);
      if (keyword !== undefined) return keyword;
    }
    const start = this.#tokens.at;
    const value = this.#expressions.expression();
    // An assignment is not shown, unless it stands in parentheses.
    const silent =
      this.#expressions.wasAssignment &&
      !(this.#tokens.list[start]!.text === "(" && this.#tokens.list[start]!.kind === "operator");
    const voidCall =
      this.#tokens.list[start]!.kind === "name" &&
      this.#machine.functions.get(this.#tokens.list[start]!.text)?.isVoid === true;
    return () => {
      const result = value();
      if (!silent && !voidCall) {
        this.#machine.last = result;
        this.#machine.out(decimal.format(result, this.#machine.obase));
        this.#machine.out("\n");
      }
      return "next";
    };
  }

  #keyword(word: string): Run | undefined {
    switch (word) {
      case "if": {
        this.#tokens.at++;
        const test = this.#expressions.parenthesized();
        this.#tokens.newlines();
        const yes = this.#statement();
        const place = this.#tokens.at;
        while (this.#tokens.is("\n") || this.#tokens.is(";")) this.#tokens.at++;
        let no: Run | undefined;
        if (this.#tokens.isWord("else")) {
          this.#tokens.at++;
          this.#tokens.newlines();
          no = this.#statement();
        } else this.#tokens.at = place;
        return () => (test().value !== 0n ? yes() : (no?.() ?? "next"));
      }
      case "while": {
        this.#tokens.at++;
        const test = this.#expressions.parenthesized();
        this.#tokens.newlines();
        const body = this.#statement();
        return this.#loop(
          () => undefined,
          test,
          () => undefined,
          body,
        );
      }
      case "for":
        return this.#for();
      case "break":
      case "continue":
        this.#tokens.at++;
        return () => word;
      case "return":
        return this.#return();
      case "quit":
        throw new Halt();
      case "halt":
        this.#tokens.at++;
        return () => {
          throw new Halt();
        };
      case "print":
        return this.#print();
      case "auto":
        throw new SyntaxFailure();
      case "limits":
      case "warranty":
        this.#tokens.at++;
        return () => {
          this.#machine.out(limitsText);
          return "next";
        };
    }
    return undefined;
  }

  #return(): Run {
    this.#tokens.at++;
    if (!this.#inFunction) throw new SyntaxFailure();
    const value =
      this.#tokens.ends() || this.#tokens.is("}") ? undefined : this.#expressions.expression();
    return () => {
      this.#machine.returned = value?.() ?? decimal.zero;
      return "return";
    };
  }

  #for(): Run {
    this.#tokens.at++;
    this.#tokens.expect("(");
    const first = this.#tokens.is(";") ? undefined : this.#expressions.expression();
    this.#tokens.expect(";");
    const test = this.#tokens.is(";") ? () => decimal.one : this.#expressions.expression();
    this.#tokens.expect(";");
    const step = this.#tokens.is(")") ? undefined : this.#expressions.expression();
    this.#tokens.expect(")");
    this.#tokens.newlines();
    const body = this.#statement();
    return this.#loop(
      () => first?.(),
      test,
      () => step?.(),
      body,
    );
  }

  #loop(first: () => unknown, test: Evaluate, step: () => unknown, body: Run): Run {
    return () => {
      for (first(); test().value !== 0n; step()) {
        const flow = body();
        if (flow === "break") return "next";
        if (flow === "return") return flow;
      }
      return "next";
    };
  }

  #print(): Run {
    this.#tokens.at++;
    const parts: (() => void)[] = [];
    do {
      const token = this.#tokens.token;
      if (token.kind === "string") {
        this.#tokens.at++;
        const text = token.text.replace(
          /\\([abfnrqt\\])/g,
          (_, letter: string) =>
            ({ a: "\x07", b: "\b", f: "\f", n: "\n", r: "\r", q: '"', t: "\t", "\\": "\\" })[
              letter
            ]!,
        );
        parts.push(() => this.#machine.out(text));
      } else {
        const value = this.#expressions.expression();
        parts.push(() => this.#machine.out(decimal.format(value(), this.#machine.obase)));
      }
    } while (this.#tokens.accept(","));
    return () => {
      for (const part of parts) part();
      return "next";
    };
  }
}
