/**
 * Owns the log that the environment variable DEBUG turns on: `DEBUG=secure-exec*` writes what the SDK
 * and its machines do to stderr, a line for each step. Patterns are those of the `debug` package:
 * names with `*`, separated by commas or blanks, `-` before one that is left out.
 *
 * Invariant: with no pattern that fits, nothing is formatted or written.
 * Untrusted: names, paths and commands of programs, which are made printable.
 */
import { printable } from "./errors.js";

/** What can be turned on, as `secure-exec:NAME`. */
export type DebugName =
  | "kernel"
  | "machine"
  | "launch"
  | "decision"
  | "limit"
  | "listen"
  | "tool"
  | "provider";

const longestChars = 1000;
let lastMs: number | undefined;

function patternOf(text: string): RegExp {
  const escaped = text.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*");
  return new RegExp(`^${escaped}$`);
}

/** Whether the list of patterns turns `name` on. */
function isEnabled(patterns: string, name: string): boolean {
  const all = patterns.split(/[\s,]+/).filter((part) => part !== "");
  const fits = (part: string): boolean => patternOf(part).test(name);
  const [off, on] = [all.filter((part) => part.startsWith("-")), all];
  if (off.some((part) => fits(part.slice(1)))) return false;
  return on.some((part) => !part.startsWith("-") && fits(part));
}

const enabled = new Map<DebugName, boolean>();

/** Whether lines of that name are written; DEBUG is read once for each. */
export function debugging(name: DebugName): boolean {
  let answer = enabled.get(name);
  if (answer === undefined) {
    answer = isEnabled(process.env.DEBUG ?? "", `secure-exec:${name}`);
    enabled.set(name, answer);
  }
  return answer;
}

/** Writes a line, if it is wanted: `text` is only asked for then. */
export function debug(name: DebugName, text: () => string): void {
  if (!debugging(name)) return;
  const nowMs = performance.now();
  const sinceMs = Math.round(nowMs - (lastMs ?? nowMs));
  lastMs = nowMs;
  process.stderr.write(`secure-exec:${name} ${printable(text(), longestChars)} +${sinceMs}ms\n`);
}
