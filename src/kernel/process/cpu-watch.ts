/**
 * Owns the watch over one OS process's processor time.
 *
 * Invariant: it looks again no later than the limit can have been reached with
 * every processor busy for it, so no process runs far over its limit.
 * Untrusted: nothing; the OS counts.
 */
import { availableParallelism } from "node:os";
import type { Guest } from "../../launcher/fork.js";

/** The OS counts in steps of 10 ms; looking more often shows nothing new. */
const shortestWaitMs = 10;

export class CpuWatch {
  readonly #guest: Guest;
  readonly #limitMs: number;
  readonly #over: () => void;
  /** What it took before it was given a program. */
  readonly #baseMs: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(guest: Guest, limitMs: number, over: () => void) {
    this.#guest = guest;
    this.#limitMs = limitMs;
    this.#over = over;
    this.#baseMs = guest.cpuTimeMs() ?? 0;
    this.#wait(limitMs);
  }

  #wait(leftMs: number): void {
    const waitMs = Math.max(leftMs / availableParallelism(), shortestWaitMs);
    this.#timer = setTimeout(() => this.#look(), Math.min(waitMs, 2 ** 31 - 1)).unref();
  }

  #look(): void {
    const takenMs = this.#guest.cpuTimeMs();
    // It is gone; its end is being reported.
    if (takenMs === undefined) return;
    const leftMs = this.#limitMs - (takenMs - this.#baseMs);
    if (leftMs <= 0) this.#over();
    else this.#wait(leftMs);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
