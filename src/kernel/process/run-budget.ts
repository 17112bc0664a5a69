/**
 * Owns what a program of the host and all it starts may use together, and what they have used: the
 * limits of the run, CPU time and wall-clock time held to them, and the run's bill.
 *
 * What the OS process of a program took before the program was in it is on the bill, as Linux counts it, and no part of
 * any limit.
 *
 * Invariants: no timer is left once nothing of the run is alive; what ended processes used stays
 * on the account; no limit of a run is above that of its machine. CPU time is read from the OS, so nothing a guest does or says changes it; how
 * far a run gets over its limit is bounded by the pause between two looks.
 */
import { availableParallelism } from "node:os";
import type { VmLimits } from "../../protocol/limits.js";
import type { Usage } from "../../protocol/usage.js";
import { processCpuTimeMs } from "../../sandbox/libc.js";
import { LearnedRequests } from "../policy/learned.js";
import type { Policy } from "../policy/policy.js";
import type { Bill } from "./bill.js";
import { RequestRate } from "./request-rate.js";
import { peakMemoryOf } from "./usage.js";

/** Often enough for a limit of a second, rare enough to cost nothing. */
const shortestPauseMs = 20;
const longestPauseMs = 1000;
const cores = availableParallelism();

/** A process of the run as the budget needs it. */
export interface BudgetMember {
  /** Ends it for good. */
  exceed(errorCode: string, errorMessage: string): void;
  /** It was seen to have had this much in memory at its highest, and has so much of its own now. */
  reached(peakBytes: number, ownBytes: number): void;
}

interface Account {
  osPid: number;
  /** What the OS process had used before the program was in it, and how much of that others have paid for. */
  baseMs: number;
  paidMs: number;
  usedMs: number;
}

export class RunBudget {
  /** Of the run: those of the VM, or lower ones. */
  readonly limits: VmLimits;
  readonly bill: Bill;
  /** What the run may do: what its machine may, or less. */
  readonly policy: Policy;
  readonly #accounts = new Map<BudgetMember, Account>();
  #endedMs = 0;
  #startedAtMs: number | undefined;
  #resting = false;
  #cpuTimer: NodeJS.Timeout | undefined;
  #wallTimer: NodeJS.Timeout | undefined;

  /** How often it may ask the kernel for something, if that is limited. */
  readonly rate: RequestRate | undefined;
  /** What it was found to need, where the machine learns. */
  readonly learned: LearnedRequests | undefined;
  #processes = 0;

  constructor(limits: VmLimits, bill: Bill, policy: Policy) {
    this.limits = limits;
    this.bill = bill;
    this.policy = policy;
    this.learned = policy.mode === "learn" ? new LearnedRequests() : undefined;
    const { systemCallsPerSecond } = limits;
    this.rate = systemCallsPerSecond > 0 ? new RequestRate(systemCallsPerSecond) : undefined;
  }

  /** Whether the run has all processes that it may have at one time. */
  get isFull(): boolean {
    return this.#processes >= this.limits.processes;
  }

  /** A process of the run came to be. */
  began(): void {
    this.#processes++;
    this.bill.count("processes");
    this.bill.count("threads");
  }

  /** One of them has ended. */
  finished(): void {
    this.#processes--;
  }

  /** What is left of the run only waits to be used: wall-clock time does not count any more. */
  rests(): void {
    clearTimeout(this.#wallTimer);
    this.#resting = true;
  }

  /** How long it has been running. */
  get wallTimeMs(): number {
    if (this.#startedAtMs === undefined || this.#resting) return 0;
    return performance.now() - this.#startedAtMs;
  }

  /** A process of the run got its OS process, which had used `paidMs` for others. */
  join(member: BudgetMember, osPid: number, paidMs = 0): void {
    const { cpuTimeMs, wallTimeMs } = this.limits;
    // Negative where there is no such process any more.
    const baseMs = Math.max(paidMs, processCpuTimeMs(osPid));
    this.#accounts.set(member, { osPid, baseMs, paidMs, usedMs: 0 });
    this.#startedAtMs ??= performance.now();
    if (wallTimeMs > 0 && this.#wallTimer === undefined && !this.#resting) {
      const left = this.#startedAtMs + wallTimeMs - performance.now();
      this.#wallTimer = setTimeout(
        () =>
          this.#exceed(
            "ERR_SECURE_EXEC_WALL_TIME_LIMIT",
            `the program ran for more than ${wallTimeMs} ms; limits.wallTimeMs allows more`,
          ),
        Math.max(0, left),
      );
    }
    if (cpuTimeMs > 0 && this.#cpuTimer === undefined) this.#look();
  }

  /** A process of the run has ended; its OS process may be there still. */
  leave(member: BudgetMember): void {
    const account = this.#accounts.get(member);
    if (account === undefined) return;
    const usedMs = this.#read(account);
    this.#endedMs += usedMs;
    this.bill.ended(account.baseMs - account.paidMs + usedMs);
    this.#accounts.delete(member);
    if (this.#accounts.size > 0) return;
    clearTimeout(this.#cpuTimer);
    clearTimeout(this.#wallTimer);
    this.#cpuTimer = undefined;
    this.#wallTimer = undefined;
  }

  /** Looks while the OS process of `member` is there for the last time. */
  measure(member: BudgetMember): void {
    const account = this.#accounts.get(member);
    if (account === undefined) return;
    this.#read(account);
    this.bill.reached(peakMemoryOf(account.osPid));
  }

  /** CPU time of one process of the run so far. */
  cpuTimeOf(member: BudgetMember): number {
    const account = this.#accounts.get(member);
    return account === undefined ? 0 : this.#read(account);
  }

  /** What the run has used so far. */
  usage(): Usage {
    let livingMs = 0;
    for (const account of this.#accounts.values()) {
      livingMs += account.baseMs - account.paidMs + this.#read(account);
      this.bill.reached(peakMemoryOf(account.osPid));
    }
    return this.bill.usage(livingMs);
  }

  /** CPU time of everything in the run so far. */
  get cpuTimeMs(): number {
    let total = this.#endedMs;
    for (const account of this.#accounts.values()) total += this.#read(account);
    return total;
  }

  #read(account: Account): number {
    const now = processCpuTimeMs(account.osPid);
    // Negative once the OS process is gone; then the last look counts.
    if (now >= 0) account.usedMs = Math.max(account.usedMs, now - account.baseMs);
    return account.usedMs;
  }

  #look(): void {
    const { cpuTimeMs } = this.limits;
    const left = cpuTimeMs - this.cpuTimeMs;
    if (left <= 0) {
      this.#exceed(
        "ERR_SECURE_EXEC_CPU_TIME_LIMIT",
        `the program used more than ${cpuTimeMs} ms of CPU time; limits.cpuTimeMs allows more`,
      );
      return;
    }
    // Sooner the run cannot have used up what is left.
    const pause = Math.min(longestPauseMs, Math.max(shortestPauseMs, left / cores));
    this.#cpuTimer = setTimeout(() => this.#look(), pause);
  }

  #exceed(errorCode: string, errorMessage: string): void {
    for (const member of Array.from(this.#accounts.keys())) member.exceed(errorCode, errorMessage);
  }
}
