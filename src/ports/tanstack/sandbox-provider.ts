/**
 * Owns the sandbox provider of `@tanstack/ai-sandbox` over core/session.ts: machines by id, snapshots and forks of
 * them.
 *
 * Invariants: a handle's file operations stay below its workspace; a fork shares nothing with what it was forked
 * from. Types are written after the interface that the package declares; nothing is imported from it.
 * Untrusted: output, file names and content.
 */
import { randomUUID } from "node:crypto";
import { posix } from "node:path";
import { SessionRegistry } from "../core/session-registry.js";
import type { Session, SessionOptions } from "../core/session.js";
import { watchDirectory } from "../core/watch.js";
import { gitOf } from "./sandbox-git.js";
import type { SandboxGit } from "./sandbox-git.js";

/** What a sandbox can. */
export interface SandboxCapabilities {
  fs: boolean;
  exec: boolean;
  env: boolean;
  ports: boolean;
  backgroundProcesses: boolean;
  writableStdin: boolean;
  killableProcesses: boolean;
  snapshots: boolean;
  networkPolicy: boolean;
  durableFilesystem: boolean;
  fork: boolean;
}

/** How a command runs. */
export interface ProcessOptions {
  /**
   * Relative to the workspace.
   * @default the workspace
   */
  cwd?: string;
  /**
   * Variables over the sandbox's.
   * @default {}
   */
  env?: Record<string, string>;
  /**
   * Aborting kills the command.
   * @default none
   */
  signal?: AbortSignal;
}

/** Facts about a file; `size` in bytes. */
export interface SandboxFsStat {
  type: "file" | "dir" | "symlink" | "other";
  /** With the bits of the file's type. */
  mode: number;
  size?: number;
}

/** What one sandbox has beside the provider's options. */
export interface SandboxCreateInput {
  /**
   * Its name, for `resume`.
   * @default a random one
   */
  id?: string;
  /**
   * Variables of every command.
   * @default {}
   */
  env?: Record<string, string>;
  /**
   * Aborting ends the machine and rejects.
   * @default none
   */
  signal?: AbortSignal;
  [more: string]: unknown;
}

/** How the provider's machines are made. */
export interface SecureExecSandboxOptions extends SessionOptions {
  /**
   * Milliseconds for one command; 0 for no bound.
   * @default 0
   */
  timeoutMs?: number;
  /**
   * How many snapshots are kept; the oldest goes first.
   * @default 16
   */
  snapshots?: number;
}

const capabilities: SandboxCapabilities = Object.freeze({
  fs: true,
  exec: true,
  env: true,
  ports: true,
  backgroundProcesses: true,
  writableStdin: true,
  killableProcesses: true,
  snapshots: true,
  networkPolicy: false,
  durableFilesystem: false,
  fork: true,
});

const providerName = "secure-exec";
const workspaceRoot = "/workspace";
const defaultSnapshots = 16;
/** include/uapi/linux/stat.h */
const typeBits = { file: 0o100000, directory: 0o040000, symlink: 0o120000 } as const;

/** Chunks as text; a character that is split over two stays whole. */
async function* decoded(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, void> {
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    const text = decoder.decode(chunk, { stream: true });
    if (text !== "") yield text;
  }
  const tail = decoder.decode();
  if (tail !== "") yield tail;
}

function fsOf(session: Session) {
  /** Throws for a path that leaves the workspace; commands see the whole machine. */
  const inside = (path: string): string => {
    const full = session.resolve(path);
    if (full === session.cwd || full.startsWith(`${session.cwd}/`)) return full;
    throw new RangeError(`${path} is outside the sandbox root ${session.cwd}`);
  };
  const readBytes = async (path: string): Promise<Uint8Array> =>
    session.runtime.readFile(inside(path));
  return {
    read: async (path: string): Promise<string> =>
      Buffer.from(await readBytes(path)).toString("utf8"),
    readBytes,
    write: async (path: string, data: string | Uint8Array): Promise<void> =>
      session.writeFile(inside(path), data),
    list: async (path: string) => {
      const full = inside(path);
      const entries = await session.runtime.readDirWithTypes(full);
      return entries.map(({ name, type }) => ({
        name,
        path: posix.join(full, name),
        type: type === "directory" ? ("dir" as const) : ("file" as const),
      }));
    },
    mkdir: async (path: string): Promise<void> => session.mkdir(inside(path), { recursive: true }),
    /** Of one that is not there, too. */
    remove: async (path: string): Promise<void> => void (await session.remove(inside(path))),
    rename: async (from: string, to: string): Promise<void> =>
      session.rename(inside(from), inside(to)),
    exists: async (path: string): Promise<boolean> =>
      (await session.stat(inside(path))) !== undefined,
    lstat: async (path: string): Promise<SandboxFsStat | undefined> => {
      const stat = await session.stat(inside(path), { follow: false });
      if (stat === undefined) return undefined;
      const { type, mode, size } = stat;
      const bits = type in typeBits ? typeBits[type as keyof typeof typeBits] : 0;
      const whole = (mode & 0o7777) | bits;
      if (type === "file") return { type, mode: whole, size };
      return {
        type: type === "directory" ? "dir" : type === "symlink" ? type : "other",
        mode: whole,
      };
    },
    watch: async (
      path: string,
      onEvent: (event: { type: string; path: string }) => void,
    ): Promise<{ stop: () => Promise<void> }> => {
      const full = inside(path);
      const watch = await watchDirectory(session, full, { recursive: true }, ({ type, name }) =>
        onEvent({ type, path: posix.join(full, name) }),
      );
      return { stop: watch.stop };
    },
  };
}

function processOf(session: Session, timeoutMs: number) {
  return {
    exec: async (command: string, options: ProcessOptions = {}) => {
      const { stdout, stderr, exitCode } = await session.exec(command, { ...options, timeoutMs });
      return { stdout, stderr, exitCode };
    },
    spawn: async (command: string, options: ProcessOptions = {}) => {
      const running = await session.spawn(command, { ...options, timeoutMs });
      const ended = running.wait();
      ended.catch(() => {});
      const whileItRuns = async (work: () => void): Promise<void> => {
        // A program that has ended reads no more; that is no error of the writer's.
        if (running.exitCode === null) work();
      };
      return {
        pid: running.pid,
        stdout: decoded(running.stdout),
        stderr: decoded(running.stderr),
        stdin: {
          write: (data: string) => whileItRuns(() => running.writeStdin(data)),
          end: () => whileItRuns(() => running.closeStdin()),
        },
        wait: () => ended,
        kill: async (signal: string | number = "SIGTERM") => running.kill(signal),
      };
    },
  };
}

/**
 * One sandbox. Made by `secureExecSandbox`.
 * @throws {DISPOSED|KERNEL_LOST|SPAWN_FAILED|OUTCOME_UNKNOWN|FILE} from every call, as `Session`; RangeError for a
 * path outside of the workspace.
 * @example
 * import { secureExecSandbox } from "secure-exec/tanstack";
 *
 * const provider = secureExecSandbox();
 * const sandbox = await provider.create();
 * console.log((await sandbox.process.exec("echo hello")).stdout);
 * await provider.dispose();
 */
export class SecureExecSandboxHandle {
  readonly provider = providerName;
  readonly workspaceRoot: string;
  readonly capabilities = capabilities;
  readonly fs: ReturnType<typeof fsOf>;
  readonly process: ReturnType<typeof processOf>;
  readonly git: SandboxGit;
  readonly session: Session;
  readonly #owner: Owner;

  /** Made by `secureExecSandbox`. */
  constructor(session: Session, timeoutMs: number, owner: Owner) {
    this.session = session;
    this.workspaceRoot = session.cwd;
    this.fs = fsOf(session);
    this.process = processOf(session, timeoutMs);
    this.git = gitOf(session);
    this.#owner = owner;
  }

  get id(): string {
    return this.session.id;
  }

  readonly ports = {
    /** Rejects for a port that the provider's `ports` does not have. */
    connect: async (port: number): Promise<{ url: string }> => ({
      url: this.session.portUrl(port),
    }),
  };

  readonly env = {
    /** Of every command from now on. */
    set: async (variables: Record<string, string>): Promise<void> =>
      this.session.setEnvironment(variables),
  };

  /** The machine's files, kept by the provider for `restoreSnapshot`. */
  snapshot = (label?: string): Promise<{ id: string; label?: string }> =>
    this.#owner.keep(this.session, label);

  /** A machine of its own with this one's files as they are. */
  fork = (): Promise<SecureExecSandboxHandle> => this.#owner.fork(this.session);

  /** Ends the machine and all in it. */
  destroy = (): Promise<void> => this.#owner.end(this.session.id);
}

/** What a handle asks its provider for. */
interface Owner {
  keep(session: Session, label: string | undefined): Promise<{ id: string; label?: string }>;
  fork(session: Session): Promise<SecureExecSandboxHandle>;
  end(id: string): Promise<void>;
}

class SecureExecProvider implements Owner {
  readonly name = providerName;
  readonly #options: SecureExecSandboxOptions;
  readonly #sessions = new SessionRegistry();
  readonly #snapshots = new Map<string, Uint8Array>();

  constructor(options: SecureExecSandboxOptions) {
    this.#options = options;
  }

  capabilities = (): SandboxCapabilities => capabilities;

  #handle(session: Session): SecureExecSandboxHandle {
    return new SecureExecSandboxHandle(session, this.#options.timeoutMs ?? 0, this);
  }

  /** Aborting while it is made ends the machine. */
  create = async (input: SandboxCreateInput = {}): Promise<SecureExecSandboxHandle> =>
    this.#make(input, {});

  async #make(
    { id, env, signal }: Pick<SandboxCreateInput, "id" | "env" | "signal">,
    more: NonNullable<SessionOptions["runtime"]>,
  ): Promise<SecureExecSandboxHandle> {
    signal?.throwIfAborted();
    const { timeoutMs: _timeoutMs, snapshots: _snapshots, ...options } = this.#options;
    const session = await this.#sessions.create({
      cwd: workspaceRoot,
      ...options,
      env: { ...options.env, ...env },
      runtime: { ...options.runtime, ...more },
      ...(id !== undefined && { id }),
    });
    if (signal?.aborted) await this.end(session.id);
    signal?.throwIfAborted();
    return this.#handle(session);
  }

  /** null for one that this provider does not have, or no longer. */
  resume = async ({ id }: { id: string }): Promise<SecureExecSandboxHandle | null> => {
    const session = this.#sessions.find(id);
    return session === undefined ? null : this.#handle(session);
  };

  /** A new machine with a snapshot's files. Rejects for one that is not kept. */
  restoreSnapshot = async ({
    snapshotId,
    ...input
  }: SandboxCreateInput & { snapshotId: string }): Promise<SecureExecSandboxHandle> => {
    const snapshot = this.#snapshots.get(snapshotId);
    if (snapshot === undefined)
      throw new Error(`there is no snapshot ${JSON.stringify(snapshotId)}`);
    return this.#make(input, { snapshot });
  };

  destroy = ({ id }: { id: string }): Promise<void> => this.end(id);

  /** Ends all machines. */
  dispose = (): Promise<void> => this.#sessions.destroyAll();

  async keep(session: Session, label?: string): Promise<{ id: string; label?: string }> {
    const id = randomUUID();
    this.#snapshots.set(id, await session.snapshot());
    const [oldest] = this.#snapshots.keys();
    const most = this.#options.snapshots ?? defaultSnapshots;
    if (this.#snapshots.size > most && oldest !== undefined) this.#snapshots.delete(oldest);
    return { id, ...(label !== undefined && { label }) };
  }

  async fork(session: Session): Promise<SecureExecSandboxHandle> {
    return this.#handle(await this.#sessions.fork(session));
  }

  async end(id: string): Promise<void> {
    await this.#sessions.destroy(id);
  }
}

/**
 * A provider for `defineSandbox({ provider })`. Never throws; `create` rejects as `NodeRuntime.create`.
 * @example
 * import { secureExecSandbox } from "secure-exec/tanstack";
 *
 * const provider = secureExecSandbox({ timeoutMs: 60_000 });
 * await provider.dispose();
 */
export function secureExecSandbox(options: SecureExecSandboxOptions = {}): SecureExecProvider {
  return new SecureExecProvider(options);
}
