/** Owns `rmdir`. */
import type { Command } from "../command.js";
import { errorCode, errorText } from "../support/errors.js";
import { withoutTrailingSlashes } from "../support/files.js";
import { parseOptions, usageFailure } from "../support/options.js";
import { quoted } from "../support/text.js";

export const main: Command = (context) => {
  const options = parseOptions(context, "pv", {
    parents: "p",
    verbose: "v",
    "ignore-fail-on-non-empty": "ignore",
  });
  if (options.operands.length === 0) throw usageFailure(context, "missing operand");
  let status = 0;
  for (const operand of options.operands) {
    for (let path = operand; ;) {
      try {
        if (options.has("v")) context.write(`rmdir: removing directory, ${quoted(path)}\n`);
        context.fs.rmdirSync(path);
      } catch (error) {
        if (options.has("ignore") && errorCode(error) === "ENOTEMPTY") break;
        const what = path === operand ? "" : "directory ";
        context.writeError(`rmdir: failed to remove ${what}${quoted(path)}: ${errorText(error)}\n`);
        status = 1;
        break;
      }
      const slash = withoutTrailingSlashes(path).lastIndexOf("/");
      if (!options.has("p") || slash <= 0) break;
      path = withoutTrailingSlashes(path.slice(0, slash));
    }
  }
  return status;
};
