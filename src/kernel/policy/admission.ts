/**
 * Owns the door between a guest's system call and its handler: the fs and
 * process scopes are judged here, before the handler runs.
 *
 * Invariants: what is judged is the entry that the call then uses, found by one
 * walk; when the answer took time, the call starts again from the walk; a denied
 * call has no effect.
 * Untrusted: every argument.
 */
import type { fsCalls } from "../../protocol/fs-calls.js";
import type { guestCalls } from "../../protocol/guest-calls.js";
import type { CallArgs, CallResult } from "../../protocol/table.js";
import { Errno } from "../../abi/errno.js";
import { Deferred } from "../io/deferred.js";
import { Last } from "../fs/index.js";
import type { Walks } from "../fs/index.js";
import type { Answer as HandlerAnswer } from "../syscalls/dispatch.js";
import { Denial, afterwards, denial } from "./decision.js";
import type { Decision } from "./decision.js";
import { fsDemands } from "./fs-demands.js";
import type { Demand } from "./fs-demands.js";
import { laundering, questionOf, sameQuestion } from "./fs-requests.js";
import type { FsCaller } from "./fs-requests.js";

type Calls = typeof guestCalls;
type Name = keyof Calls;
type FsName = keyof typeof fsCalls;
type Answer<K extends Name> = HandlerAnswer<CallResult<Calls, K>>;

/** How often a path may change while its judgement is awaited. */
const attempts = 3;

/** Runs `work` with the walks that were judged. */
function walking<R>(caller: FsCaller, walks: Walks, work: () => R): R {
  const { credentials } = caller;
  credentials.walks = walks;
  try {
    return work();
  } finally {
    delete credentials.walks;
  }
}

/** Runs `work` once all that `demands` come to is allowed; `refused` says what is answered otherwise. */
export function judged<R>(
  caller: FsCaller,
  demands: readonly Demand[],
  work: () => HandlerAnswer<R>,
  left = attempts,
): HandlerAnswer<R> {
  const question = questionOf(caller, demands);
  if (question instanceof Denial) return question;
  const laundered = laundering(caller, demands, question);
  if (laundered !== 0) return laundered;
  const { policy } = caller;
  const { requests, resources, inspections, walks } = question;
  const decision = afterwards(policy.judgeAll(requests, resources), () =>
    policy.judgeAll(inspections),
  ) as Decision | Deferred<Decision>;
  if (!(decision instanceof Deferred))
    return decision === 0 ? walking(caller, walks, work) : decision;
  return afterwards(decision, () => {
    // What was asked about may be something else by now.
    const now = questionOf(caller, demands);
    if (now instanceof Denial) return now;
    if (sameQuestion(question, now)) return walking(caller, now.walks, work);
    if (left === 0) return denial(requests[0]!, resources[0]);
    return judged(caller, demands, work, left - 1);
  });
}

const nothing = new Uint8Array(0);

/** What a denied call answers where an error would be no answer. */
const quiet: { [K in Name]?: () => CallResult<Calls, K> } = {
  moduleStat: () => ({ kind: -Errno.EACCES, near: nothing }),
  readPackage: () => ({ found: false, data: new Uint8Array(0) }),
};

/** Runs `handle` if the policy admits the call, and answers what the guest is to be told. */
export function admit<K extends Name>(
  caller: FsCaller,
  name: K,
  args: CallArgs<Calls, K>,
  handle: (args: CallArgs<Calls, K>) => Answer<K>,
): Answer<K> {
  const { policy } = caller;
  if (policy.allowsAll("fs") && policy.allowsAll("process")) return handle(args);
  if (name === "packageScope")
    return judgeFound(caller, handle(args) as Answer<"packageScope">) as Answer<K>;
  const demands = demandsOf(name, args);
  if (demands === undefined) return handle(args);
  let kept = args;
  const answer = judged<CallResult<Calls, K>>(caller, demands, () => {
    const result = handle(kept);
    // Only the path itself was judged, not its neighbours.
    if (name === "moduleStat" && typeof result === "object" && "near" in result)
      return { ...result, near: nothing } as unknown as Answer<K>;
    return result;
  });
  if (answer instanceof Deferred) kept = ownCopy(args);
  const silent = quiet[name];
  if (silent === undefined) return answer;
  if (answer instanceof Denial) return silent() as CallResult<Calls, K>;
  if (!(answer instanceof Deferred)) return answer;
  const later = new Deferred<CallResult<Calls, K> | Denial>();
  later.onCancel(() => answer.cancel());
  answer.whenSettled((late: CallResult<Calls, K> | Denial | number) =>
    later.settle(late instanceof Denial ? (silent() as CallResult<Calls, K>) : late),
  );
  return later;
}

/** Bytes are views of the frame, which does not last until a late answer. */
function ownCopy<T extends object>(args: T): T {
  return Object.fromEntries(
    Object.entries(args).map(([key, value]: [string, unknown]) => [
      key,
      value instanceof Uint8Array ? Buffer.from(value) : value,
    ]),
  ) as T;
}

function demandsOf<K extends Name>(name: K, args: CallArgs<Calls, K>): Demand[] | undefined {
  if (name === "chdir")
    return [
      {
        operation: "stat",
        on: { path: (args as CallArgs<Calls, "chdir">).path, last: Last.Follow },
      },
    ];
  if (!Object.hasOwn(fsDemands, name)) return undefined;
  const row = fsDemands[name as FsName];
  return row === "opened" ? undefined : (row as (args: unknown) => Demand[])(args);
}

/** A package.json that may not be read is as good as none. */
function judgeFound(caller: FsCaller, result: Answer<"packageScope">): Answer<"packageScope"> {
  if (typeof result === "number" || result instanceof Denial || result instanceof Deferred)
    return result;
  if (result.path === "") return result;
  const none = { path: "", data: nothing };
  const answer = judged<CallResult<Calls, "packageScope">>(
    caller,
    [{ operation: "read", on: { path: result.path, last: Last.Follow } }],
    () => result,
  );
  if (answer instanceof Denial) return none;
  if (!(answer instanceof Deferred)) return answer;
  const later = new Deferred<CallResult<Calls, "packageScope"> | Denial>();
  later.onCancel(() => answer.cancel());
  answer.whenSettled((late) => later.settle(late instanceof Denial ? none : late));
  return later;
}
