/** Owns `ln`. */
import type { Stats } from "node:fs";
import { relative, resolve } from "node:path";
import { CommandFailure, type Command, type CommandContext } from "../command.js";
import { errorCode, errorText } from "../support/errors.js";
import { baseName, confirmed, joinPath, statOrNothing } from "../support/files.js";
import { parseOptions, usageFailure, type Options } from "../support/options.js";
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
  const { sources, targetOf } = destination(context, options);
  let status = 0;
  for (const source of sources) {
    const complaint = link(context, options, source, targetOf(source));
    if (complaint === undefined) continue;
    context.writeError(`ln: ${complaint}\n`);
    status = 1;
  }
  return status;
};

/** What is linked to, and the name of each link. */
interface Destination {
  sources: readonly string[];
  targetOf(source: string): string;
}

function destination(context: CommandContext, options: Options): Destination {
  const { operands } = options;
  if (operands.length === 0) throw usageFailure(context, "missing file operand");
  const into = (directory: string, sources: readonly string[]): Destination => ({
    sources,
    targetOf: (source) => joinPath(directory, baseName(source)),
  });
  const directory = options.get("t");
  if (directory !== undefined) return into(directory, operands);
  if (operands.length === 1) return into(".", operands);
  const last = operands.at(-1)!;
  const sources = operands.slice(0, -1);
  const follow = !options.has("n");
  if (!options.has("T") && statOrNothing(context, last, follow)?.isDirectory())
    return into(last, sources);
  if (sources.length > 1) {
    const exists = statOrNothing(context, last, true) !== undefined;
    const why = exists ? "Not a directory" : "No such file or directory";
    throw new CommandFailure(`target ${quoted(last)}: ${why}`);
  }
  return { sources, targetOf: () => last };
}

/** Makes one link; answers what was wrong. */
function link(
  context: CommandContext,
  options: Options,
  source: string,
  target: string,
): string | undefined {
  const { fs } = context;
  const symbolic = options.has("s");
  const existing = statOrNothing(context, target, false);
  const value =
    symbolic && options.has("r") ? relative(resolve(target, ".."), resolve(source)) || "." : source;
  if (!symbolic) {
    const complaint = hardLinkComplaint(context, options, source, target, existing);
    if (complaint !== undefined) return complaint;
  }
  try {
    if (existing !== undefined) {
      if (existing.isDirectory() && options.has("f"))
        return `${target}: cannot overwrite directory`;
      if (options.has("i") && !confirmed(context, `replace ${quoted(target)}? `)) return undefined;
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
    return `failed to create ${kind} link ${quoted(target)}${detail}: ${errorText(error)}`;
  }
  return undefined;
}

/** Why `source` can have no second name. */
function hardLinkComplaint(
  context: CommandContext,
  options: Options,
  source: string,
  target: string,
  existing: Stats | undefined,
): string | undefined {
  try {
    const stats = context.fs.lstatSync(source);
    if (stats.isDirectory()) return `${source}: hard link not allowed for directory`;
    if (existing?.ino === stats.ino && existing.dev === stats.dev && options.has("f"))
      return `${quoted(source)} and ${quoted(target)} are the same file`;
  } catch (error) {
    return `failed to access ${quoted(source)}: ${errorText(error)}`;
  }
  return undefined;
}
