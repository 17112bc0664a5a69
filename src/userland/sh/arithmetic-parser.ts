/**
 * Owns the grammar of arithmetic: C's expressions over 64-bit integers. The
 * text is hostile and its nesting is bounded; chains of operators of the same
 * precedence are loops, not recursion.
 */
import { ShellError } from "./control.js";
import { limits } from "./limits.js";

export type Expression =
  | { readonly kind: "number"; readonly value: bigint }
  | VariableExpression
  | { readonly kind: "unary"; readonly operator: string; readonly operand: Expression }
  | {
      readonly kind: "step";
      readonly by: bigint;
      readonly prefix: boolean;
      readonly target: VariableExpression;
    }
  | {
      readonly kind: "binary";
      readonly operator: string;
      readonly left: Expression;
      readonly right: Expression;
      /** Where the right operand begins, for bash's error. */
      readonly at: number;
    }
  | {
      readonly kind: "conditional";
      readonly condition: Expression;
      readonly yes: Expression;
      readonly no: Expression;
    }
  | {
      readonly kind: "assignment";
      /** "" for plain `=`, or the operator before the `=`. */
      readonly operator: string;
      readonly target: VariableExpression;
      readonly value: Expression;
    };

export interface VariableExpression {
  readonly kind: "variable";
  readonly name: string;
  /** Evaluated for indexed arrays, taken as it is for associative ones. */
  readonly index?: string;
}

const precedence = new Map<string, number>(
  [
    ",",
    "",
    "",
    "||",
    "&&",
    "|",
    "^",
    "&",
    "== !=",
    "< <= > >=",
    "<< >>",
    "+ -",
    "* / %",
    "**",
  ].flatMap((operators, level) =>
    operators === "" ? [] : operators.split(" ").map((operator) => [operator, level] as const),
  ),
);
const ASSIGNMENT_LEVEL = 1;
const POWER_LEVEL = 13;

const token =
  /\s*(?:(0[xX][0-9a-fA-F]+|\d+#[0-9a-zA-Z@_]+|\d+)|([A-Za-z_]\w*)|(<<=|>>=|\*\*|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|[-+*/%&|^<>=!~?:,()])|([\s\S]))/y;
const subscript = /\[((?:[^[\]]|\[[^[\]]*\])*)\]/y;
const saturated = 2n ** 63n - 1n;

/** Numbers too large saturate, as in dash, or wrap around, as in bash. */
export function parseNumber(text: string, wraps = false): bigint | undefined {
  const match = /^(0[xX][0-9a-fA-F]+|(\d+)#([0-9a-zA-Z@_]+)|\d+)$/.exec(text);
  if (match === null) return undefined;
  if (match[2] !== undefined) return inBase(Number(match[2]), match[3]!);
  let value: bigint;
  if (/^0\d/.test(text)) {
    if (/[89]/.test(text)) return undefined;
    value = BigInt(`0o${text.slice(1)}`);
  } else value = BigInt(text);
  if (wraps) return BigInt.asIntN(64, value);
  return value > saturated ? saturated : value;
}

function inBase(base: number, digits: string): bigint | undefined {
  if (base < 2 || base > 64) return undefined;
  const alphabet = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ@_";
  let value = 0n;
  for (const digit of base <= 36 ? digits.toLowerCase() : digits) {
    const worth = alphabet.indexOf(digit);
    if (worth < 0 || worth >= base) return undefined;
    value = BigInt.asIntN(64, value * BigInt(base) + BigInt(worth));
  }
  return value;
}

class ArithmeticParser {
  #position = 0;
  #token = "";
  #kind: "number" | "name" | "operator" | "other" | "end" = "end";
  #depth = 0;
  #tokenStart = 0;
  /** Where the token before this one began: bash's errors often name that. */
  #lastStart = 0;

  constructor(
    readonly text: string,
    readonly bash: boolean,
  ) {
    this.#advance();
  }

  parse(): Expression {
    if (this.#atEnd) return { kind: "number", value: 0n };
    const expression = this.#expression(0);
    if (!this.#atEnd) this.#fail("expecting EOF", this.#unexpected());
    return expression;
  }

  get #atEnd(): boolean {
    return this.#kind === "end";
  }

  #advance(): void {
    token.lastIndex = this.#position;
    const match = token.exec(this.text);
    this.#lastStart = this.#tokenStart;
    if (match === null || match[0].trim() === "") {
      this.#kind = "end";
      this.#token = "";
      this.#tokenStart = this.text.length;
      return;
    }
    this.#position = token.lastIndex;
    this.#tokenStart = this.#position - match[0].trimStart().length;
    this.#kind = match[1] ? "number" : match[2] ? "name" : match[3] ? "operator" : "other";
    this.#token = (match[1] ?? match[2] ?? match[3] ?? match[4])!;
  }

  /** `bash`: its words for the same, and where the token that it names begins. */
  #fail(
    message: string,
    bash: string,
    at = this.#atEnd ? this.#lastStart : this.#tokenStart,
  ): never {
    throw arithmeticError(message, this.text, bash, at);
  }

  #unexpected(): string {
    if (this.#kind === "other" || (this.#kind === "operator" && this.#token === "=")) {
      return this.#kind === "other"
        ? "syntax error: invalid arithmetic operator"
        : "attempted assignment to non-variable";
    }
    if (this.#kind === "operator" && isAssignment(this.#token)) {
      return "attempted assignment to non-variable";
    }
    return "syntax error in expression";
  }

  #isOperator(text: string): boolean {
    return this.#kind === "operator" && this.#token === text;
  }

  /** Precedence climbing; assignment and `?:` hang off their level. */
  #expression(level: number): Expression {
    if (++this.#depth > limits.expressionDepth)
      this.#fail("nested too deeply", "expression recursion level exceeded");
    let left = this.#unary();
    for (;;) {
      const operator = this.#kind === "operator" ? this.#token : "";
      if (operator === "?" && level <= ASSIGNMENT_LEVEL + 1) {
        left = this.#conditional(left);
        continue;
      }
      if (isAssignment(operator) && level <= ASSIGNMENT_LEVEL + 1 && left.kind === "variable") {
        this.#advance();
        const value = this.#expression(ASSIGNMENT_LEVEL);
        left = { kind: "assignment", operator: operator.slice(0, -1), target: left, value };
        continue;
      }
      const binds = precedence.get(operator);
      if (binds === undefined || binds < level) break;
      this.#advance();
      const at = this.#tokenStart;
      const right = this.#expression(binds === POWER_LEVEL ? binds : binds + 1);
      left = { kind: "binary", operator, left, right, at };
    }
    this.#depth -= 1;
    return left;
  }

  #conditional(condition: Expression): Expression {
    this.#advance();
    const yes = this.#expression(0);
    if (!this.#isOperator(":")) {
      this.#fail("expecting ':'", "`:' expected for conditional expression");
    }
    this.#advance();
    const no = this.#expression(ASSIGNMENT_LEVEL);
    return { kind: "conditional", condition, yes, no };
  }

  #unary(): Expression {
    const operators: string[] = [];
    while (this.#kind === "operator" && ["-", "+", "!", "~"].includes(this.#token)) {
      operators.push(this.#token);
      this.#advance();
    }
    let operand = this.#stepped();
    if (operators.length > limits.expressionDepth) {
      this.#fail("nested too deeply", "expression recursion level exceeded");
    }
    for (const operator of operators.reverse()) operand = { kind: "unary", operator, operand };
    return operand;
  }

  #stepped(): Expression {
    if (this.#isOperator("++") || this.#isOperator("--")) {
      const by = this.#token === "++" ? 1n : -1n;
      this.#advance();
      const target = this.#stepped();
      // `--5` is two signs.
      return target.kind === "variable" ? { kind: "step", by, prefix: true, target } : target;
    }
    const operand = this.#primary();
    if (operand.kind === "variable" && (this.#isOperator("++") || this.#isOperator("--"))) {
      const by = this.#token === "++" ? 1n : -1n;
      this.#advance();
      return { kind: "step", by, prefix: false, target: operand };
    }
    return operand;
  }

  #primary(): Expression {
    const text = this.#token;
    if (this.#kind === "number") {
      const value = parseNumber(text, this.bash);
      if (value === undefined) this.#fail("expecting EOF", numberFault(text));
      this.#advance();
      return { kind: "number", value: value as bigint };
    }
    if (this.#kind === "name") {
      subscript.lastIndex = this.#position;
      const index = subscript.exec(this.text)?.[1];
      if (index === undefined && this.bash && this.text[this.#position] === "[") {
        this.#fail("expecting EOF", "bad array subscript");
      }
      if (index !== undefined) this.#position = subscript.lastIndex;
      this.#advance();
      return index === undefined
        ? { kind: "variable", name: text }
        : { kind: "variable", name: text, index };
    }
    if (this.#isOperator("(")) {
      this.#advance();
      const inner = this.#expression(0);
      if (!this.#isOperator(")")) this.#fail("expecting ')'", "missing `)'");
      this.#advance();
      return inner;
    }
    const bash =
      this.#kind === "other"
        ? "syntax error: invalid arithmetic operator"
        : "syntax error: operand expected";
    return this.#fail("expecting primary", bash);
  }
}

function numberFault(text: string): string {
  const base = /^(\d+)#/.exec(text)?.[1];
  if (base !== undefined && (Number(base) < 2 || Number(base) > 64))
    return "invalid arithmetic base";
  return "value too great for base";
}

/** `at`: where the token begins that bash names. */
export function arithmeticError(
  message: string,
  text: string,
  bash: string,
  at: number,
): ArithmeticError {
  const shown = text.trimStart();
  return new ArithmeticError(`arithmetic expression: ${message}: "${text}"`, 2, {
    message: `${shown}: ${bash} (error token is "${text.slice(at)}")`,
  });
}

/** An expression that is wrong: `((`, `[[` and `let` put their name in front. */
export class ArithmeticError extends ShellError {}

function isAssignment(operator: string): boolean {
  return operator.endsWith("=") && !["==", "!=", "<=", ">="].includes(operator);
}

const caches = { bash: new Map<string, Expression>(), dash: new Map<string, Expression>() };

/** The tree of an expression; those of the last few hundred texts are kept, for loops. */
export function parseArithmetic(text: string, bash: boolean): Expression {
  const cache = bash ? caches.bash : caches.dash;
  let expression = cache.get(text);
  if (expression === undefined) {
    expression = new ArithmeticParser(text, bash).parse();
    if (cache.size >= 256) cache.clear();
    if (text.length <= 256) cache.set(text, expression);
  }
  return expression;
}
