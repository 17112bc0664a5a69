/**
 * Owns the two machines of a server, each made when something needs it first: that of commands and files, and that of code.
 */
import { CodeMode } from "../core/code-mode.js";
import type { CodeModeOptions } from "../core/code-mode.js";
import { Session } from "../core/session.js";
import type { SessionOptions } from "../core/session.js";

export interface MachinesOptions extends SessionOptions {
  /** How the machine of `run_code` is made; it is another one than that of the commands. */
  code?: CodeModeOptions;
}

export class Machines {
  readonly #options: MachinesOptions;
  #session: Promise<Session> | undefined;
  #code: Promise<CodeMode> | undefined;

  constructor(options: MachinesOptions) {
    this.#options = options;
  }

  /** Whether there is a machine of commands and files. */
  get hasSession(): boolean {
    return this.#session !== undefined;
  }

  session(): Promise<Session> {
    this.#session ??= Session.create({ cwd: "/workspace", ...this.#options });
    return this.#session;
  }

  code(): Promise<CodeMode> {
    this.#code ??= CodeMode.create(this.#options.code);
    return this.#code;
  }

  async dispose(): Promise<void> {
    await Promise.allSettled([
      this.#session?.then((session) => session.dispose()),
      this.#code?.then((code) => code.dispose()),
    ]);
  }
}
