/** Owns `readlink`. */
import type { Command } from "../command.js";
import { errorText } from "../support/errors.js";
import { parseOptions, usageFailure } from "../support/options.js";
import { resolvePath } from "../support/real-path.js";

export const main: Command = (context) => {
  const options = parseOptions(context, "femnqsvz", {
    canonicalize: "f",
    "canonicalize-existing": "e",
    "canonicalize-missing": "m",
    "no-newline": "n",
    quiet: "q",
    silent: "s",
    verbose: "v",
    zero: "z",
  });
  if (options.operands.length === 0) throw usageFailure(context, "missing operand");
  const how = options.last("f", "e", "m");
  const end = options.has("z")
    ? "\0"
    : options.has("n") && options.operands.length === 1
      ? ""
      : "\n";
  let status = 0;
  for (const path of options.operands) {
    try {
      const result =
        how === undefined
          ? context.fs.readlinkSync(path)
          : resolvePath(context, path, how === "e" ? "all" : how === "m" ? "none" : "parent");
      context.write(result + end);
    } catch (error) {
      const text = errorText(error);
      if (options.has("v")) context.writeError(`readlink: ${path}: ${text}\n`);
      status = 1;
    }
  }
  return status;
};
