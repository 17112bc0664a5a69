/** Owns `join`. */
import { CommandFailure, type Command, type CommandContext } from "../command.js";
import { errorText } from "../support/errors.js";
import { LineReader, openInput } from "../support/input.js";
import { parseOptions, usageFailure, type Options } from "../support/options.js";
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
  const rules = rulesOf(options);
  const left = new Rows(context, first, rules.keys[0], rules);
  const right = new Rows(context, second, rules.keys[1], rules);
  merge(left, right, rules, (a, b) => context.writeBytes(joined(a, b, rules) + rules.end));
  return 0;
};

interface Rules {
  /** Indices of the fields that are compared, on the left and on the right. */
  keys: readonly [number, number];
  separator: string | undefined;
  /** Of a line. */
  end: string;
  /** Stands for a field that is not there. */
  empty: string;
  /** Undefined: the key, and what else each row has. */
  format: string | undefined;
  /** Rows without a partner that are shown: of "1", of "2". */
  alone: readonly string[];
  pairs: boolean;
  header: boolean;
  /** What of a key is compared. */
  fold(key: string): string;
}

function rulesOf(options: Options): Rules {
  const separator = options.get("t");
  const format = options.get("o");
  const fieldNumber = (key: string): number => {
    const text = options.get(key) ?? options.get("j") ?? "1";
    if (!/^[1-9]\d*$/.test(text)) throw new CommandFailure(`invalid field number: ${quoted(text)}`);
    return Number(text) - 1;
  };
  return {
    keys: [fieldNumber("1"), fieldNumber("2")],
    separator: separator === undefined ? undefined : toBytes(separator).replace(/^\\t$/, "\t"),
    end: options.has("z") ? "\0" : "\n",
    empty: toBytes(options.get("e") ?? ""),
    format: format === "auto" ? undefined : format,
    alone: [...options.all("a"), ...options.all("v")],
    pairs: !options.has("v"),
    header: options.has("header"),
    fold: options.has("i") ? (key) => key.toLowerCase() : (key) => key,
  };
}

/** The rows of one input, in order. */
class Rows {
  readonly #reader: LineReader;

  constructor(
    context: CommandContext,
    name: string,
    private readonly key: number,
    private readonly rules: Rules,
  ) {
    try {
      this.#reader = new LineReader(openInput(context, name), rules.end);
    } catch (error) {
      throw new CommandFailure(`${name}: ${errorText(error)}`);
    }
  }

  next(): Row | undefined {
    const { separator } = this.rules;
    const line = this.#reader.next();
    if (line === undefined) return undefined;
    const fields = separator === undefined ? line.trim().split(/[ \t]+/) : line.split(separator);
    return { fields, key: fields[this.key] ?? "" };
  }
}

type Emit = (a: Row | undefined, b: Row | undefined) => void;

function merge(left: Rows, right: Rows, rules: Rules, emit: Emit): void {
  const { fold, alone } = rules;
  let [a, b] = [left.next(), right.next()];
  if (rules.header && a !== undefined && b !== undefined) {
    emit(a, b);
    [a, b] = [left.next(), right.next()];
  }
  while (a !== undefined || b !== undefined) {
    const order = a === undefined ? 1 : b === undefined ? -1 : compare(fold(a.key), fold(b.key));
    if (order < 0) {
      if (alone.includes("1")) emit(a, undefined);
      a = left.next();
    } else if (order > 0) {
      if (alone.includes("2")) emit(undefined, b);
      b = right.next();
    } else {
      // All rows of one key on the right meet each on the left.
      const key = fold(b!.key);
      const group: Row[] = [];
      for (; b !== undefined && fold(b.key) === key; b = right.next()) group.push(b);
      for (; a !== undefined && fold(a.key) === key; a = left.next()) {
        if (rules.pairs) for (const row of group) emit(a, row);
      }
    }
  }
}

/** The line that two rows, or one without a partner, become. */
function joined(a: Row | undefined, b: Row | undefined, rules: Rules): string {
  const { keys, empty } = rules;
  const rows = [a, b];
  const { key } = (a ?? b)!;
  const others = (side: 0 | 1) => rows[side]?.fields.filter((_, at) => at !== keys[side]) ?? [];
  const parts = rules.format?.split(/[, ]+/).map((item) => {
    if (item === "0") return key;
    const match = /^([12])\.([1-9]\d*)$/.exec(item);
    if (match === null) throw new CommandFailure(`invalid field specifier: ${quoted(item)}`);
    return rows[Number(match[1]) - 1]?.fields[Number(match[2]) - 1] || empty;
  });
  return (parts ?? [key, ...others(0), ...others(1)]).join(rules.separator ?? " ");
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
