/**
 * Owns what this process's other threads are made to do, and their end in a zygote. Node starts two even where nothing is ever
 * given to them: the scheduler of delayed tasks, which serves an event loop of its own, and a
 * worker of V8. No forked guest has them, since fork(2) keeps the calling thread alone. Without them
 * the zygote has nobody who reads a descriptor behind its back, and may enter a user namespace,
 * which Linux grants to a process of one thread only.
 *
 * Invariant: a thread is ended only while it sleeps and waits for work, so it holds no lock that
 * the rest would wait for. Nothing ever joins it: a zygote leaves by `_exit`.
 */
import * as libc from "./libc.js";

/** The exit system call of one thread with code 0, as machine code. */
const exitThread: Readonly<Record<string, readonly number[]>> = {
  // xor edi, edi; mov eax, 60; syscall
  x64: [0x31, 0xff, 0xb8, 0x3c, 0, 0, 0, 0x0f, 0x05],
  // mov x0, #0; mov x8, #93; svc #0
  arm64: [0, 0, 0x80, 0xd2, 0xa8, 0x0b, 0x80, 0xd2, 0x01, 0, 0, 0xd4],
};
const SYS_TGKILL = process.arch === "x64" ? 234 : 131;
const SYS_NANOSLEEP = process.arch === "x64" ? 35 : 101;
const SYS_GETDENTS64 = process.arch === "x64" ? 217 : 61;
const PROT_READ_EXEC = 5;
const bufferBytes = 4096;
const pageBytes = 4096;
/** A real-time signal that neither libc nor the engine uses. */
const signal = 60;
/** Threads that were just started need a moment to fall asleep, and to end. */
const patienceMs = 200;
/** struct timespec: mostly that moment is shorter than the least that poll(2) waits. */
const moment = BigInt64Array.of(0n, 100_000n);

/** The directory's names or the file's text, without the engine's `fs`, which is the guest's own by now. */
function readProc<T>(path: string, use: (fd: number, buffer: Buffer) => T): T | undefined {
  const fd = libc.openReadOnly(path);
  if (fd < 0) return undefined;
  try {
    return use(fd, Buffer.alloc(bufferBytes));
  } finally {
    libc.close(fd);
  }
}

/** getdents64(2): length at 16, name from 19. A process of three threads fits in one buffer. */
function namesIn(fd: number, buffer: Buffer): string[] {
  const size = libc.syscall(SYS_GETDENTS64, fd, libc.addressOf(buffer), buffer.length);
  const names: string[] = [];
  for (let at = 0; at < size; at += buffer.readUInt16LE(at + 16)) {
    names.push(buffer.toString("latin1", at + 19, buffer.indexOf(0, at + 19)));
  }
  return names;
}

function otherThreads(): number[] {
  const self = libc.getpid();
  const names = readProc("/proc/self/task", namesIn) ?? [];
  return names.map(Number).filter((thread) => thread > 0 && thread !== self);
}

/** proc_pid_stat(5): the state follows the name in parentheses. A thread that is gone sleeps well. */
function sleeps(thread: number): boolean {
  const stat = readProc(`/proc/self/task/${thread}/stat`, (fd, buffer) => {
    const size = libc.readFromStart(fd, buffer);
    return size < 0 ? "" : buffer.toString("latin1", 0, size);
  });
  if (stat === undefined || stat === "") return true;
  return stat.slice(stat.lastIndexOf(")") + 2).startsWith("S");
}

function waitUntil(condition: () => boolean): boolean {
  const untilMs = performance.now() + patienceMs;
  while (!condition()) {
    if (performance.now() > untilMs) return false;
    libc.syscall(SYS_NANOSLEEP, libc.addressOf(moment), 0);
  }
  return true;
}

/**
 * Has every thread but this one, which must be the first, run `code` as a signal handler, until `done`
 * with their ids. Answers why not, or undefined.
 */
function onOtherThreads(
  code: Uint8Array,
  done: (threads: readonly number[]) => boolean,
): string | undefined {
  const page = libc.mapCode(code, pageBytes);
  if (typeof page === "number") return `mmap: errno ${-page}`;
  const protectedAs = libc.protectMemory(page, pageBytes, PROT_READ_EXEC);
  if (protectedAs < 0) return `mprotect: errno ${-protectedAs}`;
  libc.setSignalHandler(signal, page);
  const threads = otherThreads();
  for (const thread of threads) libc.syscall(SYS_TGKILL, libc.getpid(), thread, signal);
  const followed = waitUntil(() => done(threads));
  libc.setSignalHandler(signal, 0n);
  // Left mapped if a thread may still be on its way there.
  if (!followed) return "a thread of the engine does not follow";
  libc.unmapMemory(page, pageBytes);
  return undefined;
}

/** A system call with two arguments, as machine code that counts where it succeeded: number, arguments, counter. */
const callAndCount: Readonly<
  Record<string, { code: readonly (readonly number[])[]; values: readonly number[] }>
> = {
  x64: {
    code: [
      [0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0], // movabs rax, number
      [0x48, 0xbf, 0, 0, 0, 0, 0, 0, 0, 0], // movabs rdi, first
      [0x48, 0xbe, 0, 0, 0, 0, 0, 0, 0, 0], // movabs rsi, second
      [0x48, 0xb9, 0, 0, 0, 0, 0, 0, 0, 0], // movabs rcx, counter
      [0x49, 0x89, 0xc8, 0x0f, 0x05], // mov r8, rcx; syscall
      [0x48, 0x85, 0xc0, 0x78, 0x04], // test rax, rax; js out
      [0xf0, 0x41, 0xff, 0x00, 0xc3], // lock inc dword [r8]; out: ret
    ],
    values: [2, 12, 22, 32],
  },
  arm64: {
    code: [
      [0x88, 0x01, 0x00, 0x58, 0xa0, 0x01, 0x00, 0x58], // ldr x8, number; ldr x0, first
      [0xc1, 0x01, 0x00, 0x58, 0x01, 0x00, 0x00, 0xd4], // ldr x1, second; svc #0
      [0xc0, 0x00, 0xf8, 0xb7, 0xa9, 0x01, 0x00, 0x58], // tbnz x0, #63, out; ldr x9, counter
      [0x2a, 0xfd, 0x5f, 0x88, 0x4a, 0x05, 0x00, 0x11], // again: ldaxr w10, [x9]; add w10, w10, #1
      [0x2a, 0xfd, 0x0b, 0x88, 0xab, 0xff, 0xff, 0x35], // stlxr w11, w10, [x9]; cbnz w11, again
      [0xc0, 0x03, 0x5f, 0xd6, 0x1f, 0x20, 0x03, 0xd5], // out: ret; nop
      Array.from({ length: 32 }, () => 0), // the four values
    ],
    values: [48, 56, 64, 72],
  },
};

/**
 * Makes a system call in this thread, which must be the first, and in every other: for those that Linux
 * lets each thread make for itself alone. Threads that are started later inherit what it did.
 */
export function onEveryThread(
  number: number,
  first: number | bigint,
  second: number | bigint,
): string | undefined {
  const own = libc.syscall(number, first, second);
  if (own < 0) return `system call ${number}: errno ${-own}`;
  const parts = callAndCount[process.arch];
  if (parts === undefined) return `no code for ${process.arch}`;
  const count = new Int32Array(1);
  const bytes = Buffer.from(parts.code.flat());
  [number, first, second, libc.addressOf(count)].forEach((value, i) =>
    bytes.writeBigUInt64LE(BigInt(value), parts.values[i]!),
  );
  return onOtherThreads(bytes, (threads) => Atomics.load(count, 0) === threads.length);
}

/** Ends every thread but this one. Answers why not, or undefined. */
export function endOtherThreads(): string | undefined {
  const code = exitThread[process.arch];
  if (code === undefined) return `no code for ${process.arch}`;
  if (!waitUntil(() => otherThreads().every(sleeps))) return "a thread of the engine is at work";
  return onOtherThreads(Buffer.from(code), () => otherThreads().length === 0);
}
