/**
 * Owns one output stream of one process on its way through the host: what is
 * kept for the result, the caller's hook, and the credit that lets more come.
 *
 * Invariants: the hook sees every chunk once, in order, never two at a time; a
 * chunk is credited exactly once, after its hook has settled; at most
 * `captureLimitBytes` are kept; `push` never throws.
 * Untrusted: the bytes, which are only ever copied and decoded as UTF-8. Decoding
 * follows the bytes as they come, because 16 MiB at once take over 100 ms.
 */
import { KeptOutput } from "./kept-output.js";
import type { CapturedOutput } from "./kept-output.js";

export type { CapturedOutput } from "./kept-output.js";

/** Receives output as it is produced. A returned promise holds back further output until it settles. */
export type OutputHook = (chunk: Uint8Array) => unknown;

export interface OutputChannelOptions {
  /** Whether bytes are kept for `take`. */
  capture: boolean;
  /** How many. */
  captureLimitBytes: number;
  hook: OutputHook | undefined;
  /** Tells the kernel that this many bytes were consumed. */
  credit: (bytes: number) => void;
  /** Called once, with what the hook threw or rejected with. */
  failed: (error: unknown) => void;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === "object" &&
    value !== null &&
    "then" in value &&
    typeof value.then === "function"
  );
}

export class OutputChannel {
  readonly #options: OutputChannelOptions;
  readonly #kept: KeptOutput;
  #failed = false;
  /** Settles when every chunk pushed so far has been through the hook; undefined when none waits. */
  #busy: Promise<void> | undefined;

  constructor(options: OutputChannelOptions) {
    this.#options = options;
    this.#kept = new KeptOutput(options.captureLimitBytes);
  }

  /** Takes a chunk that is only valid during the call. */
  push(chunk: Uint8Array): void {
    if (this.#options.capture) this.#kept.add(chunk);
    if (this.#options.hook === undefined || this.#failed) {
      this.#options.credit(chunk.byteLength);
      return;
    }
    const copy = new Uint8Array(chunk);
    const waiting =
      this.#busy === undefined ? this.#deliver(copy) : this.#busy.then(() => this.#deliver(copy));
    if (waiting === undefined) return;
    const busy: Promise<void> = waiting.then(() => {
      if (this.#busy === busy) this.#busy = undefined;
    });
    this.#busy = busy;
  }

  #deliver(chunk: Uint8Array): Promise<void> | undefined {
    const bytes = chunk.byteLength;
    const { hook, credit } = this.#options;
    if (this.#failed) {
      credit(bytes);
      return undefined;
    }
    try {
      const result = hook!(chunk);
      if (!isThenable(result)) {
        credit(bytes);
        return undefined;
      }
      return Promise.resolve(result).then(
        () => credit(bytes),
        (error: unknown) => this.#fail(error, bytes),
      );
    } catch (error) {
      this.#fail(error, bytes);
      return undefined;
    }
  }

  #fail(error: unknown, bytes: number): void {
    // Later chunks flow on unseen, so that the process can be taken down.
    const first = !this.#failed;
    this.#failed = true;
    this.#options.credit(bytes);
    if (first) this.#options.failed(error);
  }

  /** Resolves when the hook has settled for every chunk so far; undefined when it already has. */
  drained(): Promise<void> | undefined {
    return this.#busy;
  }

  /** What was kept since the last `take`. */
  take(): CapturedOutput {
    return this.#kept.take();
  }
}
