/**
 * Owns when a call of a host tool begins: a few per turn of the host's event loop, and runtimes
 * in turn, so that a program that makes thousands of calls holds up neither the results of
 * other machines' programs, which come over the same socket, nor their calls.
 *
 * Invariants: calls begin at once unless many came in the same turn; of one runtime's calls each begins in order.
 */
import { RoundRobin } from "../protocol/round-robin.js";

/** A handful takes less than a millisecond unless handlers work at length themselves. */
export const callsPerTurn = 8;

export class ToolTurns {
  readonly #waiting = new RoundRobin<() => void>();
  /** Calls that have begun in this turn. */
  #begun = 0;

  /** Runs `begin` when it is the owner's turn; answers how to wait no longer. */
  enter(owner: object, begin: () => void): () => void {
    if (this.#begun < callsPerTurn && this.#waiting.size === 0) {
      this.#take(begin);
      return () => undefined;
    }
    this.#waiting.push(owner, begin);
    return () => void this.#waiting.delete(owner, begin);
  }

  #take(begin: () => void): void {
    if (this.#begun++ === 0) setImmediate(() => this.#turn());
    begin();
  }

  #turn(): void {
    this.#begun = 0;
    while (this.#begun < callsPerTurn) {
      const next = this.#waiting.shift();
      if (next === undefined) break;
      this.#take(next);
    }
  }
}

/** One for all runtimes of this host: they share its event loop. */
export const toolTurns = new ToolTurns();
