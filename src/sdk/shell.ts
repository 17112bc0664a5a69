/**
 * Owns the public handle of a terminal: a shell, or another command, as somebody who types and sees.
 *
 * Invariants: output is handed over in order and once to each who asked for it; what nobody has asked for
 * is kept up to a bound and then holds the program back.
 * Untrusted: output, which is bytes for a terminal and may be any.
 */
import type { GuestProcess } from "./guest-process.js";
import { bytesOf, terminalSizeOf } from "./options.js";
import { signalNumber } from "./signals.js";

/** Output that waits for somebody to take it. */
const keptBytes = 1024 * 1024;

/** What is kept of a terminal's output for whoever asks next. */
export class ShellOutput {
  readonly #chunks: Uint8Array[] = [];
  #bytes = 0;
  readonly #listeners = new Set<(data: Uint8Array) => void>();
  #wake: (() => void)[] = [];
  #room: (() => void) | undefined;
  #ended = false;

  /** As an `OutputHook`. */
  push(chunk: Uint8Array): Promise<void> | undefined {
    if (this.#listeners.size > 0) {
      for (const listener of this.#listeners) listener(chunk);
      return undefined;
    }
    this.#chunks.push(chunk);
    this.#bytes += chunk.byteLength;
    this.#wakeAll();
    if (this.#bytes < keptBytes || this.#ended) return undefined;
    return new Promise((resolve) => (this.#room = resolve));
  }

  end(): void {
    this.#ended = true;
    this.#room?.();
    this.#wakeAll();
  }

  listen(listener: (data: Uint8Array) => void): () => void {
    this.#listeners.add(listener);
    for (let chunk = this.#take(); chunk !== undefined; chunk = this.#take()) listener(chunk);
    return () => void this.#listeners.delete(listener);
  }

  async *read(): AsyncGenerator<Uint8Array, void> {
    for (;;) {
      const chunk = this.#take();
      if (chunk !== undefined) yield chunk;
      else if (this.#ended) return;
      else await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
  }

  #take(): Uint8Array | undefined {
    const chunk = this.#chunks.shift();
    if (chunk === undefined) return undefined;
    this.#bytes -= chunk.byteLength;
    if (this.#bytes < keptBytes) this.#room?.();
    return chunk;
  }

  #wakeAll(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}

export class NodeRuntimeShell implements AsyncIterable<Uint8Array> {
  readonly #guest: GuestProcess;
  readonly #output: ShellOutput;

  /** Made by `NodeRuntime.openShell`. */
  constructor(guest: GuestProcess, output: ShellOutput) {
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
}
