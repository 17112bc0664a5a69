/**
 * Owns the sandbox provider of `@ai-sdk/harness` (harness-sandbox-v1): sessions that a harness
 * makes, finds again, and ends.
 *
 * A session lives as long as the host's process. Types are written after the interface that the
 * package declares; nothing is imported from it.
 */
import { SessionRegistry } from "../core/session-registry.js";
import type { Session, SessionOptions } from "../core/session.js";
import { NetworkGate } from "./network-policy.js";
import type { NetworkPolicy } from "./network-policy.js";
import { SecureExecSandboxSession } from "./session.js";

type Protocol = "http" | "https" | "ws";

/** The whole of a session, for the harness; `restricted()` is what tools get. */
export class SecureExecNetworkSandboxSession extends SecureExecSandboxSession {
  readonly #session: Session;
  readonly #end: () => Promise<unknown>;

  /** Of the whole machine, from the next connection on. Not there where the provider's options have rules for it. */
  readonly setNetworkPolicy?: (policy: NetworkPolicy) => Promise<void>;

  constructor(session: Session, end: () => Promise<unknown>, gate?: NetworkGate) {
    super(session);
    this.#session = session;
    this.#end = end;
    if (gate !== undefined) this.setNetworkPolicy = async (policy) => gate.set(policy);
  }

  get id(): string {
    return this.#session.id;
  }

  get defaultWorkingDirectory(): string {
    return this.#session.cwd;
  }

  get ports(): readonly number[] {
    return this.#session.ports;
  }

  /** Rejects for a port that the provider's `ports` does not have. */
  getPortEndpoint = async (options: {
    port: number;
    protocol?: Protocol;
  }): Promise<{ url: string }> => {
    const { port, protocol = "http" } = options;
    return { url: this.#session.portUrl(port, protocol) };
  };

  getPortUrl = async (options: { port: number; protocol?: Protocol }): Promise<string> =>
    (await this.getPortEndpoint(options)).url;

  /** Ends the machine, as `destroy`: there is no state that a stopped one would keep. */
  stop = async (): Promise<void> => {
    await this.#end();
  };

  destroy = async (): Promise<void> => {
    await this.stop();
  };

  restricted = (): SecureExecSandboxSession => new SecureExecSandboxSession(this.#session);
}

export interface CreateSessionOptions {
  sessionId?: string;
  /** Accepted for the interface: every session is made from the provider's options. */
  identity?: string;
  abortSignal?: AbortSignal;
  /** Runs once in a session that was made, before it is handed over. */
  onFirstCreate?: (
    session: SecureExecSandboxSession,
    options: { abortSignal?: AbortSignal },
  ) => Promise<void>;
}

export class SecureExecSandboxProvider {
  readonly specificationVersion = "harness-sandbox-v1" as const;
  readonly providerId = "secure-exec";
  readonly #options: SessionOptions;
  readonly #sessions = new SessionRegistry();
  readonly #gates = new WeakMap<Session, NetworkGate>();

  constructor(options: SessionOptions = {}) {
    this.#options = options;
  }

  createSession = async (
    options: CreateSessionOptions = {},
  ): Promise<SecureExecNetworkSandboxSession> => {
    const { sessionId, abortSignal, onFirstCreate } = options;
    abortSignal?.throwIfAborted();
    const gated = gatedOptions(this.#options);
    const session = await this.#sessions.create({
      ...gated.options,
      ...(sessionId !== undefined && { id: sessionId }),
    });
    if (gated.gate !== undefined) this.#gates.set(session, gated.gate);
    try {
      const made = this.#handle(session);
      const passed = abortSignal === undefined ? {} : { abortSignal };
      await onFirstCreate?.(made.restricted(), passed);
      abortSignal?.throwIfAborted();
      return made;
    } catch (error) {
      await this.#sessions.destroy(session.id);
      throw error;
    }
  };

  /** Rejects for a session that this provider does not have, or no longer. */
  resumeSession = async (options: {
    sessionId: string;
    abortSignal?: AbortSignal;
  }): Promise<SecureExecNetworkSandboxSession> => {
    options.abortSignal?.throwIfAborted();
    const session = this.#sessions.find(options.sessionId);
    if (session === undefined)
      throw new Error(`there is no session ${JSON.stringify(options.sessionId)}`);
    return this.#handle(session);
  };

  /** Ends all sessions. */
  dispose = (): Promise<void> => this.#sessions.destroyAll();

  #handle(session: Session): SecureExecNetworkSandboxSession {
    const end = (): Promise<unknown> => this.#sessions.destroy(session.id);
    return new SecureExecNetworkSandboxSession(session, end, this.#gates.get(session));
  }
}

/** The options with a network that a policy decides about, where they have but a mode for it. */
function gatedOptions(options: SessionOptions): { options: SessionOptions; gate?: NetworkGate } {
  const { permissions } = options.runtime ?? {};
  const given = typeof permissions === "string" ? { mode: permissions } : permissions;
  const network = given?.network ?? "deny";
  if (network !== "allow" && network !== "deny") return { options };
  const gate = new NetworkGate({ mode: network === "allow" ? "allow-all" : "deny-all" });
  const runtime = { ...options.runtime, permissions: { ...given, network: gate.allows } };
  return { options: { ...options, runtime }, gate };
}

/** A provider for a harness; `ports` are reachable at the host's 127.0.0.1. */
export function createSecureExecSandbox(options?: SessionOptions): SecureExecSandboxProvider {
  return new SecureExecSandboxProvider(options);
}
