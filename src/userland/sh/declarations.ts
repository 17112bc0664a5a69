/** Owns the words in which bash prints variables: `declare -p`, `export -p`, `set`. */
import { doubleQuote, quoteKey, quoteIfNeeded } from "./quoting.js";
import type { ShellArray, Variable } from "./variables.js";

/** The letters of `declare`, in bash's order. */
export function attributeLetters(variable: Variable): string {
  const { array, letters } = variable;
  return [
    array !== undefined && !array.associative && "a",
    array?.associative === true && "A",
    variable.integer && "i",
    variable.reference && "n",
    variable.readonly && "r",
    variable.trace && "t",
    letters === "capital" && "c",
    letters === "lower" && "l",
    letters === "upper" && "u",
    variable.exported && "x",
  ]
    .filter(Boolean)
    .join("");
}

/** `(…)` with every element and its key. */
function listElements(array: ShellArray): string {
  const pairs = array.entries().map(([key, text]) => {
    const shown = array.associative ? quoteKey(String(key)) : String(key);
    return `[${shown}]=${doubleQuote(text)}`;
  });
  // bash leaves a blank behind the last pair of an associative array.
  return `(${pairs.join(" ")}${array.associative && pairs.length > 0 ? " " : ""})`;
}

/** The line of `declare -p`, with its newline. */
export function describeVariable(name: string, variable: Variable): string {
  const { array, value } = variable;
  const letters = attributeLetters(variable) || "-";
  let text = "";
  if (array !== undefined) text = array.assigned ? `=${listElements(array)}` : "";
  else if (value !== undefined) text = `=${doubleQuote(value)}`;
  return `declare -${letters} ${name}${text}\n`;
}

/** The line of `set`; `undefined` without a value. */
export function assignmentLine(name: string, { array, value }: Variable): string | undefined {
  if (array !== undefined) return `${name}=${listElements(array)}\n`;
  return value === undefined ? undefined : `${name}=${quoteIfNeeded(value)}\n`;
}
