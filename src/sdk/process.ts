/**
 * Owns the public handle of a spawned program.
 * Invariant: what is asked of an ended program has no effect and is no error.
 * Untrusted: nothing; outcome rules are guest-process.ts's.
 */
import type { End, Usage } from "../protocol/usage.js";
import { failure } from "./errors.js";
import type { GuestProcess } from "./guest-process.js";
import { bytesOf, parseFlags, terminalSizeOf } from "./options.js";
import { signalNumber } from "./signals.js";

export class NodeRuntimeProcess {
  readonly #guest: GuestProcess;
  #stdinOpen: boolean;

  /** Made by `NodeRuntime.spawn`. */
  constructor(guest: GuestProcess, stdinOpen: boolean) {
    this.#guest = guest;
    this.#stdinOpen = stdinOpen;
  }

  /** The pid inside the virtual machine. */
  get pid(): number {
    return this.#guest.pid;
  }

  /** null while it runs; afterwards its exit code, or 128 + signal. */
  get exitCode(): number | null {
    return this.#guest.exitCode;
  }

  /** null while it runs; afterwards why it ended. See docs/usage.md. */
  get end(): End | null {
    return this.#guest.end;
  }

  /** null while it runs; afterwards what it and all it started had used by then. */
  get usage(): Usage | null {
    return this.#guest.usage;
  }

  /** What it and all it started have used by now. */
  currentUsage(): Promise<Usage> {
    return this.#guest.currentUsage();
  }

  /** Appends to the program's stdin. Throws STDIN_CLOSED after `closeStdin`, INVALID_OPTION for other types. */
  writeStdin(data: string | Uint8Array): void {
    const bytes = bytesOf("data", data);
    if (!this.#stdinOpen) throw failure("STDIN_CLOSED");
    this.#guest.writeStdin(bytes);
  }

  /** Gives the program's terminal another size; without `pty` there is none, and nothing happens. Throws INVALID_OPTION. */
  resize(cols: number, rows: number): void {
    this.#guest.resize(terminalSizeOf({ cols, rows }));
  }

  /** Ends the program's stdin. Idempotent. */
  closeStdin(): void {
    if (!this.#stdinOpen) return;
    this.#stdinOpen = false;
    this.#guest.closeStdin();
  }

  /**
   * Sends a signal by name or number, SIGTERM by default; with `group: true` (default false) also to what
   * the program has started and what is still in its process group. Throws INVALID_OPTION for an unknown one.
   */
  kill(signal: string | number = "SIGTERM", options?: { group?: boolean }): void {
    const { group } = parseFlags(options, { group: false });
    this.#guest.kill(signalNumber(signal), group);
  }

  /** The exit code, once the program has ended. Rejects when its outcome is unknown or an output hook failed. */
  async wait(): Promise<number> {
    return (await this.#guest.ended).end.exitCode;
  }
}
