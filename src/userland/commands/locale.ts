/** Owns `locale`: the categories as the environment sets them; C, C.UTF-8 and POSIX are what there is. */
import type { Command } from "../command.js";
import { parseOptions } from "../support/options.js";

const categories = [
  "CTYPE",
  "NUMERIC",
  "TIME",
  "COLLATE",
  "MONETARY",
  "MESSAGES",
  "PAPER",
  "NAME",
  "ADDRESS",
  "TELEPHONE",
  "MEASUREMENT",
  "IDENTIFICATION",
];

export const main: Command = (context) => {
  const options = parseOptions(context, "amck", { "all-locales": "a", charmaps: "m" });
  const { env } = context;
  if (options.has("a")) {
    context.write("C\nC.UTF-8\nPOSIX\n");
    return 0;
  }
  if (options.has("m")) {
    context.write("ANSI_X3.4-1968\nUTF-8\n");
    return 0;
  }
  const all = env["LC_ALL"] ?? "";
  const lang = env["LANG"] ?? "";
  const valueOf = (name: string): string => env[name] || lang || "C";
  const [asked] = options.operands;
  if (asked === "charmap") {
    const ctype = all || valueOf("LC_CTYPE");
    context.write(/utf-?8/i.test(ctype) ? "UTF-8\n" : "ANSI_X3.4-1968\n");
    return 0;
  }
  context.write(`LANG=${lang}\nLANGUAGE=${env["LANGUAGE"] ?? ""}\n`);
  for (const category of categories) {
    const name = `LC_${category}`;
    // In quotes where it follows from another variable.
    const own = all === "" ? env[name] : undefined;
    context.write(own ? `${name}=${own}\n` : `${name}="${all || lang || "POSIX"}"\n`);
  }
  context.write(`LC_ALL=${all}\n`);
  return 0;
};
