/**
 * Owns parameter expansion below the quoting: the values of parameters, and the
 * operators of `${…}` that work on values alone.
 */
import type { ParameterOperation } from "./ast.js";
import type { ArithmeticScope } from "./arithmetic.js";
import { evaluateArithmetic } from "./arithmetic.js";
import { ShellError } from "./control.js";
import type { Environment } from "./environment.js";
import { compilePattern } from "./pattern.js";
import type { ShellSystem } from "./system.js";

/** `$@`, `$*` and their array forms. */
export interface List {
  readonly items: readonly string[];
  /** Joined when quoted. */
  readonly star: boolean;
}

export type Value = string | List | undefined;

/** What `$name` needs beside the environment. */
export interface ParameterContext {
  readonly system: ShellSystem;
  readonly bash: boolean;
  readonly startMs: number;
}

export function parameterValue(context: ParameterContext, env: Environment, name: string): Value {
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
      return env.options.letters;
    case "LINENO":
      return String(env.line);
    case "RANDOM":
      if (context.bash) return String(Math.floor(Math.random() * 32768));
      break;
    case "SECONDS":
      if (context.bash)
        return String(Math.floor((context.system.nowMs() - context.startMs) / 1000));
      break;
    default:
  }
  return env.variables.value(name);
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
export function arrayIndex(env: Environment, name: string, text: string): number {
  const index = Number(evaluateArithmetic(text, arithmeticScope(env, true)));
  if (index >= 0) return index;
  const fromEnd = (env.variables.get(name)?.array?.nextIndex() ?? 0) + index;
  if (fromEnd < 0) throw new ShellError(`${name}: bad array subscript`);
  return fromEnd;
}

export function elementKey(env: Environment, name: string, text: string): string | number {
  const associative = env.variables.get(name)?.array?.associative === true;
  return associative ? text : arrayIndex(env, name, text);
}

/** Arithmetic over an environment's variables. */
export function arithmeticScope(env: Environment, bash: boolean): ArithmeticScope {
  return {
    bash,
    nounset: env.options.has("nounset"),
    read: (name, key) => {
      if (name === "LINENO") return String(env.line);
      if (key === undefined) return env.variables.value(name);
      return (
        env.variables.get(name)?.array?.get(key) ??
        (key === 0 ? env.variables.value(name) : undefined)
      );
    },
    write: (name, key, value) => {
      if (key === undefined) env.assign(name, value);
      else env.variables.setElement(name, key, value);
    },
    isAssociative: (name) => env.variables.get(name)?.array?.associative === true,
  };
}

export function mapValue(value: Value, change: (text: string) => string): Value {
  if (value === undefined) return undefined;
  if (typeof value === "string") return change(value);
  return { items: value.items.map(change), star: value.star };
}

export function lengthOf(value: string | undefined): string {
  if (value === undefined) return "0";
  // Characters, not UTF-16 units.
  return String(/[\ud800-\udbff]/.test(value) ? Array.from(value).length : value.length);
}

export function trimValue(
  value: Value,
  operation: Extract<ParameterOperation, { type: "trim" }>,
  pattern: string,
): Value {
  const compiled = compilePattern(pattern);
  return mapValue(value, (text) => compiled.trim(text, operation.side, operation.longest));
}

export function changeCase(value: Value, upper: boolean, all: boolean): Value {
  const change = (text: string): string => (upper ? text.toUpperCase() : text.toLowerCase());
  return mapValue(value, (text) => (all ? change(text) : change(text.slice(0, 1)) + text.slice(1)));
}

/** `${name:offset:length}`: characters of a text, or elements of a list. */
export function sliceValue(
  value: Value,
  positional: string | undefined,
  offset: number,
  length: number | undefined,
): Value {
  if (value === undefined) return undefined;
  if (typeof value === "string") {
    return cut(Array.from(value), offset, length)?.join("") ?? "";
  }
  // `${@:0}` starts at $0.
  const items = positional === undefined ? value.items : [positional, ...value.items];
  return { items: cut(items, offset, length) ?? [], star: value.star };
}

function cut<T>(items: readonly T[], offset: number, length: number | undefined): T[] | undefined {
  const from = offset < 0 ? items.length + offset : offset;
  if (from < 0 || from > items.length) return undefined;
  if (length === undefined) return items.slice(from);
  const to = length < 0 ? items.length + length : from + length;
  if (to < from) throw new ShellError(`${length}: substring expression < 0`);
  return items.slice(from, to);
}
