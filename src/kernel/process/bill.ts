/**
 * Owns what a run, or a whole machine, has used, as far as it is counted while it happens; CPU time
 * and memory are read from Linux by the run's budget and arrive here when a process ends.
 *
 * Invariants: what counts for a run counts for its machine, too; nothing is ever taken off.
 * Untrusted: nothing; the amounts are the kernel's own observations.
 */
import type { Usage } from "../../protocol/usage.js";

export type Counted = Exclude<keyof Usage, "cpuMs" | "wallMs" | "peakMemoryBytes">;

function none(): Record<Counted, number> {
  return {
    kernelCpuMs: 0,
    processes: 0,
    threads: 0,
    systemCalls: 0,
    bytesRead: 0,
    bytesWritten: 0,
    bytesSent: 0,
    bytesReceived: 0,
    toolCalls: 0,
    toolMs: 0,
  };
}

export class Bill {
  readonly #counts = none();
  readonly #machine: Bill | undefined;
  readonly #startedAtMs = performance.now();
  #endedCpuMs = 0;
  #peakMemoryBytes = 0;

  /** `machine`: the bill that everything on this one is on as well. */
  constructor(machine?: Bill) {
    this.#machine = machine;
  }

  count(what: Counted, amount = 1): void {
    this.#counts[what] += amount;
    this.#machine?.count(what, amount);
  }

  /** One request of a guest, or a further part of one, which took so long to serve. */
  served(milliseconds: number, requests: 0 | 1): void {
    const counts = this.#counts;
    counts.systemCalls += requests;
    counts.kernelCpuMs += milliseconds;
    this.#machine?.served(milliseconds, requests);
  }

  /** Bytes moved through `kind` of descriptor. */
  moved(kind: string, direction: "in" | "out", bytes: number): void {
    const network = kind === "tcp" || kind === "udp";
    if (direction === "in") this.count(network ? "bytesReceived" : "bytesRead", bytes);
    else this.count(network ? "bytesSent" : "bytesWritten", bytes);
  }

  /** A process of it has ended that used so much CPU time in its whole life. */
  ended(cpuMs: number): void {
    this.#endedCpuMs += cpuMs;
    this.#machine?.ended(cpuMs);
  }

  /** A process of it had this much in memory. */
  reached(memoryBytes: number): void {
    if (memoryBytes <= this.#peakMemoryBytes) return;
    this.#peakMemoryBytes = memoryBytes;
    this.#machine?.reached(memoryBytes);
  }

  /** `livingCpuMs` is what the processes have used that are still there. */
  usage(livingCpuMs: number): Usage {
    return {
      cpuMs: this.#endedCpuMs + livingCpuMs,
      wallMs: performance.now() - this.#startedAtMs,
      peakMemoryBytes: this.#peakMemoryBytes,
      ...this.#counts,
    };
  }
}
