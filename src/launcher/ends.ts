/**
 * Owns the reaping of this process's children, none of which libuv has started.
 *
 * Invariants: a pid that is watched is not reaped by anybody else, and names nobody else until its
 * end was told; nobody waits: Linux says by a signal that a child has ended.
 */
import * as libc from "../sandbox/libc.js";

const watched = new Map<number, (status: number) => void>();
let listening = false;

function look(): void {
  for (const [pid, ended] of Array.from(watched)) {
    const result = libc.waitpid(pid, libc.WNOHANG);
    if (result === 0) continue;
    watched.delete(pid);
    // Without a child of that pid there is no status: it was never started, or somebody reaped it.
    ended(typeof result === "number" ? -1 : result.status);
  }
}

/** Calls `ended` once, later, with a child's wait status, or -1 when there is no such child. */
export function whenEnded(pid: number, ended: (status: number) => void): void {
  if (!listening) process.on("SIGCHLD", look);
  listening = true;
  watched.set(pid, ended);
  // It may have ended before anybody listened.
  setImmediate(look);
}
