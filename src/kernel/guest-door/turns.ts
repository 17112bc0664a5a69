/**
 * Owns how the kernel's one thread is shared between VMs: what a guest sent is served until its
 * VM has had its part of the turn; the rest waits, and each VM that waits goes on in the next turn.
 *
 * Invariants: a VM that waits is served every turn of the event loop, for about its part; time
 * over it counts against its next turns; a VM alone is never kept waiting for longer than a turn.
 * Untrusted: how much guests send, and what their calls cost.
 */
import { limits } from "../limits.js";

/** Something with frames to serve. */
export interface Source {
  /** Serves frames until it is told to stop, by its VM's share or for want of more. */
  proceed(): void;
  /** One frame of it was served, which took so long. */
  served(milliseconds: number): void;
}

export class Turns {
  readonly #waiting = new Set<Share>();
  #scheduled = false;

  share(): Share {
    return new Share(this);
  }

  /** Part of a turn that each of those who want one may have. */
  get partMs(): number {
    return Math.max(limits.leastPartMs, limits.turnMs / (this.#waiting.size + 1));
  }

  enter(share: Share): void {
    this.#waiting.add(share);
    this.#schedule();
  }

  leave(share: Share): void {
    this.#waiting.delete(share);
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      const { partMs } = this;
      // Whoever still waits afterwards has entered anew, behind the others.
      const waiting = [...this.#waiting];
      this.#waiting.clear();
      for (const share of waiting) share.turn(partMs);
    });
  }
}

/** The part of one VM. */
export class Share {
  readonly #turns: Turns;
  readonly #sources = new Set<Source>();
  /** Time used beyond what turns and pauses have given. */
  #debtMs = 0;
  #lastMs = 0;
  #inTurn = false;
  #closed = false;

  constructor(turns: Turns) {
    this.#turns = turns;
  }

  /** Whether `source` may serve a frame now. If not, its `proceed` is called when it may. */
  admits(source: Source): boolean {
    if (this.#closed) return false;
    // Who comes while others wait is served behind them.
    if (this.#inTurn || this.#sources.size === 0) {
      const now = performance.now();
      // What the VM did not use of the time since, it has not taken from anybody.
      this.#debtMs = Math.max(0, this.#debtMs - (now - this.#lastMs));
      this.#lastMs = now;
      if (this.#debtMs < this.#turns.partMs) return true;
    }
    this.#wait(source);
    return false;
  }

  /** Serves one frame, and answers whether `source` may serve another; if not, as `admits`. */
  serve(source: Source, work: () => void): boolean {
    const startedAt = performance.now();
    work();
    this.#lastMs = performance.now();
    source.served(this.#lastMs - startedAt);
    this.#debtMs += this.#lastMs - startedAt;
    if (this.#debtMs < this.#turns.partMs) return true;
    this.#debtMs = Math.min(this.#debtMs, limits.turnDebtMs);
    this.#wait(source);
    return false;
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

  #wait(source: Source): void {
    if (this.#closed) return;
    this.#sources.add(source);
    this.#turns.enter(this);
  }

  /** Its turn has come. */
  turn(partMs: number): void {
    this.#debtMs = Math.max(0, this.#debtMs - partMs);
    this.#inTurn = true;
    // Not those who come to wait again meanwhile.
    for (const source of Array.from(this.#sources)) {
      if (this.#debtMs >= partMs) break;
      if (this.#sources.delete(source)) source.proceed();
    }
    this.#inTurn = false;
    if (this.#sources.size > 0) this.#turns.enter(this);
  }
}
