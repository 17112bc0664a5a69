/**
 * Owns the parts of root's rights: a zygote gives up all, the kernel process those that serving
 * machines needs nothing of. Where an ordinary user started us, there are none.
 */
import * as libc from "./libc.js";
import { onEveryThread } from "./threads.js";

const SYS_CAPGET = process.arch === "x64" ? 125 : 90;
const SYS_CAPSET = process.arch === "x64" ? 126 : 91;
/** _LINUX_CAPABILITY_VERSION_3, and pid 0 for the caller. */
const header = Uint32Array.of(0x2008_0522, 0);
/** Effective, permitted, inheritable: those below 32, then the others. */
const setWords = 6;

/**
 * include/uapi/linux/capability.h: CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER, FSETID for mounts, KILL for
 * zygotes of another uid, NET_BIND_SERVICE for published ports.
 */
const kept = (1 << 0) | (1 << 1) | (1 << 2) | (1 << 3) | (1 << 4) | (1 << 5) | (1 << 10);

/** Gives up all, those in a user namespace of our own included. 0 or `-errno`. For a process of one thread. */
export function dropCapabilities(): number {
  const none = new Uint32Array(setWords);
  return libc.syscall(SYS_CAPSET, libc.addressOf(header), libc.addressOf(none));
}

/** In every thread: keeps files, children and ports, as far as they are there. Answers why not, or undefined. */
export function keepServingCapabilities(): string | undefined {
  const sets = new Uint32Array(setWords);
  const got = libc.syscall(SYS_CAPGET, libc.addressOf(header), libc.addressOf(sets));
  if (got < 0) return `capget: errno ${-got}`;
  const held = sets[1]! & kept;
  const left = Uint32Array.of(held, held, 0, 0, 0, 0);
  return onEveryThread(SYS_CAPSET, libc.addressOf(header), libc.addressOf(left));
}
