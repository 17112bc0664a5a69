/** Owns the evaluation of `[[ … ]]`. */
import type { Condition } from "./ast.js";
import { evaluateArithmetic } from "./arithmetic.js";
import { ShellError } from "./control.js";
import type { Environment } from "./environment.js";
import { expandExpression, expandPattern, expandText } from "./expansion.js";
import { compareFiles, fileOperators, testFile } from "./file-tests.js";
import type { Interpreter } from "./interpreter.js";
import { arithmeticScope, elementValue, listOfArray } from "./parameters.js";
import { Pattern, compilePattern } from "./pattern.js";
import { regularExpression } from "./regular-expressions.js";
import { ShellArray } from "./variables.js";

export async function evaluateCondition(
  shell: Interpreter,
  env: Environment,
  condition: Condition,
): Promise<boolean> {
  switch (condition.kind) {
    case "not":
      return !(await evaluateCondition(shell, env, condition.operand));
    case "and":
      for (const operand of condition.operands) {
        if (!(await evaluateCondition(shell, env, operand))) return false;
      }
      return true;
    case "or":
      for (const operand of condition.operands) {
        if (await evaluateCondition(shell, env, operand)) return true;
      }
      return false;
    case "unary": {
      const operand = await expandText(shell, env, condition.operand);
      return testUnary(shell, env, condition.operator.slice(1), operand);
    }
    case "binary":
      return binary(shell, env, condition);
  }
}

function testUnary(shell: Interpreter, env: Environment, letter: string, operand: string): boolean {
  switch (letter) {
    case "n":
      return operand !== "";
    case "z":
      return operand === "";
    case "o":
      return env.options.has(operand);
    case "v":
      return isSet(env, operand);
    default:
      return fileOperators.has(letter) && testFile(shell, env, letter, operand);
  }
}

/** Also of `name[key]`. */
export function isSet(env: Environment, text: string): boolean {
  const element = /^([A-Za-z_]\w*)\[(.*)\]$/s.exec(text);
  if (element === null) {
    return (
      env.variables.value(text) !== undefined || (env.variables.get(text)?.array?.size ?? 0) > 0
    );
  }
  const [, name, key] = element;
  if (key === "@" || key === "*") return listOfArray(env, name!, false).items.length > 0;
  return elementValue(env, name!, key!) !== undefined;
}

async function binary(
  shell: Interpreter,
  env: Environment,
  { operator, left, right }: Extract<Condition, { kind: "binary" }>,
): Promise<boolean> {
  const subject = await expandText(shell, env, left);
  switch (operator) {
    case "=":
    case "==":
    case "!=": {
      const pattern = await expandPattern(shell, env, right);
      const ignoreCase = env.shellOptions.has("nocasematch");
      const compiled = ignoreCase ? new Pattern(pattern, true) : compilePattern(pattern);
      return compiled.matches(subject) === (operator !== "!=");
    }
    case "=~":
      return matchExpression(env, subject, await expandExpression(shell, env, right));
    case "<":
    case ">": {
      const other = await expandText(shell, env, right);
      return operator === "<" ? subject < other : subject > other;
    }
    case "-nt":
    case "-ot":
    case "-ef":
      return compareFiles(shell, env, subject, operator, await expandText(shell, env, right));
    default: {
      const scope = arithmeticScope(env, true);
      const a = evaluateArithmetic(subject, scope);
      const b = evaluateArithmetic(await expandText(shell, env, right), scope);
      return compareNumbers(a, operator, b);
    }
  }
}

export function compareNumbers(left: bigint, operator: string, right: bigint): boolean {
  switch (operator) {
    case "-eq":
      return left === right;
    case "-ne":
      return left !== right;
    case "-lt":
      return left < right;
    case "-le":
      return left <= right;
    case "-gt":
      return left > right;
    default:
      return left >= right;
  }
}

function matchExpression(env: Environment, subject: string, source: string): boolean {
  const expression = regularExpression(source, env.shellOptions.has("nocasematch"));
  if (expression === undefined) throw new ShellError("[[: invalid regular expression");
  const match = expression.exec(subject);
  const groups = (match ?? []).map((text, index) => [index, text ?? ""] as const);
  env.variables.setArray("BASH_REMATCH", new ShellArray(false, groups));
  return match !== null;
}
