/**
 * The dispatch of the system-call table: name → row → policy → handler, nothing else. A
 * handler gets decoded arguments and answers a result, -errno, or a `Deferred` of either;
 * it changes state synchronously.
 */
import type { guestCalls } from "../../protocol/guest-calls.js";
import type { CallArgs, CallResult } from "../../protocol/table.js";
import type { CallAtTheDoor, GuestAnswer, ProcessCall } from "../guest-door/thread.js";
import { admit } from "../policy/admission.js";
import type { AdmissionRule } from "../policy/admission.js";
import { attempted } from "../io/attempt.js";
import type { Outcome } from "../io/plan.js";
import type { Process } from "../process/process.js";
import { systemCalls } from "./table.js";
import type { Moves } from "./table.js";

type Calls = typeof guestCalls;
export type Handlers = {
  readonly [K in Exclude<keyof Calls, CallAtTheDoor>]: (
    process: Process,
    args: CallArgs<Calls, K>,
  ) => Outcome<CallResult<Calls, K>>;
};

/** Puts on the bill what a call that got its result has moved. */
export function answered(process: Process, { name, args }: ProcessCall, result: object): void {
  const { moves } = systemCalls[name] as { readonly moves?: Moves<object, object> };
  if (moves === undefined) return;
  const { fd } = args as { fd?: number };
  const kind = fd === undefined ? undefined : process.descriptors.stream(fd)?.kind;
  process.bill.moved(kind ?? "file", moves.direction, moves.bytes(result, args));
}

/** Answers a call as it came through the door. */
export function answer(process: Process, { name, args }: ProcessCall): GuestAnswer {
  const { fs } = process;
  // Name and arguments are of one row; the type cannot say so for all rows at once.
  const row = systemCalls[name] as AdmissionRule<Process, object, object> & {
    run(process: Process, args: object): Outcome<object>;
  };
  return attempted(() =>
    process.policy.servedFor(process, () =>
      fs.bounded(() =>
        admit(process, row, args, (admitted) => fs.bounded(() => row.run(process, admitted))),
      ),
    ),
  ) as GuestAnswer;
}
