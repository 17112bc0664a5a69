/**
 * Owns what a machine keeps of its policy's work: the audit of decisions, and in learn mode what was
 * needed, by the machine and by each run of it.
 *
 * Untrusted: resources and commands; all text is cut to a length.
 */
import type { AuditOptions, Decision, DecisionList, PolicyMode } from "../../protocol/decisions.js";
import type { Request } from "../../protocol/permissions.js";
import { limits } from "../limits.js";
import { Audit } from "../policy/audit.js";
import { resourceOf } from "../policy/decision.js";
import { LearnedRequests } from "../policy/learned.js";
import type { Decided, PolicyObserver, Subject } from "../policy/policy.js";

/** A subject that belongs to a run, which learns for itself. */
interface RunSubject extends Subject {
  readonly budget?: { readonly learned: LearnedRequests | undefined };
}

export class MachineObserver implements PolicyObserver {
  readonly audit: Audit;
  readonly learnedRequests = new LearnedRequests();
  readonly wantsAll: boolean;
  readonly #mode: PolicyMode;

  constructor(options: AuditOptions, mode: PolicyMode, send: (list: DecisionList) => void) {
    this.audit = new Audit(options, send);
    this.wantsAll = options.all;
    this.#mode = mode;
  }

  decided({ request, resource, mode, rule, reason, subject }: Decided): void {
    const { decisionTextChars: longest } = limits;
    const { scope, operation } = request;
    const enforced = mode === "allow" || this.#mode === "enforce";
    const decision: Decision = {
      time: Date.now(),
      scope,
      operation,
      resource: (resource ?? resourceOf(request)).slice(0, longest),
      decision: enforced ? mode : "allow",
      rule,
      ...(reason !== undefined && { reason: reason.slice(0, longest) }),
      ...(!enforced && { wouldDeny: true }),
      process: { pid: subject?.pid ?? 0, argv0: (subject?.argv[0] ?? "").slice(0, longest) },
    };
    this.audit.add(decision);
  }

  /** A request on its way out of the machine; answers whether it goes. */
  outward(
    resource: string,
    rule: number | "allow" | "deny",
    { pid, argv0 }: Decision["process"],
  ): boolean {
    const { decisionTextChars: longest } = limits;
    const enforced = rule !== "deny" || this.#mode === "enforce";
    this.audit.add({
      time: Date.now(),
      scope: "network",
      operation: "request",
      resource: resource.slice(0, longest),
      decision: rule === "deny" && enforced ? "deny" : "allow",
      rule: rule === "deny" ? "default" : rule,
      ...(!enforced && { wouldDeny: true }),
      process: { pid, argv0: argv0.slice(0, longest) },
    });
    return rule !== "deny" || !enforced;
  }

  learned(request: Request, subject: RunSubject | undefined): void {
    this.learnedRequests.add(request);
    subject?.budget?.learned?.add(request);
  }
}
