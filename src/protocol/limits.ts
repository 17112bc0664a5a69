/**
 * The limits that the host sets for a virtual machine: one table with the default and the range
 * of each. The SDK checks what callers give against it; the kernel holds every VM to its own.
 * Numbers: behaviour reference §8, decisions 14.
 */

export interface LimitEntry {
  readonly default: number;
  readonly least: number;
  readonly most: number;
  /** Set where 0 means that there is no limit. */
  readonly zeroIsNone?: true;
  /** Whose the limit is, and what a program meets when it is reached. */
  readonly what: string;
}

const MiB = 1024 * 1024;
const GiB = 1024 * MiB;
/** The longest delay a timer of Node takes; about 24.8 days. */
const longestMs = 2 ** 31 - 1;

const entries = {
  memoryBytes: {
    default: 256 * MiB,
    least: 32 * MiB,
    most: 4 * GiB,
    what: "Heap, buffers and WebAssembly of one process together. The process ends with 134, ERR_SECURE_EXEC_MEMORY_LIMIT on its stderr; an allocation that can fail does so instead. With nativeAddons, the files that are being loaded have as much again, for the machine.",
  },
  cpuTimeMs: {
    default: 0,
    least: 0,
    most: longestMs,
    zeroIsNone: true,
    what: "CPU time of a program and all it starts, together; 0 means no limit. All of them end with 137.",
  },
  wallTimeMs: {
    default: 0,
    least: 0,
    most: longestMs,
    zeroIsNone: true,
    what: "Time from a program's start to its end and that of all it starts; 0 means no limit. All of them end with 137.",
  },
  systemCallsPerSecond: {
    default: 0,
    least: 0,
    most: 10_000_000,
    zeroIsNone: true,
    what: "Requests to the kernel of a program and all it starts, together; 0 means no limit. Further ones wait, after a burst of a tenth of a second's.",
  },
  processes: {
    default: 256,
    least: 1,
    most: 4096,
    what: "Processes of the machine at one time. Further ones fail with EAGAIN.",
  },
  threads: {
    default: 12,
    least: 0,
    most: 12,
    what: "Workers of one process at one time. Further ones fail with ERR_WORKER_INIT_FAILED.",
  },
  openFiles: {
    default: 256,
    least: 8,
    most: 65_536,
    what: "Open descriptors of one process. Further ones fail with EMFILE.",
  },
  watches: {
    default: 1024,
    least: 0,
    most: 65_536,
    what: "Files and directories that one process watches. Further ones fail with ENOSPC.",
  },
  sockets: {
    default: 256,
    least: 0,
    most: 65_536,
    what: "Sockets of the machine, accepted connections not counted. Further ones fail with ENFILE.",
  },
  connections: {
    default: 256,
    least: 0,
    most: 65_536,
    what: "Connections of the machine, those to the outside and from the host included. Further ones fail with ENOBUFS.",
  },
  terminals: {
    default: 16,
    least: 0,
    most: 256,
    what: "Pseudo-terminals of the machine at one time, those of openShell and spawn included. Further ones fail with ENOSPC, those of the host with ERR_SECURE_EXEC_PROCESS_LIMIT.",
  },
  fileSystemBytes: {
    default: 256 * MiB,
    least: 0,
    most: 64 * GiB,
    what: "Content of the machine's own file system. Writes beyond it fail with ENOSPC; mounts are not counted.",
  },
  inodes: {
    default: 16_384,
    least: 1024,
    most: 2 ** 24,
    what: "Files and directories of the machine's own file system. Further ones fail with ENOSPC.",
  },
  kernelBytes: {
    default: 16 * MiB,
    least: 2 * MiB,
    most: 16 * GiB,
    what: "Memory that the kernel holds for the machine, content and inodes of its files not counted: processes, open files, pipes and sockets with what is in them, calls that wait. Over it calls fail with ENFILE, ENOBUFS, EAGAIN or ENOMEM, full pipes stay full, events are lost.",
  },
  kernelObjects: {
    default: 65_536,
    least: 1024,
    most: 2 ** 24,
    what: "Such things by their number, as kernelBytes.",
  },
  hostDescriptors: {
    default: 1024,
    least: 16,
    most: 2 ** 20,
    what: "Descriptors of the host that the machine holds: open files of mounts, connections out of it, two for each process. Further ones fail with ENFILE or EAGAIN.",
  },
  requestsPerHost: {
    default: 0,
    least: 0,
    most: 2 ** 40,
    zeroIsNone: true,
    what: "Requests to each host that `network` names, in the machine's life; 0 means no limit. Further ones are answered with status 429.",
  },
  bytesPerHost: {
    default: 0,
    least: 0,
    most: 2 ** 50,
    zeroIsNone: true,
    what: "Bytes to and from each such host together; 0 means no limit. Connections that go over it are reset, further requests answered with status 429.",
  },
  argumentBytes: {
    default: MiB,
    least: 4096,
    most: 4 * MiB,
    what: "Arguments and environment of a new process together. More fails with E2BIG.",
  },
  valueBytes: {
    default: 16 * MiB,
    least: 1024,
    most: 256 * MiB,
    what: "One value of `__return`, as it travels; a larger one is ERR_SECURE_EXEC_RETURN_VALUE. One input or result of a host tool, where it is over 4 MiB; a larger one is ERR_TOOL_LIMIT.",
  },
  outputBytes: {
    default: 16 * MiB,
    least: 0,
    most: 256 * MiB,
    what: "Output kept for a result, per stream. The rest is dropped and the result says so.",
  },
} as const satisfies Record<string, LimitEntry>;

export type VmLimitName = keyof typeof entries;
export type VmLimits = { readonly [Name in VmLimitName]: number };

export const vmLimitTable: Readonly<Record<VmLimitName, LimitEntry>> = Object.freeze(entries);
export const vmLimitNames = Object.freeze(Object.keys(entries) as VmLimitName[]);

/** Limits that a single run may have lower than its VM. */
export const runLimitNames = Object.freeze([
  "memoryBytes",
  "cpuTimeMs",
  "wallTimeMs",
  "outputBytes",
  "processes",
  "systemCallsPerSecond",
] as const satisfies VmLimitName[]);
export type RunLimitName = (typeof runLimitNames)[number];
export type RunLimits = { readonly [Name in RunLimitName]?: number };

/** Whether `asked` is more than `limit` allows. */
export function isAbove(name: VmLimitName, asked: number, limit: number): boolean {
  const entry: LimitEntry = vmLimitTable[name];
  if (entry.zeroIsNone !== true) return asked > limit;
  return limit !== 0 && (asked === 0 || asked > limit);
}

/** `asked` where it is lower than `limits`. */
export function lowerLimits(limits: VmLimits, asked: RunLimits): VmLimits {
  const lower = Object.entries(asked) as [RunLimitName, number][];
  if (lower.length === 0) return limits;
  const kept = lower.filter(([name, value]) => !isAbove(name, value, limits[name]));
  return Object.freeze({ ...limits, ...Object.fromEntries(kept) });
}

/** `given` over the defaults. */
export function completeVmLimits(given: Partial<VmLimits> = {}): VmLimits {
  const complete = vmLimitNames.map((name) => [name, given[name] ?? vmLimitTable[name].default]);
  return Object.freeze(Object.fromEntries(complete) as VmLimits);
}
