/**
 * Owns what a worker counts, and its text for Prometheus.
 *
 * Invariant: label values are of small sets that no guest and no caller chooses.
 * Untrusted: the JSON of ends, which names reasons.
 */
import type { ProcessEnd } from "../protocol/host-calls.js";
import { Durations, MetricsText, histogram } from "../protocol/metrics.js";
import type { MetricType, Sample } from "../protocol/metrics.js";
import type { KernelConnection } from "../sdk/kernel-connection.js";
import { addKernels } from "../sdk/metrics.js";
import type { Load } from "./load.js";

const reasonPattern = /^[a-z -]{1,40}$/;

type Counts = Map<string, number>;

function add(counts: Counts, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/** What others count. */
export interface Counted {
  sessions(): number;
  /** Of those, the ones that are in the broker's store. */
  stored(): number;
}

export class WorkerMetrics {
  readonly #load: Load;
  readonly #counted: Counted;
  readonly #ends: Counts = new Map();
  readonly #over: Counts = new Map();
  readonly #refusals: Counts = new Map();
  readonly #durations = new Durations();
  #placed = 0;
  #fenced = 0;

  constructor(load: Load, counted: Counted) {
    this.#load = load;
    this.#counted = counted;
  }

  placed(): void {
    this.#placed++;
  }

  refused(why: string): void {
    add(
      this.#refusals,
      /^(is draining|runs|is out of memory|cannot start|finds every)/.exec(why)?.[0] ?? "malformed",
    );
  }

  fenced(): void {
    this.#fenced++;
  }

  over(by: string): void {
    add(this.#over, by);
  }

  ended(end: string, durationMs: number): void {
    const { cause } = JSON.parse(end) as ProcessEnd;
    add(this.#ends, reasonPattern.test(cause.reason) ? cause.reason : "other");
    this.#durations.add(durationMs / 1000);
  }

  /** With the figures of the worker's kernel, where one runs. */
  async text(kernels: readonly KernelConnection[]): Promise<string> {
    const text = new MetricsText();
    this.#own(text.add.bind(text));
    await addKernels(text, kernels);
    return text.toString();
  }

  #own(
    metric: (name: string, type: MetricType, help: string, samples: readonly Sample[]) => void,
  ): void {
    const by = (label: string, counts: Counts): [string, number][] =>
      [...counts].map(([key, count]) => [`{${label}="${key}"}`, count]);
    const { freeBytes, totalBytes } = this.#load.memory;
    const { load } = this.#load.processors;
    metric("runs_total", "counter", "Programs that ended, by reason.", by("reason", this.#ends));
    metric(
      "run_duration_seconds",
      "histogram",
      "From a program's start to its end.",
      histogram(this.#durations),
    );
    metric("sessions", "gauge", "Callers' sessions.", [["", this.#counted.sessions()]]);
    metric("leases_stored", "gauge", "Sessions that are in the broker's store as well.", [
      ["", this.#counted.stored()],
    ]);
    metric("machines", "gauge", "Machines, and those asked for.", [["", this.#load.taken]]);
    metric("machine_slots", "gauge", "Machines there may be.", [["", this.#load.capacity.slots]]);
    metric("placements_total", "counter", "Sessions that were opened.", [["", this.#placed]]);
    metric(
      "placements_refused_total",
      "counter",
      "Requests that were refused, by reason.",
      by("reason", this.#refusals),
    );
    metric(
      "sessions_over_total",
      "counter",
      "Sessions that ended, by who or what.",
      by("by", this.#over),
    );
    metric("fenced_total", "counter", "Messages for sessions that are not held here.", [
      ["", this.#fenced],
    ]);
    metric("memory_available_bytes", "gauge", "Memory of the host that is left.", [
      ["", freeBytes],
    ]);
    metric("memory_bytes", "gauge", "Memory of the host.", [["", totalBytes]]);
    metric("load", "gauge", "Processes that run or wait, per processor.", [["", load]]);
    metric("draining", "gauge", "1 while no new machine is taken.", [
      ["", this.#load.draining ? 1 : 0],
    ]);
  }
}
