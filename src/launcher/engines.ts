/**
 * Owns the guests that have an engine of their own, and the queue of those who wait for one. The process
 * that executes them is started when the first is wanted and ended when none has been for long.
 *
 * Invariants: owners of waiters are served in turn, each owner's in order; a bounded number of engines
 * begins at once, whoever asks; a starter that is lost is replaced once somebody needs it, and
 * everybody waiting on it is told.
 */
import type { EngineOrder } from "../protocol/engine-start.js";
import type { IsolationReport } from "../protocol/isolation.js";
import { type Spawner, SpawnerGone } from "../sandbox/spawner.js";
import { IsolationUnavailable } from "../sandbox/unavailable.js";
import { DescriptorsExhausted } from "./descriptors.js";
import { Zygote } from "./fork.js";
import type { Guest } from "./fork.js";
import type { GuestGroups } from "./guest-groups.js";
import { RoundRobin } from "../protocol/round-robin.js";

/** Gets a locked-down guest, or why there is none: what was wrong, and the wait status of an engine that ended. */
export type EngineWaiter = (guest: Guest | undefined, reason: string, status: number) => void;

export interface EngineOptions {
  /** Starts the starter. */
  spawner: Spawner;
  groups?: GuestGroups | undefined;
  /** Engines that begin at once; more would only take turns on the CPU. */
  parallelStarts: number;
  /** Layers that forked guests have; without one of them no engine is started. */
  isolation(): readonly IsolationReport[];
  /** The starter ends when it had no guest for so long. */
  idleMs: number;
}

/** Of what an engine printed before it ended. */
const reasonChars = 1024;

interface Waiting {
  readonly order: EngineOrder;
  readonly waiter: EngineWaiter;
}

export class EnginePool {
  readonly #options: EngineOptions;
  readonly #waiters = new RoundRobin<Waiting>();
  #starter: Zygote | undefined;
  #ready = false;
  #starting = 0;
  #idle: NodeJS.Timeout | undefined;

  constructor(options: EngineOptions) {
    this.#options = options;
  }

  get guestPids(): number[] {
    return this.#starter?.guestPids ?? [];
  }

  get starterPid(): number {
    return this.#starter?.pid ?? 0;
  }

  /** Answers how to wait no longer. */
  take(owner: object, order: EngineOrder, waiter: EngineWaiter): () => void {
    const waiting = { order, waiter };
    this.#waiters.push(owner, waiting);
    this.#serve();
    return () => void this.#waiters.delete(owner, waiting);
  }

  #serve(): void {
    clearTimeout(this.#idle);
    if (this.#waiters.size === 0) {
      this.#idle = setTimeout(() => this.#rest(), this.#options.idleMs).unref();
      return;
    }
    const starter = (this.#starter ??= this.#startOrRefuse());
    if (starter === undefined) return;
    if (!this.#ready) return;
    while (this.#starting < this.#options.parallelStarts) {
      const waiting = this.#waiters.shift();
      if (waiting === undefined) return;
      this.#starting++;
      const begun = (guest: Guest | undefined, status: number, stderr: string): void => {
        this.#starting--;
        const reason = stderr.trim().slice(0, reasonChars) || "the engine could not be started";
        waiting.waiter(guest, reason, status);
        // Later: a starter that is being lost fails all that it was making first.
        setImmediate(() => this.#serve());
      };
      starter.start(begun, JSON.stringify(waiting.order));
    }
  }

  #rest(): void {
    if (this.#starter?.guestCount === 0) this.#starter.kill();
  }

  #startOrRefuse(): Zygote | undefined {
    try {
      return this.#start();
    } catch (error) {
      if (!(error instanceof SpawnerGone || error instanceof DescriptorsExhausted)) throw error;
      // Not while they ask. Who asks meanwhile may find that one can be started again.
      setImmediate(() => {
        if (this.#starter === undefined) this.#refuse(error.message);
      });
      return undefined;
    }
  }

  #start(): Zygote {
    const starter = new Zygote({
      kind: "starter",
      spawner: this.#options.spawner,
      groups: this.#options.groups,
      lost: (reason) => this.#lost(reason),
      ending: () => undefined,
      reaped: () => this.#serve(),
      stale: () => undefined,
    });
    starter.ready.then(
      () => {
        const lacking = this.#lacking(starter);
        if (lacking === undefined) this.#ready = true;
        else this.#refuse(lacking.lastWords);
        if (lacking === undefined) this.#serve();
        else starter.kill();
      },
      () => undefined,
    );
    return starter;
  }

  /** What a zygote's guests have and this one's would not. */
  #lacking(starter: Zygote): IsolationUnavailable | undefined {
    const has = (name: string): IsolationReport | undefined =>
      starter.isolation.find(({ layer }) => layer === name);
    for (const { active, layer } of this.#options.isolation()) {
      if (!active || layer === "zygoteSeccomp" || has(layer)?.active === true) continue;
      return new IsolationUnavailable(
        layer,
        `not for a dedicated engine: ${has(layer)?.why ?? ""}`,
      );
    }
    return undefined;
  }

  #refuse(reason: string): void {
    for (const { waiter } of this.#waiters.drain()) waiter(undefined, reason, -1);
  }

  #lost(reason: string): void {
    const served = this.#ready;
    this.#starter = undefined;
    this.#ready = false;
    // One that never came up would not come up for the next, either.
    if (!served) this.#refuse(reason);
    this.#serve();
  }
}
