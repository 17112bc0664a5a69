/** Owns `yes`. */
import type { Command } from "../command.js";

export const main: Command = (context) => {
  const line = `${context.argv.slice(1).join(" ") || "y"}\n`;
  const block = Buffer.from(line.repeat(Math.max(1, Math.floor(32768 / line.length))));
  for (;;) context.write(block.length < 4096 ? Buffer.concat([block, block]) : block);
};
