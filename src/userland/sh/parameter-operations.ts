/** Owns the operators of `${…}` that work on values alone. */
import type { ParameterOperation } from "./ast.js";
import { ShellError } from "./control.js";
import type { Environment } from "./environment.js";
import { inLocale, isByteLocale, textLength } from "./locale.js";
import type { Value } from "./parameters.js";
import type { Pattern, Replacement } from "./pattern.js";

export function mapValue(value: Value, change: (text: string) => string): Value {
  if (value === undefined) return undefined;
  if (typeof value === "string") return change(value);
  return { items: value.items.map(change), star: value.star };
}

export function lengthOf(env: Environment, value: string | undefined): string {
  return value === undefined ? "0" : String(textLength(env, value));
}

export function trimValue(
  value: Value,
  operation: Extract<ParameterOperation, { type: "trim" }>,
  pattern: Pattern,
): Value {
  return mapValue(value, (text) => pattern.trim(text, operation.side, operation.longest));
}

export function replaceValue(
  value: Value,
  where: "first" | "all" | "prefix" | "suffix",
  pattern: Pattern,
  replacement: Replacement,
): Value {
  return mapValue(value, (text) => pattern.replace(text, where, replacement));
}

/** `pattern` says which characters change; `undefined` is all of them. */
export function changeCase(
  env: Environment,
  value: Value,
  { change, all }: Extract<ParameterOperation, { type: "case" }>,
  pattern: Pattern | undefined,
): Value {
  const bytes = isByteLocale(env);
  const one = (character: string): string => {
    if (pattern !== undefined && !pattern.matches(character)) return character;
    if (bytes && character > "\u007f") return character;
    const upper = character.toUpperCase();
    const lower = character.toLowerCase();
    // ß and its like have no single upper-case letter, and stay.
    if (Array.from(upper).length > 1) return character;
    if (change === "upper") return upper;
    if (change === "lower") return lower;
    return character === lower ? upper : lower;
  };
  return mapValue(value, (text) => {
    const characters = Array.from(text);
    if (all) return characters.map(one).join("");
    const [first, ...rest] = characters;
    return first === undefined ? "" : one(first) + rest.join("");
  });
}

/** `${name:offset:length}` of a text: characters, or bytes in the C locale. */
export function sliceText(
  env: Environment,
  text: string,
  offset: number,
  length: number | undefined,
): string {
  return inLocale(env, text, (local) => cut(Array.from(local), offset, length).join(""));
}

/** `${@:offset:length}`: from `$0` on. */
export function slicePositional(
  env: Environment,
  items: readonly string[],
  offset: number,
  length: number | undefined,
): string[] {
  if (length !== undefined && length < 0) throw negative(length);
  return cut([env.name, ...items], offset, length);
}

/** Of an array: the offset is an index, the length a number of elements. */
export function sliceArray(
  keys: readonly (string | number)[],
  values: readonly string[],
  offset: number,
  length: number | undefined,
): string[] {
  if (length !== undefined && length < 0) throw negative(length);
  if (keys.length > 0 && typeof keys[0] === "string") {
    // An associative array has no indexes: its elements are counted from 1.
    const from = offset > 0 ? offset - 1 : offset < 0 ? keys.length + offset : 0;
    return from < 0 ? [] : values.slice(from, length === undefined ? undefined : from + length);
  }
  const last = Number(keys.at(-1) ?? -1);
  const from = offset < 0 ? last + 1 + offset : offset;
  if (from < 0) return [];
  const at = keys.findIndex((key) => Number(key) >= from);
  if (at < 0) return [];
  return values.slice(at, length === undefined ? undefined : at + length);
}

function negative(length: number): ShellError {
  return new ShellError(`${length}: substring expression < 0`);
}

function cut<T>(items: readonly T[], offset: number, length: number | undefined): T[] {
  const from = offset < 0 ? items.length + offset : offset;
  if (from < 0 || from > items.length) return [];
  if (length === undefined) return items.slice(from);
  const to = length < 0 ? items.length + length : from + length;
  if (to < from) throw negative(length);
  return items.slice(from, to);
}
