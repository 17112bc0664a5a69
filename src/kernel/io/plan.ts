/**
 * Owns what a system call comes to when it was looked up and not begun: what the policy has to
 * allow, and what then happens. Handlers answer one instead of asking a policy themselves; the
 * admission of system calls carries it out.
 *
 * Invariant: making a plan does nothing that a denial would have to take back, but for what `over` ends.
 * Untrusted: what the requests say of the call.
 */
import type { Request } from "../../protocol/permissions.js";
import type { Demand } from "../policy/demand.js";
import { Deferred } from "./deferred.js";

/** What a handler may come to: an answer, now or later, or a plan. */
export type Outcome<R> =
  | R
  | number
  | Plan<R>
  | Deferred<R>
  | Deferred<Plan<R>>
  | Deferred<R | Plan<R>>;

interface PlanDetails<R> {
  /** How a denial names each request, where not by itself. */
  readonly resources?: readonly (string | undefined)[];
  /** Of the fs scope, on paths; asked instead of requests. */
  readonly demands?: readonly Demand[];
  /** The call once more, for a decision that took time: what names stand for may have changed. */
  readonly again?: () => Plan<R> | number;
  /** What the names of the call were found to stand for; with `again`, it has to be the same then. */
  readonly about?: readonly string[];
  /** Once, when the call is answered or nobody waits any more. */
  readonly over?: () => void;
}

export class Plan<R> {
  readonly requests: readonly Request[];
  readonly run: () => Outcome<R>;
  readonly details: PlanDetails<R>;

  constructor(requests: readonly Request[], run: () => Outcome<R>, details: PlanDetails<R> = {}) {
    this.requests = requests;
    this.run = run;
    this.details = details;
  }

  /** The same plan, whose result becomes another. */
  map<B>(make: (result: R) => B | number): Plan<B> {
    const { again, ...kept } = this.details;
    const anew = (): Plan<B> | number => {
      const plan = again!();
      return typeof plan === "number" ? plan : plan.map(make);
    };
    return new Plan<B>(this.requests, () => mapOutcome(this.run(), make), {
      ...kept,
      ...(again !== undefined && { again: anew }),
    });
  }
}

/** An outcome whose result, once there is one, becomes another; an errno stays what it is. */
export function mapOutcome<A, B>(outcome: Outcome<A>, make: (result: A) => B | number): Outcome<B> {
  if (typeof outcome === "number") return outcome;
  if (outcome instanceof Plan) return outcome.map(make);
  if (!(outcome instanceof Deferred)) return make(outcome);
  return (outcome as Deferred<A | Plan<A>>).map<B | Plan<B>>((late) =>
    late instanceof Plan ? late.map(make) : make(late),
  ) as Deferred<B | Plan<B>>;
}
