/** Owns `comm`. */
import { CommandFailure, type Command } from "../command.js";
import { errorText } from "../support/errors.js";
import { LineReader, openInput } from "../support/input.js";
import { parseOptions, usageFailure } from "../support/options.js";
import { quoted, toBytes } from "../support/text.js";

export const main: Command = (context) => {
  const options = parseOptions(context, "123z", {
    "output-delimiter=": "delimiter",
    "check-order": "check",
    "nocheck-order": "nocheck",
    "zero-terminated": "z",
    total: "total",
  });
  const [first, second, extra] = options.operands;
  if (first === undefined) throw usageFailure(context, "missing operand");
  if (second === undefined) throw usageFailure(context, `missing operand after ${quoted(first)}`);
  if (extra !== undefined) throw usageFailure(context, `extra operand ${quoted(extra)}`);
  const end = options.has("z") ? "\0" : "\n";
  const open = (name: string) => {
    try {
      return new LineReader(openInput(context, name), end);
    } catch (error) {
      throw new CommandFailure(`${name}: ${errorText(error)}`);
    }
  };
  const readers = [open(first), open(second)];
  const delimiter = toBytes(options.get("delimiter") ?? "\t");
  const shown = ["1", "2", "3"].map((key) => !options.has(key));
  const prefixes = [0, 1, 2].map((column) =>
    delimiter.repeat(shown.slice(0, column).filter(Boolean).length),
  );
  const totals = [0, 0, 0];
  const emit = (column: number, line: string) => {
    totals[column]!++;
    if (shown[column]) context.writeBytes(prefixes[column]! + line + end);
  };
  const before: (string | undefined)[] = [undefined, undefined];
  const warned = [false, false];
  let status = 0;
  const next = (side: number): string | undefined => {
    const line = readers[side]!.next();
    const last = before[side];
    if (
      line !== undefined &&
      last !== undefined &&
      line < last &&
      !warned[side] &&
      !options.has("nocheck")
    ) {
      warned[side] = true;
      context.writeError(`comm: file ${side + 1} is not in sorted order\n`);
      status = 1;
    }
    before[side] = line;
    return line;
  };
  let [a, b] = [next(0), next(1)];
  while (a !== undefined || b !== undefined) {
    if (b === undefined || (a !== undefined && a < b)) {
      emit(0, a!);
      a = next(0);
    } else if (a === undefined || b < a) {
      emit(1, b);
      b = next(1);
    } else {
      emit(2, a);
      [a, b] = [next(0), next(1)];
    }
  }
  if (options.has("total")) context.writeBytes([...totals, "total"].join(delimiter) + end);
  if (status !== 0) context.writeError("comm: input is not in sorted order\n");
  return status;
};
