/**
 * Owns one virtual machine as the SDK knows it: its handle on a kernel, its files,
 * and who answers what the kernel asks about it.
 *
 * Invariants: a machine that could not be made as asked leaves nothing behind; after
 * `close` nothing of it reaches the host any more.
 * Untrusted: nothing; what programs produce is runtime.ts's matter.
 */
import { performance } from "node:perf_hooks";
import { auditDefaults } from "../protocol/decisions.js";
import type { VmOptions } from "../protocol/host-calls.js";
import type { NodeBuffer } from "../protocol/node-types.js";
import { debug, debugging } from "./debug.js";
import { placeMachine } from "./fleet/place.js";
import { RuntimeFiles } from "./files.js";
import { KernelRefusal } from "./kernel-connection.js";
import type { KernelConnection, MachineSink } from "./kernel-connection.js";
import { MachineHost } from "./machine-host.js";
import { requireLayers } from "./isolation.js";
import type { CreateOptions } from "./options.js";
import type { NodeRuntimeBootTiming } from "./option-types.js";
import { placeOnHost } from "./kernel-group.js";
import { connectionOf } from "./sidecar-process.js";
import { restoreSnapshot } from "./snapshot.js";

type Timed = <T>(phase: NodeRuntimeBootTiming["phase"], work: Promise<T>) => Promise<T>;

/** What a machine begins with, if not with what every new one has. */
interface Beginning {
  /** The number of another one. */
  source?: number;
  /** A template of that, and whether the files are those at the end of its set-up. */
  template?: number | undefined;
  fromSetUp?: boolean | undefined;
  snapshot?: AsyncIterable<NodeBuffer> | undefined;
  /** The kernel's first answer, where that is still to come. */
  opened?: Promise<void>;
}

function connectionFor({ fleet, sidecar, kernels }: CreateOptions): Promise<KernelConnection> {
  if (fleet !== undefined) return placeMachine(fleet);
  return sidecar === undefined ? placeOnHost(kernels) : connectionOf(sidecar);
}

export class Machine {
  readonly connection: KernelConnection;
  readonly vm: number;
  readonly files: RuntimeFiles;
  readonly host: MachineHost;

  private constructor(connection: KernelConnection, given: CreateOptions, sink: MachineSink) {
    this.connection = connection;
    const vm = connection.newHandle();
    this.vm = vm;
    this.files = new RuntimeFiles(connection, vm);
    this.host = new MachineHost(given, {
      judged: (id, answers) =>
        connection.send("judged", { vm, id, answers: JSON.stringify(answers) }),
      toolDone: (id, ok, json) => connection.send("toolDone", { vm, id, ok, json }),
      toolParked: (id) => connection.send("toolParked", { vm, id }),
      outwardReady: (id, ok, added) => connection.send("outwardReady", { vm, id, ok, added }),
      provided: (id, answer, data, more) =>
        connection.send("provided", { vm, id, answer, data, more }),
    });
    this.host.providers.add(given.providers);
    this.host.tools.add(given.tools, "tools");
    connection.attachMachine(vm, sink);
    connection.attachVm(vm, this.host);
  }

  /** A second machine with the same files, mounts and tools, in which templates may begin from `template`. */
  async clone(given: CreateOptions, sink: MachineSink, template?: number): Promise<Machine> {
    const clone = new Machine(this.connection, given, sink);
    clone.host.tools.add(this.host.tools.all, "tools");
    clone.host.providers.add(this.host.providers.all);
    await clone.#make(given, { source: this.vm, template });
    return clone;
  }

  /** The same with the files as they were when the set-up of `template` had ended, and those and the tools of `given` added. */
  async begin(given: CreateOptions, sink: MachineSink, template: number): Promise<Machine> {
    const made = new Machine(this.connection, { ...given, tools: new Map() }, sink);
    made.host.tools.add(this.host.tools.all, "tools");
    made.host.tools.add(given.tools, "tools");
    made.host.providers.add(this.host.providers.all);
    await made.#make(given, { source: this.vm, template, fromSetUp: true });
    return made;
  }

  /** Makes a machine and writes its first files. Rejects with the errors of starting the kernel, too. */
  static async open(
    given: CreateOptions,
    sink: MachineSink,
    snapshot?: AsyncIterable<NodeBuffer>,
  ): Promise<Machine> {
    const timed: Timed = async (phase, work) => {
      const startedAt = performance.now();
      const result = await work;
      const durationMs = performance.now() - startedAt;
      debug("machine", () => `${phase}: ${durationMs.toFixed(1)} ms`);
      given.onBootTiming?.({ phase, durationMs });
      return result;
    };
    const placed = connectionFor(given);
    const opened = timed(
      "sidecar_spawn",
      placed.then((connection) => connection.opened),
    );
    // Told below, or by `placed`.
    opened.catch(() => undefined);
    const machine = new Machine(await placed, given, sink);
    await machine.#make(given, { snapshot, opened }, timed);
    return machine;
  }

  /** The kernel's part; of a machine that cannot be made nothing is left. */
  async #make(
    given: CreateOptions,
    { source, template, fromSetUp, snapshot, opened }: Beginning,
    timed: Timed = (_phase, work) => work,
  ): Promise<void> {
    const { vm, connection } = this;
    const { deterministic, env, cwd, engine, jsRuntime, limits, mounts, nativeAddons } = given;
    const options = JSON.stringify({
      ...(source !== undefined && { source }),
      ...(template !== undefined && { template }),
      ...(fromSetUp === true && { fromSetUp }),
      ...(snapshot !== undefined && { restores: true }),
      env,
      cwd,
      mounts,
      jsRuntime,
      engine,
      nativeAddons,
      loopbackExemptPorts: given.loopbackExemptPorts,
      limits,
      ...(deterministic !== undefined && { deterministic }),
      ...(given.network !== undefined && { border: given.network.border }),
      warnsOfLimits: given.onLimitWarning !== undefined || debugging("limit"),
      permissions: given.permissions.policies,
      permissionTimeoutMs: given.permissionTimeoutMs,
      policyMode: given.permissions.mode ?? "enforce",
      audit: {
        entries: given.audit?.entries ?? auditDefaults.entries,
        all: given.audit?.all ?? debugging("decision"),
        stream: given.audit?.onDecision !== undefined || debugging("decision"),
      },
      tools: this.host.tools.descriptors(),
    } satisfies VmOptions);
    try {
      if (source === undefined && given.isolation.length > 0) {
        await opened;
        await requireLayers(connection, given.isolation);
      }
      // A kernel that is starting makes it meanwhile.
      const made = connection.call("createVm", { vm, options });
      made.catch(() => undefined);
      await opened;
      await timed("vm_create", made);
      if (snapshot !== undefined) await restoreSnapshot(connection, vm, snapshot);
      if (source === undefined || fromSetUp === true)
        await timed("vm_configure", this.#seed(given.files));
    } catch (error) {
      await this.close().catch(() => {});
      throw error instanceof KernelRefusal ? error.toPublic() : error;
    }
  }

  async #seed(files: CreateOptions["files"]): Promise<void> {
    for (const [path, data] of files) await this.files.write(path, data, false);
  }

  /** Ends it and every process in it; `gone` is called when the kernel has answered, or is not there to. */
  async close(gone: () => void = () => {}): Promise<void> {
    try {
      await this.connection.call("disposeVm", { vm: this.vm });
    } catch (error) {
      // Without a kernel there is no machine left to dispose.
      if (error instanceof KernelRefusal) throw error.toPublic();
    } finally {
      this.connection.detachMachine(this.vm);
      gone();
      this.connection.detachVm(this.vm);
    }
  }
}
