/** Owns jq's operators on values: arithmetic, indexing, and changing what a path leads to. */
import { compareJson, print, typeOf, type Json, type JsonObject } from "./json.js";

export type Path = Json[];

export class JqError extends Error {
  constructor(readonly value: Json) {
    super(typeof value === "string" ? value : print(value));
  }
}

/** An index that a filter chose: beyond this the array would only fill the memory. */
const maxIndex = 1 << 24;

export function truthy(value: Json): boolean {
  return value !== null && value !== false;
}

export function described(value: Json): string {
  const text = print(value);
  return `${typeOf(value)} (${text.length > 11 ? `${text.slice(0, 10)}...` : text})`;
}

export function binary(operator: string, left: Json, right: Json): Json {
  switch (operator) {
    case "==":
      return compareJson(left, right) === 0;
    case "!=":
      return compareJson(left, right) !== 0;
    case "<":
      return compareJson(left, right) < 0;
    case "<=":
      return compareJson(left, right) <= 0;
    case ">":
      return compareJson(left, right) > 0;
    case ">=":
      return compareJson(left, right) >= 0;
    case "+":
      return add(left, right);
    case "-":
      if (typeof left === "number" && typeof right === "number") return left - right;
      if (Array.isArray(left) && Array.isArray(right)) {
        return left.filter((item) => !right.some((other) => compareJson(item, other) === 0));
      }
      throw new JqError(`${described(left)} and ${described(right)} cannot be subtracted`);
    case "*":
      return multiply(left, right);
    case "/":
      if (typeof left === "number" && typeof right === "number") {
        if (right === 0)
          throw new JqError(
            `${described(left)} and ${described(right)} cannot be divided because the divisor is zero`,
          );
        return left / right;
      }
      if (typeof left === "string" && typeof right === "string") return splitText(left, right);
      throw new JqError(`${described(left)} and ${described(right)} cannot be divided`);
    default: {
      if (typeof left !== "number" || typeof right !== "number") {
        throw new JqError(
          `${described(left)} and ${described(right)} cannot be divided (remainder)`,
        );
      }
      const divisor = Math.abs(Math.trunc(right));
      if (divisor === 0)
        throw new JqError(
          `${described(left)} and ${described(right)} cannot be divided (remainder) because the divisor is zero`,
        );
      return Math.trunc(left) % divisor;
    }
  }
}

export function splitText(text: string, separator: string): string[] {
  if (text === "") return [];
  return separator === "" ? [...text] : text.split(separator);
}

function add(left: Json, right: Json): Json {
  if (left === null) return right;
  if (right === null) return left;
  if (typeof left === "number" && typeof right === "number") return left + right;
  if (typeof left === "string" && typeof right === "string") return left + right;
  if (Array.isArray(left) && Array.isArray(right)) return [...left, ...right];
  if (left instanceof Map && right instanceof Map) return new Map([...left, ...right]);
  throw new JqError(`${described(left)} and ${described(right)} cannot be added`);
}

function multiply(left: Json, right: Json): Json {
  if (typeof left === "number" && typeof right === "number") return left * right;
  if (typeof left === "number" && typeof right === "string") return multiply(right, left);
  if (typeof left === "string" && typeof right === "number") {
    if (right <= 0) return null;
    const count = Math.max(1, Math.ceil(right));
    if (left.length * count > 1 << 28) throw new JqError("Repeat string result too long");
    return left.repeat(count);
  }
  if (left instanceof Map && right instanceof Map) return merge(left, right);
  throw new JqError(`${described(left)} and ${described(right)} cannot be multiplied`);
}

function merge(left: JsonObject, right: JsonObject): JsonObject {
  const result: JsonObject = new Map(left);
  for (const [key, value] of right) {
    const before = result.get(key);
    result.set(key, before instanceof Map && value instanceof Map ? merge(before, value) : value);
  }
  return result;
}

function isSlice(key: Json): key is JsonObject {
  return key instanceof Map && (key.has("start") || key.has("end"));
}

export function indexOf(value: Json, key: Json): Json {
  if (isSlice(key)) return sliceOf(value, key.get("start") ?? null, key.get("end") ?? null);
  if (value === null && (typeof key === "string" || typeof key === "number" || key === null))
    return null;
  if (value instanceof Map && typeof key === "string") return value.get(key) ?? null;
  if (Array.isArray(value) && typeof key === "number") {
    const index = Math.floor(key);
    return value[index < 0 ? index + value.length : index] ?? null;
  }
  if (Array.isArray(value) && Array.isArray(key)) return occurrences(value, key);
  if (typeof key === "string")
    throw new JqError(`Cannot index ${typeOf(value)} with string "${key}"`);
  throw new JqError(`Cannot index ${typeOf(value)} with ${typeOf(key)}`);
}

export function occurrences(list: Json[], part: Json[]): Json[] {
  const found: Json[] = [];
  if (part.length === 0) return found;
  for (let at = 0; at + part.length <= list.length; at++) {
    if (part.every((item, offset) => compareJson(item, list[at + offset]!) === 0)) found.push(at);
  }
  return found;
}

function bounds(length: number, from: Json, to: Json): [number, number] {
  const clamp = (bound: Json, fallback: number, round: (value: number) => number): number => {
    if (bound === null) return fallback;
    if (typeof bound !== "number")
      throw new JqError("Start and end indices of an array slice must be numbers");
    const index = round(bound < 0 ? bound + length : bound);
    return Math.max(0, Math.min(length, index));
  };
  const start = clamp(from, 0, Math.floor);
  return [start, Math.max(start, clamp(to, length, Math.ceil))];
}

export function sliceOf(value: Json, from: Json, to: Json): Json {
  if (value === null) return null;
  if (typeof value === "string") {
    const chars = [...value];
    return chars.slice(...bounds(chars.length, from, to)).join("");
  }
  if (Array.isArray(value)) return value.slice(...bounds(value.length, from, to));
  throw new JqError(`Cannot index ${typeOf(value)} with object`);
}

export function getPath(value: Json, path: Path): Json {
  let at = value;
  for (const key of path) {
    if (at === null) return null;
    at = indexOf(at, key);
  }
  return at;
}

export function setPath(value: Json, path: Path, next: Json, at = 0): Json {
  const key = path[at];
  if (key === undefined) return next;
  if (isSlice(key)) {
    const list = value ?? [];
    if (!Array.isArray(list)) throw new JqError("Cannot update field at object index of array");
    const [start, end] = bounds(list.length, key.get("start") ?? null, key.get("end") ?? null);
    const inner = setPath(list.slice(start, end), path, next, at + 1);
    if (!Array.isArray(inner))
      throw new JqError("A slice of an array can only be assigned another array");
    return [...list.slice(0, start), ...inner, ...list.slice(end)];
  }
  const inner = setPath(value === null ? null : indexOf(value, key), path, next, at + 1);
  if (typeof key === "string") {
    if (value !== null && !(value instanceof Map))
      throw new JqError(`Cannot index ${typeOf(value)} with string "${key}"`);
    return new Map(value ?? []).set(key, inner);
  }
  if (typeof key === "number") {
    if (value !== null && !Array.isArray(value))
      throw new JqError(`Cannot index ${typeOf(value)} with number`);
    const list = [...(value ?? [])];
    const index = key < 0 ? Math.floor(key) + list.length : Math.floor(key);
    if (index < 0) throw new JqError("Out of bounds negative array index");
    if (index > maxIndex) throw new JqError("Array index too large");
    while (list.length < index) list.push(null);
    list[index] = inner;
    return list;
  }
  throw new JqError(`Invalid path component ${typeOf(key)}`);
}

export function deletePaths(value: Json, paths: Path[]): Json {
  // From behind: earlier positions stay valid.
  return [...paths]
    .sort(compareJson)
    .reverse()
    .reduce((current, path) => deletePath(current, path, 0), value);
}

function deletePath(value: Json, path: Path, at: number): Json {
  const key = path[at];
  if (key === undefined || value === null) return null;
  if (at < path.length - 1) {
    const inner = indexOf(value, key);
    if (inner === null) return value;
    return setPath(value, [key], deletePath(inner, path, at + 1));
  }
  if (isSlice(key) && Array.isArray(value)) {
    const [start, end] = bounds(value.length, key.get("start") ?? null, key.get("end") ?? null);
    return [...value.slice(0, start), ...value.slice(end)];
  }
  if (value instanceof Map && typeof key === "string") {
    const copy: JsonObject = new Map(value);
    copy.delete(key);
    return copy;
  }
  if (Array.isArray(value) && typeof key === "number") {
    const index = key < 0 ? key + value.length : key;
    return value.filter((_, position) => position !== Math.floor(index));
  }
  throw new JqError(
    `Cannot delete field at ${typeof key === "string" ? "object" : "array"} index of ${typeOf(value)}`,
  );
}
