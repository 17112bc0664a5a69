/** Owns finding the shortest edit between two lists of lines (Myers), with a bound on the work. */
export interface Hunk {
  /** Lines [aStart, aEnd) of the first became [bStart, bEnd) of the second; counted from 0. */
  aStart: number;
  aEnd: number;
  bStart: number;
  bEnd: number;
}

/** Edits beyond this cost too much to be shortest; the rest then counts as replaced. */
const maxEdits = 4000;

export function changes(a: readonly string[], b: readonly string[]): Hunk[] {
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let [aEnd, bEnd] = [a.length, b.length];
  while (aEnd > start && bEnd > start && a[aEnd - 1] === b[bEnd - 1]) {
    aEnd--;
    bEnd--;
  }
  return compacted(a, b, myers(a, b, start, aEnd, bEnd));
}

function myers(
  a: readonly string[],
  b: readonly string[],
  start: number,
  aEnd: number,
  bEnd: number,
): Hunk[] {
  const [n, m] = [aEnd - start, bEnd - start];
  if (n === 0 && m === 0) return [];
  if (n === 0 || m === 0) return [{ aStart: start, aEnd, bStart: start, bEnd }];
  const limit = Math.min(n + m, maxEdits);
  let furthest = new Int32Array(2 * limit + 3);
  const offset = limit + 1;
  const history: Int32Array[] = [];
  for (let d = 0; d <= limit; d++) {
    history.push(furthest.slice(offset - d - 1, offset + d + 2));
    for (let k = -d; k <= d; k += 2) {
      const down = k === -d || (k !== d && furthest[offset + k - 1]! < furthest[offset + k + 1]!);
      let x = down ? furthest[offset + k + 1]! : furthest[offset + k - 1]! + 1;
      while (x < n && x - k < m && a[start + x] === b[start + x - k]) x++;
      furthest[offset + k] = x;
      if (x >= n && x - k >= m) return walkBack(history, d, n, m, start);
    }
  }
  return [{ aStart: start, aEnd, bStart: start, bEnd }];
}

function walkBack(
  history: Int32Array[],
  edits: number,
  n: number,
  m: number,
  start: number,
): Hunk[] {
  const hunks: Hunk[] = [];
  let [x, y] = [n, m];
  for (let d = edits; d > 0; d--) {
    const before = history[d]!;
    const at = (k: number) => before[k + d + 1]!;
    const k = x - y;
    const down = k === -d || (k !== d && at(k - 1) < at(k + 1));
    const fromK = down ? k + 1 : k - 1;
    const fromX = at(fromK);
    const fromY = fromX - fromK;
    const [midX, midY] = down ? [fromX, fromY + 1] : [fromX + 1, fromY];
    const hunk = {
      aStart: start + fromX,
      aEnd: start + midX,
      bStart: start + fromY,
      bEnd: start + midY,
    };
    const last = hunks.at(-1);
    if (last !== undefined && last.aStart === hunk.aEnd && last.bStart === hunk.bEnd) {
      last.aStart = hunk.aStart;
      last.bStart = hunk.bStart;
    } else hunks.push(hunk);
    [x, y] = [fromX, fromY];
  }
  return hunks.reverse();
}

/** Slides pure insertions and deletions as far down as they go, where diff puts them. */
function compacted(a: readonly string[], b: readonly string[], hunks: Hunk[]): Hunk[] {
  const result: Hunk[] = [];
  for (let index = hunks.length - 1; index >= 0; index--) {
    const hunk = { ...hunks[index]! };
    const next = result[0];
    const aLimit = next?.aStart ?? a.length;
    const bLimit = next?.bStart ?? b.length;
    if (hunk.aStart === hunk.aEnd) {
      while (hunk.aEnd < aLimit && hunk.bEnd < bLimit && b[hunk.bStart] === b[hunk.bEnd])
        slide(hunk);
    } else if (hunk.bStart === hunk.bEnd) {
      while (hunk.aEnd < aLimit && hunk.bEnd < bLimit && a[hunk.aStart] === a[hunk.aEnd])
        slide(hunk);
    }
    if (next !== undefined && hunk.aEnd === next.aStart && hunk.bEnd === next.bStart) {
      next.aStart = hunk.aStart;
      next.bStart = hunk.bStart;
    } else result.unshift(hunk);
  }
  return result;
}

function slide(hunk: Hunk): void {
  hunk.aStart++;
  hunk.aEnd++;
  hunk.bStart++;
  hunk.bEnd++;
}
