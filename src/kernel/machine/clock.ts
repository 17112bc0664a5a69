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
