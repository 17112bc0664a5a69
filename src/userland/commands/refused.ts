/** Owns names that people and agents look for and that cannot be here: each says what to use instead. */
import type { Command } from "../command.js";

const only = "this machine runs JavaScript and WebAssembly, no native programs";

const reasons: Record<string, string> = {
  python3: `${only}: write it for node, or run Python as WebAssembly with the pyodide package`,
  perl: `${only}: use node, sed or awk`,
};

/** As for a command that is there and cannot be run. */
const statusNotRunnable = 126;

export const main: Command = (context) => {
  context.writeError(`${context.name}: not available: ${reasons[context.name] ?? only}\n`);
  return statusNotRunnable;
};
