/** Owns `pwd`. */
import type { Command } from "../command.js";
import { parseOptions } from "../support/options.js";

export const main: Command = (context) => {
  const options = parseOptions(context, "LP", { logical: "L", physical: "P" });
  const { PWD: logical } = context.env;
  const here = context.cwd();
  if (
    options.last("L", "P") === "L" &&
    logical?.startsWith("/") &&
    !/\/\.\.?(\/|$)/.test(logical)
  ) {
    try {
      if (context.fs.realpathSync(logical) === context.fs.realpathSync(here)) {
        context.write(`${logical}\n`);
        return 0;
      }
    } catch {
      // Not our directory then.
    }
  }
  context.write(`${here}\n`);
  return 0;
};
