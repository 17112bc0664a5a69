/** Owns `realpath`. */
import { relative, resolve } from "node:path";
import type { Command } from "../command.js";
import { errorText } from "../support/errors.js";
import { parseOptions, usageFailure } from "../support/options.js";
import { resolvePath } from "../support/real-path.js";

export const main: Command = (context) => {
  const options = parseOptions(context, "emLPqsz", {
    "canonicalize-existing": "e",
    "canonicalize-missing": "m",
    logical: "L",
    physical: "P",
    quiet: "q",
    strip: "s",
    "no-symlinks": "s",
    zero: "z",
    "relative-to=": "to",
    "relative-base=": "base",
  });
  if (options.operands.length === 0) throw usageFailure(context, "missing operand");
  const need = options.has("e") ? "all" : options.has("m") ? "none" : "parent";
  const real = (path: string) =>
    options.has("s") ? resolve(path) : resolvePath(context, path, need);
  let status = 0;
  for (const path of options.operands) {
    try {
      let result = real(path);
      const base = options.get("base");
      const to = options.get("to") ?? base;
      const within = base === undefined || `${result}/`.startsWith(`${real(base)}/`);
      if (to !== undefined && within) result = relative(real(to), result) || ".";
      context.write(result + (options.has("z") ? "\0" : "\n"));
    } catch (error) {
      const text = errorText(error);
      if (!options.has("q")) context.writeError(`realpath: ${path}: ${text}\n`);
      status = 1;
    }
  }
  return status;
};
