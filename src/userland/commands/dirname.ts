/** Owns `dirname`. */
import type { Command } from "../command.js";
import { parseOptions, usageFailure } from "../support/options.js";
import { withoutTrailingSlashes } from "../support/files.js";

export const main: Command = (context) => {
  const options = parseOptions(context, "z", { zero: "z" });
  if (options.operands.length === 0) throw usageFailure(context, "missing operand");
  for (const path of options.operands) {
    const trimmed = withoutTrailingSlashes(path);
    const slash = trimmed.lastIndexOf("/");
    const parent = slash === -1 ? "." : withoutTrailingSlashes(trimmed.slice(0, slash)) || "/";
    context.write(parent + (options.has("z") ? "\0" : "\n"));
  }
  return 0;
};
