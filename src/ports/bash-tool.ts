/**
 * Owns `secure-exec/bash-tool`: the sandbox of Vercel's bash-tool over core/session.ts, for
 * `createBashTool({ sandbox })`.
 *
 * Types are written after the interface that `bash-tool` declares; nothing is imported from it.
 * Untrusted: output and file content.
 */
import { Session } from "./core/session.js";
import type { SessionOptions } from "./core/session.js";

/** What a command came to. */
export interface CommandResult {
  stdout: string;
  stderr: string;
  exitCode: number;
}

/** As bash-tool declares it. */
export interface Sandbox {
  /** Runs a command line to its end. */
  executeCommand(command: string): Promise<CommandResult>;
  /** The text of a file. */
  readFile(path: string): Promise<string>;
  /** Writes files, and makes their directories. */
  writeFiles(files: { path: string; content: string | Uint8Array }[]): Promise<void>;
}

/** How the sandbox's machine is made. */
export interface SecureExecSandboxOptions extends SessionOptions {
  /**
   * Milliseconds for one command; 0 for no bound.
   * @default 0
   */
  timeoutMs?: number;
}

/**
 * A machine for `createBashTool({ sandbox })`. Made by `createSandbox`, or over a session.
 * @throws {DISPOSED|KERNEL_LOST|FILE} from every call, as `Session`.
 * @example
 * import { createSandbox } from "secure-exec/bash-tool";
 *
 * await using sandbox = await createSandbox();
 * console.log(await sandbox.executeCommand("echo hello"));
 */
export class SecureExecSandbox implements Sandbox {
  readonly session: Session;
  readonly #timeoutMs: number;

  /** The session is ended by `stop`; `timeoutMs` is for one command. Never throws. */
  constructor(session: Session, timeoutMs: number) {
    this.session = session;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Runs a command line to its end.
   * @throws {SPAWN_FAILED|PROCESS_LIMIT|OUTCOME_UNKNOWN|DISPOSED|KERNEL_LOST} as `Session.exec`.
   */
  async executeCommand(command: string): Promise<CommandResult> {
    const result = await this.session.exec(command, { timeoutMs: this.#timeoutMs });
    const { stdout, exitCode, timedOut } = result;
    const late = timedOut ? `killed after ${this.#timeoutMs} ms\n` : "";
    return { stdout, stderr: result.stderr + late, exitCode };
  }

  /**
   * The text of a file.
   * @throws {NO_SUCH_FILE} for one that does not exist.
   * @throws {FILE|DISPOSED|KERNEL_LOST} as `NodeRuntime.readFile`.
   */
  async readFile(path: string): Promise<string> {
    return Buffer.from(await this.session.runtime.readFile(this.session.resolve(path))).toString(
      "utf8",
    );
  }

  /** Writes files, and makes their directories. */
  async writeFiles(files: { path: string; content: string | Uint8Array }[]): Promise<void> {
    for (const { path, content } of files) await this.session.writeFile(path, content);
  }

  /** Ends the machine. */
  async stop(): Promise<void> {
    await this.session.dispose();
  }

  /** The same as `stop`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

/**
 * Makes a machine. `cwd` is where commands run, /workspace by default, as bash-tool's own.
 * @throws {INVALID_OPTION|KERNEL_START_FAILED} and all others as `NodeRuntime.create`.
 * @example
 * import { createSandbox } from "secure-exec/bash-tool";
 *
 * const sandbox = await createSandbox({ timeoutMs: 30_000 });
 * await sandbox.stop();
 */
export async function createSandbox(
  options: SecureExecSandboxOptions = {},
): Promise<SecureExecSandbox> {
  const { timeoutMs = 0, ...rest } = options;
  return new SecureExecSandbox(await Session.create({ cwd: "/workspace", ...rest }), timeoutMs);
}
