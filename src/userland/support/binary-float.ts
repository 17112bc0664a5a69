/**
 * Owns numbers as C's printf holds them: a binary mantissa and exponent, written out exactly and rounded
 * half to even on the exact value. printf(1) and the shell's printf read a `long double` (64 bits of
 * mantissa on x86-64, as glibc's strtold), awk and seq have doubles.
 */

/** mantissa · 2^exponent; `special` has neither. */
export interface BinaryFloat {
  readonly negative: boolean;
  readonly special?: "inf" | "nan";
  readonly mantissa: bigint;
  readonly exponent: number;
}

/** LDBL_MANT_DIG of <float.h> on x86-64. */
const LONG_DOUBLE_BITS = 64;
/** Beyond it a long double is infinite or zero (LDBL_MAX_10_EXP is 4932), and a guest chose the text. */
const MAX_DECIMAL_EXPONENT = 5200;
/** No long double has more digits that count; what lies behind them only says "more than that". */
const MAX_DIGITS = 12_000;
const MAX_BINARY_EXPONENT = 16_383;
const MIN_BINARY_EXPONENT = -16_445;

export function fromNumber(value: number): BinaryFloat {
  const negative = value < 0 || Object.is(value, -0);
  if (!Number.isFinite(value)) {
    return { negative, special: Number.isNaN(value) ? "nan" : "inf", mantissa: 0n, exponent: 0 };
  }
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const exponentBits = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & 0xfffffffffffffn;
  return {
    negative,
    mantissa: exponentBits === 0 ? fraction : fraction | (1n << 52n),
    exponent: (exponentBits === 0 ? 1 : exponentBits) - 1075,
  };
}

const decimal = /^([-+]?)(\d*)(?:\.(\d*))?(?:[eE]([-+]?\d+))?$/;
const hexadecimal = /^([-+]?)0[xX]([0-9a-fA-F]*)(?:\.([0-9a-fA-F]*))?(?:[pP]([-+]?\d+))?$/;
/** The longest beginning of a text that strtold takes. */
export const floatBeginning =
  /^\s*[-+]?(?:0[xX](?:[0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)(?:[pP][-+]?\d+)?|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|inf(?:inity)?|nan)/i;

/** A whole text that `floatBeginning` has matched, as strtold(3) reads it. */
export function readLongDouble(text: string): BinaryFloat {
  const word = text.trim();
  const negative = word.startsWith("-");
  if (/nan$/i.test(word)) return { negative, special: "nan", mantissa: 0n, exponent: 0 };
  if (/[nt]/i.test(word)) return { negative, special: "inf", mantissa: 0n, exponent: 0 };
  const hex = hexadecimal.exec(word);
  if (hex !== null) {
    const [, , whole = "", fraction = "", power = "0"] = hex;
    const digits = `${whole}${fraction}`.slice(0, MAX_DIGITS) || "0";
    const cut = whole.length + fraction.length - digits.length;
    const shift = Number(power) - 4 * (fraction.length - cut);
    return rounded(negative, BigInt(`0x${digits}`), 1n, shift);
  }
  const [, , whole = "", fraction = "", power = "0"] = decimal.exec(word)!;
  const all = `${whole}${fraction}`.replace(/^0+(?=\d)/, "") || "0";
  const digits = all.slice(0, MAX_DIGITS);
  const exponent = Number(power) - fraction.length + (all.length - digits.length);
  const zero: BinaryFloat = { negative, mantissa: 0n, exponent: 0 };
  if (/^0+$/.test(digits) || digits.length + exponent < -MAX_DECIMAL_EXPONENT) return zero;
  if (digits.length + exponent > MAX_DECIMAL_EXPONENT) return { ...zero, special: "inf" };
  const value = BigInt(digits);
  return exponent >= 0
    ? rounded(negative, value * 10n ** BigInt(exponent), 1n, 0)
    : rounded(negative, value, 10n ** BigInt(-exponent), 0);
}

/** numerator / denominator · 2^shift with the bits that a long double has. */
function rounded(
  negative: boolean,
  numerator: bigint,
  denominator: bigint,
  shift: number,
): BinaryFloat {
  if (numerator === 0n) return { negative, mantissa: 0n, exponent: 0 };
  let move = LONG_DOUBLE_BITS - (bitLength(numerator) - bitLength(denominator));
  let mantissa = quotient(numerator, denominator, move);
  if (bitLength(mantissa) > LONG_DOUBLE_BITS) {
    move -= 1;
    mantissa = quotient(numerator, denominator, move);
  }
  const exponent = shift - move;
  const top = exponent + LONG_DOUBLE_BITS - 1;
  if (top > MAX_BINARY_EXPONENT) return { negative, special: "inf", mantissa: 0n, exponent: 0 };
  if (top < MIN_BINARY_EXPONENT) return { negative, mantissa: 0n, exponent: 0 };
  return { negative, mantissa, exponent };
}

/** numerator · 2^move / denominator, rounded half to even. */
function quotient(numerator: bigint, denominator: bigint, move: number): bigint {
  return move >= 0
    ? halfToEven(numerator << BigInt(move), denominator)
    : halfToEven(numerator, denominator << BigInt(-move));
}

function halfToEven(numerator: bigint, denominator: bigint): bigint {
  const whole = numerator / denominator;
  const twice = (numerator - whole * denominator) * 2n;
  if (twice < denominator || (twice === denominator && (whole & 1n) === 0n)) return whole;
  return whole + 1n;
}

function bitLength(value: bigint): number {
  const hex = value.toString(16);
  return (hex.length - 1) * 4 + (32 - Math.clz32(Number.parseInt(hex[0]!, 16)));
}

function ratio({ mantissa, exponent }: BinaryFloat): [bigint, bigint] {
  return exponent >= 0 ? [mantissa << BigInt(exponent), 1n] : [mantissa, 1n << BigInt(-exponent)];
}

/** The magnitude with `places` digits behind the point, all of them together. */
function fixedDigits(value: BinaryFloat, places: number): string {
  const [numerator, denominator] = ratio(value);
  return halfToEven(numerator * 10n ** BigInt(places), denominator).toString();
}

/** `places` + 1 digits, and the power of ten of the first. */
function scientific(value: BinaryFloat, places: number): { digits: string; power: number } {
  if (value.mantissa === 0n) return { digits: "0".repeat(places + 1), power: 0 };
  const [numerator, denominator] = ratio(value);
  let power = Math.floor((bitLength(numerator) - bitLength(denominator)) * Math.LOG10E * Math.LN2);
  for (;;) {
    const scale = places - power;
    const digits = (
      scale >= 0
        ? halfToEven(numerator * 10n ** BigInt(scale), denominator)
        : halfToEven(numerator, denominator * 10n ** BigInt(-scale))
    ).toString();
    if (digits.length === places + 1) return { digits, power };
    power += digits.length > places + 1 ? 1 : -1;
  }
}

/** More places than that are zeros of no use. */
const MAX_PLACES = 17_000;

/** `%f` of the magnitude. */
export function fixed(value: BinaryFloat, precision: number, keepsPoint: boolean): string {
  const places = Math.min(precision, MAX_PLACES);
  const digits = fixedDigits(value, places).padStart(places + 1, "0");
  const whole = digits.slice(0, digits.length - places);
  if (precision === 0) return keepsPoint ? `${whole}.` : whole;
  return `${whole}.${digits.slice(digits.length - places).padEnd(precision, "0")}`;
}

/** `%e` of the magnitude. */
export function exponential(value: BinaryFloat, precision: number, keepsPoint: boolean): string {
  const places = Math.min(precision, MAX_PLACES);
  const { digits, power } = scientific(value, places);
  const behind = digits.slice(1).padEnd(precision, "0");
  const point = precision > 0 || keepsPoint ? "." : "";
  const sign = power < 0 ? "-" : "+";
  return `${digits[0]}${point}${behind}e${sign}${String(Math.abs(power)).padStart(2, "0")}`;
}

/** `%g` of the magnitude. */
export function general(value: BinaryFloat, precision: number, keepsZeros: boolean): string {
  const significant = Math.max(precision, 1);
  const { power } = scientific(value, Math.min(significant - 1, MAX_PLACES));
  const text =
    power < -4 || power >= significant
      ? exponential(value, significant - 1, keepsZeros)
      : fixed(value, significant - 1 - power, keepsZeros);
  if (keepsZeros || !text.includes(".")) return text;
  return text.replace(/\.?0+($|e)/, "$1");
}

/** `%a` of the magnitude: a double begins with 1, a long double with the top four bits of its mantissa. */
export function hexadecimalText(
  value: BinaryFloat,
  precision: number | undefined,
  leadingBits: 1 | 4,
): string {
  if (value.mantissa === 0n) return precision ? `0x0.${"0".repeat(precision)}p+0` : "0x0p+0";
  const length = bitLength(value.mantissa);
  // Behind the leading digit there are whole hexadecimal digits.
  const places = precision ?? Math.ceil((length - leadingBits) / 4);
  const keep = leadingBits + 4 * Math.min(places, 40);
  let mantissa = quotient(value.mantissa, 1n, keep - length);
  let power = value.exponent + length - leadingBits;
  if (bitLength(mantissa) > keep) {
    mantissa >>= 4n;
    power += 4;
  }
  const digits = mantissa.toString(16);
  let behind = digits.slice(1).padEnd(places, "0");
  if (precision === undefined) behind = behind.replace(/0+$/, "");
  return `0x${digits[0]}${behind === "" ? "" : "."}${behind}p${power < 0 ? "-" : "+"}${Math.abs(power)}`;
}
