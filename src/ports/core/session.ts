/**
 * Owns a session: a machine as agents use one — command lines, files below a working directory,
 * ports, and an end. Every port that gives an agent a machine is a thin translation to this.
 *
 * Invariants: a command that is aborted, or over its time, is killed with all of its process
 * group; an exit code is the command's own, and an unknown outcome rejects; relative paths start
 * at `cwd`.
 * Untrusted: output, file names and content.
 */
import { randomUUID } from "node:crypto";
import { posix } from "node:path";
import { NodeRuntime, SecureExecError } from "../../index.js";
import type {
  NodeRuntimeCreateOptions,
  NodeRuntimeDirectoryEntry,
  NodeRuntimeFileStat,
  NodeRuntimeProcess,
  NodeRuntimeShell,
} from "../../index.js";
import { OutputStream } from "./output-stream.js";

/** How a machine of a port is made. */
export interface SessionOptions {
  /**
   * How the machine is made; see `NodeRuntime.create`.
   * @default {}
   */
  runtime?: NodeRuntimeCreateOptions;
  /**
   * Where commands run and relative paths start, absolute; it is made.
   * @default /home/user
   */
  cwd?: string;
  /**
   * Variables of every command.
   * @default {}
   */
  env?: Record<string, string>;
  /**
   * Ports of the machine that the host reaches at 127.0.0.1.
   * @default []
   */
  ports?: readonly number[];
  /**
   * Where others than this host reach one of `ports`, as `https://…`: what `portUrl` answers then. Getting requests from there to
   * 127.0.0.1 is the host's own affair.
   * @default http://127.0.0.1:port
   */
  publicUrl?: (port: number) => string;
  /** @default a random one */
  id?: string;
}

export interface CommandOptions {
  /** Relative to the session's. */
  cwd?: string | undefined;
  env?: Record<string, string> | undefined;
  /** Aborting kills the command; `exec` and `wait` reject with the signal's reason. */
  signal?: AbortSignal | undefined;
  /** Milliseconds after which the command is killed; without it, or with 0, there is no bound. */
  timeoutMs?: number | undefined;
}

/** Where output goes instead of into the streams of a process; a promise that is returned holds the command back. */
export interface OutputHooks {
  onStdout?: ((chunk: Uint8Array) => unknown) | undefined;
  onStderr?: ((chunk: Uint8Array) => unknown) | undefined;
}

export interface TerminalOptions extends CommandOptions {
  cols?: number | undefined;
  rows?: number | undefined;
}

export interface ExecOptions extends CommandOptions, OutputHooks {
  /**
   * Given to the command, followed by end of file.
   * @default empty
   */
  stdin?: string | Uint8Array | undefined;
  /**
   * Bytes kept per stream.
   * @default 16 MiB
   */
  outputBytes?: number | undefined;
}

export interface CommandResult {
  stdout: string;
  stderr: string;
  /** Of both streams, in the order in which it came. */
  output: string;
  /** The command's own, or 128 + the signal that ended it. */
  exitCode: number;
  /** Whether output beyond `outputBytes` was dropped. */
  truncated: boolean;
  timedOut: boolean;
}

/** A file of the machine to be executed, and its arguments. */
export interface Program {
  file: string;
  args: readonly string[];
}

/** One file below a directory, with its facts. */
export interface WalkEntry {
  path: string;
  stat: NodeRuntimeFileStat;
}

const defaultCwd = "/home/user";
const defaultOutputBytes = 16 * 1024 * 1024;
const shell = "bash";
/** Trees of the kernel's own; a walk does not enter them. */
const kernelTrees = new Set(["/proc", "/dev", "/sys"]);

const programOf = (command: string | Program): Program =>
  typeof command === "string" ? { file: shell, args: ["-c", command] } : command;

/** Chunks up to a bound, as text. */
class Kept {
  #left: number;
  readonly #chunks: Buffer[] = [];
  truncated = false;

  constructor(limitBytes: number) {
    this.#left = limitBytes;
  }

  add(chunk: Uint8Array): void {
    const kept = chunk.subarray(0, this.#left);
    if (kept.byteLength < chunk.byteLength) this.truncated = true;
    this.#left -= kept.byteLength;
    if (kept.byteLength > 0) this.#chunks.push(Buffer.from(kept));
  }

  get text(): string {
    return Buffer.concat(this.#chunks).toString("utf8");
  }
}

/** A command that runs. */
export class SessionProcess {
  readonly stdout: ReadableStream<Uint8Array>;
  readonly stderr: ReadableStream<Uint8Array>;
  readonly #process: NodeRuntimeProcess;
  readonly #outputs: readonly OutputStream[];
  readonly #ended: Promise<number>;
  readonly #signal: AbortSignal | undefined;
  #timedOut = false;

  constructor(
    process: NodeRuntimeProcess,
    outputs: readonly [OutputStream, OutputStream],
    options: CommandOptions,
  ) {
    this.#process = process;
    this.#outputs = outputs;
    this.stdout = outputs[0].stream;
    this.stderr = outputs[1].stream;
    const { signal, timeoutMs = 0 } = options;
    this.#signal = signal;
    const abort = (): void => this.kill("SIGKILL");
    if (signal?.aborted) abort();
    signal?.addEventListener("abort", abort, { once: true });
    const late = (): void => {
      this.#timedOut = true;
      abort();
    };
    const timer = timeoutMs > 0 ? setTimeout(late, timeoutMs) : undefined;
    this.#ended = process.wait().finally(() => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    });
    this.#ended.then(
      () => outputs.forEach((output) => output.end()),
      (error: unknown) => outputs.forEach((output) => output.end(error)),
    );
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** null while it runs. */
  get exitCode(): number | null {
    return this.#process.exitCode;
  }

  get timedOut(): boolean {
    return this.#timedOut;
  }

  writeStdin(data: string | Uint8Array): void {
    this.#process.writeStdin(data);
  }

  closeStdin(): void {
    this.#process.closeStdin();
  }

  /** Signals the command and what it has started. */
  kill(signal: string | number = "SIGKILL"): void {
    this.#process.kill(signal, { group: true });
    // A killed program's last output has no claim to be read.
    for (const output of this.#outputs) output.release();
  }

  /** The exit code. Rejects when the command was aborted, with the signal's reason, or its outcome is unknown. */
  async wait(): Promise<number> {
    for (const output of this.#outputs) output.release();
    const exitCode = await this.#ended;
    this.#signal?.throwIfAborted();
    return exitCode;
  }
}

/**
 * A machine with a working directory, variables and commands: what the ports are made of. Relative paths start at
 * `cwd`.
 * @throws {DISPOSED|KERNEL_LOST} from every call that reaches the machine, once it is gone.
 * @throws {FILE|LINK_LEADS_OUT} from every call about files, as `NodeRuntime.readFile`.
 * @example
 * import { Session } from "secure-exec/ai";
 *
 * const session = await Session.create({ cwd: "/work" });
 * await session.writeFile("a.txt", "text");
 * const { stdout } = await session.exec("cat a.txt", { timeoutMs: 5000 });
 * console.log(stdout);
 * await session.dispose();
 */
export class Session {
  readonly id: string;
  readonly cwd: string;
  readonly ports: readonly number[];
  readonly createdAt = new Date();
  readonly runtime: NodeRuntime;
  readonly #env: Record<string, string>;
  readonly #publicUrl: ((port: number) => string) | undefined;
  #running = true;

  private constructor(runtime: NodeRuntime, id: string, options: SessionOptions) {
    this.runtime = runtime;
    this.id = id;
    this.cwd = options.cwd ?? defaultCwd;
    this.ports = [...(options.ports ?? [])];
    this.#env = { ...options.env };
    this.#publicUrl = options.publicUrl;
  }

  /**
   * Makes the machine.
   * @throws {INVALID_OPTION|ENGINE_MISSING|ISOLATION_UNAVAILABLE|KERNEL_START_FAILED|FILE} and all others as
   * `NodeRuntime.create`.
   */
  static async create(options: SessionOptions = {}): Promise<Session> {
    const { runtime: given = {}, cwd = defaultCwd, ports = [], id = randomUUID() } = options;
    const runtime = await NodeRuntime.create({
      ...given,
      loopbackExemptPorts: [...(given.loopbackExemptPorts ?? []), ...ports],
    });
    try {
      await runtime.mkdir(cwd, { recursive: true });
      return new Session(runtime, id, options);
    } catch (error) {
      await runtime.dispose();
      throw error;
    }
  }

  get running(): boolean {
    return this.#running;
  }

  /** The absolute path of the machine that `path` means. Never throws. */
  resolve(path: string): string {
    return posix.resolve(this.cwd, path);
  }

  /**
   * Starts a command line, or a program. Its stdin is open. A stream that has a hook is empty.
   * @throws {INVALID_OPTION|SPAWN_FAILED|PROCESS_LIMIT|signal.reason} and all others as `NodeRuntime.spawnCommand`.
   */
  async spawn(
    command: string | Program,
    options: CommandOptions & OutputHooks = {},
  ): Promise<SessionProcess> {
    const outputs = [new OutputStream(), new OutputStream()] as const;
    const { onStdout = outputs[0].hook, onStderr = outputs[1].hook } = options;
    return this.#start(command, options, outputs, onStdout, onStderr);
  }

  /**
   * A command line or a program in a terminal. Ends with `signal`, and after `timeoutMs`.
   * @throws {INVALID_OPTION|SPAWN_FAILED|PROCESS_LIMIT|signal.reason} as `NodeRuntime.openShell`.
   */
  async openTerminal(
    command: string | Program,
    options: TerminalOptions = {},
  ): Promise<NodeRuntimeShell> {
    const { cols, rows, cwd = ".", env, signal, timeoutMs = 0 } = options;
    const { file, args } = programOf(command);
    signal?.throwIfAborted();
    const terminal = await this.runtime.openShell({
      command: file,
      args: [...args],
      cwd: this.resolve(cwd),
      env: { ...this.#env, ...env },
      ...(cols !== undefined && { cols }),
      ...(rows !== undefined && { rows }),
      ...(signal !== undefined && { signal }),
    });
    if (timeoutMs > 0) {
      const timer = setTimeout(() => terminal.kill("SIGKILL"), timeoutMs);
      const over = (): void => clearTimeout(timer);
      terminal.wait().then(over, over);
    }
    return terminal;
  }

  /** Variables of every command from now on, beside those it has. Never throws. */
  setEnvironment(env: Record<string, string>): void {
    Object.assign(this.#env, env);
  }

  async #start(
    command: string | Program,
    options: CommandOptions,
    outputs: readonly [OutputStream, OutputStream],
    onStdout: (chunk: Uint8Array) => unknown,
    onStderr: (chunk: Uint8Array) => unknown,
  ): Promise<SessionProcess> {
    options.signal?.throwIfAborted();
    const { file, args } = programOf(command);
    const process = await this.runtime.spawnCommand(file, [...args], {
      cwd: this.resolve(options.cwd ?? "."),
      env: { ...this.#env, ...options.env },
      onStdout,
      onStderr,
    });
    return new SessionProcess(process, outputs, options);
  }

  /**
   * Runs a command line to its end.
   * @throws {INVALID_OPTION|SPAWN_FAILED|PROCESS_LIMIT|OUTCOME_UNKNOWN|signal.reason} and all others as
   * `NodeRuntime.execCommand`.
   */
  async exec(command: string, options: ExecOptions = {}): Promise<CommandResult> {
    const { stdin, onStdout, onStderr, outputBytes = defaultOutputBytes } = options;
    const [stdout, stderr, both] = [
      new Kept(outputBytes),
      new Kept(outputBytes),
      new Kept(2 * outputBytes),
    ];
    const taker =
      (kept: Kept, hook: ExecOptions["onStdout"]) =>
      (chunk: Uint8Array): unknown => {
        kept.add(chunk);
        both.add(chunk);
        return hook?.(chunk);
      };
    // Nothing is put into these: the hooks take all.
    const none = [new OutputStream(), new OutputStream()] as const;
    const hooks = [taker(stdout, onStdout), taker(stderr, onStderr)] as const;
    const process = await this.#start(command, options, none, ...hooks);
    if (stdin !== undefined) process.writeStdin(stdin);
    process.closeStdin();
    const exitCode = await process.wait();
    return {
      stdout: stdout.text,
      stderr: stderr.text,
      output: both.text,
      exitCode,
      truncated: stdout.truncated || stderr.truncated,
      timedOut: process.timedOut,
    };
  }

  /** The bytes of a file; undefined where there is none. */
  async readFile(path: string): Promise<Uint8Array | undefined> {
    return orMissing(this.runtime.readFile(this.resolve(path)));
  }

  /** Writes a file, and makes its directories. */
  async writeFile(path: string, data: string | Uint8Array): Promise<void> {
    await this.runtime.writeFile(this.resolve(path), data);
  }

  /**
   * Facts about a file, a link at the end followed unless `follow` is false (default true); undefined where there
   * is none.
   */
  async stat(
    path: string,
    options: { follow?: boolean } = {},
  ): Promise<NodeRuntimeFileStat | undefined> {
    return orMissing(this.runtime.stat(this.resolve(path), options));
  }

  /** Names and types in a directory, sorted; undefined where there is none. */
  async list(path: string): Promise<NodeRuntimeDirectoryEntry[] | undefined> {
    return orMissing(this.runtime.readDirWithTypes(this.resolve(path)));
  }

  /** Makes a directory, with `recursive` (default false) its parents, too. */
  async mkdir(path: string, options: { recursive?: boolean } = {}): Promise<void> {
    await this.runtime.mkdir(this.resolve(path), options);
  }

  /** Removes a file, or a directory and all in it. Whether there was one. */
  async remove(path: string): Promise<boolean> {
    const full = this.resolve(path);
    const removed = this.runtime.rm(full, { recursive: true }).then(() => true);
    return (await orMissing(removed)) ?? false;
  }

  /** Gives a file or directory another path. */
  async rename(from: string, to: string): Promise<void> {
    await this.runtime.rename(this.resolve(from), this.resolve(to));
  }

  /** Sets the permission bits. */
  async chmod(path: string, mode: number): Promise<void> {
    await this.runtime.fs.chmod(this.resolve(path), mode);
  }

  /** Files and directories below a directory, by their names; links are not followed. At most `limit`. */
  async *walk(
    path: string,
    { limit = 50_000, depth = Infinity }: { limit?: number; depth?: number } = {},
  ): AsyncGenerator<WalkEntry> {
    const directories = [this.resolve(path)];
    const deepest = directories[0]!.split("/").filter(Boolean).length + depth - 1;
    let left = limit;
    for (let at = directories.shift(); at !== undefined; at = directories.shift()) {
      if (at.split("/").filter(Boolean).length > deepest) continue;
      for (const { name } of (await this.list(at)) ?? []) {
        const full = posix.join(at, name);
        const stat = await this.stat(full, { follow: false });
        if (stat === undefined) continue;
        if (left-- <= 0) return;
        yield { path: full, stat };
        if (stat.type === "directory" && !kernelTrees.has(full)) directories.push(full);
      }
    }
  }

  /**
   * Where a port of the machine is reached: what `publicUrl` says, with `ws` instead of `http` where that is asked for, or the
   * host's 127.0.0.1.
   * @throws {RangeError} for one that `ports` does not have.
   */
  portUrl(port: number, protocol = "http"): string {
    if (!this.ports.includes(port)) throw new RangeError(notExposed(port));
    if (this.#publicUrl === undefined) return `${protocol}://127.0.0.1:${port}`;
    const url = new URL(this.#publicUrl(port));
    if (protocol.startsWith("ws")) url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    return url.href;
  }

  /** The machine's files with its environment and limits, as `NodeRuntime.create({ snapshot })` takes them. */
  async snapshot(): Promise<Uint8Array> {
    const chunks: Buffer[] = [];
    for await (const chunk of await this.runtime.snapshot()) chunks.push(chunk as Buffer);
    return new Uint8Array(Buffer.concat(chunks));
  }

  /**
   * A session of a machine of its own with this one's files as they are.
   * @throws {TEMPLATE_ENDED|FLEET_REFUSED} and all others as `NodeRuntime.clone`.
   */
  async fork(id: string = randomUUID()): Promise<Session> {
    const { cwd, ports } = this;
    const publicUrl = this.#publicUrl;
    const options = { cwd, ports, env: this.#env, ...(publicUrl !== undefined && { publicUrl }) };
    return new Session(await this.runtime.clone(), id, options);
  }

  /**
   * Ends the machine and all in it. Idempotent.
   * @throws {INTERNAL} when the kernel refuses, which is a defect.
   */
  async dispose(): Promise<void> {
    this.#running = false;
    await this.runtime.dispose();
  }

  /** The same as `dispose`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}

/** What is said of a port that `ports` does not have. */
export const notExposed = (port: number): string =>
  `Port ${port} is not exposed to the host: the option ports opens it.`;

/** undefined for a file that does not exist. */
async function orMissing<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    const { code, details } = SecureExecError.isSecureExecError(error) ? error : {};
    if (code === "ERR_SECURE_EXEC_NO_SUCH_FILE" || details?.errno === "ENOTDIR") return undefined;
    throw error;
  }
}

/** Lines `first` to `last`, counted from 1, without the ends of the others. */
export function linesOf(text: string, first?: number, last?: number): string {
  if (first === undefined && last === undefined) return text;
  const end = /\r\n|\n|\r/.exec(text)?.[0] ?? "\n";
  const lines = text.split(end);
  return lines.slice(Math.max(1, first ?? 1) - 1, last ?? lines.length).join(end);
}
