/** Owns `who` and `users`: nobody has logged in to a machine. */
import type { Command } from "../command.js";
import { parseOptions } from "../support/options.js";

export const main: Command = (context) => {
  const options = parseOptions(context, "abdHlmpqrstTuw", {
    all: "a",
    count: "q",
    heading: "H",
    boot: "b",
  });
  if (context.name !== "who") return 0;
  if (options.has("q")) context.write("# users=0\n");
  else if (options.has("H")) context.write("NAME     LINE         TIME             COMMENT\n");
  return 0;
};
