/**
 * Owns the guests of one kind that were forked ahead, and the queue of those who wait for one. A guest that may
 * load native addons is of another kind than one that may not: what it is locked down with was decided at its fork.
 *
 * Invariants: a guest is handed out once; every other one goes to the owner who has the fewest, the others to owners
 * in turn, each owner's waiters in order.
 */
import { RoundRobin } from "../protocol/round-robin.js";
import { Demand } from "./demand.js";
import type { Asked, DemandOptions } from "./demand.js";
import type { Guest } from "./fork.js";

export type Waiter = (guest: Guest | undefined, reason: string) => void;

export interface Waiting {
  readonly owner: object;
  readonly waiter: Waiter;
  readonly asked: Asked;
}

export class Lane {
  /** Whether its guests may load native addons. */
  readonly addons: boolean;
  readonly demand: Demand;
  readonly waiters = new RoundRobin<Waiting>();
  idle: Guest[] = [];
  /** Guests of this kind that are being forked. */
  forking = 0;
  /** How many there are whose programs come from here. */
  #expected = 0;
  #servesFewest = false;

  constructor(addons: boolean, demand: DemandOptions) {
    this.addons = addons;
    // Somebody always may want one of the others.
    const few = (): number => (!addons || this.#expected > 0 ? demand.few : 0);
    this.demand = new Demand({
      ...demand,
      get few() {
        return few();
      },
    });
  }

  /** From now on a few guests wait, until what this answers is called for everybody who called it. */
  expect(): () => void {
    this.#expected++;
    this.demand.ends(this.demand.begins(performance.now()));
    return () => void this.#expected--;
  }

  /** Whose turn it is to get a guest. */
  nextWaiting(inUse: (owner: object) => number): Waiting | undefined {
    this.#servesFewest = !this.#servesFewest;
    if (!this.#servesFewest) return this.waiters.shift();
    return this.waiters.shiftLowest(inUse);
  }

  /** How many guests there should be that have no program. */
  wanted(nowMs: number): number {
    return this.waiters.size + this.demand.ahead(nowMs);
  }

  /** `guest` has ended; whether it waited here. */
  loses(guest: Guest): boolean {
    const kept = this.idle.filter((other) => other !== guest);
    const waited = kept.length < this.idle.length;
    this.idle = kept;
    return waited;
  }

  /** Fails everybody who waits. */
  refuse(reason: string): void {
    for (const { waiter, asked } of this.waiters.drain()) {
      this.demand.ends(asked);
      waiter(undefined, reason);
    }
  }
}
