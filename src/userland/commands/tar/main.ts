/** Owns `tar`'s command line. */
import type { Command } from "../../command.js";
import { modeOf, tarOptions } from "./options.js";
import { create } from "./pack.js";
import { read } from "./unpack.js";

export const main: Command = (context) => {
  const options = tarOptions(context);
  const mode = modeOf(options);
  if (mode === "c") return create(context, options);
  return read(context, options, mode === "x");
};
