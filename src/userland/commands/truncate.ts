/** Owns `truncate`. */
import { CommandFailure, type Command } from "../command.js";
import { errorCode, errorText } from "../support/errors.js";
import { parseOptions, usageFailure } from "../support/options.js";
import { parseSize, quoted } from "../support/text.js";

export const main: Command = (context) => {
  const options = parseOptions(context, "cos:r:", {
    "no-create": "c",
    "size=": "s",
    "reference=": "r",
  });
  const { fs } = context;
  const text = options.get("s");
  const reference = options.get("r");
  if (text === undefined && reference === undefined) {
    throw usageFailure(context, "you must specify either '--size' or '--reference'");
  }
  if (options.operands.length === 0) throw usageFailure(context, "missing file operand");
  const match = /^\s*([-+<>/%]?)(.+)$/.exec(text ?? "0");
  const amount = match === null ? undefined : parseSize(match[2]!);
  if (match === null || amount === undefined) {
    throw new CommandFailure(`Invalid number: ${quoted((text ?? "").replace(/^[-+<>/%]/, ""))}`);
  }
  const sizeOf = (current: number): number => {
    if (reference !== undefined && text === undefined) return fs.statSync(reference).size;
    const base = reference === undefined ? current : fs.statSync(reference).size;
    switch (match[1]) {
      case "+":
        return base + amount;
      case "-":
        return Math.max(0, base - amount);
      case "<":
        return Math.min(base, amount);
      case ">":
        return Math.max(base, amount);
      case "/":
        return Math.floor(base / amount) * amount;
      case "%":
        return Math.ceil(base / amount) * amount;
      default:
        return amount;
    }
  };
  let status = 0;
  for (const path of options.operands) {
    try {
      if (options.has("c") && !fs.existsSync(path)) continue;
      const fd = fs.openSync(path, fs.constants.O_WRONLY | fs.constants.O_CREAT, 0o666);
      try {
        fs.ftruncateSync(fd, sizeOf(fs.fstatSync(fd).size));
      } finally {
        fs.closeSync(fd);
      }
    } catch (error) {
      const text_ = errorText(error);
      context.writeError(
        errorCode(error) === "EFBIG"
          ? `truncate: failed to truncate ${quoted(path)}: ${text_}\n`
          : `truncate: cannot open ${quoted(path)} for writing: ${text_}\n`,
      );
      status = 1;
    }
  }
  return status;
};
