/** Owns the evaluation of arithmetic over the variables of an environment. */
import type { Expression, VariableExpression } from "./arithmetic-parser.js";
import { arithmeticError, parseArithmetic, parseNumber } from "./arithmetic-parser.js";
import { ShellError } from "./control.js";
import { limits } from "./limits.js";

/** What an expression may read and change. */
export interface ArithmeticScope {
  readonly bash: boolean;
  readonly nounset: boolean;
  read(name: string, key: string | number | undefined): string | undefined;
  write(name: string, key: string | number | undefined, value: string): void;
  isAssociative(name: string): boolean;
}

export function evaluateArithmetic(text: string, scope: ArithmeticScope, depth = 0): bigint {
  if (depth > limits.expressionDepth) {
    throw arithmeticError("nested too deeply", text, "expression recursion level exceeded", 0);
  }
  return new Evaluation(text, scope, depth).value(parseArithmetic(text, scope.bash));
}

class Evaluation {
  constructor(
    readonly text: string,
    readonly scope: ArithmeticScope,
    readonly depth: number,
  ) {}

  value(expression: Expression): bigint {
    switch (expression.kind) {
      case "number":
        return expression.value;
      case "variable":
        return this.#read(expression);
      case "unary":
        return this.#unary(expression.operator, this.value(expression.operand));
      case "step": {
        const old = this.#read(expression.target);
        const changed = BigInt.asIntN(64, old + expression.by);
        this.#write(expression.target, changed);
        return expression.prefix ? changed : old;
      }
      case "conditional":
        return this.value(this.value(expression.condition) !== 0n ? expression.yes : expression.no);
      case "assignment": {
        const { target, operator } = expression;
        const operand = this.value(expression.value);
        const value =
          operator === ""
            ? operand
            : this.#binary(operator, this.#read(target), operand, this.text.length - 1);
        this.#write(target, value);
        return value;
      }
      case "binary":
        return this.#chain(expression);
    }
  }

  /** Left-deep chains such as `1+1+1+…` are walked with a list instead of the stack. */
  #chain(expression: Extract<Expression, { kind: "binary" }>): bigint {
    const pending: (typeof expression)[] = [];
    let left: Expression = expression;
    while (left.kind === "binary") {
      pending.push(left);
      left = left.left;
    }
    let value = this.value(left);
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      if (next.operator === "&&") {
        value = value !== 0n && this.value(next.right) !== 0n ? 1n : 0n;
      } else if (next.operator === "||") {
        value = value !== 0n || this.value(next.right) !== 0n ? 1n : 0n;
      } else value = this.#binary(next.operator, value, this.value(next.right), next.at);
    }
    return value;
  }

  #unary(operator: string, value: bigint): bigint {
    switch (operator) {
      case "-":
        return BigInt.asIntN(64, -value);
      case "!":
        return value === 0n ? 1n : 0n;
      case "~":
        return ~value;
      default:
        return value;
    }
  }

  #binary(operator: string, left: bigint, right: bigint, at: number): bigint {
    const truth = (condition: boolean): bigint => (condition ? 1n : 0n);
    switch (operator) {
      case "+":
        return BigInt.asIntN(64, left + right);
      case "-":
        return BigInt.asIntN(64, left - right);
      case "*":
        return BigInt.asIntN(64, left * right);
      case "/":
      case "%":
        if (right === 0n) throw arithmeticError("division by zero", this.text, "division by 0", at);
        return BigInt.asIntN(64, operator === "/" ? left / right : left % right);
      case "**":
        if (right < 0n) {
          const words = "exponent less than 0";
          throw arithmeticError(words, this.text, words, at + 1);
        }
        return this.#power(left, right);
      case "<<":
        return BigInt.asIntN(64, left << (right & 63n));
      case ">>":
        return left >> (right & 63n);
      case "&":
        return left & right;
      case "|":
        return left | right;
      case "^":
        return left ^ right;
      case "<":
        return truth(left < right);
      case "<=":
        return truth(left <= right);
      case ">":
        return truth(left > right);
      case ">=":
        return truth(left >= right);
      case "==":
        return truth(left === right);
      case "!=":
        return truth(left !== right);
      default:
        return right;
    }
  }

  #power(base: bigint, exponent: bigint): bigint {
    let result = 1n;
    let square = base;
    for (let left = exponent; left > 0n; left >>= 1n) {
      if (left & 1n) result = BigInt.asIntN(64, result * square);
      square = BigInt.asIntN(64, square * square);
    }
    return result;
  }

  #key(target: VariableExpression): string | number | undefined {
    if (target.index === undefined) return undefined;
    if (this.scope.isAssociative(target.name)) return target.index;
    return Number(evaluateArithmetic(target.index, this.scope, this.depth + 1));
  }

  #read(target: VariableExpression): bigint {
    const text = this.scope.read(target.name, this.#key(target));
    if (text === undefined && this.scope.nounset) {
      throw new ShellError(`${target.name}: parameter not set`, 2, {
        message: `${target.name}: unbound variable`,
        ends: "shell",
      });
    }
    const trimmed = (text ?? "").trim();
    if (trimmed === "") return 0n;
    const negative = trimmed.startsWith("-");
    const unsigned = negative || trimmed.startsWith("+") ? trimmed.slice(1) : trimmed;
    const number = parseNumber(unsigned, this.scope.bash);
    if (number !== undefined) return negative ? -number : number;
    if (!this.scope.bash) throw new ShellError(`Illegal number: ${text}`);
    return evaluateArithmetic(trimmed, this.scope, this.depth + 1);
  }

  #write(target: VariableExpression, value: bigint): void {
    this.scope.write(target.name, this.#key(target), value.toString());
  }
}
