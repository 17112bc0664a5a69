/**
 * Owns how a process comes to be: from the host's order or from another
 * process's spawn. Both end in `launch`, which gives it an OS process.
 *
 * Invariants: the process is in the table before its OS process exists; its
 * descriptors are set before it starts.
 * Untrusted: everything that a spawning guest says.
 */
import { textBytes } from "../../abi/byte-text.js";
import { constants } from "node:os";
import { Errno, errnoName } from "../../abi/errno.js";
import { S_IFDIR, S_IFMT, X_OK } from "../../abi/fcntl.js";
import { identity } from "../../abi/identity.js";
import type { Guest } from "../../launcher/fork.js";
import type { Template } from "../../launcher/template.js";
import { IsolationUnavailable, isolationUnavailableCode } from "../../sandbox/unavailable.js";
import { exitCodeOf } from "../../sandbox/libc.js";
import { badEngineFlag } from "../../protocol/engine-start.js";
import type { StartOptions } from "../../protocol/guest-calls.js";
import { inUsualOrder } from "../../protocol/usual-start.js";
import { NullStream } from "../io/host-stream.js";
import { Deferred } from "../io/deferred.js";
import { limits } from "../limits.js";
import type { Vm } from "../machine/vm.js";
import type { Credentials } from "../fs/index.js";
import { describe } from "./describe.js";
import { KeptGuests } from "./kept-guests.js";
import type { Image } from "./image.js";
import { Process } from "./process.js";

const { SIGPIPE, SIGXFSZ } = constants.signals;
const ignoredByNode = [SIGPIPE, SIGXFSZ];

export const noSource = new Uint8Array(0);

/** What of `StartOptions` differs from process to process. */
export type LaunchOptions = Partial<Pick<StartOptions, "encoding">> &
  Pick<
    StartOptions,
    | "mode"
    | "language"
    | "endWhenSettled"
    | "engineFlags"
    | "image"
    | "path"
    | "argv"
    | "argv0"
    | "env"
  > &
  Partial<Pick<StartOptions, "execPath">>;

/** Programs that run in an engine; the machine's own commands have no use for one of their own. */
const engineModes: readonly StartOptions["mode"][] = ["program", "resident", "node", "wasm"];

/**
 * Asks for an OS process and starts `process` in it, with what the policy leaves of its
 * environment. `inherited` is what the spawning process has itself.
 */
export function launch(
  process: Process,
  options: LaunchOptions,
  source: Uint8Array,
  { inherited = options.env, template }: LaunchContext = {},
): void {
  const env = process.policy.filterEnv(options.env, inherited, process);
  if (env instanceof Deferred) {
    env.whenSettled((kept) =>
      begin(process, { ...options, env: typeof kept === "number" ? {} : kept }, source, template),
    );
  } else begin(process, { ...options, env }, source, template);
}

export interface LaunchContext {
  inherited?: Readonly<Record<string, string>> | undefined;
  /** What the OS process is copied from; otherwise it is a blank one. */
  template?: Template | undefined;
}

type Take = (waiter: (guest: Guest | undefined, reason: string) => void) => () => void;

/** How `process` gets its OS process. */
function takeFor(process: Process, { mode, image }: LaunchOptions, template?: Template): Take {
  const { vm } = process;
  if (template !== undefined)
    return (waiter) =>
      template.take((guest, reason) => {
        if (mode === "template" && guest !== undefined && !process.ended)
          process.becomesFurtherTemplate(template, guest);
        if (guest !== undefined) return waiter(guest, reason);
        process.fail("ERR_SECURE_EXEC_TEMPLATE_ENDED", `no copy could be made: ${reason}`);
      });
  const kept = mode === "command" ? vm.keptGuests.take(process, image) : undefined;
  if (kept !== undefined)
    return (waiter) => {
      waiter(kept, "");
      return () => undefined;
    };
  if (mode !== "template") return (waiter) => vm.takeGuest(waiter);
  return (waiter) =>
    vm.takeForTemplate((made) => {
      if ("guest" in made) {
        process.becomesTemplate(made);
        return waiter(made.guest, "");
      }
      if (made.lost) return failToStart(process, made.why);
      process.fail(
        "ERR_SECURE_EXEC_TEMPLATE_UNAVAILABLE",
        `this machine cannot copy processes: ${made.why}`,
      );
    });
}

function begin(
  process: Process,
  options: LaunchOptions,
  source: Uint8Array,
  template: Template | undefined,
): void {
  // It may have been killed while the policy was asked.
  if (process.ended) return;
  const { engineFlags: flags, mode } = options;
  if (flags !== undefined && engineModes.includes(mode))
    return beginInEngine(process, { ...options, engineFlags: flags }, source);
  const cancel = takeFor(
    process,
    options,
    template,
  )((guest, reason) => {
    if (guest === undefined) return failToStart(process, reason);
    const start = (): void => process.start(guest, startOptionsOf(process, options), source);
    const { memoryBytes } = process.limits;
    limitCpu(process, guest);
    if (memoryBytes === guest.memoryBytes) return start();
    guest.limitMemory(memoryBytes, (errno) => {
      if (errno === 0) return start();
      guest.end();
      const why = errnoName(-errno) ?? `errno ${-errno}`;
      process.fail(
        "ERR_SECURE_EXEC_OUTCOME_UNKNOWN",
        `the memory limit of the program's process could not be set (${why}); it was not started`,
      );
    });
  });
  process.startsUnless(cancel);
}

type EngineOptions = LaunchOptions & Required<Pick<LaunchOptions, "engineFlags">>;

/** The same with an engine of its own, which sets its limit of memory itself before it hears of the program. */
function beginInEngine(process: Process, options: EngineOptions, source: Uint8Array): void {
  const { memoryBytes } = process.limits;
  const { nativeAddons } = process.vm;
  const order = { flags: options.engineFlags, memoryBytes, nativeAddons };
  const cancel = process.vm.takeEngine(order, (guest, reason, status) => {
    if (guest !== undefined) {
      limitCpu(process, guest);
      return process.start(guest, startOptionsOf(process, options), source);
    }
    // Its own flags were refused, as plain Node refuses them.
    if (exitCodeOf(status) === invalidArgument) process.refuse(`${reason}\n`, invalidArgument);
    else failToStart(process, reason);
  });
  process.startsUnless(cancel);
}

/** src/node_exit_code.h: kInvalidCommandLineArgument. */
const invalidArgument = 9;

/** A second line behind the budget, which is exact. */
function limitCpu(process: Process, guest: Guest): void {
  const { cpuTimeMs } = process.limits;
  if (cpuTimeMs > 0) guest.limitCpu(Math.ceil(cpuTimeMs / 1000) + 1);
}

function failToStart(process: Process, reason: string): void {
  const unavailable = IsolationUnavailable.from(reason);
  if (unavailable === undefined) process.fail("ERR_SECURE_EXEC_ZYGOTE_LOST", reason);
  else process.fail(isolationUnavailableCode, unavailable.message);
}

/** Whether a process may begin anew in an engine of its own, started with `flags`: 0 or -errno. */
export function mayRestartInEngine(process: Process, flags: readonly string[]): number {
  const { restarted, restarting, startOptions } = process;
  if (startOptions === undefined || process.ended) return -Errno.ESRCH;
  if (restarted || restarting || startOptions.mode !== "node") return -Errno.EPERM;
  // V8's threads decide nothing that a program sees, but for when.
  if (process.vm.deterministic !== undefined) return -Errno.EPERM;
  if (badEngineFlag(flags) !== undefined) return -Errno.EINVAL;
  process.restarted = true;
  process.restarting = true;
  return 0;
}

/** Gives it the engine: to all others the process is what it was. */
export function restartInEngine(process: Process, flags: readonly string[]): void {
  const options = process.startOptions;
  if (options === undefined || process.ended) return;
  process.leaveGuest();
  beginInEngine(process, { ...options, engineFlags: [...flags] }, noSource);
}

/** What has become another program than the machine's commands leaves the guest that was one before. */
export function leaveKeptGuest(process: Process): void {
  const { startOptions } = process;
  if (startOptions === undefined || process.ended) return;
  process.leaveGuest();
  begin(process, startOptions, noSource, undefined);
}

/** Begins it anew as the program that it has become; only the standard descriptors stay. */
export function beginAnew(process: Process): void {
  const { startOptions: options, vm } = process;
  if (options === undefined || process.ended) return;
  process.leaveProgram();
  const { engineFlags: _former, ...rest } = options;
  const engine = vm.engine === "dedicated" && { engineFlags: [] };
  begin(process, { ...rest, ...engine }, noSource, undefined);
}

export function startOptionsOf(process: Process, options: LaunchOptions): StartOptions {
  const { vm, credentials } = process;
  return inUsualOrder({
    ...options,
    descriptors: describeAll(process),
    ignoredSignals: [...process.inheritedIgnored],
    cwd: credentials.cwd,
    pid: process.pid,
    ppid: process.ppid,
    uid: credentials.uid,
    gid: credentials.gid,
    umask: credentials.umask,
    hostname: identity.hostname,
    outputWindowBytes: limits.outputWindowBytes,
    memoryLimitBytes: process.limits.memoryBytes,
    openFilesLimit: process.descriptors.limit,
    ...fileBytesOf(process),
    processesLimit: process.limits.processes,
    threads: vm.limits.threads,
    encoding: options.encoding ?? "json",
    valueBytes: vm.limits.valueBytes,
    hostTools: vm.tools.size > 0,
    hostCommands: vm.tools.executorServesShell,
    startedAtMs: vm.clock.nowMs,
    machineUptimeMs: vm.clock.nowMs - vm.startedAtMs,
    jsRuntime: vm.jsRuntime,
    nativeAddons: vm.nativeAddons,
    ...(vm.deterministic !== undefined && { deterministic: vm.deterministic }),
    ...(options.mode === "command" && KeptGuests.mayBeOf(process) && { again: true }),
  });
}

/** JSON has no number for what is no limit. */
function fileBytesOf({ fileBytes }: Process): Pick<StartOptions, "fileBytesLimit"> {
  const { soft, hard } = fileBytes;
  if (soft === Infinity) return {};
  return { fileBytesLimit: { soft, ...(hard !== Infinity && { hard }) } };
}

function describeAll(process: Process): string[] {
  const kinds: string[] = [];
  for (const [fd, description] of process.descriptors.entries()) {
    while (kinds.length <= fd) kinds.push("");
    kinds[fd] = describe(description);
  }
  return kinds;
}

/** Node opens those that it finds closed, on the null device; PlatformInit in src/node.cc. */
export function openStandardDescriptors({ descriptors }: Process): void {
  for (let fd = 0; fd < 3; fd++)
    if (descriptors.get(fd) === undefined) descriptors.put(fd, new NullStream());
}

/**
 * Signals that a process ignores from its start, beside those that it inherits: a Node process
 * SIGPIPE and SIGXFSZ, as PlatformInit in src/node.cc does, and so does our shell; commands take their default,
 * whoever starts them.
 */
export function ignoredFrom(
  mode: StartOptions["mode"],
  image: string,
  inherited: readonly number[] = [],
): number[] {
  const command = mode === "command" || mode === "tool" || mode === "wasm" || mode === "host";
  return [...(command && image !== "sh" ? [] : ignoredByNode), ...inherited];
}

/** How an image is started. */
export function optionsOf(image: Image, env: Record<string, string>): LaunchOptions {
  const [argv0 = "", ...argv] = image.argv;
  return {
    mode: image.kind,
    language: "js",
    image: image.name,
    path: "",
    argv,
    argv0,
    env,
    ...(image.kind === "node" && { execPath: image.files.at(-1)!.path }),
  };
}

/** The canonical path of a directory that `who` may make its own; chdir(2). */
export function enter(vm: Vm, who: Credentials, path: string): string | number {
  const stat = vm.fs.stat(who, path, true);
  if (typeof stat === "number") return stat;
  if ((stat.mode & S_IFMT) !== S_IFDIR) return -Errno.ENOTDIR;
  const allowed = vm.fs.access(who, path, X_OK);
  return allowed < 0 ? allowed : vm.fs.realpath(who, path);
}

/** The first of several entries with one name counts, as getenv(3) reads it. */
export function parseEnvironment(entries: readonly string[]): Record<string, string> {
  const env = new Map<string, string>();
  for (const entry of entries) {
    const equals = entry.indexOf("=", 1);
    if (equals < 0) continue;
    const name = entry.slice(0, equals);
    if (!env.has(name)) env.set(name, entry.slice(equals + 1));
  }
  return Object.fromEntries(env);
}

/** A string's own objects, and its entry in a list or record. */
const textOverhead = 96;

/** Twice the text: what the process is started with is kept as it is and as what goes to the guest. */
export function occupiedBy(texts: readonly string[]): number {
  return 2 * bytesOf(texts) + texts.length * textOverhead;
}

export function bytesOf(texts: readonly string[]): number {
  let size = 0;
  for (const text of texts) size += textBytes(text) + 1;
  return size;
}
