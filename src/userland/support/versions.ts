/** Owns the order of version-like names (ls -v, sort -V). */
import { compareBytes } from "./text.js";

/** Runs of digits compare as numbers. */
export function compareVersions(a: string, b: string): number {
  const split = (text: string) => text.match(/\d+|\D+/g) ?? [];
  const [left, right] = [split(a), split(b)];
  for (let at = 0; at < Math.min(left.length, right.length); at++) {
    const [x, y] = [left[at]!, right[at]!];
    if (/^\d/.test(x) && /^\d/.test(y)) {
      const [m, n] = [x.replace(/^0+/, ""), y.replace(/^0+/, "")];
      const order = m.length - n.length || compareBytes(m, n);
      if (order !== 0) return order;
    } else if (x !== y) return compareBytes(x, y);
  }
  return left.length - right.length || compareBytes(a, b);
}
