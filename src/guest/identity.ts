/**
 * Owns who a guest process believes it is: its directory, versions, ids and the performance clock. Nothing here protects anything; the values come
 * from the kernel's `StartOptions`, and what is not virtual is shut by seccomp.
 */
import { toKernel, toProgram } from "./names.js";
import type { StartOptions } from "../protocol/guest-calls.js";
import { defaultNodeVersion, engineNodeVersion } from "../protocol/platforms.js";
import { machine } from "../abi/machine.js";
import { afterLoad } from "./builtin-loads.js";
import type { EngineModule, InternalBinding } from "./engine-types.js";
import type { GuestEnvironment, KernelClient } from "./environment.js";

/** Before any other takes its place. */
const engineVersion = process.versions.node;
const guestExecPath = machine.nodePath;

let start: StartOptions | undefined;
let startedAtNs = 0n;
/** The answer of process.cwd(), once it was asked for or changed. */
let cwd: string | undefined;

/** What the kernel has told this process to be. */
export const startOptions = (): StartOptions => {
  if (start === undefined) throw new Error("no guest has started");
  return start;
};

/** Since the process began, as it is told. */
export const elapsedNs = (): bigint => process.hrtime.bigint() - startedAtNs;

/** What another thread of this guest needs to be the same process. */
export interface SharedIdentity {
  start: StartOptions;
  startedAtNs: bigint;
}

export const sharedIdentity = (): SharedIdentity => ({ start: startOptions(), startedAtNs });

/** Replaces the functions once per thread, before `node:os` and friends load: in the zygote, and in each worker. */
export function installIdentity(environment: GuestEnvironment): void {
  const { internalBinding, requireBuiltin, kernel } = environment;
  const ownsProcess = internalBinding("worker").ownsProcessState as boolean;
  if (ownsProcess) installDirectories(environment);
  else installReadOnlyDirectories(internalBinding, kernel);
  installVersions();
  afterLoad(requireBuiltin, "internal/perf/performance", installClock);
  adoptObservers(environment);
  if (ownsProcess) adoptMilestones(internalBinding);
}

/** A worker can read the process's directory and mask, and not change them. */
function installReadOnlyDirectories(internalBinding: InternalBinding, kernel: KernelClient): void {
  const methods = internalBinding("process_methods");
  // Node caches the answer until the main thread changes its directory.
  methods.cwd = () => {
    const result = kernel.call("getcwd", {});
    return typeof result === "number" ? startOptions().cwd : toProgram(result.cwd);
  };
  process.cwd = methods.cwd;
  methods.umask = () => {
    const result = kernel.call("umask", { mask: -1 });
    return typeof result === "number" ? 0o022 : result.previous;
  };
}

function installDirectories({ internalBinding, requireBuiltin, kernel }: GuestEnvironment): void {
  const { UVException } = requireBuiltin("internal/errors");
  const { validateString } = requireBuiltin("internal/validators");
  const { parseFileMode } = requireBuiltin("internal/validators");
  let moved = false;
  process.cwd = function wrappedCwd() {
    if (cwd !== undefined) return cwd;
    // Its start was in a directory that was there.
    if (!moved) return (cwd = startOptions().cwd);
    const result = kernel.call("getcwd", {});
    if (typeof result !== "number") return (cwd = toProgram(result.cwd));
    const [, text] = (internalBinding("uv").getErrorMap() as Map<number, string[]>).get(result)!;
    throw new UVException({
      errno: result,
      syscall: "uv_cwd",
      message: `process.cwd failed with error ${text}, the current working directory was likely removed without changing the working directory`,
    });
  };
  process.chdir = function chdir(directory: string) {
    validateString(directory, "directory");
    let words = "";
    const former = cwd ?? startOptions().cwd;
    const result = kernel.call("chdir", { path: toKernel(directory) }, (said) => {
      words = said;
    });
    if (typeof result === "number") {
      throw new UVException({
        errno: result,
        syscall: "chdir",
        path: former,
        dest: directory,
        ...(words !== "" && { message: words.replace(/^EACCES: /, "") }),
      });
    }
    // Asked for when it is wanted, as of then.
    moved = true;
    cwd = undefined;
  };
  process.umask = function wrappedUmask(mask?: number | string) {
    const wanted = mask === undefined ? -1 : (parseFileMode(mask, "mask") as number);
    const result = kernel.call("umask", { mask: wanted });
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
  for (const trace of ["_eval", "_preload_modules"]) Reflect.deleteProperty(process, trace);
}

/** From a time of the engine's clock to one of the process's. */
let toOwnOrigin = (startTime: number): number => startTime;

/** What the engine measures itself, as collections of garbage: it counts from its own start. */
function adoptObservers({ internalBinding, requireBuiltin }: GuestEnvironment): void {
  afterLoad(requireBuiltin, "internal/perf/observe", ({ enqueue }) => {
    const { createPerformanceNodeEntry } = requireBuiltin("internal/perf/performance_entry");
    internalBinding("performance").setupObservers(
      (name: string, type: string, startTime: number, duration: number, details: unknown) =>
        enqueue(createPerformanceNodeEntry(name, type, toOwnOrigin(startTime), duration, details)),
    );
  });
}

/** Readings of which one is not torn apart by another process's turn on the processor. */
const clockReadings = 8;

/** Where `performance.now()` of the engine counts from, on the clock of `process.hrtime`. */
function engineOriginMs(elapsedMs: () => number): number {
  let origin = 0;
  let least = Infinity;
  for (let i = 0; i < clockReadings; i++) {
    const before = Number(process.hrtime.bigint()) / 1e6;
    const sinceOrigin = elapsedMs();
    const apart = Number(process.hrtime.bigint()) / 1e6 - before;
    if (apart >= least) continue;
    least = apart;
    origin = before - sinceOrigin;
  }
  return origin;
}

/** Clocks count from the start of the process, which for the engine is the zygote's. */
function installClock({ Performance, performance }: EngineModule): void {
  const now = Performance.prototype.now as () => number;
  const originNow = (): number => Number(startedAtNs) / 1e6;
  const zygoteOrigin = engineOriginMs(() => now.call(performance));
  Object.defineProperty(Performance.prototype, "now", {
    value: function performanceNow(this: unknown) {
      return start === undefined ? now.call(this) : now.call(this) + zygoteOrigin - originNow();
    },
    writable: true,
    configurable: true,
    enumerable: true,
  });
  toOwnOrigin = (startTime) => startTime + zygoteOrigin - originNow();
  Object.defineProperty(Performance.prototype, "timeOrigin", {
    get: () => startOptions().startedAtMs,
    configurable: true,
    enumerable: true,
  });
}

/** Says in `performance.nodeTiming` that the process starts now, or that its event loop does. */
let milestone = { started: (): void => {}, looping: (): void => {} };

/** The engine's record of its own start, which was the zygote's: a guest could tell how old that is. */
function adoptMilestones(internalBinding: InternalBinding): void {
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
        set(name, nowNs + (step + 1) * 1000);
      set("TIME_ORIGIN_TIMESTAMP", startOptions().startedAtMs * 1000);
      set("BOOTSTRAP_COMPLETE", Number(process.hrtime.bigint()));
      set("LOOP_START", -1);
      before = turns();
    },
    looping: () => set("LOOP_START", Number(process.hrtime.bigint())),
  };
  const { nodeTiming } = performance as unknown as { nodeTiming: object };
  const { uvMetricsInfo, uvMetricsBuffer } = internalBinding("performance");
  const turns = (): { loopCount: number; events: number; eventsWaiting: number } => {
    uvMetricsInfo();
    const [loopCount, events, eventsWaiting] = uvMetricsBuffer as [number, number, number];
    return { loopCount, events, eventsWaiting };
  };
  let before = { loopCount: 0, events: 0, eventsWaiting: 0 };
  Object.defineProperty(nodeTiming, "uvMetricsInfo", {
    get() {
      const { loopCount, events, eventsWaiting } = turns();
      return {
        loopCount: loopCount - before.loopCount,
        events: events - before.events,
        eventsWaiting: eventsWaiting - before.eventsWaiting,
      };
    },
    enumerable: true,
    configurable: true,
  });
  Object.defineProperty(nodeTiming, "duration", {
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
  process.argv = [process.execPath, ...options.argv];
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

/** The same for a process that was a command and is the next one: nothing of the former's is left. */
export function assumeNextIdentity(options: StartOptions): void {
  cwd = undefined;
  for (const name of Object.keys(process.env))
    if (!Object.hasOwn(options.env, name)) delete process.env[name];
  assumeIdentity(options);
}

/** Makes this thread one of that process. */
export function assumeSharedIdentity(shared: SharedIdentity): void {
  process.execPath = shared.start.execPath ?? guestExecPath;
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
