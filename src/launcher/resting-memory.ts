/**
 * Owns what a process has in memory before a program is in it: where its own use begins, and the least that it can
 * have had at its highest.
 *
 * Guests of one zygote begin alike: of those that come fast, one is looked at for all. Untrusted: nothing is read that a
 * guest can write.
 */
import { readFileSync } from "node:fs";

export interface RestingMemory {
  readonly anonymousBytes: number;
  readonly peakBytes: number;
}

/** What a zygote has grown by meanwhile is small beside what a guest may have. */
const goodForMs = 250;

const unknown: RestingMemory = Object.freeze({ anonymousBytes: 0, peakBytes: 0 });

function restingMemory(pid: number): RestingMemory {
  try {
    const text = readFileSync(`/proc/${pid}/status`, "latin1");
    const field = (name: string): number =>
      Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text)?.[1] ?? 0) * 1024;
    return { anonymousBytes: field("RssAnon"), peakBytes: field("VmHWM") };
  } catch {
    return unknown;
  }
}

/** Of the guests that one process forks by itself. */
export class RestingGuests {
  #last = unknown;
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

/** Of a process that is no fork of a zygote, or a copy of a template that grew as it pleased. */
export const restingAlone = restingMemory;
