/**
 * Owns how much of its thread's time the kernel gives to those VMs who ask for more than their part.
 *
 * Where nobody else wants the processors, that is all of it. Where the thread is kept from them in the
 * middle of its work, those who keep it busy are what others wait for, and no order of service helps:
 * the kernel then takes their work more slowly, their processes wait for answers, and leave the
 * processors to those who ask for little.
 *
 * Invariants: the pause is 0 unless several VMs are active; it is never more than `limits.pauseMs`.
 */
import { performance } from "node:perf_hooks";
import { threadCpuMs } from "../../sandbox/libc.js";
import { limits } from "../limits.js";

export class Pace {
  /** Between two turns of those who are over their part. */
  pauseMs = 0;
  #sampledAt = 0;
  #activeMs = 0;
  #cpuMs = 0;
  #seenCpuMs = 0;
  /** The part of all time that the thread was kept from a processor. */
  #keptOfAll = 0;
  /** VMs that were served in this period, and in the one before. */
  #served = 0;
  #servedBefore = 0;
  #period = 0;

  /** Marks a VM whose last mark was `period` as served; answers the mark. */
  mark(period: number): number {
    if (period !== this.#period) this.#served++;
    return this.#period;
  }

  /** Work for a VM begins: what the thread had of a processor before is not that work's. Not asked for while nobody is slowed down. */
  begin(): void {
    if (this.pauseMs > 0) this.#seenCpuMs = threadCpuMs();
  }

  /**
   * How much of `tookMs` the thread worked at most: a VM does not pay for the time that others took the
   * processor from the kernel. What is short is not asked for.
   */
  worked(tookMs: number): number {
    if (tookMs < limits.longFrameMs) return tookMs;
    const cpuMs = threadCpuMs();
    const workedMs = cpuMs - this.#seenCpuMs;
    this.#seenCpuMs = cpuMs;
    return Math.min(tookMs, workedMs);
  }

  /** VMs that share the thread. */
  get active(): number {
    return Math.max(this.#served, this.#servedBefore, 1);
  }

  /** Whether one VM has the thread for itself, and had lately. */
  get isOfOne(): boolean {
    return this.#served < 2 && this.#servedBefore < 2;
  }

  /** Part of the time that goes by which one VM has for itself: what others took the processor for is nobody's. */
  get rate(): number {
    return (1 - this.#keptOfAll) / this.active;
  }

  /** The same of one that is slowed down. */
  get pacedRate(): number {
    return (limits.turnMs / (limits.turnMs + this.pauseMs)) * this.rate;
  }

  sample(now: number): void {
    if (now - this.#sampledAt < limits.paceMs) return;
    const { active: activeMs } = performance.eventLoopUtilization();
    const cpuMs = threadCpuMs();
    const busyMs = activeMs - this.#activeMs;
    const usedMs = cpuMs - this.#cpuMs;
    // The part of its busy time that the thread was kept from a processor.
    const kept = busyMs < limits.paceMs / 4 ? 0 : 1 - usedMs / busyMs;
    const keptOfAll = Math.max(0, busyMs - usedMs) / (now - this.#sampledAt);
    this.#keptOfAll = Math.min(0.9, (this.#keptOfAll + keptOfAll) / 2);
    this.#servedBefore = Math.max(this.#served, this.#servedBefore * limits.paceMemory);
    this.#served = 0;
    this.#period++;
    // One alone is kept from nothing by anybody here.
    if (this.#servedBefore < 2) this.pauseMs = this.#keptOfAll = 0;
    else if (kept > limits.paceSlower)
      this.pauseMs = Math.min(limits.pauseMs, this.pauseMs * 2 || 1);
    else if (kept < limits.paceFaster) this.pauseMs = Math.max(0, this.pauseMs - 0.25);
    this.#sampledAt = now;
    this.#activeMs = activeMs;
    this.#cpuMs = this.#seenCpuMs = cpuMs;
  }
}
