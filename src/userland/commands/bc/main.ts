/** Owns `bc`: its language, read statement by statement and run at once. Programs are hostile: depth is limited. */
import { CommandFailure, type Command, type CommandContext } from "../../command.js";
import { errorText } from "../../support/errors.js";
import { openInput, readAll } from "../../support/input.js";
import { parseOptions } from "../../support/options.js";
import { byteString } from "../../support/text.js";
import * as decimal from "./decimal.js";
import type { Decimal } from "./decimal.js";
import { arctangent, bessel, cosine, exponential, logarithm, sine } from "./functions.js";

const maxDepth = 500;
const maxArray = 16_777_216;
const lineWidth = 70;

class SyntaxFailure extends Error {}
class RuntimeFailure extends Error {}
class Halt extends Error {}

type Flow = "next" | "break" | "continue" | "return";
type Run = () => Flow;
type Evaluate = () => Decimal;

interface Reference {
  get(): Decimal;
  set(value: Decimal): void;
}

interface UserFunction {
  parameters: { name: string; array: boolean }[];
  locals: { name: string; array: boolean }[];
  body: Run;
  isVoid: boolean;
}

export const main: Command = (context) => {
  const options = parseOptions(context, "chilqsvw", {
    mathlib: "l",
    quiet: "q",
    standard: "s",
    warn: "w",
    interactive: "i",
  });
  const machine = new Machine(context, options.has("l"));
  try {
    for (const name of options.operands) {
      let text: string;
      try {
        text = byteString(readAll(openInput(context, name)));
      } catch (error) {
        throw new CommandFailure(`File ${name} is unavailable: ${errorText(error)}`);
      }
      machine.run(text);
    }
    machine.run(byteString(readAll(openInput(context, "-"))));
  } catch (error) {
    if (!(error instanceof Halt)) throw error;
  }
  return 0;
};

const tokenPattern =
  /\s*(?:(\n)|(\/\*[^]*?\*\/|#[^\n]*|\\\n)|"([^"]*)"|(\d[\dA-F]*(?:\.[\dA-F]*)?|[A-F][\dA-F]*(?:\.[\dA-F]*)?|\.[\dA-F]+)|([a-z][a-z0-9_]*)|(\+\+|--|[-+*/%^]=|[<>=!]=|&&|\|\||[-+*/%^<>=!;,(){}[\].]))/y;

type Token =
  | { kind: "newline" | "end"; text: string; line: number }
  | { kind: "string" | "number" | "name" | "operator"; text: string; line: number };

class Machine {
  readonly #variables = new Map<string, Decimal>();
  readonly #arrays = new Map<string, Map<number, Decimal>>();
  readonly #functions = new Map<string, UserFunction>();
  #scale = 0;
  #ibase = 10;
  #obase = 10;
  #last: Decimal = decimal.zero;
  #returned: Decimal = decimal.zero;
  #tokens: Token[] = [];
  #at = 0;
  #depth = 0;
  #column = 0;
  #inFunction = false;

  constructor(
    private readonly context: CommandContext,
    private readonly mathLibrary: boolean,
  ) {
    if (mathLibrary) this.#scale = 20;
  }

  run(text: string): void {
    this.#tokens = this.#split(text);
    this.#at = 0;
    while (this.#token().kind !== "end") {
      const start = this.#at;
      try {
        if (this.#is("\n") || this.#is(";")) {
          this.#at++;
          continue;
        }
        if (this.#token().text === "define" && this.#token().kind === "name") this.#define();
        else {
          const flow = this.#statement();
          // A line is parsed as a whole before any of it is run.
          const runs = [flow];
          while (this.#is(";")) {
            this.#at++;
            if (!this.#ends()) runs.push(this.#statement());
          }
          if (!this.#ends()) throw new SyntaxFailure();
          for (const each of runs) each();
        }
      } catch (error) {
        this.#recover(error, start);
      }
    }
  }

  #ends(): boolean {
    return this.#is("\n") || this.#is(";") || this.#token().kind === "end";
  }

  #recover(error: unknown, start: number): void {
    if (error instanceof SyntaxFailure) {
      this.context.writeError(
        `(standard_in) ${this.#tokens[Math.max(start, this.#at)]?.line ?? 1}: syntax error\n`,
      );
    } else if (
      error instanceof RuntimeFailure ||
      error instanceof decimal.DivisionByZero ||
      error instanceof CommandFailure
    ) {
      const text = error instanceof decimal.DivisionByZero ? "Divide by zero" : error.message;
      this.context.writeError(`Runtime error (func=(main), adr=3): ${text}\n`);
    } else throw error;
    this.#depth = 0;
    while (!this.#is("\n") && this.#token().kind !== "end") this.#at++;
  }

  #split(text: string): Token[] {
    const tokens: Token[] = [];
    let line = 1;
    const source = text.replace(/\r/g, "");
    for (let at = 0; at < source.length;) {
      if (source[at] === " " || source[at] === "\t") {
        at++;
        continue;
      }
      if (source[at] === "\n") {
        tokens.push({ kind: "newline", text: "\n", line: line++ });
        at++;
        continue;
      }
      tokenPattern.lastIndex = at;
      const match = tokenPattern.exec(source);
      if (match === null || match[1] !== undefined) {
        this.context.writeError(`(standard_in) ${line}: illegal character: ${source[at]}\n`);
        at++;
        continue;
      }
      at = tokenPattern.lastIndex;
      const [, , blank, string, number, name, operator] = match;
      if (string !== undefined) tokens.push({ kind: "string", text: string, line });
      else if (number !== undefined) tokens.push({ kind: "number", text: number, line });
      else if (name !== undefined) tokens.push({ kind: "name", text: name, line });
      else if (operator !== undefined) tokens.push({ kind: "operator", text: operator, line });
      line += ((blank ?? string ?? "").match(/\n/g) ?? []).length;
    }
    tokens.push({ kind: "end", text: "", line });
    return tokens;
  }

  #token(): Token {
    return this.#tokens[this.#at]!;
  }

  #is(text: string): boolean {
    const token = this.#token();
    return token.text === text && (token.kind === "operator" || token.kind === "newline");
  }

  #isWord(text: string): boolean {
    return this.#token().kind === "name" && this.#token().text === text;
  }

  #accept(text: string): boolean {
    if (!this.#is(text)) return false;
    this.#at++;
    return true;
  }

  #expect(text: string): void {
    if (!this.#accept(text)) throw new SyntaxFailure();
  }

  #newlines(): void {
    while (this.#is("\n")) this.#at++;
  }

  // Statements.

  #define(): void {
    this.#at++;
    const isVoid = this.#isWord("void") && this.#tokens[this.#at + 1]?.kind === "name";
    if (isVoid) this.#at++;
    const name = this.#name();
    const list = (): { name: string; array: boolean }[] => {
      const names: { name: string; array: boolean }[] = [];
      while (this.#token().kind === "name" || this.#is("*")) {
        this.#accept("*");
        const each = this.#name();
        const array = this.#accept("[");
        if (array) this.#expect("]");
        names.push({ name: each, array });
        if (!this.#accept(",")) break;
      }
      return names;
    };
    this.#expect("(");
    const parameters = list();
    this.#expect(")");
    this.#newlines();
    this.#expect("{");
    this.#newlines();
    let locals: { name: string; array: boolean }[] = [];
    if (this.#isWord("auto")) {
      this.#at++;
      locals = list();
    }
    this.#inFunction = true;
    // Known before its body is read, so that it may call itself.
    const defined: UserFunction = { parameters, locals, body: () => "next", isVoid };
    this.#functions.set(name, defined);
    defined.body = this.#block();
    this.#inFunction = false;
  }

  #name(): string {
    const token = this.#token();
    if (token.kind !== "name") throw new SyntaxFailure();
    this.#at++;
    return token.text;
  }

  /** Up to the closing brace, which is passed. */
  #block(): Run {
    const body: Run[] = [];
    for (;;) {
      while (this.#is("\n") || this.#is(";")) this.#at++;
      if (this.#accept("}")) break;
      if (this.#token().kind === "end") throw new SyntaxFailure();
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
    if (++this.#depth > maxDepth) throw new SyntaxFailure();
    const run = this.#statementInside();
    this.#depth--;
    return run;
  }

  #statementInside(): Run {
    if (this.#accept("{")) return this.#block();
    const token = this.#token();
    if (token.kind === "string") {
      this.#at++;
      return () => {
        this.#out(token.text);
        return "next";
      };
    }
    if (token.kind === "name") {
      const keyword = this.#keyword(token.text);
      if (keyword !== undefined) return keyword;
    }
    const start = this.#at;
    const value = this.#expression();
    // An assignment is not shown, unless it stands in parentheses.
    const silent =
      this.#wasAssignment &&
      !(this.#tokens[start]!.text === "(" && this.#tokens[start]!.kind === "operator");
    const voidCall =
      this.#tokens[start]!.kind === "name" &&
      this.#functions.get(this.#tokens[start]!.text)?.isVoid === true;
    return () => {
      const result = value();
      if (!silent && !voidCall) {
        this.#last = result;
        this.#out(decimal.format(result, this.#obase));
        this.#out("\n");
      }
      return "next";
    };
  }

  #wasAssignment = false;

  #keyword(word: string): Run | undefined {
    switch (word) {
      case "if": {
        this.#at++;
        const test = this.#parenthesized();
        this.#newlines();
        const yes = this.#statement();
        const place = this.#at;
        while (this.#is("\n") || this.#is(";")) this.#at++;
        let no: Run | undefined;
        if (this.#isWord("else")) {
          this.#at++;
          this.#newlines();
          no = this.#statement();
        } else this.#at = place;
        return () => (test().value !== 0n ? yes() : (no?.() ?? "next"));
      }
      case "while": {
        this.#at++;
        const test = this.#parenthesized();
        this.#newlines();
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
        this.#at++;
        return () => word;
      case "return":
        return this.#return();
      case "quit":
        throw new Halt();
      case "halt":
        this.#at++;
        return () => {
          throw new Halt();
        };
      case "print":
        return this.#print();
      case "auto":
        throw new SyntaxFailure();
      case "limits":
      case "warranty":
        this.#at++;
        return () => {
          this.#out(
            "BC_BASE_MAX     = 2147483647\nBC_DIM_MAX      = 16777215\nBC_SCALE_MAX    = 2147483647\nBC_STRING_MAX   = 2147483647\n",
          );
          return "next";
        };
    }
    return undefined;
  }

  #return(): Run {
    this.#at++;
    if (!this.#inFunction) throw new SyntaxFailure();
    const value = this.#ends() || this.#is("}") ? undefined : this.#expression();
    return () => {
      this.#returned = value?.() ?? decimal.zero;
      return "return";
    };
  }

  #for(): Run {
    this.#at++;
    this.#expect("(");
    const first = this.#is(";") ? undefined : this.#expression();
    this.#expect(";");
    const test = this.#is(";") ? () => decimal.one : this.#expression();
    this.#expect(";");
    const step = this.#is(")") ? undefined : this.#expression();
    this.#expect(")");
    this.#newlines();
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
    this.#at++;
    const parts: (() => void)[] = [];
    do {
      const token = this.#token();
      if (token.kind === "string") {
        this.#at++;
        const text = token.text.replace(
          /\\([abfnrqt\\])/g,
          (_, letter: string) =>
            ({ a: "\x07", b: "\b", f: "\f", n: "\n", r: "\r", q: '"', t: "\t", "\\": "\\" })[
              letter
            ]!,
        );
        parts.push(() => this.#out(text));
      } else {
        const value = this.#expression();
        parts.push(() => this.#out(decimal.format(value(), this.#obase)));
      }
    } while (this.#accept(","));
    return () => {
      for (const part of parts) part();
      return "next";
    };
  }

  #parenthesized(): Evaluate {
    this.#expect("(");
    const value = this.#expression();
    this.#expect(")");
    return value;
  }

  /** Long numbers go on in the next line behind a backslash. */
  #out(text: string): void {
    const width = Number(this.context.env["BC_LINE_LENGTH"] ?? lineWidth);
    let output = "";
    for (const char of text) {
      if (char === "\n") this.#column = 0;
      else if (width > 2 && this.#column >= width - 2 && /[0-9A-Z.]/.test(char)) {
        output += "\\\n";
        this.#column = 1;
      } else this.#column++;
      output += char;
    }
    this.context.writeBytes(output);
  }

  // Expressions, from the loosest to the tightest.

  #expression(): Evaluate {
    if (++this.#depth > maxDepth) throw new SyntaxFailure();
    const value = this.#or();
    this.#depth--;
    return value;
  }

  #or(): Evaluate {
    let left = this.#and();
    while (this.#accept("||")) {
      const [a, b] = [left, this.#and()];
      this.#wasAssignment = false;
      left = () => truth(a().value !== 0n || b().value !== 0n);
    }
    return left;
  }

  #and(): Evaluate {
    let left = this.#not();
    while (this.#accept("&&")) {
      const [a, b] = [left, this.#not()];
      this.#wasAssignment = false;
      left = () => truth(a().value !== 0n && b().value !== 0n);
    }
    return left;
  }

  #not(): Evaluate {
    if (!this.#accept("!")) return this.#relation();
    const value = this.#not();
    this.#wasAssignment = false;
    return () => truth(value().value === 0n);
  }

  #relation(): Evaluate {
    let left = this.#assignment();
    for (;;) {
      const { text, kind } = this.#token();
      const holds = kind === "operator" ? relations[text] : undefined;
      if (holds === undefined) return left;
      this.#at++;
      const [a, b] = [left, this.#assignment()];
      this.#wasAssignment = false;
      left = () => truth(holds(decimal.compare(a(), b())));
    }
  }

  #assignment(): Evaluate {
    const start = this.#at;
    const reference = this.#reference();
    const { text, kind } = this.#token();
    if (reference !== undefined && kind === "operator" && /^[-+*/%^]?=$/.test(text)) {
      this.#at++;
      const value = this.#assignment();
      this.#wasAssignment = true;
      const operator = text.slice(0, -1);
      return () => {
        const result = operator === "" ? value() : this.#apply(operator, reference.get(), value());
        reference.set(result);
        return reference.get();
      };
    }
    this.#at = start;
    const value = this.#additive();
    this.#wasAssignment = false;
    return value;
  }

  #apply(operator: string, a: Decimal, b: Decimal): Decimal {
    switch (operator) {
      case "+":
        return decimal.add(a, b);
      case "-":
        return decimal.subtract(a, b);
      case "*":
        return decimal.multiply(a, b, this.#scale);
      case "/":
        return decimal.divide(a, b, this.#scale);
      case "%":
        return decimal.modulo(a, b, this.#scale);
      default:
        return decimal.power(a, b, this.#scale);
    }
  }

  #chain(operators: string, next: () => Evaluate): Evaluate {
    let left = next();
    for (;;) {
      const { text, kind } = this.#token();
      if (kind !== "operator" || text.length !== 1 || !operators.includes(text)) return left;
      this.#at++;
      const [a, b] = [left, next()];
      left = () => {
        const before = a();
        return this.#apply(text, before, b());
      };
    }
  }

  #additive(): Evaluate {
    return this.#chain("+-", () => this.#chain("*/%", () => this.#powers()));
  }

  #powers(): Evaluate {
    const base = this.#unary();
    if (!this.#accept("^")) return base;
    const exponent = this.#powers();
    return () => {
      const value = base();
      return this.#apply("^", value, exponent());
    };
  }

  /** A minus sign binds tighter than a power here. */
  #unary(): Evaluate {
    if (this.#accept("-")) {
      const value = this.#unary();
      return () => decimal.negate(value());
    }
    if (this.#accept("+")) return this.#unary();
    if (this.#is("++") || this.#is("--")) {
      const step = this.#token().text === "++" ? decimal.one : decimal.whole(-1);
      this.#at++;
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
    const token = this.#token();
    if (token.kind === "number") {
      this.#at++;
      const text = token.text;
      return () => decimal.parse(text, this.#ibase);
    }
    if (this.#accept("(")) {
      const value = this.#expression();
      this.#expect(")");
      return value;
    }
    if (
      token.kind === "name" &&
      this.#tokens[this.#at + 1]?.text === "(" &&
      this.#tokens[this.#at + 1]?.kind === "operator"
    ) {
      this.#at += 2;
      return this.#call(token.text);
    }
    const reference = this.#reference();
    if (reference === undefined) throw new SyntaxFailure();
    if (this.#is("++") || this.#is("--")) {
      const step = this.#token().text === "++" ? decimal.one : decimal.whole(-1);
      this.#at++;
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
    const start = this.#at;
    if (this.#accept(".")) {
      return { get: () => this.#last, set: (value) => (this.#last = value) };
    }
    const token = this.#token();
    if (token.kind !== "name" || keywords.has(token.text)) return undefined;
    this.#at++;
    if (this.#is("(")) {
      this.#at = start;
      return undefined;
    }
    const name = token.text;
    if (name === "scale")
      return {
        get: () => decimal.whole(this.#scale),
        set: (value) => (this.#scale = limited(value, 0, 100_000)),
      };
    if (name === "ibase")
      return {
        get: () => decimal.whole(this.#ibase),
        set: (value) => (this.#ibase = limited(value, 2, 16)),
      };
    if (name === "obase")
      return {
        get: () => decimal.whole(this.#obase),
        set: (value) => (this.#obase = limited(value, 2, 1_000_000_000)),
      };
    if (name === "last") return { get: () => this.#last, set: (value) => (this.#last = value) };
    if (this.#accept("[")) {
      if (this.#is("]")) {
        this.#at = start;
        return undefined;
      }
      const index = this.#expression();
      this.#expect("]");
      const place = () => {
        const value = index();
        const number = Number(value.value / decimal.tenTo(value.scale));
        if (number < 0 || number >= maxArray)
          throw new RuntimeFailure("Array subscript out of bounds.");
        return number;
      };
      return {
        get: () => this.#array(name).get(place()) ?? decimal.zero,
        set: (value) => void this.#array(name).set(place(), value),
      };
    }
    return {
      get: () => this.#variables.get(name) ?? decimal.zero,
      set: (value) => void this.#variables.set(name, value),
    };
  }

  #array(name: string): Map<number, Decimal> {
    let array = this.#arrays.get(name);
    if (array === undefined) this.#arrays.set(name, (array = new Map()));
    return array;
  }

  #call(name: string): Evaluate {
    const args: (Evaluate | string)[] = [];
    while (!this.#is(")")) {
      const next = this.#tokens[this.#at + 1];
      if (
        this.#token().kind === "name" &&
        next?.text === "[" &&
        this.#tokens[this.#at + 2]?.text === "]"
      ) {
        args.push(this.#token().text);
        this.#at += 3;
      } else args.push(this.#expression());
      if (!this.#accept(",")) break;
    }
    this.#expect(")");
    this.#wasAssignment = false;
    const values = args.filter((arg) => typeof arg !== "string");
    const builtin = this.#builtin(name);
    if (builtin !== undefined && !this.#functions.has(name)) {
      return () => builtin(values.map((value) => value()));
    }
    return () => this.#invoke(name, args);
  }

  #builtin(name: string): ((args: Decimal[]) => Decimal) | undefined {
    const first = (args: Decimal[]) => args[0] ?? decimal.zero;
    switch (name) {
      case "length":
        return (args) => {
          const { value, scale } = first(args);
          const digits = String(value < 0n ? -value : value).length;
          return decimal.whole(value === 0n ? Math.max(1, scale) : Math.max(digits, scale));
        };
      case "scale":
        return (args) => decimal.whole(first(args).scale);
      case "sqrt":
        return (args) => decimal.squareRoot(first(args), this.#scale);
      case "read":
        return () => decimal.zero;
      case "random":
        return () => decimal.whole(Math.floor(Math.random() * 32768));
    }
    if (!this.mathLibrary) return undefined;
    const library: Record<string, (args: Decimal[]) => Decimal> = {
      e: (args) => exponential(first(args), this.#scale),
      l: (args) => logarithm(first(args), this.#scale),
      s: (args) => sine(first(args), this.#scale),
      c: (args) => cosine(first(args), this.#scale),
      a: (args) => arctangent(first(args), this.#scale),
      j: (args) => bessel(first(args), args[1] ?? decimal.zero, this.#scale),
    };
    return Object.hasOwn(library, name) ? library[name] : undefined;
  }

  #invoke(name: string, args: (Evaluate | string)[]): Decimal {
    const called = this.#functions.get(name);
    if (called === undefined) throw new RuntimeFailure(`Function ${name} not defined.`);
    if (args.length !== called.parameters.length)
      throw new RuntimeFailure("Parameter number mismatch");
    if (++this.#depth > maxDepth) throw new RuntimeFailure("function calls nested too deeply");
    const given = args.map((arg) => (typeof arg === "string" ? new Map(this.#array(arg)) : arg()));
    const own = [...called.parameters, ...called.locals];
    const saved = own.map(({ name: each, array }) =>
      array ? this.#arrays.get(each) : this.#variables.get(each),
    );
    own.forEach(({ name: each, array }, at) => {
      const value = given[at];
      if (array) this.#arrays.set(each, value instanceof Map ? value : new Map());
      else
        this.#variables.set(
          each,
          value instanceof Map || value === undefined ? decimal.zero : value,
        );
    });
    this.#returned = decimal.zero;
    try {
      called.body();
    } finally {
      own.forEach(({ name: each, array }, at) => {
        const value = saved[at];
        if (array) {
          if (value instanceof Map) this.#arrays.set(each, value);
          else this.#arrays.delete(each);
        } else if (value !== undefined && !(value instanceof Map)) this.#variables.set(each, value);
        else this.#variables.delete(each);
      });
      this.#depth--;
    }
    const result = this.#returned;
    this.#returned = decimal.zero;
    return result;
  }
}

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

function limited(value: Decimal, least: number, most: number): number {
  const number = Number(value.value / decimal.tenTo(value.scale));
  return Math.min(Math.max(number, least), most);
}
