/** Owns where the hunks of a patch fit in a file, with fuzz, and how a patch is turned round. */
import type { FilePatch, PatchHunk } from "./patch-format.js";

interface Placed {
  at: number;
  fuzz: number;
}

export function splitLines(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

export function reversedHunk(hunk: PatchHunk): PatchHunk {
  const swap = { "+": "-", "-": "+", " ": " " } as const;
  const lines = hunk.lines.map(({ mark, text }) => ({ mark: swap[mark], text }));
  // What goes stands before what comes.
  const sorted: typeof lines = [];
  for (let at = 0; at < lines.length;) {
    let end = at;
    while (end < lines.length && lines[end]!.mark !== " ") end++;
    const run = lines.slice(at, end);
    sorted.push(
      ...run.filter(({ mark }) => mark === "-"),
      ...run.filter(({ mark }) => mark === "+"),
    );
    if (end < lines.length) sorted.push(lines[end]!);
    at = end + 1;
  }
  return {
    ...hunk,
    oldStart: hunk.newStart,
    newStart: hunk.oldStart,
    oldLines: hunk.newLines,
    newLines: hunk.oldLines,
    expectedAt: hunk.newLines.length === 0 ? hunk.newStart : hunk.newStart - 1,
    lines: sorted,
  };
}

export function reversed(patch: FilePatch): FilePatch {
  const result: FilePatch = { ...patch, hunks: patch.hunks.map(reversedHunk) };
  delete result.oldName;
  delete result.newName;
  if (patch.newName !== undefined) result.oldName = patch.newName;
  if (patch.oldName !== undefined) result.newName = patch.oldName;
  return result;
}

/** Where hunks fit. */
export class Placement {
  constructor(
    private readonly lines: string[],
    /** Lines of context that may differ at either end. */
    private readonly maxFuzz: number,
    /** White space is compared as one space. */
    private readonly loose: boolean,
  ) {}

  /** Not before `from`; the place that is nearest to where the hunk should be. */
  find(hunk: PatchHunk, from: number, offset: number): Placed | undefined {
    const context = contextOf(hunk);
    const most = Math.min(this.maxFuzz, Math.max(context.before, context.after));
    for (let fuzz = 0; fuzz <= most; fuzz++) {
      const at = this.#findWith(hunk, from, hunk.expectedAt + offset, fuzz);
      if (at !== undefined) return { at, fuzz };
    }
    return undefined;
  }

  cuts(hunk: PatchHunk, fuzz: number): { before: number; after: number } {
    const { before, after } = contextOf(hunk);
    const most = Math.max(before, after);
    const cut = (count: number) => Math.max(0, Math.min(count, fuzz + count - most));
    return { before: cut(before), after: cut(after) };
  }

  #findWith(hunk: PatchHunk, from: number, expected: number, fuzz: number): number | undefined {
    const { before, after } = this.cuts(hunk, fuzz);
    const wanted = hunk.oldLines.slice(before, hunk.oldLines.length - after);
    const context = contextOf(hunk);
    const first = expected + before;
    const last = this.lines.length - wanted.length;
    if (hunk.oldStart === 0 && hunk.oldLines.length === 0) {
      return this.lines.length === 0 ? 0 : undefined;
    }
    const fits = (at: number) =>
      at >= from &&
      at <= last &&
      wanted.every((line, index) => this.#equal(line, this.lines[at + index]!));
    // Less context before than after is the beginning of the file, and the other way round its end.
    if (fuzz === 0 && context.before < context.after && hunk.expectedAt === 0 && !this.loose) {
      if (fits(0)) return 0;
    }
    const farthest = Math.max(first - from, last - first, 0);
    for (let distance = 0; distance <= farthest; distance++) {
      if (fits(first + distance)) return first + distance;
      if (distance > 0 && fits(first - distance)) return first - distance;
    }
    return undefined;
  }

  #equal(a: string, b: string): boolean {
    if (a === b) return true;
    if (!this.loose) return false;
    const plain = (text: string) => text.replace(/[ \t\r\n]+/g, " ").trimEnd();
    return plain(a) === plain(b);
  }

  /** How many lines of the file the hunk stands for. */
  covered(hunk: PatchHunk, fuzz: number): number {
    const { before, after } = this.cuts(hunk, fuzz);
    return hunk.oldLines.length - before - after;
  }

  /** The lines that take their place: context as the file has it. */
  replaced(hunk: PatchHunk, at: number, fuzz: number): string[] {
    const { before, after } = this.cuts(hunk, fuzz);
    const output: string[] = [];
    let place = at;
    for (const { mark, text } of hunk.lines.slice(before, hunk.lines.length - after)) {
      if (mark === "+") output.push(text);
      else {
        if (mark === " ") output.push(this.lines[place]!);
        place++;
      }
    }
    return output;
  }
}

function contextOf(hunk: PatchHunk): { before: number; after: number } {
  const { lines } = hunk;
  const first = lines.findIndex(({ mark }) => mark !== " ");
  const last = lines.findLastIndex(({ mark }) => mark !== " ");
  return { before: Math.max(first, 0), after: last === -1 ? 0 : lines.length - 1 - last };
}
