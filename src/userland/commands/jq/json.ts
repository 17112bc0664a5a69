/** Owns JSON as jq reads and prints it: several values in a row, keys in their order, limited depth. */
export type Json = null | boolean | number | string | Json[] | JsonObject;
export type JsonObject = Map<string, Json>;

export class JsonError extends Error {}

const maxDepth = 1000;

export class JsonReader {
  #at = 0;
  #depth = 0;

  constructor(private readonly text: string) {}

  /** The next value, or undefined at the end. */
  next(): Json | undefined {
    this.#blanks();
    return this.#at >= this.text.length ? undefined : this.#value();
  }

  #fail(message: string): JsonError {
    const before = this.text.slice(0, this.#at).split("\n");
    return new JsonError(`${message} at line ${before.length}, column ${before.at(-1)!.length}`);
  }

  #blanks(): void {
    for (;;) {
      const code = this.text.charCodeAt(this.#at);
      if (
        code === 32 ||
        code === 10 ||
        code === 13 ||
        code === 9 ||
        code === 0x1e ||
        code === 0xfeff
      )
        this.#at++;
      else return;
    }
  }

  #value(): Json {
    const char = this.text[this.#at];
    if (char === '"') return this.#string();
    if (char === "{" || char === "[") {
      if (++this.#depth > maxDepth) throw this.#fail("Exceeds depth limit for parsing");
      const value = char === "{" ? this.#object() : this.#array();
      this.#depth--;
      return value;
    }
    const word =
      /^(?:-?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?|-?\.\d+|true|false|null|nan|NaN)(?![\w.])/.exec(
        this.text.slice(this.#at, this.#at + 400),
      );
    if (word === null) {
      if (char === undefined) throw this.#fail("Unfinished JSON term");
      throw this.#fail("Invalid literal");
    }
    this.#at += word[0].length;
    if (word[0] === "true") return true;
    if (word[0] === "false") return false;
    if (word[0] === "null") return null;
    return /nan/i.test(word[0]) ? NaN : Number(word[0]);
  }

  #string(): string {
    let end = this.#at + 1;
    for (; ; end++) {
      const code = this.text.charCodeAt(end);
      if (Number.isNaN(code)) throw this.#fail("Unfinished string");
      if (code === 92) end++;
      else if (code === 34) break;
    }
    const raw = this.text.slice(this.#at + 1, end);
    this.#at = end + 1;
    if (!raw.includes("\\")) return raw;
    try {
      // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
      return JSON.parse(
        // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
        `"${raw.replace(/[\x00-\x1f]/g, (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, "0")}`)}"`,
      ) as string;
    } catch {
      throw this.#fail("Invalid escape");
    }
  }

  #array(): Json[] {
    const list: Json[] = [];
    this.#at++;
    this.#blanks();
    if (this.text[this.#at] === "]") {
      this.#at++;
      return list;
    }
    for (;;) {
      this.#blanks();
      list.push(this.#value());
      this.#blanks();
      const char = this.text[this.#at++];
      if (char === "]") return list;
      if (char !== ",") throw this.#separator(char);
    }
  }

  #separator(char: string | undefined): JsonError {
    if (char === undefined) return this.#fail("Unfinished JSON term");
    return this.#fail("Expected separator between values");
  }

  #object(): JsonObject {
    const object: JsonObject = new Map();
    this.#at++;
    this.#blanks();
    if (this.text[this.#at] === "}") {
      this.#at++;
      return object;
    }
    for (;;) {
      this.#blanks();
      if (this.text[this.#at] !== '"') throw this.#fail("Object keys must be strings");
      const key = this.#string();
      this.#blanks();
      if (this.text[this.#at++] !== ":")
        throw this.#fail("Objects must consist of key:value pairs");
      this.#blanks();
      object.set(key, this.#value());
      this.#blanks();
      const char = this.text[this.#at++];
      if (char === "}") return object;
      if (char !== ",") throw this.#separator(char);
    }
  }
}

export interface PrintStyle {
  /** Undefined: on one line. */
  indent: string | undefined;
  sortKeys: boolean;
  ascii: boolean;
  color: boolean;
}

export const compact: PrintStyle = {
  indent: undefined,
  sortKeys: false,
  ascii: false,
  color: false,
};

function numberText(value: number): string {
  if (Number.isNaN(value)) return "null";
  if (!Number.isFinite(value))
    return value > 0 ? "1.7976931348623157e+308" : "-1.7976931348623157e+308";
  if (Object.is(value, -0)) return "-0";
  if (Number.isInteger(value) && Math.abs(value) < 1e17) return value.toFixed(0);
  const text = Math.abs(value) < 1e-4 ? value.toExponential() : String(value);
  return text.replace(/e([-+])(\d)$/, "e$10$2");
}

function stringText(text: string, ascii = false): string {
  const quoted = JSON.stringify(text).replaceAll("\x7f", "\\u007f");
  if (!ascii) return quoted;
  return quoted.replace(
    /[\u0080-\uffff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

const colors = {
  null: "1;30",
  boolean: "0;39",
  number: "0;39",
  string: "0;32",
  array: "1;39",
  object: "1;39",
};

export function print(value: Json, style: PrintStyle = compact, depth = 0): string {
  if (depth > 10_000) throw new JsonError("too deep");
  const paint = (text: string, color: string) =>
    style.color ? `\x1b[${color}m${text}\x1b[0m` : text;
  if (value === null) return paint("null", colors.null);
  if (typeof value === "boolean") return paint(String(value), colors.boolean);
  if (typeof value === "number") return paint(numberText(value), colors.number);
  if (typeof value === "string") return paint(stringText(value, style.ascii), colors.string);
  const line = style.indent === undefined ? "" : `\n${style.indent.repeat(depth + 1)}`;
  const last = style.indent === undefined ? "" : `\n${style.indent.repeat(depth)}`;
  if (Array.isArray(value)) {
    if (value.length === 0) return paint("[]", colors.array);
    const inside = value.map((item) => line + print(item, style, depth + 1));
    return (
      paint("[", colors.array) +
      inside.join(paint(",", colors.array)) +
      last +
      paint("]", colors.array)
    );
  }
  if (value.size === 0) return paint("{}", colors.object);
  const keys = style.sortKeys ? sortedKeys(value) : [...value.keys()];
  const colon = style.indent === undefined ? ":" : ": ";
  const inside = keys.map(
    (key) =>
      line +
      paint(stringText(key, style.ascii), "34;1") +
      paint(colon, colors.object) +
      print(value.get(key)!, style, depth + 1),
  );
  return (
    paint("{", colors.object) +
    inside.join(paint(",", colors.object)) +
    last +
    paint("}", colors.object)
  );
}

export function sortedKeys(object: JsonObject): string[] {
  return [...object.keys()].sort(compareText);
}

/** By code points, which UTF-16 does not keep. */
function compareText(a: string, b: string): number {
  if (a === b) return 0;
  const [x, y] = [[...a], [...b]];
  for (let at = 0; at < Math.min(x.length, y.length); at++) {
    const order = x[at]!.codePointAt(0)! - y[at]!.codePointAt(0)!;
    if (order !== 0) return order;
  }
  return x.length - y.length;
}

export function typeOf(value: Json): "null" | "boolean" | "number" | "string" | "array" | "object" {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (value instanceof Map) return "object";
  return typeof value as "boolean" | "number" | "string";
}

const ranks = { null: 0, boolean: 1, number: 3, string: 4, array: 5, object: 6 };

/** jq's order of all values. */
export function compareJson(a: Json, b: Json): number {
  const rank = (value: Json) => (value === true ? 2 : ranks[typeOf(value)]);
  if (rank(a) !== rank(b)) return rank(a) - rank(b);
  if (typeof a === "number" && typeof b === "number")
    return a < b || Number.isNaN(a) ? -1 : a === b ? 0 : 1;
  if (typeof a === "string" && typeof b === "string") return compareText(a, b);
  if (Array.isArray(a) && Array.isArray(b)) {
    for (let at = 0; at < Math.min(a.length, b.length); at++) {
      const order = compareJson(a[at]!, b[at]!);
      if (order !== 0) return order;
    }
    return a.length - b.length;
  }
  if (a instanceof Map && b instanceof Map) {
    const [x, y] = [sortedKeys(a), sortedKeys(b)];
    const byKeys = compareJson(x, y);
    if (byKeys !== 0) return byKeys;
    for (const key of x) {
      const order = compareJson(a.get(key)!, b.get(key)!);
      if (order !== 0) return order;
    }
  }
  return 0;
}
