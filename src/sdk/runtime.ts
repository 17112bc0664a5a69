/**
 * Owns `NodeRuntime`: one virtual machine; its programs are programs.ts, what they answer results.ts.
 *
 * Invariants: nothing runs before its options were checked and its signal was
 * seen not to be aborted; every call settles when the machine is disposed or its
 * kernel is lost; a value is handed over only from a program that exited with 0.
 * Untrusted: everything a program produces; here it is text, numbers and decoded JSON.
 */
import type { DecisionList } from "../protocol/decisions.js";
import type { LearnedList } from "../protocol/host-calls.js";
import type { Readable, Writable } from "../protocol/node-types.js";
import type { Policies } from "../protocol/permissions.js";
import type { MachineUsage } from "../protocol/usage.js";
import { DriverRun } from "./driver/driver-run.js";
import type {
  NodeRuntimeDriverExecOptions,
  NodeRuntimeDriverOptions,
} from "./driver/driver-run.js";
import type { NodeRuntimeCopyOptions, NodeRuntimeCopyResult } from "./copy.js";
import { debug } from "./debug.js";
import { failure, invalidOption } from "./errors.js";
import type { NodeRuntimeRecording } from "./recording.js";
import { FileCalls } from "./file-calls.js";
import { formatOf, jsonLines } from "./audit.js";
import { parseAdditions } from "./network-options.js";
import type { NodeRuntimeNetworkOptions } from "./network-options.js";
import { parseNarrowing } from "./permissions.js";
import type { Narrowing, Permissions } from "./permissions.js";
import { generalizePermissions, learnedPermissionsOf } from "./learned-permissions.js";
import type { LearnedPermissions } from "./learned-permissions.js";
import type {
  NodeRuntimeFileOptions,
  NodeRuntimeChange,
  NodeRuntimeDirectoryEntry,
  NodeRuntimeFileStat,
} from "./files.js";
import { NodeRuntimeFs } from "./guest-fs.js";
import { GuestProcess } from "./guest-process.js";
import {
  callOfRequest,
  fetched,
  parseFetchInput,
  simpleResponse,
  standardResponse,
} from "./host-fetch.js";
import type { NodeRuntimeFetchInput, NodeRuntimeFetchResponse } from "./host-fetch.js";
import { isolationOf } from "./isolation.js";
import type { NodeRuntimeIsolationLayer } from "./isolation.js";
import { hostKernels } from "./kernel-group.js";
import { metricsOf } from "./metrics.js";
import { KernelRefusal } from "./kernel-connection.js";
import type { KernelConnection } from "./kernel-connection.js";
import { parseQuery } from "./listeners.js";
import type {
  NodeRuntimeListener,
  NodeRuntimeListenerQuery,
  NodeRuntimeWaitOptions,
} from "./listeners.js";
import { Machine } from "./machine.js";
import { parseCreateOptions, withManifest } from "./options.js";
import { parseResidentOptions, parseRunOptions } from "./run-options.js";
import { parseFlags, sourceOf } from "./option-checks.js";
import type { CreateOptions } from "./options.js";
import type { NodeRuntimeResidentOptions } from "./run-options.js";
import type {
  NodeRuntimeCommandOptions,
  NodeRuntimeCreateOptions,
  NodeRuntimeExecOptions,
  NodeRuntimeShellOptions,
  NodeRuntimeSpawnCommandOptions,
  NodeRuntimeSpawnOptions,
} from "./option-types.js";
import { NodeRuntimeProcess } from "./process.js";
import type { NodeRuntimeEvents } from "./runtime-events.js";
import { Created, RuntimeMachine } from "./runtime-machine.js";
import { guestPathOf as mountPathOf, mountOf } from "./mounts.js";
import type { FileProviderMount, HostDirectoryMount, OverlayMount } from "./mounts.js";
import { manifestOf, openSnapshot, readSnapshot } from "./snapshot.js";
import { NodeRuntimeResidentRunner } from "./resident-runner.js";
import { NodeRuntimeShell } from "./shell.js";
import { shellTemplate } from "./shell-template.js";
import type { NodeRuntimeSh } from "./shell-template.js";
import { NodeRuntimeTemplate, parseTemplateOptions } from "./template.js";
import type { NodeRuntimeTemplateOptions, TemplateRuns } from "./template.js";
import { parseTemplateMachine, templateOf } from "./template-machine.js";
import { toolTypes } from "./tool-types.js";
import { parseTools } from "./tool-definitions.js";
import type { HostToolNamespaces, HostTools } from "./tool-definitions.js";
import { withValue } from "./results.js";
import type { NodeRuntimeExecResult, NodeRuntimeRunResult, NodeRuntimeAudit } from "./results.js";
import { Programs } from "./programs.js";

/**
 * One virtual machine: files, processes, sockets and a policy of its own, in which untrusted code runs.
 * @throws {DISPOSED|KERNEL_LOST|KERNEL_UNRESPONSIVE|WORKER_LOST} from every call that reaches the machine, once it,
 * its kernel or its worker is gone; below, the first two stand for all four.
 * @example
 * import { NodeRuntime } from "secure-exec";
 *
 * const rt = await NodeRuntime.create();
 * const { value } = await rt.run<number>("__return(6 * 7)", { timeout: 5000 });
 * console.log(value);
 * await rt.dispose();
 */
export class NodeRuntime {
  readonly #own: RuntimeMachine;
  readonly #programs: Programs;
  readonly #files: FileCalls;
  #disposing: Promise<void> | undefined;
  #fs: NodeRuntimeFs | undefined;

  /**
   * The older way to a runtime, see docs/driver-api.md: everything is denied that the driver does not allow, and
   * the machine is made when it is first used.
   * @throws {INVALID_OPTION} when an option is unknown or not what it should be.
   * @throws {NOT_IMPLEMENTED} for an option that is planned and not there.
   */
  constructor(options: NodeRuntimeDriverOptions);
  /** @internal */
  constructor(created: Created);
  constructor(options: NodeRuntimeDriverOptions | Created) {
    const driver = options instanceof Created ? undefined : new DriverRun(options);
    const created = options instanceof Created ? options : new Created(driver!.create, driver);
    const own = new RuntimeMachine(created);
    this.#own = own;
    this.#files = new FileCalls(own);
    this.#programs = new Programs({
      with: (use) => own.with(use),
      // A call may change it.
      get given() {
        return own.given;
      },
      driver: own.driver,
      events: own.events,
    });
  }

  /**
   * Makes a virtual machine.
   * @throws {INVALID_OPTION|NOT_IMPLEMENTED} for options, before anything is started.
   * @throws {ENGINE_MISSING|UNSUPPORTED_PLATFORM|ISOLATION_UNAVAILABLE|KERNEL_START_FAILED} when the kernel cannot
   * be started, or lacks a layer of `isolation.require`.
   * @throws {DISPOSED|KERNEL_LOST|KERNEL_UNRESPONSIVE} when the kernel, or the sidecar, goes away meanwhile.
   * @throws {FILE} when `files` cannot be written.
   * @throws {SNAPSHOT_INVALID} when what was given as a snapshot is none, or does not fit.
   * @throws {TEMPLATE_ENDED|TEMPLATE_HOLDS|TEMPLATE_FILES_GONE|PERMISSIONS_WIDENED} when the template given cannot
   * begin a machine, or not with these permissions.
   * @throws {FLEET_FULL|FLEET_UNREACHABLE|FLEET_CLIENT_MISSING|FLEET_REFUSED|WORKER_LOST} with the option `fleet`.
   * @example
   * const rt = await NodeRuntime.create({
   *   files: { "/home/user/data.json": "[1, 2, 3]" },
   *   permissions: { network: "deny" },
   *   limits: { memoryBytes: 128 * 1024 * 1024, cpuTimeMs: 10_000 },
   * });
   */
  static async create(options?: NodeRuntimeCreateOptions): Promise<NodeRuntime> {
    const template = templateOf(options);
    if (template !== undefined) return template.machine(options!);
    const runtime = new NodeRuntime(await NodeRuntime.#created(options));
    await runtime.#with(() => {});
    return runtime;
  }

  /**
   * Figures of the kernel processes that this process's runtimes share, in Prometheus's text format: machines,
   * programs by how they ended, how long they took, CPU time, memory, what the kernels hold. The label `kernel` is
   * the process id. Starts nothing: without a kernel there are no samples, and one that is lost meanwhile has none.
   * A sidecar has a `metrics()` of its own, and a worker of a fleet an endpoint. Never rejects.
   * @example
   * import { createServer } from "node:http";
   *
   * createServer(async (_, response) => response.end(await NodeRuntime.metrics())).listen(9100, "127.0.0.1");
   */
  static metrics(): Promise<string> {
    return metricsOf(hostKernels());
  }

  static async #created(options: NodeRuntimeCreateOptions | undefined): Promise<Created> {
    const given = parseCreateOptions(options);
    if (given.snapshot === undefined) return new Created(given);
    const { manifest, pieces, close } = await openSnapshot(given.snapshot);
    let complete: CreateOptions;
    try {
      complete = { ...withManifest(options!, manifest), snapshot: undefined };
    } catch (error) {
      await close();
      const why = `its settings do not fit: ${error instanceof Error ? error.message : String(error)}`;
      throw failure("SNAPSHOT_INVALID", { why }, { cause: error });
    }
    return new Created(complete, undefined, (all, sink) =>
      Machine.open(all, sink, pieces).finally(close),
    );
  }

  /**
   * The files of this runtime as they are when the stream is first read, with environment, limits and those
   * permissions that are data, as a tar archive that `create({ snapshot })` takes on any machine. Sockets, mounts
   * and processes are not in it.
   * @throws {DISPOSED|KERNEL_LOST} when the machine is gone.
   * @throws {FILE} from the stream, where a path is too long for an archive.
   * @example
   * await pipeline(await rt.snapshot(), createWriteStream("machine.tar"));
   * const again = await NodeRuntime.create({ snapshot: "machine.tar" });
   */
  async snapshot(): Promise<Readable> {
    return this.#with(({ connection, vm }) =>
      readSnapshot(connection, vm, manifestOf(this.#given), (error) =>
        error instanceof KernelRefusal ? error.toPublic() : error,
      ),
    );
  }

  /**
   * A second runtime on the same kernel with this one's files as they are, its mounts, environment, permissions,
   * limits and tools, and none of its processes. What is written in one is not seen in the other, and neither needs
   * the other any more. Costs the same for any number of files.
   * @throws {DISPOSED|KERNEL_LOST} when the machine is gone.
   * @throws {TEMPLATE_ENDED} when the template that the runtime was made from has ended.
   * @throws {FLEET_REFUSED} when the worker has as many machines as it takes.
   * @example
   * const other = await rt.clone();
   * await other.rm("/home/user/data", { recursive: true }); // still there in `rt`
   */
  async clone(): Promise<NodeRuntime> {
    const machine = await this.#with((own) => own);
    const base = this.#programs.base;
    const created = new Created(this.#given, this.#own.driver, (given, sink) =>
      machine.clone(given, sink, base?.handle),
    );
    const from = base && { guest: base, env: {}, cwd: "" };
    return NodeRuntime.#further(created, this.#own.narrowings, from);
  }

  /** A runtime that is made from another one, with what has narrowed that. */
  static async #further(
    created: Created,
    narrowings: readonly Narrowing[],
    from?: { guest: GuestProcess; env: Record<string, string>; cwd: string },
  ): Promise<NodeRuntime> {
    const runtime = new NodeRuntime(created);
    try {
      await runtime.#with(() => {});
      if (from !== undefined) {
        const { guest, env, cwd } = from;
        const given = parseRunOptions({ env }, runtime.#cwd, created.options.limits);
        runtime.#programs.base = await runtime.#programs.setUp(
          "",
          { ...given, cwd },
          { from: guest },
        );
        runtime.#programs.base.cancelTimers();
      }
      for (const narrowing of narrowings) await runtime.#own.narrow(narrowing);
    } catch (error) {
      await runtime.dispose().catch(() => {});
      throw error;
    }
    return runtime;
  }

  /** A second runtime, whose programs begin from the template `from` of this one. */
  async #fromTemplate(
    from: GuestProcess,
    policies: readonly Partial<Policies>[],
    options: NodeRuntimeCreateOptions,
  ): Promise<NodeRuntime> {
    const { given, env, cwd, narrowing } = parseTemplateMachine(options, this.#given);
    if (narrowing !== undefined) this.#refuseIfAllAllowed();
    const machine = await this.#with((own) => own);
    const created = new Created(given, undefined, (all, sink) =>
      machine.begin(all, sink, from.handle),
    );
    const narrowings = [
      ...this.#own.narrowings,
      ...policies.map((one): Narrowing => ({ policies: one, functions: new Map() })),
      ...(narrowing === undefined ? [] : [narrowing]),
    ];
    return NodeRuntime.#further(created, narrowings, { guest: from, env, cwd });
  }

  get #cwd(): string {
    return this.#given.cwd;
  }

  get #given(): CreateOptions {
    return this.#own.given;
  }

  #with<T>(use: (machine: Machine) => T): T | Promise<Awaited<T>> {
    return this.#own.with(use);
  }

  #ask<R>(call: (connection: KernelConnection, vm: number) => Promise<R>): Promise<R> {
    return this.#own.ask(call);
  }

  /**
   * Calls `listener` at each such event, in a turn of its own. Listeners of "decision" and "limitWarning" make the
   * kernel send them, from then on.
   * @throws {INVALID_OPTION} for an event that there is not, or what is no function.
   * @example
   * rt.on("processEnd", ({ pid, exitCode }) => console.log(`${pid} ended with ${exitCode}`));
   */
  on<K extends keyof NodeRuntimeEvents>(event: K, listener: NodeRuntimeEvents[K]): this {
    this.#own.events.add(event, listener, false);
    return this;
  }

  /**
   * As `on`, for the next one only.
   * @throws {INVALID_OPTION} as `on` does.
   */
  once<K extends keyof NodeRuntimeEvents>(event: K, listener: NodeRuntimeEvents[K]): this {
    this.#own.events.add(event, listener, true);
    return this;
  }

  /** Takes a listener away; one that is not there is fine. Never throws. */
  off<K extends keyof NodeRuntimeEvents>(event: K, listener: NodeRuntimeEvents[K]): this {
    this.#own.events.remove(event, listener);
    return this;
  }

  /**
   * The machine's files in the shape of `node:fs/promises`, errors included; paths are relative to `cwd`.
   * @throws {NodeRuntimeFsError} from its methods, as Node's would.
   * @example
   * const names = await rt.fs.readdir("/etc");
   */
  get fs(): NodeRuntimeFs {
    this.#fs ??= new NodeRuntimeFs(() => this.#with(({ files }) => files), this.#cwd, false);
    return this.#fs;
  }

  /**
   * Runs a command line of bash. Each value is one word whatever it holds, a list as many as it has entries.
   * @throws {COMMAND_FAILED} from the command, for an exit code other than 0 and without `nothrow()`.
   * @example
   * const lines = await rt.sh`grep ${pattern} ${paths}`.lines();
   */
  get sh(): NodeRuntimeSh {
    return shellTemplate((line, options) => this.execCommand("bash", ["-c", line], options));
  }

  /**
   * Runs an ES module to its end. See `NodeRuntimeExecOptions` for what bounds it. A program that fails is a
   * result, with its exit code: this rejects only where there is none.
   * @throws {INVALID_OPTION|LIMIT_RAISED} for options; nothing was run.
   * @throws {signal.reason} when `signal` is aborted.
   * @throws {DISPOSED|KERNEL_LOST} when the machine is gone.
   * @throws {SPAWN_FAILED|PROCESS_LIMIT} when it cannot be started.
   * @throws {GUEST_KILLED|PROTOCOL_VIOLATION|ZYGOTE_LOST|OUTCOME_UNKNOWN} when how it ended is not its own doing.
   * @throws {OUTPUT_HOOK_TIMEOUT} when a hook has not settled a second after the timeout; what a hook throws, as it
   * is.
   * @throws {DETERMINISTIC} when another program runs in a deterministic machine.
   * @example
   * const { stdout, exitCode, end } = await rt.exec("console.log(process.version)", { timeout: 5000 });
   */
  async exec(
    code: string,
    options?: NodeRuntimeExecOptions | NodeRuntimeDriverExecOptions,
  ): Promise<NodeRuntimeExecResult> {
    return this.#exec(code, options);
  }

  async #exec(
    code: string,
    options: NodeRuntimeExecOptions | NodeRuntimeDriverExecOptions | undefined,
    from?: GuestProcess,
  ): Promise<NodeRuntimeExecResult> {
    return (await this.#programs.finish(() => this.#programs.programOf(code, options, from)))
      .result;
  }

  /**
   * Like `exec`, and decodes what the program passed to `globalThis.__return`.
   * @throws {RETURN_VALUE} when that was not JSON of bearable size.
   * @throws {INVALID_OPTION|LIMIT_RAISED|DISPOSED|KERNEL_LOST|SPAWN_FAILED|PROCESS_LIMIT|OUTCOME_UNKNOWN} and all
   * others as `exec`.
   * @example
   * const { value } = await rt.run<{ sum: number }>("__return({ sum: 1 + 2 })");
   */
  async run<T = unknown>(
    code: string,
    options?: NodeRuntimeExecOptions | NodeRuntimeDriverExecOptions | string,
  ): Promise<NodeRuntimeRunResult<T>> {
    return this.#run<T>(code, options);
  }

  async #run<T>(
    code: string,
    options: NodeRuntimeExecOptions | NodeRuntimeDriverExecOptions | string | undefined,
    from?: GuestProcess,
  ): Promise<NodeRuntimeRunResult<T>> {
    return withValue<T>(
      await this.#programs.finish(() => this.#programs.programOf(code, options, from)),
    );
  }

  /**
   * Runs a recorded program again, with the answers that were recorded in the host's place, and resolves to the
   * same result. The runtime has to be one of the same options with the same files as the recorded one had;
   * handlers of tools are not called.
   * @throws {REPLAY} at the first byte that differs.
   * @throws {INVALID_OPTION} for what is no recording, or one of another seed or time.
   * @throws {DETERMINISTIC} when another program runs.
   * @throws {DISPOSED|KERNEL_LOST} when the machine is gone.
   * @example
   * const rt = await NodeRuntime.create({ deterministic: { seed: 1 }, record: true });
   * const { recording } = await rt.run("__return(Math.random())");
   * const again = await rt.replay(recording!);
   */
  async replay<T = unknown>(recording: NodeRuntimeRecording): Promise<NodeRuntimeRunResult<T>> {
    return withValue<T>(await this.#programs.replay(recording));
  }

  /**
   * Starts a program and resolves once it runs. Its output is kept, up to 1 MiB per stream, until somebody reads it
   * or a hook takes it.
   * @throws {INVALID_OPTION|LIMIT_RAISED} for options; nothing was run.
   * @throws {signal.reason} when `signal` is aborted already.
   * @throws {SPAWN_FAILED|PROCESS_LIMIT|ZYGOTE_LOST|OUTCOME_UNKNOWN|DETERMINISTIC} when it cannot be started.
   * @throws {DISPOSED|KERNEL_LOST} when the machine is gone.
   * @example
   * const server = await rt.spawn(
   *   'import { createServer } from "node:http"; createServer((_, response) => response.end("hi")).listen(3000);',
   * );
   * await rt.waitForListener({ port: 3000 });
   */
  async spawn(code: string, options?: NodeRuntimeSpawnOptions): Promise<NodeRuntimeProcess> {
    return this.#programs.spawn(() => this.#programs.programOf(code, options));
  }

  /**
   * Runs an executable file of the machine to its end: a path, or a name that is searched in PATH.
   * @throws {SPAWN_FAILED} when there is none (`details.errno` is ENOENT).
   * @throws {INVALID_OPTION|LIMIT_RAISED|DISPOSED|KERNEL_LOST|PROCESS_LIMIT|OUTCOME_UNKNOWN} and all others as
   * `exec`.
   * @example
   * const { stdout } = await rt.execCommand("ls", ["-l", "/home/user"]);
   */
  async execCommand(
    command: string,
    args: string[] = [],
    options?: NodeRuntimeCommandOptions,
  ): Promise<NodeRuntimeExecResult> {
    return (await this.#programs.finish(() => this.#programs.commandOf(command, args, options)))
      .result;
  }

  /**
   * Starts an executable file of the machine, as `execCommand` does, and resolves once it runs.
   * @throws {SPAWN_FAILED} when there is none (`details.errno` is ENOENT).
   * @throws {INVALID_OPTION|LIMIT_RAISED|DISPOSED|KERNEL_LOST|PROCESS_LIMIT} and all others as `spawn`.
   * @example
   * const proc = await rt.spawnCommand("tail", ["-f", "/var/log/app.log"]);
   * for await (const line of proc.lines()) console.log(line);
   */
  async spawnCommand(
    command: string,
    args: string[] = [],
    options?: NodeRuntimeSpawnCommandOptions,
  ): Promise<NodeRuntimeProcess> {
    return this.#programs.spawn(() => this.#programs.commandOf(command, args, options));
  }

  /**
   * Opens a terminal with a shell in it, and resolves once that runs.
   * @throws {INVALID_OPTION} for options.
   * @throws {SPAWN_FAILED} when there is no such command.
   * @throws {PROCESS_LIMIT} when there are `limits.terminals`, or `limits.processes`, already.
   * @throws {signal.reason} when `signal` is aborted already.
   * @throws {DISPOSED|KERNEL_LOST} when the machine is gone.
   * @example
   * const shell = await rt.openShell({ cols: 120, rows: 40 });
   * shell.onData((bytes) => terminal.write(bytes));
   * shell.write("ls\r");
   */
  async openShell(options?: NodeRuntimeShellOptions): Promise<NodeRuntimeShell> {
    return this.#programs.openShell(options);
  }

  /**
   * Runs `setup`, an ES module, to the end of its evaluation and keeps its process: what the template runs begins
   * in a copy of it, with modules loaded, globals set and code compiled. See docs/templates.md.
   * @throws {TEMPLATE_SETUP_FAILED} when the set-up ended instead of settling.
   * @throws {TEMPLATE_PENDING} when it left something under way.
   * @throws {TEMPLATE_UNAVAILABLE} where Linux cannot copy processes.
   * @throws {DETERMINISTIC} in a deterministic machine.
   * @throws {PERMISSIONS_WIDENED} for permissions that the machine has not.
   * @throws {INVALID_OPTION|LIMIT_RAISED|DISPOSED|KERNEL_LOST|FILE} for options, a machine that is gone, `files`
   * that cannot be written.
   * @example
   * const template = await rt.template('globalThis.parse = (await import("node:querystring")).parse;');
   * const { value } = await template.run("__return(parse('a=1'))");
   */
  async template(
    setup: string,
    options?: NodeRuntimeTemplateOptions,
  ): Promise<NodeRuntimeTemplate> {
    return this.#makeTemplate(setup, options);
  }

  readonly #templateRuns: TemplateRuns = {
    exec: (from, code, options) => this.#exec(code, options, from),
    run: (from, code, options) => this.#run(code, options, from),
    spawn: (from, code, options) =>
      this.#programs.spawn(() => this.#programs.programOf(code, options, from)),
    template: (from, policies, setup, options) =>
      this.#makeTemplate(setup, options, from, policies),
    machine: (from, policies, options) => this.#fromTemplate(from, policies, options),
  };

  async #makeTemplate(
    setup: string,
    options: NodeRuntimeTemplateOptions | undefined,
    from?: GuestProcess,
    inherited: readonly Partial<Policies>[] = [],
  ): Promise<NodeRuntimeTemplate> {
    const { files, policies, ...rest } = parseTemplateOptions(options, this.#cwd);
    this.#refuseIfDeterministic("a template outlives its program");
    if (policies !== undefined) this.#refuseIfAllAllowed();
    const [, given] = this.#programs.programOf(setup, rest);
    const how = { from: from ?? this.#programs.base, files, policies };
    const guest = await this.#programs.setUp(sourceOf(setup), given, how);
    guest.cancelTimers();
    const all = policies === undefined ? inherited : [...inherited, policies];
    return new NodeRuntimeTemplate(guest, this.#templateRuns, all);
  }

  /**
   * Starts a process that evaluates snippets one after the other; see `NodeRuntimeResidentRunner`.
   * @throws {INVALID_OPTION|LIMIT_RAISED} for options.
   * @throws {DETERMINISTIC} in a deterministic machine.
   * @throws {SPAWN_FAILED|PROCESS_LIMIT|DISPOSED|KERNEL_LOST} when it cannot be started.
   * @example
   * const runner = await rt.createResidentRunner();
   * await runner.exec("globalThis.count = 1");
   * const { stdout } = await runner.exec("console.log(++count)");
   */
  async createResidentRunner(
    options?: NodeRuntimeResidentOptions,
  ): Promise<NodeRuntimeResidentRunner> {
    const parsed = parseResidentOptions(options, this.#given.limits);
    this.#refuseIfDeterministic("a resident runner would be told when to do what");
    return this.#with((machine) => this.#programs.startResident(machine, parsed));
  }

  /**
   * Sends an HTTP request to a program that listens on `port` of the machine, and to nothing else; the network
   * policy has no say.
   * @throws {NO_LISTENER} when no program listens there.
   * @throws {FETCH_FAILED|FETCH_RESPONSE_LIMIT|CONNECTION_LIMIT} when the answer is none, over 1 MiB, or would be
   * one connection too many.
   * @throws {INVALID_OPTION|DETERMINISTIC} for a request that is none, or a machine that is deterministic.
   * @throws {signal.reason|TypeError} when that of a `Request` is aborted, or its body was read before.
   * @throws {DISPOSED|KERNEL_LOST} when the machine is gone.
   * @example
   * const { status, body } = await rt.fetch(3000, { path: "/health" });
   */
  fetch(port: number, input: NodeRuntimeFetchInput): Promise<NodeRuntimeFetchResponse>;
  fetch(port: number, request: Request): Promise<Response>;
  async fetch(
    port: number,
    input: NodeRuntimeFetchInput | Request,
  ): Promise<NodeRuntimeFetchResponse | Response> {
    const standard = typeof Request === "function" && input instanceof Request;
    const call = standard ? await callOfRequest(port, input) : parseFetchInput(port, input);
    const signal = standard ? input.signal : undefined;
    this.#refuseIfDeterministic("a request would come at a time of its own");
    const answer = await this.#with((machine) => fetched(machine, call, signal));
    return standard ? standardResponse(answer) : simpleResponse(answer);
  }

  #refuseIfDeterministic(why: string): void {
    if (this.#given.deterministic !== undefined) throw failure("DETERMINISTIC", { why });
  }

  /**
   * Who listens there right now, or null.
   * @throws {INVALID_OPTION} for a query that names nothing, or no port from 1 to 65 535.
   * @throws {DISPOSED} after `dispose`.
   */
  findListener(query: NodeRuntimeListenerQuery): NodeRuntimeListener | null {
    const wanted = parseQuery(query);
    this.#own.checkUsable();
    return this.#own.listeners.find(wanted);
  }

  /**
   * Resolves once a program listens there.
   * @throws {LISTENER_TIMEOUT} when nobody did in time.
   * @throws {PORT_TAKEN} when it is one of `loopbackExemptPorts` and the host's port is taken.
   * @throws {signal.reason} when `signal` is aborted.
   * @throws {INVALID_OPTION|DISPOSED|KERNEL_LOST} for a query or options that are none, a machine that is gone.
   * @example
   * const { processId } = await rt.waitForListener({ port: 3000 }, { timeoutMs: 2000 });
   */
  async waitForListener(
    query: NodeRuntimeListenerQuery,
    options?: NodeRuntimeWaitOptions,
  ): Promise<NodeRuntimeListener> {
    const wanted = parseQuery(query);
    return this.#with(async ({ connection }) => {
      const release = connection.hold();
      try {
        return await this.#own.listeners.wait(wanted, options, (fail) => this.#own.waits(fail));
      } finally {
        release();
      }
    });
  }

  /**
   * Adds host tools, or replaces those of the same name. Whether programs may call them is for the tool scope of
   * the permissions to say: only tools given to `create` open it by themselves.
   * @throws {INVALID_OPTION} for tools that are none, or too many.
   * @throws {DISPOSED|KERNEL_LOST} when the machine is gone.
   * @example
   * await rt.registerTools({ lookUp: { handler: ({ id }: { id: number }) => ({ id, name: "Ada" }) } });
   */
  async registerTools(tools: HostTools | HostToolNamespaces): Promise<void> {
    const parsed = parseTools("tools", tools);
    await this.#with(async ({ connection, host, vm }) => {
      host.tools.add(parsed, "tools");
      const descriptors = [...parsed.values()].map(({ descriptor }) => descriptor);
      try {
        await connection.call("registerTools", { vm, tools: JSON.stringify(descriptors) });
      } catch (error) {
        throw error instanceof KernelRefusal ? error.toPublic() : error;
      }
    });
  }

  /**
   * The tools of the machine as a text of TypeScript, for the prompt of a model or for a type checker: one
   * declaration of `callHostTool` per tool, with its input. Of the tools that are there now.
   * @throws {DISPOSED|KERNEL_LOST} when the machine is gone.
   */
  async toolTypes(): Promise<string> {
    return this.#with(({ host }) => toolTypes(host.tools.descriptors()));
  }

  /**
   * The last decisions of the machine's policy, or with `format: "jsonl"` (default "list") the same as text, one in
   * JSON per line. Which are kept, the `audit` option says.
   * @throws {INVALID_OPTION} for another format.
   * @throws {DISPOSED|KERNEL_LOST} when the machine is gone.
   * @example
   * for (const { operation, resource, decision } of await rt.audit()) console.log(decision, operation, resource);
   */
  audit(options?: { format?: "list" }): Promise<NodeRuntimeAudit>;
  audit(options: { format: "jsonl" }): Promise<string>;
  async audit(options?: { format?: "list" | "jsonl" }): Promise<NodeRuntimeAudit | string> {
    const format = formatOf(options);
    const { list } = await this.#ask((connection, vm) => connection.call("audit", { vm }));
    const { decisions, dropped } = JSON.parse(list) as DecisionList;
    if (format === "jsonl") return jsonLines(decisions);
    return Object.defineProperty(decisions, "dropped", { value: dropped }) as NodeRuntimeAudit;
  }

  /**
   * Narrows what the programs of the machine may do, those that run included: the scopes that are given have to
   * allow as well from now on, the others stay. What that closes is closed when this resolves: open files, sockets,
   * watches, children.
   * @throws {PERMISSIONS_WIDENED} for what would allow more.
   * @throws {INVALID_OPTION} for what are no permissions, or a machine that denies nothing.
   * @throws {DISPOSED|KERNEL_LOST} when the machine is gone.
   * @example
   * await rt.setPermissions({ network: "deny" });
   */
  async setPermissions(permissions: Omit<Permissions, "mode">): Promise<void> {
    const narrowing = parseNarrowing(permissions);
    this.#refuseIfAllAllowed();
    await this.#own.narrow(narrowing);
  }

  #refuseIfAllAllowed(): void {
    if (this.#given.permissions.mode !== undefined)
      throw invalidOption("permissions", "cannot change where nothing is denied");
  }

  /**
   * Replaces what is added to requests on their way out, `inject` and `transform` of the option `network`, from the
   * next request on: a key that was renewed, or one for a host that had none. The rules stay as they were made. A
   * connection that was open before its host was first named is not read. Clones begin with it.
   * @throws {INVALID_OPTION} for what is no such option, also for a runtime that was made without `network`;
   * `network: {}` is enough.
   * @throws {DISPOSED|KERNEL_LOST} when the machine is gone.
   * @example
   * await rt.setNetwork({ inject: [{ host: "api.example.com", header: "authorization", value: "Bearer …" }] });
   */
  async setNetwork(
    network: Pick<NodeRuntimeNetworkOptions, "inject" | "transform">,
  ): Promise<void> {
    const parsed = parseAdditions(network, this.#given.network);
    await this.#with(async ({ host }) => {
      await this.#ask((connection, vm) =>
        connection.call("setBorder", { vm, border: JSON.stringify(parsed.border) }),
      );
      host.additions = parsed.additions;
      this.#own.given = { ...this.#given, network: parsed };
    });
  }

  /**
   * In learn mode: the least permissions under which all programs of the machine may do what they did. With
   * `generalize` (default false) fewer and wider ones; see docs/audit.md.
   * @throws {LEARNED_TOO_MUCH} when they did more different things than are kept.
   * @throws {INVALID_OPTION} for a machine that does not learn.
   * @throws {DISPOSED|KERNEL_LOST} when the machine is gone.
   * @example
   * const rt = await NodeRuntime.create({ permissions: "learn" });
   * await rt.exec(code);
   * const permissions = await rt.learnedPermissions({ generalize: true });
   */
  async learnedPermissions(options?: { generalize?: boolean }): Promise<LearnedPermissions> {
    const { generalize } = parseFlags(options, { generalize: false });
    if (this.#given.permissions.mode !== "learn")
      throw invalidOption("permissions", 'must be "learn" for that');
    const { list } = await this.#ask((connection, vm) => connection.call("learned", { vm }));
    const permissions = learnedPermissionsOf(JSON.parse(list) as LearnedList);
    return generalize ? generalizePermissions(permissions) : permissions;
  }

  /**
   * What all programs of the machine have used since it was made; with the option `network` also what went to each
   * of its hosts, in `hosts`.
   * @throws {DISPOSED|KERNEL_LOST} when the machine is gone.
   */
  async usage(): Promise<MachineUsage> {
    const { json } = await this.#ask((connection, vm) =>
      connection.call("usage", { vm, process: 0 }),
    );
    return JSON.parse(json) as MachineUsage;
  }

  /**
   * The layers between this runtime's programs and the machine, each with whether it is active and why, or why not.
   * docs/isolation.md says what each does.
   * @throws {DISPOSED|KERNEL_LOST} when the machine is gone.
   */
  async isolation(): Promise<NodeRuntimeIsolationLayer[]> {
    return this.#with(({ connection }) => isolationOf(connection));
  }

  /**
   * The older name of `registerTools`.
   * @throws {INVALID_OPTION|DISPOSED|KERNEL_LOST} as that.
   */
  registerBindings(tools: HostTools | HostToolNamespaces): Promise<void> {
    return this.registerTools(tools);
  }

  /**
   * A later name of `registerTools`.
   * @throws {INVALID_OPTION|DISPOSED|KERNEL_LOST} as that.
   */
  registerHostFunctions(tools: HostTools | HostToolNamespaces): Promise<void> {
    return this.registerTools(tools);
  }

  /**
   * Shows a directory or file of the host, an overlay, or a file system that code of the host serves, to programs
   * from now on, as the option `mounts` does.
   * @throws {INVALID_OPTION} where one is already, or cannot be.
   * @throws {DETERMINISTIC} for a file system of the caller's own in a deterministic machine.
   * @throws {FLEET_REFUSED} for a directory that the worker does not show.
   * @throws {DISPOSED|KERNEL_LOST} when the machine is gone.
   * @example
   * await rt.mount({ guestPath: "/data", hostPath: "/srv/data", readOnly: true });
   */
  async mount(mount: HostDirectoryMount | OverlayMount | FileProviderMount): Promise<void> {
    const owner = this.#given.fleet === undefined ? "host" : "worker";
    const parsed = mountOf("mount", mount, owner);
    const { provider } = parsed;
    if (provider !== undefined) this.#refuseIfDeterministic("its files would come from outside");
    await this.#with(({ host }) => {
      if (provider !== undefined) host.providers.add([[parsed.mount.provider!.id, provider]]);
    });
    await this.#ask((connection, vm) =>
      connection.call("mount", { vm, mount: JSON.stringify(parsed.mount) }),
    );
  }

  /**
   * Takes a mount away, also one of `create`, in use or not: files that are open stay open, other uses fail with
   * EIO, and the path is what it was before.
   * @throws {FILE} (EINVAL) when nothing is mounted there.
   * @throws {INVALID_OPTION|DISPOSED|KERNEL_LOST} for a path that is not absolute, a machine that is gone.
   */
  async unmount(guestPath: string): Promise<void> {
    const path = mountPathOf("guestPath", guestPath);
    await this.#ask((connection, vm) => connection.call("unmount", { vm, guestPath: path }));
  }

  /**
   * What was changed in the overlay at `guestPath`, or in all of the machine, by path. Of a directory that was
   * added all that is in it, too; of one that was removed only itself.
   * @throws {FILE} (EINVAL) where there is no overlay.
   * @throws {INVALID_OPTION|DISPOSED|KERNEL_LOST} for a path that is not absolute, a machine that is gone.
   * @example
   * for (const { path, change } of await rt.diff("/project")) console.log(change, path);
   */
  async diff(guestPath?: string): Promise<NodeRuntimeChange[]> {
    const path = guestPath === undefined ? "" : mountPathOf("guestPath", guestPath);
    return this.#with(({ files }) => files.diff(path));
  }

  /**
   * The bytes of a file of the machine, or with "utf8" its text. `followLinks: true` (all file calls take it,
   * default false) follows links that a program may have made.
   * @throws {NO_SUCH_FILE} when there is no such file.
   * @throws {FILE} for any other reason; `details.errno` has its name.
   * @throws {LINK_LEADS_OUT} where a link that was not followed leads out of its directory.
   * @throws {INVALID_OPTION|DISPOSED|KERNEL_LOST} for arguments, a machine that is gone.
   * @example
   * const text = await rt.readFile("/home/user/out.txt", "utf8");
   */
  readFile(path: string, options?: NodeRuntimeFileOptions): Promise<Uint8Array>;
  readFile(path: string, encoding: "utf8" | "utf-8"): Promise<string>;
  async readFile(
    path: string,
    options?: NodeRuntimeFileOptions | "utf8" | "utf-8",
  ): Promise<Uint8Array | string> {
    return this.#files.read(path, options);
  }

  /**
   * Writes a file of the machine, creating its directories.
   * @throws {FILE|LINK_LEADS_OUT|INVALID_OPTION|DISPOSED|KERNEL_LOST} as `readFile`.
   * @example
   * await rt.writeFile("/home/user/in.json", JSON.stringify([1, 2, 3]));
   */
  async writeFile(
    path: string,
    data: string | Uint8Array,
    options?: NodeRuntimeFileOptions,
  ): Promise<void> {
    await this.#files.write(path, data, options);
  }

  /**
   * The content of a file as a stream of bytes, read as fast as it is taken.
   * @throws {INVALID_OPTION|DISPOSED} for arguments, a machine that is gone.
   * @throws {NO_SUCH_FILE|FILE|LINK_LEADS_OUT} from the stream, as `readFile`.
   * @example
   * await pipeline(rt.createReadStream("/home/user/big.csv"), createWriteStream("big.csv"));
   */
  createReadStream(path: string, options?: NodeRuntimeFileOptions): Readable {
    return this.#files.reading(path, options);
  }

  /**
   * Writes a file from its beginning, creating its directories; finishes once all of it is there.
   * @throws {INVALID_OPTION|DISPOSED} for arguments, a machine that is gone.
   * @throws {FILE|LINK_LEADS_OUT} from the stream, as `readFile`.
   */
  createWriteStream(path: string, options?: NodeRuntimeFileOptions): Writable {
    return this.#files.writing(path, options);
  }

  /**
   * Copies a file or directory of the host into the machine, over what is there. Links are copied as text and never
   * followed. What was copied before a failure stays.
   * @throws {Error} Node's own, of the host's side.
   * @throws {FILE|LINK_LEADS_OUT|INVALID_OPTION|DISPOSED|KERNEL_LOST} of the machine's, as `readFile`; what
   * `filter` or `onProgress` throws, as it is.
   * @example
   * const { files, bytes } = await rt.copyIn("./project", "/home/user/project", {
   *   filter: (path) => path !== "node_modules",
   * });
   */
  async copyIn(
    hostPath: string,
    guestPath: string,
    options?: NodeRuntimeCopyOptions,
  ): Promise<NodeRuntimeCopyResult> {
    return this.#files.copyIn(hostPath, guestPath, options);
  }

  /**
   * Copies a file or directory of the machine to the host, as `copyIn` does; links only with `links: true`.
   * @throws {Error} Node's own, of the host's side.
   * @throws {NO_SUCH_FILE|FILE|LINK_LEADS_OUT|INVALID_OPTION|DISPOSED|KERNEL_LOST} of the machine's, as `readFile`;
   * what `filter` or `onProgress` throws, as it is.
   * @example
   * await rt.copyOut("/home/user/project/dist", "./dist");
   */
  async copyOut(
    guestPath: string,
    hostPath: string,
    options?: NodeRuntimeCopyOptions,
  ): Promise<NodeRuntimeCopyResult> {
    return this.#files.copyOut(guestPath, hostPath, options);
  }

  /**
   * The names in a directory, sorted.
   * @throws {NO_SUCH_FILE|FILE|LINK_LEADS_OUT|INVALID_OPTION|DISPOSED|KERNEL_LOST} as `readFile`.
   */
  async readDir(path: string, options?: NodeRuntimeFileOptions): Promise<string[]> {
    return (await this.#files.list(path, options)).map(({ name }) => name);
  }

  /**
   * The names in a directory, sorted, each with what it is.
   * @throws {NO_SUCH_FILE|FILE|LINK_LEADS_OUT|INVALID_OPTION|DISPOSED|KERNEL_LOST} as `readFile`.
   */
  async readDirWithTypes(
    path: string,
    options?: NodeRuntimeFileOptions,
  ): Promise<NodeRuntimeDirectoryEntry[]> {
    return this.#files.list(path, options);
  }

  /**
   * Facts about a file; a symbolic link at the end of the path is followed unless `follow` is false (default true).
   * @throws {NO_SUCH_FILE|FILE|LINK_LEADS_OUT|INVALID_OPTION|DISPOSED|KERNEL_LOST} as `readFile`.
   */
  async stat(
    path: string,
    options?: NodeRuntimeFileOptions & { follow?: boolean },
  ): Promise<NodeRuntimeFileStat> {
    return this.#files.stat(path, options);
  }

  /**
   * Whether something is there.
   * @throws {FILE|LINK_LEADS_OUT|INVALID_OPTION|DISPOSED|KERNEL_LOST} as `readFile`, where it cannot be told.
   */
  async exists(path: string, options?: NodeRuntimeFileOptions): Promise<boolean> {
    return this.#files.exists(path, options);
  }

  /**
   * Makes a directory; with `recursive` (default false) also its parents, and one that exists is fine.
   * @throws {NO_SUCH_FILE|FILE|LINK_LEADS_OUT|INVALID_OPTION|DISPOSED|KERNEL_LOST} as `readFile`; FILE with EEXIST
   * for one that exists.
   */
  async mkdir(
    path: string,
    options?: NodeRuntimeFileOptions & { recursive?: boolean },
  ): Promise<void> {
    await this.#files.mkdir(path, options);
  }

  /**
   * Removes a file, or with `recursive` a directory and all in it; with `force` a missing one is fine. Both are
   * false by default.
   * @throws {NO_SUCH_FILE|FILE|LINK_LEADS_OUT|INVALID_OPTION|DISPOSED|KERNEL_LOST} as `readFile`.
   */
  async rm(
    path: string,
    options?: NodeRuntimeFileOptions & { recursive?: boolean; force?: boolean },
  ): Promise<void> {
    await this.#files.rm(path, options);
  }

  /**
   * Gives a file or directory another path, in the place of a file that is there.
   * @throws {NO_SUCH_FILE|FILE|LINK_LEADS_OUT|INVALID_OPTION|DISPOSED|KERNEL_LOST} as `readFile`.
   */
  async rename(from: string, to: string, options?: NodeRuntimeFileOptions): Promise<void> {
    await this.#files.rename(from, to, options);
  }

  /**
   * Ends the machine and what runs in it. Idempotent. Pending `exec` and `run` calls reject with DISPOSED; spawned
   * programs end with 137.
   * @throws {INTERNAL} when the kernel refuses, which is a defect.
   */
  dispose(): Promise<void> {
    this.#disposing ??= this.#tearDown();
    return this.#disposing;
  }

  /**
   * The same as `dispose`, for `await using`.
   * @throws {INTERNAL} as that.
   * @example
   * await using rt = await NodeRuntime.create();
   */
  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  async #tearDown(): Promise<void> {
    this.#programs.refuse(failure("DISPOSED", { what: "runtime" }));
    this.#own.refuse();
    const runners = this.#programs.endRunners();
    const machine = await this.#own.made();
    await machine?.close(() => this.#programs.vanish());
    await runners;
    this.#own.events.emit("dispose");
    debug("machine", () => "disposed");
  }
}
