/** Owns `ln`. */
import { relative, resolve } from "node:path";
import { CommandFailure, type Command } from "../command.js";
import { errorCode, errorText } from "../support/errors.js";
import { baseName, confirmed, joinPath, statOrNothing } from "../support/files.js";
import { parseOptions, usageFailure } from "../support/options.js";
import { quoted } from "../support/text.js";

export const main: Command = (context) => {
  const options = parseOptions(context, "bfinrsLPt:TvS:", {
    force: "f",
    interactive: "i",
    "no-dereference": "n",
    relative: "r",
    symbolic: "s",
    logical: "L",
    physical: "P",
    "target-directory=": "t",
    "no-target-directory": "T",
    verbose: "v",
    "backup=?": "b",
    "suffix=": "S",
  });
  const { fs } = context;
  const { operands } = options;
  if (operands.length === 0) throw usageFailure(context, "missing file operand");
  let directory = options.get("t");
  let sources = operands;
  let single: string | undefined;
  if (directory === undefined) {
    if (operands.length === 1) directory = ".";
    else {
      const last = operands.at(-1)!;
      sources = operands.slice(0, -1);
      const follow = !options.has("n");
      if (!options.has("T") && statOrNothing(context, last, follow)?.isDirectory())
        directory = last;
      else if (sources.length > 1) {
        const exists = statOrNothing(context, last, true) !== undefined;
        const why = exists ? "Not a directory" : "No such file or directory";
        throw new CommandFailure(`target ${quoted(last)}: ${why}`);
      } else single = last;
    }
  }
  let status = 0;
  const complain = (message: string) => {
    context.writeError(`ln: ${message}\n`);
    status = 1;
  };
  for (const source of sources) {
    const target = single ?? joinPath(directory!, baseName(source));
    const symbolic = options.has("s");
    const existing = statOrNothing(context, target, false);
    let value = source;
    if (symbolic && options.has("r")) {
      value = relative(resolve(target, ".."), resolve(source)) || ".";
    }
    try {
      if (!symbolic) {
        const stats = fs.lstatSync(source);
        if (stats.isDirectory()) {
          complain(`${source}: hard link not allowed for directory`);
          continue;
        }
        if (existing?.ino === stats.ino && existing.dev === stats.dev && options.has("f")) {
          complain(`${quoted(source)} and ${quoted(target)} are the same file`);
          continue;
        }
      }
    } catch (error) {
      complain(`failed to access ${quoted(source)}: ${errorText(error)}`);
      continue;
    }
    try {
      if (existing !== undefined) {
        if (existing.isDirectory() && options.has("f")) {
          complain(`${target}: cannot overwrite directory`);
          continue;
        }
        if (options.has("i") && !confirmed(context, `replace ${quoted(target)}? `)) continue;
        if (options.has("b", "S")) fs.renameSync(target, target + (options.get("S") ?? "~"));
        else if (options.has("f", "i")) fs.unlinkSync(target);
      }
      if (symbolic) fs.symlinkSync(value, target);
      else if (options.has("L")) fs.linkSync(fs.realpathSync(source), target);
      else fs.linkSync(source, target);
      if (options.has("v")) {
        context.write(`${quoted(target)} ${symbolic ? "->" : "=>"} ${quoted(value)}\n`);
      }
    } catch (error) {
      const kind = symbolic ? "symbolic" : "hard";
      const detail = symbolic || errorCode(error) === "EEXIST" ? "" : ` => ${quoted(source)}`;
      complain(`failed to create ${kind} link ${quoted(target)}${detail}: ${errorText(error)}`);
    }
  }
  return status;
};
