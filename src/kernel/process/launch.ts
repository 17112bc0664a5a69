/**
 * Owns how a process comes to be: from the host's order or from another
 * process's spawn. Both end in `launch`, which gives it an OS process.
 *
 * Invariants: the process is in the table before its OS process exists; its
 * descriptors are set before it starts.
 * Untrusted: everything that a spawning guest says.
 */
import { constants } from "node:os";
import { Errno, errnoName } from "../../abi/errno.js";
import { S_IFDIR, S_IFMT, X_OK } from "../../abi/fcntl.js";
import type { Guest } from "../../launcher/fork.js";
import type { Template } from "../../launcher/template.js";
import { IsolationUnavailable, isolationUnavailableCode } from "../../sandbox/unavailable.js";
import { exitCodeOf } from "../../sandbox/libc.js";
import { badEngineFlag } from "../../protocol/engine-start.js";
import { SpawnDescriptor, SpawnFlags } from "../../protocol/guest-calls.js";
import type { StartOptions, guestCalls } from "../../protocol/guest-calls.js";
import type { Request } from "../../protocol/permissions.js";
import type { CallArgs, CallResult } from "../../protocol/table.js";
import { NullStream } from "../io/host-stream.js";
import { Deferred } from "../io/deferred.js";
import { Plan } from "../io/plan.js";
import type { Outcome } from "../io/plan.js";
import { createSocketPair } from "../io/conduit.js";
import { terminalOf } from "../io/terminal.js";
import { limits } from "../limits.js";
import { identity } from "../machine/identity.js";
import type { Vm } from "../machine/vm.js";
import { executedNames, isMachineCommand } from "../policy/commands.js";
import { Last } from "../fs/index.js";
import type { Credentials } from "../fs/index.js";
import type { Description } from "./descriptors.js";
import { describe } from "./describe.js";
import { findImage } from "./image.js";
import type { Image } from "./image.js";
import { setForeground, takeTerminal } from "./job-control.js";
import { Process } from "./process.js";

const noSource = new Uint8Array(0);

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
function takeFor(process: Process, mode: LaunchOptions["mode"], template?: Template): Take {
  const { vm } = process;
  if (template !== undefined)
    return (waiter) =>
      template.take((guest, reason) => {
        if (mode === "template" && guest !== undefined && !process.ended)
          process.becomesFurtherTemplate(template, guest);
        if (guest !== undefined) return waiter(guest, reason);
        process.fail("ERR_SECURE_EXEC_TEMPLATE_ENDED", `no copy could be made: ${reason}`);
      });
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
    options.mode,
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
  return {
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
  };
}

function describeAll(process: Process): string[] {
  const kinds: string[] = [];
  for (const [fd, description] of process.descriptors.entries()) {
    while (kinds.length <= fd) kinds.push("");
    kinds[fd] = describe(description);
  }
  return kinds;
}

type Spawned = CallResult<typeof guestCalls, "spawn">;

export type SpawnArgs = CallArgs<typeof guestCalls, "spawn">;

/** What a spawn comes to, checked and looked up but not begun. */
export interface Prepared {
  credentials: Credentials;
  environment: Record<string, string>;
  /** Or why there is none. */
  image: Image | number;
}

/** spawn of the table: the child's pid and the ends of new socket pairs. */
export function spawn(parent: Process, args: SpawnArgs): Plan<Spawned> | number {
  return execution(parent, args, (prepared) => start(parent, args, prepared));
}

/** The plan of `work` with what `args` come to, for which `parent` has to be allowed to have it executed. */
export function execution<R>(
  parent: Process,
  args: SpawnArgs,
  work: (prepared: Prepared) => Outcome<R>,
): Plan<R> | number {
  const prepared = prepare(parent, args);
  if (typeof prepared === "number") return prepared;
  const files = fileRequests(parent, args, prepared);
  const requests = [...files, ...spawnRequests(args, prepared)];
  return new Plan<R>(requests, () => work(prepared), {
    resources: files.map(() => args.file),
    about: foundBy(prepared),
    again: () => parent.fs.bounded(() => execution(parent, args, work)),
  });
}

/** A command that the machine has not, for the host's executor. */
function hostImage(name: string, argv: readonly string[]): Image {
  return { kind: "host", name, argv: [...argv], files: [{ path: name, program: "" }] };
}

/** What the names of an execution stand for. */
function foundBy({ image, credentials }: Prepared): string[] {
  const files = typeof image === "number" ? [] : image.files;
  return [credentials.cwd, ...files.flatMap(({ path, program }) => [path, program ?? ""])];
}

/** Checks what a guest asks for and looks up what it names, and changes nothing. */
function prepare(parent: Process, args: SpawnArgs): Prepared | number {
  const { vm } = parent;
  const { argv, env, fds } = args;
  if (argv.length > limits.arguments || env.length > limits.arguments) return -Errno.E2BIG;
  if (bytesOf(argv) + bytesOf(env) > vm.limits.argumentBytes) return -Errno.E2BIG;
  if (fds.length > vm.limits.openFiles) return -Errno.EMFILE;
  if (args.ignored.length > 64) return -Errno.EINVAL;
  // Nobody here may raise a limit; setrlimit(2).
  if (args.openFiles > parent.descriptors.limit) return -Errno.EPERM;
  const credentials = { ...parent.credentials };
  if (args.cwd !== "") {
    // A relative name means a file below the child's directory.
    const cwd = enter(vm, credentials, args.cwd);
    if (typeof cwd === "number") return cwd;
    credentials.cwd = cwd;
  }
  // Only root may become somebody else, and nobody here is root.
  if (args.uid !== -1 && args.uid !== credentials.uid) return -Errno.EPERM;
  if (args.gid !== -1 && args.gid !== credentials.gid) return -Errno.EPERM;
  const environment = parseEnvironment(env);
  const found = findImage(vm.fs, credentials, args.file, argv, environment["PATH"]);
  const isForHost = found === -Errno.ENOENT && vm.tools.executor && !args.file.includes("/");
  const image = isForHost && args.file !== "" ? hostImage(args.file, argv) : found;
  return { credentials, environment, image };
}

/** To execute a file, or to work in a directory, one has to see it. */
function fileRequests(parent: Process, args: SpawnArgs, prepared: Prepared): Request[] {
  const { policy, vm } = parent;
  if (policy.allowsAll("fs")) return [];
  const { credentials, image } = prepared;
  const paths = args.cwd === "" ? [] : [credentials.cwd];
  if (typeof image !== "number" && image.kind !== "host") {
    const { path } = image.files[0];
    // What PATH finds among the machine's own commands is no secret.
    if (args.file.includes("/") || !isMachineCommand(path)) paths.push(path);
  } else if (typeof image === "number" && args.file.includes("/")) {
    const located = vm.fs.locate(credentials, args.file, Last.Follow);
    if (typeof located !== "number") paths.push(located.path);
  }
  return paths.map((path) => ({ scope: "fs", operation: "stat", path }));
}

/** One request for each name under which the policy has to allow what would run. */
function spawnRequests(args: SpawnArgs, { credentials, environment, image }: Prepared): Request[] {
  const common = {
    scope: "childProcess",
    operation: "spawn",
    args: args.argv.slice(1),
    cwd: args.cwd === "" ? credentials.cwd : args.cwd,
    env: environment,
  } as const;
  // Of the host's commands the machine knows no more than the name.
  if (typeof image === "number" || image.kind === "host")
    return [{ ...common, command: args.file }];
  return executedNames(args.file, image.files).map((name) => ({ ...common, ...name }));
}

function start(parent: Process, args: SpawnArgs, prepared: Prepared): Spawned | number {
  const { vm } = parent;
  if (vm.disposed || vm.processes.isFull || parent.budget.isFull) return -Errno.EAGAIN;
  // A signal pending before fork ends the fork; copy_process in kernel/fork.c.
  if (parent.dying) return -Errno.EINTR;
  const { credentials, environment, image } = prepared;
  if (typeof image === "number") return image;
  const textBytes = occupiedBy(image.argv) + occupiedBy(args.env);
  if (!vm.processes.hasRoom(textBytes)) return -Errno.EAGAIN;

  const handed = handDown(parent, args.fds);
  if (typeof handed === "number") return handed;

  const pid = vm.processes.allocatePid();
  const session = (args.flags & SpawnFlags.newSession) !== 0;
  const group = session || (args.flags & SpawnFlags.newProcessGroup) !== 0;
  const inheritedIgnored = args.ignored.filter((signal) => signal > 0 && signal <= 64);
  const child = new Process(vm, credentials, {
    pid,
    ppid: parent.pid,
    processGroup: group ? pid : parent.processGroup,
    session: session ? pid : parent.session,
    argv: image.argv,
    ignored: ignoredFrom(image.kind, image.name, inheritedIgnored),
    budget: parent.budget,
    inheritedIgnored,
    textBytes,
    openFilesLimit: args.openFiles < 0 ? parent.descriptors.limit : args.openFiles,
  });
  child.executedAs = executedNames(args.file, image.files);
  child.nice = parent.nice;
  vm.processes.add(child);
  handed.descriptions.forEach((description, fd) => {
    if (description !== undefined) child.descriptors.put(fd, description);
  });
  if (image.kind === "node") openStandardDescriptors(child);
  takesTerminal(parent, child, args.flags);
  vm.lookAtLimits();
  const options = optionsOf(image, environment);
  const engine = vm.engine === "dedicated" && { engineFlags: [] };
  launch(child, { ...options, ...engine }, noSource, { inherited: parent.startOptions?.env });
  // The stop of its group came while this call was on its way, and is the child's as well.
  if (parent.stopped && child.processGroup === parent.processGroup) {
    child.signal(parent.stopSignal, "terminal");
  }
  return { pid, ends: handed.ends };
}

/** Node opens those that it finds closed, on the null device; PlatformInit in src/node.cc. */
export function openStandardDescriptors({ descriptors }: Process): void {
  for (let fd = 0; fd < 3; fd++)
    if (descriptors.get(fd) === undefined) descriptors.put(fd, new NullStream());
}

/**
 * Signals that a process ignores from its start, beside those that it inherits: a Node process
 * SIGPIPE, as PlatformInit in src/node.cc does, and so does our shell; commands take its default,
 * whoever starts them.
 */
export function ignoredFrom(
  mode: StartOptions["mode"],
  image: string,
  inherited: readonly number[] = [],
): number[] {
  const command = mode === "command" || mode === "tool" || mode === "wasm" || mode === "host";
  return [...(command && image !== "sh" ? [] : [constants.signals.SIGPIPE]), ...inherited];
}

/** Before the child runs, so that it never finds itself in the background of its own terminal. */
function takesTerminal(parent: Process, child: Process, flags: number): void {
  const own = terminalOf(child.descriptors.get(0));
  if ((flags & SpawnFlags.controllingTerminal) !== 0 && own !== undefined) takeTerminal(child, own);
  if ((flags & SpawnFlags.foreground) === 0) return;
  const terminal = parent.vm.terminals.controlling(parent.session);
  if (terminal !== undefined) setForeground(parent, terminal, child.processGroup);
}

/** What the child's descriptors will be, one reference each, and the parent's ends of new pairs. */
function handDown(
  parent: Process,
  fds: readonly number[],
): { descriptions: (Description | undefined)[]; ends: number[] } | number {
  const descriptions: (Description | undefined)[] = [];
  const ends: number[] = [];
  const undo = (errno: number): number => {
    for (const taken of descriptions) taken?.unref();
    for (const end of ends) if (end >= 0) parent.descriptors.close(end);
    return errno;
  };
  for (const fd of fds) {
    let description: Description | undefined;
    let end = -1;
    if (fd === SpawnDescriptor.null) description = new NullStream();
    else if (fd === SpawnDescriptor.pair) {
      const pair = createSocketPair(parent.vm.transit);
      if (typeof pair === "number") return undo(pair);
      const [mine, theirs] = pair;
      description = theirs;
      end = parent.descriptors.add(mine);
      if (end < 0) {
        theirs.unref();
        return undo(end);
      }
    } else if (fd !== SpawnDescriptor.closed) {
      description = parent.descriptors.get(fd);
      if (description === undefined) return undo(-Errno.EBADF);
      description.ref();
    }
    descriptions.push(description);
    ends.push(end);
  }
  return { descriptions, ends };
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
function parseEnvironment(entries: readonly string[]): Record<string, string> {
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

function bytesOf(texts: readonly string[]): number {
  let size = 0;
  for (const text of texts) size += Buffer.byteLength(text) + 1;
  return size;
}
