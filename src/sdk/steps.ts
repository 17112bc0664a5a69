/**
 * Owns how long work over a guest's data may keep the host's event loop: such work
 * is a generator that yields often, and this file decides when others get a turn.
 *
 * Invariants: `inSteps` holds the loop for one slice and what the generator does
 * between two yields; `atOnce` never lets go. Both answer the same value.
 */
import { performance } from "node:perf_hooks";
import { setImmediate as turn } from "node:timers/promises";

/** Milliseconds of work before others get a turn. */
const sliceMs = 8;

export type Steps<T> = Generator<undefined, T, undefined>;

export function atOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** Rejects with what the generator throws. */
export async function inSteps<T>(steps: Steps<T>): Promise<T> {
  let started = performance.now();
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    if (performance.now() - started < sliceMs) continue;
    await turn();
    started = performance.now();
  }
}

/** For loops that wait for what is there already: they would never let go of the event loop by themselves. */
export class Breath {
  #startedMs = performance.now();

  /** Gives others a turn when the slice is over. */
  async take(): Promise<void> {
    if (performance.now() - this.#startedMs < sliceMs) return;
    await turn();
    this.#startedMs = performance.now();
  }
}
