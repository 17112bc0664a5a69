/** Owns the files that git's configuration is in: reading them, and setting one value without touching the rest. */
import type { CommandContext } from "../../command.js";
import { statOrNothing } from "../../support/files.js";

export interface Entry {
  /** section.subsection.name; section and name in small letters. */
  key: string;
  value: string;
  /** The name stands alone: true, and nothing in a list. */
  bare: boolean;
  /** Which line of the file. */
  line: number;
}

function valueOf(text: string): string {
  let value = "";
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!;
    if (char === '"') quoted = !quoted;
    else if (char === "\\") {
      const next = text[++at] ?? "";
      value += { n: "\n", t: "\t", b: "\b" }[next] ?? next;
    } else if ((char === "#" || char === ";") && !quoted) break;
    else value += char;
  }
  return quoted ? value : value.trim();
}

export function textOf(context: CommandContext, path: string): string {
  return statOrNothing(context, path, false) === undefined
    ? ""
    : context.fs.readFileSync(path, "utf8");
}

export function entriesOf(text: string): Entry[] {
  const entries: Entry[] = [];
  let section = "";
  for (const [line, each] of text.split("\n").entries()) {
    const head = /^\s*\[\s*([\w.-]+)(?:\s+"((?:\\.|[^"\\])*)")?\s*\]/.exec(each);
    const rest = head === null ? each : each.slice(head[0].length);
    if (head !== null)
      section =
        head[1]!.toLowerCase() +
        (head[2] === undefined ? "" : `.${head[2].replace(/\\(.)/g, "$1")}`);
    const pair = /^\s*([A-Za-z][\w-]*)\s*(?:=\s*(.*?))?\s*$/.exec(rest);
    if (pair === null) continue;
    const bare = pair[2] === undefined;
    const value = bare ? "true" : valueOf(pair[2]!);
    entries.push({ key: `${section}.${pair[1]!.toLowerCase()}`, value, bare, line });
  }
  return entries;
}

const quotedValue = (value: string): string => {
  const text = value.replace(/[\\"]/g, "\\$&").replace(/\n/g, "\\n").replace(/\t/g, "\\t");
  return /^\s|\s$|[#;]/.test(value) ? `"${text}"` : text;
};

/** The text with `value` in place of the entries on `lines`, or behind the last of its section; without it those lines go. */
export function withValue(
  text: string,
  name: string,
  value: string | undefined,
  lines: readonly number[],
): string {
  const list = text.split("\n");
  if (list.at(-1) === "") list.pop();
  const parts = name.split(".");
  const [section, last] = [parts.shift()!, parts.pop()!];
  const entry = value === undefined ? [] : [`\t${last} = ${quotedValue(value)}`];
  if (lines.length > 0) {
    const kept = list.flatMap((line, at) =>
      !lines.includes(at) ? [line] : at === lines.at(-1) ? entry : [],
    );
    return `${withoutEmptySection(kept, value === undefined).join("\n")}\n`.replace(/^\n$/, "");
  }
  if (value === undefined) return text;
  const prefix = `${[section.toLowerCase(), ...parts].join(".")}.`;
  const before = entriesOf(text).findLast(
    ({ key }) => key.startsWith(prefix) && !key.slice(prefix.length).includes("."),
  );
  const head =
    parts.length === 0
      ? `[${section}]`
      : `[${section} "${parts.join(".").replace(/[\\"]/g, "\\$&")}"]`;
  const at = before?.line ?? list.findLastIndex((line) => line.trim() === head);
  if (at >= 0) list.splice(at + 1, 0, ...entry);
  else list.push(head, ...entry);
  return `${list.join("\n")}\n`;
}

/** git takes a section away with its last entry, where nothing else stands in it. */
function withoutEmptySection(list: readonly string[], removes: boolean): readonly string[] {
  if (!removes) return list;
  return list.filter(
    (line, at) =>
      !/^\s*\[[^\]]*\]\s*$/.test(line) ||
      (list[at + 1] !== undefined && !/^\s*\[/.test(list[at + 1]!)),
  );
}
