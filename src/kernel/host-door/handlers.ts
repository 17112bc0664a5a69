/**
 * Owns what the SDK may ask of the kernel: machines, programs and requests to them, each by the
 * number that the SDK gave it.
 *
 * Invariants: a number means nothing after its machine was disposed or its program has ended.
 * Untrusted: program text, output and results. The SDK is trusted.
 */
import { readdirSync } from "node:fs";
import { Errno } from "../../abi/errno.js";
import type { GuestPool } from "../../launcher/pool.js";
import type {
  HostFetchRequest,
  KernelStats,
  LearnedList,
  ProcessOptions,
  VmMount,
  VmOptions,
} from "../../protocol/host-calls.js";
import type { BorderOptions } from "../../protocol/border.js";
import type { Answer, Policies } from "../../protocol/permissions.js";
import type { MachineUsage } from "../../protocol/usage.js";
import type { ToolDescriptor } from "../../protocol/tools.js";
import { attemptedForHost } from "../io/attempt.js";
import { totalUsage } from "../machine/account.js";
import { Border } from "../border/border.js";
import { PermissionsWidened, Vm, VmOptionError } from "../machine/vm.js";
import type { Beginning, VmServices } from "../machine/vm.js";
import { Unshareable } from "../process/set-up.js";
import { HostFetchError, hostFetch } from "../net/host-http.js";
import type { KernelMetrics } from "../../protocol/metrics.js";
import { isolationLayers } from "../../protocol/isolation.js";
import type { IsolationReport } from "../../protocol/isolation.js";
import type { CallHandlers, Emit, EventHandlers } from "./door.js";
import { HostError } from "./error.js";
import { fileError } from "./file-answers.js";
import { createHostFiles } from "./files.js";
import { createHostSnapshots } from "./snapshots.js";
import { Tally } from "./tally.js";
import { HostProgram, StartFailure } from "./program.js";
import type { HostListener } from "./program.js";

/** Runs what an option asks for; when it cannot be, that is what the host is told. */
function asOption<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof VmOptionError)
      throw new HostError("ERR_SECURE_EXEC_INVALID_OPTION", error.message);
    throw error;
  }
}

export class HostHandlers {
  readonly #pool: GuestPool;
  readonly #isolation: () => readonly IsolationReport[];
  readonly #services: VmServices;
  readonly #emit: Emit;
  readonly #vms = new Map<number, Vm>();
  /** Programs by the SDK's handle, which is unique per connection. */
  readonly #programs = new Map<number, HostProgram>();
  /** What is to be done with programs that wait for their start. */
  readonly #starting = new Map<number, ((program: HostProgram) => void)[]>();
  /** Ways to give up requests of the host, by the SDK's number. */
  readonly #fetches = new Map<number, () => void>();
  readonly #tally = new Tally();
  readonly #files = createHostFiles((handle) => this.#vmOf(handle));
  readonly #snapshots = createHostSnapshots((handle) => this.#vmOf(handle));

  /** `isolation` says what the kernel process gave up itself. */
  constructor(
    pool: GuestPool,
    services: VmServices,
    emit: Emit,
    isolation: () => readonly IsolationReport[],
  ) {
    this.#pool = pool;
    this.#isolation = isolation;
    this.#services = services;
    this.#emit = emit;
  }

  readonly calls: CallHandlers = {
    ping: () => ({}),
    createVm: ({ vm, options }) => this.#createVm(vm, JSON.parse(options) as VmOptions),
    disposeVm: ({ vm }) => {
      this.#vms.get(vm)?.dispose();
      this.#vms.delete(vm);
      return {};
    },
    ...this.#files.handlers,
    ...this.#snapshots.handlers,
    spawn: ({ vm, process, options, source }) =>
      this.#spawn(vm, process, JSON.parse(options) as ProcessOptions, source),
    registerTools: ({ vm, tools }) => {
      this.#vmOf(vm).registerTools(JSON.parse(tools) as ToolDescriptor[]);
      return {};
    },
    fetch: ({ vm, fetch, port, request, body }) =>
      this.#fetch(vm, fetch, port, JSON.parse(request) as HostFetchRequest, body),
    usage: ({ vm, process }) => ({ json: JSON.stringify(this.#usage(vm, process)) }),
    setPermissions: ({ vm, permissions }) =>
      this.#setPermissions(vm, JSON.parse(permissions) as Partial<Policies>),
    setBorder: ({ vm, border }) => {
      const given = JSON.parse(border) as BorderOptions;
      if (!this.#vmOf(vm).setBorder(given))
        throw new HostError(
          "ERR_SECURE_EXEC_INVALID_OPTION",
          "network cannot be set: the runtime was made without the option",
        );
      return {};
    },
    audit: ({ vm }) => ({ list: JSON.stringify(this.#vmOf(vm).observer.audit.read()) }),
    learned: ({ vm }) => {
      const { learnedRequests } = this.#vmOf(vm).observer;
      const list: LearnedList = {
        list: learnedRequests.list(),
        incomplete: learnedRequests.incomplete,
      };
      return { list: JSON.stringify(list) };
    },
    mount: ({ vm, mount }) => {
      const to = this.#vmOf(vm);
      return asOption(() => {
        to.mount(JSON.parse(mount) as VmMount);
        return {};
      });
    },
    unmount: ({ vm, guestPath }) => {
      const result = this.#vmOf(vm).unmount(guestPath);
      if (result < 0) throw fileError("unmount", guestPath, result);
      return {};
    },
    stats: () => ({ json: JSON.stringify(this.#stats()) }),
    metrics: () => ({ json: JSON.stringify(this.#metrics()) }),
  };

  readonly events: EventHandlers = {
    stdin: ({ process, data }) => {
      const bytes = this.#programs.has(process) ? data : Buffer.from(data);
      this.#with(process, (program) => program.writeStdin(bytes));
    },
    closeStdin: ({ process }) => this.#with(process, (program) => program.closeStdin()),
    kill: ({ process, signal, group }) =>
      this.#with(process, ({ process: target }) => {
        const members = group ? target.vm.processes.targets(target, -target.pid) : [];
        for (const one of new Set([target, ...members])) one.signal(signal, "host");
      }),
    credit: ({ process, stream, bytes }) =>
      this.#with(process, (program) => program.credit(stream, bytes)),
    resize: ({ process, rows, columns }) =>
      this.#with(process, (program) => program.resize({ rows, columns })),
    cancelFetch: ({ fetch }) => this.#fetches.get(fetch)?.(),
    residentExec: ({ process, sequence, source }) =>
      this.#with(process, (program) => program.process.residentExec(sequence, source)),
    observe: ({ vm, decisions, limits }) => this.#vms.get(vm)?.observe(decisions, limits),
    decisionsTaken: ({ vm }) => this.#vms.get(vm)?.observer.audit.taken(),
    judged: ({ id, answers }) =>
      this.#services.requests.judged(id, JSON.parse(answers) as Answer[]),
    outwardReady: ({ id, ok, added }) => this.#services.requests.outwardReady(id, ok, added),
    provided: ({ vm, id, answer, data, more }) =>
      this.#services.providers.provided(vm, id, answer, data, more),
    toolParked: ({ id }) => this.#services.requests.toolParked(id),
    toolDone: ({ id, ok, json }) =>
      this.#services.requests.toolDone(id, { ok, json: Buffer.from(json) }),
  };

  #vmOf(handle: number): Vm {
    const vm = this.#vms.get(handle);
    if (vm === undefined)
      throw new HostError("ERR_SECURE_EXEC_DISPOSED", "the runtime was disposed");
    return vm;
  }

  #createVm(handle: number, options: VmOptions): Record<never, never> {
    const beginning = this.#beginning(options);
    const vm = asOption(() => new Vm(handle, options, this.#services, beginning));
    if (options.border !== undefined) this.#guard(vm, handle, options.border);
    vm.network.announceTo({
      listenerAdded: (info) =>
        this.#emit("listenerAdded", { vm: handle, listener: JSON.stringify(info) }),
      listenerRemoved: (id) => this.#emit("listenerRemoved", { vm: handle, id }),
    });
    vm.onDispose(() => this.#services.providers.release(handle));
    vm.onDispose(() => this.#files.release(vm));
    vm.onDispose(() => this.#snapshots.release(vm));
    this.#vms.set(handle, vm);
    this.#tally.machinesMade++;
    return {};
  }

  #beginning({ source: named, template, fromSetUp = false }: VmOptions): Beginning | undefined {
    if (named === undefined) return undefined;
    const source = this.#vmOf(named);
    if (template === undefined) return { source };
    const ancestor = this.#programs.get(template)?.process;
    const setUp = ancestor?.setUp;
    if (ancestor?.vm !== source || setUp === undefined)
      throw new HostError("ERR_SECURE_EXEC_TEMPLATE_ENDED", "the template has ended");
    if (!fromSetUp) return { source, ancestor };
    const { files } = setUp;
    if (files === undefined)
      throw new HostError(
        "ERR_SECURE_EXEC_TEMPLATE_FILES_GONE",
        "the files that the template's set-up left have gone, as its machine needed the room",
      );
    return { source, ancestor, files };
  }

  /** Its requests to certain hosts go through a process of their own. */
  #guard(vm: Vm, handle: number, options: BorderOptions): void {
    vm.border = new Border(vm, options, {
      newMachine: (given) => new Vm(handle, given, this.#services),
      ask: (request) => this.#services.requests.outward(vm.asker, request),
    });
  }

  #spawn(
    vmHandle: number,
    handle: number,
    options: ProcessOptions,
    source: Uint8Array,
  ): { pid: number } | Promise<{ pid: number }> {
    if (options.language === "ts") this.#pool.expectTypeScript();
    const to = { vm: vmHandle, process: handle };
    const emit = this.#emit;
    const vm = this.#vmOf(vmHandle);
    if (!vm.readyForProgram())
      throw new HostError(
        "ERR_SECURE_EXEC_DETERMINISTIC",
        "a deterministic machine runs one program at a time, and there is one",
      );
    const named = options.template === undefined ? undefined : this.#programs.get(options.template);
    // Memory of one machine is never what a program of another begins with, but for templates of machines
    // that the host made from that very one.
    const inherits = options.mode === "template" && vm.ancestor !== undefined;
    const from =
      named?.process.vm === vm || (inherits && vm.ancestor === named?.process) ? named : undefined;
    const wider = (from?.process.policy ?? vm.policy).widening(options.permissions ?? {});
    if (wider !== undefined)
      throw new HostError(
        "ERR_SECURE_EXEC_PERMISSIONS_WIDENED",
        new PermissionsWidened(wider.scope, wider.why).message,
      );
    const listener: HostListener = {
      output: (stream, data) => emit("output", { ...to, stream, data }),
      stdinTaken: (bytes) => emit("stdinCredit", { ...to, bytes }),
      residentDone: (sequence, exitCode) => {
        vm.observer.audit.flush();
        emit("residentDone", { ...to, sequence, exitCode });
      },
      templateReady: () => {
        vm.observer.audit.flush();
        emit("templateReady", to);
      },
      value: (first, data) => emit("value", { ...to, first, data }),
      ended: (end, value) => {
        this.#programs.delete(handle);
        this.#tally.ended(end);
        // Whoever hears of the end, as of any result, has heard of what was decided before it.
        vm.observer.audit.flush();
        emit("exit", { ...to, end: JSON.stringify(end), value });
      },
    };
    const text = Buffer.from(source);
    const isCopy = options.template !== undefined;
    const started = attemptedForHost(() => {
      if (isCopy && from?.process.template === undefined)
        throw new HostError("ERR_SECURE_EXEC_TEMPLATE_ENDED", "the template has ended");
      return HostProgram.start(vm, options, text, listener, from?.process);
    });
    if (!(started instanceof Promise)) return this.#started(vm, handle, started, isCopy);
    const waiting: ((program: HostProgram) => void)[] = [];
    this.#starting.set(handle, waiting);
    return started
      .finally(() => this.#starting.delete(handle))
      .then((program) => {
        const begun = this.#started(vm, handle, program, isCopy);
        for (const use of waiting) this.#with(handle, use);
        return begun;
      });
  }

  /** Uses a program now, or once it has been started. */
  #with(handle: number, use: (program: HostProgram) => void): void {
    const program = this.#programs.get(handle);
    if (program === undefined) this.#starting.get(handle)?.push(use);
    else use(program);
  }

  #started(
    vm: Vm,
    handle: number,
    program: HostProgram | StartFailure | Unshareable,
    isCopy: boolean,
  ): { pid: number } | Promise<{ pid: number }> {
    if (program instanceof Unshareable)
      throw new HostError(
        "ERR_SECURE_EXEC_TEMPLATE_HOLDS",
        `the set-up of the template left something open that belongs to its own machine: ${program.what}`,
      );
    if (program instanceof StartFailure) {
      if (program.errno === -Errno.ENOSPC && program.operation === "open terminal")
        throw new HostError(
          "ERR_SECURE_EXEC_PROCESS_LIMIT",
          `the VM has ${vm.limits.terminals} terminals already; limits.terminals allows more`,
        );
      if (program.errno !== -Errno.EAGAIN)
        throw fileError(program.operation, program.path, program.errno);
      throw new HostError(
        "ERR_SECURE_EXEC_PROCESS_LIMIT",
        `the VM runs ${vm.limits.processes} processes already; limits.processes allows more`,
      );
    }
    this.#programs.set(handle, program);
    const begun = { pid: program.process.pid };
    if (!isCopy) return begun;
    // The template may be disposed of from then on.
    return new Promise((resolve) => program.process.whenBegun(() => resolve(begun)));
  }

  async #setPermissions(
    handle: number,
    policies: Partial<Policies>,
  ): Promise<Record<never, never>> {
    try {
      await this.#vmOf(handle).narrow(policies);
      return {};
    } catch (error) {
      if (error instanceof PermissionsWidened)
        throw new HostError("ERR_SECURE_EXEC_PERMISSIONS_WIDENED", error.message);
      if (error instanceof VmOptionError)
        throw new HostError("ERR_SECURE_EXEC_INVALID_OPTION", error.message);
      throw error;
    }
  }

  #usage(vmHandle: number, handle: number): MachineUsage {
    const vm = this.#vmOf(vmHandle);
    if (handle === 0) return vm.usage();
    const program = this.#programs.get(handle);
    if (program === undefined) throw new HostError("ERR_SECURE_EXEC_INTERNAL", "no such program");
    return program.process.budget.usage();
  }

  async #fetch(
    vm: number,
    handle: number,
    port: number,
    request: HostFetchRequest,
    body: Uint8Array,
  ): Promise<{ response: string; body: Uint8Array }> {
    const { network } = this.#vmOf(vm);
    try {
      const answer = await hostFetch(network, port, request, Buffer.from(body), (cancel) =>
        this.#fetches.set(handle, cancel),
      );
      return { response: JSON.stringify(answer.response), body: answer.body };
    } catch (error) {
      if (error instanceof HostFetchError) throw new HostError(error.code, error.message);
      throw error;
    } finally {
      this.#fetches.delete(handle);
    }
  }

  #metrics(): KernelMetrics {
    const { kernelBytes, kernelObjects } = totalUsage();
    const { user, system } = process.cpuUsage();
    return {
      pid: process.pid,
      machines: this.#vms.size,
      programs: this.#programs.size,
      guests: this.#pool.guestPids.length,
      guestsAhead: this.#pool.idleCount,
      rssBytes: process.memoryUsage.rss(),
      openDescriptors: readdirSync("/proc/self/fd").length,
      cpuSeconds: (user + system) / 1e6,
      kernelBytes,
      kernelObjects,
      ...this.#tally.read(),
    };
  }

  #stats(): KernelStats {
    const pool = this.#pool;
    return {
      pid: process.pid,
      zygotePid: pool.zygotePid,
      vms: this.#vms.size,
      processes: this.#programs.size,
      idleGuests: pool.idleCount,
      openFds: readdirSync("/proc/self/fd").length,
      rssBytes: process.memoryUsage.rss(),
      ...totalUsage(),
      accounts: Object.fromEntries(
        Array.from(this.#vms, ([vm, { account, fs }]) => [
          vm,
          { ...account.usage, fileBytes: fs.usage().bytes, counts: account.counts },
        ]),
      ),
      guestPids: pool.guestPids,
      isolation: isolationLayers.flatMap(
        (layer) =>
          [...pool.isolation, ...this.#isolation()].find((one) => one.layer === layer) ?? [],
      ),
      savings: pool.savings ?? {
        compiledModules: 0,
        contiguousHeap: false,
        hugeTextPages: 0,
        hugeHeapPages: 0,
        inheritedTexts: 0,
        pagesAhead: 0,
      },
    };
  }
}
