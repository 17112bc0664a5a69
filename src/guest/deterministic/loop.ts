/**
 * Owns the order in which a deterministic run does what it does. Node's event loop asks once per turn,
 * in the phase of immediates, and everything that may happen is done from here, one kind at a time:
 *
 * 1. what has completed (guest/turns.ts), and immediates of the program;
 * 2. answers of the kernel, in the order in which they were asked for, once all of a turn's are there;
 * 3. timers that are due by the run's clock;
 * 4. what the kernel says unasked (bytes of sockets, of stdin), once nothing of the above is left;
 * 5. when nothing at all is left, the clock goes on to the next timer.
 *
 * Work on the engine's other threads is waited for at the end of the turn that began it. So how long
 * anything really takes changes nothing: what comes from outside takes no time of the run's.
 *
 * It protects nothing. Node's own timers and immediates stay; replaced are the functions of the `timers`
 * binding beneath them, through which they ask for the time and to be called.
 */
import type { Channel } from "../channel.js";
import type { EngineTools } from "../environment.js";
import { turnCallbacks } from "../turns.js";
import type { RunClock } from "./clock.js";
import type { OtherThreads } from "./other-threads.js";

interface TimersBinding {
  setupTimers(immediates: () => void, timers: (now: number) => number): void;
  getLibuvNow(): number;
  scheduleTimer(milliseconds: number): void;
  toggleTimerRef(referenced: boolean): void;
  toggleImmediateRef(referenced: boolean): void;
  /** Ran, referenced, outstanding: as `immediateInfoFields` of Node's internal/timers counts. */
  readonly immediateInfo: Uint32Array;
  /** How many timers keep the process alive. */
  readonly timeoutInfo: Int32Array;
}

/** After so many turns without anything, what one part of the engine sent another has arrived. */
const quietTurns = 2;

export class RunLoop {
  readonly #binding: TimersBinding;
  readonly #clock: RunClock;
  readonly #channel: Channel;
  readonly #threads: OtherThreads;
  readonly #tick: () => void;
  readonly #immediates: () => void;
  readonly #timers: (now: number) => unknown;
  readonly #queue: { peek(): { expiry: number } | undefined };
  readonly #fields: { kCount: number; kRefCount: number };
  readonly #toggleImmediateRef: (referenced: boolean) => void;
  /** Whether the loop is held: an immediate that there is not counts as one that keeps the process alive. */
  #holds = false;
  #quiet = 0;

  constructor(tools: EngineTools, clock: RunClock, channel: Channel, threads: OtherThreads) {
    const timers = tools.requireBuiltin("internal/timers");
    this.#binding = tools.internalBinding("timers");
    this.#clock = clock;
    this.#channel = channel;
    this.#threads = threads;
    this.#tick = (process as unknown as { _tickCallback: () => void })._tickCallback;
    const { processImmediate, processTimers } = turnCallbacks();
    this.#immediates = processImmediate;
    this.#timers = processTimers;
    this.#queue = timers.timerListQueue;
    this.#fields = timers.immediateInfoFields;
    this.#toggleImmediateRef = this.#binding.toggleImmediateRef;
  }

  /** From the main script: takes over before anything of the program has run. */
  begin(): void {
    const binding = this.#binding;
    binding.getLibuvNow = () => this.#clock.timerMs;
    binding.scheduleTimer = () => {};
    binding.toggleTimerRef = (referenced) => referenced && this.#hold(true);
    binding.toggleImmediateRef = (referenced) =>
      (referenced || !this.#holds) && this.#toggleImmediateRef(referenced);
    binding.immediateInfo[this.#fields.kCount]!++;
    binding.setupTimers(
      () => this.#turn(),
      () => 0,
    );
    this.#channel.hold(() => this.#hold(true));
    this.#hold(true);
  }

  #hold(wanted: boolean): void {
    if (this.#holds === wanted) return;
    this.#holds = wanted;
    const { kRefCount } = this.#fields;
    const { immediateInfo } = this.#binding;
    immediateInfo[kRefCount]! += wanted ? 1 : -1;
    if (wanted) this.#toggleImmediateRef(true);
  }

  /** What keeps the process alive beside immediates. */
  get #alive(): boolean {
    return this.#binding.timeoutInfo[0]! > 0 || this.#channel.isReferenced;
  }

  #turn(): void {
    if (this.#anything()) {
      this.#quiet = 0;
      this.#clock.turned();
    } else if (this.#quiet++ >= quietTurns) this.#goOn();
    this.endTurn();
    this.#hold(this.#alive || this.#quiet < quietTurns);
  }

  /** Before the event loop looks what other threads have done: all that was begun until now has ended by then. */
  endTurn(): void {
    try {
      this.#tick();
    } finally {
      this.#threads.finish();
    }
  }

  /** Does what is there to do, of one kind; answers whether something was. */
  #anything(): boolean {
    if (this.#threads.finish()) return true;
    if (this.#binding.immediateInfo[this.#fields.kCount]! > 1) {
      Reflect.apply(this.#immediates, process, []);
      return true;
    }
    if (this.#channel.settle()) return this.#run("answers");
    return this.#due();
  }

  #run(which: "answers" | "events"): boolean {
    let first = true;
    for (;;) {
      const job = this.#channel.next(which);
      if (job === undefined) return !first;
      if (!first) this.#tick();
      first = false;
      job();
    }
  }

  #due(): boolean {
    const next = this.#queue.peek();
    if (next === undefined || next.expiry > this.#clock.timerMs) return false;
    Reflect.apply(this.#timers, process, [this.#clock.timerMs]);
    return true;
  }

  /** Nothing of the program's own is left to do at this time. */
  #goOn(): void {
    if (this.#run("events")) return void (this.#quiet = 0);
    // Behind its answer is all that the program has set off in the kernel.
    this.#channel.call("getcwd", {});
    if (this.#run("events")) return void (this.#quiet = 0);
    if (!this.#alive) return;
    const next = this.#queue.peek();
    if (next !== undefined && !this.#channel.readsInput) {
      this.#clock.advanceTo(next.expiry);
      this.#due();
    } else this.#channel.waitForEvent();
    this.#quiet = 0;
  }
}
