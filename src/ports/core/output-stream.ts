/**
 * Owns the step from a program's output, which comes in chunks by a hook, to a stream that
 * somebody may or may not read.
 *
 * Invariants: a reader gets every byte in order; a program is held back while `fullBytes` wait
 * for its reader; where nobody reads, nothing is held back any more once `release` was called.
 * Untrusted: the bytes.
 */

const fullBytes = 256 * 1024;

export class OutputStream {
  readonly stream: ReadableStream<Uint8Array>;
  #controller!: ReadableStreamDefaultController<Uint8Array>;
  #open = true;
  #released = false;
  /** Lets the program go on. */
  #resume: (() => void) | undefined;

  constructor() {
    this.stream = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () => this.#goOn(),
        cancel: () => {
          this.#open = false;
          this.#goOn();
        },
      },
      { highWaterMark: fullBytes, size: (chunk) => chunk.byteLength },
    );
  }

  /** The hook that takes chunks; the program is held back while its promise is pending. */
  readonly hook = (chunk: Uint8Array): Promise<void> | undefined => {
    if (!this.#open) return undefined;
    const full = (): boolean => (this.#controller.desiredSize ?? 0) <= 0;
    // Nobody reads, and somebody waits for the end: what does not fit is dropped.
    if (this.#released && !this.stream.locked && full()) return undefined;
    this.#controller.enqueue(chunk);
    if (!full() || (this.#released && !this.stream.locked)) return undefined;
    return new Promise((resolve) => {
      this.#resume = resolve;
    });
  };

  #goOn(): void {
    this.#resume?.();
    this.#resume = undefined;
  }

  /** Somebody waits for the program's end, whether the stream is read or not. */
  release(): void {
    this.#released = true;
    if (!this.stream.locked) this.#goOn();
  }

  /** No more comes; with `error`, because it broke off. */
  end(error?: unknown): void {
    if (!this.#open) return;
    this.#open = false;
    this.#goOn();
    if (error === undefined) this.#controller.close();
    else this.#controller.error(error);
  }
}
