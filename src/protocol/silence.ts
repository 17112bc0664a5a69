/**
 * Owns how long the other end of a socket may say nothing while an answer of it is awaited.
 *
 * Invariants: only time in which this process could have heard something counts, so a pause of
 * this process itself (a blocked event loop, SIGSTOP, a suspended machine) is no silence of the
 * other; `broken` runs at most once; nothing here keeps a process alive.
 */

/** How often it is looked, per allowed silence. */
const looks = 10;

export interface SilenceOptions {
  limitMs: number;
  /** Asks the other end for a sign of life; the answer goes to `heard` like all that comes. */
  ask(): void;
  /** It has said nothing for `limitMs`. */
  broken(): void;
}

export class Silence {
  readonly #options: SilenceOptions;
  readonly #everyMs: number;
  #timer: NodeJS.Timeout | undefined;
  #lookedAtMs = 0;
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
    this.#silentMs += Math.min(performance.now() - this.#lookedAtMs, this.#everyMs * 1.5);
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
