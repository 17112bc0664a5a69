/**
 * Owns the zygote and the lanes of guests that come from it: those that may load native addons and those that may not.
 *
 * Invariants: who asks for one guest at a time does not wait for those who ask for hundreds, and nobody waits
 * for ever (lane.ts); as many blank guests as demand.ts says exist beside them, or fewer; a zygote that is lost is replaced once somebody
 * needs it, and everybody waiting on it is told; where there are no descriptors for another, those who wait are told
 * so and the next who asks tries again.
 */
import type { IsolationReport } from "../protocol/isolation.js";
import { type Spawner, SpawnerGone } from "../sandbox/spawner.js";
import { IsolationUnavailable } from "../sandbox/unavailable.js";
import type { DemandOptions } from "./demand.js";
import { DescriptorsExhausted } from "./descriptors.js";
import { Zygote } from "./fork.js";
import type { Guest, PageSavings, TemplateGuestWaiter } from "./fork.js";
import type { GuestGroups } from "./guest-groups.js";
import { Lane } from "./lane.js";
import type { Waiter, Waiting } from "./lane.js";
import type { ZygoteProcess } from "./zygote-process.js";

export interface PoolOptions {
  /** What starts zygotes. */
  spawner: Spawner;
  /** The process of the first one, where it was started before. */
  first?: ZygoteProcess | undefined;
  /** Bounds of Linux's for zygotes and guests, where cgroups can be had. */
  groups?: GuestGroups | undefined;
  /** How many blank guests are kept ready. */
  demand: DemandOptions;
  /** Forks under way at once while somebody waits; more would only take turns on the CPU. */
  parallelForks: number;
  /** How long a replacement waits for the program to end that took a guest. */
  refillDelayMs: number;
  /** After so many forks, or so long, a zygote is replaced while it still serves. */
  recycleForks: number;
  recycleMs: number;
  /** There is no zygote, and none can be started: ends this process. */
  unable(error: unknown): never;
}

/** In a row, before those who wait are told. */
const mostFailedForks = 8;
const mostLostZygotes = 3;
/** In all: where Linux does not tell, it never will. */
const mostVainMeasures = 3;

export class GuestPool {
  readonly #options: PoolOptions;
  #zygote: Zygote | undefined;
  #zygoteReady = false;
  #first: ZygoteProcess | undefined;
  #isolation: readonly IsolationReport[] = [];
  readonly #plain: Lane;
  /** Its guests wait ahead while there are machines that take them, or a demand. */
  readonly #addons: Lane;
  readonly #lanes: readonly Lane[];
  /** Who wants a guest that may become a template, with native addons or without; those are forked when they are wanted. */
  readonly #templateWaiters = new Map<TemplateGuestWaiter, boolean>();
  /** What each guest in use was asked for by, and where. */
  readonly #asked = new WeakMap<Guest, { waiting: Waiting; lane: Lane }>();
  /** How many guests each owner has in use. */
  readonly #inUse = new WeakMap<object, number>();
  #lastLoss = "";
  /** Since a guest was last forked. */
  #failedForks = 0;
  #lostZygotes = 0;
  #typeScript = false;
  #refill: NodeJS.Timeout | undefined;
  #fall: NodeJS.Timeout | undefined;
  /** The zygote wants a moment without guests; it has it and is not to be asked for any. */
  #stale = false;
  /** Times that its zygotes could not tell which pages guests write. */
  #vainMeasures = 0;
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
    this.#first = options.first;
    this.#plain = new Lane(false, options.demand);
    this.#addons = new Lane(true, options.demand);
    this.#lanes = [this.#plain, this.#addons];
  }

  get zygotePid(): number {
    return this.#zygote?.pid ?? 0;
  }

  get idleCount(): number {
    return this.#lanes.reduce((sum, { idle }) => sum + idle.length, 0);
  }

  /** Whether anybody but `owner` waits for a guest. */
  othersWait(owner: object): boolean {
    return this.#lanes.some(({ waiters }) => waiters.size > waiters.sizeOf(owner));
  }

  get #forking(): number {
    return this.#lanes.reduce((sum, { forking }) => sum + forking, 0);
  }

  get #wantedNow(): number {
    return this.#lanes.reduce((sum, { waiters }) => sum + waiters.size, this.#templateWaiters.size);
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

  /**
   * Starts the zygote; resolves when it can fork. One that ends before that is started once more, as one that is
   * lost later is; where isolation is missing, no other start would find it.
   */
  async start(): Promise<void> {
    try {
      await this.#startOnce();
    } catch (error) {
      if (error instanceof IsolationUnavailable || error instanceof DescriptorsExhausted)
        throw error;
      await this.#startOnce();
    }
  }

  async #startOnce(): Promise<void> {
    const zygote = this.#ensureZygote();
    if (zygote instanceof Error) throw zygote;
    await zygote.ready;
  }

  /** A TypeScript program was run: guests forked from now on should have its compiler. */
  expectTypeScript(): void {
    if (this.#typeScript) return;
    this.#typeScript = true;
    if (this.#zygoteReady) this.#zygote?.warmTypeScript();
  }

  /** Programs that may load native addons will come, until what this answers is called: guests for them wait. */
  expectAddons(): () => void {
    const over = this.#addons.expect();
    this.#fillLater();
    return () => {
      over();
      this.#fallLater();
    };
  }

  /**
   * Gives `waiter` a locked-down blank guest, now or later, or `undefined` and the reason. Of
   * several owners each gets one after the other. Answers how to wait no longer.
   */
  take(owner: object, waiter: Waiter, addons = false): () => void {
    const lane = addons ? this.#addons : this.#plain;
    const waiting = { owner, waiter, asked: lane.demand.begins(performance.now()) };
    this.#fallLater();
    const guest = lane.idle.shift();
    if (guest === undefined) {
      lane.waiters.push(owner, waiting);
      this.#fill();
      return () => {
        if (lane.waiters.delete(owner, waiting)) lane.demand.ends(waiting.asked);
      };
    }
    this.#hand(guest, waiting, lane);
    // The program that was just handed its guest goes first: forking now would take its CPU.
    if (lane.idle.length > 0) this.#fillLater();
    else this.#fill();
    return () => undefined;
  }

  /** The same with a guest that may become a template, or the reason why there is none. */
  takeForTemplate(waiter: TemplateGuestWaiter, addons = false): () => void {
    this.#templateWaiters.set(waiter, addons);
    this.#fill();
    return () => this.#templateWaiters.delete(waiter);
  }

  #forkForTemplates(zygote: Zygote): void {
    for (const [waiter, addons] of this.#templateWaiters) {
      this.#templateWaiters.delete(waiter);
      this.#forks++;
      zygote.forkTemplate(addons, waiter);
    }
  }

  #hand(guest: Guest, waiting: Waiting, lane: Lane): void {
    this.#asked.set(guest, { waiting, lane });
    this.#uses(waiting.owner, 1);
    waiting.waiter(guest, "");
  }

  #uses(owner: object, more: number): void {
    this.#inUse.set(owner, (this.#inUse.get(owner) ?? 0) + more);
  }

  /** Ends guests that wait for nobody once demand has fallen. */
  #fallLater(): void {
    const nowMs = performance.now();
    const falls = this.#lanes.map(({ demand }) => demand.fallsInMs(nowMs) ?? Infinity);
    const inMs = Math.min(...falls);
    if (inMs === Infinity || this.#fall !== undefined) return;
    this.#fall = setTimeout(() => {
      this.#fall = undefined;
      for (const lane of this.#lanes)
        this.#end(lane, lane.idle.length - lane.demand.ahead(performance.now()));
      this.#fallLater();
    }, inMs).unref();
  }

  /** Ends that many of the lane's guests that wait, the ones that were forked last. */
  #end(lane: Lane, count: number): void {
    if (count <= 0) return;
    const surplus = lane.idle.splice(-count);
    this.#dropped += surplus.length;
    for (const guest of surplus) guest.end();
  }

  /** Fails everybody who waits. */
  #refuse(reason: string): void {
    for (const lane of this.#lanes) lane.refuse(reason);
    for (const waiter of this.#templateWaiters.keys()) waiter({ why: reason, lost: true });
    this.#templateWaiters.clear();
  }

  /** Not while they ask. Who asks meanwhile may find that a zygote can be started again. */
  #refuseLater(reason: string): void {
    setImmediate(() => {
      if (this.#zygote === undefined) this.#refuse(reason);
    });
  }

  /** Fills once a guest has ended, or after a moment. */
  #fillLater(): void {
    this.#refill ??= setTimeout(() => this.#fill(), this.#options.refillDelayMs).unref();
  }

  /** Or why there is none now. */
  #ensureZygote(): Zygote | DescriptorsExhausted {
    if (this.#zygote !== undefined) return this.#zygote;
    let zygote: Zygote;
    try {
      zygote = this.#startZygote();
    } catch (error) {
      if (error instanceof DescriptorsExhausted) return error;
      return this.#options.unable(error);
    }
    this.#zygote = zygote;
    this.#zygoteReady = false;
    zygote.ready.then(
      () => this.#serveFrom(zygote),
      () => undefined,
    );
    return zygote;
  }

  #startZygote(): Zygote {
    const started = this.#first;
    this.#first = undefined;
    const zygote: Zygote = new Zygote({
      kind: "zygote",
      spawner: this.#options.spawner,
      started,
      groups: this.#options.groups,
      lost: (reason) => this.#onLost(zygote, reason),
      ending: (guest) => {
        const asked = this.#asked.get(guest);
        if (asked === undefined) return;
        asked.lane.demand.ends(asked.waiting.asked);
        this.#uses(asked.waiting.owner, -1);
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
    this.#failedForks = 0;
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
    let successor: Zygote;
    try {
      successor = this.#startZygote();
    } catch (error) {
      if (!(error instanceof SpawnerGone || error instanceof DescriptorsExhausted)) throw error;
      // The one that serves goes on for as long again.
      this.#forks = 0;
      this.#servesSinceMs = performance.now();
      return;
    }
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
    for (const lane of this.#lanes) lane.forking = 0;
    this.#stale = this.#measuring = false;
    this.#dropped = 0;
    if (former !== undefined) {
      this.#retired.add(former);
      for (const lane of this.#lanes) for (const guest of lane.idle.splice(0)) guest.end();
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
    for (const lane of this.#lanes) {
      lane.idle = [];
      lane.forking = 0;
    }
    this.#dropped = 0;
    this.#lastLoss = reason;
    // One that never came up fails its waiters, and so does one after the other that forks nothing; one that was killed
    // is simply replaced.
    if (!started || ++this.#lostZygotes > mostLostZygotes) this.#refuse(reason);
    else this.#fill();
  }

  #fill(): void {
    clearTimeout(this.#refill);
    this.#refill = undefined;
    if (this.#wantedNow === 0 && this.#zygote === undefined) return;
    const zygote = this.#ensureZygote();
    if (zygote instanceof Error) return this.#refuseLater(zygote.message);
    if (!this.#zygoteReady || this.#measure(zygote)) return;
    this.#forkForTemplates(zygote);
    for (;;) {
      const lane = this.#nextLane();
      if (lane === undefined) break;
      lane.forking++;
      this.#forks++;
      zygote.fork(lane.addons, (guest, _status, stderr) =>
        this.#onForked(zygote, lane, guest, stderr),
      );
    }
    this.#recycle();
  }

  /** What is forked next: guests that somebody waits for, then those ahead, which leave the CPU to the programs that run. */
  #nextLane(): Lane | undefined {
    const forking = this.#forking;
    if (forking >= this.#options.parallelForks) return undefined;
    // The lane with the fewest under way: neither waits for the other's rush to be over.
    const [awaited] = this.#lanes
      .filter((lane) => lane.waiters.size > lane.forking)
      .sort((one, other) => one.forking - other.forking);
    if (awaited !== undefined || forking > 0) return awaited;
    const nowMs = performance.now();
    return this.#lanes.find((lane) => lane.forking + lane.idle.length < lane.wanted(nowMs));
  }

  /** Gives a stale zygote its moment, once every guest is one that nobody has taken; true while it lasts. */
  #measure(zygote: Zygote): boolean {
    if (this.#measuring) return true;
    if (!this.#stale || this.#forking > 0 || this.#wantedNow > 0) return false;
    const living = zygote.guestCount;
    if (living > this.idleCount + this.#dropped) return false;
    // Those that wait would hide what they have not written yet. Their ends come back here.
    for (const lane of this.#lanes) this.#end(lane, lane.idle.length);
    if (living > 0) return true;
    this.#stale = false;
    this.#measuring = true;
    zygote.measure(() => {
      this.#measuring = false;
      // The life that it looks at has a time to be over in, which a busy machine may not keep.
      if (zygote.savings.pagesAhead === 0 && ++this.#vainMeasures < mostVainMeasures)
        this.#stale = true;
      this.#fill();
    });
    return true;
  }

  #onForked(zygote: Zygote, lane: Lane, guest: Guest | undefined, said: string): void {
    if (this.#zygote !== zygote) {
      guest?.end();
      if (this.#retired.has(zygote)) this.#endRetired(zygote);
      return;
    }
    lane.forking--;
    if (guest === undefined) {
      if (++this.#failedForks > mostFailedForks) {
        this.#failedForks = 0;
        this.#refuse(said.trim() || this.#lastLoss || "no guest could be forked");
        return;
      }
    } else {
      this.#failedForks = this.#lostZygotes = 0;
      guest.attachLoss(() => {
        if (!lane.loses(guest)) this.#dropped--;
      });
      const waiting = lane.nextWaiting((owner) => this.#inUse.get(owner) ?? 0);
      if (waiting !== undefined) this.#hand(guest, waiting, lane);
      else lane.idle.push(guest);
    }
    this.#fill();
  }
}
