/**
 * Owns signal numbers as Linux guests know them, independent of the host's own table.
 * Untrusted: nothing; what callers pass is checked.
 */
import { invalidOption } from "./errors.js";

const names =
  "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS";

/** `SIGTERM` → 15 and so on, 1 to 31. */
const signalNumbers: ReadonlyMap<string, number> = new Map(
  names.split(" ").map((name, index) => [`SIG${name}`, index + 1]),
);

/** The number of a signal given by name or number. Throws INVALID_OPTION for anything else. */
export function signalNumber(signal: unknown): number {
  const number = typeof signal === "string" ? signalNumbers.get(signal) : signal;
  if (typeof number === "number" && Number.isInteger(number) && number >= 1 && number <= 31)
    return number;
  throw invalidOption("signal", "must be a signal name such as SIGTERM, or a number from 1 to 31");
}
