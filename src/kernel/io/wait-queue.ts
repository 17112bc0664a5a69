/**
 * Owns who waits for one thing to change: bytes in a pipe, room in it, a connection.
 *
 * Invariants: a waiter is woken at most once per registration, in order of
 * arrival; waking never throws into the one who woke.
 */
interface Waiter {
  readonly wake: () => void;
  readonly take: Take | undefined;
}

/** Takes bytes that are the caller's, and answers how many. */
export type Take = (data: Uint8Array) => number;

export class WaitQueue {
  /** Made when somebody waits, which in most queues nobody ever does. */
  #waiters: Set<Waiter> | undefined;
  /** The last who takes bytes where they lie. */
  #taker: Waiter | undefined;

  get size(): number {
    return this.#waiters?.size ?? 0;
  }

  /** Runs `wake` once, at the next `wakeAll`. Answers how to stop waiting. `take` is asked by `offer`. */
  add(wake: () => void, take?: Take): () => void {
    const waiter: Waiter = { wake, take };
    (this.#waiters ??= new Set()).add(waiter);
    if (take !== undefined) this.#taker = waiter;
    return () => {
      this.#waiters?.delete(waiter);
      if (this.#taker === waiter) this.#taker = undefined;
    };
  }

  /** What they wait for, for one who waits alone: how much of it he has taken, who waits on. Nobody is woken. */
  offer(data: Uint8Array): number {
    if (this.#taker === undefined || this.#waiters?.size !== 1) return 0;
    return this.#taker.take!(data);
  }

  /** Everybody looks again; who still has to wait adds itself anew. */
  wakeAll(): void {
    if (this.#waiters === undefined || this.#waiters.size === 0) return;
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    this.#taker = undefined;
    for (const waiter of waiters) waiter.wake();
  }
}
