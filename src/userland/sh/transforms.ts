/** Owns `${name@operator}`. */
import type { ParameterPart } from "./ast.js";
import { attributeLetters, describeVariable } from "./declarations.js";
import type { Environment } from "./environment.js";
import { ansiCEscape, unescaped } from "./escapes.js";
import type { Interpreter } from "./interpreter.js";
import { mapValue } from "./parameter-operations.js";
import type { Value } from "./parameters.js";
import { doubleQuote, quoteAlways, quoteKey } from "./quoting.js";
import type { Variable } from "./variables.js";

export async function transformValue(
  shell: Interpreter,
  env: Environment,
  part: ParameterPart,
  operator: string,
  value: Value,
): Promise<Value> {
  const variable = env.variables.get(part.name);
  switch (operator) {
    case "Q":
      return mapValue(value, quoteAlways);
    case "U":
      return mapValue(value, (text) => text.toUpperCase());
    case "u":
      return mapValue(value, (text) => text.slice(0, 1).toUpperCase() + text.slice(1));
    case "L":
      return mapValue(value, (text) => text.toLowerCase());
    case "E":
      return mapValue(value, (text) => unescaped(text, (at) => ansiCEscape(text, at)).text);
    case "P":
      return promptOf(shell, env, value);
    case "a": {
      const letters = variable === undefined ? "" : attributeLetters(variable);
      if (value === undefined) return variable === undefined ? undefined : letters;
      return mapValue(value, () => letters);
    }
    case "A":
      return assignmentOf(env, part, value);
    case "K":
    case "k":
      return keysAndValues(part, variable, value, operator === "K");
    default:
      return value;
  }
}

async function promptOf(shell: Interpreter, env: Environment, value: Value): Promise<Value> {
  if (value === undefined) return undefined;
  if (typeof value === "string") return shell.prompt(env, value);
  const items: string[] = [];
  for (const item of value.items) items.push(await shell.prompt(env, item));
  return { items, star: value.star };
}

/** A command that makes the variable again. */
function assignmentOf(env: Environment, part: ParameterPart, value: Value): Value {
  const { index, name } = part;
  if (value !== undefined && typeof value !== "string" && index === undefined) {
    return value.items.length === 0
      ? undefined
      : `set -- ${value.items.map(quoteAlways).join(" ")}`;
  }
  const variable = env.variables.get(name);
  if (variable === undefined) return undefined;
  const target = env.variables.target(name);
  if (typeof index === "string") return describeVariable(target, variable).trimEnd();
  const letters = attributeLetters(variable);
  if (value === undefined) return letters === "" ? undefined : `declare -${letters} ${target}`;
  const shown = `${target}=${quoteAlways(String(value))}`;
  return letters === "" ? shown : `declare -${letters} ${shown}`;
}

function keysAndValues(
  { index }: ParameterPart,
  variable: Variable | undefined,
  value: Value,
  quoted: boolean,
): Value {
  const array = variable?.array;
  if (typeof index !== "string" || array === undefined) return mapValue(value, quoteAlways);
  const star = index === "*";
  if (!quoted)
    return { items: array.entries().flatMap(([key, text]) => [String(key), text]), star };
  const pairs = array
    .entries()
    .map(
      ([key, text]) => `${array.associative ? quoteKey(String(key)) : key} ${doubleQuote(text)}`,
    );
  return pairs.join(" ") + (array.associative ? " " : "");
}
