/**
 * Owns the `SandboxClient` of `@openai/agents-core` over core/session.ts: makes machines, finds those that live, and
 * makes one again of what was persisted.
 *
 * Invariants: a session id stands for one machine of this client; what is serialized has no variable or entry that
 * is ephemeral. Types are written after the interface that the package declares; nothing is imported from it.
 * Untrusted: archives, whose content never leaves a machine.
 */
import { randomUUID } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { SessionRegistry } from "../core/session-registry.js";
import type { Session, SessionOptions } from "../core/session.js";
import {
  checkManifest,
  environmentOf,
  initOf,
  materialize,
  mountGrants,
  persistentVariables,
} from "./manifest.js";
import type { Manifest, ManifestClass } from "./manifest.js";
import { SecureExecSandboxSession } from "./sandbox-session.js";
import type { ArchiveLimits, SandboxState, SnapshotSpec } from "./sandbox-session.js";
import type { ApplyDiff } from "./shell-and-editor.js";

export interface SecureExecSandboxClientOptions extends Omit<
  SessionOptions,
  "cwd" | "ports" | "id"
> {
  /** The package's class; needed for `create` without a manifest, and for `deserializeSessionState`. */
  Manifest?: ManifestClass;
  /** The package's function; needed for `createEditor`. */
  applyDiff?: ApplyDiff;
  exposedPorts?: number[];
  snapshot?: SnapshotSpec;
  archiveLimits?: ArchiveLimits | null;
  /** Checked, and of no other effect: entries are made one after the other. */
  concurrencyLimits?: Record<string, number>;
  /** Where `local_file` and `local_dir` entries may be from. Default: where this process runs. */
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

const folderOf = ({ baseDir }: { baseDir?: string }): string =>
  baseDir ?? join(homedir(), ".cache/secure-exec/workspaces");

const isManifest = (value: unknown): value is Manifest =>
  typeof value === "object" && value !== null && "remoteMountCommandAllowlist" in value;

export class SecureExecSandboxClient {
  readonly backendId = backendId;
  readonly supportsDefaultOptions = true;
  readonly #options: SecureExecSandboxClientOptions;
  readonly #sessions = new SessionRegistry();
  readonly #live = new Map<string, SecureExecSandboxSession>();

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
    checkManifest(manifest);
    const { runtime, env, applyDiff = noDiff } = this.#options;
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
    const values = Object.entries(environment).filter(
      ([name]) =>
        Object.hasOwn(variables, name) && manifest.environment[name]?.toJSON === undefined,
    );
    state.snapshot = await this.#persist(state);
    const { store: _store, ...spec } = { store: undefined, ...snapshotSpec };
    return {
      ...state,
      manifest: { ...initOf(manifest, { ephemeral: false }), environment: variables },
      environment: Object.fromEntries(values),
      snapshotSpec: snapshotSpec === null ? null : spec,
    };
  }

  async #persist(state: SandboxState): Promise<NonNullable<SandboxState["snapshot"]> | null> {
    const spec = state.snapshotSpec;
    const session = this.#live.get(state.sessionId);
    if (spec === null || spec.type === "noop") return null;
    if (session === undefined) return state.snapshot ?? null;
    const data = await session.persistWorkspace();
    const id = state.snapshot?.id ?? randomUUID();
    if (spec.type === "remote") {
      const saved = await spec.store.save({ id: spec.id ?? id, data });
      return { type: "remote", id: saved.id };
    }
    const folder = folderOf(spec);
    await mkdir(folder, { recursive: true });
    const path = join(folder, `secure-exec-${id}.tar`);
    await writeFile(path, data, { mode: 0o600 });
    return { type: "local", id, path };
  }

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
      // A store is code, which no state has.
      snapshotSpec: this.#options.snapshot ?? null,
      sessionId,
      workspaceReady: true,
      configuredExposedPorts: Array.isArray(configuredExposedPorts)
        ? configuredExposedPorts.filter(Number.isInteger)
        : [],
    };
  }

  async canPersistOwnedSessionState({ snapshotSpec }: SandboxState): Promise<boolean> {
    return snapshotSpec !== null && snapshotSpec.type !== "noop";
  }

  async canReusePreservedOwnedSession(state: SandboxState): Promise<boolean> {
    return this.#live.has(state.sessionId);
  }

  /** The machine itself while it lives, otherwise one with the workspace of its snapshot. Rejects without either. */
  async resume(
    state: SandboxState,
    options: { archiveLimits?: ArchiveLimits | null } = {},
  ): Promise<SecureExecSandboxSession> {
    const live = this.#live.get(state.sessionId);
    if (live !== undefined && (await live.running())) {
      Object.assign(live.state.environment, state.environment);
      return live;
    }
    const data = await this.#load(state);
    if (data === undefined)
      throw new Error(
        `the machine ${state.sessionId} is gone, and there is no snapshot of its workspace`,
      );
    const { manifest, configuredExposedPorts: ports, snapshotSpec: spec } = state;
    const nothing = async (): Promise<void> => {};
    const made = await this.#make(
      manifest,
      ports,
      options.archiveLimits,
      spec ?? undefined,
      nothing,
    );
    try {
      await made.hydrateWorkspace(data);
      Object.assign(made.state.environment, state.environment);
      made.state.snapshot = state.snapshot ?? null;
      return made;
    } catch (error) {
      await made.close();
      throw error;
    }
  }

  async #load({ snapshot, snapshotSpec: spec }: SandboxState): Promise<Uint8Array | undefined> {
    if (snapshot === null || snapshot === undefined) return undefined;
    if (spec?.type === "remote") return (await spec.store.load({ id: snapshot.id })).data;
    if (spec?.type !== "local" || !/^[\w-]+$/.test(snapshot.id)) return undefined;
    // Its name, not the path that a state from elsewhere may have.
    return new Uint8Array(await readFile(join(folderOf(spec), `secure-exec-${snapshot.id}.tar`)));
  }

  /** Ends all machines. */
  async dispose(): Promise<void> {
    await Promise.all([...this.#live.values()].map((session) => session.close()));
    await this.#sessions.destroyAll();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}
