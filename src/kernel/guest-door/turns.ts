/**
 * Owns how the kernel's one thread is shared between VMs: what a guest sent is served until its
 * VM has had its part of the turn; the rest waits, and each VM that waits goes on in the next turn.
 * A VM that is over its part for longer has its turns at the kernel's pace.
 *
 * Invariants: a VM that waits is served every turn, for about its part; time over it counts against
 * its next turns; a VM that asks for little is not kept waiting for those who ask for much. Where nobody
 * else asks, nobody waits but for the event loop to look who else does.
 * Untrusted: how much guests send, and what their calls cost.
 */
import { limits } from "../limits.js";
import { Pace } from "./pace.js";

/** Something with frames to serve. */
export interface Source {
  /** Serves frames until it is told to stop, by its VM's share or for want of more. */
  proceed(): void;
  /** One frame of it was served, which took so much of the kernel's time. */
  served(milliseconds: number): void;
}

export class Turns {
  readonly pace = new Pace();
  readonly #waiting = new Set<Share>();
  #immediate: NodeJS.Immediate | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** When those who are over their part have the next turn. */
  #pacedAt = 0;
  /** Somebody has had a part beside his turns, and the event loop has not looked for others since. */
  #gavePart = false;
  readonly #isHeld: () => boolean;

  /** While `isHeld`, nobody is served, as what guests cause would pile up; `release` says when that is over. */
  constructor(isHeld: () => boolean = () => false) {
    this.#isHeld = isHeld;
  }

  get isHeld(): boolean {
    return this.#isHeld();
  }

  release(): void {
    if (this.#waiting.size > 0) this.#schedule(false);
  }

  share(): Share {
    return new Share(this);
  }

  /** Part of a turn that each of those who want one may have. */
  get partMs(): number {
    return Math.max(limits.leastPartMs, limits.turnMs / (this.#waiting.size + 1));
  }

  /** Whether nobody else asks for anything, now or lately. */
  isAlone(share: Share): boolean {
    const { size } = this.#waiting;
    return this.pace.isOfOne && (size === 0 || (size === 1 && this.#waiting.has(share)));
  }

  /** Whether `share` may have another part at once: alone, and once before the event loop has looked for others. */
  givesPart(share: Share): boolean {
    if (this.#gavePart || !this.isAlone(share)) return false;
    this.#gavePart = true;
    setImmediate(() => (this.#gavePart = false));
    return true;
  }

  enter(share: Share): void {
    this.#waiting.add(share);
    this.#schedule(share.isOver);
  }

  leave(share: Share): void {
    this.#waiting.delete(share);
  }

  #schedule(isOver: boolean): void {
    if (this.#immediate !== undefined || this.isHeld) return;
    const pauseMs = isOver ? this.#pacedAt - performance.now() : 0;
    if (pauseMs <= 0) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      this.#immediate = setImmediate(() => this.#round());
    } else this.#timer ??= setTimeout(() => this.#round(), pauseMs);
  }

  #round(): void {
    this.#immediate = this.#timer = undefined;
    if (this.isHeld) return;
    const now = performance.now();
    this.pace.sample(now);
    const paced = now >= this.#pacedAt;
    const { partMs } = this;
    // Whoever still waits afterwards has entered anew, behind the others.
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const share of waiting)
      if (paced || !share.isOver) share.turn(partMs);
      else this.enter(share);
    if (paced) this.#pacedAt = performance.now() + this.pace.pauseMs;
  }
}

/** The part of one VM. */
export class Share {
  readonly #turns: Turns;
  readonly #sources = new Set<Source>();
  /** Time used beyond what turns and pauses have given. */
  #debtMs = 0;
  /** It has been over its part, and has not made up for all of it since: time gives it what it gives those who are slowed down. */
  #isPaced = false;
  /** Time used of its part, and since when it has this one. */
  #usedMs = 0;
  #partSince = 0;
  #lastMs = 0;
  #period = -1;
  #inTurn = false;
  #serving = false;
  #closed = false;

  constructor(turns: Turns) {
    this.#turns = turns;
  }

  /** Whether it has used so much more than its part that it goes on at the kernel's pace. */
  get isOver(): boolean {
    return this.#debtMs >= limits.turnBurstMs;
  }

  /** When it came to the frame that is being served, by `performance.now`, which nobody has to look at once more. */
  get frameBeganMs(): number | undefined {
    return this.#serving ? this.#lastMs : undefined;
  }

  /** Whether `source` may serve a frame now. If not, its `proceed` is called when it may. */
  admits(source: Source): boolean {
    if (this.#closed) return false;
    const now = performance.now();
    // Who comes from within a frame, or while others wait, is served behind them.
    if (this.#serving) {
      this.#wait(source);
      return false;
    }
    if (this.#inTurn) {
      this.#lastMs = now;
      if (this.#mayGoOn) return true;
    } else if (this.#sources.size === 0) {
      this.#turns.pace.sample(now);
      this.#settle(now);
      this.#turns.pace.begin();
      // Its own work is no time that others had.
      if (now - this.#partSince - this.#usedMs >= limits.turnMs) this.#beginPart(now);
      // Frames that come one by one are not held up by others' before they are a turn's work together.
      if (this.#usedMs < limits.turnMs && this.#mayBeServed) return true;
      // And those of one alone by nobody, as long as there is nobody else.
      if (!this.#turns.isHeld && this.#turns.givesPart(this)) {
        this.#beginPart(now);
        return true;
      }
    }
    this.#wait(source);
    return false;
  }

  /**
   * Serves one frame, and answers whether `source` may serve another; if not, as `admits`. Who has no more of them
   * does not wait for a turn that he has no use for: he is served at once when the next has come, if he asks for little.
   */
  serve(source: Source, work: () => void, hasMore = true): boolean {
    this.#serving = true;
    try {
      work();
    } finally {
      this.#serving = false;
    }
    // With what it took to come to this frame.
    const now = performance.now();
    const tookMs = now - this.#lastMs;
    this.#lastMs = now;
    const { pace } = this.#turns;
    const workedMs = pace.worked(tookMs);
    source.served(workedMs);
    this.#usedMs += tookMs;
    this.charge(limits.frameMs + workedMs);
    this.#period = pace.mark(this.#period);
    if (!hasMore || this.#mayGoOn) return true;
    this.#wait(source);
    return false;
  }

  /** It costs so much beside the time that its frames take. */
  charge(milliseconds: number): void {
    this.#debtMs = Math.min(this.#debtMs + milliseconds, limits.turnDebtMs);
    if (this.isOver) this.#isPaced = true;
  }

  /** Does what comes for the VM outside its turns, as an answer that it waits for; the time counts as that of its frames. */
  bill(work: () => void): void {
    // Within a frame it is that frame's.
    if (this.#serving) return work();
    const startedAt = performance.now();
    // Of who waits, turns take the debt away, and not the time.
    if (this.#sources.size === 0 && !this.#inTurn) this.#settle(startedAt);
    const { pace } = this.#turns;
    pace.begin();
    work();
    const now = performance.now();
    this.#lastMs = now;
    this.charge(limits.frameMs + pace.worked(now - startedAt));
  }

  forget(source: Source): void {
    if (this.#sources.delete(source) && this.#sources.size === 0) this.#turns.leave(this);
  }

  /** The VM is gone: nothing of it is served any more. */
  close(): void {
    this.#closed = true;
    this.#sources.clear();
    this.#turns.leave(this);
  }

  get #mayGoOn(): boolean {
    return this.#usedMs < this.#turns.partMs && this.#mayBeServed;
  }

  /** What is beyond its part is nobody else's while it is alone. */
  get #mayBeServed(): boolean {
    return !this.#turns.isHeld && (!this.isOver || this.#turns.isAlone(this));
  }

  #beginPart(now: number): void {
    this.#usedMs = 0;
    this.#partSince = now;
  }

  /** What the VM did not use of its part of the time since, it has not taken from anybody. */
  #settle(now: number): void {
    const { pace } = this.#turns;
    // Who waits has more to be served than he got.
    const rate = this.#isPaced || this.#sources.size > 0 ? pace.pacedRate : pace.rate;
    this.#debtMs = Math.max(0, this.#debtMs - (now - this.#lastMs) * rate);
    if (this.#debtMs === 0) this.#isPaced = false;
    this.#lastMs = now;
  }

  #wait(source: Source): void {
    if (this.#closed) return;
    this.#sources.add(source);
    this.#turns.enter(this);
  }

  /** Its turn has come. */
  turn(partMs: number): void {
    const now = performance.now();
    if (this.isOver) this.#debtMs -= partMs;
    else this.#settle(now);
    this.#lastMs = now;
    this.#beginPart(now);
    this.#inTurn = true;
    // Not those who come to wait again meanwhile.
    for (const source of Array.from(this.#sources)) {
      if (!this.#mayGoOn) break;
      if (this.#sources.delete(source)) source.proceed();
    }
    this.#inTurn = false;
    if (this.#sources.size > 0) this.#turns.enter(this);
  }
}
