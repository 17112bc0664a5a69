/** Owns decimal numbers of any length as bc has them: a whole number and how many of its digits are behind the point. */
import { CommandFailure } from "../../command.js";

export interface Decimal {
  value: bigint;
  scale: number;
}

/** Longer numbers would only take time: GNU's bc is slow there as well. */
const maxDigits = 2_000_000;

export const zero: Decimal = { value: 0n, scale: 0 };
export const one: Decimal = { value: 1n, scale: 0 };

const powers: bigint[] = [1n];

export function tenTo(count: number): bigint {
  if (count > maxDigits) throw new CommandFailure("number too long");
  if (count > 2000) return 10n ** BigInt(count);
  while (powers.length <= count) powers.push(powers.at(-1)! * 10n);
  return powers[count]!;
}

export function whole(value: number | bigint): Decimal {
  return { value: BigInt(value), scale: 0 };
}

/** Cut or filled up to so many digits behind the point. */
export function withScale(number: Decimal, scale: number): Decimal {
  if (scale === number.scale) return number;
  const value =
    scale > number.scale
      ? number.value * tenTo(scale - number.scale)
      : number.value / tenTo(number.scale - scale);
  return { value, scale };
}

export function add(a: Decimal, b: Decimal): Decimal {
  const scale = Math.max(a.scale, b.scale);
  return { value: withScale(a, scale).value + withScale(b, scale).value, scale };
}

export function negate(a: Decimal): Decimal {
  return { value: -a.value, scale: a.scale };
}

export function subtract(a: Decimal, b: Decimal): Decimal {
  return add(a, negate(b));
}

export function multiply(a: Decimal, b: Decimal, scale: number): Decimal {
  const full = { value: a.value * b.value, scale: a.scale + b.scale };
  return withScale(full, Math.min(full.scale, Math.max(scale, a.scale, b.scale)));
}

export function divide(a: Decimal, b: Decimal, scale: number): Decimal {
  if (b.value === 0n) throw new DivisionByZero();
  const shift = scale + b.scale - a.scale;
  const value =
    shift >= 0 ? (a.value * tenTo(shift)) / b.value : a.value / (b.value * tenTo(-shift));
  return { value, scale };
}

export class DivisionByZero extends Error {}

export function modulo(a: Decimal, b: Decimal, scale: number): Decimal {
  const quotient = divide(a, b, scale);
  const rest = Math.max(scale + b.scale, a.scale);
  const product = { value: quotient.value * b.value, scale: quotient.scale + b.scale };
  return withScale(subtract(a, product), rest);
}

export function power(base: Decimal, exponent: Decimal, scale: number): Decimal {
  const count = exponent.value / tenTo(exponent.scale);
  if (count === 0n) return one;
  const times = count < 0n ? -count : count;
  const digits = String(base.value).length;
  if (times * BigInt(Math.max(1, digits)) > BigInt(maxDigits) && base.value * base.value > 1n) {
    throw new CommandFailure("exponent too large in raise");
  }
  const full = { value: base.value ** times, scale: base.scale * Number(times) };
  if (count < 0n) return divide(one, full, scale);
  return withScale(full, Math.min(full.scale, Math.max(scale, base.scale)));
}

export function squareRoot(a: Decimal, scale: number): Decimal {
  if (a.value < 0n) throw new CommandFailure("square root of a negative number");
  const digits = Math.max(scale, a.scale);
  return { value: integerRoot(a.value * tenTo(2 * digits - a.scale)), scale: digits };
}

function integerRoot(value: bigint): bigint {
  if (value < 2n) return value;
  let root = 1n << BigInt((value.toString(2).length + 1) >> 1);
  for (;;) {
    const next = (root + value / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}

export function compare(a: Decimal, b: Decimal): number {
  const { value } = subtract(a, b);
  return value < 0n ? -1 : value > 0n ? 1 : 0;
}

/** Digits as bc's input has them, in a base up to 16: a single digit stands for itself in any base. */
export function parse(text: string, base: number): Decimal {
  const [integer = "", fraction = ""] = text.split(".");
  if (base === 10 && !/[A-F]/.test(text)) {
    return { value: BigInt(integer + fraction || "0"), scale: fraction.length };
  }
  const digits = (part: string, single: boolean) =>
    [...part].map((char) => {
      const digit = parseInt(char, 36);
      return BigInt(single || digit < base ? digit : base - 1);
    });
  const single = integer.length === 1 && fraction === "";
  const value = digits(integer, single).reduce((sum, digit) => sum * BigInt(base) + digit, 0n);
  const scale = fraction.length;
  if (scale === 0) return { value, scale };
  const part = digits(fraction, false).reduce((sum, digit) => sum * BigInt(base) + digit, 0n);
  return add(
    { value, scale: 0 },
    withScale(divide(whole(part), whole(BigInt(base) ** BigInt(scale)), scale), scale),
  );
}

/** As bc prints it: no zero before the point. */
export function format(number: Decimal, base: number): string {
  const negative = number.value < 0n;
  const magnitude = negative ? -number.value : number.value;
  const unit = tenTo(number.scale);
  const integer = magnitude / unit;
  let rest = magnitude % unit;
  const sign = negative ? "-" : "";
  if (magnitude === 0n) return "0";
  if (base === 10) {
    const digits = number.scale === 0 ? "" : `.${String(rest).padStart(number.scale, "0")}`;
    return sign + (integer === 0n && digits !== "" ? "" : String(integer)) + digits;
  }
  const big = BigInt(base);
  const digit = (value: bigint) =>
    base <= 16
      ? value.toString(16).toUpperCase()
      : ` ${String(value).padStart(String(base - 1).length, "0")}`;
  let text = "";
  for (let left = integer; left > 0n; left /= big) text = digit(left % big) + text;
  if (number.scale > 0) {
    if (integer === 0n) text = "";
    text += ".";
    // As many digits as the scale needs in this base.
    for (let reached = 1n; reached < unit; reached *= big) {
      rest *= big;
      text += digit(rest / unit);
      rest %= unit;
    }
  }
  return sign + text;
}
