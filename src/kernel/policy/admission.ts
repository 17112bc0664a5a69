/**
 * Owns the door between a guest's system call and its handler: what the call's row
 * demands of the policy is judged here, before the handler runs.
 *
 * Invariants: what is judged is the entry that the call then uses, found by one
 * walk; when the answer took time, the call starts again from the walk; a denied
 * call has no effect. Nothing else asks a policy about a system call: a handler that has to look
 * something up first answers a plan.
 * Untrusted: every argument.
 */
import type { Request } from "../../protocol/permissions.js";
import { attempted } from "../io/attempt.js";
import { Deferred } from "../io/deferred.js";
import { Plan } from "../io/plan.js";
import type { Outcome } from "../io/plan.js";
import type { Walks } from "../fs/index.js";
import { Denial, afterwards, denial, resourceOf } from "./decision.js";
import type { Answer, Decision } from "./decision.js";
import type { Demand } from "./demand.js";
import { laundering, notes, questionOf, sameQuestion } from "./fs-requests.js";
import type { FsCaller } from "./fs-requests.js";
import type { Policy, Subject } from "./policy.js";

/** What a call has to be allowed, and what it answers when it is not. `C` is its process. */
export interface AdmissionRule<C, A, R> {
  /** Of the fs scope, and of the process scope where a path tells about another process. */
  demand?(args: A): readonly Demand[];
  /** Of any other scope: all of one. */
  requests?(args: A, caller: C): readonly Request[];
  /** Where an error would be no answer to the guest. */
  whenDenied?(): R;
  /** What of the result was covered by the judgement. */
  whenJudged?(result: R): R;
  /** Where nothing is judged and all is noted, the result is whole: what else it tells of. */
  told?(args: A, result: R): readonly Demand[];
  /** The demand chooses the name that the call then uses. */
  readonly choosesName?: true;
  /** Whether a denial would have been as good as this result: what was looked for is not there. */
  foundNothing?(result: R): boolean;
  /** For a call that searches: what it found is judged, and is nothing when it is denied. */
  readonly found?: { demand(result: R): readonly Demand[]; none(): R };
}

/** How often a path may change while its judgement is awaited. */
const attempts = 3;

/** Runs `work` with the walks that were judged. */
function walking<R>(caller: FsCaller, walks: Walks, work: () => R): R {
  const { credentials } = caller;
  credentials.walks = walks;
  try {
    return work();
  } finally {
    // Not deleted: an object whose properties come and go is slow to look at ever after.
    credentials.walks = undefined;
  }
}

/** Runs `work` once all that `demands` come to is allowed; `refused` says what is answered otherwise. */
function judged<R>(
  caller: FsCaller,
  demands: readonly Demand[],
  work: () => Answer<R>,
  left = attempts,
): Answer<R> {
  const question = questionOf(caller, demands);
  if (question instanceof Denial) return question;
  const laundered = laundering(caller, demands, question);
  if (laundered !== 0) return laundered;
  const { policy } = caller;
  const { requests, resources, inspections, walks } = question;
  let decision = policy.judgeAll(requests, resources, caller);
  if (inspections.length > 0)
    decision = afterwards(decision, () => policy.judgeAll(inspections, [], caller)) as
      | Decision
      | Deferred<Decision>;
  if (!(decision instanceof Deferred))
    return decision === 0 ? walking(caller, walks, work) : decision;
  return afterwards(decision, () =>
    attemptedLate(() => {
      // What was asked about may be something else by now.
      const now = questionOf(caller, demands);
      if (now instanceof Denial) return now;
      if (sameQuestion(question, now)) return walking(caller, now.walks, work);
      if (left === 0) return denial(requests[0]!, resources[0]);
      return judged(caller, demands, work, left - 1);
    }),
  );
}

/** What comes after a decision that took time is no part of the call's own run any more. */
function attemptedLate<R>(work: () => Answer<R>): Answer<R> {
  return attempted(work) as Answer<R>;
}

/** The requests of a plan, which may be of several scopes, in turn. */
function decided(
  policy: Policy,
  requests: readonly Request[],
  resources: readonly (string | undefined)[],
  subject: Subject,
): Decision | Deferred<Decision> {
  const scope = requests[0]?.scope;
  const end = requests.findIndex((request) => request.scope !== scope);
  if (end < 0) return policy.judgeAll(requests, resources, subject);
  return afterwards(policy.judgeAll(requests.slice(0, end), resources.slice(0, end), subject), () =>
    decided(policy, requests.slice(end), resources.slice(end), subject),
  ) as Decision | Deferred<Decision>;
}

/** Does what a plan is for, once all that it asks for is allowed. Any other outcome is an answer as it is. */
export function carryOut<R>(caller: FsCaller, outcome: Outcome<R>): Answer<R> {
  if (!(outcome instanceof Plan)) return outcome as Answer<R>;
  const { requests, details, run } = outcome;
  const { over } = details;
  const begin = (): Answer<R> => arrived(caller, run());
  let answer: Answer<R>;
  if (details.demands !== undefined) answer = judged(caller, details.demands, begin);
  else {
    const decision = decided(caller.policy, requests, details.resources ?? [], caller);
    answer = afterwards(decision, () =>
      decision instanceof Deferred ? attemptedLate(() => late(caller, outcome, begin)) : begin(),
    );
  }
  return over === undefined ? answer : watched(answer, over);
}

/** After a decision that took time. */
function late<R>(caller: FsCaller, plan: Plan<R>, begin: () => Answer<R>): Answer<R> {
  const { again, about = [] } = plan.details;
  if (again === undefined) return begin();
  const now = again();
  if (typeof now === "number") return now;
  const found = now.details.about ?? [];
  const same = about.length === found.length && about.every((name, at) => name === found[at]);
  return same ? arrived(caller, now.run()) : denial(plan.requests[0]!);
}

/** What a plan came to may be another one, now or later. */
function arrived<R>(caller: FsCaller, outcome: Outcome<R>): Answer<R> {
  if (!(outcome instanceof Deferred)) return carryOut(caller, outcome);
  type Late = R | number | Deferred<R>;
  return (outcome as Deferred<R | Plan<R>>).chain<R>((result) =>
    result instanceof Plan ? (carryOut(caller, result as Plan<R>) as Late) : result,
  );
}

/** `answer`, after which `over` runs, or when nobody waits for it any more. */
function watched<R>(answer: Answer<R>, over: () => void): Answer<R> {
  const pending = lateOf(answer);
  if (pending === undefined) {
    over();
    return answer;
  }
  const later = new Deferred<R | Denial>();
  later.onCancel(() => {
    pending.cancel();
    over();
  });
  pending.whenSettled((result) => {
    over();
    later.settle(result);
  });
  return later;
}

/** Runs `handle` if the policy admits the call, and answers what the guest is to be told. */
export function admit<C extends FsCaller, A extends object, R extends object>(
  caller: C,
  rule: AdmissionRule<C, A, R>,
  args: A,
  handler: (args: A) => Outcome<R>,
): Answer<R> {
  const handle = (given: A): Answer<R> => carryOut(caller, handler(given));
  if (rule.foundNothing === undefined || caller.policy.mode !== "learn")
    return admitted(caller, rule, args, handle);
  return caller.policy.trial(
    () => admitted(caller, rule, args, handle),
    (answer) => {
      const result = resultOf(answer);
      return result === undefined || rule.foundNothing?.(result) !== true;
    },
  );
}

function admitted<C extends FsCaller, A extends object, R extends object>(
  caller: C,
  rule: AdmissionRule<C, A, R>,
  args: A,
  handle: (args: A) => Answer<R>,
): Answer<R> {
  const { policy } = caller;
  let kept = args;
  let answer: Answer<R>;
  if (rule.requests !== undefined) {
    const decision = policy.judgeAll(rule.requests(args, caller), [], caller);
    answer = afterwards(decision, () =>
      decision instanceof Deferred ? attemptedLate(() => handle(kept)) : handle(kept),
    );
  } else if (policy.allowsAll("fs") && policy.allowsAll("process")) return handle(args);
  else if (mayNote(policy, rule.found ?? rule.choosesName) && notes(caller, rule.demand?.(args)))
    return noted(caller, rule, args, handle);
  else if (rule.found !== undefined) return judgedResult(caller, rule.found, handle(args));
  else if (rule.demand === undefined) return handle(args);
  else {
    answer = judged(caller, rule.demand(args), () => covered(rule, handle(kept)));
  }
  // Bytes are views of the frame, which does not last until a late answer.
  if (lateOf(answer) !== undefined) kept = ownCopy(args);
  return rule.whenDenied === undefined ? answer : undenied(answer, rule.whenDenied);
}

/** Runs a call where all is noted. Which processes it looked at by way of links, only its own walks know. */
function noted<C extends FsCaller, A, R>(
  caller: C,
  { told, whenJudged }: AdmissionRule<C, A, R>,
  args: A,
  handle: (args: A) => Answer<R>,
): Answer<R> {
  const { fs, policy } = caller;
  fs.inspected = 0;
  const answer = handle(args);
  if (fs.inspected !== 0) {
    const request = { scope: "process", operation: "inspect", pid: fs.inspected } as const;
    policy.note(request, "process", resourceOf(request), caller);
  }
  const result = told === undefined ? undefined : resultOf(answer);
  if (result === undefined || notes(caller, told!(args, result))) return answer;
  return whenJudged?.(result) ?? result;
}

/** Not a call that is judged by what it finds, or by a walk that chooses. */
function mayNote(policy: Policy, otherwise?: object | true): boolean {
  return otherwise === undefined && policy.onlyNotes("fs") && policy.onlyNotes("process");
}

/** What of an answer was covered by the judgement. */
function covered<C, A, R extends object>(
  { whenJudged }: AdmissionRule<C, A, R>,
  answer: Answer<R>,
): Answer<R> {
  const result = whenJudged === undefined ? undefined : resultOf(answer);
  return result === undefined ? answer : whenJudged!(result);
}

/** The answer that is still to come, if it is. */
function lateOf<R>(answer: Answer<R>): Deferred<R | Denial> | undefined {
  return answer instanceof Deferred ? (answer as Deferred<R | Denial>) : undefined;
}

/** The result, if it is one and there. */
function resultOf<R>(answer: Answer<R>): R | undefined {
  const other =
    typeof answer === "number" || answer instanceof Denial || answer instanceof Deferred;
  return other ? undefined : (answer as R);
}

/** `answer`, with what `instead` says in place of a denial. */
function undenied<R>(answer: Answer<R>, instead: () => R): Answer<R> {
  if (answer instanceof Denial) return instead();
  const pending = lateOf<R>(answer);
  if (pending === undefined) return answer;
  const later = new Deferred<R>();
  later.onCancel(() => pending.cancel());
  pending.whenSettled((late) => later.settle(late instanceof Denial ? instead() : late));
  return later;
}

function ownCopy<T extends object>(args: T): T {
  return Object.fromEntries(
    Object.entries(args).map(([key, value]: [string, unknown]) => [
      key,
      value instanceof Uint8Array ? Buffer.from(value) : value,
    ]),
  ) as T;
}

function judgedResult<R>(
  caller: FsCaller,
  found: NonNullable<AdmissionRule<never, never, R>["found"]>,
  answer: Answer<R>,
): Answer<R> {
  const result = resultOf(answer);
  if (result === undefined) return answer;
  const demands = found.demand(result);
  // What was found is named as it was found: where all is only noted, it need not be looked for again.
  if (mayNote(caller.policy) && notes(caller, demands)) return answer;
  return undenied(
    judged<R>(caller, demands, () => result),
    () => found.none(),
  );
}
