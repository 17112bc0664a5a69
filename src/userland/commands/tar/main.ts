/** Owns `tar`'s command line. */
import type { Command } from "../../command.js";
import { modeOf, tarOptions } from "./options.js";
import { change } from "./change.js";
import { compare } from "./compare.js";
import { create } from "./pack.js";
import { read } from "./unpack.js";

export const main: Command = (context) => {
  const options = tarOptions(context);
  const mode = modeOf(options);
  switch (mode) {
    case "c":
      return create(context, options);
    case "x":
    case "t":
      return read(context, options, mode === "x");
    case "d":
      return compare(context, options);
    default:
      return change(context, options, mode);
  }
};
