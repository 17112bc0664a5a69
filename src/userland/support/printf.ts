/** Owns C's conversions, %d to %s, for printf, awk, seq, stat and date; byte strings throughout. */
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

export function formatFloat(value: number, conversion: Conversion): string {
  const { flags, letter } = conversion;
  const lower = letter.toLowerCase();
  const precision = Math.min(conversion.precision ?? 6, 1000);
  const negative = value < 0 || Object.is(value, -0);
  const magnitude = Math.abs(value);
  let text: string;
  if (!Number.isFinite(value)) {
    text = signed(negative, flags) + (Number.isNaN(value) ? "nan" : "inf");
    if (letter !== lower) text = text.toUpperCase();
    return padded(text, { ...conversion, flags: flags.replace("0", "") }, true);
  }
  if (lower === "f") text = fixed(magnitude, precision, flags);
  else if (lower === "e") text = exponential(magnitude, precision, flags);
  else if (lower === "a") text = hexFloat(magnitude);
  else text = general(magnitude, precision === 0 ? 1 : precision, flags);
  if (letter !== lower) text = text.toUpperCase();
  return padded(signed(negative, flags) + text, conversion, true);
}

/** The exact decimal expansion of a double, rounded half to even on the exact value as C does. */
function exactDigits(value: number, fractionDigits: number): string {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const exponentBits = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & 0xfffffffffffffn;
  const mantissa = exponentBits === 0 ? fraction : fraction | (1n << 52n);
  const exponent = (exponentBits === 0 ? 1 : exponentBits) - 1075;
  const scale = 10n ** BigInt(fractionDigits);
  if (exponent >= 0) return ((mantissa << BigInt(exponent)) * scale).toString();
  const shift = BigInt(-exponent);
  const product = mantissa * scale;
  let quotient = product >> shift;
  const rest = product - (quotient << shift);
  const half = 1n << (shift - 1n);
  if (rest > half || (rest === half && (quotient & 1n) === 1n)) quotient += 1n;
  return quotient.toString();
}

function fixed(value: number, precision: number, flags: string): string {
  const digits = exactDigits(value, precision).padStart(precision + 1, "0");
  const whole = digits.slice(0, digits.length - precision);
  if (precision === 0) return flags.includes("#") ? `${whole}.` : whole;
  return `${whole}.${digits.slice(digits.length - precision)}`;
}

function exponential(value: number, precision: number, flags: string): string {
  const [mantissa, exponent] = value.toExponential(Math.min(precision, 100)).split("e");
  const power = Number(exponent);
  const dot = precision === 0 && flags.includes("#") ? "." : "";
  const tail = precision > 100 ? "0".repeat(precision - 100) : "";
  const sign = power < 0 ? "-" : "+";
  return `${mantissa}${tail}${dot}e${sign}${String(Math.abs(power)).padStart(2, "0")}`;
}

function general(value: number, precision: number, flags: string): string {
  const power =
    value === 0 ? 0 : Number(value.toExponential(Math.min(precision, 101) - 1).split("e")[1]);
  const text =
    power < -4 || power >= precision
      ? exponential(value, precision - 1, flags)
      : fixed(value, precision - 1 - power, flags);
  if (flags.includes("#") || !text.includes(".")) return text;
  return text.replace(/\.?0+($|e)/, "$1");
}

function hexFloat(value: number): string {
  if (value === 0) return "0x0p+0";
  const power = Math.floor(Math.log2(value));
  const digits = (value / 2 ** power).toString(16);
  return `0x${digits}p${power < 0 ? "-" : "+"}${Math.abs(power)}`;
}
