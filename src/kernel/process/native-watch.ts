/**
 * Owns the bounds on what only native code in a guest can take: threads, page tables and resident
 * memory. No rlimit counts them for one process, so they are looked at, and a guest that is over is
 * ended; where cgroups can be had, Linux holds them as well, and between two looks. What honest programs use is far below: these are not limits that a host sets.
 *
 * Invariants: no timer while no guest runs anything; a look reads one file of a bounded number of
 * guests, in turn, so that many guests are looked at more rarely rather than at more cost.
 * Untrusted: nothing is read that a guest can write.
 */
import type { GroupBounds } from "../../launcher/guest-groups.js";
import { statusNumber, statusOf } from "../../launcher/process-status.js";
import type { RestingMemory } from "../../launcher/resting-memory.js";
import { completeVmLimits } from "../../protocol/limits.js";
import type { VmLimits } from "../../protocol/limits.js";
import type { BudgetMember } from "./run-budget.js";

/** Between two looks, and how many guests one looks at. */
const pauseMs = 100;
const guestsPerLook = 16;
const mebibyte = 1024 * 1024;
/** The main thread, libuv's pool and what the engine may start for itself. */
const engineThreads = 64;
/** Page tables of an honest process are a 512th of what it touches; WebAssembly memories are sparse. */
const pageTableBytes = 64 * mebibyte;
const memoryPerPageTables = 128;
/** The engine's compiled code and stacks, which the memory limit does not count. */
const uncountedBytes = 128 * mebibyte;

/** What /proc/<pid>/status says of a process. */
interface NativeUse {
  threads: number;
  pageTableBytes: number;
  anonymousBytes: number;
  /** The most that was resident so far. */
  peakBytes: number;
}

interface Watched {
  osPid: number;
  limits: Pick<VmLimits, "threads" | "memoryBytes">;
  /** What it shares with its zygote. */
  baseBytes: number;
}

function useOf(osPid: number): NativeUse | undefined {
  const status = statusOf(osPid);
  if (status === "") return undefined;
  return {
    threads: statusNumber(status, "Threads"),
    pageTableBytes: statusNumber(status, "VmPTE"),
    anonymousBytes: statusNumber(status, "RssAnon"),
    peakBytes: statusNumber(status, "VmHWM"),
  };
}

/** Why a process that uses this much is ended: a code and a message; undefined when it is not. */
function excess({ limits, baseBytes }: Watched, use: NativeUse): [string, string] | undefined {
  const mostThreads = limits.threads + engineThreads;
  if (use.threads > mostThreads) {
    return [
      "ERR_SECURE_EXEC_THREAD_LIMIT",
      `the process had ${use.threads} threads, where ${mostThreads} are the most that the engine and limits.threads account for`,
    ];
  }
  const mostTables = pageTableBytes + limits.memoryBytes / memoryPerPageTables;
  if (use.pageTableBytes > mostTables) {
    return [
      "ERR_SECURE_EXEC_MEMORY_LIMIT",
      `the process had ${use.pageTableBytes} bytes of page tables, where ${mostTables} are the most; limits.memoryBytes allows more`,
    ];
  }
  const mostMemory = limits.memoryBytes + uncountedBytes;
  if (use.anonymousBytes - baseBytes > mostMemory) {
    return [
      "ERR_SECURE_EXEC_MEMORY_LIMIT",
      `the process had ${use.anonymousBytes - baseBytes} bytes in memory, where ${mostMemory} are the most; limits.memoryBytes allows more`,
    ];
  }
  return undefined;
}

/** Sockets, stacks of threads in Linux and whatever else it keeps for a process. */
const linuxBytes = 32 * mebibyte;

/** What Linux is asked to hold a guest to: what the looks allow, all of it at one time. */
export function groupBounds({ threads, memoryBytes }: Watched["limits"]): GroupBounds {
  return {
    tasks: threads + engineThreads,
    memoryBytes:
      memoryBytes +
      uncountedBytes +
      pageTableBytes +
      Math.ceil(memoryBytes / memoryPerPageTables) +
      linuxBytes,
  };
}

/** At default limits. */
export const usualBounds = groupBounds(completeVmLimits());

class NativeWatch {
  /** In the order in which they are looked at: who was is last. */
  readonly #watched = new Map<BudgetMember, Watched>();
  #timer: NodeJS.Timeout | undefined;

  /** The member got its OS process, which has run nothing of its program yet. */
  join(
    member: BudgetMember,
    osPid: number,
    limits: Watched["limits"],
    { anonymousBytes: baseBytes, peakBytes }: RestingMemory,
  ): void {
    member.reached(peakBytes, 0);
    this.#watched.set(member, { osPid, limits, baseBytes });
    this.#timer ??= setInterval(() => this.#look(), pauseMs).unref();
  }

  leave(member: BudgetMember): void {
    this.#watched.delete(member);
    if (this.#watched.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    for (const [member, watched] of Array.from(this.#watched).slice(0, guestsPerLook)) {
      this.#watched.delete(member);
      this.#watched.set(member, watched);
      const use = useOf(watched.osPid);
      if (use !== undefined) member.reached(use.peakBytes, use.anonymousBytes - watched.baseBytes);
      const over = use === undefined ? undefined : excess(watched, use);
      if (over !== undefined) member.exceed(...over);
    }
  }
}

/** One for all machines: what it costs is bounded for the kernel process. */
export const nativeWatch = new NativeWatch();
