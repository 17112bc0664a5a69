/** Owns `nproc`. */
import { availableParallelism } from "node:os";
import type { Command } from "../command.js";
import { parseOptions } from "../support/options.js";

export const main: Command = (context) => {
  const options = parseOptions(context, "", { all: "all", "ignore=": "ignore" });
  const ignored = Number(options.get("ignore") ?? 0) || 0;
  context.write(`${Math.max(1, availableParallelism() - ignored)}\n`);
  return 0;
};
