/**
 * Calls into guest code the way C++ does at the end of an asynchronous operation:
 * own async context, own async id, errors to the uncaught-exception handler.
 *
 * Ticks and microtasks run from C++ afterwards, with a clean stack; when several
 * completions arrive together, each gets a turn of its own for that.
 */
import { asyncIdsOf, endRequest } from "./async-resources.js";
import type { GuestEnvironment } from "./environment.js";
import { later } from "./turns.js";

/** `frame` is the async context to run in; `resource` an AsyncWrap, or undefined. */
export type Delivery = (frame: unknown, resource: any, run: () => void) => void;

let shared: Delivery | undefined;

/** One for all: completions of different bindings arrive together. */
export function createDelivery(env: GuestEnvironment): Delivery {
  if (shared !== undefined) return shared;
  const asyncHooks = env.requireBuiltin("internal/async_hooks");
  const frames = env.requireBuiltin("internal/async_context_frame");
  const { triggerUncaughtException } = env.internalBinding("errors");
  const { enqueueMicrotask } = env.internalBinding("task_queue") as {
    enqueueMicrotask(run: () => void): void;
  };
  /** Set from a delivery until the microtasks behind it have run. */
  let unsettled = false;
  const settled = (): void => {
    unsettled = false;
  };
  /** Deliveries that wait for a turn of their own, each with a turn under way. */
  const waiting: (() => void)[] = [];
  const deliverNext = (): void => {
    waiting.shift()!();
  };

  /** One delivery may cause the next: that one has its own turn, and the stack does not grow. */
  let delivering = false;

  const deliverNow: Delivery = (frame, resource, run) => {
    delivering = true;
    const outer = frames.exchange(frame);
    const ids = asyncIdsOf(resource);
    try {
      if (ids !== undefined) asyncHooks.emitBefore(ids.id, ids.trigger, resource);
      run();
      if (ids !== undefined) {
        asyncHooks.emitAfter(ids.id);
        endRequest(ids, resource);
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
  };

  shared = (frame, resource, run) => {
    if (delivering || unsettled || waiting.length > 0) {
      waiting.push(() => deliverNow(frame, resource, run));
      later(deliverNext);
    } else deliverNow(frame, resource, run);
  };
  return shared;
}
