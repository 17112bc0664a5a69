/** Owns those of jq's built-in functions that are written in TypeScript; the others are in prelude.ts. */
import { strftime } from "../../support/strftime.js";
import { brokenDown, fromDate, secondsOf } from "./dates.js";
import { text } from "./formats.js";
import {
  compareJson,
  JsonError,
  JsonReader,
  print,
  sortedKeys,
  typeOf,
  type Json,
  type JsonObject,
} from "./json.js";
import { match } from "./matching.js";
import { mathematics, number } from "./mathematics.js";
import {
  binary,
  deletePaths,
  described,
  JqError,
  occurrences,
  setPath,
  splitText,
  type Path,
} from "./operations.js";
import { prelude } from "./prelude.js";

type Native = (input: Json, ...args: Json[]) => Json;

function string(value: Json, message: string): string {
  if (typeof value !== "string") throw new JqError(message);
  return value;
}

/** What `.[]` goes over. */
function items(value: Json): Json[] {
  if (value instanceof Map) return [...value.values()];
  if (Array.isArray(value)) return value;
  throw new JqError(`Cannot iterate over ${value === null ? "null" : described(value)}`);
}

function list(value: Json, what: string): Json[] {
  if (!Array.isArray(value)) throw new JqError(`${described(value)} cannot be ${what}`);
  return value;
}

function length(value: Json): number {
  if (value === null) return 0;
  if (typeof value === "boolean") throw new JqError(`${described(value)} has no length`);
  if (typeof value === "number") return Math.abs(value);
  if (typeof value === "string") return [...value].length;
  return Array.isArray(value) ? value.length : value.size;
}

function keys(value: Json): Json[] {
  if (Array.isArray(value)) return value.map((_, at) => at);
  if (value instanceof Map) return sortedKeys(value);
  throw new JqError(`${described(value)} has no keys`);
}

function contains(a: Json, b: Json): boolean {
  if (a instanceof Map && b instanceof Map)
    return [...b].every(([key, value]) => a.has(key) && contains(a.get(key)!, value));
  if (Array.isArray(a) && Array.isArray(b))
    return b.every((item) => a.some((other) => contains(other, item)));
  if (typeof a === "string" && typeof b === "string") return a.includes(b);
  if (typeOf(a) === typeOf(b)) return compareJson(a, b) === 0;
  throw new JqError(`${described(a)} and ${described(b)} cannot have their containment checked`);
}

function flatten(value: Json[], depth: number): Json[] {
  return value.flatMap((item) =>
    Array.isArray(item) && depth > 0 ? flatten(item, depth - 1) : [item],
  );
}

function by(value: Json, keyed: Json, how: Json): Json {
  const items = list(value, `${how === "group" ? "grouped" : "sorted"}, as it is not an array`);
  const pairs = items.map((item, at) => ({ item, key: (keyed as Json[])[at]! }));
  if (how === "min" || how === "max") {
    let best: (typeof pairs)[number] | undefined;
    for (const pair of pairs) {
      const order = best === undefined ? 0 : compareJson(pair.key, best.key);
      if (best === undefined || (how === "min" ? order < 0 : order >= 0)) best = pair;
    }
    return best?.item ?? null;
  }
  pairs.sort((a, b) => compareJson(a.key, b.key));
  if (how === "sort") return pairs.map((pair) => pair.item);
  const groups: (typeof pairs)[] = [];
  for (const pair of pairs) {
    const last = groups.at(-1);
    if (last !== undefined && compareJson(last[0]!.key, pair.key) === 0) last.push(pair);
    else groups.push([pair]);
  }
  return how === "group"
    ? groups.map((group) => group.map((pair) => pair.item))
    : groups.map((group) => group[0]!.item);
}

function parseJson(value: Json): Json {
  if (typeof value !== "string")
    throw new JqError(`${described(value)} only strings can be parsed`);
  try {
    const reader = new JsonReader(value);
    const first = reader.next();
    if (first === undefined) return null;
    if (reader.next() !== undefined) throw new JsonError("Unexpected extra JSON values");
    return first;
  } catch (error) {
    if (error instanceof JsonError)
      throw new JqError(`${error.message} (while parsing '${value}')`);
    throw error;
  }
}

export const natives = new Map<string, Native>([
  ["not/0", (input) => input === null || input === false],
  ["length/0", length],
  [
    "utf8bytelength/0",
    (input) =>
      Buffer.byteLength(string(input, `${described(input)} only strings have UTF-8 byte length`)),
  ],
  ["type/0", (input) => typeOf(input)],
  ["keys/0", keys],
  ["keys_unsorted/0", (input) => (input instanceof Map ? [...input.keys()] : keys(input))],
  [
    "has/1",
    (input, key) => {
      if (input instanceof Map && typeof key === "string") return input.has(key);
      if (Array.isArray(input) && typeof key === "number") return key >= 0 && key < input.length;
      throw new JqError(
        `Cannot check whether ${typeOf(input)} has a ${typeof key === "string" ? "string" : typeOf(key)} key`,
      );
    },
  ],
  ["contains/1", contains],
  [
    "add/0",
    (input) => {
      const all = input === null ? [] : items(input);
      if (all.every((item) => typeof item === "string"))
        return all.length === 0 ? null : all.join("");
      if (all.every((item) => Array.isArray(item)))
        return all.length === 0 ? null : (all as Json[][]).flat(1);
      return all.reduce<Json>((sum, item) => binary("+", sum, item), null);
    },
  ],
  ["sort/0", (input) => [...list(input, "sorted, as it is not an array")].sort(compareJson)],
  ["_by/2", by],
  [
    "unique/0",
    (input) =>
      [...list(input, "sorted, as it is not an array")]
        .sort(compareJson)
        .filter((item, at, all) => at === 0 || compareJson(item, all[at - 1]!) !== 0),
  ],
  ["min/0", (input) => by(input, input, "min")],
  ["max/0", (input) => by(input, input, "max")],
  [
    "reverse/0",
    (input) =>
      typeof input === "string"
        ? [...input].reverse().join("")
        : input === null
          ? []
          : [...list(input, "reversed, as it is not an array")].reverse(),
  ],
  [
    "flatten/1",
    (input, depth) => {
      if (number(depth) < 0) throw new JqError("flatten depth must not be negative");
      return flatten(items(input), number(depth));
    },
  ],
  [
    "transpose/0",
    (input) => {
      const rows = items(input) as Json[][];
      const other = rows.find((row) => !Array.isArray(row) && row !== null);
      if (other !== undefined) throw new JqError(`Cannot index ${typeOf(other)} with number`);
      const width = Math.max(0, ...rows.map((each) => each?.length ?? 0));
      return Array.from({ length: width }, (_, at) => rows.map((each) => each?.[at] ?? null));
    },
  ],
  ["tostring/0", text],
  [
    "tonumber/0",
    (input) => {
      if (typeof input === "number") return input;
      if (typeof input === "string" && input.trim() !== "" && !Number.isNaN(Number(input)))
        return Number(input);
      throw new JqError(`${described(input)} cannot be parsed as a number`);
    },
  ],
  ["tojson/0", (input) => print(input)],
  ["fromjson/0", parseJson],
  [
    "ascii_downcase/0",
    (input) =>
      string(input, "ascii_downcase input must be a string").replace(/[A-Z]+/g, (part) =>
        part.toLowerCase(),
      ),
  ],
  [
    "ascii_upcase/0",
    (input) =>
      string(input, "ascii_upcase input must be a string").replace(/[a-z]+/g, (part) =>
        part.toUpperCase(),
      ),
  ],
  [
    "explode/0",
    (input) =>
      [...string(input, "explode input must be a string")].map((char) => char.codePointAt(0)!),
  ],
  [
    "implode/0",
    (input) => {
      if (!Array.isArray(input)) throw new JqError("implode input must be an array");
      return input
        .map((code) => {
          if (typeof code !== "number") {
            throw new JqError("Unicode codepoint must be numeric");
          }
          // What is no character becomes the one that says so.
          const good = code >= 0 && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
          return good ? String.fromCodePoint(Math.trunc(code)) : "\ufffd";
        })
        .join("");
    },
  ],
  [
    "split/1",
    (input, separator) => {
      if (typeof input !== "string" || typeof separator !== "string")
        throw new JqError("split input and separator must be strings");
      return splitText(input, separator);
    },
  ],
  [
    "split/2",
    (input, pattern, flags) => {
      const parts: Json[] = [];
      const chars = [...text(input)];
      let from = 0;
      for (const found of match(input, pattern, `g${flags ?? ""}`) as JsonObject[]) {
        parts.push(chars.slice(from, found.get("offset") as number).join(""));
        from = (found.get("offset") as number) + (found.get("length") as number);
      }
      return [...parts, chars.slice(from).join("")];
    },
  ],
  [
    "join/1",
    (input, separator) => {
      let joined = "";
      items(input).forEach((item, at) => {
        const before = at === 0 ? "" : joined + text(separator);
        if (typeof item === "object" && item !== null)
          throw new JqError(`${described(before)} and ${described(item)} cannot be added`);
        joined = before + (item === null ? "" : text(item));
      });
      return joined;
    },
  ],
  [
    "ltrimstr/1",
    (input, part) =>
      typeof input === "string" && typeof part === "string" && input.startsWith(part)
        ? input.slice(part.length)
        : input,
  ],
  [
    "rtrimstr/1",
    (input, part) =>
      typeof input === "string" && typeof part === "string" && part !== "" && input.endsWith(part)
        ? input.slice(0, -part.length)
        : input,
  ],
  ["trim/0", (input) => string(input, "trim input must be a string").trim()],
  ["ltrim/0", (input) => string(input, "trim input must be a string").trimStart()],
  ["rtrim/0", (input) => string(input, "trim input must be a string").trimEnd()],
  [
    "startswith/1",
    (input, part) => {
      if (typeof input !== "string" || typeof part !== "string")
        throw new JqError("startswith() requires string inputs");
      return input.startsWith(part);
    },
  ],
  [
    "endswith/1",
    (input, part) => {
      if (typeof input !== "string" || typeof part !== "string")
        throw new JqError("endswith() requires string inputs");
      return input.endsWith(part);
    },
  ],
  [
    "indices/1",
    (input, part) => {
      if (input === null) return null;
      if (Array.isArray(input)) return occurrences(input, Array.isArray(part) ? part : [part]);
      if (typeof input !== "string" || typeof part !== "string")
        throw new JqError(
          `Cannot index ${typeOf(input)} with ${typeof part === "string" ? `string "${part}"` : typeOf(part)}`,
        );
      const found: Json[] = [];
      for (let at = input.indexOf(part); at !== -1 && part !== ""; at = input.indexOf(part, at + 1))
        found.push(Array.from(input.slice(0, at)).length);
      return found;
    },
  ],
  ["_match/2", match],
  ["setpath/2", (input, path, value) => setPath(input, path as Path, value)],
  ["delpaths/1", (input, paths) => deletePaths(input, pathList(paths))],
  [
    "bsearch/1",
    (input, wanted) => {
      const sorted = list(input, "searched from");
      let [low, high] = [0, sorted.length - 1];
      while (low <= high) {
        const middle = (low + high) >> 1;
        const order = compareJson(sorted[middle]!, wanted!);
        if (order === 0) return middle;
        if (order < 0) low = middle + 1;
        else high = middle - 1;
      }
      return -1 - low;
    },
  ],
  ["toarray/0", (input) => (Array.isArray(input) ? input : [input])],
  ["input_line_number/0", () => 0],
  ["get_search_list/0", () => []],
  ["builtins/0", () => builtinNames()],
  ...mathematics,
  ["infinite/0", () => Infinity],
  ["nan/0", () => NaN],
  ["isinfinite/0", (input) => !Number.isFinite(number(input)) && !Number.isNaN(input)],
  ["isnan/0", (input) => Number.isNaN(number(input))],
  [
    "isnormal/0",
    (input) =>
      Number.isFinite(number(input)) && Math.abs(input as number) >= 2.2250738585072014e-308,
  ],
  ["now/0", () => Date.now() / 1000],
  ["mktime/0", (input) => secondsOf(input)],
  ["gmtime/0", (input) => brokenDown(number(input))],
  ["localtime/0", (input) => brokenDown(number(input))],
  [
    "strftime/1",
    (input, format) =>
      strftime(
        text(format),
        secondsOf(input, "strftime/1 requires parsed datetime inputs") * 1000,
        true,
      ),
  ],
  [
    "strflocaltime/1",
    (input, format) =>
      strftime(
        text(format),
        secondsOf(input, "strflocaltime/1 requires parsed datetime inputs") * 1000,
        false,
      ),
  ],
  [
    "strptime/1",
    (input, format) => {
      if (typeof input !== "string" || typeof format !== "string")
        throw new JqError("strptime/1 requires string inputs and arguments");
      return brokenDown(fromDate(input, format));
    },
  ],
  ["fromdate/0", (input) => fromDate(input)],
  [
    "halt/0",
    () => {
      throw new Halt(0, undefined);
    },
  ],
  [
    "halt_error/1",
    (input, status) => {
      throw new Halt(number(status), input);
    },
  ],
]);

function pathList(paths: Json): Path[] {
  if (!Array.isArray(paths)) throw new JqError("Paths must be specified as an array");
  for (const path of paths) {
    if (!Array.isArray(path)) throw new JqError("Path must be specified as an array");
  }
  return paths as Path[];
}

/** By name and number of arguments; names that begin with an underscore are ours. */
function builtinNames(): Json[] {
  const names = new Set([...natives.keys(), ...inEvaluator]);
  for (const [, name, parameters] of prelude.matchAll(/^def (\w+)(?:\(([^)]*)\))?:/gm)) {
    names.add(`${name}/${parameters === undefined ? 0 : parameters.split(";").length}`);
  }
  return [...names].filter((name) => !name.startsWith("_"));
}

/** Those that touch paths, inputs or other filters. */
const inEvaluator = [
  "empty/0",
  "error/0",
  "path/1",
  "getpath/1",
  "input/0",
  "inputs/0",
  "debug/0",
  "stderr/0",
  "format/1",
];

export class Halt extends Error {
  constructor(
    readonly status: number,
    readonly value: Json | undefined,
  ) {
    super("halt");
  }
}
