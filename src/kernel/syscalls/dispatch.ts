/**
 * The dispatch of the system-call table: name → handler, nothing else. A handler
 * gets decoded arguments and answers a result, -errno, or a `Deferred` of either;
 * it changes state synchronously.
 */
import type { guestCalls } from "../../protocol/guest-calls.js";
import type { CallArgs, CallResult } from "../../protocol/table.js";
import type { Deferred } from "../io/deferred.js";
import type { Process } from "../process/process.js";
import { fsHandlers } from "./fs.js";
import { processHandlers } from "./process.js";

type Calls = typeof guestCalls;
/** Answered by the process itself, for the thread that asks. */
type Special = "threadSocket" | "flowShutdown";
/** What a handler may answer. */
export type Answer<R> = R | number | Deferred<R>;
export type Handlers = {
  readonly [K in Exclude<keyof Calls, Special>]: (
    process: Process,
    args: CallArgs<Calls, K>,
  ) => Answer<CallResult<Calls, K>>;
};

const handlers: Handlers = { ...fsHandlers, ...processHandlers };

export function dispatch<K extends keyof Handlers>(
  process: Process,
  name: K,
  args: CallArgs<Calls, K>,
): Answer<CallResult<Calls, K>> {
  return handlers[name](process, args);
}
