/**
 * Owns the guests that have an engine of their own, and the queue of those who wait for one. The process
 * that executes them is started when the first is wanted and ended when none has been for long.
 *
 * Invariants: owners of waiters are served in turn, each owner's in order; a bounded number of engines
 * begins at once, whoever asks; a starter that is lost is replaced once somebody needs it, and
 * everybody waiting on it is told.
 */
import type { EngineOrder } from "../protocol/engine-start.js";
import { Zygote } from "./fork.js";
import type { Guest } from "./fork.js";
import { RoundRobin } from "./round-robin.js";

/** Gets a locked-down guest, or why there is none: what was wrong, and the wait status of an engine that ended. */
export type EngineWaiter = (guest: Guest | undefined, reason: string, status: number) => void;

export interface EngineOptions {
  enginePath: string;
  bundlePath: string;
  programsPath: string;
  /** Engines that begin at once; more would only take turns on the CPU. */
  parallelStarts: number;
  /** The starter ends when it had no guest for so long. */
  idleMs: number;
}

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
    const starter = (this.#starter ??= this.#start());
    if (!this.#ready) return;
    while (this.#starting < this.#options.parallelStarts) {
      const waiting = this.#waiters.shift();
      if (waiting === undefined) return;
      this.#starting++;
      const begun = (guest: Guest | undefined, status: number, stderr: string): void => {
        this.#starting--;
        const reason = stderr.trim() || "the engine could not be started";
        waiting.waiter(guest, reason, status);
        // Later: a starter that is being lost fails all that it was making first.
        setImmediate(() => this.#serve());
      };
      starter.fork(begun, JSON.stringify(waiting.order));
    }
  }

  #rest(): void {
    if (this.#starter?.guestCount === 0) this.#starter.kill();
  }

  #start(): Zygote {
    const { enginePath, bundlePath, programsPath } = this.#options;
    const starter = new Zygote({
      kind: "starter",
      enginePath,
      bundlePath,
      programsPath,
      lost: (reason) => this.#lost(reason),
      ending: () => undefined,
      reaped: () => this.#serve(),
      stale: () => undefined,
    });
    starter.ready.then(
      () => {
        this.#ready = true;
        this.#serve();
      },
      () => undefined,
    );
    return starter;
  }

  #lost(reason: string): void {
    const served = this.#ready;
    this.#starter = undefined;
    this.#ready = false;
    // One that never came up would not come up for the next, either.
    if (!served) for (const { waiter } of this.#waiters.drain()) waiter(undefined, reason, -1);
    this.#serve();
  }
}
