/** Owns `sum`: BSD's rotating sum with blocks of 1 KiB, or System V's with blocks of 512 bytes. */
import type { Command } from "../command.js";
import { eachInput } from "../support/input.js";
import { parseOptions } from "../support/options.js";

export const main: Command = (context) => {
  const options = parseOptions(context, "rs", { sysv: "s" });
  const sysv = options.last("r", "s") === "s";
  const { operands } = options;
  const good = eachInput(context, operands, (source, name) => {
    let sum = 0;
    let length = 0;
    for (let chunk = source.read(); chunk.length > 0; chunk = source.read()) {
      length += chunk.length;
      for (const byte of chunk)
        sum = sysv ? (sum + byte) >>> 0 : (((sum >> 1) | ((sum & 1) << 15)) + byte) & 0xffff;
    }
    const folded = (sum & 0xffff) + (sum >>> 16);
    const shown = operands.length > 0 ? ` ${name}` : "";
    if (sysv)
      context.write(`${(folded & 0xffff) + (folded >>> 16)} ${Math.ceil(length / 512)}${shown}\n`);
    else {
      const blocks = String(Math.ceil(length / 1024)).padStart(5);
      context.write(`${String(sum).padStart(5, "0")} ${blocks}${shown}\n`);
    }
  });
  return good ? 0 : 1;
};
