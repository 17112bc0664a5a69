/** Owns `nice`: there are no priorities in the VM, so that it is the command alone that counts. */
import { getPriority, setPriority } from "node:os";
import type { Command } from "../command.js";
import { codeText } from "../support/errors.js";
import { parseOptions, usageFailure } from "../support/options.js";
import { quoted } from "../support/text.js";

export const main: Command = async (context) => {
  const options = parseOptions(
    context,
    "n:",
    { "adjustment=": "n" },
    { stopAtOperand: true, status: 125, numberOption: "n" },
  );
  const text = options.get("n") ?? "10";
  if (!/^[-+]?\d+$/.test(text)) {
    throw usageFailure(context, `invalid adjustment ${quoted(text)}`, 125);
  }
  const [file, ...args] = options.operands;
  if (file === undefined) {
    context.write(`${getPriority()}\n`);
    return 0;
  }
  try {
    setPriority(Math.max(-20, Math.min(19, getPriority() + Number(text))));
  } catch {
    // As with nice: the command runs all the same.
  }
  const { code, error } = await context.spawn(file, args);
  if (error !== undefined) context.writeError(`nice: ${quoted(file)}: ${codeText(error)}\n`);
  return code;
};
