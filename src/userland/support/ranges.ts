/** Owns lists of ranges (`1,3-5,7-`), for cut and expand. */
import { CommandFailure } from "../command.js";
import { quoted } from "./text.js";

export interface Range {
  from: number;
  to: number;
}

/** Sorted and without overlap; positions count from 1. */
export function parseRanges(text: string, kind: "field" | "byte"): Range[] {
  const fail = (message: string) =>
    new CommandFailure(message, 1, "Try 'cut --help' for more information.\n");
  const ranges = text.split(/[, ]/).map((part) => {
    const match = /^(\d*)(-?)(\d*)$/.exec(part);
    if (match === null || part === "") {
      if (kind === "field" && part !== "") throw fail(`invalid field value ${quoted(part)}`);
      if (part !== "") throw fail(`invalid byte/character position ${quoted(part)}`);
      throw fail(
        kind === "field"
          ? "fields are numbered from 1"
          : "byte/character positions are numbered from 1",
      );
    }
    if (part === "-") throw fail("invalid range with no endpoint: -");
    const from = match[1] === "" ? 1 : Number(match[1]);
    const to = match[2] === "" ? from : match[3] === "" ? Infinity : Number(match[3]);
    if (from === 0)
      throw fail(
        kind === "field"
          ? "fields are numbered from 1"
          : "byte/character positions are numbered from 1",
      );
    if (to < from) throw fail("invalid decreasing range");
    return { from, to };
  });
  ranges.sort((a, b) => a.from - b.from);
  const merged: Range[] = [];
  for (const range of ranges) {
    const last = merged.at(-1);
    if (last !== undefined && range.from <= last.to) last.to = Math.max(last.to, range.to);
    else merged.push({ ...range });
  }
  return merged;
}

export function complementOf(ranges: Range[]): Range[] {
  const result: Range[] = [];
  let from = 1;
  for (const range of ranges) {
    if (range.from > from) result.push({ from, to: range.from - 1 });
    from = range.to + 1;
  }
  if (from !== Infinity) result.push({ from, to: Infinity });
  return result;
}
