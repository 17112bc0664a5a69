/**
 * The dispatch of the system-call table: name → handler, nothing else. A handler
 * gets decoded arguments and answers a result, -errno, or a `Deferred` of either;
 * it changes state synchronously.
 */
import type { guestCalls } from "../../protocol/guest-calls.js";
import type { CallArgs, CallResult } from "../../protocol/table.js";
import type { GuestAnswer, ProcessCall } from "../guest-door/thread.js";
import type { Deferred } from "../io/deferred.js";
import { admit } from "../policy/admission.js";
import type { Denial } from "../policy/decision.js";
import type { Process } from "../process/process.js";
import { fsHandlers } from "./fs.js";
import { descriptorHandlers } from "./descriptors.js";
import { netHandlers } from "./net.js";
import { processHandlers } from "./process.js";
import { toolHandlers } from "./tools.js";

type Calls = typeof guestCalls;
/** Answered by the process itself, for the thread that asks. */
type Special = "threadSocket" | "flowShutdown";
/** What a handler may answer. */
export type Answer<R> = R | number | Denial | Deferred<R> | Deferred<R | Denial>;
export type Handlers = {
  readonly [K in Exclude<keyof Calls, Special>]: (
    process: Process,
    args: CallArgs<Calls, K>,
  ) => Answer<CallResult<Calls, K>>;
};

const handlers: Handlers = {
  ...fsHandlers,
  ...netHandlers,
  ...descriptorHandlers,
  ...processHandlers,
  ...toolHandlers,
};

export function dispatch<K extends keyof Handlers>(
  process: Process,
  name: K,
  args: CallArgs<Calls, K>,
): Answer<CallResult<Calls, K>> {
  const { fs } = process;
  return fs.bounded(() =>
    admit(process, name, args, (admitted) => fs.bounded(() => handlers[name](process, admitted))),
  );
}

/** Answers a call as it came through the door. */
export function answer(process: Process, { name, args }: ProcessCall): GuestAnswer {
  // Name and arguments are of one row; the type cannot say so for all rows at once.
  return dispatch(process, name, args as never);
}
