/**
 * Owns what a machine keeps of its policy's work: the audit of decisions, and in learn mode what was
 * needed, by the machine and by each run of it.
 *
 * Untrusted: resources and commands; all text is cut to a length.
 */
import type { AuditOptions, Decision, DecisionList, PolicyMode } from "../../protocol/decisions.js";
import type { Request, Scope } from "../../protocol/permissions.js";
import { limits } from "../limits.js";
import { Audit } from "../policy/audit.js";
import { resourceOf } from "../policy/decision.js";
import { LearnedRequests } from "../policy/learned.js";
import type { Decided, PolicyObserver, Subject } from "../policy/policy.js";

/** A subject that belongs to a run, which learns for itself. */
interface RunSubject extends Subject {
  readonly budget?: { readonly learned: LearnedRequests | undefined };
}

/** Most texts are short, and stay as they are. */
function shortened(text: string): string {
  const { decisionTextChars: longest } = limits;
  return text.length > longest ? text.slice(0, longest) : text;
}

export class MachineObserver implements PolicyObserver {
  readonly audit: Audit;
  readonly learnedRequests = new LearnedRequests();
  readonly wantsAll: boolean;
  readonly #mode: PolicyMode;

  /** `now` is the time that decisions are dated by, in milliseconds since the epoch. */
  constructor(
    options: AuditOptions,
    mode: PolicyMode,
    send: (list: DecisionList) => void,
    now: () => number,
  ) {
    this.audit = new Audit(options, send, now);
    this.wantsAll = options.all;
    this.#mode = mode;
  }

  decided({ request, resource, mode, rule, reason, subject }: Decided): void {
    const { scope, operation } = request;
    const enforced = mode === "allow" || this.#mode === "enforce";
    this.audit.add({
      scope,
      operation,
      resource: shortened(resource ?? resourceOf(request)),
      decision: enforced ? mode : "allow",
      rule,
      reason: reason === undefined ? "" : shortened(reason),
      wouldDeny: !enforced,
      pid: subject?.pid ?? 0,
      argv0: shortened(subject?.argv[0] ?? ""),
    });
  }

  noted(scope: Scope, operation: string, resource: string, { pid, argv }: Subject): void {
    this.audit.note(scope, operation, shortened(resource), pid, shortened(argv[0] ?? ""));
  }

  /** A request on its way out of the machine; answers whether it goes. */
  outward(
    resource: string,
    rule: number | "allow" | "deny",
    { pid, argv0 }: Decision["process"],
  ): boolean {
    const enforced = rule !== "deny" || this.#mode === "enforce";
    this.audit.add({
      scope: "network",
      operation: "request",
      resource: shortened(resource),
      decision: rule === "deny" && enforced ? "deny" : "allow",
      rule: rule === "deny" ? "default" : rule,
      reason: "",
      wouldDeny: !enforced,
      pid,
      argv0: shortened(argv0),
    });
    return rule !== "deny" || !enforced;
  }

  learned(request: Request, subject: RunSubject | undefined): void {
    this.learnedRequests.add(request);
    subject?.budget?.learned?.add(request);
  }
}
