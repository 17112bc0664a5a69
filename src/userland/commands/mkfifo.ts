/** Owns `mkfifo` and `mknod`, whose devices nobody in a machine may make. */
import { CommandFailure, type Command, type CommandContext } from "../command.js";
import { errorText } from "../support/errors.js";
import { makeFifo } from "../support/fifo.js";
import { parseMode } from "../support/files.js";
import { parseOptions, usageFailure } from "../support/options.js";
import { quoted } from "../support/text.js";

/** Of a fifo without `-m`: what the mask leaves of 0666. */
const defaultMode = 0o666;

/** Permissions of `-m`, and the default. */
function modeOf(context: CommandContext, text: string | undefined): number {
  if (text === undefined) return defaultMode;
  const change = parseMode(text, process.umask());
  if (change === undefined) throw new CommandFailure("invalid mode");
  const mode = change(defaultMode, false);
  if (mode > 0o777) throw new CommandFailure("mode must specify only file permission bits");
  return mode;
}

/** The words for why not, or undefined when it was made. */
function make(context: CommandContext, path: string, modeText?: string): string | undefined {
  const mode = modeOf(context, modeText);
  try {
    makeFifo(context, path, mode);
    // What was asked for is not the mask's to change.
    if (modeText !== undefined) context.fs.chmodSync(path, mode);
    return undefined;
  } catch (error) {
    return errorText(error);
  }
}

function mkfifo(context: CommandContext, names: readonly string[], mode?: string): number {
  if (names.length === 0) throw usageFailure(context, "missing operand");
  let status = 0;
  for (const name of names) {
    const failed = make(context, name, mode);
    if (failed === undefined) continue;
    context.writeError(`mkfifo: cannot create fifo ${quoted(name)}: ${failed}\n`);
    status = 1;
  }
  return status;
}

function mknod(context: CommandContext, operands: readonly string[], mode?: string): number {
  const [name, type, ...numbers] = operands;
  if (name === undefined) throw usageFailure(context, "missing operand");
  if (type === undefined || (type !== "p" && numbers.length < 2)) {
    const last = operands.at(-1)!;
    const needed =
      type === undefined ? "" : "\nSpecial files require major and minor device numbers.";
    throw usageFailure(context, `missing operand after ${quoted(last)}${needed}`);
  }
  if (type === "p") {
    if (numbers.length > 0)
      throw usageFailure(
        context,
        `extra operand ${quoted(numbers[0]!)}\nFifos do not have major and minor device numbers.`,
      );
    const failed = make(context, name, mode);
    if (failed !== undefined) throw new CommandFailure(`${name}: ${failed}`);
    return 0;
  }
  if (!["b", "c", "u"].includes(type))
    throw usageFailure(context, `invalid device type ${quoted(type)}`);
  // CAP_MKNOD, which nobody in a machine has.
  throw new CommandFailure(`${name}: Operation not permitted`);
}

export const main: Command = (context) => {
  const options = parseOptions(context, "m:Z", { "mode=": "m", "context=?": "Z" });
  const mode = options.get("m");
  return context.name === "mknod"
    ? mknod(context, options.operands, mode)
    : mkfifo(context, options.operands, mode);
};
