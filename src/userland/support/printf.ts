/** Owns C's conversions, %d to %s, for printf, awk, seq, stat and date; byte strings throughout. */
import {
  exponential,
  fixed,
  fromNumber,
  general,
  hexadecimalText,
  type BinaryFloat,
} from "./binary-float.js";
import { characterCount, sliceCharacters } from "./characters.js";

export interface Conversion {
  flags: string;
  width: number;
  precision: number | undefined;
  letter: string;
}

/** A guest chooses widths: beyond this the text is of no use and only costs memory. */
const maxWidth = 1 << 20;

export function limitedWidth(value: number): number {
  return Math.max(-maxWidth, Math.min(maxWidth, Math.trunc(value) || 0));
}

function padded(text: string, conversion: Conversion, numeric: boolean): string {
  const { flags } = conversion;
  // What is not ASCII is shorter in characters than in bytes.
  const width = conversion.width + (numeric ? 0 : text.length - characterCount(text));
  if (text.length >= width) return text;
  if (flags.includes("-")) return text.padEnd(width);
  if (numeric && flags.includes("0")) {
    const sign = /^[-+ ]?(0[xX])?/.exec(text)![0];
    return sign + text.slice(sign.length).padStart(width - sign.length, "0");
  }
  return text.padStart(width);
}

function signed(negative: boolean, flags: string): string {
  return negative ? "-" : flags.includes("+") ? "+" : flags.includes(" ") ? " " : "";
}

export function formatText(text: string, conversion: Conversion): string {
  const { precision } = conversion;
  return padded(
    precision === undefined ? text : sliceCharacters(text, 0, precision),
    conversion,
    false,
  );
}

export function formatInteger(value: bigint, conversion: Conversion): string {
  const { flags, precision, letter } = conversion;
  const isSigned = letter === "d" || letter === "i";
  const magnitude = isSigned ? (value < 0n ? -value : value) : BigInt.asUintN(64, value);
  const base = letter === "o" ? 8 : letter === "x" || letter === "X" ? 16 : 10;
  let digits = precision === 0 && magnitude === 0n ? "" : magnitude.toString(base);
  if (letter === "X") digits = digits.toUpperCase();
  if (precision !== undefined) digits = digits.padStart(precision, "0");
  if (flags.includes("#")) {
    if (letter === "o" && !digits.startsWith("0")) digits = `0${digits}`;
    if (base === 16 && magnitude !== 0n) digits = `0${letter}${digits}`;
  }
  const text = (isSigned ? signed(value < 0n, flags) : "") + digits;
  const zeroes =
    precision === undefined ? conversion : { ...conversion, flags: flags.replace("0", "") };
  return padded(text, zeroes, true);
}

/** Digits behind the point beyond this are zeros in any case. */
const maxPrecision = 20_000;

export function formatFloat(given: number | BinaryFloat, conversion: Conversion): string {
  const { flags, letter } = conversion;
  const lower = letter.toLowerCase();
  const precision = Math.min(conversion.precision ?? 6, maxPrecision);
  const value = typeof given === "number" ? fromNumber(given) : given;
  const keeps = flags.includes("#");
  if (value.special !== undefined) {
    const text = signed(value.negative, flags) + value.special;
    const shown = letter === lower ? text : text.toUpperCase();
    return padded(shown, { ...conversion, flags: flags.replace("0", "") }, true);
  }
  let text: string;
  if (lower === "f") text = fixed(value, precision, keeps);
  else if (lower === "e") text = exponential(value, precision, keeps);
  else if (lower === "a") {
    text = hexadecimalText(value, conversion.precision, typeof given === "number" ? 1 : 4);
  } else text = general(value, precision, keeps);
  if (letter !== lower) text = text.toUpperCase();
  return padded(signed(value.negative, flags) + text, conversion, true);
}
