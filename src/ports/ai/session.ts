/**
 * Owns the AI SDK's sandbox session (`Experimental_SandboxSession` of @ai-sdk/provider-utils) over
 * core/session.ts.
 *
 * Types are written after the interface that the package declares; nothing is imported from it.
 * Untrusted: output and file content.
 */
import { linesOf } from "../core/session.js";
import type { Session, SessionProcess } from "../core/session.js";

/** A command. */
export interface ProcessOptions {
  /** A command line of the shell. */
  command: string;
  /**
   * Relative to the session's.
   * @default the session's
   */
  workingDirectory?: string;
  /**
   * Variables over the session's.
   * @default {}
   */
  env?: Record<string, string>;
  /**
   * Aborting kills the command.
   * @default none
   */
  abortSignal?: AbortSignal;
  /**
   * Given to the command, followed by end of file.
   * @default empty, or open for `spawn`
   */
  stdin?: string | Uint8Array;
}

/** A file. */
export interface PathOptions {
  /** Relative to the session's working directory, or absolute. */
  path: string;
  /**
   * Aborting rejects; what was begun is done.
   * @default none
   */
  abortSignal?: AbortSignal;
}

/** A command that runs. */
export interface SandboxProcess {
  readonly pid: number;
  readonly stdout: ReadableStream<Uint8Array>;
  readonly stderr: ReadableStream<Uint8Array>;
  readonly stdin: WritableStream<Uint8Array>;
  /** Resolves when it has ended. */
  wait(): Promise<{ exitCode: number }>;
  /** Ends it and what it has started. */
  kill(): Promise<void>;
}

/** Facts about a file, a link at the end not followed. */
export interface SandboxFileStat {
  isFile: boolean;
  isDirectory: boolean;
  isSymbolicLink: boolean;
  size: number;
  mtime: Date;
}

async function collect(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  const reader = stream.getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return new Uint8Array(Buffer.concat(chunks));
    chunks.push(value);
  }
}

function streamOf(bytes: Uint8Array): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start: (controller) => {
      controller.enqueue(bytes);
      controller.close();
    },
  });
}

function processOf(running: SessionProcess): SandboxProcess {
  const ignoreClosed = (write: () => void): void => {
    // A program that has ended reads no more; that is no error of the writer's.
    if (running.exitCode === null) write();
  };
  return {
    pid: running.pid,
    stdout: running.stdout,
    stderr: running.stderr,
    stdin: new WritableStream<Uint8Array>({
      write: (chunk) => ignoreClosed(() => running.writeStdin(chunk)),
      close: () => ignoreClosed(() => running.closeStdin()),
      abort: () => ignoreClosed(() => running.closeStdin()),
    }),
    wait: async () => ({ exitCode: await running.wait() }),
    kill: async () => {
      running.kill();
    },
  };
}

/**
 * What tools may use: commands and files, neither ports nor the end of the machine.
 * @throws {DISPOSED|KERNEL_LOST|signal.reason} from every call, when the machine is gone, or it is aborted.
 * @throws {FILE|LINK_LEADS_OUT} from every call about files, as `NodeRuntime.readFile`.
 * @example
 * import { Session, SecureExecSandboxSession } from "secure-exec/ai";
 *
 * await using machine = await Session.create();
 * const sandbox = new SecureExecSandboxSession(machine);
 * console.log((await sandbox.run({ command: "echo hello" })).stdout);
 */
export class SecureExecSandboxSession {
  readonly #session: Session;

  /** The session stays its owner's. */
  constructor(session: Session) {
    this.#session = session;
  }

  get description(): string {
    return [
      "secure-exec: a Linux-like machine with Node.js and a bash-compatible shell, isolated from the host.",
      "Files and processes last as long as the session.",
      `Current working directory: ${this.#session.cwd}`,
    ].join("\n");
  }

  /**
   * Runs a command to its end.
   * @throws {INVALID_OPTION|SPAWN_FAILED|PROCESS_LIMIT|OUTCOME_UNKNOWN|DISPOSED|KERNEL_LOST} as `Session.exec`.
   * @throws {signal.reason} when it is aborted; the command is killed then.
   */
  async run(
    options: ProcessOptions,
  ): Promise<{ exitCode: number; stdout: string; stderr: string }> {
    const { command, workingDirectory, env, abortSignal, stdin } = options;
    const { exitCode, stdout, stderr } = await this.#session.exec(command, {
      cwd: workingDirectory,
      env,
      signal: abortSignal,
      stdin,
    });
    return { exitCode, stdout, stderr };
  }

  /**
   * Starts a command.
   * @throws {INVALID_OPTION|SPAWN_FAILED|PROCESS_LIMIT|DISPOSED|KERNEL_LOST|signal.reason} as `Session.spawn`.
   */
  async spawn(options: ProcessOptions): Promise<SandboxProcess> {
    const { command, workingDirectory, env, abortSignal, stdin } = options;
    const running = await this.#session.spawn(command, {
      cwd: workingDirectory,
      env,
      signal: abortSignal,
    });
    if (stdin !== undefined) {
      running.writeStdin(stdin);
      running.closeStdin();
    }
    return processOf(running);
  }

  /** The content as a stream; null where there is no such file. */
  async readFile(options: PathOptions): Promise<ReadableStream<Uint8Array> | null> {
    const bytes = await this.readBinaryFile(options);
    return bytes === null ? null : streamOf(bytes);
  }

  /** null where there is no such file. */
  async readBinaryFile({ path, abortSignal }: PathOptions): Promise<Uint8Array | null> {
    abortSignal?.throwIfAborted();
    return (await this.#session.readFile(path)) ?? null;
  }

  /** Lines are counted from 1, `endLine` included. */
  async readTextFile(
    options: PathOptions & { encoding?: string; startLine?: number; endLine?: number },
  ): Promise<string | null> {
    const bytes = await this.readBinaryFile(options);
    if (bytes === null) return null;
    const { encoding = "utf-8", startLine, endLine } = options;
    const text = Buffer.from(bytes).toString(encoding as BufferEncoding);
    return linesOf(text, startLine, endLine);
  }

  /** Writes a file from a stream, and makes its directories. */
  async writeFile(options: PathOptions & { content: ReadableStream<Uint8Array> }): Promise<void> {
    await this.writeBinaryFile({ ...options, content: await collect(options.content) });
  }

  /** Writes a file, and makes its directories. */
  async writeBinaryFile({
    path,
    content,
    abortSignal,
  }: PathOptions & { content: Uint8Array }): Promise<void> {
    abortSignal?.throwIfAborted();
    await this.#session.writeFile(path, content);
  }

  /** Writes a file in UTF-8 or another encoding, and makes its directories. */
  async writeTextFile(
    options: PathOptions & { content: string; encoding?: string },
  ): Promise<void> {
    const { content, encoding = "utf-8" } = options;
    const bytes = Buffer.from(content, encoding as BufferEncoding);
    await this.writeBinaryFile({ ...options, content: bytes });
  }

  /** Facts about a file; null where there is none. */
  async stat({ path, abortSignal }: PathOptions): Promise<SandboxFileStat | null> {
    abortSignal?.throwIfAborted();
    const stat = await this.#session.stat(path);
    if (stat === undefined) return null;
    return {
      isFile: stat.type === "file",
      isDirectory: stat.type === "directory",
      isSymbolicLink: stat.type === "symlink",
      size: stat.size,
      mtime: new Date(stat.mtimeMs),
    };
  }

  /** null where there is no such directory. */
  async listDirectory({
    path,
    abortSignal,
  }: PathOptions): Promise<{ name: string; type: string }[] | null> {
    abortSignal?.throwIfAborted();
    return (await this.#session.list(path)) ?? null;
  }

  /** Whether there was one. */
  async deleteFile({ path, abortSignal }: PathOptions): Promise<boolean> {
    abortSignal?.throwIfAborted();
    return this.#session.remove(path);
  }
}
