/**
 * Owns the processes of a Mastra sandbox over core/session.ts: handles with what they have said, by pid.
 *
 * Invariants: output that is kept is bounded, its end is what is kept; a handle whose end was looked at is
 * forgotten at the next look. Types are written after the interface that the package declares.
 * Untrusted: output.
 */
import { PassThrough, Writable } from "node:stream";
import type { Readable, Writable as WritableBytes } from "../../protocol/node-types.js";
import type { Session, SessionProcess } from "../core/session.js";
import { OutputTail } from "../core/output-tail.js";

export interface CommandOptions {
  /** Milliseconds. */
  timeout?: number | undefined;
  env?: Record<string, string | undefined> | undefined;
  cwd?: string | undefined;
  onStdout?: ((data: string) => void) | undefined;
  onStderr?: ((data: string) => void) | undefined;
  abortSignal?: AbortSignal | undefined;
  /**
   * Bytes of each stream that a handle keeps.
   * @default 1 MiB
   */
  maxRetainedBytes?: number | undefined;
}

/** How a process starts. */
export interface SpawnOptions extends CommandOptions {
  /**
   * "ignore": end of file at once.
   * @default "pipe"
   */
  stdinMode?: "pipe" | "ignore" | undefined;
  [more: string]: unknown;
}

/** What a command came to. */
export interface CommandResult {
  success: boolean;
  exitCode: number;
  stdout: string;
  stderr: string;
  executionTimeMs: number;
  timedOut?: boolean;
  killed?: boolean;
  stdoutTruncated?: boolean;
  stderrTruncated?: boolean;
  stdoutDroppedBytes?: number;
  stderrDroppedBytes?: number;
  command?: string;
  args?: string[];
}

const defaultRetainedBytes = 1024 * 1024;
/** Handles of processes that have ended and that nobody has looked at. */
const mostEnded = 1000;

type Listener = (data: string) => void;

/** Output of one stream: kept, told and read. */
class Channel {
  readonly listeners = new Set<Listener>();
  readonly kept: OutputTail;
  readonly #decoder = new TextDecoder();
  #reader: PassThrough | undefined;
  #ended = false;

  constructor(keptBytes: number) {
    this.kept = new OutputTail(keptBytes);
  }

  readonly push = (chunk: Uint8Array): void => {
    this.kept.add(chunk);
    this.#reader?.write(chunk);
    const text = this.#decoder.decode(chunk, { stream: true });
    if (text !== "") for (const listener of this.listeners) listener(text);
  };

  end(): void {
    this.#ended = true;
    this.#reader?.end();
  }

  /** What comes from now on, behind what is kept. */
  get reader(): Readable {
    if (this.#reader !== undefined) return this.#reader;
    this.#reader = new PassThrough();
    this.#reader.write(this.kept.bytes);
    if (this.#ended) this.#reader.end();
    return this.#reader;
  }
}

/**
 * A command that runs, with what it has said.
 * @throws {DISPOSED|KERNEL_LOST|SPAWN_FAILED|OUTCOME_UNKNOWN} from every call, as `Session`.
 * @example
 * import { SecureExecSandbox } from "secure-exec/mastra";
 *
 * const sandbox = new SecureExecSandbox();
 * const handle = await sandbox.processes.spawn("echo hello");
 * console.log((await handle.wait()).stdout);
 * await sandbox.destroy();
 */
export class SecureExecProcessHandle {
  command?: string;
  readonly #out: Channel;
  readonly #err: Channel;
  readonly #startedMs = performance.now();
  #process!: SessionProcess;
  #result!: Promise<CommandResult>;
  #exitCode: number | undefined;
  #killed = false;
  #takesInput = true;
  #writer: Writable | undefined;

  private constructor(keptBytes: number) {
    this.#out = new Channel(keptBytes);
    this.#err = new Channel(keptBytes);
  }

  /** Starts a command line. One that is aborted already is started and killed. */
  static async start(
    session: Session,
    command: string,
    options: SpawnOptions = {},
  ): Promise<SecureExecProcessHandle> {
    const { maxRetainedBytes = defaultRetainedBytes, onStdout, onStderr, abortSignal } = options;
    const handle = new SecureExecProcessHandle(maxRetainedBytes);
    handle.command = command;
    if (onStdout !== undefined) handle.#out.listeners.add(onStdout);
    if (onStderr !== undefined) handle.#err.listeners.add(onStderr);
    handle.#process = await session.spawn(command, {
      cwd: options.cwd,
      env: definedOf(options.env),
      timeoutMs: options.timeout,
      onStdout: handle.#out.push,
      onStderr: handle.#err.push,
    });
    if (options.stdinMode === "ignore") {
      handle.#takesInput = false;
      handle.#process.closeStdin();
    }
    handle.#result = handle.#ended();
    handle.#result.catch(() => {});
    const abort = (): void => void handle.kill();
    if (abortSignal?.aborted) abort();
    abortSignal?.addEventListener("abort", abort, { once: true });
    return handle;
  }

  async #ended(): Promise<CommandResult> {
    const exitCode = await this.#process.wait();
    this.#exitCode = exitCode;
    this.#out.end();
    this.#err.end();
    const { timedOut } = this.#process;
    return {
      success: exitCode === 0,
      exitCode,
      stdout: this.stdout,
      stderr: this.stderr,
      executionTimeMs: performance.now() - this.#startedMs,
      stdoutTruncated: this.stdoutTruncated,
      stderrTruncated: this.stderrTruncated,
      stdoutDroppedBytes: this.stdoutDroppedBytes,
      stderrDroppedBytes: this.stderrDroppedBytes,
      ...(timedOut && { timedOut }),
      ...((this.#killed || timedOut) && { killed: true }),
      ...(this.command !== undefined && { command: this.command }),
    };
  }

  get pid(): string {
    return String(this.#process.pid);
  }

  get exitCode(): number | undefined {
    return this.#exitCode;
  }

  get stdout(): string {
    return this.#out.kept.text;
  }

  get stderr(): string {
    return this.#err.kept.text;
  }

  get stdoutTruncated(): boolean {
    return this.#out.kept.droppedBytes > 0;
  }

  get stderrTruncated(): boolean {
    return this.#err.kept.droppedBytes > 0;
  }

  get stdoutDroppedBytes(): number {
    return this.#out.kept.droppedBytes;
  }

  get stderrDroppedBytes(): number {
    return this.#err.kept.droppedBytes;
  }

  /** Ends it and what it has started. Whether it still ran. */
  async kill(): Promise<boolean> {
    if (this.#exitCode !== undefined || this.#process.exitCode !== null) return false;
    this.#killed = true;
    this.#process.kill("SIGKILL");
    return true;
  }

  /**
   * Appends to its stdin.
   * @throws {Error} when it has ended, or takes no input.
   */
  async sendStdin(data: string): Promise<void> {
    this.#mayWrite();
    this.#process.writeStdin(data);
  }

  /** Ends its stdin. */
  async closeStdin(): Promise<void> {
    this.#mayWrite();
    this.#process.closeStdin();
  }

  #mayWrite(): void {
    if (!this.#takesInput) throw new Error(`process ${this.pid} was started without stdin`);
    if (this.#exitCode !== undefined) throw new Error(`process ${this.pid} has ended`);
  }

  /**
   * The result, each time the same. `onStdout` and `onStderr` receive what comes from now on; aborting
   * `abortSignal` kills the process. All three are none by default.
   * @throws {KERNEL_LOST|OUTCOME_UNKNOWN} when its outcome is unknown.
   */
  async wait(
    options: { onStdout?: Listener; onStderr?: Listener; abortSignal?: AbortSignal } = {},
  ): Promise<CommandResult> {
    const { onStdout, onStderr, abortSignal } = options;
    const abort = (): void => void this.kill();
    if (abortSignal?.aborted) abort();
    abortSignal?.addEventListener("abort", abort, { once: true });
    if (onStdout !== undefined) this.#out.listeners.add(onStdout);
    if (onStderr !== undefined) this.#err.listeners.add(onStderr);
    try {
      return await this.#result;
    } finally {
      abortSignal?.removeEventListener("abort", abort);
      if (onStdout !== undefined) this.#out.listeners.delete(onStdout);
      if (onStderr !== undefined) this.#err.listeners.delete(onStderr);
    }
  }

  get reader(): Readable {
    return this.#out.reader;
  }

  get writer(): WritableBytes {
    this.#writer ??= new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        try {
          this.#mayWrite();
          this.#process.writeStdin(chunk);
          done();
        } catch (error) {
          done(error as Error);
        }
      },
      // One that has ended reads no more; that is no error of the writer's.
      final: (done) => {
        if (this.#takesInput && this.#exitCode === undefined) this.#process.closeStdin();
        done();
      },
    });
    return this.#writer;
  }
}

/** Variables that have a value. */
export function definedOf(
  env: Record<string, string | undefined> | undefined,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env ?? {}).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, value]],
    ),
  );
}

export interface ProcessOwner {
  /** The session, which is made if need be. */
  open(): Promise<Session>;
  env(): Record<string, string | undefined>;
}

/**
 * The processes of a sandbox, by pid.
 * @throws {DISPOSED|KERNEL_LOST|SPAWN_FAILED|PROCESS_LIMIT} from every call, as `Session`.
 * @example
 * import { SecureExecSandbox } from "secure-exec/mastra";
 *
 * const sandbox = new SecureExecSandbox();
 * await sandbox.processes.spawn("sleep 60");
 * console.log((await sandbox.processes.list()).length);
 * await sandbox.destroy();
 */
export class SecureExecProcessManager {
  readonly #owner: ProcessOwner;
  readonly #handles = new Map<string, SecureExecProcessHandle>();
  /** Of those that have ended, the ones that `get` has answered since. */
  readonly #seen = new Set<string>();

  /** Made by `SecureExecSandbox`. */
  constructor(owner: ProcessOwner) {
    this.#owner = owner;
  }

  /** Starts a command line. */
  async spawn(command: string, options: SpawnOptions = {}): Promise<SecureExecProcessHandle> {
    const session = await this.#owner.open();
    const env = { ...this.#owner.env(), ...options.env };
    const handle = await SecureExecProcessHandle.start(session, command, { ...options, env });
    this.#handles.set(handle.pid, handle);
    this.#tidy();
    return handle;
  }

  /** Drops the oldest that have ended. */
  #tidy(): void {
    const ended = [...this.#handles.values()].filter(({ exitCode }) => exitCode !== undefined);
    for (const { pid } of ended.slice(0, Math.max(0, ended.length - mostEnded))) this.release(pid);
  }

  /** Those that run, and those whose end nobody has looked at. */
  async list(): Promise<{ pid: string; command?: string; running: boolean; exitCode?: number }[]> {
    return [...this.#handles.values()].map(({ pid, command, exitCode }) => ({
      pid,
      ...(command !== undefined && { command }),
      running: exitCode === undefined,
      ...(exitCode !== undefined && { exitCode }),
    }));
  }

  /** A handle by its pid. One that has ended is answered once. */
  async get(pid: string): Promise<SecureExecProcessHandle | undefined> {
    const handle = this.#handles.get(pid);
    if (handle?.exitCode === undefined) return handle;
    if (this.#seen.has(pid)) {
      this.release(pid);
      return undefined;
    }
    this.#seen.add(pid);
    return handle;
  }

  /** Forgets one that has ended. Never throws. */
  release(pid: string): void {
    if (this.#handles.get(pid)?.exitCode === undefined) return;
    this.#handles.delete(pid);
    this.#seen.delete(pid);
  }

  /** Whether there was one that ran. It is forgotten, as the package's own manager does. */
  async kill(pid: string): Promise<boolean> {
    const handle = this.#handles.get(pid);
    const killed = (await handle?.kill()) ?? false;
    if (killed) await handle?.wait();
    this.release(pid);
    return killed;
  }

  /** Ends all, and forgets them. */
  async killAll(): Promise<void> {
    await Promise.all([...this.#handles.values()].map((handle) => handle.kill()));
    this.#handles.clear();
    this.#seen.clear();
  }
}
