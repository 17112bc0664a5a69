/** Owns bc's mathematical library: series over decimals, with digits to spare that are cut at the end. */
import {
  add,
  compare,
  divide,
  multiply,
  negate,
  one,
  subtract,
  tenTo,
  whole,
  withScale,
  zero,
  type Decimal,
} from "./decimal.js";

const spare = 12;

/** Sums terms until they are nothing at the scale. */
function series(
  first: Decimal,
  next: (term: Decimal, index: number) => Decimal,
  scale: number,
): Decimal {
  let sum = first;
  let term = first;
  for (let index = 1; ; index++) {
    term = withScale(next(term, index), scale);
    if (term.value === 0n) return sum;
    sum = add(sum, term);
  }
}

export function exponential(x: Decimal, scale: number): Decimal {
  const integerDigits = String(x.value / tenTo(x.scale)).length;
  // The result's own digits before the point are needed as well.
  const size = Math.max(0, Number(x.value / tenTo(x.scale)));
  const work = scale + spare + Math.ceil(size * 0.44) + integerDigits;
  let halvings = 0;
  let reduced = withScale(x, work + x.scale);
  while (compare(reduced.value < 0n ? negate(reduced) : reduced, { value: 1n, scale: 1 }) > 0) {
    reduced = divide(reduced, whole(2), work);
    halvings++;
  }
  reduced = withScale(reduced, work);
  let result = series(
    withScale(one, work),
    (term, index) => divide(multiply(term, reduced, work), whole(index), work),
    work,
  );
  for (; halvings > 0; halvings--) result = multiply(result, result, work);
  return withScale(result, scale);
}

export function logarithm(x: Decimal, scale: number): Decimal {
  if (x.value <= 0n) return { value: 1n - 10n * tenTo(scale) ** 1n * tenTo(scale), scale };
  const work = scale + spare;
  let y = withScale(x, Math.max(work, x.scale));
  let factor = 2n;
  while (compare(y, { value: 2n, scale: 0 }) >= 0 || compare(y, { value: 5n, scale: 1 }) <= 0) {
    y = root(y, work + spare);
    factor *= 2n;
  }
  const z = divide(subtract(y, one), add(y, one), work + spare);
  const square = multiply(z, z, work + spare);
  let sum = z;
  let term = z;
  for (let index = 3; ; index += 2) {
    term = withScale(multiply(term, square, work + spare), work + spare);
    const part = divide(term, whole(index), work + spare);
    if (part.value === 0n) break;
    sum = add(sum, part);
  }
  return withScale({ value: sum.value * factor, scale: sum.scale }, scale);
}

function root(x: Decimal, scale: number): Decimal {
  const target = x.value * tenTo(2 * scale - x.scale >= 0 ? 2 * scale - x.scale : 0);
  let guess = 1n << BigInt((target.toString(2).length + 1) >> 1);
  for (;;) {
    const next = (guess + target / guess) >> 1n;
    if (next >= guess) return { value: guess, scale };
    guess = next;
  }
}

export function arctangent(x: Decimal, scale: number): Decimal {
  if (x.value < 0n) return negate(arctangent(negate(x), scale));
  const work = scale + spare;
  // atan x = 2 atan(x / (1 + sqrt(1 + x²))) until the series is short.
  let y = withScale(x, work);
  let doublings = 0;
  while (compare(y, { value: 1n, scale: 1 }) > 0) {
    const square = add(one, multiply(y, y, work));
    y = divide(y, add(one, root(withScale(square, work), work)), work);
    doublings++;
  }
  const square = multiply(y, y, work);
  let sum = y;
  let term = y;
  for (let index = 3; ; index += 2) {
    term = negate(withScale(multiply(term, square, work), work));
    const part = divide(term, whole(index), work);
    if (part.value === 0n) break;
    sum = add(sum, part);
  }
  return withScale({ value: sum.value * 2n ** BigInt(doublings), scale: sum.scale }, scale);
}

export function sine(x: Decimal, scale: number): Decimal {
  const work = scale + spare + String(x.value).length;
  const pi = { ...arctangent(one, work) };
  const full = { value: pi.value * 4n, scale: pi.scale };
  const half = full;
  const turns = divide(x, half, 0).value;
  const reduced = withScale(subtract(x, { value: half.value * turns, scale: half.scale }), work);
  const square = multiply(reduced, reduced, work);
  const result = series(
    reduced,
    (term, index) =>
      negate(divide(multiply(term, square, work), whole(2 * index * (2 * index + 1)), work)),
    work,
  );
  return withScale(turns % 2n === 0n ? result : negate(result), scale);
}

export function cosine(x: Decimal, scale: number): Decimal {
  const work = scale + spare;
  const quarter = arctangent(one, work + spare);
  return withScale(sine(add(x, { value: quarter.value * 2n, scale: quarter.scale }), work), scale);
}

export function bessel(order: Decimal, x: Decimal, scale: number): Decimal {
  let n = order.value / tenTo(order.scale);
  const odd = n < 0n && -n % 2n === 1n;
  if (n < 0n) n = -n;
  const size = Number((x.value < 0n ? -x.value : x.value) / tenTo(x.scale));
  const work = scale + spare + Math.ceil(size);
  let first = withScale(one, work);
  for (let index = 1n; index <= n; index++) {
    first = divide(multiply(first, withScale(x, work), work), whole(2n * index), work);
  }
  if (first.value === 0n) return withScale(zero, scale);
  const square = divide(multiply(withScale(x, work), withScale(x, work), work), whole(4), work);
  const result = series(
    first,
    (term, index) =>
      negate(
        divide(multiply(term, square, work), whole(BigInt(index) * (n + BigInt(index))), work),
      ),
    work,
  );
  return withScale(odd ? negate(result) : result, scale);
}
