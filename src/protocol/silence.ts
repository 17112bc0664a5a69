/**
 * Owns how long the other end of a socket may say nothing while an answer of it is awaited.
 *
 * Invariants: only time in which this process could have heard something counts, so a pause of
 * this process itself (a blocked event loop, SIGSTOP, a suspended machine) is no silence of the
 * other; nor is time in which the other waited for a processor, but for a part, so that the end
 * comes on the busiest machine, too; `broken` runs at most once; nothing here keeps a process alive.
 */
import { readFileSync } from "node:fs";

/** How often it is looked, per allowed silence. */
const looks = 10;
/** Of the time in which the other waits for a processor, this part counts. */
const waitingCounts = 1 / 6;

/**
 * How long the main thread of a process has been ready to run and was not run, in milliseconds;
 * the second number of /proc/<pid>/schedstat, Documentation/scheduler/sched-stats.rst. 0 where
 * the machine does not say.
 */
export function processorWaitMs(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/schedstat`, "latin1").split(" ")[1] ?? 0) / 1e6;
  } catch {
    return 0;
  }
}

export interface SilenceOptions {
  limitMs: number;
  /** Asks the other end for a sign of life; the answer goes to `heard` like all that comes. */
  ask(): void;
  /** It has said nothing for `limitMs`. */
  broken(): void;
  /** How long it has waited for a processor so far, in milliseconds. */
  waitedMs?(): number;
}

export class Silence {
  readonly #options: SilenceOptions;
  readonly #everyMs: number;
  #timer: NodeJS.Timeout | undefined;
  #lookedAtMs = 0;
  #waitedMs = 0;
  #silentMs = 0;
  #asked = false;
  #broken = false;

  constructor(options: SilenceOptions) {
    this.#options = options;
    this.#everyMs = options.limitMs / looks;
  }

  /** Something came. */
  heard(): void {
    this.#silentMs = 0;
    this.#asked = false;
  }

  /** Whether something is awaited from now on. */
  awaits(anything: boolean): void {
    if (!anything || this.#broken) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      return;
    }
    if (this.#timer !== undefined) return;
    this.heard();
    this.#lookLater();
  }

  #lookLater(): void {
    this.#lookedAtMs = performance.now();
    this.#timer = setTimeout(() => this.#look(), this.#everyMs).unref();
  }

  #look(): void {
    // Timers run before what has arrived is read: one look counts for one look's time at most.
    const passedMs = Math.min(performance.now() - this.#lookedAtMs, this.#everyMs * 1.5);
    // Since the last look, whenever that was: the first one may count less, so that one answer in time costs nothing.
    const allWaitedMs = this.#options.waitedMs?.() ?? 0;
    const waitedMs = allWaitedMs - this.#waitedMs;
    this.#waitedMs = allWaitedMs;
    this.#silentMs += Math.max(passedMs - Math.max(waitedMs, 0), passedMs * waitingCounts);
    if (this.#silentMs >= this.#options.limitMs) {
      this.#broken = true;
      this.#timer = undefined;
      return this.#options.broken();
    }
    if (!this.#asked) {
      this.#asked = true;
      this.#options.ask();
    }
    this.#lookLater();
  }
}
