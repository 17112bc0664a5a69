/**
 * Owns the question "how many guests should wait ahead?". The answer is the largest burst of late:
 * the most young programs that were under way together. It is a count and no rate, so it asks
 * the same on a slow machine as on a fast one: what runs one after the other makes a burst of one.
 *
 * Invariants: the answer lies between `few` and `most`; each `fallMs` without such a burst halve it.
 */
export interface DemandOptions {
  /** Guests that wait when nothing has happened for long. */
  few: number;
  /** Guests that wait at most, whatever happened. */
  most: number;
  /** A program that is older is no part of a burst: it holds its guest for good. */
  youngMs: number;
  /** A burst keeps its guests waiting for so long. */
  fallMs: number;
}

/** One program, from when it asked for a guest; `Demand.ends` takes it back. */
export interface Asked {
  readonly atMs: number;
}

export class Demand {
  readonly #options: DemandOptions;
  /** Oldest first; a Set keeps the order. Never more than `most` of them. */
  readonly #young = new Set<Asked>();
  #ahead: number;
  /** When `#ahead` was last seen needed, or fell. */
  #sinceMs = 0;

  constructor(options: DemandOptions) {
    this.#options = options;
    this.#ahead = options.few;
  }

  /** A program asks for a guest now. `nowMs` is a clock that never goes back. */
  begins(nowMs: number): Asked {
    const { few, most, youngMs } = this.#options;
    this.#fall(nowMs);
    const asked = { atMs: nowMs };
    for (const other of this.#young) {
      if (other.atMs > nowMs - youngMs && this.#young.size < most) break;
      this.#young.delete(other);
    }
    this.#young.add(asked);
    const burst = Math.max(few, Math.min(most, this.#young.size));
    if (burst >= this.#ahead) {
      this.#ahead = burst;
      this.#sinceMs = nowMs;
    }
    return asked;
  }

  /** Its program has ended, or waits no longer. Idempotent. */
  ends(asked: Asked): void {
    this.#young.delete(asked);
  }

  /** How many guests should wait ahead. */
  ahead(nowMs: number): number {
    this.#fall(nowMs);
    return this.#ahead;
  }

  /** Milliseconds until `ahead` falls if nothing happens; undefined when it is at its least. */
  fallsInMs(nowMs: number): number | undefined {
    this.#fall(nowMs);
    const { few, fallMs } = this.#options;
    return this.#ahead > few ? this.#sinceMs + fallMs - nowMs : undefined;
  }

  #fall(nowMs: number): void {
    const { few, fallMs } = this.#options;
    while (this.#ahead > few && nowMs - this.#sinceMs >= fallMs) {
      this.#ahead = Math.max(few, this.#ahead >> 1);
      this.#sinceMs += fallMs;
    }
  }
}
