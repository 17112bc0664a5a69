/**
 * Owns what a kernel has counted of programs since it began.
 *
 * Invariant: a program is counted once, when it has ended; its children are in its figures.
 * Untrusted: nothing; what a program used is what the kernel and Linux counted.
 */
import type { ProcessEnd } from "../../protocol/host-calls.js";
import { Durations } from "../../protocol/metrics.js";
import type { KernelMetrics } from "../../protocol/metrics.js";

export class Tally {
  machinesMade = 0;
  readonly #ends = new Map<string, number>();
  readonly #durations = new Durations();
  readonly #used: KernelMetrics["used"] = {
    cpuMs: 0,
    kernelCpuMs: 0,
    processes: 0,
    systemCalls: 0,
    bytesRead: 0,
    bytesWritten: 0,
    bytesSent: 0,
    bytesReceived: 0,
    toolCalls: 0,
  };

  ended({ cause, usage }: ProcessEnd): void {
    this.#ends.set(cause.reason, (this.#ends.get(cause.reason) ?? 0) + 1);
    this.#durations.add(usage.wallMs / 1000);
    for (const name of Object.keys(this.#used) as (keyof KernelMetrics["used"])[])
      this.#used[name] += usage[name];
  }

  read(): Pick<KernelMetrics, "machinesMade" | "ends" | "durations" | "used"> {
    return {
      machinesMade: this.machinesMade,
      ends: Object.fromEntries(this.#ends),
      durations: this.#durations,
      used: this.#used,
    };
  }
}
