/**
 * Owns how often a run may ask the kernel for something: who asks more often waits.
 *
 * Invariant: over any second a run gets at most its rate and what a tenth of a second allows at once.
 * Untrusted: when requests come.
 */

/** How much of what it did not use a run may use at once. */
const burstMs = 100;
/** setTimeout counts in these. */
const leastPauseMs = 1;

export class RequestRate {
  readonly #costMs: number;
  /** Until when what came so far has used the rate up. */
  #dueMs = 0;

  constructor(perSecond: number) {
    this.#costMs = 1000 / perSecond;
  }

  /** One request was served. */
  served(): void {
    this.#dueMs = Math.max(this.#dueMs, performance.now() - burstMs) + this.#costMs;
  }

  /** How long the next one has to wait; 0 when it may come now. */
  get pauseMs(): number {
    const pause = this.#dueMs - performance.now();
    return pause < leastPauseMs ? 0 : pause;
  }
}
