/** Owns differences as scripts that make the second file of the first: for ed (-e) and RCS (-n). */
import type { Hunk } from "./compare.js";
import type { Side } from "./main.js";

/** From the last hunk to the first, so that the numbers of those before stay right. */
export function edScript(a: Side, b: Side, hunks: readonly Hunk[]): string {
  let text = "";
  for (const { aStart, aEnd, bStart, bEnd } of [...hunks].reverse()) {
    const range = aEnd - aStart <= 1 ? String(Math.max(aStart, aEnd)) : `${aStart + 1},${aEnd}`;
    if (bStart === bEnd) {
      text += `${range}d\n`;
      continue;
    }
    text += `${range}${aStart === aEnd ? "a" : "c"}\n`;
    let inserts = true;
    for (const line of b.lines.slice(bStart, bEnd)) {
      if (!inserts) text += "a\n";
      inserts = line !== ".";
      // A dot alone would end the input: it is written as two, one of which is taken away.
      text += inserts ? `${line}\n` : "..\n.\ns/.//\n";
    }
    if (inserts) text += ".\n";
  }
  return text;
}

export function rcsScript(a: Side, b: Side, hunks: readonly Hunk[]): string {
  let text = "";
  for (const { aStart, aEnd, bStart, bEnd } of hunks) {
    if (aEnd > aStart) text += `d${aStart + 1} ${aEnd - aStart}\n`;
    if (bEnd === bStart) continue;
    text += `a${aEnd} ${bEnd - bStart}\n`;
    text += b.lines.slice(bStart, bEnd).join("\n");
    if (bEnd < b.lines.length || b.ended) text += "\n";
  }
  return text;
}
