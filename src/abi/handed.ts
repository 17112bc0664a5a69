/**
 * Owns what the host hands to the kernel process beside its socket: files of the package from descriptor 4 on, which the
 * first zygote finds under the same numbers, and a library that the dynamic loader runs before the engine's first
 * instruction. src/sandbox/early-start.ts says what that does.
 */

/** Below dist/, in the order of their descriptors. The first three are a zygote's. */
export const handedFiles = Object.freeze([
  "guest.json",
  "programs.json",
  `guest.${process.arch}.cache`,
  `early-start.${process.arch}.so`,
] as const);
export const firstHandedFd = 4;
const handedEnd = firstHandedFd + handedFiles.length;
/** The library; once it has run, the control socket of the zygote that it has begun. */
export const earlyFd = handedEnd - 1;
/** What that zygote writes to its stderr. */
export const earlyWordsFd = handedEnd;

/** Where the dynamic loader is told of it. */
export const preloadVariable = "LD_PRELOAD";
export const earlyPath = `/proc/self/fd/${earlyFd}`;
/** What the kernel process reads from its end of that socket first, as two words: the pid, and whether both are in a domain for signals. */
export const earlyReportBytes = 16;
