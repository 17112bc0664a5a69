/** Owns `shred`: files written over with noise; the VM's own store keeps no older copies. */
import { randomFillSync } from "node:crypto";
import { CommandFailure, type Command, type CommandContext } from "../command.js";
import { errorText } from "../support/errors.js";
import { parseOptions, usageFailure, type Options } from "../support/options.js";
import { parseSize, quoted } from "../support/text.js";

export const main: Command = (context) => {
  const options = parseOptions(context, "fn:s:uvxz", {
    force: "f",
    "iterations=": "n",
    "size=": "s",
    "remove=?": "u",
    verbose: "v",
    exact: "x",
    zero: "z",
  });
  if (options.operands.length === 0) throw usageFailure(context, "missing file operand");
  const passes = options.get("n") ?? "3";
  if (!/^\d+$/.test(passes))
    throw new CommandFailure(`invalid number of passes: ${quoted(passes)}`);
  let status = 0;
  for (const name of options.operands) {
    try {
      shred(context, options, name, Math.min(Number(passes), 1000));
    } catch (error) {
      context.writeError(`shred: ${name}: failed to open for writing: ${errorText(error)}\n`);
      status = 1;
    }
  }
  return status;
};

function shred(context: CommandContext, options: Options, name: string, passes: number): void {
  const { fs } = context;
  if (options.has("f")) fs.chmodSync(name, 0o600);
  const fd = fs.openSync(name, "r+");
  try {
    const blocks = (size: number) => (options.has("x") ? size : Math.ceil(size / 4096) * 4096);
    const size = parseSize(options.get("s") ?? "") ?? blocks(fs.fstatSync(fd).size);
    const total = passes + (options.has("z") ? 1 : 0);
    const block = Buffer.alloc(65536);
    for (let pass = 1; pass <= total; pass++) {
      const zero = pass > passes;
      if (options.has("v")) {
        context.writeError(
          `shred: ${name}: pass ${pass}/${total} (${zero ? "000000" : "random"})...\n`,
        );
      }
      for (let at = 0; at < size;) {
        const part = block.subarray(0, Math.min(block.length, size - at));
        if (zero) part.fill(0);
        else randomFillSync(part);
        at += fs.writeSync(fd, part, 0, part.length, at);
      }
      fs.fsyncSync(fd);
    }
  } finally {
    fs.closeSync(fd);
  }
  if (options.has("u")) {
    fs.unlinkSync(name);
    if (options.has("v")) context.writeError(`shred: ${name}: removed\n`);
  }
}
