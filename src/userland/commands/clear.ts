/** Owns `clear`. */
import type { Command } from "../command.js";

export const main: Command = (context) => {
  context.write("\x1b[H\x1b[2J\x1b[3J");
  return 0;
};
