/** Owns `whoami`. */
import { CommandFailure, type Command } from "../command.js";
import { nameTable } from "../support/files.js";
import { parseOptions, usageFailure } from "../support/options.js";
import { quoted } from "../support/text.js";

export const main: Command = (context) => {
  const options = parseOptions(context, "");
  const extra = options.operands[0];
  if (extra !== undefined) throw usageFailure(context, `extra operand ${quoted(extra)}`);
  const uid = process.geteuid!();
  const name = nameTable(context, "passwd").get(uid);
  if (name === undefined) throw new CommandFailure(`cannot find name for user ID ${uid}`);
  context.write(`${name}\n`);
  return 0;
};
