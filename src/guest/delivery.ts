/**
 * Calls into guest code the way C++ does at the end of an asynchronous operation:
 * own async context, own async id, errors to the uncaught-exception handler.
 *
 * Ticks and microtasks run from C++ afterwards, with a clean stack; only when
 * several completions arrive together do they run from here, between two of them.
 */
import type { GuestEnvironment } from "./environment.js";

/** `frame` is the async context to run in; `resource` an AsyncWrap, or undefined. */
export type Delivery = (frame: unknown, resource: any, run: () => void) => void;

const { apply } = Reflect;

let shared: Delivery | undefined;
/** Set from a delivery until the microtasks behind it have run. */
let unsettled = false;
/** Deliveries that wait for a turn of their own, each with an immediate under way. */
const waiting: (() => void)[] = [];
const deliverNext = (): void => {
  waiting.shift()!();
};

/**
 * As `createDelivery`, but what arrives together waits for turns of the event loop: ticks and
 * microtasks between two of them run without any frame of ours on the stack, as they do under C++.
 */
export function createPatientDelivery(env: GuestEnvironment): Delivery {
  const deliver = createDelivery(env);
  const { setImmediate } = env.requireBuiltin("timers") as { setImmediate(run: () => void): void };
  return (frame, resource, run) => {
    if (!unsettled && waiting.length === 0) return deliver(frame, resource, run);
    waiting.push(() => deliver(frame, resource, run));
    setImmediate(deliverNext);
  };
}

/** One for all: completions of different bindings arrive together. */
export function createDelivery(env: GuestEnvironment): Delivery {
  if (shared !== undefined) return shared;
  const asyncHooks = env.requireBuiltin("internal/async_hooks");
  const frames = env.requireBuiltin("internal/async_context_frame");
  const { triggerUncaughtException } = env.internalBinding("errors");
  const { enqueueMicrotask } = env.internalBinding("task_queue") as {
    enqueueMicrotask(run: () => void): void;
  };
  const runTicks = (process as unknown as { _tickCallback(): void })._tickCallback;

  const settled = (): void => {
    unsettled = false;
  };
  const flush = (): void => {
    try {
      apply(runTicks, process, []);
    } catch (error) {
      triggerUncaughtException(error, false);
    }
  };

  shared = (frame, resource, run) => {
    if (unsettled) flush();
    const outer = frames.exchange(frame);
    const id: number = typeof resource?.getAsyncId === "function" ? resource.getAsyncId() : 0;
    try {
      if (id > 0) asyncHooks.emitBefore(id, id, resource);
      run();
      if (id > 0) asyncHooks.emitAfter(id);
    } catch (error) {
      triggerUncaughtException(error, false);
    } finally {
      frames.exchange(outer);
    }
    if (!unsettled) {
      unsettled = true;
      enqueueMicrotask(settled);
    }
  };
  return shared;
}
