/**
 * Owns which descriptors a process keeps of those it was started or forked with.
 *
 * A descriptor that anybody above left open would otherwise travel from the host's
 * parent through host, kernel process and zygote into every guest. So the kernel
 * process lets go of all it was not handed and passes nothing on but what it names,
 * and a forked guest closes whatever it was not given.
 *
 * Untrusted: what the host's own parent and the host's native code left open.
 */
import { readdirSync, readlinkSync } from "node:fs";
import { close, closeRange, closesOnExec, setCloseOnExec } from "./libc.js";

/** What an engine makes for itself while it boots; it opens no file that it keeps. */
const engineKinds = new Set([
  "anon_inode:[eventpoll]",
  "anon_inode:[eventfd]",
  "anon_inode:[io_uring]",
]);

/** A zygote is started with six descriptors and holds some twenty: where close_range(2) is missing, this is plenty. */
const mostDescriptors = 1024;

function openDescriptors(first: number): number[] {
  return readdirSync("/proc/self/fd")
    .map(Number)
    .filter((fd) => fd >= first);
}

/** What a descriptor refers to, as /proc names it; undefined once it is closed. */
function targetOf(fd: number): string | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return undefined;
  }
}

/**
 * The first act of a process of ours that was started by somebody else's: closes what it
 * inherited from `first` upward and keeps the engine's own, none of which an exec passes on.
 *
 * exec keeps exactly what lacks close-on-exec, and the engine opens nothing without it. But it
 * also sets it on low numbers that it inherits (uv_disable_stdio_inheritance), so of those that
 * have it, only the kinds that an engine makes are kept: event loops, and pipes with both ends here.
 * Answers the numbers it closed. `kept` were handed, too.
 */
export function disownInherited(first: number, kept: readonly number[] = []): number[] {
  const open = openDescriptors(first).map((fd) => ({ fd, target: targetOf(fd) ?? "" }));
  const ends = new Map<string, number>();
  for (const { target } of open) ends.set(target, (ends.get(target) ?? 0) + 1);
  const foreign = open.filter(({ fd, target }) => {
    if (kept.includes(fd)) return false;
    if (closesOnExec(fd) !== true) return true;
    const paired = target.startsWith("pipe:") && ends.get(target) === 2;
    return !engineKinds.has(target) && !paired;
  });
  for (const { fd } of foreign) close(fd);
  passNothingOn(first);
  return foreign.map(({ fd }) => fd);
}

/** From here on an exec passes on only what `spawn` names: its copies have no close-on-exec. */
function passNothingOn(first: number): void {
  if (closeRange(first, undefined, true) === 0) return;
  for (const fd of openDescriptors(first)) setCloseOnExec(fd, true);
}

/** In a forked child: nothing from `first` upward is left. */
export function closeAllFrom(first: number): void {
  if (closeRange(first) === 0) return;
  for (let fd = first; fd < mostDescriptors; fd++) close(fd);
}
