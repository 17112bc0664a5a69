/**
 * Owns what a harness may change of a living session's network: its policy, and what is added to its requests
 * outside of the machine.
 *
 * Invariants: changes take effect in the order in which they were asked for; one that failed leaves the state as
 * it was; what the provider's own options add is never taken away.
 */
import type {
  NodeRuntimeCreateOptions,
  NodeRuntimeNetworkOptions,
  NodeRuntimeRequestTransformation,
} from "../../index.js";
import type { Session } from "../core/session.js";
import { NetworkGate } from "./network-policy.js";
import type { NetworkPolicy } from "./network-policy.js";

/** Headers for the requests that match, in the harness's shape. */
export type RequestTransformation = NodeRuntimeRequestTransformation;

const copyOf = (transformations: readonly RequestTransformation[]): RequestTransformation[] =>
  transformations.map(({ match, transform }) => ({
    match: structuredClone(match),
    transform: { headers: { ...transform.headers } },
  }));

export class SessionNetwork {
  /** What the machine is made with instead of the options that were given. */
  readonly runtime: NodeRuntimeCreateOptions;
  readonly #gate: NetworkGate | undefined;
  readonly #given: NodeRuntimeNetworkOptions;
  #own: readonly RequestTransformation[] = [];
  #last: Promise<unknown> = Promise.resolve();

  constructor(runtime: NodeRuntimeCreateOptions = {}) {
    const { permissions, network = {} } = runtime;
    this.#given = network;
    const given = typeof permissions === "string" ? { mode: permissions } : permissions;
    const mode = given?.network ?? "deny";
    if (mode === "allow" || mode === "deny") {
      const gate = new NetworkGate({ mode: mode === "allow" ? "allow-all" : "deny-all" });
      this.#gate = gate;
      this.runtime = { ...runtime, network, permissions: { ...given, network: gate.allows } };
    } else this.runtime = { ...runtime, network };
  }

  /** undefined where the options have rules or a function, which decide then. */
  get setPolicy(): ((policy: NetworkPolicy) => Promise<void>) | undefined {
    const gate = this.#gate;
    return gate && (async (policy) => gate.set(policy));
  }

  /** In the place of those that were set or added. Rejects with INVALID_OPTION. */
  async setTransformations(
    session: Session,
    transformations: readonly RequestTransformation[],
  ): Promise<void> {
    const own = copyOf(transformations);
    await this.#change(session, () => own);
  }

  /** Of two that set one header of a request, the later one counts. */
  async addTransformations(
    session: Session,
    transformations: readonly RequestTransformation[],
  ): Promise<void> {
    const added = copyOf(transformations);
    await this.#change(session, () => [...this.#own, ...added]);
  }

  #change(session: Session, ownThen: () => readonly RequestTransformation[]): Promise<void> {
    const changed = this.#last.then(async () => {
      const own = ownThen();
      const { inject = [], transform = [] } = this.#given;
      await session.runtime.setNetwork({ inject, transform: [...transform, ...own] });
      this.#own = own;
    });
    this.#last = changed.catch(() => undefined);
    return changed;
  }
}
