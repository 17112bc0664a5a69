/** Owns `basename`. */
import type { Command } from "../command.js";
import { parseOptions, usageFailure } from "../support/options.js";
import { baseName } from "../support/files.js";
import { quoted } from "../support/text.js";

export const main: Command = (context) => {
  const options = parseOptions(
    context,
    "as:z",
    { multiple: "a", "suffix=": "s", zero: "z" },
    { stopAtOperand: true },
  );
  const many = options.has("a", "s");
  let { operands } = options;
  let suffix = options.get("s") ?? "";
  if (operands.length === 0) throw usageFailure(context, "missing operand");
  if (!many) {
    if (operands.length > 2) throw usageFailure(context, `extra operand ${quoted(operands[2]!)}`);
    suffix = operands[1] ?? "";
    operands = operands.slice(0, 1);
  }
  for (const path of operands) {
    const base = baseName(path);
    const shown =
      base !== suffix && base.endsWith(suffix) ? base.slice(0, base.length - suffix.length) : base;
    context.write(shown + (options.has("z") ? "\0" : "\n"));
  }
  return 0;
};
