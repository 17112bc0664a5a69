/** Owns `false`. */
import type { Command } from "../command.js";

export const main: Command = () => 1;
