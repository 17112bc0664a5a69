/** Owns names that people and agents look for and that cannot be here: each says what to use instead. */
import type { Command } from "../command.js";

const only = "this machine runs JavaScript and WebAssembly, no native programs";

const noShells = "this machine keeps no keys and speaks no ssh";

const reasons: Record<string, string> = {
  python3: `${only}: write it for node, or run Python as WebAssembly with the pyodide package`,
  ssh: `${noShells}: use git, curl or node over https`,
  scp: `${noShells}: use curl or node over https`,
  sftp: `${noShells}: use curl or node over https`,
  perl: `${only}: use node, sed or awk`,
};

/** As for a command that is there and cannot be run. */
const statusNotRunnable = 126;

export const main: Command = (context) => {
  context.writeError(`${context.name}: not available: ${reasons[context.name] ?? only}\n`);
  return statusNotRunnable;
};
