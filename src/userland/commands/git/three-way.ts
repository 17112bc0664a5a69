/**
 * Owns merging of three versions: of one text by lines (diff3), and of trees file by file. Where both sides changed
 * the same lines otherwise, the result has both between git's markers.
 */
import { changes, type Hunk } from "../diff/compare.js";
import { keys, lines } from "./patch-text.js";
import type { Repository } from "./repository.js";
import type { Files, Version } from "./trees.js";

/** What the markers say of each side. */
export interface SideNames {
  ours: string;
  theirs: string;
}

/** A stretch of the base that one side or both replaced. */
interface Region {
  from: number;
  to: number;
}

/** Hunks of both sides that touch, as one stretch of the base. */
function regionsOf(ours: readonly Hunk[], theirs: readonly Hunk[]): Region[] {
  const all = [...ours, ...theirs].sort((a, b) => a.aStart - b.aStart || a.aEnd - b.aEnd);
  const regions: Region[] = [];
  for (const { aStart, aEnd } of all) {
    const last = regions.at(-1);
    if (last !== undefined && aStart <= last.to) last.to = Math.max(last.to, aEnd);
    else regions.push({ from: aStart, to: aEnd });
  }
  return regions;
}

/** Where a stretch of the base begins and ends on a side. */
function sideRange(hunks: readonly Hunk[], { from, to }: Region): [number, number] {
  let shift = 0;
  let end = 0;
  let start: number | undefined;
  for (const hunk of hunks) {
    if (hunk.aEnd < from || (hunk.aEnd === from && hunk.aStart < from)) {
      shift = hunk.bEnd - hunk.aEnd;
      continue;
    }
    if (hunk.aStart > to) break;
    start ??= from + shift;
    end = hunk.bEnd - hunk.aEnd;
  }
  return start === undefined ? [from + shift, to + shift] : [start, to + end];
}

export interface MergedText {
  text: string;
  conflicts: number;
}

/** Merges texts as byte strings. */
function mergeTexts(
  base: string,
  ours: string,
  theirs: string,
  names: SideNames,
  /** The side that is taken where both changed the same lines. */
  favoured?: "ours" | "theirs",
): MergedText {
  const [o, a, b] = [keys(lines(base)), keys(lines(ours)), keys(lines(theirs))];
  const [mine, other] = [changes(o, a), changes(o, b)];
  const output: string[] = [];
  let conflicts = 0;
  let at = 0;
  const same = (one: readonly string[], two: readonly string[]): boolean =>
    one.length === two.length && one.every((line, index) => line === two[index]);
  for (const region of regionsOf(mine, other)) {
    output.push(...o.slice(at, region.from));
    at = region.to;
    const original = o.slice(region.from, region.to);
    const left = a.slice(...sideRange(mine, region));
    const right = b.slice(...sideRange(other, region));
    if (same(left, right) || same(right, original)) output.push(...left);
    else if (same(left, original)) output.push(...right);
    else if (favoured !== undefined) output.push(...(favoured === "ours" ? left : right));
    else {
      conflicts++;
      output.push(...conflict(left, right, names));
    }
  }
  output.push(...o.slice(at));
  return { text: textOf(output), conflicts };
}

/** Lines that both sides have at their beginning or end are outside of the markers. */
function conflict(left: string[], right: string[], names: SideNames): string[] {
  let start = 0;
  const shorter = Math.min(left.length, right.length);
  while (start < shorter && left[start] === right[start]) start++;
  let end = 0;
  while (end < shorter - start && left.at(-1 - end) === right.at(-1 - end)) end++;
  return [
    ...left.slice(0, start),
    `<<<<<<< ${names.ours}`,
    ...ended(left.slice(start, left.length - end)),
    "=======",
    ...ended(right.slice(start, right.length - end)),
    `>>>>>>> ${names.theirs}`,
    ...left.slice(left.length - end),
  ];
}

/** Before a marker every line has its newline. */
const ended = (list: string[]): string[] => list.map((line) => line.replace(/\0$/, ""));

function textOf(list: readonly string[]): string {
  return list.map((line) => (line.endsWith("\0") ? line.slice(0, -1) : `${line}\n`)).join("");
}

export interface MergedTree {
  files: Files;
  /** Paths where both sides changed something, each with what is said of it. */
  said: string[];
  conflicts: string[];
  /** Of the conflicts those where a side has deleted the file. */
  deleted: Set<string>;
}

const equal = (one: Version | undefined, two: Version | undefined): boolean =>
  one?.oid === two?.oid && one?.mode === two?.mode;

/** Merges what changed from `base` to `theirs` into `ours`. Objects of merged files are written. */
export async function mergeTrees(
  repository: Repository,
  base: Files,
  ours: Files,
  theirs: Files,
  names: SideNames,
  favoured?: "ours" | "theirs",
): Promise<MergedTree> {
  const merged: MergedTree = {
    files: new Map(ours),
    said: [],
    conflicts: [],
    deleted: new Set(),
  };
  for (const path of [...new Set([...base.keys(), ...theirs.keys()])].sort()) {
    const [old, mine, other] = [base.get(path), ours.get(path), theirs.get(path)];
    if (equal(old, other) || equal(mine, other)) continue;
    if (equal(old, mine)) {
      if (other === undefined) merged.files.delete(path);
      else merged.files.set(path, other);
      continue;
    }
    if (mine === undefined || other === undefined) {
      const [gone, kept] =
        mine === undefined ? [names.ours, names.theirs] : [names.theirs, names.ours];
      merged.said.push(
        `CONFLICT (modify/delete): ${path} deleted in ${gone} and modified in ${kept}.  Version ${kept} of ${path} left in tree.\n`,
      );
      if (mine === undefined) merged.files.set(path, other!);
      merged.conflicts.push(path);
      merged.deleted.add(path);
      continue;
    }
    const result = mergeTexts(
      (await old?.text()) ?? "",
      await mine.text(),
      await other.text(),
      names,
      favoured,
    );
    const blob = Buffer.from(result.text, "latin1");
    const oid = await repository.git.writeBlob({ ...repository.base, blob });
    const mode = old?.mode === mine.mode ? other.mode : mine.mode;
    merged.files.set(path, { oid, mode, text: () => Promise.resolve(result.text) });
    merged.said.push(`Auto-merging ${path}\n`);
    if (result.conflicts === 0) continue;
    merged.conflicts.push(path);
    const kind = old === undefined ? "add/add" : "content";
    merged.said.push(`CONFLICT (${kind}): Merge conflict in ${path}\n`);
  }
  return merged;
}
