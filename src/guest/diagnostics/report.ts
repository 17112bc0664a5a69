/**
 * Owns the text of a diagnostic report and the file it goes to, in the shape of the
 * engine's src/node_report.cc (reportVersion 5). Everything in it is what the program
 * can learn from `process`, `os` and `v8` anyway; nothing of the host is.
 *
 * Not in it: `nativeStack` and handles under `libuv`, which name code and addresses of
 * the engine's process, and the reports of workers.
 */
import { machine } from "../../abi/machine.js";
import type { StartOptions } from "../../protocol/guest-calls.js";
import type { EngineTools } from "../environment.js";
import { sharedIdentity } from "../identity.js";
import { diagnosticName, writeTextFile } from "./files.js";

export interface ReportRequest {
  event: string;
  trigger: string;
  /** As the caller named it; null for a name of the report's own. */
  filename: string | null;
  error: unknown;
}

type Fields = Record<string, unknown>;

/** What a limit is when the machine sets none. */
const unlimited = "unlimited";
const limitOf = (value: number): Fields => ({ soft: value, hard: value });
const noLimit = (): Fields => ({ soft: unlimited, hard: unlimited });

/** What the engine is linked against, by their sonames: a machine has no files of theirs. */
const sharedObjects: readonly string[] = [
  "linux-vdso.so.1",
  "libatomic.so.1",
  "libdl.so.2",
  "libm.so.6",
  "libstdc++.so.6",
  "libgcc_s.so.1",
  "libpthread.so.0",
  "libc.so.6",
];

export function describeProcess(env: EngineTools, request: ReportRequest): string {
  const binding = env.internalBinding("report");
  const settings = {
    network: binding.getExcludeNetwork() !== true,
    environment: binding.getExcludeEnv() !== true,
  };
  const fields: Fields = {
    header: header(env, request, settings.network),
    javascriptStack: javascriptStack(request.error),
    javascriptHeap: javascriptHeap(env),
    nativeStack: [],
    ...resources(env),
    libuv: [{ type: "loop", is_active: true, address: "0x0000000000000000" }],
    workers: [],
    ...(settings.environment && { environmentVariables: { ...process.env } }),
    userLimits: userLimits(),
    sharedObjects,
  };
  const compact = binding.getCompact() === true;
  return `${JSON.stringify(fields, undefined, compact ? undefined : 2)}\n`;
}

let sequence = 0;

/** Answers the name of the file, or "" when it could not be written; says on stderr what it does, as Node. */
export function writeReport(env: EngineTools, request: ReportRequest): string {
  const binding = env.internalBinding("report");
  const named = request.filename ?? (binding.getFilename() as string);
  const name = named === "" ? diagnosticName("report", "json", threadOf(env), ++sequence) : named;
  const text = describeProcess(env, { ...request, filename: name });
  const say = (line: string): void => void env.internalBinding("fs").writeString(2, line);
  if (name === "stdout" || name === "stderr") {
    env.internalBinding("fs").writeString(name === "stdout" ? 1 : 2, text);
    return name;
  }
  const directory = binding.getDirectory() as string;
  const path = request.filename === null && directory !== "" ? `${directory}/${name}` : name;
  say(`\nWriting Node.js report to file: ${name}`);
  try {
    writeTextFile(env, path, text);
  } catch (error) {
    const { errno = 0 } = error as NodeJS.ErrnoException;
    const place = directory === "" ? "" : ` directory: ${directory}`;
    say(`\nFailed to open Node.js report file: ${name}${place} (errno: ${-errno})\n`);
    return "";
  }
  say("\nNode.js report completed\n");
  return name;
}

const threadOf = (env: EngineTools): number => env.internalBinding("worker").threadId as number;

function header(env: EngineTools, request: ReportRequest, network: boolean): Fields {
  const os = env.requireBuiltin("os");
  const now = new Date();
  const { start } = sharedIdentity();
  return {
    reportVersion: 5,
    event: request.event,
    trigger: request.trigger,
    filename: request.filename,
    dumpEventTime: now.toISOString().replace(/\.\d+Z$/, "Z"),
    dumpEventTimeStamp: String(now.getTime()),
    processId: process.pid,
    threadId: threadOf(env),
    cwd: process.cwd(),
    commandLine: [start.argv0, ...start.argv],
    nodejsVersion: process.version,
    glibcVersionRuntime: machine.glibcVersion,
    glibcVersionCompiler: machine.glibcCompilerVersion,
    wordSize: 64,
    arch: process.arch,
    platform: process.platform,
    componentVersions: { ...process.versions },
    release: { ...process.release },
    osName: os.type(),
    osRelease: os.release(),
    osVersion: os.version(),
    osMachine: os.machine(),
    cpus: (os.cpus() as { model: string; speed: number; times: Record<string, number> }[]).map(
      ({ model, speed, times }) => ({ model, speed, ...times }),
    ),
    ...(network && { networkInterfaces: networkInterfaces(os.networkInterfaces()) }),
    host: os.hostname(),
  };
}

function networkInterfaces(interfaces: Record<string, Fields[]>): Fields[] {
  return Object.entries(interfaces).flatMap(([name, addresses]) =>
    addresses.map(({ internal, mac, address, netmask, family, scopeid }) => ({
      name,
      internal,
      mac,
      address,
      netmask,
      family,
      ...(scopeid !== undefined && { scopeid }),
    })),
  );
}

function javascriptStack(error: unknown): Fields {
  const unavailable = { message: "No stack.\nUnavailable.\n", stack: ["Unavailable."] };
  if (typeof error !== "object" || error === null) return { ...unavailable, errorProperties: {} };
  const properties: Record<string, string> = {};
  for (const [name, value] of Object.entries(error)) properties[name] = String(value);
  const { stack } = error as { stack?: unknown };
  if (typeof stack !== "string") return { ...unavailable, errorProperties: properties };
  const [message = "", ...frames] = stack.split("\n");
  return { message, stack: frames.map((line) => line.trim()), errorProperties: properties };
}

/** v8.getHeapSpaceStatistics */
interface HeapSpace {
  space_name: string;
  space_size: number;
  space_used_size: number;
  space_available_size: number;
  physical_space_size: number;
}

function javascriptHeap(env: EngineTools): Fields {
  const v8 = env.requireBuiltin("v8");
  const heap = v8.getHeapStatistics() as Record<string, number>;
  const spaces = v8.getHeapSpaceStatistics() as HeapSpace[];
  return {
    totalMemory: heap["total_heap_size"],
    executableMemory: heap["total_heap_size_executable"],
    totalCommittedMemory: heap["total_physical_size"],
    availableMemory: heap["total_available_size"],
    totalGlobalHandlesMemory: heap["total_global_handles_size"],
    usedGlobalHandlesMemory: heap["used_global_handles_size"],
    usedMemory: heap["used_heap_size"],
    memoryLimit: heap["heap_size_limit"],
    mallocedMemory: heap["malloced_memory"],
    externalMemory: heap["external_memory"],
    peakMallocedMemory: heap["peak_malloced_memory"],
    nativeContextCount: heap["number_of_native_contexts"],
    detachedContextCount: heap["number_of_detached_contexts"],
    doesZapGarbage: heap["does_zap_garbage"],
    heapSpaces: Object.fromEntries(
      spaces.map((space) => [
        space.space_name,
        {
          memorySize: space.space_size,
          committedMemory: space.physical_space_size,
          capacity: space.space_used_size + space.space_available_size,
          used: space.space_used_size,
          available: space.space_available_size,
        },
      ]),
    ),
  };
}

function resources(env: EngineTools): Fields {
  const os = env.requireBuiltin("os");
  const cpu = process.cpuUsage();
  const seconds = { user: cpu.user / 1e6, system: cpu.system / 1e6 };
  const elapsed = Math.max(process.uptime(), 1e-3);
  const percent = (used: number): number => Number(((used / elapsed) * 100).toFixed(4));
  const shares = {
    userCpuSeconds: seconds.user,
    kernelCpuSeconds: seconds.system,
    cpuConsumptionPercent: percent(seconds.user + seconds.system),
    userCpuConsumptionPercent: percent(seconds.user),
    kernelCpuConsumptionPercent: percent(seconds.system),
  };
  const rss = process.memoryUsage.rss();
  return {
    resourceUsage: {
      free_memory: os.freemem(),
      total_memory: os.totalmem(),
      rss,
      constrained_memory: process.constrainedMemory(),
      available_memory: process.availableMemory(),
      ...shares,
      maxRss: rss,
      pageFaults: { IORequired: 0, IONotRequired: 0 },
      fsActivity: { reads: 0, writes: 0 },
    },
    uvthreadResourceUsage: { ...shares, fsActivity: { reads: 0, writes: 0 } },
  };
}

function fileSize(limit: StartOptions["fileBytesLimit"]): Fields {
  return limit === undefined ? noLimit() : { soft: limit.soft, hard: limit.hard ?? unlimited };
}

/** The names are those of src/node_report.cc for RLIMIT_CORE, RLIMIT_DATA and so on. */
function userLimits(): Fields {
  const { start } = sharedIdentity();
  return {
    core_file_size_blocks: limitOf(0),
    data_seg_size_bytes: limitOf(start.memoryLimitBytes),
    file_size_blocks: fileSize(start.fileBytesLimit),
    max_locked_memory_bytes: limitOf(0),
    max_memory_size_bytes: noLimit(),
    open_files: limitOf(start.openFilesLimit),
    stack_size_bytes: noLimit(),
    cpu_time_seconds: noLimit(),
    max_user_processes: limitOf(start.processesLimit),
    virtual_memory_bytes: noLimit(),
  };
}
