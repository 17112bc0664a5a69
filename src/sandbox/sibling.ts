/**
 * Owns how a process makes a copy of itself whose parent is its own parent. glibc's fork() makes children
 * only, so the clone is a bare one; and because a bare one leaves libc's and libuv's state as it was in a process
 * with more threads, the copy then calls fork(), which its filter answers with 0 and nothing else. What glibc
 * does in a child is done, the handlers of pthread_atfork(3) among it: libuv's thread pool is made anew
 * when it is needed.
 */
import { Errno } from "../abi/errno.js";
import { closeAllFrom } from "./descriptors.js";
import * as libc from "./libc.js";
import { clone, cloneSibling, prSetParentDeathSignal, prctl, sigkill } from "./template-policy.js";

/** include/uapi/linux/prctl.h */
const PR_GET_TID_ADDRESS = 40;

const arch = process.arch === "x64" ? "x64" : "arm64";
/** Where libc keeps the main thread's id; the same in every process forked from this one. */
let tidAddress = 0n;

/** In the zygote, before its filter: false where this Linux does not tell. */
export function prepareSiblings(): boolean {
  const answer = new BigUint64Array(1);
  const failed = libc.syscall(prctl[arch], PR_GET_TID_ADDRESS, libc.addressOf(answer)) < 0;
  tidAddress = failed ? 0n : answer[0]!;
  return tidAddress !== 0n;
}

/** The copy's pid, 0 in the copy, or `-errno`. */
export function forkSibling(): number {
  if (tidAddress === 0n) return -Errno.ENOSYS;
  // CONFIG_CLONE_BACKWARDS: arm64 has the thread's storage before the address.
  const pointers = arch === "x64" ? [tidAddress, 0n] : [0n, tidAddress];
  const pid = libc.syscall(clone[arch], cloneSibling, 0, 0, ...pointers);
  if (pid !== 0) return pid;
  // The question by which the kernel process learns who it is.
  return libc.syscall(prctl[arch], prSetParentDeathSignal, sigkill) < 0 ? libc._exit(1) : 0;
}

/**
 * In the copy, once it holds no descriptor but 0 to `last`: puts libc and libuv in order. libuv closes the numbers of
 * descriptors that its fork handler made in an earlier copy, which may be anything's by now, and makes new ones.
 */
export function settleSibling(last: number): void {
  closeAllFrom(last + 1);
  libc.fork();
  closeAllFrom(last + 1);
  libc.uvLoopFork();
}
