/**
 * Owns what time it is in a machine: for its files, its processes' starts and its uptime. That is the
 * host's time, but in a deterministic machine, where the one process says what it is for itself.
 *
 * Untrusted: what that process says. It may date its files as it likes in any case; see utimes(2).
 */
export class MachineClock {
  #nowMs: number | undefined;

  /** With `startMs`, a clock that stands until it is set. */
  constructor(startMs?: number) {
    this.#nowMs = startMs;
  }

  get nowMs(): number {
    return this.#nowMs ?? Date.now();
  }

  /** Does nothing to a clock that goes by itself, nor with what is no time. */
  set(nowMs: number): void {
    // ECMA-262, 21.4.1.1: the range of a time value.
    if (this.#nowMs !== undefined && Math.abs(nowMs) <= 8.64e15) this.#nowMs = nowMs;
  }
}

/** How long the host's clocks are taken to differ by the same. */
const sameForMs = 1000;
let [lookedAtMs, epochAtMs] = [Number.NEGATIVE_INFINITY, 0];

/**
 * The host's time at a moment of `performance.now` that was just now, or at this moment. The engine's way to the host's time costs
 * a microsecond where it is not in the processor's caches, so it is gone once a second; whoever sets the host's
 * clock is followed that late, and the answer is up to a millisecond early.
 */
export function epochMs(moment: number | undefined): number {
  if (moment === undefined) return Date.now();
  if (Math.abs(moment - lookedAtMs) > sameForMs) {
    lookedAtMs = performance.now();
    epochAtMs = Date.now();
  }
  return Math.floor(epochAtMs + (moment - lookedAtMs));
}
