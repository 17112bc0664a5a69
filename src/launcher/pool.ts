/**
 * Owns the guests that were forked ahead and the queue of those who wait for one.
 *
 * Invariants: every other guest goes to the owner who has the fewest, the others to owners in turn, each
 * owner's waiters in order: who asks for one at a time does not wait for those who ask for hundreds,
 * and nobody waits for ever; as many blank guests as
 * demand.ts says exist beside them, or fewer; a zygote that is lost is replaced once somebody
 * needs it, and everybody waiting on it is told.
 */
import type { IsolationReport } from "../protocol/isolation.js";
import { RoundRobin } from "../protocol/round-robin.js";
import type { Spawner } from "../sandbox/spawner.js";
import { Demand } from "./demand.js";
import type { Asked, DemandOptions } from "./demand.js";
import { Zygote } from "./fork.js";
import type { Guest, PageSavings, TemplateGuest } from "./fork.js";

export interface PoolOptions {
  /** What starts zygotes. */
  spawner: Spawner;
  /** How many blank guests are kept ready. */
  demand: DemandOptions;
  /** Forks under way at once while somebody waits; more would only take turns on the CPU. */
  parallelForks: number;
  /** How long a replacement waits for the program to end that took a guest. */
  refillDelayMs: number;
  /** After so many forks, or so long, a zygote is replaced while it still serves. */
  recycleForks: number;
  recycleMs: number;
}

export type Waiter = (guest: Guest | undefined, reason: string) => void;

export type TemplateGuestWaiter = (made: TemplateGuest | string) => void;

interface Waiting {
  readonly owner: object;
  readonly waiter: Waiter;
  readonly asked: Asked;
}

export class GuestPool {
  readonly #options: PoolOptions;
  #zygote: Zygote | undefined;
  #zygoteReady = false;
  #isolation: readonly IsolationReport[] = [];
  #idle: Guest[] = [];
  readonly #waiters = new RoundRobin<Waiting>();
  /** Who wants a guest that may become a template; those are forked when they are wanted. */
  readonly #templateWaiters = new Set<TemplateGuestWaiter>();
  readonly #demand: Demand;
  /** What each guest in use was asked for by. */
  readonly #asked = new WeakMap<Guest, Waiting>();
  /** How many guests each owner has in use. */
  readonly #inUse = new WeakMap<object, number>();
  #servesFewest = false;
  #forking = 0;
  #lastLoss = "";
  #failures = 0;
  #typeScript = false;
  #refill: NodeJS.Timeout | undefined;
  #fall: NodeJS.Timeout | undefined;
  /** The zygote wants a moment without guests; it has it and is not to be asked for any. */
  #stale = false;
  #measuring = false;
  /** The next zygote, on its way up. */
  #successor: Zygote | undefined;
  /** Former zygotes whose last guest has not ended. */
  readonly #retired = new Set<Zygote>();
  #forks = 0;
  #servesSinceMs = 0;
  /** Guests that were ended for it and are not reaped yet. */
  #dropped = 0;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#demand = new Demand(options.demand);
  }

  get zygotePid(): number {
    return this.#zygote?.pid ?? 0;
  }

  get idleCount(): number {
    return this.#idle.length;
  }

  /** What guests are confined by, as the latest zygote that came up says. */
  get isolation(): IsolationReport[] {
    return [...this.#isolation];
  }

  get savings(): PageSavings | undefined {
    return this.#zygote?.savings;
  }

  get guestPids(): number[] {
    const zygotes = [...this.#retired, ...(this.#zygote === undefined ? [] : [this.#zygote])];
    return zygotes.flatMap(({ guestPids }) => guestPids);
  }

  /** Starts the zygote; resolves when it can fork. */
  async start(): Promise<void> {
    await this.#ensureZygote().ready;
  }

  /** A TypeScript program was run: guests forked from now on should have its compiler. */
  expectTypeScript(): void {
    if (this.#typeScript) return;
    this.#typeScript = true;
    if (this.#zygoteReady) this.#zygote?.warmTypeScript();
  }

  /**
   * Gives `waiter` a locked-down blank guest, now or later, or `undefined` and the reason. Of
   * several owners each gets one after the other. Answers how to wait no longer.
   */
  take(owner: object, waiter: Waiter): () => void {
    const waiting = { owner, waiter, asked: this.#demand.begins(performance.now()) };
    this.#fallLater();
    const guest = this.#idle.shift();
    if (guest === undefined) {
      this.#waiters.push(owner, waiting);
      this.#fill();
      return () => {
        if (this.#waiters.delete(owner, waiting)) this.#demand.ends(waiting.asked);
      };
    }
    this.#hand(guest, waiting);
    // The program that was just handed its guest goes first: forking now would take its CPU.
    if (this.#idle.length > 0) this.#fillLater();
    else this.#fill();
    return () => undefined;
  }

  /** The same with a guest that may become a template, or the reason why there is none. */
  takeForTemplate(waiter: TemplateGuestWaiter): () => void {
    this.#templateWaiters.add(waiter);
    this.#fill();
    return () => this.#templateWaiters.delete(waiter);
  }

  #forkForTemplates(zygote: Zygote): void {
    for (const waiter of this.#templateWaiters) {
      this.#templateWaiters.delete(waiter);
      this.#forks++;
      zygote.forkTemplate(waiter);
    }
  }

  #hand(guest: Guest, waiting: Waiting): void {
    this.#asked.set(guest, waiting);
    this.#uses(waiting.owner, 1);
    waiting.waiter(guest, "");
  }

  #uses(owner: object, more: number): void {
    this.#inUse.set(owner, (this.#inUse.get(owner) ?? 0) + more);
  }

  /** Whose turn it is to get a guest. */
  #nextWaiting(): Waiting | undefined {
    this.#servesFewest = !this.#servesFewest;
    if (!this.#servesFewest) return this.#waiters.shift();
    return this.#waiters.shiftLowest((owner) => this.#inUse.get(owner) ?? 0);
  }

  /** Ends guests that wait for nobody once demand has fallen. */
  #fallLater(): void {
    const inMs = this.#demand.fallsInMs(performance.now());
    if (inMs === undefined || this.#fall !== undefined) return;
    this.#fall = setTimeout(() => {
      this.#fall = undefined;
      this.#end(this.#idle.length - this.#demand.ahead(performance.now()));
      this.#fallLater();
    }, inMs).unref();
  }

  /** Ends that many of the guests that wait, the ones that were forked last. */
  #end(count: number): void {
    if (count <= 0) return;
    const surplus = this.#idle.splice(-count);
    this.#dropped += surplus.length;
    for (const guest of surplus) guest.end();
  }

  /** Fails everybody who waits. */
  #refuse(reason: string): void {
    for (const { waiter, asked } of this.#waiters.drain()) {
      this.#demand.ends(asked);
      waiter(undefined, reason);
    }
    for (const waiter of this.#templateWaiters) waiter(reason);
    this.#templateWaiters.clear();
  }

  /** Fills once a guest has ended, or after a moment. */
  #fillLater(): void {
    this.#refill ??= setTimeout(() => this.#fill(), this.#options.refillDelayMs).unref();
  }

  #ensureZygote(): Zygote {
    if (this.#zygote !== undefined) return this.#zygote;
    const zygote = this.#startZygote();
    this.#zygote = zygote;
    this.#zygoteReady = false;
    zygote.ready.then(
      () => this.#serveFrom(zygote),
      () => undefined,
    );
    return zygote;
  }

  #startZygote(): Zygote {
    const zygote: Zygote = new Zygote({
      kind: "zygote",
      spawner: this.#options.spawner,
      lost: (reason) => this.#onLost(zygote, reason),
      ending: (guest) => {
        const waiting = this.#asked.get(guest);
        if (waiting === undefined) return;
        this.#demand.ends(waiting.asked);
        this.#uses(waiting.owner, -1);
      },
      reaped: () => (this.#retired.has(zygote) ? this.#endRetired(zygote) : this.#fill()),
      stale: () => {
        if (this.#zygote !== zygote) return;
        this.#stale = true;
        this.#fill();
      },
    });
    return zygote;
  }

  /** It is ready and the one that forks from now on. */
  #serveFrom(zygote: Zygote): void {
    this.#zygoteReady = true;
    this.#isolation = zygote.isolation;
    this.#failures = 0;
    this.#forks = 0;
    this.#servesSinceMs = performance.now();
    if (this.#typeScript) zygote.warmTypeScript();
    this.#fill();
  }

  /** Starts the next zygote beside the one that has served long enough; that one serves until it is ready. */
  #recycle(): void {
    const { recycleForks, recycleMs } = this.#options;
    const old = performance.now() - this.#servesSinceMs > recycleMs;
    if (this.#successor !== undefined || (this.#forks < recycleForks && !old)) return;
    const successor = this.#startZygote();
    this.#successor = successor;
    successor.ready.then(
      () => {
        if (this.#successor === successor) this.#succeed(successor);
      },
      () => undefined,
    );
  }

  #succeed(successor: Zygote): void {
    const former = this.#zygote;
    this.#successor = undefined;
    this.#zygote = successor;
    // What the former still forks comes to nobody; see #onForked.
    this.#forking = 0;
    this.#stale = this.#measuring = false;
    this.#dropped = 0;
    if (former !== undefined) {
      this.#retired.add(former);
      for (const guest of this.#idle.splice(0)) guest.end();
      this.#endRetired(former);
    }
    this.#serveFrom(successor);
  }

  /** Programs that run go on: their zygote ends with the last of them. */
  #endRetired(zygote: Zygote): void {
    if (zygote.guestCount === 0) zygote.kill();
  }

  #onLost(zygote: Zygote, reason: string): void {
    this.#retired.delete(zygote);
    if (this.#successor === zygote) {
      // The one that serves goes on for as long again.
      this.#successor = undefined;
      this.#forks = 0;
      this.#servesSinceMs = performance.now();
    }
    if (this.#zygote !== zygote) return;
    const started = this.#zygoteReady;
    this.#zygote = undefined;
    this.#zygoteReady = false;
    this.#stale = this.#measuring = false;
    this.#idle = [];
    this.#dropped = 0;
    this.#forking = 0;
    this.#lastLoss = reason;
    // One that never came up fails its waiters; one that was killed is simply replaced.
    if (!started || ++this.#failures > 3) {
      this.#refuse(reason);
    } else this.#fill();
  }

  #fill(): void {
    clearTimeout(this.#refill);
    this.#refill = undefined;
    const wantedNow = this.#waiters.size + this.#templateWaiters.size;
    if (wantedNow === 0 && this.#zygote === undefined) return;
    const zygote = this.#ensureZygote();
    if (!this.#zygoteReady || this.#measure(zygote)) return;
    this.#forkForTemplates(zygote);
    const wanted = this.#waiters.size + this.#demand.ahead(performance.now());
    // Those that nobody waits for leave the CPU to the programs that run.
    const parallel = (): number =>
      this.#waiters.size > this.#forking ? this.#options.parallelForks : 1;
    while (this.#forking < parallel() && this.#forking + this.#idle.length < wanted) {
      this.#forking++;
      this.#forks++;
      zygote.fork((guest) => this.#onForked(zygote, guest));
    }
    this.#recycle();
  }

  /** Gives a stale zygote its moment, once every guest is one that nobody has taken; true while it lasts. */
  #measure(zygote: Zygote): boolean {
    if (this.#measuring) return true;
    const wantedNow = this.#waiters.size + this.#templateWaiters.size;
    if (!this.#stale || this.#forking > 0 || wantedNow > 0) return false;
    const living = zygote.guestCount;
    if (living > this.#idle.length + this.#dropped) return false;
    // Those that wait would hide what they have not written yet. Their ends come back here.
    this.#end(this.#idle.length);
    if (living > 0) return true;
    this.#stale = false;
    this.#measuring = true;
    zygote.measure(() => {
      this.#measuring = false;
      this.#fill();
    });
    return true;
  }

  #onForked(zygote: Zygote, guest: Guest | undefined): void {
    if (this.#zygote !== zygote) {
      guest?.end();
      if (this.#retired.has(zygote)) this.#endRetired(zygote);
      return;
    }
    this.#forking--;
    if (guest === undefined) {
      if (++this.#failures > 8) {
        this.#failures = 0;
        this.#refuse(this.#lastLoss || "no guest could be forked");
        return;
      }
    } else {
      this.#failures = 0;
      guest.attachLoss(() => {
        const kept = this.#idle.filter((other) => other !== guest);
        if (kept.length === this.#idle.length) this.#dropped--;
        this.#idle = kept;
      });
      const waiting = this.#nextWaiting();
      if (waiting !== undefined) this.#hand(guest, waiting);
      else this.#idle.push(guest);
    }
    this.#fill();
  }
}
