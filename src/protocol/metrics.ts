/**
 * Owns the figures of a kernel for those who run it, and the Prometheus text format of figures (version 0.0.4).
 *
 * Invariant: label values are of small sets that no guest and no caller chooses, or are checked where they come in.
 * Untrusted: nothing.
 */
import type { Usage } from "./usage.js";

/** Upper bounds of the histograms of durations, in seconds. */
const durationBuckets: readonly number[] = Object.freeze([
  0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300,
]);

/** How long things took: of each bound of `durationBuckets`, how many took no longer. */
export class Durations {
  readonly counts: number[] = durationBuckets.map(() => 0);
  count = 0;
  sumSeconds = 0;

  add(seconds: number): void {
    this.count++;
    this.sumSeconds += seconds;
    durationBuckets.forEach((bound, index) => {
      if (seconds <= bound) this.counts[index]!++;
    });
  }
}

/** What a kernel has counted since it began, and how it is now. */
export interface KernelMetrics {
  pid: number;
  machines: number;
  /** Programs that the host started and that have not ended. */
  programs: number;
  /** OS processes of guests, those that wait for a program included. */
  guests: number;
  guestsAhead: number;
  rssBytes: number;
  openDescriptors: number;
  /** CPU time of the kernel process. */
  cpuSeconds: number;
  /** What the machines make it hold. */
  kernelBytes: number;
  kernelObjects: number;
  machinesMade: number;
  /** Programs that ended, by `end.reason`. */
  ends: Record<string, number>;
  durations: { counts: readonly number[]; count: number; sumSeconds: number };
  /** Sums over programs that ended. */
  used: Pick<
    Usage,
    | "cpuMs"
    | "kernelCpuMs"
    | "processes"
    | "systemCalls"
    | "bytesRead"
    | "bytesWritten"
    | "bytesSent"
    | "bytesReceived"
    | "toolCalls"
  >;
}

export type MetricType = "counter" | "gauge" | "histogram";
/** Labels in braces, or a suffix of the name, or both; and the value. */
export type Sample = readonly [suffix: string, value: number];

/** Text for Prometheus, a family of figures at a time. */
export class MetricsText {
  readonly #lines: string[] = [];

  add(name: string, type: MetricType, help: string, samples: Iterable<Sample>): void {
    this.#lines.push(`# HELP secure_exec_${name} ${help}`, `# TYPE secure_exec_${name} ${type}`);
    for (const [suffix, value] of samples)
      this.#lines.push(`secure_exec_${name}${suffix} ${value}`);
  }

  toString(): string {
    return `${this.#lines.join("\n")}\n`;
  }
}

/** Samples of a histogram; `labels` is the inside of braces, or empty. */
export function histogram(
  { counts, count, sumSeconds }: KernelMetrics["durations"],
  labels = "",
): Sample[] {
  const others = labels === "" ? "" : `${labels},`;
  const braces = labels === "" ? "" : `{${labels}}`;
  return [
    ...durationBuckets.map((bound, index): Sample => [
      `_bucket{${others}le="${bound}"}`,
      counts[index] ?? 0,
    ]),
    [`_bucket{${others}le="+Inf"}`, count],
    [`_sum${braces}`, sumSeconds],
    [`_count${braces}`, count],
  ];
}

interface Family {
  readonly name: string;
  readonly type: MetricType;
  readonly help: string;
  readonly of: (metrics: KernelMetrics) => number;
}

const families: readonly Family[] = [
  { name: "machines", type: "gauge", help: "Machines.", of: (m) => m.machines },
  {
    name: "machines_made_total",
    type: "counter",
    help: "Machines that were made.",
    of: (m) => m.machinesMade,
  },
  {
    name: "programs",
    type: "gauge",
    help: "Programs of the host that run.",
    of: (m) => m.programs,
  },
  {
    name: "guests",
    type: "gauge",
    help: "Processes of Linux behind programs, and those that wait for one.",
    of: (m) => m.guests,
  },
  {
    name: "guests_ahead",
    type: "gauge",
    help: "Processes that wait for a program.",
    of: (m) => m.guestsAhead,
  },
  {
    name: "resident_memory_bytes",
    type: "gauge",
    help: "Resident memory of the kernel process.",
    of: (m) => m.rssBytes,
  },
  {
    name: "open_descriptors",
    type: "gauge",
    help: "Descriptors of the kernel process.",
    of: (m) => m.openDescriptors,
  },
  {
    name: "cpu_seconds_total",
    type: "counter",
    help: "CPU time of the kernel process.",
    of: (m) => m.cpuSeconds,
  },
  {
    name: "held_bytes",
    type: "gauge",
    help: "Bytes that machines make the kernel hold, files apart.",
    of: (m) => m.kernelBytes,
  },
  {
    name: "held_objects",
    type: "gauge",
    help: "Objects that machines make the kernel hold.",
    of: (m) => m.kernelObjects,
  },
  {
    name: "program_cpu_seconds_total",
    type: "counter",
    help: "CPU time of programs that ended, with their children.",
    of: (m) => m.used.cpuMs / 1000,
  },
  {
    name: "program_kernel_cpu_seconds_total",
    type: "counter",
    help: "Time that the kernel spent on requests of programs that ended.",
    of: (m) => m.used.kernelCpuMs / 1000,
  },
  {
    name: "program_processes_total",
    type: "counter",
    help: "Processes that programs which ended had.",
    of: (m) => m.used.processes,
  },
  {
    name: "program_system_calls_total",
    type: "counter",
    help: "System calls of programs that ended.",
    of: (m) => m.used.systemCalls,
  },
  {
    name: "program_read_bytes_total",
    type: "counter",
    help: "Bytes that programs which ended read.",
    of: (m) => m.used.bytesRead,
  },
  {
    name: "program_written_bytes_total",
    type: "counter",
    help: "Bytes that programs which ended wrote.",
    of: (m) => m.used.bytesWritten,
  },
  {
    name: "program_sent_bytes_total",
    type: "counter",
    help: "Bytes that programs which ended sent.",
    of: (m) => m.used.bytesSent,
  },
  {
    name: "program_received_bytes_total",
    type: "counter",
    help: "Bytes that programs which ended received.",
    of: (m) => m.used.bytesReceived,
  },
  {
    name: "program_tool_calls_total",
    type: "counter",
    help: "Calls of tools by programs that ended.",
    of: (m) => m.used.toolCalls,
  },
];

/** The figures of kernels, each with its process id as label `kernel`. */
export function kernelMetricsTo(text: MetricsText, kernels: readonly KernelMetrics[]): void {
  const labelled = kernels.map((metrics) => ({ metrics, label: `kernel="${metrics.pid}"` }));
  for (const { name, type, help, of } of families)
    text.add(
      `kernel_${name}`,
      type,
      help,
      labelled.map(({ metrics, label }): Sample => [`{${label}}`, of(metrics)]),
    );
  text.add(
    "kernel_programs_ended_total",
    "counter",
    "Programs that ended, by reason.",
    labelled.flatMap(({ metrics, label }) =>
      Object.entries(metrics.ends).map(([reason, count]): Sample => [
        `{${label},reason="${reason}"}`,
        count,
      ]),
    ),
  );
  text.add(
    "kernel_program_duration_seconds",
    "histogram",
    "From a program's start to its end.",
    labelled.flatMap(({ metrics, label }) => histogram(metrics.durations, label)),
  );
}
