/**
 * Owns the short forms of a difference: --stat, --numstat, --shortstat and the lines that say what was made, removed
 * or renamed. Widths are git's (diff.c, show_stats): 80 columns, of which the graph has three eighths when names are long.
 */
import { toBytes } from "../../support/text.js";
import type { Version } from "./trees.js";

export interface Change {
  /** Of the new side, or of the old one where it is gone. */
  path: string;
  /** Where it was, if it was renamed. */
  from?: string;
  old: Version | undefined;
  new: Version | undefined;
}

export interface Counted extends Change {
  added: number;
  removed: number;
  binary: boolean;
}

const columns = 80;
const fewestGraph = 6;

const plural = (count: number, word: string): string => `${count} ${word}${count === 1 ? "" : "s"}`;

export function shortstat(list: readonly Counted[]): string {
  const sum = (key: "added" | "removed"): number =>
    list.reduce((total, each) => total + (each.binary ? 0 : each[key]), 0);
  const [added, removed] = [sum("added"), sum("removed")];
  let text = ` ${plural(list.length, "file")} changed`;
  if (list.length === 0) return `${text}\n`;
  if (added > 0 || removed === 0) text += `, ${plural(added, "insertion")}(+)`;
  if (removed > 0 || added === 0) text += `, ${plural(removed, "deletion")}(-)`;
  return `${text}\n`;
}

/** `dir/{a => b}`: what both have in common stands once. */
export function renamed(from: string, to: string): string {
  let start = 0;
  for (let at = 0; at < Math.min(from.length, to.length) && from[at] === to[at]; at++)
    if (from[at] === "/") start = at + 1;
  let end = 0;
  const most = Math.min(from.length, to.length) - start + (start > 0 ? 1 : 0);
  for (let at = 1; at <= most && from.at(-at) === to.at(-at); at++)
    if (from.at(-at) === "/") end = at;
  if (start === 0 && end === 0) return `${from} => ${to}`;
  const middle = (text: string): string => text.slice(start, text.length - end);
  return `${from.slice(0, start)}{${middle(from)} => ${middle(to)}}${from.slice(from.length - end)}`;
}

const nameOf = ({ path, from }: Change): string =>
  from === undefined ? path : renamed(from, path);

function scaled(value: number, width: number, most: number): number {
  return value === 0 ? 0 : 1 + Math.floor((value * (width - 1)) / most);
}

/** A name that is too long loses its beginning, at a slash where there is one. */
function shortened(name: string, width: number): string {
  if (name.length <= width) return name.padEnd(width);
  const kept = name.slice(name.length - Math.max(0, width - 3));
  const slash = kept.indexOf("/");
  return `...${slash === -1 ? kept : kept.slice(slash)}`.padEnd(width);
}

function widths(
  list: readonly Counted[],
  width: number,
): { name: number; number: number; graph: number } {
  const digits = (value: number): number => String(value).length;
  const most = Math.max(
    0,
    ...list.map(({ added, removed, binary }) => (binary ? 0 : added + removed)),
  );
  const bins = list.filter(({ binary }) => binary);
  const binWidth = Math.max(
    0,
    ...bins.map(({ added, removed }) => 14 + digits(added) + digits(removed)),
  );
  const number = Math.max(digits(most), bins.length > 0 ? 3 : 0);
  let graph = most + 4 > binWidth ? most : binWidth - 4;
  let name = Math.max(0, ...list.map((each) => nameOf(each).length));
  if (name + number + 6 + graph > width) {
    const part = Math.floor((width * 3) / 8) - number - 6;
    if (graph > part) graph = Math.max(part, fewestGraph);
    const left = width - number - 6 - graph;
    if (name > left) name = left;
    else graph = width - number - 6 - name;
  }
  return { name, number, graph };
}

export function stat(list: readonly Counted[], width = columns): string {
  const { name, number, graph } = widths(list, width);
  const most = Math.max(
    0,
    ...list.map(({ added, removed, binary }) => (binary ? 0 : added + removed)),
  );
  let text = "";
  for (const each of list) {
    const { added, removed, binary } = each;
    text += ` ${shortened(nameOf(each), name)} | `;
    if (binary) {
      const sizes = added === 0 && removed === 0 ? "" : ` ${removed} -> ${added} bytes`;
      text += `${"Bin".padStart(number)}${sizes}\n`;
      continue;
    }
    let [plus, minus] = [added, removed];
    if (graph <= most) {
      let total = scaled(added + removed, graph, most);
      if (total < 2 && added > 0 && removed > 0) total = 2;
      if (added < removed) {
        plus = scaled(added, graph, most);
        minus = total - plus;
      } else {
        minus = scaled(removed, graph, most);
        plus = total - minus;
      }
    }
    const total = added + removed;
    text += `${String(total).padStart(number)}${total === 0 ? "" : " "}${"+".repeat(plus)}${"-".repeat(minus)}\n`;
  }
  return list.length === 0 ? "" : toBytes(text) + shortstat(list);
}

export function numstat(list: readonly Counted[]): string {
  const line = (each: Counted): string =>
    `${each.binary ? "-\t-" : `${each.added}\t${each.removed}`}\t${nameOf(each)}\n`;
  return toBytes(list.map(line).join(""));
}

/** Files that were made, removed, renamed or got another mode. */
export function summary(list: readonly Change[]): string {
  const line = (each: Change): string => {
    if (each.old === undefined) return ` create mode ${each.new!.mode} ${each.path}\n`;
    if (each.new === undefined) return ` delete mode ${each.old.mode} ${each.path}\n`;
    const moved = each.from === undefined ? "" : ` rename ${nameOf(each)} (100%)\n`;
    if (each.old.mode === each.new.mode) return moved;
    const name = each.from === undefined ? ` ${each.path}` : "";
    return `${moved} mode change ${each.old.mode} => ${each.new.mode}${name}\n`;
  };
  return toBytes(list.map(line).join(""));
}
