/**
 * Owns the `SandboxSession` of `@openai/agents-core` over core/session.ts: commands that may go on after their
 * call, with or without a terminal, files, images, patches, manifests, archives and ports.
 *
 * Types are written after the interface that the package declares; nothing is imported from it.
 * Untrusted: commands and paths are the model's, output and files the machine's.
 */
import { posix } from "node:path";
import { RunningCommand, RunningCommands } from "../core/running-commands.js";
import type { Session } from "../core/session.js";
import { restoreArchive } from "../core/workspace-archive.js";
import type { ArchiveBounds } from "../core/workspace-archive.js";
import { imageTypeOf, mostImageBytes } from "./images.js";
import {
  checkEntry,
  checkManifest,
  entryPaths,
  environmentOf,
  materialize,
  merged,
  only,
  withoutBinds,
} from "./manifest.js";
import type { Manifest, ManifestEntry, MountErrorClass } from "./manifest.js";
import { execText, truncated } from "./output-text.js";
import { SecureExecEditor } from "./shell-and-editor.js";
import type { ApplyDiff } from "./shell-and-editor.js";
import { WorkspacePaths } from "./workspace-paths.js";
import type { PathOptions } from "./workspace-paths.js";
import { workspaceArchive } from "./workspace-snapshots.js";
import type { Snapshot, SnapshotSpec } from "./workspace-snapshots.js";

export interface PortEndpoint {
  host: string;
  port: number;
  tls: boolean;
  query: string;
}

/** What is told of a session; plain data but for the manifest, which is of the package's class. */
export interface SandboxState {
  manifest: Manifest;
  environment: Record<string, string>;
  sessionId: string;
  workspaceReady: boolean;
  configuredExposedPorts: number[];
  exposedPorts?: Record<string, PortEndpoint>;
  snapshotSpec: SnapshotSpec | null;
  snapshot?: Snapshot | null;
  /** Of the workspace as it was when it was last kept. */
  snapshotFingerprint?: string | null;
  snapshotFingerprintVersion?: string | null;
  [more: string]: unknown;
}

export interface ArchiveLimits {
  maxInputBytes?: number | null;
  maxExtractedBytes?: number | null;
  maxMembers?: number | null;
}

export interface ExecArgs {
  cmd: string;
  workdir?: string;
  /** "/bin/sh" and "/bin/bash" are the machine's one shell. */
  shell?: string;
  login?: boolean;
  tty?: boolean;
  /**
   * Milliseconds after which a command that still runs is left running.
   * @default 10 000
   */
  yieldTimeMs?: number;
  maxOutputTokens?: number;
  runAs?: string;
}

export interface ExecResult {
  output: string;
  stdout: string;
  stderr: string;
  wallTimeSeconds: number;
  exitCode?: number;
  /** Of a command that still runs, for `writeStdin`. */
  sessionId?: number;
  originalTokenCount?: number;
}

const defaultExecMs = 10_000;
const defaultWriteMs = 250;
const interrupt = "\u0003";

export interface SessionParts {
  session: Session;
  state: SandboxState;
  applyDiff: ApplyDiff;
  sourceDirectory: string;
  archiveLimits: ArchiveLimits | null | undefined;
  MountError: MountErrorClass | undefined;
  /** Ends the machine. */
  end: () => Promise<void>;
}

/** As core/workspace-archive.ts has them. */
export function boundsOf(limits: ArchiveLimits | null | undefined): ArchiveBounds {
  const { maxInputBytes, maxExtractedBytes, maxMembers } = limits ?? {};
  return {
    inputBytes: maxInputBytes ?? undefined,
    extractedBytes: maxExtractedBytes ?? undefined,
    members: maxMembers ?? undefined,
  };
}

function refuseOther(runAs: string | undefined): void {
  if (runAs !== undefined && runAs !== "")
    throw new Error(
      `secure-exec has one user in a machine; runAs ${JSON.stringify(runAs)} is not it`,
    );
}

/**
 * One machine of a sandbox agent. Made by `SecureExecSandboxClient`.
 * @throws {Error|RangeError} from every call, for paths outside of the workspace, users, entries and files that
 * cannot be.
 * @throws {DISPOSED|KERNEL_LOST|SPAWN_FAILED|OUTCOME_UNKNOWN|FILE} from every call, as `Session`.
 * @example
 * import type { SecureExecSandboxSession } from "secure-exec/openai";
 *
 * export const listed = (session: SecureExecSandboxSession) =>
 *   session.execCommand({ cmd: "ls -la", yieldTimeMs: 5000 });
 */
export class SecureExecSandboxSession {
  readonly state: SandboxState;
  readonly #session: Session;
  readonly #applyDiff: ApplyDiff;
  readonly #sourceDirectory: string;
  readonly #end: () => Promise<void>;
  readonly #commands = new RunningCommands();
  readonly #preStop = new Set<() => Promise<void> | void>();
  readonly #paths: WorkspacePaths;
  readonly #MountError: MountErrorClass | undefined;
  #archiveLimits: ArchiveLimits | null | undefined;

  /** Made by `SecureExecSandboxClient`. */
  constructor(parts: SessionParts) {
    const { session, state, applyDiff, sourceDirectory, archiveLimits, end } = parts;
    this.#session = session;
    this.#MountError = parts.MountError;
    this.#paths = new WorkspacePaths(session, () => this.state.manifest);
    this.state = state;
    this.#applyDiff = applyDiff;
    this.#sourceDirectory = sourceDirectory;
    this.#archiveLimits = archiveLimits;
    this.#end = end;
  }

  /** The machine, for what the interface has no word for. */
  get session(): Session {
    return this.#session;
  }

  /** Whether the machine lives. Never rejects. */
  async running(): Promise<boolean> {
    return this.#session.running;
  }

  /** It does. Never throws. */
  supportsPty(): boolean {
    return true;
  }

  /**
   * The absolute path in the machine that is meant. Where links lead is judged when the path is used.
   * @throws {RangeError} for one outside of the workspace that no grant of the manifest has, and with `forWrite`
   * for one of a grant that is for reading.
   */
  resolveSandboxPath(path: string, options: PathOptions = {}): string {
    return this.#paths.resolve(path, options);
  }

  #path(path: string, runAs?: string): Promise<string> {
    refuseOther(runAs);
    return this.#paths.locate(path);
  }

  /** A command's result after `yieldTimeMs`, or its end; a model reads `execCommand`. */
  async exec(args: ExecArgs): Promise<ExecResult> {
    refuseOther(args.runAs);
    const startedMs = performance.now();
    const command = await RunningCommand.start(this.#session, args.cmd, {
      cwd: await this.#path(args.workdir ?? "."),
      env: this.state.environment,
      terminal: args.tty,
    });
    await command.settled(args.yieldTimeMs ?? defaultExecMs);
    const { exitCode } = command;
    const taken = command.take();
    const { text, originalTokenCount } = truncated(taken.output, args.maxOutputTokens);
    return {
      ...taken,
      output: text,
      wallTimeSeconds: (performance.now() - startedMs) / 1000,
      ...(exitCode === undefined ? { sessionId: this.#commands.add(command) } : { exitCode }),
      ...(originalTokenCount !== undefined && { originalTokenCount }),
    };
  }

  /** The same as a text for a model. */
  async execCommand(args: ExecArgs): Promise<string> {
    return execText(await this.exec(args));
  }

  /** Types to a command that runs; Ctrl-C without a terminal is SIGINT. Answers what it has said since. */
  async writeStdin(args: {
    sessionId: number;
    chars?: string;
    yieldTimeMs?: number;
    maxOutputTokens?: number;
  }): Promise<string> {
    const { sessionId, chars = "", yieldTimeMs = defaultWriteMs, maxOutputTokens } = args;
    const command = this.#commands.find(sessionId);
    if (command === undefined) {
      const output = `write_stdin failed: session not found: ${sessionId}`;
      return execText({ output, wallTimeSeconds: 0, exitCode: 1 });
    }
    const startedMs = performance.now();
    if (!command.terminal && chars.includes(interrupt)) command.kill("SIGINT");
    const typed = command.terminal ? chars : chars.replaceAll(interrupt, "");
    if (typed !== "") command.write(typed);
    await command.settled(yieldTimeMs);
    const { exitCode } = command;
    if (exitCode !== undefined) this.#commands.forget(sessionId);
    const { text, originalTokenCount } = truncated(command.take().output, maxOutputTokens);
    return execText({
      output: text,
      wallTimeSeconds: (performance.now() - startedMs) / 1000,
      ...(exitCode === undefined ? { sessionId } : { exitCode }),
      originalTokenCount,
    });
  }

  /** The bytes of a file, at most `maxBytes`. */
  async readFile(args: { path: string; runAs?: string; maxBytes?: number }): Promise<Uint8Array> {
    const bytes = await this.#session.runtime.readFile(await this.#path(args.path, args.runAs));
    return bytes.subarray(0, args.maxBytes);
  }

  /** The entries of a directory. */
  async listDir(args: {
    path: string;
    runAs?: string;
  }): Promise<{ name: string; path: string; type: "file" | "dir" | "other" }[]> {
    const full = await this.#path(args.path, args.runAs);
    const entries = await this.#session.runtime.readDirWithTypes(full);
    const below = posix.relative(this.state.manifest.root, full);
    return entries.map(({ name, type }) => ({
      name,
      path: posix.join(below, name),
      type: type === "directory" ? "dir" : type === "file" ? "file" : "other",
    }));
  }

  /** Whether something is there. */
  async pathExists(path: string, runAs?: string): Promise<boolean> {
    return (await this.#session.stat(await this.#path(path, runAs))) !== undefined;
  }

  /** Whether a directory is there. */
  async directoryExists(path: string, runAs?: string): Promise<boolean> {
    return (await this.#session.stat(await this.#path(path, runAs)))?.type === "directory";
  }

  /**
   * An image file as a tool's output.
   * @throws {Error} for other files, and over 10 MiB.
   */
  async viewImage({ path, runAs }: { path: string; runAs?: string }) {
    const full = await this.#path(path, runAs);
    const stat = await this.#session.stat(full);
    if (stat === undefined) throw new Error(`Image file not found: ${path}`);
    if (stat.type !== "file") throw new Error(`Image path is not a file: ${path}`);
    if (stat.size > mostImageBytes) throw new Error(`Image file exceeds the 10 MB limit: ${path}`);
    const data = await this.#session.runtime.readFile(full);
    const mediaType = imageTypeOf(data, path);
    if (mediaType === undefined)
      throw new Error(`Unsupported image format for view_image: ${path}`);
    return { type: "image" as const, image: { data, mediaType } };
  }

  /** An editor whose failures reject. */
  createEditor(runAs?: string): SecureExecEditor {
    refuseOther(runAs);
    return new SecureExecEditor(this.#session, this.#applyDiff, {
      rejects: true,
      resolve: (path) => this.#paths.locate(path, { forWrite: true }),
    });
  }

  /** Makes one entry of a manifest. */
  async materializeEntry(args: {
    path: string;
    entry: ManifestEntry;
    runAs?: string;
  }): Promise<void> {
    const { path, entry, runAs } = args;
    checkEntry(path, entry, this.#MountError);
    refuseOther(runAs);
    const below = posix.relative(this.state.manifest.root, this.#paths.resolve(path));
    await this.applyManifest(only(this.state.manifest, { [below]: entry }));
  }

  /** Makes what the manifest has, and adds it to the session's own. */
  async applyManifest(manifest: Manifest, runAs?: string): Promise<void> {
    refuseOther(runAs);
    checkManifest(manifest, this.#MountError);
    const next = merged(this.state.manifest, manifest);
    for (const path of entryPaths(manifest)) await this.#checkTarget(path);
    await materialize(this.#session, manifest, { sourceDirectory: this.#sourceDirectory });
    Object.assign(this.state.environment, await environmentOf(manifest));
    this.state.manifest = next;
  }

  /** Throws for an entry that would be made where a link leads. */
  async #checkTarget(path: string): Promise<void> {
    const full = this.#paths.resolve(path === "" ? "." : path);
    if (full === this.state.manifest.root) return;
    await this.#paths.locate(posix.dirname(full));
    const stat = await this.#session.stat(full, { follow: false });
    if (stat?.type === "symlink")
      throw new Error(`the manifest's entry ${JSON.stringify(path)} is a symbolic link`);
  }

  /** The workspace as a tar archive, without what is ephemeral. */
  persistWorkspace(): Promise<Uint8Array> {
    return workspaceArchive(this.#session, this.state.manifest);
  }

  /** The workspace becomes what the archive has; `archiveLimits` is, by default, the session's. */
  async hydrateWorkspace(
    data: string | ArrayBuffer | Uint8Array,
    options: { archiveLimits?: ArchiveLimits | null } = {},
  ): Promise<void> {
    const { archiveLimits = this.#archiveLimits } = options;
    const bytes = typeof data === "string" ? Buffer.from(data, "base64") : new Uint8Array(data);
    const { manifest } = this.state;
    await withoutBinds(this.#session, manifest, () =>
      restoreArchive(this.#session, manifest.root, bytes, boundsOf(archiveLimits)),
    );
  }

  /** What archives may have from now on; null for no limits. */
  setArchiveLimits(limits?: ArchiveLimits | null): void {
    this.#archiveLimits = limits;
  }

  /**
   * Where the host reaches a port.
   * @throws {RangeError} for one that `exposedPorts` does not have.
   */
  async resolveExposedPort(port: number): Promise<PortEndpoint> {
    if (!Number.isInteger(port) || port < 1 || port > 65_535)
      throw new RangeError("Exposed ports must be integers between 1 and 65535.");
    if (!this.state.configuredExposedPorts.includes(port))
      throw new RangeError(
        `secure-exec was not configured to expose port ${port}; the option exposedPorts opens it`,
      );
    const endpoint = { host: "127.0.0.1", port, tls: false, query: "" };
    this.state.exposedPorts = { ...this.state.exposedPorts, [port]: endpoint };
    return endpoint;
  }

  /** Calls `hook` before the session stops. Answers how not to. Never throws. */
  registerPreStopHook(hook: () => Promise<void> | void): () => void {
    this.#preStop.add(hook);
    return () => this.#preStop.delete(hook);
  }

  /**
   * Calls the hooks.
   * @throws {Error} what they throw.
   */
  async runPreStopHooks(): Promise<void> {
    for (const hook of this.#preStop) await hook();
  }

  /** Ends the commands that run; files stay. */
  stop(): Promise<void> {
    return this.#commands.stop();
  }

  /** Ends the machine. Idempotent. */
  async close(): Promise<void> {
    if (this.#session.running) await this.stop();
    await this.#end();
  }

  /** The same as `close`. */
  shutdown(): Promise<void> {
    return this.close();
  }

  /** The same as `close`. */
  delete(): Promise<void> {
    return this.close();
  }

  /** The same as `close`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
