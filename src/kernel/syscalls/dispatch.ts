/**
 * The dispatch of the system-call table: name → row → policy → handler, nothing else. A
 * handler gets decoded arguments and answers a result, -errno, or a `Deferred` of either;
 * it changes state synchronously.
 */
import type { guestCalls } from "../../protocol/guest-calls.js";
import type { CallArgs, CallResult } from "../../protocol/table.js";
import type { CallAtTheDoor, GuestAnswer, ProcessCall } from "../guest-door/thread.js";
import type { Belongings } from "../guest-door/thread-descriptors.js";
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

/** A row, for who has the arguments and the result of that very call; the type cannot say so for all rows at once. */
interface AnsweredRow {
  readonly moves?: Moves<object, object>;
  opens?(result: object): readonly number[];
  watches?(result: object, args: object): { readonly watch: number; readonly lasts: boolean };
}

/** Puts on the bill what a call that got its result has moved, and down as its worker's what it has begun. */
export function answered(
  process: Process,
  { name, args }: ProcessCall,
  result: object,
  own: Belongings | undefined,
): void {
  const row = systemCalls[name] as AnsweredRow;
  if (own !== undefined) {
    for (const fd of row.opens?.(result) ?? []) own.owns(fd, true);
    const watched = row.watches?.(result, args);
    if (watched !== undefined) own.watches(watched.watch, watched.lasts);
  }
  const { moves } = row;
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
