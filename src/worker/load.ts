/**
 * Owns how full a worker is: machines against slots, memory and processors of the host.
 *
 * Invariant: a slot is given once for each that is taken.
 * Untrusted: nothing.
 */
import { readFileSync } from "node:fs";
import { availableParallelism, freemem, loadavg, totalmem } from "node:os";
import type { WorkerState } from "../protocol/fleet.js";

export interface Capacity {
  /** Machines at one time. */
  readonly slots: number;
  /** Memory of the host that is left to others: below it no machine is taken. */
  readonly reserveBytes: number;
}

/** Over this part of the slots, or of the processors, a worker answers late. */
const softSlots = 0.85;
const softLoad = 2;
/** Below this many times the reserve as well. */
const softReserve = 2;
/** How late: at most so much, when it is as full as may be. */
const mostDelayMs = 200;

/** MemAvailable of /proc/meminfo: what programs may still have without swapping; else what is unused. */
function hostAvailableBytes(): number {
  try {
    const kilobytes = /^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync("/proc/meminfo", "latin1"));
    if (kilobytes !== null) return Number(kilobytes[1]) * 1024;
  } catch {
    // Not there: no Linux, or no /proc.
  }
  return freemem();
}

/** Memory of the host, or of the control group that this process is in where that allows less. */
export function memoryOfHost(): { freeBytes: number; totalBytes: number } {
  const limit = process.constrainedMemory();
  const totalBytes = limit > 0 ? Math.min(limit, totalmem()) : totalmem();
  // Node 20.13 and later; it looks at the group's own account.
  const own = process.availableMemory?.() ?? Infinity;
  return { freeBytes: Math.min(hostAvailableBytes(), own), totalBytes };
}

export class Load {
  readonly capacity: Capacity;
  #taken = 0;
  draining = false;

  constructor(capacity: Capacity) {
    this.capacity = capacity;
  }

  get taken(): number {
    return this.#taken;
  }

  take(): boolean {
    if (this.#taken >= this.capacity.slots) return false;
    this.#taken++;
    return true;
  }

  give(): void {
    this.#taken--;
  }

  get memory(): { freeBytes: number; totalBytes: number } {
    return memoryOfHost();
  }

  /** Processes that run or wait, per processor, over the last minute. */
  get processors(): { load: number; processors: number } {
    const processors = availableParallelism();
    return { load: loadavg()[0]! / processors, processors };
  }

  state(): WorkerState {
    const { slots, reserveBytes } = this.capacity;
    if (this.draining) return "draining";
    const { freeBytes } = this.memory;
    if (this.#taken >= slots || freeBytes < reserveBytes) return "full";
    const soft =
      this.#taken >= slots * softSlots ||
      freeBytes < reserveBytes * softReserve ||
      this.processors.load > softLoad;
    return soft ? "busy" : "open";
  }

  /** How late a request is answered, so that those who have a choice find another worker. */
  delayMs(): number {
    return this.state() === "busy"
      ? mostDelayMs * Math.min(1, this.#taken / this.capacity.slots)
      : 0;
  }
}
