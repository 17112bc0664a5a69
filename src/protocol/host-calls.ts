/**
 * The table between the SDK in the host process and the kernel process. Both
 * sides are trusted, but values inside (program text, results, output) are not.
 * `vm` and `process` are handles chosen by the SDK, unique per connection.
 */
import type { BorderOptions } from "./border.js";
import type { AuditOptions, Learned, PolicyMode } from "./decisions.js";
import type { IsolationReport } from "./isolation.js";
import type { RunLimits, VmLimitName, VmLimits } from "./limits.js";
import type { Policies } from "./permissions.js";
import type { EngineKind } from "./engine-start.js";
import type { JsRuntime } from "./platforms.js";
import type { EncodingName } from "./structured.js";
import type { ProviderMountOptions } from "./provider.js";
import { wireOf } from "./port.js";
import type { ToolDescriptor } from "./tools.js";
import type { End, Usage } from "./usage.js";

/**
 * File calls of the SDK. Content larger than one message travels in parts.
 * `followLinks`: links that a guest may have made are followed wherever they lead; otherwise only
 * to what lies below their own directory.
 */
export const hostFileCalls = {
  /** The first part; with `more`, `file` names the transfer for `readMore` or `abandon`. */
  readFile: {
    nr: 4,
    args: { vm: "u32", path: "text", followLinks: "bool" },
    result: { data: "bytes", more: "bool", file: "u32" },
  },
  /** Empties or makes the file, with its parent directories; with `more`, goes on with `writeMore`. */
  writeFile: {
    nr: 5,
    args: { vm: "u32", path: "text", data: "bytes", more: "bool", followLinks: "bool" },
    result: { file: "u32" },
  },
  readMore: {
    nr: 20,
    args: { vm: "u32", file: "u32" },
    result: { data: "bytes", more: "bool", file: "u32" },
  },
  writeMore: {
    nr: 21,
    args: { vm: "u32", file: "u32", data: "bytes", more: "bool" },
    result: { file: "u32" },
  },
  /** Ends a transfer before its last part. */
  abandon: { nr: 22, args: { vm: "u32", file: "u32" }, result: {} },
  /** Entries from index `start` on, by name; `types` as in the guest's `readdir`. */
  readDir: {
    nr: 23,
    args: { vm: "u32", path: "text", start: "u32", followLinks: "bool" },
    result: { names: "texts", types: "bytes", more: "bool" },
  },
  /** Values as in the guest's `stat`. */
  stat: {
    nr: 24,
    args: { vm: "u32", path: "text", follow: "bool", followLinks: "bool" },
    result: { values: "numbers" },
  },
  mkdir: {
    nr: 25,
    args: { vm: "u32", path: "text", recursive: "bool", followLinks: "bool" },
    result: {},
  },
  rm: {
    nr: 26,
    args: { vm: "u32", path: "text", recursive: "bool", force: "bool", followLinks: "bool" },
    result: {},
  },
  readlink: {
    nr: 28,
    args: { vm: "u32", path: "text", followLinks: "bool" },
    result: { target: "text" },
  },
  /** A link of the guest's, in the place of one that is there. */
  symlink: {
    nr: 29,
    args: { vm: "u32", target: "text", path: "text", followLinks: "bool" },
    result: {},
  },
  /** Permission bits, and the time of access and change. */
  setAttributes: {
    nr: 31,
    args: { vm: "u32", path: "text", mode: "u32", mtimeMs: "f64", followLinks: "bool" },
    result: {},
  },
  rename: {
    nr: 27,
    args: { vm: "u32", from: "text", to: "text", followLinks: "bool" },
    result: {},
  },
  /** Writes a file as Node's `open` flags say, in a directory that is there; goes on as `writeFile` does. */
  openWrite: {
    nr: 60,
    args: {
      vm: "u32",
      path: "text",
      flags: "u32",
      mode: "u32",
      data: "bytes",
      more: "bool",
      followLinks: "bool",
    },
    result: { file: "u32" },
  },
  /** One change of a file, as `FileChange` says; numbers that it does not need are 0. */
  changeFile: {
    nr: 61,
    args: {
      vm: "u32",
      path: "text",
      change: "u8",
      first: "f64",
      second: "f64",
      followLinks: "bool",
    },
    result: {},
  },
  /** Another name of a file. */
  link: {
    nr: 62,
    args: { vm: "u32", from: "text", to: "text", followLinks: "bool" },
    result: {},
  },
  /**
   * What was changed in the overlay at `guestPath`, or in all for "", from entry `start` on, by path; `changes` are
   * indices of `changeNames`, `types` as in `readDir`.
   */
  diff: {
    nr: 64,
    args: { vm: "u32", guestPath: "text", start: "u32" },
    result: { paths: "texts", changes: "bytes", types: "bytes", more: "bool" },
  },
  realpath: {
    nr: 63,
    args: { vm: "u32", path: "text", followLinks: "bool" },
    result: { path: "text" },
  },
} as const;

/** What happened to an entry of an overlay. */
export const changeNames = ["added", "changed", "removed"] as const;

/** What `changeFile` does. */
export const FileChange = Object.freeze({
  /** Permission bits: `first`. */
  mode: 1,
  /** Milliseconds since the epoch: of access `first`, of change `second`. */
  times: 2,
  /** Bytes: `first`. */
  length: 3,
  /** Removes an empty directory. */
  removeDirectory: 4,
});

/** Calls of the SDK; each gets one reply, or a failure with JSON of `HostFailure`. */
export const hostCalls = {
  ping: { nr: 1, args: {}, result: {} },
  /** `options` is JSON of `VmOptions`. */
  createVm: { nr: 2, args: { vm: "u32", options: "string" }, result: {} },
  ...hostFileCalls,
  disposeVm: { nr: 3, args: { vm: "u32" }, result: {} },
  /**
   * The archive of a machine's files as they are now, in parts: `snapshot` is 0 for the first one, and
   * then what the part before answered. `manifest` is the text that the archive begins with.
   */
  snapshot: {
    nr: 50,
    args: { vm: "u32", snapshot: "u32", manifest: "string" },
    result: { data: "bytes", more: "bool", snapshot: "u32" },
  },
  /** Ends a snapshot before its last part. */
  abandonSnapshot: { nr: 51, args: { vm: "u32", snapshot: "u32" }, result: {} },
  /** One part of the archive that a machine was made for with `restores`. */
  restore: { nr: 52, args: { vm: "u32", data: "bytes", more: "bool" }, result: {} },
  /** Starts a program; `options` is JSON of `ProcessOptions`. Answers once it has a pid. */
  spawn: {
    nr: 6,
    args: { vm: "u32", process: "u32", options: "string", source: "bytes" },
    result: { pid: "u32" },
  },
  /**
   * An HTTP request to a listener of the VM. `request` is JSON of `HostFetchRequest`, `response`
   * of `HostFetchResponse`. `fetch` numbers the request for `cancelFetch`.
   */
  fetch: {
    nr: 30,
    args: { vm: "u32", fetch: "u32", port: "u32", request: "string", body: "bytes" },
    result: { response: "string", body: "bytes" },
  },
  /** Adds tools or replaces them; `tools` is JSON of `ToolDescriptor[]`. */
  registerTools: { nr: 40, args: { vm: "u32", tools: "string" }, result: {} },
  /** What a program and all it started has used so far, or with `process` 0 the VM; JSON of `Usage`. */
  usage: { nr: 8, args: { vm: "u32", process: "u32" }, result: { json: "string" } },
  /** Narrows a VM: `permissions` is JSON of a part of `Policies`. Answers once what is open was judged anew. */
  setPermissions: { nr: 43, args: { vm: "u32", permissions: "string" }, result: {} },
  /** What the border of a VM looks into from now on; JSON of `BorderOptions`. Only of a VM that was made with one. */
  setBorder: { nr: 44, args: { vm: "u32", border: "string" }, result: {} },
  /** The decisions that the VM keeps; JSON of `DecisionList`. */
  audit: { nr: 41, args: { vm: "u32" }, result: { list: "string" } },
  /** What the VM's programs were found to need; JSON of `LearnedList`. */
  learned: { nr: 42, args: { vm: "u32" }, result: { list: "string" } },
  /** Shows a directory or file of the host to a machine that runs; `mount` is JSON of `VmMount`. */
  mount: { nr: 53, args: { vm: "u32", mount: "string" }, result: {} },
  /** Takes a mount away again. */
  unmount: { nr: 54, args: { vm: "u32", guestPath: "string" }, result: {} },
  /** Counters for tests and diagnostics, JSON of `KernelStats`. */
  stats: { nr: 7, args: {}, result: { json: "string" } },
  /** Figures for those who run the kernel; JSON of `KernelMetrics`. */
  metrics: { nr: 9, args: {}, result: { json: "string" } },
} as const;

/** One-way messages from the SDK. */
export const hostEvents = {
  stdin: { nr: 1, args: { vm: "u32", process: "u32", data: "bytes" } },
  closeStdin: { nr: 2, args: { vm: "u32", process: "u32" } },
  /** `group`: the process group that the process leads, too. */
  kill: { nr: 3, args: { vm: "u32", process: "u32", signal: "u8", group: "bool" } },
  /** Sends the decisions of the machine's policy, or the warnings of its limits, from now on. */
  observe: { nr: 45, args: { vm: "u32", decisions: "bool", limits: "bool" } },
  /** The host consumed output; `stream` is 1 or 2, or 3 for parts of the value. */
  credit: { nr: 4, args: { vm: "u32", process: "u32", stream: "u8", bytes: "u32" } },
  /** The size of the terminal of `process` is another. */
  resize: { nr: 21, args: { vm: "u32", process: "u32", rows: "u32", columns: "u32" } },
  /** Gives up a `fetch` of this number. */
  cancelFetch: { nr: 20, args: { vm: "u32", fetch: "u32" } },
  residentExec: { nr: 5, args: { vm: "u32", process: "u32", sequence: "u32", source: "string" } },
  /** The host has taken the last `decisions`. */
  decisionsTaken: { nr: 42, args: { vm: "u32" } },
  /** Answers `judge`; `answers` is JSON of `Answer[]`. */
  judged: { nr: 40, args: { vm: "u32", id: "u32", answers: "string" } },
  /** Answers `toolCall`; `json` is the result, or a `ToolFailure`. */
  toolDone: { nr: 41, args: { vm: "u32", id: "u32", ok: "bool", json: "bytes" } },
  /**
   * Answers `provide`, in one message or more: all but the last have `more` and bytes only. `answer` is JSON of
   * `ProviderAnswer`.
   */
  provided: {
    nr: 44,
    args: { vm: "u32", id: "u32", answer: "string", data: "bytes", more: "bool" },
  },
  /** The call waits for somebody's approval, and others need not wait for it. */
  toolParked: { nr: 43, args: { vm: "u32", id: "u32" } },
  /** Answers `outward`; `added` is JSON of `OutwardAddition`, or empty where there is none to give. */
  outwardReady: { nr: 46, args: { vm: "u32", id: "u32", ok: "bool", added: "string" } },
} as const;

export interface HostFetchRequest {
  method: string;
  path: string;
  headers: Record<string, string>;
}

export interface HostFetchResponse {
  status: number;
  statusText: string;
  /** Lower-case names, in the order they came. */
  headers: [name: string, value: string][];
}

/** Somebody in a VM who listens. */
export interface ListenerInfo {
  id: number;
  pid: number;
  /** Address and port, or else `path`. */
  host: string;
  port: number;
  path: string;
  /** Why the host's port of the same number could not be opened for it; empty when it need not, or is. */
  publishError: string;
}

/** One-way messages from the kernel to the SDK. */
export const kernelHostEvents = {
  output: { nr: 1, args: { vm: "u32", process: "u32", stream: "u8", data: "bytes" } },
  /** Part of the value that a program returns, the first or a further one; `credit` of stream 3 asks for the next. */
  value: { nr: 7, args: { vm: "u32", process: "u32", first: "bool", data: "bytes" } },
  /** After this nothing more comes for `process`. `end` is JSON of `ProcessEnd`. */
  exit: { nr: 2, args: { vm: "u32", process: "u32", end: "string", value: "bytes" } },
  /** The program, or one that shares its stdin, took this many bytes of it. */
  stdinCredit: { nr: 4, args: { vm: "u32", process: "u32", bytes: "u32" } },
  /** `listener` is JSON of `ListenerInfo`. */
  listenerAdded: { nr: 20, args: { vm: "u32", listener: "string" } },
  listenerRemoved: { nr: 21, args: { vm: "u32", id: "u32" } },
  /** Every byte the snippet wrote was sent before this. */
  residentDone: { nr: 3, args: { vm: "u32", process: "u32", sequence: "u32", exitCode: "i32" } },
  /** The set-up of a template has ended well; other programs may name it from now on. */
  templateReady: { nr: 6, args: { vm: "u32", process: "u32" } },
  /** Decisions since the last ones, which were taken; JSON of `DecisionList`. */
  decisions: { nr: 43, args: { vm: "u32", list: "string" } },
  /** `warning` is JSON of `LimitWarning`. */
  limitWarning: { nr: 5, args: { vm: "u32", warning: "string" } },
  /** Of a fleet's worker, never of a kernel: it leaves, and ends the machine after so many milliseconds. */
  draining: { nr: 8, args: { vm: "u32", timeoutMs: "f64" } },
  /** Asks the policy function of a scope; `requests` is JSON of `Request[]`. */
  judge: { nr: 40, args: { vm: "u32", id: "u32", scope: "string", requests: "string" } },
  /** Asks for a tool's handler, in one message or more: all but the last have `more`. `input` is JSON text that a guest wrote, or of a `ToolForm`. */
  toolCall: {
    nr: 41,
    args: { vm: "u32", id: "u32", name: "string", input: "bytes", more: "bool" },
  },
  /** Asks for the next value of the stream that the call `stream` was answered with, or stops it; `toolDone` of `id` answers. */
  toolNext: { nr: 47, args: { vm: "u32", id: "u32", stream: "u32", stop: "bool" } },
  /** Nobody waits for that call any more, or wants more of its stream. */
  toolCancel: { nr: 42, args: { vm: "u32", id: "u32" } },
  /** Asks what a request that leaves gets added; JSON of `OutwardRequest`, which a guest has written. */
  outward: { nr: 46, args: { vm: "u32", id: "u32", request: "string" } },
  /**
   * Asks a provider of files, in one message or more: all but the last have `more` and bytes only. `question`
   * is JSON of `ProviderQuestion`, `provider` the SDK's number.
   */
  provide: {
    nr: 44,
    args: {
      vm: "u32",
      id: "u32",
      provider: "u32",
      question: "string",
      data: "bytes",
      more: "bool",
    },
  },
  /** Nobody waits for that answer any more. */
  provideCancel: { nr: 45, args: { vm: "u32", id: "u32" } },
} as const;

/** All that the SDK's socket carries. A failure is JSON of `HostFailure`. */
export const hostWire = wireOf({
  calls: hostCalls,
  callerEvents: hostEvents,
  serverEvents: kernelHostEvents,
  failure: { json: "string" },
} as const);
export type HostTables = (typeof hostWire)["tables"];

export interface HostFailure {
  code: string;
  message: string;
  /** A worker's: which option of the caller it is about. */
  option?: string;
}

export interface VmOptions {
  /** The machine whose files and mounts it begins with, by its number; `mounts` says nothing then. */
  source?: number;
  /** A template of `source`, by its handle: one of this machine may begin from it, once for each that it has. */
  template?: number;
  /** The files are those that `source` had when the set-up of `template` had ended. */
  fromSetUp?: boolean;
  /** It has no files at first: an archive of them follows, and nothing runs before its last part. */
  restores?: boolean;
  env: Record<string, string>;
  cwd: string;
  /** Ports of the host's loopback that guests may reach, and under which the host reaches guests. */
  loopbackExemptPorts?: number[];
  mounts: VmMount[];
  permissions: Policies;
  /** How long a policy function may take; a later answer is a denial. */
  permissionTimeoutMs: number;
  policyMode: PolicyMode;
  audit: AuditOptions;
  tools: ToolDescriptor[];
  jsRuntime: JsRuntime;
  engine: EngineKind;
  /** Whether programs may load native addons of the machine's files. */
  nativeAddons: boolean;
  limits: VmLimits;
  /** Whose requests are looked into on their way out. */
  border?: BorderOptions;
  /** One process of one thread at a time, whose time begins there. */
  deterministic?: { seed: string; startTimeMs: number };
  /** Whether the host wants to hear of limits that are nearly reached. */
  warnsOfLimits: boolean;
}

/** Something came to 80 % of a limit. */
export interface LimitWarning {
  limit: VmLimitName;
  /** What is used, and what the limit is. */
  observed: number;
  capacity: number;
  fillPercent: number;
  /** The process in the VM, where the limit is one of a process or a run. */
  pid?: number;
}

export interface VmMount {
  /** The option that asked for it, for messages. */
  option: string;
  /** Absolute, without "." and "..". */
  guestPath: string;
  /** Absolute; of a mount of the host's files. */
  hostPath?: string;
  /** Changes of that stay in memory. */
  overlay?: boolean;
  /** Of one that code of the host serves. */
  provider?: ProviderMountOptions;
  readOnly: boolean;
  /** Its files are shown as executable: commands that were unpacked without their modes. */
  executable?: boolean;
}

export interface TerminalSize {
  rows: number;
  columns: number;
}

export interface ProcessOptions {
  /** "exec" runs the program file `name`, searched in PATH, with `args`; the others run `source`. */
  mode: "program" | "template" | "resident" | "exec";
  /** The program of mode "template" that the process is copied from, by its handle; not for "exec". */
  template?: number;
  language: "js" | "ts";
  /** File of the main program: a name inside /tmp, or an absolute guest path; empty for none. */
  name: string;
  args: string[];
  env: Record<string, string>;
  /** Empty for the VM's. */
  cwd: string;
  /** Whether stdin stays open for `stdin` events; otherwise it is at end of file from the start. */
  stdin: boolean;
  /** Its stdin, stdout and stderr are one terminal of this size; output is all on stream 1. */
  terminal?: TerminalSize;
  /** Whether a program ends when its main module has been evaluated, whatever still waits. */
  endWhenSettled?: boolean;
  /** How its value travels. Default: "json". */
  encoding?: EncodingName;
  /** Default: the VM's. */
  engine?: EngineKind;
  /** Lower limits than the VM's, for it and all that it starts together. */
  limits: RunLimits;
  /** What has to allow as well as the VM's own, of a template: for its set-up, and for all that begins from it. */
  permissions?: Partial<Policies>;
  /** Bytes forwarded per stream; the rest is dropped and reported as truncated. 0 means no cap. */
  stdoutLimitBytes: number;
  stderrLimitBytes: number;
}

export interface ProcessEnd {
  /** Exit code, or 128 + signal. */
  exitCode: number;
  /** Signal number that ended the process, or 0. */
  signal: number;
  stdoutTruncated: boolean;
  stderrTruncated: boolean;
  /** "none": no `__return`; "failure": see `returnPath`; otherwise how the value is encoded. */
  returned: "none" | EncodingName | "failure";
  /** Set when the value is the parts that have come, and `value` their last. */
  valueContinued?: true;
  returnPath?: string;
  returnReason?: string;
  /** Set when the outcome is not the program's own doing; a code of the error table. */
  errorCode?: string;
  errorMessage?: string;
  cause: End;
  /** Of the program and all that it started, up to its end. */
  usage: Usage;
  /** In learn mode: what they were found to need. */
  learned?: LearnedList;
}

export interface LearnedList {
  list: Learned[];
  /** Whether there was more than the kernel keeps. */
  incomplete: boolean;
}

export interface VmAccount {
  kernelBytes: number;
  kernelObjects: number;
  hostDescriptors: number;
  /** Content of its files. */
  fileBytes: number;
  counts: Record<string, number>;
}

export interface KernelStats {
  pid: number;
  zygotePid: number;
  vms: number;
  processes: number;
  idleGuests: number;
  openFds: number;
  rssBytes: number;
  /** What all VMs together make the kernel hold, those that are gone included. */
  kernelBytes: number;
  kernelObjects: number;
  hostDescriptors: number;
  /** Of each VM, by the SDK's number: the three sums, and how many of each kind. */
  accounts: Record<number, VmAccount>;
  guestPids: number[];
  /** What guests are confined by. */
  isolation: IsolationReport[];
  /** What a zygote is spared of compiling, and a guest of faults and page tables; complete once the zygote is warm. */
  savings: {
    compiledModules: number;
    contiguousHeap: boolean;
    hugeTextPages: number;
    hugeHeapPages: number;
    inheritedTexts: number;
    pagesAhead: number;
  };
}
