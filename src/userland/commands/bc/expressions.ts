/** Owns bc's expressions: read once, each becomes a function that the machine runs as often as it likes. */
import * as decimal from "./decimal.js";
import type { Decimal } from "./decimal.js";
import { RuntimeFailure, SyntaxFailure } from "./failures.js";
import { mostBase, mostScale, mostSubscript } from "./limits.js";
import type { Evaluate, Machine, Reference } from "./machine.js";
import type { Tokens } from "./tokens.js";

const keywords = new Set([
  "if",
  "else",
  "while",
  "for",
  "break",
  "continue",
  "return",
  "define",
  "auto",
  "print",
  "quit",
  "halt",
]);

const relations: Record<string, (order: number) => boolean> = {
  "<": (order) => order < 0,
  "<=": (order) => order <= 0,
  "==": (order) => order === 0,
  "!=": (order) => order !== 0,
  ">=": (order) => order >= 0,
  ">": (order) => order > 0,
};

function truth(value: boolean): Decimal {
  return value ? decimal.one : decimal.zero;
}

export class ExpressionParser {
  readonly #tokens: Tokens;
  readonly #machine: Machine;
  /** Whether what was read last is an assignment: it is not shown. */
  wasAssignment = false;

  constructor(tokens: Tokens, machine: Machine) {
    this.#tokens = tokens;
    this.#machine = machine;
  }

  // Expressions, from the loosest to the tightest.

  expression(): Evaluate {
    this.#tokens.down();
    const value = this.#or();
    this.#tokens.up();
    return value;
  }

  #or(): Evaluate {
    let left = this.#and();
    while (this.#tokens.accept("||")) {
      const [a, b] = [left, this.#and()];
      this.wasAssignment = false;
      left = () => truth(a().value !== 0n || b().value !== 0n);
    }
    return left;
  }

  #and(): Evaluate {
    let left = this.#not();
    while (this.#tokens.accept("&&")) {
      const [a, b] = [left, this.#not()];
      this.wasAssignment = false;
      left = () => truth(a().value !== 0n && b().value !== 0n);
    }
    return left;
  }

  #not(): Evaluate {
    if (!this.#tokens.accept("!")) return this.#relation();
    const value = this.#not();
    this.wasAssignment = false;
    return () => truth(value().value === 0n);
  }

  #relation(): Evaluate {
    let left = this.#assignment();
    for (;;) {
      const { text, kind } = this.#tokens.token;
      const holds = kind === "operator" ? relations[text] : undefined;
      if (holds === undefined) return left;
      this.#tokens.at++;
      const [a, b] = [left, this.#assignment()];
      this.wasAssignment = false;
      left = () => truth(holds(decimal.compare(a(), b())));
    }
  }

  #assignment(): Evaluate {
    const start = this.#tokens.at;
    const reference = this.#reference();
    const { text, kind } = this.#tokens.token;
    if (reference !== undefined && kind === "operator" && /^[-+*/%^]?=$/.test(text)) {
      this.#tokens.at++;
      const value = this.#assignment();
      this.wasAssignment = true;
      const operator = text.slice(0, -1);
      return () => {
        const result =
          operator === "" ? value() : this.#machine.apply(operator, reference.get(), value());
        reference.set(result);
        return reference.get();
      };
    }
    this.#tokens.at = start;
    const value = this.#additive();
    this.wasAssignment = false;
    return value;
  }

  #chain(operators: string, next: () => Evaluate): Evaluate {
    let left = next();
    for (;;) {
      const { text, kind } = this.#tokens.token;
      if (kind !== "operator" || text.length !== 1 || !operators.includes(text)) return left;
      this.#tokens.at++;
      const [a, b] = [left, next()];
      left = () => {
        const before = a();
        return this.#machine.apply(text, before, b());
      };
    }
  }

  #additive(): Evaluate {
    return this.#chain("+-", () => this.#chain("*/%", () => this.#powers()));
  }

  #powers(): Evaluate {
    const base = this.#unary();
    if (!this.#tokens.accept("^")) return base;
    const exponent = this.#powers();
    return () => {
      const value = base();
      return this.#machine.apply("^", value, exponent());
    };
  }

  /** A minus sign binds tighter than a power here. */
  #unary(): Evaluate {
    if (this.#tokens.accept("-")) {
      const value = this.#unary();
      return () => decimal.negate(value());
    }
    if (this.#tokens.accept("+")) return this.#unary();
    if (this.#tokens.is("++") || this.#tokens.is("--")) {
      const step = this.#tokens.token.text === "++" ? decimal.one : decimal.whole(-1);
      this.#tokens.at++;
      const reference = this.#reference();
      if (reference === undefined) throw new SyntaxFailure();
      return () => {
        reference.set(decimal.add(reference.get(), step));
        return reference.get();
      };
    }
    return this.#primary();
  }

  #primary(): Evaluate {
    const token = this.#tokens.token;
    if (token.kind === "number") {
      this.#tokens.at++;
      const text = token.text;
      return () => decimal.parse(text, this.#machine.ibase);
    }
    if (this.#tokens.accept("(")) {
      const value = this.expression();
      this.#tokens.expect(")");
      return value;
    }
    if (
      token.kind === "name" &&
      this.#tokens.next()?.text === "(" &&
      this.#tokens.next()?.kind === "operator"
    ) {
      this.#tokens.at += 2;
      return this.#call(token.text);
    }
    const reference = this.#reference();
    if (reference === undefined) throw new SyntaxFailure();
    if (this.#tokens.is("++") || this.#tokens.is("--")) {
      const step = this.#tokens.token.text === "++" ? decimal.one : decimal.whole(-1);
      this.#tokens.at++;
      return () => {
        const before = reference.get();
        reference.set(decimal.add(before, step));
        return before;
      };
    }
    return () => reference.get();
  }

  /** A variable, an element or one of the machine's own, or undefined without moving. */
  #reference(): Reference | undefined {
    const start = this.#tokens.at;
    if (this.#tokens.accept(".")) {
      return { get: () => this.#machine.last, set: (value) => (this.#machine.last = value) };
    }
    const token = this.#tokens.token;
    if (token.kind !== "name" || keywords.has(token.text)) return undefined;
    this.#tokens.at++;
    if (this.#tokens.is("(")) {
      this.#tokens.at = start;
      return undefined;
    }
    const name = token.text;
    if (name === "scale")
      return {
        get: () => decimal.whole(this.#machine.scale),
        set: (value) => (this.#machine.scale = limited(value, 0, mostScale)),
      };
    if (name === "ibase")
      return {
        get: () => decimal.whole(this.#machine.ibase),
        set: (value) => (this.#machine.ibase = limited(value, 2, 16)),
      };
    if (name === "obase")
      return {
        get: () => decimal.whole(this.#machine.obase),
        set: (value) => (this.#machine.obase = limited(value, 2, mostBase)),
      };
    if (name === "last")
      return { get: () => this.#machine.last, set: (value) => (this.#machine.last = value) };
    if (this.#tokens.accept("[")) {
      if (this.#tokens.is("]")) {
        this.#tokens.at = start;
        return undefined;
      }
      const index = this.expression();
      this.#tokens.expect("]");
      const place = () => {
        const value = index();
        const number = Number(value.value / decimal.tenTo(value.scale));
        if (number < 0 || number > mostSubscript)
          throw new RuntimeFailure("Array subscript out of bounds.");
        return number;
      };
      return {
        get: () => this.#machine.array(name).get(place()) ?? decimal.zero,
        set: (value) => void this.#machine.array(name).set(place(), value),
      };
    }
    return {
      get: () => this.#machine.variables.get(name) ?? decimal.zero,
      set: (value) => void this.#machine.variables.set(name, value),
    };
  }

  #call(name: string): Evaluate {
    const args: (Evaluate | string)[] = [];
    while (!this.#tokens.is(")")) {
      const next = this.#tokens.next();
      if (
        this.#tokens.token.kind === "name" &&
        next?.text === "[" &&
        this.#tokens.next(2)?.text === "]"
      ) {
        args.push(this.#tokens.token.text);
        this.#tokens.at += 3;
      } else args.push(this.expression());
      if (!this.#tokens.accept(",")) break;
    }
    this.#tokens.expect(")");
    this.wasAssignment = false;
    const values = args.filter((arg) => typeof arg !== "string");
    const builtin = this.#machine.builtin(name);
    if (builtin !== undefined && !this.#machine.functions.has(name)) {
      return () => builtin(values.map((value) => value()));
    }
    return () => this.#machine.invoke(name, args);
  }

  parenthesized(): Evaluate {
    this.#tokens.expect("(");
    const value = this.expression();
    this.#tokens.expect(")");
    return value;
  }
}

function limited(value: Decimal, least: number, most: number): number {
  const number = Number(value.value / decimal.tenTo(value.scale));
  return Math.min(Math.max(number, least), most);
}
