/**
 * Owns the values of parameters: positional, special, variables and elements of
 * arrays; and arithmetic's view of them.
 */
import type { ArithmeticScope } from "./arithmetic.js";
import { evaluateArithmetic } from "./arithmetic.js";
import { ShellError } from "./control.js";
import type { Environment } from "./environment.js";

/** `$@`, `$*` and their array forms. */
export interface List {
  readonly items: readonly string[];
  /** Joined when quoted. */
  readonly star: boolean;
}

export type Value = string | List | undefined;

export function parameterValue(env: Environment, name: string): Value {
  const first = name.charCodeAt(0);
  if (first >= 0x30 && first <= 0x39) {
    const position = Number(name);
    return position === 0 ? env.name : env.positional[position - 1];
  }
  switch (name) {
    case "@":
      return { items: env.positional, star: false };
    case "*":
      return { items: env.positional, star: true };
    case "#":
      return String(env.positional.length);
    case "?":
      return String(env.status);
    case "$":
      return String(env.shellPid);
    case "!":
      return env.backgroundPid === undefined ? undefined : String(env.backgroundPid);
    case "-":
      return env.options.letters(env.shell.bash);
    case "LINENO":
      if (!env.shell.bash) return String(env.line);
      break;
    default:
  }
  // Read once: some variables are another one each time.
  const variable = env.variables.get(name);
  if (variable?.reference !== true) {
    const array = variable?.array;
    return array === undefined ? variable?.value : array.get(array.associative ? "0" : 0);
  }
  const element = env.variables.referencedElement(name);
  if (element === undefined) return undefined;
  const [, array, key] = element;
  if (key === "@" || key === "*") return listOfArray(env, array!, key === "*");
  return elementValue(env, array!, key!);
}

/** The value of `${name[index]}`. */
export function elementValue(env: Environment, name: string, key: string): string | undefined {
  const variable = env.variables.get(name);
  if (variable?.array?.associative === true) return variable.array.get(key);
  const index = arrayIndex(env, name, key);
  if (variable?.array !== undefined) return variable.array.get(index);
  return index === 0 ? variable?.value : undefined;
}

export function listOfArray(env: Environment, name: string, star: boolean): List {
  const variable = env.variables.get(name);
  if (variable?.array !== undefined) return { items: variable.array.values(), star };
  return { items: variable?.value === undefined ? [] : [variable.value], star };
}

export function arrayKeys(env: Environment, name: string): string[] {
  const variable = env.variables.get(name);
  if (variable?.array !== undefined) return variable.array.keys().map(String);
  return variable?.value === undefined ? [] : ["0"];
}

/** The number that the text between the brackets is; negative ones count from the end. */
function arrayIndex(env: Environment, name: string, text: string): number {
  const index = Number(evaluateArithmetic(text, arithmeticScope(env, true)));
  return index >= 0 ? index : indexFromEnd(env, name, index);
}

function indexFromEnd(env: Environment, name: string, index: number): number {
  const fromEnd = (env.variables.get(name)?.array?.nextIndex() ?? 0) + index;
  if (fromEnd < 0) throw new ShellError(`${name}: bad array subscript`);
  return fromEnd;
}

export function elementKey(env: Environment, name: string, text: string): string | number {
  if (env.variables.get(name)?.array?.associative !== true) {
    if (text === "@" || text === "*") throw new ShellError(`${name}[${text}]: bad array subscript`);
    return arrayIndex(env, name, text);
  }
  if (text === "") throw new ShellError(`${name}[${text}]: bad array subscript`);
  return text;
}

/** Arithmetic over an environment's variables. */
export function arithmeticScope(env: Environment, bash: boolean): ArithmeticScope {
  return {
    bash,
    nounset: env.options.has("nounset"),
    read: (name, key) => {
      if (key === undefined) {
        if (name === "LINENO") return String(env.line);
        const value = parameterValue(env, name);
        return typeof value === "string" ? value : undefined;
      }
      const index = typeof key === "number" && key < 0 ? indexFromEnd(env, name, key) : key;
      return (
        env.variables.get(name)?.array?.get(index) ??
        (index === 0 ? env.variables.value(name) : undefined)
      );
    },
    write: (name, key, value) => {
      if (key === undefined) env.assign(name, value);
      else {
        const index = typeof key === "number" && key < 0 ? indexFromEnd(env, name, key) : key;
        env.variables.setElement(name, index, value);
      }
    },
    isAssociative: (name) => env.variables.get(name)?.array?.associative === true,
  };
}
