/** Owns `chmod`. */
import type { Command, CommandContext } from "../command.js";
import { errorText } from "../support/errors.js";
import { joinPath, modeText, parseMode, sortedNames, type ModeChange } from "../support/files.js";
import { Options, usageFailure, parseOptions } from "../support/options.js";
import { quoted } from "../support/text.js";

export const main: Command = (context) => {
  const options = parseOptions(
    context,
    "cfvR",
    {
      changes: "c",
      silent: "f",
      quiet: "f",
      verbose: "v",
      recursive: "R",
      "reference=": "ref",
      "preserve-root": "preserve",
    },
    // `chmod -x file` removes a permission.
    { operandPattern: /^-[rwxXstugo]/ },
  );
  const reference = options.get("ref");
  let change: ModeChange | undefined;
  let paths = options.operands;
  if (reference !== undefined) {
    const mode = context.fs.statSync(reference).mode & 0o7777;
    change = () => mode;
  } else {
    const word = paths[0];
    if (word === undefined) throw usageFailure(context, "missing operand");
    paths = paths.slice(1);
    if (paths.length === 0) throw usageFailure(context, `missing operand after ${quoted(word)}`);
    change = parseMode(word, process.umask());
    if (change === undefined) throw usageFailure(context, `invalid mode: ${quoted(word)}`);
  }
  let status = 0;
  for (const path of paths) if (!apply(context, options, change, path, true)) status = 1;
  return status;
};

function apply(
  context: CommandContext,
  options: Options,
  change: ModeChange,
  path: string,
  named: boolean,
): boolean {
  const { fs } = context;
  try {
    const link = fs.lstatSync(path);
    if (link.isSymbolicLink() && !named) return true;
    const stats = link.isSymbolicLink() ? fs.statSync(path) : link;
    const old = stats.mode & 0o7777;
    const mode = change(old, stats.isDirectory());
    if (mode !== old) fs.chmodSync(path, mode);
    report(context, options, path, old, mode);
    let good = true;
    if (options.has("R") && link.isDirectory()) {
      for (const name of sortedNames(context, path)) {
        good = apply(context, options, change, joinPath(path, name), false) && good;
      }
    }
    return good;
  } catch (error) {
    const { syscall } = error as { syscall?: string };
    const what =
      syscall === "chmod"
        ? "changing permissions of"
        : syscall === "scandir"
          ? "cannot read directory"
          : "cannot access";
    if (!options.has("f")) {
      context.writeError(`chmod: ${what} ${quoted(path)}: ${errorText(error)}\n`);
    } else errorText(error);
    return false;
  }
}

function report(
  context: CommandContext,
  options: Options,
  path: string,
  old: number,
  mode: number,
): void {
  const show = (value: number) =>
    `${value.toString(8).padStart(4, "0")} (${modeText(value).slice(1)})`;
  if (mode !== old && options.has("v", "c")) {
    context.write(`mode of ${quoted(path)} changed from ${show(old)} to ${show(mode)}\n`);
  } else if (options.has("v")) context.write(`mode of ${quoted(path)} retained as ${show(mode)}\n`);
}
