/**
 * Owns what a worker counts, and the Prometheus text format of it (version 0.0.4).
 *
 * Invariant: label values are of small sets that no guest and no caller chooses.
 * Untrusted: the JSON of ends, which names reasons.
 */
import type { ProcessEnd } from "../protocol/host-calls.js";
import type { Load } from "./load.js";

/** Upper bounds of the histogram of runs, in seconds. */
const buckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];
const reasonPattern = /^[a-z -]{1,40}$/;

type Counts = Map<string, number>;

function add(counts: Counts, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

export class WorkerMetrics {
  readonly #load: Load;
  readonly #sessions: () => number;
  readonly #ends: Counts = new Map();
  readonly #over: Counts = new Map();
  readonly #refusals: Counts = new Map();
  readonly #durations: number[] = buckets.map(() => 0);
  #durationSum = 0;
  #runs = 0;
  #placed = 0;
  #fenced = 0;

  constructor(load: Load, sessions: () => number) {
    this.#load = load;
    this.#sessions = sessions;
  }

  placed(): void {
    this.#placed++;
  }

  refused(why: string): void {
    add(
      this.#refusals,
      /^(is draining|runs|is out of memory|cannot start)/.exec(why)?.[0] ?? "malformed",
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
    const seconds = durationMs / 1000;
    this.#runs++;
    this.#durationSum += seconds;
    buckets.forEach((bound, index) => {
      if (seconds <= bound) this.#durations[index]!++;
    });
  }

  text(): string {
    const lines: string[] = [];
    const metric = (
      name: string,
      type: "counter" | "gauge" | "histogram",
      help: string,
      samples: readonly [suffix: string, value: number][],
    ): void => {
      lines.push(`# HELP secure_exec_${name} ${help}`, `# TYPE secure_exec_${name} ${type}`);
      for (const [suffix, value] of samples) lines.push(`secure_exec_${name}${suffix} ${value}`);
    };
    const by = (label: string, counts: Counts): [string, number][] =>
      [...counts].map(([key, count]) => [`{${label}="${key}"}`, count]);
    const { freeBytes, totalBytes } = this.#load.memory;
    const { load } = this.#load.processors;
    metric("runs_total", "counter", "Programs that ended, by reason.", by("reason", this.#ends));
    metric("run_duration_seconds", "histogram", "From a program's start to its end.", [
      ...buckets.map((bound, index): [string, number] => [
        `_bucket{le="${bound}"}`,
        this.#durations[index]!,
      ]),
      ['_bucket{le="+Inf"}', this.#runs],
      ["_sum", this.#durationSum],
      ["_count", this.#runs],
    ]);
    metric("sessions", "gauge", "Callers' sessions.", [["", this.#sessions()]]);
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
    return `${lines.join("\n")}\n`;
  }
}
