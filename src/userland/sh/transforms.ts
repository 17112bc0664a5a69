/** Owns `${name@operator}`. */
import type { ParameterPart } from "./ast.js";
import { attributeLetters, describeVariable } from "./declarations.js";
import type { Environment } from "./environment.js";
import { ansiCEscape } from "./escapes.js";
import type { Interpreter } from "./interpreter.js";
import { mapValue } from "./parameter-operations.js";
import type { Value } from "./parameters.js";
import { doubleQuote, quoteAlways, quoteKey } from "./quoting.js";
import { textOfBytes } from "./text.js";
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
      return mapValue(value, unescape);
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

function unescape(text: string): string {
  let result = "";
  let bytes: number[] = [];
  const flush = (): void => {
    if (bytes.length > 0) result += textOfBytes(bytes);
    bytes = [];
  };
  for (let at = 0; at < text.length;) {
    const escape = text[at] === "\\" ? ansiCEscape(text, at + 1) : undefined;
    if (escape !== undefined && typeof escape.value === "number") bytes.push(escape.value);
    else {
      flush();
      result += escape === undefined ? text[at]! : escape.value;
    }
    at = escape === undefined ? at + 1 : escape.end;
  }
  flush();
  return result;
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
