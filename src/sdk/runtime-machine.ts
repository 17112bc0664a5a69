/**
 * Owns the machine behind a runtime: made when it is first used, as its options and what it is made from say; narrowed;
 * listened to; closed once.
 *
 * Invariants: nothing uses it once it is being closed; one that could not be made is tried again by the next call.
 */
import type { DriverRun } from "./driver/driver-run.js";
import { debug, debugging } from "./debug.js";
import { failure } from "./errors.js";
import { KernelRefusal } from "./kernel-connection.js";
import type { KernelConnection, MachineSink } from "./kernel-connection.js";
import { Listeners } from "./listeners.js";
import { Machine } from "./machine.js";
import type { NodeRuntimeDecision } from "./option-types.js";
import type { CreateOptions } from "./options.js";
import type { Narrowing } from "./permissions.js";
import { RuntimeEvents } from "./runtime-events.js";

/**
 * What the constructor is given by `NodeRuntime.create` and by `clone`.
 * @internal
 */
export class Created {
  constructor(
    readonly options: CreateOptions,
    /** Of a runtime of the older generation. */
    readonly driver?: DriverRun,
    /** Makes the machine, if not as the options say. */
    readonly open: (options: CreateOptions, sink: MachineSink) => Promise<Machine> = Machine.open,
  ) {}
}

/** What a function throws is the host's own, and keeps the next from nothing. */
function tellEach<T>(all: readonly T[], tell: (one: T) => void): void {
  for (const one of all) {
    try {
      tell(one);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}

export class RuntimeMachine {
  /** A call may change it. */
  given: CreateOptions;
  readonly driver: DriverRun | undefined;
  readonly listeners = new Listeners();
  readonly events = new RuntimeEvents(() => this.#observe());
  /** What it was narrowed by: a clone begins with it. */
  readonly narrowings: Narrowing[] = [];
  /** How to end waits that nothing can come of any more. */
  readonly #waits = new Set<(error: unknown) => void>();
  readonly #openMachine: Created["open"];
  /** Ports that DEBUG has said something of. */
  readonly #hinted = new Set<number>();
  #machine: Machine | undefined;
  #opening: Promise<Machine> | undefined;
  #closed = false;

  constructor({ options, driver, open }: Created) {
    this.given = options;
    this.driver = driver;
    this.#openMachine = open;
  }

  checkUsable(): void {
    if (this.#closed) throw failure("DISPOSED", { what: "runtime" });
  }

  /** Uses the machine: at once if it is there, otherwise when it is made. */
  with<T>(use: (machine: Machine) => T): T | Promise<Awaited<T>> {
    this.checkUsable();
    if (this.#machine !== undefined) return use(this.#machine);
    this.#opening ??= this.#open();
    return this.#opening.then((machine) => {
      this.checkUsable();
      return use(machine) as Awaited<T>;
    });
  }

  /** One call to the kernel about this machine. */
  async ask<R>(call: (connection: KernelConnection, vm: number) => Promise<R>): Promise<R> {
    return this.with<Promise<R>>(async ({ connection, vm }): Promise<R> => {
      try {
        return await call(connection, vm);
      } catch (error) {
        throw error instanceof KernelRefusal ? error.toPublic() : error;
      }
    });
  }

  async narrow(narrowing: Narrowing): Promise<void> {
    const { policies, functions } = narrowing;
    await this.with(async ({ host }) => {
      const takeBack = host.addFunctions(functions);
      try {
        await this.ask((connection, vm) =>
          connection.call("setPermissions", { vm, permissions: JSON.stringify(policies) }),
        );
        this.narrowings.push(narrowing);
      } catch (error) {
        takeBack();
        throw error;
      }
    });
  }

  /** A wait that ends with the machine; the answer ends it for good. */
  waits(fail: (error: unknown) => void): () => void {
    this.#waits.add(fail);
    return () => this.#waits.delete(fail);
  }

  async #open(): Promise<Machine> {
    try {
      const machine = await this.#openMachine(this.given, {
        listenerAdded: (info) => this.events.listening(this.listeners.added(info), true),
        listenerRemoved: (id) => {
          const listener = this.listeners.removed(id);
          if (listener !== undefined) this.events.listening(listener, false);
        },
        decided: ({ decisions }) => {
          const onDecision = this.given.audit?.onDecision;
          if (onDecision !== undefined) queueMicrotask(() => tellEach(decisions, onDecision));
          for (const decision of decisions) {
            this.events.decided(decision);
            this.#hintAtLoopback(decision);
          }
        },
        limitWarning: (warning) => {
          queueMicrotask(() => this.given.onLimitWarning?.(warning));
          this.events.warned(warning);
        },
        draining: (timeoutMs) => this.events.draining(timeoutMs),
        lost: (error) => {
          this.events.lost(error);
          this.#endWaits(error);
        },
      });
      try {
        await this.driver?.opened(machine);
      } catch (error) {
        await machine.close();
        throw error;
      }
      this.#machine = machine;
      this.#observe();
      return machine;
    } finally {
      // The next call tries again when this one failed.
      this.#opening = undefined;
    }
  }

  /** Has the kernel send what is listened to. */
  #observe(): void {
    const { decisions, limits } = this.events.wanted;
    const machine = this.#machine;
    if (machine === undefined || !(decisions || limits)) return;
    machine.connection.send("observe", { vm: machine.vm, decisions, limits });
  }

  /** A rule that names the host's database is not enough, and ECONNREFUSED does not say what is. Once for each port. */
  #hintAtLoopback({ decision, resource }: NodeRuntimeDecision): void {
    if (!debugging("decision") || decision !== "allow") return;
    const port = Number(/^tcp:\/\/(?:127\.[\d.]+|\[::1\]):(\d+)$/.exec(resource)?.[1]);
    if (!(port > 0) || this.#hinted.has(port) || this.given.loopbackExemptPorts.includes(port))
      return;
    // What is told of decisions comes later than they fell: the listener may be gone again.
    if (this.listeners.haveHad(port)) return;
    this.#hinted.add(port);
    debug(
      "decision",
      () =>
        `nobody in the machine listens on port ${port} of its loopback; where the host's was meant: loopbackExemptPorts: [${port}]`,
    );
  }

  #endWaits(error: unknown): void {
    for (const fail of this.#waits) fail(error);
  }

  /** From here on nothing uses it; waits end. */
  refuse(): void {
    this.#closed = true;
    this.#endWaits(failure("DISPOSED", { what: "runtime" }));
  }

  /** The machine that there is, or that is on its way. */
  async made(): Promise<Machine | undefined> {
    return this.#machine ?? (await this.#opening?.catch(() => undefined));
  }
}
