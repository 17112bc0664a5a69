/** Owns what a program of bc runs on: its variables, arrays and functions, the scale and bases, and what it prints. */
import type { CommandContext } from "../../command.js";
import * as decimal from "./decimal.js";
import type { Decimal } from "./decimal.js";
import { RuntimeFailure } from "./failures.js";
import { arctangent, bessel, cosine, exponential, logarithm, sine } from "./functions.js";

/** Calls within calls: so that no program exhausts the stack. */
const maxDepth = 500;
const lineWidth = 70;

export type Flow = "next" | "break" | "continue" | "return";
export type Run = () => Flow;
export type Evaluate = () => Decimal;

export interface Reference {
  get(): Decimal;
  set(value: Decimal): void;
}

export interface UserFunction {
  parameters: { name: string; array: boolean }[];
  locals: { name: string; array: boolean }[];
  body: Run;
  isVoid: boolean;
}

export class Machine {
  readonly variables = new Map<string, Decimal>();
  readonly #arrays = new Map<string, Map<number, Decimal>>();
  readonly functions = new Map<string, UserFunction>();
  scale = 0;
  ibase = 10;
  obase = 10;
  last: Decimal = decimal.zero;
  returned: Decimal = decimal.zero;
  #depth = 0;
  #column = 0;

  constructor(
    private readonly context: CommandContext,
    private readonly mathLibrary: boolean,
  ) {
    if (mathLibrary) this.scale = 20;
  }

  /** A line was given up, wherever it was. */
  recover(): void {
    this.#depth = 0;
  }

  array(name: string): Map<number, Decimal> {
    let array = this.#arrays.get(name);
    if (array === undefined) this.#arrays.set(name, (array = new Map()));
    return array;
  }

  apply(operator: string, a: Decimal, b: Decimal): Decimal {
    switch (operator) {
      case "+":
        return decimal.add(a, b);
      case "-":
        return decimal.subtract(a, b);
      case "*":
        return decimal.multiply(a, b, this.scale);
      case "/":
        return decimal.divide(a, b, this.scale);
      case "%":
        return decimal.modulo(a, b, this.scale);
      default:
        return decimal.power(a, b, this.scale);
    }
  }

  builtin(name: string): ((args: Decimal[]) => Decimal) | undefined {
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
        return (args) => decimal.squareRoot(first(args), this.scale);
      case "read":
        return () => decimal.zero;
      case "random":
        return () => decimal.whole(Math.floor(Math.random() * 32768));
    }
    if (!this.mathLibrary) return undefined;
    const library: Record<string, (args: Decimal[]) => Decimal> = {
      e: (args) => exponential(first(args), this.scale),
      l: (args) => logarithm(first(args), this.scale),
      s: (args) => sine(first(args), this.scale),
      c: (args) => cosine(first(args), this.scale),
      a: (args) => arctangent(first(args), this.scale),
      j: (args) => bessel(first(args), args[1] ?? decimal.zero, this.scale),
    };
    return Object.hasOwn(library, name) ? library[name] : undefined;
  }

  invoke(name: string, args: (Evaluate | string)[]): Decimal {
    const called = this.functions.get(name);
    if (called === undefined) throw new RuntimeFailure(`Function ${name} not defined.`);
    if (args.length !== called.parameters.length)
      throw new RuntimeFailure("Parameter number mismatch");
    if (++this.#depth > maxDepth) throw new RuntimeFailure("function calls nested too deeply");
    const given = args.map((arg) => (typeof arg === "string" ? new Map(this.array(arg)) : arg()));
    const own = [...called.parameters, ...called.locals];
    const saved = own.map(({ name: each, array }) =>
      array ? this.#arrays.get(each) : this.variables.get(each),
    );
    own.forEach(({ name: each, array }, at) => {
      const value = given[at];
      if (array) this.#arrays.set(each, value instanceof Map ? value : new Map());
      else
        this.variables.set(
          each,
          value instanceof Map || value === undefined ? decimal.zero : value,
        );
    });
    this.returned = decimal.zero;
    try {
      called.body();
    } finally {
      own.forEach(({ name: each, array }, at) => {
        const value = saved[at];
        if (array) {
          if (value instanceof Map) this.#arrays.set(each, value);
          else this.#arrays.delete(each);
        } else if (value !== undefined && !(value instanceof Map)) this.variables.set(each, value);
        else this.variables.delete(each);
      });
      this.#depth--;
    }
    const result = this.returned;
    this.returned = decimal.zero;
    return result;
  }

  /** Long numbers go on in the next line behind a backslash. */
  out(text: string): void {
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
}
