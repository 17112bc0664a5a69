/** Owns the evaluation of `[[ … ]]`. */
import type { Condition } from "./ast.js";
import { evaluateArithmetic } from "./arithmetic.js";
import type { Environment } from "./environment.js";
import { expandExpression, expandPattern, expandText } from "./expansion.js";
import { compareFiles, fileOperators, testFile } from "./file-tests.js";
import type { Interpreter } from "./interpreter.js";
import { inLocale, isByteLocale, toBytes } from "./locale.js";
import { patternOf } from "./matching.js";
import { arithmeticScope, elementValue, listOfArray, parameterValue } from "./parameters.js";
import { quoteForTrace } from "./quoting.js";
import { regularExpression } from "./regular-expressions.js";
import { traceTest } from "./trace.js";
import { ShellArray, elementName } from "./variables.js";

/** `undefined` for a regular expression that is not valid. */
export async function evaluateCondition(
  shell: Interpreter,
  env: Environment,
  condition: Condition,
): Promise<boolean | undefined> {
  switch (condition.kind) {
    case "not": {
      const holds = await evaluateCondition(shell, env, condition.operand);
      return holds === undefined ? undefined : !holds;
    }
    case "and":
      for (const operand of condition.operands) {
        const holds = await evaluateCondition(shell, env, operand);
        if (holds !== true) return holds;
      }
      return true;
    case "or": {
      let holds: boolean | undefined = false;
      for (const operand of condition.operands) {
        holds = await evaluateCondition(shell, env, operand);
        if (holds === true) return true;
      }
      return holds;
    }
    case "unary": {
      const operand = await expandText(shell, env, condition.operand);
      if (env.options.has("xtrace") && shell.bash) {
        await traceTest(shell, env, [condition.operator, quoteForTrace(operand)]);
      }
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
    case "R":
      return env.variables.own(operand)?.reference === true;
    default:
      return fileOperators.has(letter) && testFile(shell, env, letter, operand);
  }
}

/** Also of `name[key]`. */
export function isSet(env: Environment, text: string): boolean {
  const element = elementName.exec(text);
  if (element === null) {
    if (/^\d+$/.test(text)) return parameterValue(env, text) !== undefined;
    if (!env.shell.bash && (env.variables.get(text)?.array?.size ?? 0) > 0) return true;
    return env.variables.value(text) !== undefined;
  }
  const [, name, key] = element;
  if (key === "@" || key === "*") return listOfArray(env, name!, false).items.length > 0;
  return elementValue(env, name!, key!) !== undefined;
}

async function binary(
  shell: Interpreter,
  env: Environment,
  { operator, left, right }: Extract<Condition, { kind: "binary" }>,
): Promise<boolean | undefined> {
  const subject = await expandText(shell, env, left);
  if (env.options.has("xtrace") && shell.bash) {
    const shown = right.source ?? (await expandText(shell, env, right));
    const pattern = right.parts.every(({ kind }) => kind === "text")
      ? shown
      : await expandPattern(shell, env, right);
    await traceTest(shell, env, [quoteForTrace(subject), operator, pattern]);
  }
  switch (operator) {
    case "=":
    case "==":
    case "!=": {
      const pattern = await expandPattern(shell, env, right);
      return patternOf(env, pattern, true).matches(subject) === (operator !== "!=");
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

/** `undefined` when the expression is not valid: then the status is 2. */
function matchExpression(env: Environment, subject: string, source: string): boolean | undefined {
  const bytes = isByteLocale(env);
  const expression = regularExpression(
    bytes ? toBytes(source) : source,
    env.shellOptions.has("nocasematch"),
  );
  if (expression === undefined) return undefined;
  const match = expression.exec(bytes ? toBytes(subject) : subject);
  const groups = (match ?? []).map((text) => inLocale(env, text ?? "", (local) => local));
  env.variables.setArray("BASH_REMATCH", ShellArray.of(groups));
  return match !== null;
}
