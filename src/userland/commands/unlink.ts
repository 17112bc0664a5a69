/** Owns `unlink`. */
import type { Command } from "../command.js";
import { CommandFailure } from "../command.js";
import { errorText } from "../support/errors.js";
import { parseOptions, usageFailure } from "../support/options.js";
import { quoted } from "../support/text.js";

export const main: Command = (context) => {
  const [name, extra] = parseOptions(context, "").operands;
  if (name === undefined) throw usageFailure(context, "missing operand");
  if (extra !== undefined) throw usageFailure(context, `extra operand ${quoted(extra)}`);
  try {
    context.fs.unlinkSync(name);
  } catch (error) {
    throw new CommandFailure(`cannot unlink ${quoted(name)}: ${errorText(error)}`);
  }
  return 0;
};
