/**
 * Owns when a call of a host tool begins: one per turn of the host's event loop while others wait, and
 * runtimes in turn, so that a program that makes thousands of calls holds up neither the results of
 * other machines' programs, which come over the same socket, nor their calls.
 *
 * Invariants: a call that comes alone begins at once; of one runtime's calls each begins in order.
 */
import { RoundRobin } from "../protocol/round-robin.js";

export class ToolTurns {
  readonly #waiting = new RoundRobin<() => void>();
  /** A call has begun in this turn. */
  #taken = false;

  /** Runs `begin` when it is the owner's turn; answers how to wait no longer. */
  enter(owner: object, begin: () => void): () => void {
    if (this.#taken) {
      this.#waiting.push(owner, begin);
      return () => void this.#waiting.delete(owner, begin);
    }
    this.#take(begin);
    return () => undefined;
  }

  #take(begin: () => void): void {
    this.#taken = true;
    setImmediate(() => {
      this.#taken = false;
      const next = this.#waiting.shift();
      if (next !== undefined) this.#take(next);
    });
    begin();
  }
}

/** One for all runtimes of this host: they share its event loop. */
export const toolTurns = new ToolTurns();
