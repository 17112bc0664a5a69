/** Owns `tty`. */
import type { Command } from "../command.js";
import { errorCode } from "../support/errors.js";
import { parseOptions, usageFailure } from "../support/options.js";
import { quoted } from "../support/text.js";

export const main: Command = (context) => {
  const options = parseOptions(context, "s", { silent: "s", quiet: "s" });
  const [extra] = options.operands;
  if (extra !== undefined) throw usageFailure(context, `extra operand ${quoted(extra)}`, 2);
  const silent = options.has("s");
  if (!context.isTerminal(0)) {
    if (!silent) context.write("not a tty\n");
    return 1;
  }
  if (silent) return 0;
  try {
    context.write(`${context.fs.readlinkSync("/proc/self/fd/0")}\n`);
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    context.write("/dev/tty\n");
  }
  return 0;
};
