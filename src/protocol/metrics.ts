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

/** What is added up of programs that ended: a part of `Usage`, its name for Prometheus, how much of its unit one is. */
const sums = {
  cpuMs: ["cpu_seconds_total", 0.001, "CPU time of programs that ended, with their children."],
  kernelCpuMs: [
    "kernel_cpu_seconds_total",
    0.001,
    "Time that the kernel spent on requests of programs that ended.",
  ],
  processes: ["processes_total", 1, "Processes that programs which ended had."],
  systemCalls: ["system_calls_total", 1, "System calls of programs that ended."],
  bytesRead: ["read_bytes_total", 1, "Bytes that programs which ended read."],
  bytesWritten: ["written_bytes_total", 1, "Bytes that programs which ended wrote."],
  bytesSent: ["sent_bytes_total", 1, "Bytes that programs which ended sent."],
  bytesReceived: ["received_bytes_total", 1, "Bytes that programs which ended received."],
  toolCalls: ["tool_calls_total", 1, "Calls of tools by programs that ended."],
} as const satisfies Partial<
  Record<keyof Usage, readonly [name: string, unit: number, help: string]>
>;
type Summed = keyof typeof sums;
const summed = Object.keys(sums) as Summed[];

/** What programs that ended have used together. */
export class Sums {
  readonly used = Object.fromEntries(summed.map((part) => [part, 0])) as Record<Summed, number>;

  add(usage: Usage): void {
    for (const part of summed) this.used[part] += usage[part];
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
  used: Readonly<Record<Summed, number>>;
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

type Family = readonly [
  name: string,
  type: MetricType,
  help: string,
  of: (metrics: KernelMetrics) => number,
];

const families: readonly Family[] = [
  ["machines", "gauge", "Machines.", (m) => m.machines],
  ["machines_made_total", "counter", "Machines that were made.", (m) => m.machinesMade],
  ["programs", "gauge", "Programs of the host that run.", (m) => m.programs],
  [
    "guests",
    "gauge",
    "Processes of Linux behind programs, and those that wait for one.",
    (m) => m.guests,
  ],
  ["guests_ahead", "gauge", "Processes that wait for a program.", (m) => m.guestsAhead],
  ["resident_memory_bytes", "gauge", "Resident memory of the kernel process.", (m) => m.rssBytes],
  ["open_descriptors", "gauge", "Descriptors of the kernel process.", (m) => m.openDescriptors],
  ["cpu_seconds_total", "counter", "CPU time of the kernel process.", (m) => m.cpuSeconds],
  [
    "held_bytes",
    "gauge",
    "Bytes that machines make the kernel hold, files apart.",
    (m) => m.kernelBytes,
  ],
  ["held_objects", "gauge", "Objects that machines make the kernel hold.", (m) => m.kernelObjects],
  ...summed.map((part): Family => {
    const [name, unit, help] = sums[part];
    return [`program_${name}`, "counter", help, (m) => m.used[part] * unit];
  }),
];

/** The figures of kernels, each with its process id as label `kernel`. */
export function kernelMetricsTo(text: MetricsText, kernels: readonly KernelMetrics[]): void {
  const labelled = kernels.map((metrics) => ({ metrics, label: `kernel="${metrics.pid}"` }));
  for (const [name, type, help, of] of families)
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
