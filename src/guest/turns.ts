/**
 * Owns turns of the event loop for what completes: where C++ would call back from libuv's poll
 * phase. They are no immediates of the program's: async hooks do not see them, and they come
 * before the immediates of the same round.
 *
 * The engine calls one function of JavaScript for all immediates; here it is another, which runs
 * the turns first. Ticks and microtasks run behind each, as behind each callback from C++.
 */
import type { EngineTools } from "./environment.js";

/** Places in `immediateInfo`; ImmediateInfo::Fields in src/env.h. */
const [kCount, kRefCount, kHasOutstanding] = [0, 1, 2];

interface TimersBinding {
  immediateInfo: Uint32Array;
  toggleImmediateRef(referenced: boolean): void;
  setupTimers(processImmediate: () => void, processTimers: (now: number) => unknown): void;
}

interface TimerCallbacks {
  processImmediate: () => void;
  processTimers: (now: number) => unknown;
}

const queue: (() => void)[] = [];
/** For between the turns and the immediates of a round. */
const checks: (() => void)[] = [];
/** For behind the immediates of the round that comes or is under way. */
const polled: (() => void)[] = [];
let timers: TimersBinding;
let callbacks: TimerCallbacks;
/** The round that runs the queue is announced to the engine. */
let announced = false;

function announce(): void {
  if (announced) return;
  announced = true;
  const { immediateInfo } = timers;
  immediateInfo[kCount]!++;
  if (immediateInfo[kRefCount]!++ === 0) timers.toggleImmediateRef(true);
}

function withdraw(): void {
  announced = false;
  timers.immediateInfo[kCount]!--;
  timers.immediateInfo[kRefCount]!--;
}

/** Runs `run` in a turn of its own, soon; the loop stays alive until then. */
export function later(run: () => void): void {
  queue.push(run);
  announce();
}

/** The same behind all turns of the round, also of the one under way, until none is left: SetImmediate of src/env.h, for native consumers. */
export function inCheckPhase(run: () => void): void {
  checks.push(run);
  announce();
}

/**
 * The same behind the immediates that the program has by then: for what it is told of when something has closed, which
 * libuv does at the end of a round. Not for what came while the thread was blocked: a shell's traps would run late.
 */
export function laterThanImmediates(run: () => void): void {
  polled.push(run);
  announce();
}

/** Once in each thread, before anything of a program. */
export function installTurns({ internalBinding, requireBuiltin }: EngineTools): void {
  timers = internalBinding("timers") as TimersBinding;
  const runNextTicks = (process as unknown as { _tickCallback: () => void })._tickCallback;
  // The closures over Node's own lists are new ones; the lists are those of the module.
  const { processImmediate, processTimers } = requireBuiltin("internal/timers").getTimerCallbacks(
    runNextTicks,
  ) as TimerCallbacks;
  const { immediateInfo } = timers;
  const processTurns = (): void => {
    if (announced) {
      // An error that nobody catches leaves the rest to the call that then follows; CheckImmediate
      // of src/env.cc.
      immediateInfo[kHasOutstanding] = 1;
      // What they ask for has the next round.
      for (let left = queue.length; left > 0; left--) {
        queue.shift()!();
        runNextTicks();
      }
      for (let check = checks.shift(); check !== undefined; check = checks.shift()) {
        check();
        runNextTicks();
      }
      immediateInfo[kHasOutstanding] = 0;
      withdraw();
      if (queue.length > 0) announce();
    }
    try {
      // The receiver is in stack traces.
      Reflect.apply(processImmediate, process, []);
    } finally {
      if (polled.length > 0) {
        // By index: the program may have taken the iterators of arrays away.
        for (let i = 0; i < polled.length; i++) queue.push(polled[i]!);
        polled.length = 0;
        announce();
      }
    }
  };
  // A domain that was left active is not told of rounds in which the program has no part.
  const hooks = requireBuiltin("internal/async_hooks");
  const { useDomainTrampoline } = hooks;
  hooks.useDomainTrampoline = (trampoline: (...args: unknown[]) => unknown): void =>
    useDomainTrampoline(function (this: unknown, callback: () => void, ...args: unknown[]) {
      if (callback === processTurns) return Reflect.apply(callback, this, args) as unknown;
      return Reflect.apply(trampoline, this, [callback, ...args]);
    });
  callbacks = { processImmediate: processTurns, processTimers };
  setUp(processTurns);
}

/** For who takes the engine's place in calling them. */
export const turnCallbacks = (): TimerCallbacks => callbacks;

function setUp(processImmediate: () => void): void {
  timers.setupTimers(processImmediate, callbacks.processTimers);
}

/** Has the engine call `run` soon, in the place of the next round. */
export function insteadOfTurns(run: () => void): void {
  announce();
  setUp(() => {
    setUp(callbacks.processImmediate);
    if (queue.length === 0 && checks.length === 0 && polled.length === 0) withdraw();
    run();
  });
}
