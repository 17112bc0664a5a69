/** Owns `mkfifo` and `mknod`: there are no named pipes in the machine, and that is said where one is asked for. */
import { CommandFailure, type Command } from "../command.js";
import { parseOptions, usageFailure } from "../support/options.js";
import { quoted } from "../support/text.js";

export const main: Command = (context) => {
  const options = parseOptions(context, "m:Z", { "mode=": "m", "context=?": "Z" });
  const [name] = options.operands;
  if (name === undefined) throw usageFailure(context, "missing operand");
  const what = context.name === "mknod" ? "special files" : "named pipes";
  throw new CommandFailure(
    `cannot create ${context.name === "mknod" ? "special file" : "fifo"} ${quoted(name)}: Operation not supported (this machine has no ${what}; use a pipeline, or a file)`,
  );
};
