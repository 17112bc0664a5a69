/**
 * Resource limits of a guest, set in the forked child before its filter. The
 * filter has no call that raises one. Soft and hard are equal where nobody else
 * may raise it either.
 */
import { close, getrlimit, openReadOnly, readFromStart, setrlimit } from "./libc.js";
import { IsolationUnavailable } from "./unavailable.js";

export const RLIMIT_CPU = 0;
export const RLIMIT_FSIZE = 1;
export const RLIMIT_DATA = 2;
export const RLIMIT_STACK = 3;
export const RLIMIT_CORE = 4;
export const RLIMIT_NOFILE = 7;
export const RLIMIT_MEMLOCK = 8;
export const RLIMIT_AS = 9;
export const RLIMIT_SIGPENDING = 11;
export const RLIMIT_MSGQUEUE = 12;
export const RLIMIT_NICE = 13;
export const RLIMIT_RTPRIO = 14;

export interface LockDownRow {
  readonly name: string;
  readonly resource: number;
  readonly value: number;
  readonly why: string;
}

/**
 * The same for every guest. Deliberately not here: AS (wasm reserves 8 GiB
 * cages), STACK (the main thread's is in use), NPROC (counted per uid, so guests
 * would starve each other; the filter decides about processes).
 */
export const LOCK_DOWN: readonly LockDownRow[] = [
  {
    name: "NOFILE",
    resource: RLIMIT_NOFILE,
    value: 128,
    why: "sockets and loops of workers: five each",
  },
  { name: "FSIZE", resource: RLIMIT_FSIZE, value: 0, why: "no file grows, stdio included" },
  { name: "CORE", resource: RLIMIT_CORE, value: 0, why: "a crash leaves no copy of memory" },
  { name: "MEMLOCK", resource: RLIMIT_MEMLOCK, value: 0, why: "no pinned memory" },
  { name: "SIGPENDING", resource: RLIMIT_SIGPENDING, value: 64, why: "no queue of signals" },
  { name: "MSGQUEUE", resource: RLIMIT_MSGQUEUE, value: 0, why: "no message queues" },
  { name: "NICE", resource: RLIMIT_NICE, value: 0, why: "no better priority" },
  { name: "RTPRIO", resource: RLIMIT_RTPRIO, value: 0, why: "no real-time priority" },
];

export interface GuestLimits {
  /** What the guest may have beyond what this process has already. */
  readonly memoryBytes: number;
  /** CPU time of the whole process, in seconds; rounded up. */
  readonly cpuSeconds?: number;
  /** What this process has already; measured when absent. */
  readonly baseBytes?: number;
}

/** An open /proc/self/status, for `dataBytes` once files can be opened no more. Throws without /proc. */
export function openStatus(): number {
  const fd = openReadOnly("/proc/self/status");
  if (fd < 0) throw new IsolationUnavailable("rlimits", `/proc/self/status errno ${-fd}`);
  return fd;
}

/**
 * The private writable memory of this process, as RLIMIT_DATA counts it:
 * VmData, about 548 MiB in a fresh engine because V8's code range counts, and
 * what the zygote sets aside for the code ranges of workers. `status` is an
 * `openStatus()` of this process.
 */
export function dataBytes(status: number): number {
  const buffer = Buffer.alloc(8192);
  const length = readFromStart(status, buffer);
  if (length < 0) throw new Error(`/proc/self/status: errno ${-length}`);
  const kib = /^VmData:\s+(\d+) kB$/m.exec(buffer.toString("latin1", 0, length))?.[1];
  if (kib === undefined) throw new Error("/proc/self/status has no VmData");
  return Number(kib) * 1024;
}

/** As `dataBytes`, where files can still be opened. */
export function ownDataBytes(): number {
  const status = openStatus();
  try {
    return dataBytes(status);
  } finally {
    close(status);
  }
}

function unavailable(name: string, result: number): Error {
  return new IsolationUnavailable("rlimits", `RLIMIT_${name} errno ${-result}`);
}

function lower(name: string, resource: number, value: number, hardValue = value): void {
  const current = getrlimit(resource);
  if (typeof current === "number") throw unavailable(name, current);
  // A host that is stricter already stays so.
  const hard = Math.min(hardValue, current.hard);
  const result = setrlimit(resource, { soft: Math.min(value, hard), hard });
  if (result !== 0) throw unavailable(name, result);
}

/** What every guest has alike; a zygote sets it on itself and its children inherit it. */
export function applyFixedRlimits(): void {
  for (const row of LOCK_DOWN) lower(row.name, row.resource, row.value);
}

/**
 * Caps heap, buffers and WebAssembly of this process, `baseBytes` of which are in use already.
 * Up to `mostBytes` another process of the same user may raise it; the filter keeps this one from it.
 */
export function limitData(memoryBytes: number, baseBytes: number, mostBytes = memoryBytes): void {
  if (!(memoryBytes >= 0)) throw new RangeError(`memoryBytes ${memoryBytes}`);
  lower("DATA", RLIMIT_DATA, baseBytes + memoryBytes, baseBytes + mostBytes);
}

/** Does to this process what changes nothing of it, as often as the engine takes to have compiled what does it for a guest. */
export function rehearseLimits(rounds: number): void {
  for (let round = 0; round < rounds; round++) lower("CPU", RLIMIT_CPU, Infinity);
}

/** Moves the cap of a child that has not run anything yet, for good. Answers 0 or -errno. */
export function changeDataLimit(pid: number, byBytes: number): number {
  const current = getrlimit(RLIMIT_DATA, pid);
  if (typeof current === "number") return current;
  const limit = Math.min(current.hard, Math.max(0, current.soft + byBytes));
  return setrlimit(RLIMIT_DATA, { soft: limit, hard: limit }, pid);
}

/** CPU time of a child: a signal at the limit, and death for one that blocks it. Answers 0 or -errno. */
export function limitCpu(pid: number, seconds: number): number {
  return setrlimit(RLIMIT_CPU, { soft: seconds, hard: seconds + 1 }, pid);
}

/** Throws when any limit cannot be set: the guest must not run then. */
export function applyRlimits(limits: GuestLimits): void {
  const { memoryBytes, cpuSeconds, baseBytes } = limits;
  const base = baseBytes ?? ownDataBytes();
  applyFixedRlimits();
  if (cpuSeconds !== undefined) {
    if (!(cpuSeconds > 0)) throw new RangeError(`cpuSeconds ${cpuSeconds}`);
    lower("CPU", RLIMIT_CPU, Math.max(1, Math.ceil(cpuSeconds)));
  }
  limitData(memoryBytes, base);
}
