/**
 * Calls into guest code the way C++ does at the end of an asynchronous operation:
 * own async context, own async id, errors to the uncaught-exception handler.
 *
 * Ticks and microtasks run from C++ afterwards, with a clean stack; when several
 * completions arrive together, each gets a turn of its own for that. There is one queue for
 * all: completions of different bindings arrive together.
 */
import { asyncIdsOf, endRequest } from "./async-resources.js";
import type { EngineWrap } from "./async-resources.js";
import type { AsyncFrames } from "./engine-types.js";
import type { EngineTools } from "./environment.js";
import { later } from "./turns.js";

interface AsyncHooks {
  emitBefore(id: number, trigger: number, resource: object): void;
  emitAfter(id: number): void;
}

let hooks: AsyncHooks;
let frames: AsyncFrames;
let triggerUncaughtException: (error: unknown, fromPromise: boolean) => void;
let enqueueMicrotask: (run: () => void) => void;

/** Set from a delivery until the microtasks behind it have run. */
let unsettled = false;
/** One delivery may cause the next: that one has its own turn, and the stack does not grow. */
let delivering = false;
/** Deliveries that wait for a turn of their own, each with a turn under way. */
const waiting: (() => void)[] = [];

/** Once in each thread, before the first operation. */
export function installDelivery(env: EngineTools): void {
  hooks = env.requireBuiltin("internal/async_hooks");
  frames = env.requireBuiltin("internal/async_context_frame");
  ({ triggerUncaughtException } = env.internalBinding("errors"));
  ({ enqueueMicrotask } = env.internalBinding("task_queue"));
}

/** The async context that an operation which begins now completes in. */
export function currentFrame(): unknown {
  return frames.current();
}

/** Runs `run` in the async context `frame`; `resource` is an AsyncWrap, or undefined. */
export function deliver(frame: unknown, resource: object | undefined, run: () => void): void {
  if (delivering || unsettled || waiting.length > 0) {
    waiting.push(() => deliverNow(frame, resource, run));
    later(deliverNext);
  } else deliverNow(frame, resource, run);
}

/** For one who is called with no JavaScript below it, in no async context: what it runs needs no turn of its own. */
export function deliverAtOnce(run: () => void): void {
  deliverNow(undefined, undefined, run);
}

function deliverNext(): void {
  waiting.shift()!();
}

function settled(): void {
  unsettled = false;
}

function deliverNow(frame: unknown, resource: EngineWrap | undefined, run: () => void): void {
  delivering = true;
  const outer = frames.exchange(frame);
  const ids = asyncIdsOf(resource);
  try {
    if (ids !== undefined) hooks.emitBefore(ids.id, ids.trigger, resource!);
    run();
    if (ids !== undefined) {
      hooks.emitAfter(ids.id);
      endRequest(ids, resource!);
    }
  } catch (error) {
    triggerUncaughtException(error, false);
  } finally {
    frames.exchange(outer);
    delivering = false;
  }
  if (!unsettled) {
    unsettled = true;
    enqueueMicrotask(settled);
  }
}
