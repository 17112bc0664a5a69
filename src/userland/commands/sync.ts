/** Owns `sync`. */
import type { Command } from "../command.js";
import { errorText } from "../support/errors.js";
import { parseOptions } from "../support/options.js";
import { quoted } from "../support/text.js";

export const main: Command = (context) => {
  const options = parseOptions(context, "df", { data: "d", "file-system": "f" });
  let status = 0;
  for (const path of options.operands) {
    try {
      const fd = context.fs.openSync(path, "r");
      context.fs.fsyncSync(fd);
      context.fs.closeSync(fd);
    } catch (error) {
      context.writeError(`sync: error opening ${quoted(path)}: ${errorText(error)}\n`);
      status = 1;
    }
  }
  return status;
};
