/**
 * Owns the `SandboxClient` of `@openai/agents-core` over core/session.ts: makes machines, finds those that live, and
 * makes one again of what was persisted.
 *
 * Invariants: a session id stands for one machine of this client; what is serialized has no variable or entry that
 * is ephemeral. Types are written after the interface that the package declares; nothing is imported from it.
 * Untrusted: archives, whose content never leaves a machine.
 */
import { SessionRegistry } from "../core/session-registry.js";
import type { Session, SessionOptions } from "../core/session.js";
import {
  checkManifest,
  environmentOf,
  initOf,
  materialize,
  mountGrants,
  persistentVariables,
  withoutBinds,
} from "./manifest.js";
import type { Manifest, ManifestClass, MountErrorClass } from "./manifest.js";
import { SecureExecSandboxSession, boundsOf } from "./sandbox-session.js";
import type { ArchiveLimits, SandboxState } from "./sandbox-session.js";
import type { ApplyDiff } from "./shell-and-editor.js";
import {
  WorkspaceSnapshots,
  fingerprintVersion,
  workspaceFingerprint,
} from "./workspace-snapshots.js";
import type { SnapshotSpec } from "./workspace-snapshots.js";

/** How the client's machines are made. */
export interface SecureExecSandboxClientOptions extends Omit<
  SessionOptions,
  "cwd" | "ports" | "id"
> {
  /**
   * The package's class; needed for `create` without a manifest, and for `deserializeSessionState`.
   * @default none
   */
  Manifest?: ManifestClass;
  /**
   * The package's function; needed for `createEditor`.
   * @default none
   */
  applyDiff?: ApplyDiff;
  /**
   * The package's class, of which errors about mounts are then.
   * @default Error
   */
  SandboxMountError?: MountErrorClass;
  /**
   * Ports of the machine that the host reaches at 127.0.0.1.
   * @default []
   */
  exposedPorts?: number[];
  /**
   * Where workspaces are kept.
   * @default { type: "noop" }
   */
  snapshot?: SnapshotSpec;
  /**
   * What an archive may have; null for no limits.
   * @default the package's
   */
  archiveLimits?: ArchiveLimits | null;
  /**
   * Checked, and of no other effect: entries are made one after the other.
   * @default none
   */
  concurrencyLimits?: Record<string, number>;
  /**
   * Where `local_file` and `local_dir` entries may be from.
   * @default where this process runs
   */
  sourceDirectory?: string;
}

interface CreateArgs {
  manifest?: Manifest | Record<string, unknown>;
  snapshot?: SnapshotSpec;
  options?: { exposedPorts?: number[]; snapshot?: SnapshotSpec };
  archiveLimits?: ArchiveLimits | null;
  concurrencyLimits?: Record<string, number>;
}

const backendId = "secure-exec";

function noDiff(): never {
  throw new Error("give SecureExecSandboxClient the function applyDiff of @openai/agents");
}

const isManifest = (value: unknown): value is Manifest =>
  typeof value === "object" && value !== null && "remoteMountCommandAllowlist" in value;

/**
 * Machines for sandbox agents of the OpenAI Agents SDK.
 * @throws {INVALID_OPTION|KERNEL_START_FAILED} and all others as `NodeRuntime.create`, from calls that make a
 * machine.
 * @throws {Error|RangeError|TypeError} from every call, for a manifest, a state or limits that cannot be.
 * @throws {DISPOSED|KERNEL_LOST|FILE} from every call, as `Session`.
 * @example
 * import { SecureExecSandboxClient } from "secure-exec/openai";
 *
 * // Manifest and applyDiff are those of @openai/agents/sandbox.
 * await using client = new SecureExecSandboxClient({ exposedPorts: [3000] });
 * console.log(client.backendId);
 */
export class SecureExecSandboxClient {
  readonly backendId = backendId;
  readonly supportsDefaultOptions = true;
  readonly #options: SecureExecSandboxClientOptions;
  readonly #sessions = new SessionRegistry();
  readonly #live = new Map<string, SecureExecSandboxSession>();
  readonly #snapshots = new WorkspaceSnapshots();

  /** Makes nothing yet. */
  constructor(options: SecureExecSandboxClientOptions = {}) {
    this.#options = options;
  }

  #manifest(given: CreateArgs["manifest"]): Manifest {
    if (isManifest(given) && given.constructor !== Object) return given;
    const { Manifest: Class } = this.#options;
    if (Class === undefined)
      throw new Error(
        "give SecureExecSandboxClient the class Manifest of @openai/agents-core/sandbox",
      );
    return new Class({ ...given });
  }

  /** Makes a machine with what the manifest has. */
  async create(
    args: CreateArgs | Manifest = {},
    options: NonNullable<CreateArgs["options"]> = {},
  ): Promise<SecureExecSandboxSession> {
    const given: CreateArgs = isManifest(args) ? { manifest: args, options } : args;
    const own = this.#options;
    const manifest = this.#manifest(given.manifest);
    const snapshot = given.snapshot ?? given.options?.snapshot ?? own.snapshot;
    const ports = [...new Set(given.options?.exposedPorts ?? own.exposedPorts ?? [])];
    const limits = Object.values({ ...own.concurrencyLimits, ...given.concurrencyLimits });
    if (limits.some((limit) => !(limit > 0)))
      throw new RangeError("Sandbox concurrency limits must be positive numbers");
    return this.#make(manifest, ports, given.archiveLimits, snapshot, (session) =>
      materialize(session, manifest, this.#source),
    );
  }

  get #source() {
    return { sourceDirectory: this.#options.sourceDirectory ?? process.cwd() };
  }

  async #make(
    manifest: Manifest,
    ports: number[],
    archiveLimits: ArchiveLimits | null | undefined,
    snapshotSpec: SnapshotSpec | undefined,
    furnish: (session: Session) => Promise<void>,
  ): Promise<SecureExecSandboxSession> {
    const { runtime, env, applyDiff = noDiff, SandboxMountError } = this.#options;
    checkManifest(manifest, SandboxMountError);
    const cwd = manifest.root;
    const session = await this.#sessions.create({
      cwd,
      ports,
      ...(env !== undefined && { env }),
      ...(runtime !== undefined && { runtime }),
    });
    try {
      await mountGrants(session, manifest);
      await furnish(session);
      const state: SandboxState = {
        manifest,
        environment: await environmentOf(manifest),
        sessionId: session.id,
        workspaceReady: true,
        configuredExposedPorts: ports,
        snapshotSpec: snapshotSpec ?? null,
        snapshot: null,
      };
      const made = new SecureExecSandboxSession({
        session,
        state,
        applyDiff,
        MountError: SandboxMountError,
        ...this.#source,
        archiveLimits: archiveLimits === undefined ? this.#options.archiveLimits : archiveLimits,
        end: async () => {
          this.#live.delete(session.id);
          await this.#sessions.destroy(session.id);
        },
      });
      this.#live.set(session.id, made);
      return made;
    } catch (error) {
      await this.#sessions.destroy(session.id);
      throw error;
    }
  }

  /** Ends a machine; one that is gone is fine. */
  async delete(state: SandboxState): Promise<void> {
    await this.#live.get(state.sessionId)?.close();
  }

  /** Plain JSON, and the workspace as a snapshot where one is asked for. */
  async serializeSessionState(state: SandboxState): Promise<Record<string, unknown>> {
    const { manifest, environment, snapshotSpec } = state;
    const variables = persistentVariables(manifest);
    // What was set beside the manifest stays; what it says is ephemeral, or refers to, does not.
    const values = Object.entries(environment).filter(([name]) => {
      const variable = manifest.environment[name];
      return variable === undefined || (variable.ephemeral !== true && !("toJSON" in variable));
    });
    await this.#persist(state);
    const { store: _store, ...spec } = { store: undefined, ...snapshotSpec };
    return {
      ...state,
      manifest: { ...initOf(manifest, { ephemeral: false }), environment: variables },
      environment: Object.fromEntries(values),
      snapshotSpec: snapshotSpec === null ? null : spec,
    };
  }

  /** Keeps the workspace of a machine that lives; one that is gone has what was kept. */
  async #persist(state: SandboxState): Promise<void> {
    const { snapshotSpec: spec, manifest, snapshot = null } = state;
    const live = this.#live.get(state.sessionId);
    const kept = spec !== null && spec.type !== "noop";
    if (live === undefined && kept) return;
    if (live !== undefined)
      state.snapshot = await this.#snapshots.save(
        live.session,
        manifest,
        spec,
        () => live.persistWorkspace(),
        snapshot,
      );
    else state.snapshot = null;
    state.snapshotFingerprint =
      kept && live !== undefined ? await workspaceFingerprint(live.session, manifest) : null;
    state.snapshotFingerprintVersion =
      state.snapshotFingerprint === null ? null : fingerprintVersion;
  }

  /** A state from what `serializeSessionState` gave. */
  async deserializeSessionState(state: Record<string, unknown>): Promise<SandboxState> {
    const { environment, sessionId, configuredExposedPorts, ...more } = state;
    if (typeof sessionId !== "string") throw new TypeError("this is no state of secure-exec's");
    const manifest = this.#manifest(state["manifest"] as Record<string, unknown>);
    const references = Object.entries(manifest.environment).filter(([, one]) => "toJSON" in one);
    const resolved = await Promise.all(
      references.map(async ([name, one]) => [name, await one.resolve()] as const),
    );
    return {
      ...more,
      manifest,
      environment: { ...(environment as Record<string, string>), ...Object.fromEntries(resolved) },
      snapshotSpec: this.#specOf(state["snapshotSpec"]),
      sessionId,
      workspaceReady: true,
      configuredExposedPorts: Array.isArray(configuredExposedPorts)
        ? configuredExposedPorts.filter(Number.isInteger)
        : [],
    };
  }

  /** A store is code, which no state has; this client's is meant. */
  #specOf(value: unknown): SnapshotSpec | null {
    const { type, baseDir } = (value ?? {}) as { type?: unknown; baseDir?: unknown };
    if (type === "noop") return { type };
    if (type === "local") return typeof baseDir === "string" ? { type, baseDir } : { type };
    return this.#options.snapshot ?? null;
  }

  /** Whether the workspace is kept anywhere. Never rejects. */
  async canPersistOwnedSessionState({ snapshotSpec }: SandboxState): Promise<boolean> {
    return snapshotSpec !== null && snapshotSpec.type !== "noop";
  }

  /** Whether the state's machine lives. Never rejects. */
  async canReusePreservedOwnedSession(state: SandboxState): Promise<boolean> {
    return this.#live.has(state.sessionId);
  }

  /**
   * The machine itself while it lives, with its workspace as it was kept where that has changed since; otherwise a
   * machine with that workspace. `archiveLimits` is, by default, the client's.
   * @throws {Error} where there is neither machine nor workspace.
   */
  async resume(
    state: SandboxState,
    options: { archiveLimits?: ArchiveLimits | null } = {},
  ): Promise<SecureExecSandboxSession> {
    const { manifest, configuredExposedPorts: ports, snapshotSpec: spec } = state;
    const has = await this.#snapshots.has(state.snapshot, spec);
    const live = this.#live.get(state.sessionId);
    if (live !== undefined && (await live.running())) {
      if (has && !(await this.#isUnchanged(live, state))) await this.#restore(live, state, options);
      live.state.environment = { ...state.environment };
      return live;
    }
    if (!has)
      throw new Error(
        `the machine ${state.sessionId} is gone, and no local snapshot could be restored: ` +
          "there is no snapshot of its workspace",
      );
    const { archiveLimits } = options;
    const nothing = async (): Promise<void> => {};
    const made = await this.#make(manifest, ports, archiveLimits, spec ?? undefined, nothing);
    try {
      await this.#restore(made, state, options);
      Object.assign(made.state.environment, state.environment);
      return made;
    } catch (error) {
      await made.close();
      throw error;
    }
  }

  /** Without a fingerprint of this kind nobody knows, and what lives is not written over. */
  async #isUnchanged(live: SecureExecSandboxSession, state: SandboxState): Promise<boolean> {
    const { snapshotFingerprint, snapshotFingerprintVersion, manifest } = state;
    if (typeof snapshotFingerprint !== "string") return true;
    if (snapshotFingerprintVersion !== fingerprintVersion) return true;
    return (await workspaceFingerprint(live.session, manifest)) === snapshotFingerprint;
  }

  async #restore(
    to: SecureExecSandboxSession,
    state: SandboxState,
    { archiveLimits = this.#options.archiveLimits }: { archiveLimits?: ArchiveLimits | null },
  ): Promise<void> {
    const { manifest, snapshot = null, snapshotSpec: spec } = state;
    if (snapshot === null) return;
    const bounds = boundsOf(archiveLimits);
    await withoutBinds(to.session, manifest, () =>
      this.#snapshots.restore(to.session, manifest.root, snapshot, spec, bounds),
    );
    to.state.snapshot = snapshot;
    to.state.snapshotFingerprint = await workspaceFingerprint(to.session, manifest);
    to.state.snapshotFingerprintVersion = fingerprintVersion;
  }

  /** Ends all machines. */
  async dispose(): Promise<void> {
    await Promise.all([...this.#live.values()].map((session) => session.close()));
    await this.#sessions.destroyAll();
  }

  /** The same as `dispose`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}
