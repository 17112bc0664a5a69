/** Owns awk's values: numbers, strings, and text from outside that looks like a number and is both. */
import { isMultibyte, sliceCharacters } from "../../support/characters.js";
import { toBytes } from "../../support/text.js";
import { formatFloat, formatInteger, formatText, limitedWidth } from "../../support/printf.js";

class NumericText {
  constructor(
    readonly text: string,
    readonly number: number,
  ) {}
}

/** Undefined: never assigned, which is "" and 0 at once. */
export type Value = number | string | NumericText | undefined;
export type AwkArray = Map<string, Value>;

const numeric = /^[ \t\n\r\f\v]*[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?[ \t\n\r\f\v]*$/;
const prefix = /^[ \t\n\r\f\v]*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)/;

/** Text from outside: fields, input lines, arguments. */
export function fromInput(text: string): Value {
  const code = text.charCodeAt(0);
  // Letters are most of what there is and never begin a number.
  if (!(code <= 57) || !numeric.test(text)) return text;
  return new NumericText(text, Number(text));
}

export function toNumber(value: Value): number {
  if (typeof value === "number") return value;
  if (value === undefined) return 0;
  if (typeof value === "object") return value.number;
  const match = prefix.exec(value);
  return match === null ? 0 : Number(match[1]);
}

function integerText(value: number): string {
  return Math.abs(value) < 1e21 ? String(value === 0 ? 0 : value) : BigInt(value).toString();
}

export function toText(value: Value, format: string): string {
  if (typeof value === "string") return value;
  if (value === undefined) return "";
  if (typeof value === "object") return value.text;
  if (Number.isInteger(value)) return integerText(value);
  if (format === "%.6g") {
    return formatFloat(value, { flags: "", width: 0, precision: 6, letter: "g" });
  }
  return sprintf(format, [value], format);
}

export function truthy(value: Value): boolean {
  if (typeof value === "number") return value !== 0;
  if (typeof value === "string") return value !== "";
  return value === undefined ? false : value.number !== 0;
}

/** Numbers compare as numbers unless one side is a string. */
export function compare(a: Value, b: Value, format: string): number {
  if (typeof a !== "string" && typeof b !== "string") {
    const [x, y] = [toNumber(a), toNumber(b)];
    return x < y ? -1 : x > y ? 1 : x === y ? 0 : NaN;
  }
  const [x, y] = [toText(a, format), toText(b, format)];
  return x < y ? -1 : x > y ? 1 : 0;
}

export function sprintf(format: string, args: Value[], convert: string): string {
  let next = 0;
  let output = "";
  for (let at = 0; at < format.length;) {
    const percent = format.indexOf("%", at);
    if (percent === -1) return output + format.slice(at);
    output += format.slice(at, percent);
    const match = /^%([-+ #0']*)(\*|\d+)?(?:\.(\*|\d*))?(?:hh|h|ll|l|L|q|j|z|t)?([a-zA-Z%])/.exec(
      format.slice(percent, percent + 64),
    );
    if (match === null) {
      output += "%";
      at = percent + 1;
      continue;
    }
    at = percent + match[0].length;
    if (match[4] === "%") {
      output += "%";
      continue;
    }
    let flags = match[1]!;
    let width = limitedWidth(match[2] === "*" ? toNumber(args[next++]) : Number(match[2] ?? 0));
    if (width < 0) {
      flags += "-";
      width = -width;
    }
    let precision: number | undefined;
    if (match[3] !== undefined) {
      precision = limitedWidth(match[3] === "*" ? toNumber(args[next++]) : Number(match[3]));
      if (precision < 0) precision = undefined;
    }
    const letter = match[4]!;
    const conversion = { flags, width, precision, letter };
    const value = args[next++];
    if (letter === "s") output += formatText(toText(value, convert), conversion);
    else if (letter === "c") output += formatText(character(value, convert), conversion);
    else if ("diouxX".includes(letter)) output += integer(toNumber(value), conversion);
    else if ("fFeEgGaA".includes(letter)) output += formatFloat(toNumber(value), conversion);
    else output += match[0];
  }
  return output;
}

function character(value: Value, convert: string): string {
  if (typeof value === "number") return characterOf(Math.trunc(value));
  if (typeof value === "object") return characterOf(Math.trunc(value.number));
  return sliceCharacters(toText(value, convert), 0, 1);
}

/** A number is a code point in a UTF-8 locale, as far as there is one, and a byte otherwise. */
function characterOf(code: number): string {
  const isPoint = code > 127 && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
  return isMultibyte() && isPoint
    ? toBytes(String.fromCodePoint(code))
    : String.fromCharCode(code & 255);
}

function integer(
  value: number,
  conversion: { flags: string; width: number; precision: number | undefined; letter: string },
): string {
  if (!Number.isFinite(value)) return formatFloat(value, { ...conversion, letter: "f" });
  return formatInteger(BigInt(Math.trunc(value)), conversion);
}
