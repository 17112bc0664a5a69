/** Owns `which`. */
import type { Command } from "../command.js";
import { joinPath } from "../support/files.js";
import { parseOptions } from "../support/options.js";

export const main: Command = (context) => {
  const options = parseOptions(context, "as", {}, { status: 2 });
  const { fs, env } = context;
  let status = options.operands.length === 0 ? 1 : 0;
  for (const name of options.operands) {
    const places = name.includes("/")
      ? [name]
      : (env["PATH"] ?? "/bin:/usr/bin").split(":").map((place) => joinPath(place || ".", name));
    const found = places.filter((path) => {
      try {
        fs.accessSync(path, fs.constants.X_OK);
        return fs.statSync(path).isFile();
      } catch {
        return false;
      }
    });
    if (found.length === 0) status = 1;
    if (!options.has("s")) {
      for (const path of options.has("a") ? found : found.slice(0, 1)) context.write(`${path}\n`);
    }
  }
  return status;
};
