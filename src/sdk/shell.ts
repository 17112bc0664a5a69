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

/**
 * A terminal with a shell, or another command, in it.
 * @example
 * import { NodeRuntime } from "secure-exec";
 *
 * const rt = await NodeRuntime.create();
 * const shell = await rt.openShell();
 * shell.write("exit 3\r");
 * console.log(await shell.wait());
 * await rt.dispose();
 */
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

  /**
   * Types: text, or the bytes that a terminal sends for keys.
   * @throws {INVALID_OPTION} for what is neither text nor bytes.
   */
  write(data: string | Uint8Array): void {
    this.#guest.writeStdin(bytesOf("data", data));
  }

  /**
   * Calls `listener` with what the terminal is to show, from what came before on. Answers how to stop. Never
   * throws.
   */
  onData(listener: (data: Uint8Array) => void): () => void {
    return this.#output.listen(listener);
  }

  /**
   * The same as an iteration, which ends with the shell.
   * @throws {KERNEL_LOST|OUTCOME_UNKNOWN} from the iteration, when what came is not known to be all.
   */
  [Symbol.asyncIterator](): AsyncIterator<Uint8Array, void> {
    return this.#output.read();
  }

  /**
   * Gives the terminal another size; programs get SIGWINCH.
   * @throws {INVALID_OPTION} for what is no whole number from 1 to 65 535.
   */
  resize(cols: number, rows: number): void {
    this.#guest.resize(terminalSizeOf({ cols, rows }));
  }

  /**
   * Sends the shell a signal, SIGHUP by default as when a terminal is closed.
   * @throws {INVALID_OPTION} for an unknown signal.
   */
  kill(signal: string | number = "SIGHUP"): void {
    this.#guest.kill(signalNumber(signal));
  }

  /**
   * The exit code, once the shell has ended.
   * @throws {KERNEL_LOST|GUEST_KILLED|PROTOCOL_VIOLATION|ZYGOTE_LOST|OUTCOME_UNKNOWN} when its outcome is unknown.
   */
  async wait(): Promise<number> {
    return (await this.#guest.ended).end.exitCode;
  }

  /** Ends the shell and what runs in its group, as SIGKILL does; resolves when it is gone. Never rejects. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#guest.destroy();
  }
}
