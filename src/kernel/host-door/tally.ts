/**
 * Owns what a kernel has counted of programs since it began.
 *
 * Invariant: a program is counted once, when it has ended; its children are in its figures.
 * Untrusted: nothing; what a program used is what the kernel and Linux counted.
 */
import type { ProcessEnd } from "../../protocol/host-calls.js";
import { Durations, Sums } from "../../protocol/metrics.js";
import type { KernelMetrics } from "../../protocol/metrics.js";

export class Tally {
  machinesMade = 0;
  readonly #ends = new Map<string, number>();
  readonly #durations = new Durations();
  readonly #sums = new Sums();

  ended({ cause, usage }: ProcessEnd): void {
    this.#ends.set(cause.reason, (this.#ends.get(cause.reason) ?? 0) + 1);
    this.#durations.add(usage.wallMs / 1000);
    this.#sums.add(usage);
  }

  read(): Pick<KernelMetrics, "machinesMade" | "ends" | "durations" | "used"> {
    return {
      machinesMade: this.machinesMade,
      ends: Object.fromEntries(this.#ends),
      durations: this.#durations,
      used: this.#sums.used,
    };
  }
}
