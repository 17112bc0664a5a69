/** Owns jq's built-in functions: those on values in TypeScript, those on filters in jq itself. */
import { parseDate } from "../../support/parse-date.js";
import { strftime } from "../../support/strftime.js";
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

export const prelude = `
def map(f): [.[] | f];
def select(f): if f then . else empty end;
def recurse(f): def r: ., (f | r); r;
def recurse(f; c): def r: ., (f | select(c) | r); r;
def recurse: recurse(.[]?);
def values: select(. != null);
def nulls: select(. == null);
def booleans: select(type == "boolean");
def numbers: select(type == "number");
def strings: select(type == "string");
def arrays: select(type == "array");
def objects: select(type == "object");
def iterables: select(type == "array" or type == "object");
def scalars: select(type != "array" and type != "object");
def map_values(f): .[] |= f;
def to_entries: [keys_unsorted[] as $k | {key: $k, value: .[$k]}];
def from_entries: reduce .[] as $x ({}; . + {($x | if type == "object" then (if has("key") then .key elif has("k") then .k elif has("name") then .name elif has("Name") then .Name elif has("Key") then .Key else null end) else . end | if type == "string" then . else tojson end): ($x | if has("value") then .value elif has("v") then .v elif has("Value") then .Value else null end)});
def with_entries(f): to_entries | map(f) | from_entries;
def combinations(n): . as $dot | [range(n)] | map($dot) | combinations;
def fromstream(f): {x: null, e: false} as $init | foreach f as $i ($init; if .e then $init else . end | if $i | length == 2 then setpath(["e"]; $i[0] | length == 0) | setpath(["x"] + $i[0]; $i[1]) else setpath(["e"]; $i[0] | length == 1) end; if .e then .x else empty end);
def truncate_stream(s): . as $n | null | s | . as $input | if (.[0] | length) > $n then setpath([0]; .[0][$n:]) else empty end;
def JOIN($idx; idx_expr): [.[] | [., $idx[idx_expr]]];
def JOIN($idx; stream; idx_expr): stream | [., $idx[idx_expr]];
def JOIN($idx; stream; idx_expr; join_expr): stream | [., $idx[idx_expr]] | join_expr;
def recurse_down: recurse;
def scalars_or_empty: select(type != "array" and type != "object");
def isvalid(f): try (f | true) catch false;
def isfinite: type == "number" and (isinfinite | not);
def trimstr($x): ltrimstr($x) | rtrimstr($x);
def datesub(u; $n): . - $n;
def date: todate;
def skip($n; f): if $n > 0 then foreach f as $x ($n; . - 1; if . < 0 then $x else empty end) else f end;
def first(f): label $out | (f | ., break $out);
def last(f): reduce f as $x (null; $x);
def first: .[0];
def last: .[-1];
def nth($n): .[$n];
def nth($n; f): last(limit($n + 1; f));
def limit($n; f): if $n > 0 then label $out | foreach f as $x (0; . + 1; $x, if . >= $n then break $out else empty end) else empty end;
def until(c; u): def _u: if c then . else (u | _u) end; _u;
def while(c; u): def _w: if c then ., (u | _w) else empty end; _w;
def repeat(f): def _r: f, _r; _r;
def range($n): range(0; $n);
def range($a; $b): if ($a | type) != "number" or ($b | type) != "number" then error("Range bounds must be numeric") else $a | while(. < $b; . + 1) end;
def range($a; $b; $s): if ($a | type) != "number" or ($b | type) != "number" or ($s | type) != "number" then error("Range bounds must be numeric") elif $s > 0 then $a | while(. < $b; . + $s) elif $s < 0 then $a | while(. > $b; . + $s) else empty end;
def any: reduce .[] as $x (false; . or $x);
def all: reduce .[] as $x (true; . and $x);
def any(f): reduce (.[] | f) as $x (false; . or $x);
def all(f): reduce (.[] | f) as $x (true; . and $x);
def any(g; f): isempty(first(g | f | select(.))) | not;
def all(g; f): isempty(first(g | f | select(. | not)));
def isempty(g): label $go | (g | false, break $go), true;
def add(f): reduce f as $x (null; . + $x);
def in(xs): . as $x | xs | has($x);
def inside(xs): . as $x | xs | contains($x);
def sort_by(f): _by([.[] | [f]]; "sort");
def group_by(f): _by([.[] | [f]]; "group");
def unique_by(f): _by([.[] | [f]]; "unique");
def min_by(f): _by([.[] | [f]]; "min");
def max_by(f): _by([.[] | [f]]; "max");
def del(f): delpaths([path(f)]);
def to_array: if type == "array" then . else [.] end;
def paths: path(..) | select(length > 0);
def paths(f): path(.. | select(f)) | select(length > 0);
def leaf_paths: paths(scalars);
def pick(f): . as $top | reduce path(f) as $p (null; setpath($p; $top | getpath($p)));
def walk(f): def w: if type == "object" then map_values(w) elif type == "array" then map(w) else . end | f; w;
def env: $ENV;
def todate: strftime("%Y-%m-%dT%H:%M:%SZ");
def fromdateiso8601: fromdate;
def todateiso8601: todate;
def dateadd(u; $n): . + $n;
def match($re): _match($re; null)[];
def match($re; $flags): _match($re; $flags)[];
def test($re): _match($re; null) | length > 0;
def test($re; $flags): _match($re; $flags) | length > 0;
def capture($re): match($re) | [.captures[] | select(.name != null) | {key: .name, value: .string}] | from_entries;
def capture($re; $flags): match($re; $flags) | [.captures[] | select(.name != null) | {key: .name, value: .string}] | from_entries;
def scan($re): scan($re; null);
def scan($re; $flags): match($re; "g" + $flags) | if (.captures | length) > 0 then [.captures[].string] else .string end;
def splits($re): split($re; null)[];
def splits($re; $flags): split($re; $flags)[];
def sub($re; str): sub($re; str; "");
def sub($re; str; $flags): . as $in | [match($re; $flags)] as $edits | reduce ($edits | reverse[]) as $e ([$in]; (.[0] | .[0:$e.offset]) as $before | (.[0] | .[$e.offset + $e.length:]) as $after | [ ($before + ($e | [.captures[] | select(.name != null) | {key: .name, value: .string}] | from_entries | str) + $after) ]) | .[0];
def gsub($re; str): sub($re; str; "g");
def gsub($re; str; $flags): sub($re; str; $flags + "g");
def tostream: path(def r: (.[]?|r), .; r) as $p | getpath($p) | reduce path(.[]?) as $q ([$p, .]; [$p + $q]);
def combinations: if length == 0 then [] else .[0][] as $x | (.[1:] | combinations) as $w | [$x] + $w end;
def halt_error: halt_error(5);
def error($m): $m | error;
def finites: select(isinfinite or isnan | not);
def normals: select(isnormal);
def input_filename: null;
def debug(f): (f | debug | empty), .;
def abs: if type == "number" and . < 0 then -. else . end;
def have_literal_numbers: true;
def have_decnum: false;
def index($i): indices($i) | .[0];
def rindex($i): indices($i) | .[-1:][0];
def flatten: flatten(1e9);
def INDEX(s; f): reduce s as $r ({}; .[$r | f | tostring] |= $r);
def INDEX(f): INDEX(.[]; f);
def IN(s): any(s == .; .);
def IN(src; s): any(src == s; .);
`;

type Native = (input: Json, ...args: Json[]) => Json;

function text(value: Json): string {
  return typeof value === "string" ? value : print(value);
}

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

function escapeHtml(value: string): string {
  const table: Record<string, string> = {
    "<": "&lt;",
    ">": "&gt;",
    "&": "&amp;",
    "'": "&#39;",
    '"': "&quot;",
  };
  return value.replace(/[<>&'"]/g, (char) => table[char]!);
}

function row(value: Json, kind: string, cell: (item: Json) => string): string[] {
  if (!Array.isArray(value))
    throw new JqError(`${described(value)} cannot be ${kind}-formatted, only array`);
  return value.map((item) => {
    if (typeof item === "object" && item !== null)
      throw new JqError(`${described(item)} is not valid in a csv row`);
    return cell(item);
  });
}

function fromBase64(value: string): string {
  const digits = value.replace(/=+$/, "");
  if (/[^A-Za-z0-9+/]/.test(digits)) {
    throw new JqError(`${described(value)} is not valid base64 data`);
  }
  if (digits.length % 4 === 1) throw new JqError(`${described(value)} trailing base64 byte found`);
  return Buffer.from(digits, "base64").toString("utf8");
}

const letters32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

function toBase32(value: string): string {
  const bits = [...Buffer.from(value)].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  const digits = (bits.match(/.{1,5}/g) ?? []).map(
    (part) => letters32[parseInt(part.padEnd(5, "0"), 2)]!,
  );
  return digits.join("").padEnd(Math.ceil(digits.length / 8) * 8, "=");
}

function fromBase32(value: string): string {
  const digits = value.replace(/=+$/, "");
  if (/[^A-Z2-7]/.test(digits)) throw new JqError(`${described(value)} is not valid base32 data`);
  const bits = [...digits]
    .map((char) => letters32.indexOf(char).toString(2).padStart(5, "0"))
    .join("");
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((part) => parseInt(part, 2))).toString("utf8");
}

export const formats = new Map<string, (value: Json) => string>([
  ["@text", text],
  ["@json", (value) => print(value)],
  ["@html", (value) => escapeHtml(text(value))],
  [
    "@uri",
    (value) =>
      encodeURIComponent(text(value)).replace(
        /[!'()*]/g,
        (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
      ),
  ],
  ["@base64", (value) => Buffer.from(text(value)).toString("base64")],
  ["@base64d", (value) => fromBase64(text(value))],
  ["@base32", (value) => toBase32(text(value))],
  ["@base32d", (value) => fromBase32(text(value))],
  [
    "@urid",
    (value) => {
      try {
        return decodeURIComponent(text(value));
      } catch {
        throw new JqError(`${described(text(value))} is not a valid uri encoding`);
      }
    },
  ],
  [
    "@csv",
    (value) =>
      row(value, "csv", (item) =>
        typeof item === "string"
          ? `"${item.replaceAll('"', '""')}"`
          : item === null
            ? ""
            : print(item),
      ).join(","),
  ],
  [
    "@tsv",
    (value) =>
      row(value, "tsv", (item) =>
        typeof item === "string"
          ? item.replace(
              /[\\\t\n\r]/g,
              (char) => ({ "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r" })[char]!,
            )
          : item === null
            ? ""
            : print(item),
      ).join("\t"),
  ],
  [
    "@sh",
    (value) =>
      (Array.isArray(value) ? value : [value])
        .map((item) => {
          if (typeof item === "object" && item !== null)
            throw new JqError(`${described(item)} can not be escaped for shell`);
          return typeof item === "string" ? `'${item.replaceAll("'", "'\\''")}'` : print(item);
        })
        .join(" "),
  ],
]);

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

function regex(pattern: Json, flags: Json): RegExp {
  if (typeof pattern !== "string")
    throw new JqError(`${described(pattern)} cannot be matched, as it is not a string`);
  const given = typeof flags === "string" ? flags : "";
  let source = pattern.replace(/\(\?P?<([A-Za-z_]\w*)>/g, "(?<$1>").replace(
    /\[:(\w+):\]/g,
    (whole, name: string) =>
      ({
        alpha: "A-Za-z",
        digit: "0-9",
        alnum: "A-Za-z0-9",
        space: "\\s",
        upper: "A-Z",
        lower: "a-z",
        punct: "!-/:-@\\[-`{-~",
      })[name] ?? whole,
  );
  if (given.includes("x"))
    source = source.replace(/\\#|#[^\n]*|\s+/g, (part) => (part === "\\#" ? "#" : ""));
  try {
    return new RegExp(
      source,
      `dg${given.includes("i") ? "i" : ""}${given.includes("s") ? "s" : ""}u`,
    );
  } catch {
    try {
      return new RegExp(source, `dg${given.includes("i") ? "i" : ""}`);
    } catch {
      throw new JqError(`${pattern} (at offset 0) is not a valid regex`);
    }
  }
}

function match(input: Json, pattern: Json, flags: Json): Json {
  if (typeof input !== "string")
    throw new JqError(`${described(input)} cannot be matched, as it is not a string`);
  if (typeof pattern !== "string" && !Array.isArray(pattern))
    throw new JqError(`${typeOf(pattern)} not a string or array`);
  const [source, more] = Array.isArray(pattern)
    ? [pattern[0] ?? null, pattern[1] ?? flags]
    : [pattern, flags];
  const compiled = regex(source, more);
  const all = typeof more === "string" && more.includes("g");
  const found: Json[] = [];
  const offset = (index: number) => Array.from(input.slice(0, index)).length;
  for (const each of input.matchAll(compiled)) {
    const names = new Map(
      Object.keys(each.groups ?? {}).map((name) => [name, each.indices!.groups![name]]),
    );
    const taken = new Set<string>();
    const captures = each.slice(1).map((part, at): Json => {
      const span = each.indices![at + 1];
      const name = [...names].find(
        ([key, value]) =>
          !taken.has(key) &&
          (value === span || (value?.[0] === span?.[0] && value?.[1] === span?.[1])),
      )?.[0];
      if (name !== undefined) taken.add(name);
      return new Map<string, Json>([
        ["offset", part === undefined ? -1 : offset(span![0])],
        ["length", part === undefined ? 0 : [...part].length],
        ["string", part ?? null],
        ["name", name ?? null],
      ]);
    });
    found.push(
      new Map<string, Json>([
        ["offset", offset(each.index)],
        ["length", [...each[0]].length],
        ["string", each[0]],
        ["captures", captures],
      ]),
    );
    if (!all) break;
  }
  return found;
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

function brokenDown(seconds: number): Json[] {
  const date = new Date(Math.floor(seconds) * 1000);
  const start = Date.UTC(date.getUTCFullYear(), 0, 1);
  return [
    date.getUTCFullYear(),
    date.getUTCMonth(),
    date.getUTCDate(),
    date.getUTCHours(),
    date.getUTCMinutes(),
    date.getUTCSeconds() + (seconds % 1),
    date.getUTCDay(),
    Math.floor((date.getTime() - start) / 86_400_000),
  ];
}

function secondsOf(value: Json, wrong = "mktime requires array inputs"): number {
  if (typeof value === "number") return value;
  if (!Array.isArray(value)) throw new JqError(wrong);
  if (value.some((item) => typeof item !== "number"))
    throw new JqError("mktime requires array of 6 numbers");
  const [year, month, day, hour, minute, second] = value as number[];
  return Date.UTC(year!, month!, day!, hour ?? 0, minute ?? 0, Math.floor(second ?? 0)) / 1000;
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

function fromDate(input: Json, format: Json = "%Y-%m-%dT%H:%M:%SZ"): number {
  if (typeof input !== "string")
    throw new JqError("strptime/1 requires string inputs and arguments");
  const ms = typeof input === "string" ? parseDate(input, new Date(0), true) : undefined;
  if (ms === undefined)
    throw new JqError(`date "${text(input)}" does not match format "${text(format)}"`);
  return Math.floor(ms / 1000);
}
