/**
 * Owns a workspace sandbox of `@mastra/core` over core/session.ts: a machine that is made when it is first needed.
 *
 * Invariants: one machine from `start` to `stop`; a stopped one may be started again, with nothing of the last.
 * It has what the package's `MastraSandbox` has, without being of that class. Types are written after the interface
 * that the package declares; nothing is imported from it. Untrusted: output.
 */
import { randomUUID } from "node:crypto";
import { Session } from "../core/session.js";
import type { SessionOptions } from "../core/session.js";
import { SecureExecFilesystem } from "./filesystem.js";
import type { SecureExecFilesystemOptions } from "./filesystem.js";
import { definedOf, SecureExecProcessManager } from "./processes.js";
import type { CommandOptions, CommandResult } from "./processes.js";

type Status = "pending" | "starting" | "running" | "stopping" | "stopped" | "destroyed" | "error";
type Environment = Record<string, string | undefined>;
type Hook = (args: { sandbox: SecureExecSandbox; outcome?: "created" }) => void | Promise<void>;

/** How the sandbox's machine is made. */
export interface SecureExecSandboxOptions extends Omit<SessionOptions, "cwd" | "env"> {
  /**
   * Where commands run, absolute.
   * @default /workspace
   */
  workingDirectory?: string;
  /**
   * Variables of every command.
   * @default {}
   */
  env?: Environment;
  /**
   * Milliseconds for a command that has none.
   * @default 0: no bound
   */
  timeout?: number;
  /**
   * What a model is told of the sandbox.
   * @default a text about the machine
   */
  instructions?: string;
  /**
   * Called when the machine was made.
   * @default none
   */
  onStart?: Hook;
  /**
   * Called before it ends.
   * @default none
   */
  onStop?: Hook;
  /**
   * Called before it ends for good.
   * @default none
   */
  onDestroy?: Hook;
}

const defaultDirectory = "/workspace";
const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/**
 * A machine for `new Workspace({ sandbox })`, made when it is first used.
 * @throws {INVALID_OPTION|KERNEL_START_FAILED} and all others as `NodeRuntime.create`, from the call that makes the
 * machine.
 * @throws {DISPOSED|KERNEL_LOST|SPAWN_FAILED|OUTCOME_UNKNOWN|FILE} from every call, as `Session`.
 * @throws {Error} from every call after `destroy`.
 * @example
 * import { SecureExecSandbox } from "secure-exec/mastra";
 *
 * const sandbox = new SecureExecSandbox({ timeout: 30_000 });
 * console.log((await sandbox.executeCommand("echo", ["two words"])).stdout);
 * await sandbox.destroy();
 */
export class SecureExecSandbox {
  readonly id: string;
  readonly name = "SecureExecSandbox";
  readonly provider = "secure-exec";
  readonly supportsCheckpoints = false;
  readonly workingDirectory: string;
  readonly processes: SecureExecProcessManager;
  status: Status = "pending";
  error?: string;
  readonly #options: SecureExecSandboxOptions;
  #env: Environment;
  #onStart: Hook | undefined;
  #session: Promise<Session> | undefined;
  #createdAt = new Date();

  /** Makes nothing yet. Never throws. */
  constructor(options: SecureExecSandboxOptions = {}) {
    this.#options = options;
    this.id = options.id ?? randomUUID();
    this.workingDirectory = options.workingDirectory ?? defaultDirectory;
    this.#env = { ...options.env };
    this.#onStart = options.onStart;
    this.processes = new SecureExecProcessManager({
      open: () => this.#open(),
      env: () => this.#env,
    });
  }

  /** Makes the machine; together with others, once. */
  async start(): Promise<{ outcome: "created" | "connected" }> {
    const outcome = this.#session === undefined ? "created" : "connected";
    await this.#open();
    return { outcome };
  }

  #open(): Promise<Session> {
    this.#session ??= this.#begin();
    return this.#session;
  }

  async #begin(): Promise<Session> {
    if (this.status === "destroyed") throw new Error(`the sandbox ${this.id} has been destroyed`);
    this.status = "starting";
    const { runtime, ports } = this.#options;
    try {
      const session = await Session.create({
        cwd: this.workingDirectory,
        ...(runtime !== undefined && { runtime }),
        ...(ports !== undefined && { ports }),
      });
      this.#createdAt = session.createdAt;
      this.status = "running";
      await this.#onStart?.({ sandbox: this, outcome: "created" });
      return session;
    } catch (error) {
      this.status = "error";
      this.error = error instanceof Error ? error.message : String(error);
      this.#session = undefined;
      throw error;
    }
  }

  /** Makes the machine where there is none. */
  async ensureRunning(): Promise<void> {
    await this.#open();
  }

  /** Ends the machine; its files are gone. */
  async stop(): Promise<void> {
    await this.#end("stopped", this.#options.onStop);
  }

  /** Ends the machine for good. */
  async destroy(): Promise<void> {
    if (this.status === "destroyed") return;
    await this.#end("destroyed", this.#options.onDestroy);
  }

  /** By the names under which the package's own class has them. */
  _start(): Promise<{ outcome: "created" | "connected" }> {
    return this.start();
  }

  /** See `_start`. */
  _stop(): Promise<void> {
    return this.stop();
  }

  /** See `_start`. */
  _destroy(): Promise<void> {
    return this.destroy();
  }

  async #end(status: "stopped" | "destroyed", hook: Hook | undefined): Promise<void> {
    const session = await this.#session?.catch(() => undefined);
    if (session !== undefined) {
      this.status = "stopping";
      await hook?.({ sandbox: this });
      await this.processes.killAll();
      await session.dispose();
    }
    this.#session = undefined;
    this.status = status;
  }

  /** There are no checkpoints of a stopped machine; a running one's files are in it. */
  async snapshot(): Promise<void> {}

  /** Whether the machine is there. Never throws. */
  isReady(): boolean {
    return this.status === "running";
  }

  /** What it is, for the package. Never throws. */
  getInfo() {
    const { id, name, provider, status } = this;
    return { id, name, provider, status, createdAt: this.#createdAt };
  }

  /** The same for a model. Never throws. */
  getInstructions(): string {
    return (
      this.#options.instructions ??
      `An isolated Linux-like machine with Node.js and a bash-compatible shell. Commands run in ${this.workingDirectory}.`
    );
  }

  /** Changes the variables of commands from now on. */
  setEnv(update: (env: Environment) => Environment): void {
    this.#env = { ...update({ ...this.#env }) };
  }

  /** The variables of commands. Never throws. */
  getEnv(): Environment {
    return { ...this.#env };
  }

  /** Replaces the hook: `update` is given the one before. */
  setOnStart(update: (previous: Hook | undefined) => Hook): void {
    this.#onStart = update(this.#onStart);
  }

  /** For the package's logger, which gets nothing from here: see `DEBUG=secure-exec*`. Never throws. */
  __setLogger(): void {}

  /** Runs a command to its end; with `args`, as one word each. */
  async executeCommand(
    command: string,
    args: string[] = [],
    options: CommandOptions = {},
  ): Promise<CommandResult> {
    const line = [command, ...args.map(quoted)].join(" ");
    const { timeout = this.#options.timeout } = options;
    const handle = await this.processes.spawn(line, { ...options, timeout, stdinMode: "ignore" });
    const result = await handle.wait();
    this.processes.release(handle.pid);
    return { ...result, command, args };
  }

  /**
   * Writes files, and makes their directories.
   * @throws {signal.reason} when `abortSignal` is aborted, between two files.
   */
  async writeFiles(
    files: { path: string; content: string | Uint8Array; mode?: number }[],
    { abortSignal }: { abortSignal?: AbortSignal } = {},
  ): Promise<void> {
    const session = await this.#open();
    for (const { path, content, mode } of files) {
      abortSignal?.throwIfAborted();
      await session.writeFile(path, content);
      if (mode !== undefined) await session.chmod(path, mode);
    }
  }

  readonly networking = {
    /** null for a port that `ports` does not have. */
    getPortUrl: async (port: number): Promise<string | null> => {
      const session = await this.#open();
      return session.ports.includes(port) ? session.portUrl(port) : null;
    },
  };

  /** The machine's files for `new Workspace({ filesystem, sandbox })`. */
  async filesystem(options?: SecureExecFilesystemOptions): Promise<SecureExecFilesystem> {
    return new SecureExecFilesystem(await this.#open(), options);
  }

  /** A sandbox that is to be made like this one, with other `env`, `workingDirectory` or `id`. Never throws. */
  clone(
    options: { id?: string; env?: Environment; workingDirectory?: string } = {},
  ): SecureExecSandbox {
    const { id, env, workingDirectory = this.workingDirectory } = options;
    const { id: _own, ...rest } = this.#options;
    return new SecureExecSandbox({
      ...rest,
      workingDirectory,
      env: definedOf({ ...this.#env, ...env }),
      ...(id !== undefined && { id }),
    });
  }

  /** The same as `destroy`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.destroy();
  }
}
