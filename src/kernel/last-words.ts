/** What a kernel that cannot serve leaves behind: `<code>: <message>` on stderr, for the SDK. */
import { writeSync } from "node:fs";
import { IsolationUnavailable } from "../sandbox/unavailable.js";

/** Ends this process when `error` says that the machine lacks isolation, and throws it again otherwise. */
export function sayLastWords(error: unknown): never {
  if (!(error instanceof IsolationUnavailable)) throw error;
  writeSync(2, `${error.lastWords}\n`);
  process.exit(1);
}
