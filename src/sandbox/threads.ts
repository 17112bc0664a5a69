/**
 * Owns the end of the engine's other threads in a zygote. Node starts two even where nothing is ever
 * given to them: the scheduler of delayed tasks, which serves an event loop of its own, and a
 * worker of V8. No forked guest has them, since fork(2) keeps the calling thread alone. Without them
 * the zygote has nobody who reads a descriptor behind its back, and may enter a user namespace,
 * which Linux grants to a process of one thread only.
 *
 * Invariant: a thread is ended only while it sleeps and waits for work, so it holds no lock that
 * the rest would wait for. Nothing ever joins it: a zygote leaves by `_exit`.
 */
import { readFileSync, readdirSync } from "node:fs";
import * as libc from "./libc.js";

/** The exit system call of one thread with code 0, as machine code. */
const exitThread: Readonly<Record<string, readonly number[]>> = {
  // xor edi, edi; mov eax, 60; syscall
  x64: [0x31, 0xff, 0xb8, 0x3c, 0, 0, 0, 0x0f, 0x05],
  // mov x0, #0; mov x8, #93; svc #0
  arm64: [0, 0, 0x80, 0xd2, 0xa8, 0x0b, 0x80, 0xd2, 0x01, 0, 0, 0xd4],
};
const SYS_TGKILL = process.arch === "x64" ? 234 : 131;
const SYS_MUNMAP = process.arch === "x64" ? 11 : 215;
const PROT_READ_EXEC = 5;
const pageBytes = 4096;
/** A real-time signal that neither libc nor the engine uses. */
const signal = 60;
/** Threads that were just started need a moment to fall asleep, and to end. */
const patienceMs = 200;

function otherThreads(): number[] {
  const self = libc.getpid();
  return readdirSync("/proc/self/task")
    .map(Number)
    .filter((thread) => thread !== self);
}

/** proc_pid_stat(5): the state follows the name in parentheses. */
function sleeps(thread: number): boolean {
  try {
    const stat = readFileSync(`/proc/self/task/${thread}/stat`, "latin1");
    return stat.slice(stat.lastIndexOf(")") + 2).startsWith("S");
  } catch {
    return true;
  }
}

function waitUntil(condition: () => boolean): boolean {
  const end = performance.now() + patienceMs;
  while (!condition()) {
    if (performance.now() > end) return false;
    libc.poll([], 1);
  }
  return true;
}

/** Ends every thread but this one, which must be the first. Answers why not, or undefined. */
export function endOtherThreads(): string | undefined {
  const code = exitThread[process.arch];
  if (code === undefined) return `no code for ${process.arch}`;
  if (!waitUntil(() => otherThreads().every(sleeps))) return "a thread of the engine is at work";
  const page = libc.mapCode(Buffer.from(code), pageBytes);
  if (typeof page === "number") return `mmap: errno ${-page}`;
  const protectedAs = libc.protectMemory(page, pageBytes, PROT_READ_EXEC);
  if (protectedAs < 0) return `mprotect: errno ${-protectedAs}`;
  libc.setSignalHandler(signal, page);
  for (const thread of otherThreads()) libc.syscall(SYS_TGKILL, libc.getpid(), thread, signal);
  const ended = waitUntil(() => otherThreads().length === 0);
  libc.setSignalHandler(signal, 0n);
  // Left mapped if a thread may still be on its way there.
  if (!ended) return "a thread of the engine does not end";
  libc.syscall(SYS_MUNMAP, page, pageBytes);
  return undefined;
}
