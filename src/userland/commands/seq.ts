/** Owns `seq`. */
import type { Command } from "../command.js";
import { formatFloat, limitedWidth } from "../support/printf.js";
import { parseOptions, usageFailure } from "../support/options.js";
import { quoted } from "../support/text.js";

export const main: Command = (context) => {
  const options = parseOptions(
    context,
    "s:wf:",
    { "separator=": "s", "equal-width": "w", "format=": "f" },
    { operandPattern: /^-[\d.]/ },
  );
  const { operands } = options;
  if (operands.length === 0) throw usageFailure(context, "missing operand");
  if (operands.length > 3) throw usageFailure(context, `extra operand ${quoted(operands[3]!)}`);
  for (const word of operands) {
    if (!/^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$/.test(word)) {
      throw usageFailure(context, `invalid floating point argument: ${quoted(word)}`);
    }
  }
  const first = operands.length > 1 ? operands[0]! : "1";
  const step = operands.length > 2 ? operands[1]! : "1";
  const last = operands.at(-1)!;
  if (Number(step) === 0)
    throw usageFailure(context, `invalid Zero increment value: ${quoted(step)}`);
  const separator = options.get("s") ?? "\n";
  const decimals = Math.max(decimalsOf(first), decimalsOf(step));
  const format = formatter(options.get("f"), decimals);
  const width = options.has("w") ? Math.max(...[first, last].map((w) => widthOf(w, decimals))) : 0;
  const show = (text: string) =>
    text.length < width
      ? (text[0] === "-" ? "-" : "") +
        text.replace("-", "").padStart(width - (text[0] === "-" ? 1 : 0), "0")
      : text;
  if (decimals === 0 && [first, step, last].every((word) => /^[-+]?\d+$/.test(word))) {
    // Integers of any size, without rounding.
    const by = BigInt(step.replace("+", ""));
    const end = BigInt(last.replace("+", ""));
    let some = false;
    for (let n = BigInt(first.replace("+", "")); by > 0n ? n <= end : n >= end; n += by) {
      const text = options.has("f") ? format(Number(n)) : n.toString();
      context.write((some ? separator : "") + show(text));
      some = true;
    }
    if (some) context.write("\n");
    return 0;
  }
  const [from, by, to] = [Number(first), Number(step), Number(last)];
  // Counting steps, not adding them up, keeps errors from growing.
  let some = false;
  for (let index = 0; ; index++) {
    const value = from + index * by;
    const slack = Math.abs(by) * 1e-9;
    if (by > 0 ? value > to + slack : value < to - slack) break;
    context.write((some ? separator : "") + show(format(value)));
    some = true;
  }
  if (some) context.write("\n");
  return 0;
};

function decimalsOf(word: string): number {
  const match = /^[-+]?\d*(?:\.(\d*))?(?:[eE]([-+]?\d+))?$/.exec(word)!;
  return Math.max(0, (match[1]?.length ?? 0) - Number(match[2] ?? 0));
}

function widthOf(word: string, decimals: number): number {
  return Number(word).toFixed(decimals).length;
}

function formatter(format: string | undefined, decimals: number): (value: number) => string {
  if (format === undefined) return (value) => value.toFixed(decimals);
  const match = /^((?:[^%]|%%)*)%([-+ #0']*)(\d*)(?:\.(\d*))?([aefgAEFG])((?:[^%]|%%)*)$/.exec(
    format,
  );
  if (match === null) return () => format;
  const [, before, flags, width, precision, letter, after] = match;
  return (value) =>
    before!.replaceAll("%%", "%") +
    formatFloat(value, {
      flags: flags!,
      width: limitedWidth(Number(width)),
      precision: precision === undefined ? undefined : limitedWidth(Number(precision)),
      letter: letter!,
    }) +
    after!.replaceAll("%%", "%");
}
