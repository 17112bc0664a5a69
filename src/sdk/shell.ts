/**
 * Owns the public handle of a terminal: a shell, or another command, as somebody who types and sees.
 *
 * Invariants: output is handed over in order and once to each who asked for it; what nobody has asked for
 * is kept up to a bound and then holds the program back.
 * Untrusted: output, which is bytes for a terminal and may be any.
 */
import type { GuestProcess } from "./guest-process.js";
import type { HeldOutput } from "./output.js";
import { terminalSizeOf } from "./run-options.js";
import { bytesOf } from "./option-checks.js";
import { signalNumber } from "./signals.js";

export class NodeRuntimeShell implements AsyncIterable<Uint8Array> {
  readonly #guest: GuestProcess;
  readonly #output: HeldOutput;

  /** Made by `NodeRuntime.openShell`. */
  constructor(guest: GuestProcess, output: HeldOutput) {
    this.#guest = guest;
    this.#output = output;
  }

  /** The pid inside the virtual machine. */
  get pid(): number {
    return this.#guest.pid;
  }

  /** null while it runs; afterwards its exit code, or 128 + signal. */
  get exitCode(): number | null {
    return this.#guest.exitCode;
  }

  /** Types: text, or the bytes that a terminal sends for keys. Throws INVALID_OPTION for other types. */
  write(data: string | Uint8Array): void {
    this.#guest.writeStdin(bytesOf("data", data));
  }

  /** Calls `listener` with what the terminal is to show, from what came before on. Answers how to stop. */
  onData(listener: (data: Uint8Array) => void): () => void {
    return this.#output.listen(listener);
  }

  /** The same as an iteration, which ends with the shell. */
  [Symbol.asyncIterator](): AsyncIterator<Uint8Array, void> {
    return this.#output.read();
  }

  /** Gives the terminal another size; programs get SIGWINCH. Throws INVALID_OPTION. */
  resize(cols: number, rows: number): void {
    this.#guest.resize(terminalSizeOf({ cols, rows }));
  }

  /** Sends the shell a signal, SIGHUP by default as when a terminal is closed. Throws INVALID_OPTION for an unknown one. */
  kill(signal: string | number = "SIGHUP"): void {
    this.#guest.kill(signalNumber(signal));
  }

  /** The exit code, once the shell has ended. Rejects when its outcome is unknown. */
  async wait(): Promise<number> {
    return (await this.#guest.ended).end.exitCode;
  }

  /** Ends the shell and what runs in its group, as SIGKILL does; resolves when it is gone. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#guest.destroy();
  }
}
