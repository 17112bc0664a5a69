/**
 * Owns who waits for one thing to change: bytes in a pipe, room in it, a connection.
 *
 * Invariants: a waiter is woken at most once per registration, in order of
 * arrival; waking never throws into the one who woke.
 */
export class WaitQueue {
  /** Made when somebody waits, which in most queues nobody ever does. */
  #waiters: Set<{ wake: () => void }> | undefined;

  get size(): number {
    return this.#waiters?.size ?? 0;
  }

  /** Runs `wake` once, at the next `wakeAll`. Answers how to stop waiting. */
  add(wake: () => void): () => void {
    const waiter = { wake };
    (this.#waiters ??= new Set()).add(waiter);
    return () => void this.#waiters?.delete(waiter);
  }

  /** Everybody looks again; who still has to wait adds itself anew. */
  wakeAll(): void {
    if (this.#waiters === undefined || this.#waiters.size === 0) return;
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const waiter of waiters) waiter.wake();
  }
}
