/** Owns `link`: link(2), and nothing around it. */
import { CommandFailure, type Command } from "../command.js";
import { errorText } from "../support/errors.js";
import { parseOptions, usageFailure } from "../support/options.js";
import { quoted } from "../support/text.js";

export const main: Command = (context) => {
  const [from, to, extra] = parseOptions(context, "").operands;
  if (from === undefined) throw usageFailure(context, "missing operand");
  if (to === undefined) throw usageFailure(context, `missing operand after ${quoted(from)}`);
  if (extra !== undefined) throw usageFailure(context, `extra operand ${quoted(extra)}`);
  try {
    context.fs.linkSync(from, to);
  } catch (error) {
    const why = errorText(error);
    throw new CommandFailure(`cannot create link ${quoted(to)} to ${quoted(from)}: ${why}`);
  }
  return 0;
};
