/**
 * Owns who a guest process believes it is and what machine it sees: `process.*`,
 * `os.*`, the performance clock. Nothing here protects anything; the values come
 * from the kernel's `StartOptions`, and what is not virtual is shut by seccomp.
 */
import type { StartOptions } from "../protocol/guest-calls.js";
import { defaultNodeVersion, engineNodeVersion } from "../protocol/platforms.js";
import { Errno } from "../abi/errno.js";
import { machine } from "../abi/machine.js";
import { AddonLoader, addonsDisabled, refuseAddon } from "./native-addons.js";
import type { Dlopen } from "./native-addons.js";
import { unavailable } from "./unavailable.js";
import type { GuestEnvironment, KernelClient } from "./environment.js";

/** A nice value that changes none. */
const unchanged = 127;

/** Before any other takes its place. */
const engineVersion = process.versions.node;
export const guestExecPath = machine.nodePath;
const userName = "user";
const homeDirectory = "/home/user";

let start: StartOptions | undefined;
let startedAtNs = 0n;
/** The answer of process.cwd(), once it was asked for or changed. */
let cwd: string | undefined;

const startOptions = (): StartOptions => {
  if (start === undefined) throw new Error("no guest has started");
  return start;
};

/** Node's own checks, and then no: a program's process cannot become another program. */
function refuseExecve(requireBuiltin: (id: string) => any, args: unknown[]): never {
  const { validateString, validateArray, validateObject } = requireBuiltin("internal/validators");
  const { codes } = requireBuiltin("internal/errors");
  const [path, argv = [], env = process.env] = args as [unknown, unknown[]?, object?];
  if (!requireBuiltin("worker_threads").isMainThread)
    throw new codes.ERR_WORKER_UNSUPPORTED_OPERATION("Calling process.execve");
  const clean = (value: unknown): boolean => typeof value === "string" && !value.includes("\0");
  validateString(path, "execPath");
  validateArray(argv, "args");
  argv.forEach((argument, index) => {
    if (!clean(argument))
      throw new codes.ERR_INVALID_ARG_VALUE(
        `args[${index}]`,
        argument,
        "must be a string without null bytes",
      );
  });
  validateObject(env, "env");
  if (!Object.entries(env).flat().every(clean))
    throw new codes.ERR_INVALID_ARG_VALUE(
      "env",
      env,
      "must be an object with string keys and values without null bytes",
    );
  throw unavailable(`process.execve(${path as string})`, "start a child process instead");
}

/** Of a thread; `process.dlopen` is the engine's own when it is called. */
function dlopenOf(environment: GuestEnvironment): Dlopen {
  const engine = process.dlopen.bind(process) as Dlopen;
  return (module, ...rest) => {
    // The engine's own words.
    if (rest.length === 0) return engine(module, ...(rest as [unknown]));
    if (!startOptions().nativeAddons) return refuseAddon(rest[0]);
    // What C++ reads when an engine starts, and a fork is told later.
    if (environment.requireBuiltin("internal/options").getOptionValue("--addons") === false)
      throw addonsDisabled();
    return new AddonLoader(environment, engine).load(module, ...(rest as [unknown]));
  };
}

function machineUptimeSeconds(): number {
  return (
    startOptions().machineUptimeMs / 1000 + Number(process.hrtime.bigint() - startedAtNs) / 1e9
  );
}

/** What another thread of this guest needs to be the same process. */
export interface SharedIdentity {
  start: StartOptions;
  startedAtNs: bigint;
}

export const sharedIdentity = (): SharedIdentity => ({ start: startOptions(), startedAtNs });

/** Replaces the functions once per thread, before `node:os` and friends load: in the zygote, and in each worker. */
export function installIdentity(environment: GuestEnvironment): void {
  const { internalBinding, requireBuiltin } = environment;
  const kernel = (): KernelClient => environment.kernel;
  const { UVException } = requireBuiltin("internal/errors");
  const ownsProcess = internalBinding("worker").ownsProcessState as boolean;
  const notPermitted = (syscall: string): never => {
    throw new UVException({
      errno: -Errno.EPERM,
      code: "EPERM",
      syscall,
      message: "operation not permitted",
    });
  };

  /** Undefined is a failure, which `context` then describes as Node's C++ does. */
  const priority = (pid: number, nice: number, context: object, syscall: string) => {
    const result = kernel().call("priority", { pid, nice });
    if (typeof result !== "number") return result.nice;
    const { code, message } = new UVException({ errno: result, syscall });
    Object.assign(context, {
      errno: result,
      code,
      message: String(message)
        .slice(code.length + 2)
        .replace(`, ${syscall}`, ""),
      syscall,
    });
    return undefined;
  };

  const os = internalBinding("os");
  Object.assign(os, {
    getHostname: () => startOptions().hostname,
    getOSInformation: () => [
      machine.kernelName,
      machine.kernelVersion,
      machine.kernelRelease,
      process.arch === "arm64" ? "aarch64" : "x86_64",
    ],
    getHomeDirectory: () => process.env["HOME"] ?? homeDirectory,
    getUserInfo: (options: any) => {
      const encode = (text: string) => (options?.encoding === "buffer" ? Buffer.from(text) : text);
      return {
        __proto__: null,
        uid: startOptions().uid,
        gid: startOptions().gid,
        username: encode(userName),
        homedir: encode(homeDirectory),
        shell: encode("/bin/sh"),
      };
    },
    getCPUs: () => [machine.cpuModel, machine.cpuMhz, 0, 0, 0, 0, 0],
    getAvailableParallelism: () => 1,
    getInterfaceAddresses: () => [
      "lo",
      "127.0.0.1",
      "255.0.0.0",
      "IPv4",
      "00:00:00:00:00:00",
      true,
      -1,
      "lo",
      "::1",
      "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
      "IPv6",
      "00:00:00:00:00:00",
      true,
      0,
    ],
    getLoadAvg: (into: Float64Array) => into.fill(0),
    getTotalMem: () => startOptions().memoryLimitBytes,
    getFreeMem: () => Math.max(0, startOptions().memoryLimitBytes - usedBytes()),
    getUptime: machineUptimeSeconds,
    setPriority: (pid: number, nice: number, context: object) =>
      priority(pid, nice, context, "uv_os_setpriority") === undefined ? -1 : 0,
    getPriority: (pid: number, context: object) =>
      priority(pid, unchanged, context, "uv_os_getpriority"),
  });

  const v8 = requireBuiltin("v8");
  const heapStatistics = v8.getHeapStatistics as () => Record<string, number>;
  const usedBytes = (): number => {
    const heap = heapStatistics();
    return heap["total_heap_size"]! + heap["external_memory"]!;
  };
  const memoryUsage = Object.assign(
    () => {
      const heap = heapStatistics();
      return {
        rss: heap["total_heap_size"]! + heap["external_memory"]! + heap["malloced_memory"]!,
        heapTotal: heap["total_heap_size"]!,
        heapUsed: heap["used_heap_size"]!,
        external: heap["external_memory"]!,
        arrayBuffers: heap["external_memory"]!,
      };
    },
    { rss: usedBytes },
  );

  const processFunctions: Record<string, unknown> = {
    memoryUsage,
    constrainedMemory: () => startOptions().memoryLimitBytes,
    availableMemory: () => Math.max(0, startOptions().memoryLimitBytes - usedBytes()),
    uptime: () => Number(process.hrtime.bigint() - startedAtNs) / 1e9,
    getuid: () => startOptions().uid,
    geteuid: () => startOptions().uid,
    getgid: () => startOptions().gid,
    getegid: () => startOptions().gid,
    getgroups: () => [startOptions().gid],
    // setuid and its siblings are Node's own: the process's filter answers EPERM.
    ...(ownsProcess && {
      _debugProcess: () => notPermitted("kill"),
      _debugEnd: () => undefined,
    }),
    dlopen: dlopenOf(environment),
    execve: (...args: unknown[]) => refuseExecve(requireBuiltin, args),
  };
  for (const [name, value] of Object.entries(processFunctions)) {
    const { length = 0 } = ((process as any)[name] ?? {}) as { length?: number };
    Object.defineProperty(process, name, {
      value,
      writable: true,
      configurable: true,
      enumerable: true,
    });
    if (typeof value !== "function") continue;
    Object.defineProperty(value, "name", { value: name, configurable: true });
    Object.defineProperty(value, "length", { value: length, configurable: true });
  }

  if (ownsProcess) installDirectories(internalBinding, requireBuiltin, kernel);
  else installReadOnlyDirectories(internalBinding, kernel);
  installVersions();
  installClock();
  if (ownsProcess) adoptMilestones(internalBinding);
}

/** A worker can read the process's directory and mask, and not change them. */
function installReadOnlyDirectories(
  internalBinding: (name: string) => any,
  kernel: () => KernelClient,
): void {
  const methods = internalBinding("process_methods");
  // Node caches the answer until the main thread changes its directory.
  methods.cwd = () => {
    const result = kernel().call("getcwd", {});
    return typeof result === "number" ? startOptions().cwd : result.cwd;
  };
  process.cwd = methods.cwd;
  methods.umask = () => {
    const result = kernel().call("umask", { mask: -1 });
    return typeof result === "number" ? 0o022 : result.previous;
  };
}

function installDirectories(
  internalBinding: (name: string) => any,
  requireBuiltin: (id: string) => any,
  kernel: () => KernelClient,
): void {
  const { UVException } = requireBuiltin("internal/errors");
  const { validateString } = requireBuiltin("internal/validators");
  const { parseFileMode } = requireBuiltin("internal/validators");
  process.cwd = function wrappedCwd() {
    cwd ??= startOptions().cwd;
    return cwd;
  };
  process.chdir = function chdir(directory: string) {
    validateString(directory, "directory");
    let words = "";
    const result = kernel().call("chdir", { path: directory }, (said) => {
      words = said;
    });
    if (typeof result === "number") {
      throw new UVException({
        errno: result,
        syscall: "chdir",
        path: process.cwd(),
        dest: directory,
        ...(words !== "" && { message: words.replace(/^EACCES: /, "") }),
      });
    }
    cwd = result.cwd;
  };
  process.umask = function wrappedUmask(mask?: number | string) {
    const wanted = mask === undefined ? -1 : (parseFileMode(mask, "mask") as number);
    const result = kernel().call("umask", { mask: wanted });
    return typeof result === "number" ? 0o022 : result.previous;
  } as typeof process.umask;
  internalBinding("process_methods").cwd = () => process.cwd();
}

const constant = (target: object, name: string, value: unknown): void =>
  void Object.defineProperty(target, name, {
    value,
    writable: false,
    enumerable: true,
    configurable: true,
  });

let shownVersion = "";

/** What the program is told is running: a name, for `engines` of packages; the engine is one. */
function showVersion(version: string): void {
  if (version === shownVersion) return;
  shownVersion = version;
  const versions = { ...process.versions, node: version };
  for (const name of Object.keys(versions)) {
    Object.defineProperty(versions, name, {
      writable: false,
      enumerable: true,
      configurable: false,
    });
  }
  constant(process, "version", `v${version}`);
  constant(process, "versions", versions);
}

function installVersions(): void {
  showVersion(defaultNodeVersion);
  constant(process, "release", { name: "node", sourceUrl: "", headersUrl: "" });
  Object.defineProperty(process, "execPath", {
    value: guestExecPath,
    writable: true,
    enumerable: true,
    configurable: true,
  });
  process.execArgv = [];
  process.argv = [guestExecPath];
  delete (process as any)._eval;
  delete (process as any)._preload_modules;
}

/** Clocks count from the start of the process, which for the engine is the zygote's. */
function installClock(): void {
  const { Performance } = globalThis as any;
  const now = Performance.prototype.now as () => number;
  const originNow = (): number => Number(startedAtNs) / 1e6;
  let zygoteOrigin = 0;
  Object.defineProperty(Performance.prototype, "now", {
    value: function performanceNow(this: unknown) {
      return start === undefined ? now.call(this) : now.call(this) + zygoteOrigin - originNow();
    },
    writable: true,
    configurable: true,
    enumerable: true,
  });
  zygoteOrigin = Number(process.hrtime.bigint()) / 1e6 - performance.now();
  Object.defineProperty(Performance.prototype, "timeOrigin", {
    get: () => startOptions().startedAtMs,
    configurable: true,
    enumerable: true,
  });
}

/** Says in `performance.nodeTiming` that the process starts now, or that its event loop does. */
let milestone = { started: (): void => {}, looping: (): void => {} };

/** The engine's record of its own start, which was the zygote's: a guest could tell how old that is. */
function adoptMilestones(internalBinding: (name: string) => any): void {
  const { milestones, constants } = internalBinding("performance") as {
    milestones: Float64Array;
    constants: Record<string, number>;
  };
  const set = (name: string, value: number): void => {
    milestones[constants[`NODE_PERFORMANCE_MILESTONE_${name}`]!] = value;
  };
  milestone = {
    started() {
      const nowNs = Number(startedAtNs);
      set("TIME_ORIGIN", nowNs);
      // A fork passes through them at once, but in this order: programs take differences.
      for (const [step, name] of ["NODE_START", "V8_START", "ENVIRONMENT"].entries())
        set(name, nowNs + step * 1000);
      set("TIME_ORIGIN_TIMESTAMP", startOptions().startedAtMs * 1000);
      set("BOOTSTRAP_COMPLETE", Number(process.hrtime.bigint()));
      set("LOOP_START", -1);
    },
    looping: () => set("LOOP_START", Number(process.hrtime.bigint())),
  };
  Object.defineProperty((performance as any).nodeTiming, "duration", {
    get: () => performance.now(),
    enumerable: true,
    configurable: true,
  });
}

/** The main script has returned. */
export const loopStarts = (): void => milestone.looping();

/** Makes this process the one the kernel started. */
export function assumeIdentity(options: StartOptions): void {
  assumeSharedIdentity({ start: options, startedAtNs: process.hrtime.bigint() });
  milestone.started();
  process.argv = [guestExecPath, ...options.argv];
  for (const [name, value] of Object.entries(options.env)) process.env[name] = value;
}

/**
 * The same for a copy of a process that had an identity. Variables that the other had from its start stay what
 * they became there.
 */
export function reassumeIdentity(options: StartOptions): void {
  const former = startOptions().env;
  const env = Object.fromEntries(
    Object.entries(options.env).filter(([name, value]) => former[name] !== value),
  );
  cwd = undefined;
  assumeIdentity({ ...options, env });
  start = options;
}

/** Makes this thread one of that process. */
export function assumeSharedIdentity(shared: SharedIdentity): void {
  start = shared.start;
  startedAtNs = shared.startedAtNs;
  const options = start;
  const { nodeVersion } = options.jsRuntime;
  showVersion(nodeVersion === engineNodeVersion ? engineVersion : nodeVersion);
  Object.defineProperty(process, "pid", {
    value: options.pid,
    writable: false,
    enumerable: true,
    configurable: true,
  });
  Object.defineProperty(process, "ppid", {
    value: options.ppid,
    writable: true,
    enumerable: true,
    configurable: true,
  });
}

/** Takes `assumeIdentity` back, but for the variables that it set. */
export function forgetIdentity(): void {
  start = undefined;
  startedAtNs = 0n;
  cwd = undefined;
  process.argv = [guestExecPath];
}
