/**
 * Owns what one VM's processes may do: a judge per scope, and the one place
 * where a request is decided.
 *
 * Invariants: a decision is made before anything is touched; no answer of the
 * host's function in time, or anything but a clear yes, is a denial; every decision is told to the
 * observer once, with who asked. Only a machine in dry-run or learn mode lets through what is denied.
 * Untrusted: every request. Trusted: policies and the host's answers.
 */
import type { Decision as DecisionRecord, PolicyMode } from "../../protocol/decisions.js";
import { scopeNames } from "../../protocol/permissions.js";
import type { Answer, Policies, Request, Scope } from "../../protocol/permissions.js";
import { decidedOnce, isNew } from "../io/attempt.js";
import { Deferred } from "../io/deferred.js";
import { whyShut } from "./address-range.js";
import { afterwards, denial } from "./decision.js";
import type { Decision } from "./decision.js";
import { limits } from "../limits.js";
import { ScopeJudge } from "./scope-judge.js";
import { wideningOf } from "./widening.js";

type NetworkRequest = Extract<Request, { scope: "network" }>;

/** A function is asked about each name in turn; all of them have to be allowed. */
function questionsOf(request: NetworkRequest): Request[] {
  const { names = [], asked = [request.hostname, ...names], ...rest } = request;
  delete rest.aliases;
  return asked.map((hostname) => ({ ...rest, hostname }));
}

/** Puts requests of one scope to the host's function; one answer per request, or -errno. */
export type Ask = (scope: Scope, requests: readonly Request[]) => Deferred<Answer[]>;

/** Who asks for something. */
export interface Subject {
  readonly pid: number;
  readonly argv: readonly string[];
}

/** What was decided about one request. */
export interface Decided {
  readonly request: Request;
  /** How a denial names it, if not by itself. */
  readonly resource: string | undefined;
  readonly mode: "allow" | "deny";
  readonly rule: DecisionRecord["rule"];
  readonly reason: string | undefined;
  readonly subject: Subject | undefined;
}

/** Hears of decisions. */
export interface PolicyObserver {
  /** Whether it wants those of scopes that allow everything, too. */
  readonly wantsAll: boolean;
  decided(decided: Decided): void;
  /** The same of what a scope allows that allows everything. */
  noted(scope: Scope, operation: string, resource: string, subject: Subject): void;
  /** In learn mode: something was needed. */
  learned(request: Request, subject: Subject | undefined): void;
}

export interface PolicyOptions {
  /** Default: "enforce". */
  readonly mode?: PolicyMode;
  readonly observer?: PolicyObserver;
  /** Of a deterministic machine: it has one process and no outside, whatever rules and modes say. */
  readonly alone?: boolean;
}

/** What a deterministic machine does not have; what comes back, and when, would be others' to decide. */
function lackedBy(request: Request): string | undefined {
  const { scope } = request;
  const outward = scope === "network" && !request.loopback;
  if (scope !== "childProcess" && !outward) return undefined;
  const what = outward ? "no outside" : "one process";
  return `a deterministic machine has ${what} (ERR_SECURE_EXEC_DETERMINISTIC)`;
}

export class Policy {
  readonly #judges = new Map<Scope, ScopeJudge>();
  /** What has to allow as well, when this one is the narrower of another's. */
  #base: { readonly policy: Policy; readonly own: Partial<Policies>; changes: number } | undefined;
  #narrowings = 0;
  readonly #ask: Ask;
  readonly #observer: PolicyObserver | undefined;
  readonly #alone: boolean;
  readonly mode: PolicyMode;
  /** Whose call is being served: who asks, where nobody says otherwise. */
  subject: Subject | undefined;
  /** What a call was found to need in learn mode, while it is not known whether it got anything. */
  #trial: [Request, Subject | undefined][] | undefined;

  constructor(policies: Policies, ask: Ask, options: PolicyOptions = {}) {
    const { mode = "enforce", observer, alone = false } = options;
    this.#alone = alone;
    this.#ask = ask;
    this.#observer = observer;
    this.mode = mode;
    for (const scope of scopeNames) this.#judges.set(scope, new ScopeJudge(scope, policies[scope]));
  }

  #judge(scope: Scope): ScopeJudge {
    const base = this.#base;
    if (base !== undefined && base.changes !== base.policy.#changes) this.#followBase();
    return this.#judges.get(scope)!;
  }

  /** Goes up whenever it, or what it depends on, is narrowed. */
  get #changes(): number {
    const base = this.#base;
    return this.#narrowings + (base === undefined ? 0 : base.policy.#changes);
  }

  /** One that allows what this one and `policies` allow, now and after each change of this one. */
  narrower(policies: Partial<Policies>): Policy {
    const observer = this.#observer;
    const options = { mode: this.mode, alone: this.#alone, ...(observer && { observer }) };
    const made = new Policy(this.#first, this.#ask, options);
    made.#base = { policy: this, own: policies, changes: -1 };
    return made;
  }

  /** Of each scope what came first. */
  get #first(): Policies {
    const first = scopeNames.map((scope) => [scope, this.#judge(scope).policies[0]!] as const);
    return Object.fromEntries(first) as Policies;
  }

  #followBase(): void {
    const { policy, own } = this.#base!;
    for (const scope of scopeNames) {
      const [first, ...later] = policy.#judge(scope).policies;
      const judge = new ScopeJudge(scope, first!);
      for (const one of later) judge.add(one);
      const added = own[scope];
      if (added !== undefined) judge.add(added);
      this.#judges.set(scope, judge);
    }
    this.#base!.changes = policy.#changes;
  }

  /** Why `policies` would be wider than what holds: the scope, and what they would allow. */
  widening(policies: Partial<Policies>): { scope: Scope; why: string } | undefined {
    for (const scope of scopeNames) {
      const policy = policies[scope];
      const judge = this.#judge(scope);
      const why = policy && wideningOf(scope, judge, judge.policies, policy);
      if (why !== undefined) return { scope, why };
    }
    return undefined;
  }

  /**
   * From now on `policies` have to allow as well; those of other scopes stay. False when there were
   * too many changes already.
   */
  narrow(policies: Partial<Policies>): boolean {
    const given = scopeNames.filter((scope) => policies[scope] !== undefined);
    if (given.some((scope) => this.#judge(scope).policies.length > limits.permissionChanges))
      return false;
    for (const scope of given) this.#judge(scope).add(policies[scope]!);
    this.#narrowings++;
    return true;
  }

  /** Runs `work` for `subject`, so that decisions are known to be about it. */
  servedFor<R>(subject: Subject, work: () => R): R {
    const before = this.subject;
    this.subject = subject;
    try {
      return work();
    } finally {
      this.subject = before;
    }
  }

  /** Whether nothing in the scope is ever denied and nobody wants to know, so that callers need not even ask. */
  allowsAll(scope: Scope): boolean {
    if (this.mode === "learn" || this.#observer?.wantsAll === true) return false;
    return this.#judge(scope).allowsAll;
  }

  /** Whether nothing in the scope is ever denied, and what is asked is only noted: by `note`. */
  onlyNotes(scope: Scope): boolean {
    const noted = this.#observer?.wantsAll === true && this.mode !== "learn" && !this.#alone;
    return noted && this.#judge(scope).allowsAll;
  }

  /** What `judge` would come to in a scope that is only noted; once per call, however often that is run. */
  note(said: { operation: string }, scope: Scope, resource: string, subject: Subject): void {
    if (isNew(said)) this.#observer?.noted(scope, said.operation, resource, subject);
  }

  /** Whether a function of the host decides in the scope. */
  asksHost(scope: Scope): boolean {
    return this.mode !== "learn" && this.#judge(scope).asksHost;
  }

  /** Whether rules, which answer at once, decide in the scope. */
  hasRules(scope: Scope): boolean {
    const judge = this.#judge(scope);
    return this.mode === "enforce" && judge.hasRules && !judge.asksHost;
  }

  /** In learn mode: runs a call, and learns of it only if `fruitful` says that it got something. */
  trial<R>(work: () => R, fruitful: (answer: R) => boolean): R {
    const tried: [Request, Subject | undefined][] = [];
    this.#trial = tried;
    let answer: R;
    try {
      answer = work();
    } finally {
      this.#trial = undefined;
    }
    if (fruitful(answer))
      for (const [request, subject] of tried) this.#observer?.learned(request, subject);
    return answer;
  }

  /** Decides one request. `resource` is how a denial names it, if not by itself. */
  judge(
    request: Request,
    resource?: string,
    subject: Subject | undefined = this.subject,
  ): Decision | Deferred<Decision> {
    return this.judgeAll([request], [resource], subject);
  }

  /**
   * Whether an allowing rule names this very address or a narrow range around it (the default),
   * or with "host" the exact host name, so that what is shut otherwise opens.
   */
  names(request: NetworkRequest, by: "address" | "host" = "address"): boolean {
    return this.#judge("network").names(request, by);
  }

  /** Whether rules deny by name, so that it matters what a name is an alias of. */
  get deniesNames(): boolean {
    return this.#judge("network").deniesNames;
  }

  /** Decides several requests of one scope: 0 when all are allowed, otherwise the first denial. */
  judgeAll(
    requests: readonly Request[],
    resources: readonly (string | undefined)[] = [],
    subject: Subject | undefined = this.subject,
  ): Decision | Deferred<Decision> {
    if (requests.length === 0) return 0;
    const decide = (): Decision | Deferred<Decision> =>
      this.#judgeAll(requests, resources, subject);
    // What is learned of a call, the run of it that gets to its end has to say.
    if (this.mode === "learn") return decide();
    return decidedOnce(() => `judge ${JSON.stringify(requests)}`, decide);
  }

  #judgeAll(
    requests: readonly Request[],
    resources: readonly (string | undefined)[],
    subject: Subject | undefined,
  ): Decision | Deferred<Decision> {
    const first = requests[0]!;
    const lacked = this.#alone ? lackedBy(first) : undefined;
    if (lacked !== undefined) return denial(first, resources[0], lacked);
    if (this.#learns(requests, subject)) return 0;
    const judge = this.#judge(first.scope);
    if (first.scope !== "network") return this.#judgeEach(judge, requests, resources, subject);
    const connections = requests as readonly NetworkRequest[];
    const asked = judge.asksHost ? connections.flatMap(questionsOf) : connections;
    return afterwards(this.#judgeEach(judge, asked, resources, subject), () =>
      this.#rangesShut(connections, subject),
    ) as Decision | Deferred<Decision>;
  }

  /** Some addresses are shut whatever the rules say about their names. */
  #rangesShut(requests: readonly NetworkRequest[], subject: Subject | undefined): Decision {
    for (const request of requests) {
      const why = whyShut(request, (by) => this.names(request, by));
      if (why === undefined) continue;
      const decided = { resource: undefined, reason: undefined, subject } as const;
      this.#observer?.decided({ request, mode: "deny", rule: "address", ...decided });
      if (this.mode === "enforce") return denial(request, undefined, why);
    }
    return 0;
  }

  #judgeEach(
    judge: ScopeJudge,
    requests: readonly Request[],
    resources: readonly (string | undefined)[],
    subject: Subject | undefined,
  ): Decision | Deferred<Decision> {
    for (let at = 0; at < requests.length; at++) {
      const decision = this.#decide(judge, requests[at]!, resources[at], subject);
      if (decision !== 0) return decision;
    }
    if (!judge.asksHost) return 0;
    return this.#defer(
      judge.scope,
      requests,
      (decisions) => decisions.find((decision) => decision !== 0) ?? 0,
      resources,
      subject,
    );
  }

  /** In learn mode everything is allowed, and noted. */
  #learns(requests: readonly Request[], subject: Subject | undefined): boolean {
    if (this.mode !== "learn") return false;
    for (const request of requests) {
      if (this.#trial !== undefined) this.#trial.push([request, subject]);
      else this.#observer?.learned(request, subject);
    }
    return true;
  }

  /** What rules or a mode say; only for scopes without a function, and told to nobody. */
  permits(request: Request): boolean {
    if (this.mode !== "enforce") return true;
    const judge = this.#judge(request.scope);
    return !judge.asksHost && judge.verdict(request).mode === "allow";
  }

  /**
   * The variables of `env` that a process may have. Reading is judged for all of them, writing
   * for those that are not as in `inherited`: the guest has set them for its child.
   */
  filterEnv(
    env: Readonly<Record<string, string>>,
    inherited: Readonly<Record<string, string>> = env,
    subject: Subject | undefined = this.subject,
  ): Record<string, string> | Deferred<Record<string, string>> {
    if (this.allowsAll("env")) return { ...env };
    const names = Object.keys(env);
    const requests: Request[] = names.map((name) => ({ scope: "env", operation: "read", name }));
    for (const name of names) {
      if (inherited[name] !== env[name])
        requests.push({ scope: "env", operation: "write", name, value: env[name]! });
    }
    if (this.#learns(requests, subject)) return { ...env };
    const judge = this.#judge("env");
    const decided = requests.map((request) => this.#decide(judge, request, undefined, subject));
    const keep = (decisions: readonly Decision[]): Record<string, string> => {
      const denied = new Set(
        requests
          .filter((_, at) => decided[at] !== 0 || decisions[at] !== 0)
          .map((request) => (request as { name: string }).name),
      );
      const kept = Object.create(null) as Record<string, string>;
      for (const name of names) if (!denied.has(name)) kept[name] = env[name]!;
      return kept;
    };
    if (judge.asksHost) return this.#defer("env", requests, keep, [], subject);
    return keep(decided);
  }

  /** What rules and modes say. What they allow is told here only where no function has a say. */
  #decide(
    judge: ScopeJudge,
    request: Request,
    resource: string | undefined,
    subject: Subject | undefined,
  ): Decision {
    const { mode, rule } = judge.verdict(request);
    const wanted = !judge.allowsAll || this.#observer?.wantsAll === true;
    if (mode === "deny" || (wanted && !judge.asksHost))
      this.#observer?.decided({ request, resource, mode, rule, reason: undefined, subject });
    return mode === "allow" || this.mode !== "enforce" ? 0 : denial(request, resource);
  }

  #defer<R>(
    scope: Scope,
    requests: readonly Request[],
    combine: (decisions: Decision[]) => R,
    resources: readonly (string | undefined)[],
    subject: Subject | undefined,
  ): Deferred<R> {
    const result = new Deferred<R>();
    const asked = this.#ask(scope, requests);
    result.onCancel(() => asked.cancel());
    asked.whenSettled((answers) => {
      const decisions = requests.map((request, at): Decision => {
        const answer =
          typeof answers === "number"
            ? { allow: false, reason: "no answer from the policy" }
            : answers[at];
        const mode = answer?.allow === true ? "allow" : "deny";
        const resource = resources[at];
        const reason = answer?.reason;
        this.#observer?.decided({ request, resource, mode, rule: "function", reason, subject });
        return mode === "allow" || this.mode !== "enforce" ? 0 : denial(request, resource, reason);
      });
      result.settle(combine(decisions));
    });
    return result;
  }
}
