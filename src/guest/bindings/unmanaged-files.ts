/**
 * Owns what a worker knows of the files that its program has opened by number, which nothing closes but the program or the
 * thread's end: Environment::AddUnmanagedFd and RemoveUnmanagedFd of src/env.cc. The kernel closes what a thread has open; here
 * are the warnings, and the option that leaves such files open. Nothing here protects anything.
 */
import type { KernelClient } from "../environment.js";

/** Those of a worker that follows them. */
let numbers: Set<number> | undefined;
/** In a worker whose end leaves them open. */
let leave: ((fd: number) => void) | undefined;

/** In a worker, before its program. */
export function followFiles(kernel: Pick<KernelClient, "event">, tracked: boolean): void {
  if (tracked) numbers = new Set();
  else leave = (fd) => kernel.event("descriptorOwned", { fd, owned: false });
}

export function fileOpened(fd: number): void {
  leave?.(fd);
  if (numbers === undefined) return;
  if (numbers.has(fd)) process.emitWarning(`File descriptor ${fd} opened in unmanaged mode twice`);
  numbers.add(fd);
}

export function fileClosed(fd: number): void {
  if (numbers === undefined || numbers.delete(fd)) return;
  process.emitWarning(`File descriptor ${fd} closed but not opened in unmanaged mode`);
}
