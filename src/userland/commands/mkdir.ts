/** Owns `mkdir`. */
import { CommandFailure, type Command } from "../command.js";
import { errorText } from "../support/errors.js";
import { parseMode, statOrNothing } from "../support/files.js";
import { parseOptions, usageFailure } from "../support/options.js";
import { quoted } from "../support/text.js";

export const main: Command = (context) => {
  const options = parseOptions(context, "m:pvZ", { "mode=": "m", parents: "p", verbose: "v" });
  if (options.operands.length === 0) throw usageFailure(context, "missing operand");
  const { fs } = context;
  const umask = process.umask();
  const modeWord = options.get("m");
  const change = modeWord === undefined ? undefined : parseMode(modeWord, umask);
  if (modeWord !== undefined && change === undefined) {
    throw new CommandFailure(`invalid mode ${quoted(modeWord)}`);
  }
  let status = 0;
  const make = (path: string) => {
    fs.mkdirSync(path);
    if (options.has("v")) context.write(`mkdir: created directory ${quoted(path)}\n`);
  };
  for (const path of options.operands) {
    let at = path;
    try {
      if (options.has("p")) {
        const parts = [...path.matchAll(/\/*[^/]+/g)];
        let grown = "";
        for (const part of parts) {
          at = grown += part[0];
          const existing = statOrNothing(context, grown, true);
          if (existing?.isDirectory()) continue;
          if (existing !== undefined && part !== parts.at(-1)) {
            throw Object.assign(new Error(grown), { code: "ENOTDIR" });
          }
          make(grown);
          if (part === parts.at(-1) && change !== undefined)
            fs.chmodSync(grown, change(0o777, true));
        }
      } else {
        make(path);
        if (change !== undefined) fs.chmodSync(path, change(0o777, true));
      }
    } catch (error) {
      context.writeError(`mkdir: cannot create directory ${quoted(at)}: ${errorText(error)}\n`);
      status = 1;
    }
  }
  return status;
};
