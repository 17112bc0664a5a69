/** Owns jq's functions of C's mathematical library, as far as they have one meaning. */
import type { Json } from "./json.js";
import { described, JqError } from "./operations.js";

type Native = (input: Json, ...args: Json[]) => Json;

export function number(value: Json): number {
  if (typeof value !== "number") throw new JqError(`${described(value)} number required`);
  return value;
}

const one =
  (run: (value: number) => Json): Native =>
  (input) =>
    run(number(input));
const two =
  (run: (a: number, b: number) => number): Native =>
  (_, a, b) =>
    run(number(a!), number(b!));

/** Halves go to the even neighbour, as the processor rounds. */
function toEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** Value = fraction × 2^exponent with 0.5 ≤ |fraction| < 1. */
function split(value: number): { fraction: number; exponent: number } {
  if (value === 0 || !Number.isFinite(value)) return { fraction: value, exponent: 0 };
  let exponent = Math.max(-1023, Math.floor(Math.log2(Math.abs(value))) + 1);
  let fraction = value * 2 ** -exponent;
  while (Math.abs(fraction) < 0.5) {
    fraction *= 2;
    exponent--;
  }
  while (Math.abs(fraction) >= 1) {
    fraction /= 2;
    exponent++;
  }
  return { fraction, exponent };
}

/** Lanczos's approximation; good to about fifteen digits. */
const lanczos = [
  0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313,
  -176.61502916214059, 12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6,
  1.5056327351493116e-7,
];

function logGamma(value: number): number {
  if (value < 0.5) {
    return Math.log(Math.PI / Math.abs(Math.sin(Math.PI * value))) - logGamma(1 - value);
  }
  const x = value - 1;
  const sum = lanczos.reduce((total, term, at) => (at === 0 ? term : total + term / (x + at)), 0);
  const t = x + 7.5;
  return 0.5 * Math.log(2 * Math.PI) + (x + 0.5) * Math.log(t) - t + Math.log(sum);
}

function gamma(value: number): number {
  if (Number.isInteger(value) && value > 0 && value < 171) {
    let product = 1;
    for (let factor = 2; factor < value; factor++) product *= factor;
    return product;
  }
  if (value < 0.5) return Math.PI / (Math.sin(Math.PI * value) * gamma(1 - value));
  return Math.exp(logGamma(value));
}

/** The remainder of the nearest multiple. */
function remainder(a: number, b: number): number {
  return a - b * toEven(a / b);
}

export const mathematics: readonly (readonly [name: string, run: Native])[] = [
  ["floor/0", one(Math.floor)],
  ["ceil/0", one(Math.ceil)],
  ["round/0", one((value) => Math.sign(value) * Math.round(Math.abs(value)))],
  ["trunc/0", one(Math.trunc)],
  ["rint/0", one(toEven)],
  ["nearbyint/0", one(toEven)],
  ["fabs/0", one(Math.abs)],
  ["sqrt/0", one(Math.sqrt)],
  ["cbrt/0", one(Math.cbrt)],
  ["exp/0", one(Math.exp)],
  ["exp2/0", one((value) => 2 ** value)],
  ["exp10/0", one((value) => 10 ** value)],
  ["pow10/0", one((value) => 10 ** value)],
  ["expm1/0", one(Math.expm1)],
  ["log/0", one(Math.log)],
  ["log2/0", one(Math.log2)],
  ["log10/0", one(Math.log10)],
  ["log1p/0", one(Math.log1p)],
  ["logb/0", one((value) => (value === 0 ? -Infinity : split(value).exponent - 1))],
  ["sin/0", one(Math.sin)],
  ["cos/0", one(Math.cos)],
  ["tan/0", one(Math.tan)],
  ["asin/0", one(Math.asin)],
  ["acos/0", one(Math.acos)],
  ["atan/0", one(Math.atan)],
  ["sinh/0", one(Math.sinh)],
  ["cosh/0", one(Math.cosh)],
  ["tanh/0", one(Math.tanh)],
  ["asinh/0", one(Math.asinh)],
  ["acosh/0", one(Math.acosh)],
  ["atanh/0", one(Math.atanh)],
  ["gamma/0", one(logGamma)],
  ["lgamma/0", one(logGamma)],
  ["tgamma/0", one(gamma)],
  ["significand/0", one((value) => split(value).fraction * 2)],
  ["frexp/0", one((value) => [split(value).fraction, split(value).exponent])],
  ["modf/0", one((value) => [Number.isFinite(value) ? value % 1 : 0, Math.trunc(value)])],
  ["pow/2", two((base, power) => base ** power)],
  ["atan2/2", two(Math.atan2)],
  ["fmod/2", two((a, b) => a % b)],
  ["drem/2", two(remainder)],
  ["remainder/2", two(remainder)],
  ["fmin/2", two(Math.min)],
  ["fmax/2", two(Math.max)],
  ["fdim/2", two((a, b) => Math.max(a - b, 0))],
  ["hypot/2", two(Math.hypot)],
  ["copysign/2", two((a, b) => (b < 0 || Object.is(b, -0) ? -Math.abs(a) : Math.abs(a)))],
  ["ldexp/2", two((a, b) => a * 2 ** b)],
  ["scalb/2", two((a, b) => a * 2 ** b)],
  ["scalbln/2", two((a, b) => a * 2 ** b)],
  ["fma/3", (_, a, b, c) => number(a!) * number(b!) + number(c!)],
];
