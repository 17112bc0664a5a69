/**
 * Owns the judgement of one scope: the policy that the machine was made with, and those that have
 * narrowed it since. All of them have to allow.
 *
 * Invariant: nothing that is added makes a judgement milder.
 * Untrusted: the request.
 */
import type { Decision as DecisionRecord } from "../../protocol/decisions.js";
import type {
  Mode,
  Request,
  Requests,
  RuleSet,
  Scope,
  ScopePolicy,
} from "../../protocol/permissions.js";
import { isLoopbackAddress } from "./network-match.js";
import { byDefault, compileForRequests, compileNamingRules, deniesNames, modeOf } from "./rules.js";

type NetworkRequest = Requests["network"];

export interface Verdict {
  readonly mode: Mode;
  readonly rule: DecisionRecord["rule"];
}

const allowed: Verdict = Object.freeze({ mode: "allow", rule: "allow" });
const refused: Verdict = Object.freeze({ mode: "deny", rule: "deny" });

/** One policy that answers by itself. */
type Layer = (request: Request) => Verdict;

function layerOf(scope: Scope, policy: Mode | RuleSet): Layer {
  if (policy === "allow") return () => allowed;
  if (policy === "deny") return (request) => (staysInside(request) ? allowed : refused);
  const first = compileForRequests(scope, policy);
  const rules = policy.rules.map(({ mode }, rule): Verdict => Object.freeze({ mode, rule }));
  const otherwise: Verdict = Object.freeze({ mode: modeOf(policy, byDefault), rule: "default" });
  return (request) => rules[first(request)] ?? otherwise;
}

/** Without a rule that says otherwise, what stays inside the VM is no network access. */
function staysInside(request: Request): boolean {
  return (
    request.scope === "network" &&
    (request.operation === "listen" ||
      request.loopback ||
      (request.address !== undefined && isLoopbackAddress(request.address)))
  );
}

export class ScopeJudge {
  readonly scope: Scope;
  readonly #layers: Layer[] = [];
  readonly #policies: ScopePolicy[] = [];
  /** Of the layers that are rules about the network: whether they name what is shut otherwise. */
  readonly #naming: {
    address: (request: NetworkRequest) => boolean;
    host: (request: NetworkRequest) => boolean;
  }[] = [];
  /** Whether a function of the host is asked as well. */
  asksHost = false;
  /** Whether there are rules. */
  hasRules = false;
  deniesNames = false;
  allowsAll = true;

  constructor(scope: Scope, policy: ScopePolicy) {
    this.scope = scope;
    this.add(policy);
  }

  /** What it is made of, the first one first. */
  get policies(): readonly ScopePolicy[] {
    return this.#policies;
  }

  add(policy: ScopePolicy): void {
    this.#policies.push(policy);
    if (policy !== "allow") this.allowsAll = false;
    if (policy === "ask") {
      this.asksHost = true;
      return;
    }
    this.#layers.push(layerOf(this.scope, policy));
    if (typeof policy === "string") return;
    this.hasRules = true;
    if (this.scope !== "network") return;
    this.deniesNames ||= deniesNames(policy);
    this.#naming.push({
      address: compileNamingRules(policy, "address"),
      host: compileNamingRules(policy, "host"),
    });
  }

  /** What rules and modes say: the first that denies, or the last that allows. */
  verdict(request: Request): Verdict {
    let last = allowed;
    for (const layer of this.#layers) {
      last = layer(request);
      if (last.mode === "deny") return last;
    }
    return last;
  }

  /** Whether rules name a target so narrowly that they open what is shut even to "allow". */
  names(request: NetworkRequest, by: "address" | "host"): boolean {
    // What was opened stays open only where every rule set that came later opens it, too.
    return (
      !this.asksHost &&
      this.#naming.length > 0 &&
      this.#naming.length === this.#layers.length &&
      this.#naming.every((naming) => naming[by](request))
    );
  }
}
