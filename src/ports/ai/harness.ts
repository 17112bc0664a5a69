/**
 * Owns the sandbox provider of `@ai-sdk/harness` (harness-sandbox-v1): sessions that a harness
 * makes, finds again, and ends.
 *
 * A session lives as long as the host's process. Types are written after the interface that the
 * package declares; nothing is imported from it.
 */
import { SessionRegistry } from "../core/session-registry.js";
import { notExposed } from "../core/session.js";
import type { Session, SessionOptions } from "../core/session.js";
import type { NetworkPolicy } from "./network-policy.js";
import { SessionNetwork } from "./session-network.js";
import type { RequestTransformation } from "./session-network.js";
import { SecureExecSandboxSession } from "./session.js";

type Protocol = "http" | "https" | "ws";

const providerId = "secure-exec";

/** The harness's class for what a sandbox cannot do. */
export type CapabilityErrorClass = new (options: { harnessId: string; message: string }) => Error;

/** How the provider's machines are made. */
export interface SandboxProviderOptions extends SessionOptions {
  /**
   * A machine of the caller's own, which all sessions are then: none of them ends it, no set-up runs in it, and options of
   * machines that would be made have no effect.
   * @default each session is a machine of its own
   */
  session?: Session;
  /**
   * The harness's class, of which the errors about ports are then; a RangeError otherwise.
   * @default RangeError
   */
  HarnessCapabilityUnsupportedError?: CapabilityErrorClass;
}

/**
 * The whole of a session, for the harness; `restricted()` is what tools get.
 * @throws {DISPOSED|KERNEL_LOST} from every call, when the machine is gone.
 * @example
 * import { createSecureExecSandbox } from "secure-exec/ai";
 *
 * const provider = createSecureExecSandbox({ ports: [3000] });
 * const session = await provider.createSession();
 * console.log(session.defaultWorkingDirectory);
 * await provider.dispose();
 */
export class SecureExecNetworkSandboxSession extends SecureExecSandboxSession {
  readonly #session: Session;
  readonly #end: () => Promise<unknown>;
  readonly #CapabilityError: CapabilityErrorClass | undefined;

  /** Of the whole machine, from the next connection on. Not there where the provider's options have rules for it. */
  readonly setNetworkPolicy?: (policy: NetworkPolicy) => Promise<void>;
  /**
   * Headers that are added to requests outside of the machine, instead of those set or added before; the provider's own
   * stay. From the next request on.
   */
  readonly setRequestTransformations?: (
    transformations: readonly RequestTransformation[],
  ) => Promise<void>;
  /** The same, beside those that there are. */
  readonly addRequestTransformations?: (
    transformations: readonly RequestTransformation[],
  ) => Promise<void>;

  /** Made by `createSession`. */
  constructor(
    session: Session,
    end: () => Promise<unknown>,
    network?: SessionNetwork,
    CapabilityError?: CapabilityErrorClass,
  ) {
    super(session);
    this.#CapabilityError = CapabilityError;
    this.#session = session;
    this.#end = end;
    if (network === undefined) return;
    if (network.setPolicy !== undefined) this.setNetworkPolicy = network.setPolicy;
    this.setRequestTransformations = (all) => network.setTransformations(session, all);
    this.addRequestTransformations = (more) => network.addTransformations(session, more);
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
    if (this.#CapabilityError !== undefined && !this.ports.includes(port))
      throw new this.#CapabilityError({
        harnessId: providerId,
        message: notExposed(port),
      });
    return { url: this.#session.portUrl(port, protocol) };
  };

  getPortUrl = async (options: { port: number; protocol?: Protocol }): Promise<string> =>
    (await this.getPortEndpoint(options)).url;

  /** Ends the machine, as `destroy`: there is no state that a stopped one would keep. Not one that the caller gave. */
  stop = async (): Promise<void> => {
    await this.#end();
  };

  destroy = async (): Promise<void> => {
    await this.stop();
  };

  restricted = (): SecureExecSandboxSession => new SecureExecSandboxSession(this.#session);
}

/** What a harness asks for. */
export interface CreateSessionOptions {
  /**
   * The session's name, for `resumeSession`.
   * @default a random one
   */
  sessionId?: string;
  /**
   * What `onFirstCreate` makes of a machine has this name: it runs once, and later sessions of the name begin with
   * the files as it left them. Without a name it runs in every session.
   * @default none
   */
  identity?: string;
  /**
   * Aborting ends the machine and rejects.
   * @default none
   */
  abortSignal?: AbortSignal;
  /**
   * Runs in a session that was made, before it is handed over.
   * @default none
   */
  onFirstCreate?:
    | ((session: SecureExecSandboxSession, options: { abortSignal?: AbortSignal }) => Promise<void>)
    | undefined;
}

/**
 * Machines for a harness of the AI SDK.
 * @throws {INVALID_OPTION} from the constructor.
 * @example
 * import { createSecureExecSandbox } from "secure-exec/ai";
 *
 * const provider = createSecureExecSandbox();
 * const session = await provider.createSession({ sessionId: "one" });
 * console.log(session.id, (await provider.resumeSession({ sessionId: "one" })).id);
 * await provider.dispose();
 */
export class SecureExecSandboxProvider {
  readonly specificationVersion = "harness-sandbox-v1" as const;
  readonly providerId = providerId;
  readonly #options: SessionOptions;
  readonly #wrapped: Session | undefined;
  readonly #CapabilityError: CapabilityErrorClass | undefined;
  readonly #sessions = new SessionRegistry();
  readonly #networks = new WeakMap<Session, SessionNetwork>();
  /** Files of machines that were set up, by identity; rejected where the set-up failed. */
  readonly #templates = new Map<string, Promise<Uint8Array>>();

  /** As `createSecureExecSandbox`. */
  constructor(options: SandboxProviderOptions = {}) {
    const { HarnessCapabilityUnsupportedError, session, ...rest } = options;
    this.#options = rest;
    this.#wrapped = session;
    this.#CapabilityError = HarnessCapabilityUnsupportedError;
  }

  createSession = async (
    options: CreateSessionOptions = {},
  ): Promise<SecureExecNetworkSandboxSession> => {
    const { identity, onFirstCreate, abortSignal } = options;
    abortSignal?.throwIfAborted();
    if (this.#wrapped !== undefined) return this.#handle(this.#wrapped);
    if (identity === undefined || onFirstCreate === undefined) return this.#create(options);
    // One that waits for another's set-up sets up itself when that fails.
    for (;;) {
      const template = this.#templates.get(identity);
      if (template === undefined) break;
      const files = await template.catch(() => undefined);
      abortSignal?.throwIfAborted();
      if (files !== undefined) return this.#create({ ...options, onFirstCreate: undefined }, files);
    }
    return this.#createFirst(identity, options);
  };

  /** Makes the first session of an identity; what its set-up left is kept for the others. */
  async #createFirst(
    identity: string,
    options: CreateSessionOptions,
  ): Promise<SecureExecNetworkSandboxSession> {
    const first = this.#create(options);
    const files = first.then(({ id }) => this.#sessions.find(id)?.snapshot());
    const template = files.then((kept) => kept ?? Promise.reject(new Error("it has ended")));
    this.#templates.set(identity, template);
    template.catch(() => {
      if (this.#templates.get(identity) === template) this.#templates.delete(identity);
    });
    const made = await first;
    // Not handed over before: what its user changes is no part of the template.
    await files.catch(() => undefined);
    return made;
  }

  async #create(
    { sessionId, abortSignal, onFirstCreate }: CreateSessionOptions,
    snapshot?: Uint8Array,
  ): Promise<SecureExecNetworkSandboxSession> {
    const network = new SessionNetwork(this.#options.runtime);
    const session = await this.#sessions.create({
      ...this.#options,
      runtime: { ...network.runtime, ...(snapshot !== undefined && { snapshot }) },
      ...(sessionId !== undefined && { id: sessionId }),
    });
    this.#networks.set(session, network);
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
  }

  /** Rejects for a session that this provider does not have, or no longer. */
  resumeSession = async (options: {
    sessionId: string;
    abortSignal?: AbortSignal;
  }): Promise<SecureExecNetworkSandboxSession> => {
    options.abortSignal?.throwIfAborted();
    const session = this.#wrapped ?? this.#sessions.find(options.sessionId);
    if (session === undefined)
      throw new Error(`there is no session ${JSON.stringify(options.sessionId)}`);
    return this.#handle(session);
  };

  /** Ends all sessions, and forgets what was set up. */
  dispose = (): Promise<void> => {
    this.#templates.clear();
    return this.#sessions.destroyAll();
  };

  #handle(session: Session): SecureExecNetworkSandboxSession {
    // One of the caller's own is in no registry, and stays.
    const end = (): Promise<unknown> => this.#sessions.destroy(session.id);
    const network = this.#networks.get(session);
    return new SecureExecNetworkSandboxSession(session, end, network, this.#CapabilityError);
  }
}

/**
 * A provider for a harness; `ports` are reachable at the host's 127.0.0.1. Never throws: options are checked with
 * the first session.
 * @example
 * import { createSecureExecSandbox } from "secure-exec/ai";
 *
 * const provider = createSecureExecSandbox({ runtime: { permissions: { network: "deny" } } });
 * await provider.dispose();
 */
export function createSecureExecSandbox(
  options?: SandboxProviderOptions,
): SecureExecSandboxProvider {
  return new SecureExecSandboxProvider(options);
}
