/**
 * Owns `secure-exec/bash-tool`: the sandbox of Vercel's bash-tool over core/session.ts, for
 * `createBashTool({ sandbox })`.
 *
 * Types are written after the interface that `bash-tool` declares; nothing is imported from it.
 * Untrusted: output and file content.
 */
import { Session } from "./core/session.js";
import type { SessionOptions } from "./core/session.js";

export interface CommandResult {
  stdout: string;
  stderr: string;
  exitCode: number;
}

export interface Sandbox {
  executeCommand(command: string): Promise<CommandResult>;
  readFile(path: string): Promise<string>;
  writeFiles(files: { path: string; content: string | Uint8Array }[]): Promise<void>;
}

export interface SecureExecSandboxOptions extends SessionOptions {
  /** Milliseconds for one command; 0 (default) for no bound. */
  timeoutMs?: number;
}

export class SecureExecSandbox implements Sandbox {
  readonly session: Session;
  readonly #timeoutMs: number;

  constructor(session: Session, timeoutMs: number) {
    this.session = session;
    this.#timeoutMs = timeoutMs;
  }

  async executeCommand(command: string): Promise<CommandResult> {
    const result = await this.session.exec(command, { timeoutMs: this.#timeoutMs });
    const { stdout, exitCode, timedOut } = result;
    const late = timedOut ? `killed after ${this.#timeoutMs} ms\n` : "";
    return { stdout, stderr: result.stderr + late, exitCode };
  }

  /** The text of a file. Rejects for one that does not exist. */
  async readFile(path: string): Promise<string> {
    return Buffer.from(await this.session.runtime.readFile(this.session.resolve(path))).toString(
      "utf8",
    );
  }

  async writeFiles(files: { path: string; content: string | Uint8Array }[]): Promise<void> {
    for (const { path, content } of files) await this.session.writeFile(path, content);
  }

  async stop(): Promise<void> {
    await this.session.dispose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

/** Makes a machine. `cwd` is where commands run, /workspace by default, as bash-tool's own. */
export async function createSandbox(
  options: SecureExecSandboxOptions = {},
): Promise<SecureExecSandbox> {
  const { timeoutMs = 0, ...rest } = options;
  return new SecureExecSandbox(await Session.create({ cwd: "/workspace", ...rest }), timeoutMs);
}
