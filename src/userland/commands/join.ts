/** Owns `join`. */
import { CommandFailure, type Command } from "../command.js";
import { errorText } from "../support/errors.js";
import { LineReader, openInput } from "../support/input.js";
import { parseOptions, usageFailure } from "../support/options.js";
import { quoted, toBytes } from "../support/text.js";

interface Row {
  fields: string[];
  key: string;
}

export const main: Command = (context) => {
  const options = parseOptions(context, "a:e:i1:2:j:o:t:v:z", {
    "ignore-case": "i",
    header: "header",
    "check-order": "check",
    "nocheck-order": "nocheck",
    "zero-terminated": "z",
  });
  const [first, second, extra] = options.operands;
  if (first === undefined) throw usageFailure(context, "missing operand");
  if (second === undefined) throw usageFailure(context, `missing operand after ${quoted(first)}`);
  if (extra !== undefined) throw usageFailure(context, `extra operand ${quoted(extra)}`);
  const end = options.has("z") ? "\0" : "\n";
  const separator = options.has("t")
    ? toBytes(options.get("t")!).replace(/^\\t$/, "\t")
    : undefined;
  const fieldNumber = (key: string): number => {
    const text = options.get(key) ?? options.get("j") ?? "1";
    if (!/^[1-9]\d*$/.test(text)) throw new CommandFailure(`invalid field number: ${quoted(text)}`);
    return Number(text) - 1;
  };
  const keys = [fieldNumber("1"), fieldNumber("2")];
  const fold = options.has("i") ? (text: string) => text.toLowerCase() : (text: string) => text;
  const reader = (name: string) => {
    try {
      return new LineReader(openInput(context, name), end);
    } catch (error) {
      throw new CommandFailure(`${name}: ${errorText(error)}`);
    }
  };
  const readers = [reader(first), reader(second)];
  const next = (side: number): Row | undefined => {
    const line = readers[side]!.next();
    if (line === undefined) return undefined;
    const fields = separator === undefined ? line.trim().split(/[ \t]+/) : line.split(separator);
    return { fields, key: fields[keys[side]!] ?? "" };
  };
  const joiner = separator ?? " ";
  const empty = toBytes(options.get("e") ?? "");
  const format = options.get("o");
  const emit = (a: Row | undefined, b: Row | undefined) => {
    const rows = [a, b];
    const key = (a ?? b)!.key;
    let parts: string[];
    if (format !== undefined && format !== "auto") {
      parts = format.split(/[, ]+/).map((item) => {
        if (item === "0") return key;
        const match = /^([12])\.([1-9]\d*)$/.exec(item);
        if (match === null) throw new CommandFailure(`invalid field specifier: ${quoted(item)}`);
        return rows[Number(match[1]) - 1]?.fields[Number(match[2]) - 1] || empty;
      });
    } else {
      const rest = (row: Row | undefined, side: number) =>
        row?.fields.filter((_, at) => at !== keys[side]!) ?? [];
      parts = [key, ...rest(a, 0), ...rest(b, 1)];
    }
    context.writeBytes(parts.join(joiner) + end);
  };
  const alone = [...options.all("a"), ...options.all("v")];
  const pairs = !options.has("v");
  let [a, b] = [next(0), next(1)];
  if (options.has("header") && a !== undefined && b !== undefined) {
    emit(a, b);
    [a, b] = [next(0), next(1)];
  }
  while (a !== undefined || b !== undefined) {
    const order = a === undefined ? 1 : b === undefined ? -1 : compare(fold(a.key), fold(b.key));
    if (order < 0) {
      if (alone.includes("1")) emit(a, undefined);
      a = next(0);
    } else if (order > 0) {
      if (alone.includes("2")) emit(undefined, b);
      b = next(1);
    } else {
      // All rows of one key on the right meet each on the left.
      const key = fold(b!.key);
      const group: Row[] = [];
      for (; b !== undefined && fold(b.key) === key; b = next(1)) group.push(b);
      for (; a !== undefined && fold(a.key) === key; a = next(0)) {
        if (pairs) for (const row of group) emit(a, row);
      }
    }
  }
  return 0;
};

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
