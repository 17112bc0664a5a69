/** Owns `true`. */
import type { Command } from "../command.js";

export const main: Command = () => 0;
