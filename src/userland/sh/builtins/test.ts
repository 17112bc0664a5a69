/** `test` and `[`: POSIX's rules by the number of arguments, dash's grammar beyond four. */
import { parseNumber } from "../arithmetic-parser.js";
import { compareNumbers, isSet } from "../conditions.js";
import { compareFiles, fileOperators, testFile } from "../file-tests.js";
import { limits } from "../limits.js";
import type { Builtin, BuiltinCall } from "./builtin.js";

const numberOperators = new Set(["-eq", "-ne", "-lt", "-le", "-gt", "-ge"]);
const fileComparisons = new Set(["-nt", "-ot", "-ef"]);
const textOperators = new Set(["=", "==", "!=", "<", ">"]);

function isBinary(text: string | undefined): boolean {
  return (
    text !== undefined &&
    (numberOperators.has(text) || fileComparisons.has(text) || textOperators.has(text))
  );
}

class Test {
  #at = 0;
  #depth = 0;

  constructor(
    readonly call: BuiltinCall,
    readonly args: readonly string[],
  ) {}

  run(): boolean {
    const { args } = this;
    switch (args.length) {
      case 0:
        return false;
      case 1:
        return args[0] !== "";
      case 2:
        if (args[0] === "!") return args[1] === "";
        if (this.#isUnary(args[0]!)) return this.#unary(args[0]!, args[1]!);
        return this.#fail(`${args[0]}: unexpected operator`, `${args[0]}: unary operator expected`);
      case 3:
        if (isBinary(args[1])) return this.#binary(args[0]!, args[1]!, args[2]!);
        if (args[1] === "-a") return args[0] !== "" && args[2] !== "";
        if (args[1] === "-o") return args[0] !== "" || args[2] !== "";
        if (args[0] === "!") return !new Test(this.call, args.slice(1)).run();
        if (args[0] === "(" && args[2] === ")") return args[1] !== "";
        if (this.call.shell.bash) {
          return this.#fail("", `${args[1]}: binary operator expected`);
        }
        break;
      case 4:
        if (args[0] === "!") return !new Test(this.call, args.slice(1)).run();
        if (args[0] === "(" && args[3] === ")") return new Test(this.call, args.slice(1, 3)).run();
        break;
      default:
    }
    const result = this.#or();
    if (this.#at < args.length) {
      this.#fail(`${args[this.#at]}: unexpected operator`, "too many arguments");
    }
    return result;
  }

  #fail(message: string, bash: string): never {
    return this.call.fail(message, 2, { message: bash, status: 2 });
  }

  #or(): boolean {
    let result = this.#and();
    while (this.args[this.#at] === "-o") {
      this.#at += 1;
      result = this.#and() || result;
    }
    return result;
  }

  #and(): boolean {
    let result = this.#primary();
    while (this.args[this.#at] === "-a") {
      this.#at += 1;
      result = this.#primary() && result;
    }
    return result;
  }

  #primary(): boolean {
    const { args } = this;
    let negated = false;
    while (args[this.#at] === "!" && args.length > this.#at + 1 && !isBinary(args[this.#at + 1])) {
      this.#at += 1;
      negated = !negated;
    }
    return this.#plain() !== negated;
  }

  #plain(): boolean {
    const { args } = this;
    const first = args[this.#at];
    if (first === undefined) return this.#fail("argument expected", "argument expected");
    if (isBinary(args[this.#at + 1]) && args[this.#at + 2] !== undefined) {
      this.#at += 3;
      return this.#binary(first, args[this.#at - 2]!, args[this.#at - 1]!);
    }
    if (first === "(") {
      if (++this.#depth > limits.expressionDepth) {
        this.#fail("nested too deeply", "nested too deeply");
      }
      this.#at += 1;
      const result = this.#or();
      if (args[this.#at] !== ")") this.#fail("closing paren expected", "`)' expected");
      this.#at += 1;
      this.#depth -= 1;
      return result;
    }
    const operand = args[this.#at + 1];
    if (this.#isUnary(first) && operand !== undefined && operand !== "-a" && operand !== "-o") {
      this.#at += 2;
      return this.#unary(first, operand);
    }
    this.#at += 1;
    return first !== "";
  }

  #isUnary(text: string): boolean {
    if (!/^-.$/.test(text)) return false;
    if (text[1] === "R") return this.call.shell.bash;
    return "nz".includes(text[1]!) || "ov".includes(text[1]!) || fileOperators.has(text[1]!);
  }

  #unary(operator: string, operand: string): boolean {
    const { env, shell } = this.call;
    switch (operator) {
      case "-n":
        return operand !== "";
      case "-z":
        return operand === "";
      case "-o":
        return env.options.has(operand);
      case "-v":
        return isSet(env, operand);
      case "-R":
        return env.variables.own(operand)?.reference === true;
      default:
        return testFile(shell, env, operator[1]!, operand);
    }
  }

  #binary(left: string, operator: string, right: string): boolean {
    if (numberOperators.has(operator)) {
      return compareNumbers(this.#number(left), operator, this.#number(right));
    }
    if (fileComparisons.has(operator)) {
      return compareFiles(this.call.shell, this.call.env, left, operator, right);
    }
    switch (operator) {
      case "!=":
        return left !== right;
      case "<":
        return left < right;
      case ">":
        return left > right;
      default:
        return left === right;
    }
  }

  #number(text: string): bigint {
    const match = /^\s*([-+]?)(\d+)\s*$/.exec(text);
    if (match === null) {
      return this.#fail(`Illegal number: ${text}`, `${text}: integer expression expected`);
    }
    const value = parseNumber(match[2]!.replace(/^0+(?=\d)/, "")) ?? 0n;
    return match[1] === "-" ? -value : value;
  }
}

function test(call: BuiltinCall): number {
  return new Test(call, call.args).run() ? 0 : 1;
}

function bracket(call: BuiltinCall): number {
  if (call.args.at(-1) !== "]") {
    call.fail("missing ]", 2, { message: "missing `]'", status: 2 });
  }
  return new Test(call, call.args.slice(0, -1)).run() ? 0 : 1;
}

export const testBuiltins: Record<string, Builtin> = { test: { run: test }, "[": { run: bracket } };
