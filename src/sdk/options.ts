/**
 * Owns what callers may pass: the option types and their checks. Everything is
 * checked before anything runs, and what cannot be honoured is refused, never ignored.
 *
 * Invariants: a parsed value is a copy that the caller cannot change afterwards;
 * an option with the value `undefined` counts as not given.
 * Untrusted: callers are trusted, but what they pass may come from elsewhere.
 */
import { X509Certificate } from "node:crypto";
import { hostCertificates } from "../abi/machine.js";
import { parseIsolation } from "./isolation.js";
import type { IsolationOptions } from "./isolation.js";
import { failure, invalidOption, unknownOption } from "./errors.js";
import { isPort } from "./listeners.js";
import type { OutputHook } from "./output-channel.js";
import type { FileProvider } from "./provider.js";
import { mountsOf } from "./mounts.js";
import type {
  FileProviderMount,
  HostDirectoryMount,
  NodeModulesMount,
  OverlayMount,
} from "./mounts.js";
import { auditDefaults } from "../protocol/decisions.js";
import type { AuditOptions, Decision } from "../protocol/decisions.js";
import type { EngineKind } from "../protocol/engine-start.js";
import type { LimitWarning, TerminalSize, VmMount, VmOptions } from "../protocol/host-calls.js";
import { parsePermissions } from "./permissions.js";
import type { ParsedPermissions, Permissions } from "./permissions.js";
import { parseLimits, parseRunLimits } from "./limits.js";
import type { NodeRuntimeLimits } from "./limit-types.js";
import type { NodeRuntimeRunLimits } from "./limits.js";
import { completeVmLimits } from "../protocol/limits.js";
import type { RunLimits, VmLimits } from "../protocol/limits.js";
import type { SnapshotManifest } from "../protocol/snapshot.js";
import { jsRuntimeKeys, parseJsRuntime } from "./platform-options.js";
import type { JsRuntimeOptions } from "./platform-options.js";
import { parseKernels } from "./kernel-group.js";
import type { Kernels } from "./kernel-group.js";
import { SidecarProcess } from "./sidecar-process.js";
import { parseFleet } from "./fleet/options.js";
import type { NodeRuntimeFleetOptions, ParsedFleet } from "./fleet/options.js";
import { snapshotSourceOf } from "./snapshot.js";
import type { NodeRuntimeTemplate } from "./template.js";
import type { NodeRuntimeSnapshotSource } from "./snapshot.js";
import { parseNetwork } from "./network-options.js";
import type { NodeRuntimeNetworkOptions, ParsedNetwork } from "./network-options.js";
import { parseTools } from "./tools.js";
import type { HostToolNamespaces, HostTools, ParsedTools } from "./tools.js";
import type { JsRuntime } from "../protocol/platforms.js";

/** Something came to 80 % of a limit; `pid` where it is one of a process or a run. */
export type NodeRuntimeLimitWarning = LimitWarning;

/** What the policy decided about one request. */
export type NodeRuntimeDecision = Decision;
type DecisionHook = (decision: NodeRuntimeDecision) => void;

type LimitHook = (warning: NodeRuntimeLimitWarning) => void;

const defaultCwd = "/home/user";

/** A stage of `NodeRuntime.create`, in milliseconds. */
export interface NodeRuntimeBootTiming {
  phase: "sidecar_spawn" | "vm_create" | "vm_configure";
  durationMs: number;
}

/** What decides a run. */
export interface NodeRuntimeDeterministic {
  /** Of everything random. */
  seed: number | string;
  /** What `Date.now()` says when a program begins, in milliseconds since the epoch. Default: 2024-01-01T00:00:00Z. */
  startTimeMs?: number;
}

export interface NodeRuntimeCreateOptions extends JsRuntimeOptions {
  /**
   * What `snapshot()` gave, as the path of a file, bytes or a stream: its files, and its environment and
   * working directory where none is given here. `files` are written over them.
   */
  snapshot?: NodeRuntimeSnapshotSource;
  /** Takes limits and permissions from the snapshot too, where none are given here. Default: false. */
  trustSnapshot?: boolean;
  /**
   * A machine whose programs each begin in a copy of that template: with the files of its machine as they were when
   * the set-up had ended, and what else was given there. Only audit, cwd, env, files, limits, onBootTiming, onDecision,
   * onLimitWarning, permissions (narrower ones) and tools may be given beside; see docs/templates.md.
   */
  template?: NodeRuntimeTemplate;
  /** Environment of every program, over the machine's base environment. Default: {}; nothing of the host's is in it. */
  env?: Record<string, string>;
  /** Working directory of every program, an absolute guest path. Default `/home/user`. */
  cwd?: string;
  /** Files written before create resolves: absolute guest path → content. Parent directories are created. */
  files?: Record<string, string | Uint8Array>;
  /**
   * Directories or files of the host that programs see; read-only unless said otherwise. Default: none. INVALID_OPTION
   * where the host has no such path, or the machine needs the place for itself (/, /tmp, /proc, /dev, /sys).
   */
  mounts?: (HostDirectoryMount | OverlayMount | FileProviderMount)[];
  /** A node_modules directory of the host, shown read-only at /tmp/node_modules or another path. */
  nodeModules?: string | NodeModulesMount;
  /**
   * A directory of the host with commands, WASI modules or scripts: shown read-only, as executable, at
   * /usr/local/sbin, where PATH looks first. Default: SECURE_EXEC_WASM_COMMANDS_DIR of the host, if set.
   */
  commandsDir?: string;
  /** Uses this kernel process instead of the shared one. It outlives the runtime. */
  sidecar?: SidecarProcess;
  /**
   * How many kernel processes the host's machines may be spread over. With a number, the machine goes to the
   * one of that many that has the fewest, which is started if need be; 1 to 64. With `"auto"`, the default, there
   * is one for each 6 processors, and a further one is started beside, for machines to come, when each has 4.
   * A machine is on one for life, as are its clones; what happens to another's kernel is none of its concern.
   */
  kernels?: "auto" | number;
  /** Makes the machine on a worker of a fleet instead of on this host; see docs/fleet.md. */
  fleet?: NodeRuntimeFleetOptions;
  /**
   * Ports open in both directions: a program's listener there is reachable at the host's
   * 127.0.0.1 too, and where no program listens, a program's connection to localhost reaches
   * the host's, if the network policy allows it.
   */
  loopbackExemptPorts?: number[];
  /** Called once per stage of starting up. */
  onBootTiming?: (timing: NodeRuntimeBootTiming) => void;
  /** What programs may do, merged per scope over the defaults; see docs/permissions.md. */
  permissions?: Permissions | "dry-run" | "learn";
  /** Called for every decision of the policy, once it was made; see docs/audit.md. */
  onDecision?: (decision: NodeRuntimeDecision) => void;
  /**
   * What `audit()` keeps: the last `entries` decisions (1000 by default, 10 000 at most). With `true` or
   * `all` also those of scopes that allow everything; with `onDecision` this is the default.
   */
  audit?: boolean | { entries?: number; all?: boolean };
  /** Milliseconds that a permission function may take before its request is denied. Default: 10 000. */
  permissionTimeoutMs?: number;
  /** Functions of the host that programs may call by name; see docs/tools.md. */
  tools?: HostTools | HostToolNamespaces;
  /** Other names for `tools`. */
  bindings?: HostTools | HostToolNamespaces;
  hostFunctions?: HostTools | HostToolNamespaces;
  /** Certificates in PEM that every program trusts beside the usual ones, as NODE_EXTRA_CA_CERTS does. */
  ca?: string | Uint8Array | readonly (string | Uint8Array)[];
  /**
   * Makes two runs of a program alike to the last byte: time, randomness and the order of what happens come from
   * these alone. One program of one process and one thread at a time; see docs/deterministic.md.
   */
  deterministic?: NodeRuntimeDeterministic;
  /**
   * Keeps of every `run`, `exec` and `execCommand` what was asked of the host and answered, and what came out:
   * the result's `recording`, which `replay` takes. Only with `deterministic`, and without directories of the host.
   */
  record?: boolean;
  /**
   * Requests to certain hosts: which of them may leave, and what is added to them outside of the machine, a
   * secret say, that its programs never hold. Where they may connect at all, `permissions.network` says; see docs/secrets.md.
   */
  network?: NodeRuntimeNetworkOptions;
  /** Bounds on what the machine may use, each with its default; INVALID_OPTION names one that is out of its range. */
  limits?: NodeRuntimeLimits;
  /** Called when something comes to 80 % of its limit; see docs/limits.md. */
  onLimitWarning?: (warning: NodeRuntimeLimitWarning) => void;
  /** Which engine programs get that do not say so themselves, and every `node` of the machine. Default: "forked". */
  engine?: "forked" | "dedicated";
  /**
   * Whether programs may load native addons: Node-API modules among the machine's files, and the libraries that
   * those need. They run in the program's process, behind the same walls. Linux on x64 only. Default: false; see
   * docs/native-addons.md.
   */
  nativeAddons?: boolean;
  /** Layers between programs and the machine that must be there; see docs/isolation.md. */
  isolation?: IsolationOptions;
  /** The options of the platform in one object; see docs/platforms.md. */
  jsRuntime?: JsRuntimeOptions & { highResolutionTime?: boolean };
}

/** Options of one program. */
export interface NodeRuntimeExecOptions {
  /** Merged over the runtime's environment. */
  env?: Record<string, string>;
  /** Working directory; relative to the runtime's if not absolute. */
  cwd?: string;
  /** Given to the program as stdin, followed by end of file. */
  stdin?: string | Uint8Array;
  /**
   * Milliseconds after which the program is killed; its exit code is then 137, and `end.reason` "timeout". Default:
   * never. INVALID_OPTION unless it is above 0; above 2147483647 (24.8 days) it is that.
   */
  timeout?: number;
  /** The same as `timeout`. */
  timeoutMs?: number;
  /** Aborting rejects the call with the signal's reason and ends the program, with SIGKILL. Default: none. */
  signal?: AbortSignal;
  /** Receives stdout as it is produced; a returned promise holds back more until it settles. */
  onStdout?: OutputHook;
  /** The same for stderr. */
  onStderr?: OutputHook;
  /** Lower limits than the machine's, for the program and all it starts; see docs/limits.md. */
  limits?: NodeRuntimeRunLimits;
  /** `process.argv` from index 2 on. */
  args?: string[];
  /** Default: "ts" when `name` ends in .ts or .mts, otherwise "js". */
  language?: "js" | "ts";
  /** Written to this file first: a name inside /tmp, or an absolute guest path. Default: a text in `cwd`, and no file. */
  name?: string;
  /**
   * "forked": from an engine that is warm, within milliseconds. "dedicated": an engine that starts for this
   * program alone, with the threads with which V8 compiles and collects garbage beside it: slower to
   * start, as fast as plain Node afterwards. Default: the runtime's.
   */
  engine?: "forked" | "dedicated";
  /**
   * How the value of `__return` comes to `run`: as JSON, or "structured" with Map, Set, Date, BigInt, errors, buffers,
   * typed arrays, cycles and undefined, too. Default: "json".
   */
  encoding?: "json" | "structured";
  /**
   * Ends the program once its module has been evaluated, top-level awaits included, whatever timers,
   * servers or tool calls it left behind. Default: false, it ends when nothing is left, as in Node.
   */
  endWhenSettled?: boolean;
}

/** The size of a terminal in characters, each from 1 to 65 535. */
export interface NodeRuntimeTerminalSize {
  /** Default 80. */
  cols?: number;
  /** Default 24. */
  rows?: number;
}

interface TerminalOption {
  /**
   * The program's stdin, stdout and stderr are one terminal of this size, `true` for 80 by 24. All
   * output comes to `onStdout`, `writeStdin` types, and `closeStdin` types ^D.
   */
  pty?: boolean | NodeRuntimeTerminalSize;
}

export type NodeRuntimeSpawnOptions = NodeRuntimeExecOptions & TerminalOption;
export type NodeRuntimeSpawnCommandOptions = NodeRuntimeCommandOptions & TerminalOption;

/** Options of a shell, or another command, in a terminal. */
export interface NodeRuntimeShellOptions extends NodeRuntimeTerminalSize {
  /** Merged over the runtime's environment; TERM is xterm-256color by default. */
  env?: Record<string, string>;
  /** Working directory; relative to the runtime's if not absolute. */
  cwd?: string;
  /** What runs in the terminal. Default `bash`. */
  command?: string;
  /** Its arguments. */
  args?: string[];
  /** Aborting ends it. */
  signal?: AbortSignal;
}

/** Options that say what a program is. */
const programOnlyNames = ["args", "language", "name", "encoding", "endWhenSettled"] as const;

/** Options of one command. */
export type NodeRuntimeCommandOptions = Omit<
  NodeRuntimeExecOptions,
  (typeof programOnlyNames)[number]
>;

const toolNames = ["tools", "bindings", "hostFunctions"] as const;
const createNames = [
  "snapshot",
  "trustSnapshot",
  "env",
  "cwd",
  "files",
  "mounts",
  "nodeModules",
  "commandsDir",
  "sidecar",
  "kernels",
  "fleet",
  "onBootTiming",
  "permissions",
  "permissionTimeoutMs",
  "onDecision",
  "audit",
  "loopbackExemptPorts",
  ...toolNames,
  "limits",
  "deterministic",
  "record",
  "onLimitWarning",
  "ca",
  "network",
  "engine",
  "nativeAddons",
  "isolation",
  "jsRuntime",
  ...jsRuntimeKeys,
];
const plannedNames = ["wasmCommandDirs", "user"];
const runNames = [
  "pty",
  "env",
  "cwd",
  "stdin",
  "timeout",
  "timeoutMs",
  "signal",
  "onStdout",
  "onStderr",
  "limits",
  "engine",
  ...programOnlyNames,
];
/** struct winsize has 16 bits for each. */
const mostCells = 0xffff;
const permissionTimeoutMs = 10_000;
const pemCertificate = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;
/** The longest delay a timer of Node takes; about 24.8 days. */
const longestTimeoutMs = 2 ** 31 - 1;

export type Bag = Readonly<Record<string, unknown>>;

function isRecord(value: unknown): value is Bag {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    !ArrayBuffer.isView(value)
  );
}

/** The given options without undefined ones. Throws for names outside `known`. */
export function bagOf(
  value: unknown,
  known: readonly string[],
  planned: readonly string[] = [],
): Bag {
  if (value === undefined) return {};
  if (!isRecord(value)) throw invalidOption("options", "must be an object");
  const given = Object.entries(value).filter(([, option]) => option !== undefined);
  const unknown = given.map(([name]) => name).filter((name) => !known.includes(name));
  const planning = unknown.find((name) => planned.includes(name));
  if (planning !== undefined)
    throw failure("NOT_IMPLEMENTED", { option: planning }, { details: { option: planning } });
  if (unknown.length > 0) throw unknownOption(unknown, known);
  return Object.fromEntries(given);
}

function textOf(option: string, value: unknown): string {
  if (typeof value !== "string") throw invalidOption(option, "must be a string");
  if (value.includes("\0")) throw invalidOption(option, "must not contain a NUL character");
  return value;
}

function pathOf(option: string, value: unknown): string {
  const path = textOf(option, value);
  if (path === "") throw invalidOption(option, "must not be empty");
  return path;
}

function absolutePathOf(option: string, value: unknown): string {
  const path = pathOf(option, value);
  if (!path.startsWith("/")) throw invalidOption(option, "must be an absolute path of the guest");
  return path;
}

function envOf(value: unknown): Record<string, string> {
  const env = Object.create(null) as Record<string, string>;
  if (value === undefined) return env;
  if (!isRecord(value)) throw invalidOption("env", "must be an object of strings");
  for (const [name, text] of Object.entries(value)) {
    if (text === undefined) continue;
    if (name === "" || name.includes("=") || name.includes("\0")) {
      throw invalidOption(`env.${name}`, "is not a valid name of an environment variable");
    }
    env[name] = textOf(`env.${name}`, text);
  }
  return env;
}

function functionOf<T>(option: string, value: unknown): T | undefined {
  if (value !== undefined && typeof value !== "function")
    throw invalidOption(option, "must be a function");
  return value as T | undefined;
}

/** Bytes of a string or Uint8Array, copied. */
export function bytesOf(option: string, value: unknown): Uint8Array {
  if (typeof value === "string") return Buffer.from(value, "utf8");
  if (value instanceof Uint8Array) return new Uint8Array(value);
  throw invalidOption(option, "must be a string or a Uint8Array");
}

export function sourceOf(value: unknown): string {
  if (typeof value !== "string") throw invalidOption("code", "must be a string");
  return value;
}

export function guestPathOf(value: unknown, cwd: string): string {
  const path = pathOf("path", value);
  return path.startsWith("/") ? path : `${cwd}/${path}`;
}

/** Options that are all yes or no, over their defaults. */
export function parseFlags<T extends Record<string, boolean>>(value: unknown, defaults: T): T {
  const given = bagOf(value, Object.keys(defaults));
  for (const [name, flag] of Object.entries(given)) {
    if (typeof flag !== "boolean") throw invalidOption(name, "must be a boolean");
  }
  return { ...defaults, ...given } as T;
}

/** Positive milliseconds or undefined. */
export function timeoutOf(value: unknown, option = "timeout"): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== "number" || !(value > 0)) {
    throw invalidOption(option, "must be a positive number of milliseconds");
  }
  return Math.min(value, longestTimeoutMs);
}

function signalOf(value: unknown): AbortSignal | undefined {
  if (value === undefined) return undefined;
  if (value instanceof AbortSignal) return value;
  throw invalidOption("signal", "must be an AbortSignal");
}

export interface CreateOptions {
  snapshot: NodeRuntimeSnapshotSource | undefined;
  env: Record<string, string>;
  cwd: string;
  files: [path: string, data: Uint8Array][];
  mounts: VmMount[];
  /** Those of the mounts, by the numbers that name them there. */
  providers: ReadonlyMap<number, FileProvider>;
  sidecar: SidecarProcess | undefined;
  kernels: Kernels;
  /** Given only where it was. */
  fleet?: ParsedFleet;
  onBootTiming: ((timing: NodeRuntimeBootTiming) => void) | undefined;
  /** Names of layers. */
  isolation: readonly string[];
  loopbackExemptPorts: number[];
  permissions: ParsedPermissions;
  permissionTimeoutMs: number;
  tools: ParsedTools;
  limits: VmLimits;
  deterministic?: NonNullable<VmOptions["deterministic"]>;
  record?: boolean;
  network?: ParsedNetwork;
  onLimitWarning?: LimitHook;
  /** Given only where something of it was. */
  audit?: ParsedAudit;
  jsRuntime: JsRuntime;
  engine: EngineKind;
  nativeAddons: boolean;
}

function portsOf(option: string, value: unknown): number[] {
  if (value === undefined) return [];
  if (!Array.isArray(value) || !value.every(isPort))
    throw invalidOption(option, "must be an array of ports from 1 to 65535");
  return [...new Set(value)];
}

/** The tools under whichever of the three names they were given. */
function toolsOf(given: Bag): ParsedTools {
  const [name = "tools", second] = toolNames.filter((key) => given[key] !== undefined);
  if (second !== undefined) throw invalidOption(second, `means the same as ${name}; give one`);
  return parseTools(name, given[name]);
}

export type ParsedAudit = Omit<AuditOptions, "stream"> & { onDecision: DecisionHook | undefined };

function auditOf(value: unknown, hook: unknown): { audit?: ParsedAudit } {
  const onDecision = functionOf<DecisionHook>("onDecision", hook);
  if (value === undefined && onDecision === undefined) return {};
  const { entries: byDefault, mostEntries } = auditDefaults;
  if (typeof value === "boolean") return { audit: { entries: byDefault, all: value, onDecision } };
  if (value !== undefined && !isRecord(value))
    throw invalidOption("audit", "must be a boolean or an object");
  const { entries = byDefault, all = onDecision !== undefined, ...rest } = value ?? {};
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) throw unknownOption([unknown], ["entries", "all"], "audit.");
  if (typeof all !== "boolean") throw invalidOption("audit.all", "must be a boolean");
  if (typeof entries !== "number" || !(entries >= 1 && entries <= mostEntries) || entries % 1 !== 0)
    throw invalidOption("audit.entries", `must be a whole number from 1 to ${mostEntries}`);
  return { audit: { entries, all, onDecision } };
}

const defaultStartTimeMs = Date.UTC(2024, 0, 1);
/** ECMA-262, 21.4.1.1; a run may last some years of its own time. */
const latestStartTimeMs = 8e15;

function deterministicOf(value: unknown): NonNullable<VmOptions["deterministic"]> {
  const option = "deterministic";
  if (!isRecord(value)) throw invalidOption(option, "must be an object with a seed");
  const { seed, startTimeMs = defaultStartTimeMs, ...rest } = value;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) throw invalidOption(`${option}.${unknown}`, "is not a known option");
  if (!Number.isSafeInteger(seed) && (typeof seed !== "string" || seed.length > 1024))
    throw invalidOption(
      `${option}.seed`,
      "must be a whole number or a string of up to 1024 characters",
    );
  if (typeof startTimeMs !== "number" || !(startTimeMs >= 0 && startTimeMs <= latestStartTimeMs))
    throw invalidOption(`${option}.startTimeMs`, "must be milliseconds since the epoch");
  return { seed: String(seed), startTimeMs: Math.floor(startTimeMs) };
}

function recordOf(given: Bag): { record?: boolean } {
  const { record, deterministic, mounts, nodeModules, commandsDir } = given;
  if (record === undefined) return {};
  if (typeof record !== "boolean") throw invalidOption("record", "must be a boolean");
  if (record && deterministic === undefined)
    throw invalidOption("record", "needs the option deterministic");
  if (record && [mounts, nodeModules, commandsDir].some((value) => value !== undefined))
    throw invalidOption(
      "record",
      "is not possible with directories of the host; give copies as files",
    );
  return { record };
}

/** The texts of the certificates given; each of them is read once here. */
function certificatesOf(value: unknown): string[] {
  if (value === undefined) return [];
  const given: unknown[] = Array.isArray(value) ? value : [value];
  return given.flatMap((entry, index) => {
    const option = Array.isArray(value) ? `ca[${index}]` : "ca";
    const text = Buffer.from(bytesOf(option, entry)).toString("utf8");
    const found = text.match(pemCertificate) ?? [];
    if (found.length === 0) throw invalidOption(option, "holds no certificate in PEM");
    for (const one of found) {
      try {
        void new X509Certificate(one);
      } catch {
        throw invalidOption(option, "holds a certificate that cannot be read");
      }
    }
    return found;
  });
}

/**
 * The options of a runtime that is made from a snapshot: what the snapshot says where they say nothing.
 * Throws INVALID_OPTION for values of the snapshot, too.
 */
export function withManifest(
  value: NodeRuntimeCreateOptions,
  { env, cwd, limits, permissions }: SnapshotManifest,
): CreateOptions {
  const trusted = value.trustSnapshot === true;
  return parseCreateOptions({
    ...value,
    env: { ...env, ...value.env },
    cwd: value.cwd ?? cwd,
    ...(trusted && {
      limits: { ...limits, ...value.limits },
      permissions: { ...permissions, ...permissionsBag(value.permissions) },
    }),
  });
}

/** The form with scopes, of either form. */
function permissionsBag(given: NodeRuntimeCreateOptions["permissions"]): Permissions {
  return typeof given === "string" ? { mode: given } : { ...given };
}

export function parseCreateOptions(value: unknown): CreateOptions {
  const given = bagOf(value, createNames, plannedNames);
  const toolsGiven = toolNames.some((name) => given[name] !== undefined);
  const { files = {}, sidecar } = given;
  const certificates = certificatesOf(given.ca);
  if (!isRecord(files)) throw invalidOption("files", "must be an object of guest paths");
  if (sidecar !== undefined && !(sidecar instanceof SidecarProcess)) {
    throw invalidOption("sidecar", "must be a SidecarProcess");
  }
  const network = parseNetwork(given.network, certificates);
  const fleet = parseFleet(given.fleet);
  if (fleet !== undefined && sidecar !== undefined)
    throw invalidOption("sidecar", "is a process of this host; a machine of a fleet has none");
  const elsewhere = fleet === undefined ? sidecar && "sidecar" : "fleet";
  if (given.kernels !== undefined && elsewhere !== undefined)
    throw invalidOption(
      "kernels",
      `is for machines of the host's own kernels; ${elsewhere} names another`,
    );
  const { trustSnapshot = false } = given;
  if (typeof trustSnapshot !== "boolean") throw invalidOption("trustSnapshot", "must be a boolean");
  const owner = fleet === undefined ? "host" : "worker";
  const mounted = mountsOf(given.mounts, given.nodeModules, given.commandsDir, owner);
  if (given.deterministic !== undefined && mounted.providers.size > 0)
    throw invalidOption(
      "deterministic",
      "is not possible with file systems that code of the host serves",
    );
  return {
    snapshot: snapshotSourceOf(given.snapshot),
    env: {
      ...(certificates.length > 0 && { NODE_EXTRA_CA_CERTS: hostCertificates }),
      ...envOf(given.env),
    },
    cwd: given.cwd === undefined ? defaultCwd : absolutePathOf("cwd", given.cwd),
    files: [
      // Where programs find them.
      ...(certificates.length === 0
        ? []
        : [[hostCertificates, Buffer.from(`${certificates.join("\n")}\n`)] as [string, Buffer]]),
      ...Object.entries(files).map(([path, data]): [string, Uint8Array] => {
        const option = `files[${JSON.stringify(path)}]`;
        const absolute = absolutePathOf(option, path);
        if (absolute.endsWith("/") || /\/\.\.?$/.test(absolute))
          throw invalidOption(option, "must name a file");
        return [absolute, bytesOf(option, data)];
      }),
    ],
    ...mounted,
    sidecar,
    kernels: parseKernels(given.kernels),
    ...(fleet !== undefined && { fleet }),
    onBootTiming: functionOf("onBootTiming", given.onBootTiming),
    loopbackExemptPorts: portsOf("loopbackExemptPorts", given.loopbackExemptPorts),
    permissions: parsePermissions(given.permissions, toolsGiven),
    permissionTimeoutMs:
      timeoutOf(given.permissionTimeoutMs, "permissionTimeoutMs") ?? permissionTimeoutMs,
    tools: toolsOf(given),
    limits: parseLimits(given.limits),
    ...(given.deterministic !== undefined && {
      deterministic: deterministicOf(given.deterministic),
    }),
    ...recordOf(given),
    ...(network !== undefined && { network }),
    ...auditOf(given.audit, given.onDecision),
    ...(given.onLimitWarning !== undefined && {
      onLimitWarning: functionOf<LimitHook>("onLimitWarning", given.onLimitWarning)!,
    }),
    isolation: parseIsolation(given.isolation),
    jsRuntime: parseJsRuntime(given),
    engine: engineOf(given.engine ?? "forked", given.deterministic !== undefined),
    nativeAddons: nativeAddonsOf(given.nativeAddons ?? false, given.deterministic !== undefined),
  };
}

export interface RunOptions {
  env: Record<string, string>;
  /** Absolute, or empty for the VM's. */
  cwd: string;
  stdin: Uint8Array | undefined;
  timeoutMs: number | undefined;
  /** 0 for none. */
  cpuTimeMs: number;
  limits?: RunLimits;
  signal: AbortSignal | undefined;
  onStdout: OutputHook | undefined;
  onStderr: OutputHook | undefined;
  /** Called when all output has come; a result waits for what it answers. */
  onEnd?: () => unknown[];
  args: string[];
  language: "js" | "ts";
  /** Empty for a fresh one. */
  name: string;
  terminal?: TerminalSize;
  endWhenSettled: boolean;
  encoding?: "json" | "structured";
  /** Default: the VM's. */
  engine?: EngineKind;
}

function nameOf(value: unknown): string {
  if (value === undefined) return "";
  const name = pathOf("name", value);
  if (name.endsWith("/") || name.endsWith("/..") || name === "." || name === "..") {
    throw invalidOption("name", "must name a file");
  }
  if (name.includes("/") && !name.startsWith("/")) {
    throw invalidOption(
      "name",
      "must be a file name without directories, or an absolute path of the guest",
    );
  }
  return name;
}

function languageOf(value: unknown, name: string): "js" | "ts" {
  if (value === undefined) return /\.m?ts$/.test(name) ? "ts" : "js";
  if (value === "js" || value === "ts") return value;
  throw invalidOption("language", 'must be "js" or "ts"');
}

function cellsOf(option: string, value: unknown, initial: number): number {
  if (value === undefined) return initial;
  if (typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= mostCells)
    return value;
  throw invalidOption(option, `must be an integer from 1 to ${mostCells}`);
}

/** `columns` and `rows` of what may leave them out. `prefix` names the option in messages. */
export function terminalSizeOf(
  { cols, rows }: { readonly cols?: unknown; readonly rows?: unknown },
  prefix = "",
): TerminalSize {
  return { rows: cellsOf(`${prefix}rows`, rows, 24), columns: cellsOf(`${prefix}cols`, cols, 80) };
}

function terminalOf(value: unknown): { terminal?: TerminalSize } {
  if (value === undefined || value === false) return {};
  if (value === true) return { terminal: terminalSizeOf({}) };
  if (!isRecord(value))
    throw invalidOption("pty", "must be a boolean or an object of cols and rows");
  const unknown = Object.keys(value).filter((name) => name !== "cols" && name !== "rows");
  if (unknown.length > 0) throw unknownOption([unknown[0]!], ["cols", "rows"], "pty.");
  return { terminal: terminalSizeOf(value, "pty.") };
}

/** What `openShell` is given, as a command in a terminal. */
export function parseShellOptions(value: unknown, cwd: string): RunOptions {
  const given = bagOf(value, ["cols", "rows", "env", "cwd", "command", "args", "signal"]);
  const { args = [], command = "bash", env, signal } = given;
  return {
    ...parseCommandOptions({ env, signal, cwd: given.cwd }, cwd),
    ...commandOf(command, args),
    terminal: terminalSizeOf(given),
  };
}

/** `cwd` is the VM's, which a relative one is relative to; `limits` are the VM's, too. */
export function parseRunOptions(
  value: unknown,
  cwd: string,
  limits: VmLimits = completeVmLimits(),
): RunOptions {
  const given = bagOf(value, runNames);
  const { args = [] } = given;
  if (!Array.isArray(args)) throw invalidOption("args", "must be an array of strings");
  const name = nameOf(given.name);
  const own = given.cwd === undefined ? "" : pathOf("cwd", given.cwd);
  if (given.timeout !== undefined && given.timeoutMs !== undefined)
    throw invalidOption("timeoutMs", "means the same as timeout; give one");
  const { encoding, endWhenSettled = false } = given;
  if (encoding !== undefined && encoding !== "json" && encoding !== "structured")
    throw invalidOption("encoding", 'must be "json" or "structured"');
  if (typeof endWhenSettled !== "boolean")
    throw invalidOption("endWhenSettled", "must be a boolean");
  return {
    env: envOf(given.env),
    cwd: own === "" || own.startsWith("/") ? own : `${cwd}/${own}`,
    stdin: given.stdin === undefined ? undefined : bytesOf("stdin", given.stdin),
    timeoutMs: timeoutOf(given.timeout) ?? timeoutOf(given.timeoutMs, "timeoutMs"),
    cpuTimeMs: 0,
    ...(given.limits !== undefined && { limits: parseRunLimits(given.limits, limits) }),
    signal: signalOf(given.signal),
    onStdout: functionOf("onStdout", given.onStdout),
    onStderr: functionOf("onStderr", given.onStderr),
    args: args.map((arg, index) => textOf(`args[${index}]`, arg)),
    language: languageOf(given.language, name),
    name,
    ...terminalOf(given.pty),
    endWhenSettled,
    ...(encoding !== undefined && { encoding }),
    ...(given.engine !== undefined && { engine: engineOf(given.engine) }),
  };
}

function engineOf(value: unknown, deterministic = false): EngineKind {
  if (value === "dedicated" && deterministic)
    throw invalidOption("engine", 'must be "forked" in a deterministic machine');
  if (value === "forked" || value === "dedicated") return value;
  throw invalidOption("engine", 'must be "forked" or "dedicated"');
}

function nativeAddonsOf(value: unknown, deterministic: boolean): boolean {
  if (typeof value !== "boolean") throw invalidOption("nativeAddons", "must be a boolean");
  // Native code has clocks and threads that are nobody's to order.
  if (value && deterministic)
    throw invalidOption("nativeAddons", "must be false in a deterministic machine");
  return value;
}

/** The name of a command and its arguments. */
export function commandOf(name: unknown, args: unknown): { name: string; args: string[] } {
  if (!Array.isArray(args)) throw invalidOption("args", "must be an array of strings");
  return {
    name: pathOf("command", name),
    args: args.map((arg, index) => textOf(`args[${index}]`, arg)),
  };
}

/** Options of a command: those of a program that do not say what the program is. */
export function parseCommandOptions(
  value: unknown,
  cwd: string,
  limits: VmLimits = completeVmLimits(),
): RunOptions {
  return parseRunOptions(
    bagOf(
      value,
      runNames.filter((name) => !programOnlyNames.some((only) => only === name)),
    ),
    cwd,
    limits,
  );
}

/** Options of a resident runner. */
export interface NodeRuntimeResidentOptions {
  /** Lower limits than the machine's, for the runner's process and all it starts. */
  limits?: NodeRuntimeRunLimits;
  /** What its snippets are written in; `"js"` by default. */
  language?: "js" | "ts";
}

export function parseResidentOptions(
  value: unknown,
  limits: VmLimits,
): { limits: RunLimits; language: "js" | "ts" } {
  const given = bagOf(value, ["limits", "language"]);
  return {
    limits: parseRunLimits(given.limits, limits),
    language: languageOf(given.language, ""),
  };
}

/** Options of one snippet of a resident runner; answers its timeout. */
export function parseSnippetOptions(value: unknown): number | undefined {
  return timeoutOf(bagOf(value, ["timeout"]).timeout);
}
