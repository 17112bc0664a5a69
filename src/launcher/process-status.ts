/**
 * Owns reading /proc/<pid>/status of other processes. Untrusted: the name of a process, which is a line of it that no
 * field begins with.
 */
import { readFileSync } from "node:fs";

/** "" where there is no such process. */
export function statusOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, "latin1");
  } catch {
    return "";
  }
}

/** A field that is a number: what kB counts is in bytes. 0 where it is not there, as memory of who has let go of it. */
export function statusNumber(status: string, name: string): number {
  const found = new RegExp(`^${name}:\\s+(\\d+)( kB)?`, "m").exec(status);
  return found === null ? 0 : Number(found[1]) * (found[2] === undefined ? 1 : 1024);
}
