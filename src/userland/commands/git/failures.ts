/** Owns how git says that it cannot go on. */
import { CommandFailure } from "../../command.js";

/** Exit code of what git calls fatal. */
const fatalStatus = 128;

export function fatal(message: string): CommandFailure {
  return new CommandFailure(`fatal: ${message}`, fatalStatus);
}
