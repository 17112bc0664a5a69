/**
 * Owns what a process has in memory before a program is in it: where its own use begins, and the least that it can
 * have had at its highest.
 *
 * Guests of one zygote begin alike: of those that come fast, one is looked at for all. Untrusted: nothing is read that a
 * guest can write.
 */
import { statusNumber, statusOf } from "./process-status.js";

export interface RestingMemory {
  readonly anonymousBytes: number;
  readonly peakBytes: number;
}

/** What a zygote has grown by meanwhile is small beside what a guest may have. */
const goodForMs = 250;

export const unknownMemory: RestingMemory = Object.freeze({ anonymousBytes: 0, peakBytes: 0 });

/** Of a process that is no fork of a zygote, or a copy of a template that grew as it pleased. */
export function restingMemory(pid: number): RestingMemory {
  const status = statusOf(pid);
  return {
    anonymousBytes: statusNumber(status, "RssAnon"),
    peakBytes: statusNumber(status, "VmHWM"),
  };
}

/** Of the guests that one process forks by itself. */
export class RestingGuests {
  #last = unknownMemory;
  #lookedAtMs = -Infinity;

  /** Of a guest that has just become ready. */
  of(pid: number): RestingMemory {
    const nowMs = performance.now();
    if (nowMs - this.#lookedAtMs > goodForMs) {
      this.#last = restingMemory(pid);
      this.#lookedAtMs = nowMs;
    }
    return this.#last;
  }
}
