/** Owns `printenv`. */
import type { Command } from "../command.js";
import { parseOptions } from "../support/options.js";

export const main: Command = (context) => {
  const options = parseOptions(context, "0", { null: "0" }, { status: 2 });
  const end = options.has("0") ? "\0" : "\n";
  if (options.operands.length === 0) {
    for (const [name, value] of Object.entries(context.env))
      context.write(`${name}=${value}${end}`);
    return 0;
  }
  let status = 0;
  for (const name of options.operands) {
    const value = context.env[name];
    if (value === undefined) status = 1;
    else context.write(value + end);
  }
  return status;
};
