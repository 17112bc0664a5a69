/** Owns the long form of a difference: git's headers and unified hunks. */
import { toBytes } from "../../support/text.js";
import { changes, type Hunk } from "../diff/compare.js";
import type { Change, Counted } from "./diffstat.js";
import { short } from "./commit-text.js";

/** Lines of context around a change, where nobody says how many. */
const usualContext = 3;
/** Where git looks for what makes a file binary (xdiff-interface.c, FIRST_FEW_BYTES). */
const binaryWindow = 8000;

interface Side {
  list: string[];
  /** The last line has its newline. */
  ended: boolean;
}

export function lines(text: string): Side {
  const list = text.split("\n");
  const ended = list.at(-1) === "";
  if (ended) list.pop();
  return { list, ended };
}

/** Lines as they are compared: a last line without its newline differs from the same line with one. */
export function keys({ list, ended }: Side): string[] {
  return list.map((line, at) => (at === list.length - 1 && !ended ? `${line}\0` : line));
}

function hunkText(a: string, b: string, contextLines: number): string {
  const [left, right] = [lines(a), lines(b)];
  const last = "\\ No newline at end of file\n";
  const groups: Hunk[][] = [];
  for (const hunk of changes(keys(left), keys(right))) {
    const before = groups.at(-1)?.at(-1);
    if (before !== undefined && hunk.aStart - before.aEnd <= 2 * contextLines)
      groups.at(-1)!.push(hunk);
    else groups.push([hunk]);
  }
  const range = (from: number, to: number) =>
    to - from === 1 ? String(from + 1) : to === from ? `${from},0` : `${from + 1},${to - from}`;
  let out = "";
  const put = (mark: string, side: Side, at: number) => {
    out += `${mark}${side.list[at]!}\n${!side.ended && at === side.list.length - 1 ? last : ""}`;
  };
  for (const group of groups) {
    const [first, end] = [group[0]!, group.at(-1)!];
    const [aFrom, bFrom] = [first.aStart, first.bStart].map((at) =>
      Math.max(0, at - contextLines),
    ) as [number, number];
    const aTo = Math.min(left.list.length, end.aEnd + contextLines);
    const bTo = Math.min(right.list.length, end.bEnd + contextLines);
    const name = left.list.slice(0, aFrom).findLast((line) => /^[A-Za-z_$]/.test(line));
    out += `@@ -${range(aFrom, aTo)} +${range(bFrom, bTo)} @@${name === undefined ? "" : ` ${name.slice(0, 80).trimEnd()}`}\n`;
    let at = aFrom;
    for (const hunk of group) {
      for (; at < hunk.aStart; at++) put(" ", left, at);
      for (; at < hunk.aEnd; at++) put("-", left, at);
      for (let from = hunk.bStart; from < hunk.bEnd; from++) put("+", right, from);
    }
    for (; at < aTo; at++) put(" ", left, at);
  }
  return out;
}

const isBinary = (text: string): boolean => text.slice(0, binaryWindow).includes("\0");

async function textsOf({ old, new: now }: Change): Promise<[string, string]> {
  return [(await old?.text()) ?? "", (await now?.text()) ?? ""];
}

export async function counted(change: Change): Promise<Counted> {
  if (change.old?.oid === change.new?.oid)
    return { ...change, added: 0, removed: 0, binary: false };
  const [from, to] = await textsOf(change);
  if (isBinary(from) || isBinary(to))
    return { ...change, added: to.length, removed: from.length, binary: true };
  let [added, removed] = [0, 0];
  for (const hunk of changes(keys(lines(from)), keys(lines(to)))) {
    added += hunk.bEnd - hunk.bStart;
    removed += hunk.aEnd - hunk.aStart;
  }
  return { ...change, added, removed, binary: false };
}

export async function patchOf(change: Change, context = usualContext): Promise<string> {
  const { path, from = path, old, new: now } = change;
  let out = `diff --git a/${from} b/${path}\n`;
  if (old === undefined) out += `new file mode ${now!.mode}\n`;
  else if (now === undefined) out += `deleted file mode ${old.mode}\n`;
  else if (old.mode !== now.mode) out += `old mode ${old.mode}\nnew mode ${now.mode}\n`;
  if (change.from !== undefined)
    out += `similarity index 100%\nrename from ${from}\nrename to ${path}\n`;
  if (old?.oid === now?.oid) return toBytes(out);
  const none = "0".repeat(40);
  const mode =
    old !== undefined && now !== undefined && old.mode === now.mode ? ` ${old.mode}` : "";
  out += `index ${short(old?.oid ?? none)}..${short(now?.oid ?? none)}${mode}\n`;
  const [a, b] = await textsOf(change);
  const names = [
    old === undefined ? "/dev/null" : `a/${from}`,
    now === undefined ? "/dev/null" : `b/${path}`,
  ];
  if (isBinary(a) || isBinary(b))
    return toBytes(`${out}Binary files ${names[0]} and ${names[1]} differ\n`);
  const hunks = hunkText(a, b, context);
  return toBytes(hunks === "" ? out : `${out}--- ${names[0]}\n+++ ${names[1]}\n`) + hunks;
}
