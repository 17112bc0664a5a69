/** What a kernel that cannot serve leaves behind: `<code>: <message>` on stderr, for the SDK. */
import { writeSync } from "node:fs";
import { SpawnerGone } from "../sandbox/spawner.js";
import { IsolationUnavailable } from "../sandbox/unavailable.js";

/** Ends this process when `error` says that the machine lacks isolation or that no zygote can be started, and throws it again otherwise. */
export function sayLastWords(error: unknown): never {
  if (error instanceof SpawnerGone) writeSync(2, `ERR_SECURE_EXEC_ZYGOTE_LOST: ${error.message}\n`);
  else if (error instanceof IsolationUnavailable) writeSync(2, `${error.lastWords}\n`);
  else throw error;
  process.exit(1);
}
