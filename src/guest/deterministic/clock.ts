/**
 * Owns the clock of a deterministic run: it moves when somebody looks at it, with every turn of the
 * event loop, and to the next timer when there is nothing else to do. Real time has no part in it.
 *
 * Invariant: it never goes back. It protects nothing.
 */
import type { EngineClock } from "../../sandbox/engine-clock.js";
import type { Clocks } from "../timing.js";

/** A look takes this long, so that a loop that waits for a time comes to an end. */
const lookNs = 1_000;
/** A turn of the event loop in which something ran; one that waits in turns gets to its timers. */
const turnNs = 10_000;
/** What the monotonic clock says at the start; of a machine that has been up for a while. */
const bootNs = 1_000_000_000_000;
const nsPerMs = 1_000_000;

export class RunClock implements Clocks {
  readonly #startMs: number;
  readonly #startNs: bigint;
  readonly #engine: EngineClock;
  /** What the engine's monotonic clock said at its own start, from which it counts. */
  readonly #engineOriginNs: bigint;
  /** Since the start; exact in a double for 104 days. */
  #elapsedNs = 0;

  constructor(startTimeMs: number, engine: EngineClock, engineOriginNs: bigint) {
    this.#startMs = startTimeMs;
    this.#startNs = BigInt(startTimeMs) * BigInt(nsPerMs);
    this.#engine = engine;
    this.#engineOriginNs = engineOriginNs;
    this.#passed(0);
  }

  #passed(ns: number): number {
    this.#elapsedNs += ns;
    const elapsedNs = BigInt(this.#elapsedNs);
    this.#engine.set(this.#engineOriginNs + elapsedNs, this.#startNs + elapsedNs);
    return this.#elapsedNs;
  }

  #look(): number {
    return this.#passed(lookNs);
  }

  turned(): void {
    this.#passed(turnNs);
  }

  /** Milliseconds since the start as timers count them, without moving it. */
  get timerMs(): number {
    return Math.floor(this.#elapsedNs / nsPerMs);
  }

  /** Milliseconds since the epoch, without moving it. */
  get epochMs(): number {
    return this.#startMs + this.timerMs;
  }

  /** Goes on to a time of `timerMs`, unless it is past. */
  advanceTo(timerMs: number): void {
    this.#passed(Math.max(0, timerMs * nsPerMs - this.#elapsedNs));
  }

  sleep(milliseconds: number): void {
    this.#passed(Math.max(0, Math.ceil(milliseconds * nsPerMs)));
  }

  now(): number {
    return Math.floor(this.#startMs + this.#look() / nsPerMs);
  }

  elapsedMs(): number {
    return this.#look() / nsPerMs;
  }

  nanoseconds(): bigint {
    return BigInt(bootNs + this.#look());
  }

  uptimeSeconds(): number {
    return this.#look() / 1e9;
  }
}
