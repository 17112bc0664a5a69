/**
 * Owns what one VM's processes may do: a policy per scope, and the one place
 * where a request is decided.
 *
 * Invariants: a decision is made before anything is touched; no answer of the
 * host's function in time, or anything but a clear yes, is a denial.
 * Untrusted: every request. Trusted: policies and the host's answers.
 */
import { scopeNames } from "../../protocol/permissions.js";
import type {
  Answer,
  Mode,
  Policies,
  Request,
  Scope,
  ScopePolicy,
} from "../../protocol/permissions.js";
import { Deferred } from "../io/deferred.js";
import type { NetworkPolicy, NetworkRequest } from "../net/egress.js";
import { denial } from "./decision.js";
import type { Decision } from "./decision.js";
import { isLoopbackAddress } from "./network-match.js";
import { compileForRequests, compileNamingRules, deniesNames } from "./rules.js";

/** A function is asked about each name in turn; all of them have to be allowed. */
function questionsOf(request: NetworkRequest): Request[] {
  const { names = [], asked = [request.hostname, ...names], ...rest } = request;
  delete rest.aliases;
  return asked.map((hostname) => ({ scope: "network", ...rest, hostname }));
}

/** Puts requests of one scope to the host's function; one answer per request, or -errno. */
export type Ask = (scope: Scope, requests: readonly Request[]) => Deferred<Answer[]>;

type Judge = Mode | "ask" | ((request: Request) => Mode);

export class Policy {
  readonly #judges = new Map<Scope, Judge>();
  readonly #ask: Ask;

  constructor(policies: Policies, ask: Ask) {
    this.#ask = ask;
    this.network = this.#networkOf(policies.network);
    for (const scope of scopeNames) {
      const policy = policies[scope];
      this.#judges.set(
        scope,
        typeof policy === "string" ? policy : compileForRequests(scope, policy),
      );
    }
  }

  /** Whether nothing in the scope is ever denied, so that callers need not even ask. */
  allowsAll(scope: Scope): boolean {
    return this.#judges.get(scope) === "allow";
  }

  /** Whether a function of the host decides in the scope. */
  asksHost(scope: Scope): boolean {
    return this.#judges.get(scope) === "ask";
  }

  /** Whether rules, which answer at once, decide in the scope. */
  hasRules(scope: Scope): boolean {
    return typeof this.#judges.get(scope) === "function";
  }

  /** Decides one request. `resource` is how a denial names it, if not by itself. */
  judge(request: Request, resource?: string): Decision | Deferred<Decision> {
    const judge = this.#judges.get(request.scope)!;
    if (judge !== "ask") return this.#decide(judge, request, resource);
    return this.#defer(request.scope, [request], ([decision]) => decision!, [resource]);
  }

  /** The network scope by itself, as the network asks it. */
  readonly network: NetworkPolicy;

  #networkOf(policy: ScopePolicy): NetworkPolicy {
    const rules = typeof policy === "string" ? undefined : policy;
    const naming = rules && {
      address: compileNamingRules(rules, "address"),
      host: compileNamingRules(rules, "host"),
    };
    return {
      judge: (request) =>
        this.asksHost("network")
          ? this.judgeAll(questionsOf(request))
          : this.judge({ scope: "network", ...request }),
      names: (request, by = "address") => naming?.[by](request) ?? false,
      deniesNames: rules !== undefined && deniesNames(rules),
    };
  }

  /** Decides several requests of one scope: 0 when all are allowed, otherwise the first denial. */
  judgeAll(
    requests: readonly Request[],
    resources: readonly (string | undefined)[] = [],
  ): Decision | Deferred<Decision> {
    const first = requests[0];
    if (first === undefined) return 0;
    const judge = this.#judges.get(first.scope)!;
    if (judge === "ask") {
      return this.#defer(
        first.scope,
        requests,
        (decisions) => decisions.find((decision) => decision !== 0) ?? 0,
        resources,
      );
    }
    for (let at = 0; at < requests.length; at++) {
      const decision = this.#decide(judge, requests[at]!, resources[at]);
      if (decision !== 0) return decision;
    }
    return 0;
  }

  /** What rules or a mode say; only for scopes without a function. */
  permits(request: Request): boolean {
    const judge = this.#judges.get(request.scope)!;
    return judge !== "ask" && this.#decide(judge, request, undefined) === 0;
  }

  /**
   * The variables of `env` that a process may have. Reading is judged for all of them, writing
   * for those that are not as in `inherited`: the guest has set them for its child.
   */
  filterEnv(
    env: Readonly<Record<string, string>>,
    inherited: Readonly<Record<string, string>> = env,
  ): Record<string, string> | Deferred<Record<string, string>> {
    if (this.allowsAll("env")) return { ...env };
    const names = Object.keys(env);
    const requests: Request[] = names.map((name) => ({ scope: "env", operation: "read", name }));
    for (const name of names) {
      if (inherited[name] !== env[name])
        requests.push({ scope: "env", operation: "write", name, value: env[name]! });
    }
    const keep = (decisions: readonly Decision[]): Record<string, string> => {
      const denied = new Set(
        requests
          .filter((_, at) => decisions[at] !== 0)
          .map((request) => (request as { name: string }).name),
      );
      const kept = Object.create(null) as Record<string, string>;
      for (const name of names) if (!denied.has(name)) kept[name] = env[name]!;
      return kept;
    };
    const judge = this.#judges.get("env")!;
    if (judge === "ask") return this.#defer("env", requests, keep);
    return keep(requests.map((request) => this.#decide(judge, request, undefined)));
  }

  #decide(judge: Exclude<Judge, "ask">, request: Request, resource: string | undefined): Decision {
    if (judge === "allow") return 0;
    if (judge === "deny") {
      // Without a rule that says otherwise, what stays inside the VM is no network access.
      const inside =
        request.scope === "network" &&
        (request.operation === "listen" ||
          request.loopback ||
          (request.address !== undefined && isLoopbackAddress(request.address)));
      return inside ? 0 : denial(request, resource);
    }
    return judge(request) === "allow" ? 0 : denial(request, resource);
  }

  #defer<R>(
    scope: Scope,
    requests: readonly Request[],
    combine: (decisions: Decision[]) => R,
    resources: readonly (string | undefined)[] = [],
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
        if (answer?.allow === true) return 0;
        return denial(request, resources[at], answer?.reason);
      });
      result.settle(combine(decisions));
    });
    return result;
  }
}
