/**
 * Owns output that waits for somebody to read it: what a terminal shows, and the stdout and stderr of a
 * spawned program.
 *
 * Invariants: output is handed over in order and once to each who asked for it; what waits is bounded: from then on
 * the program is held back, or, where nobody has ever asked, its output is dropped and a later reader is told so.
 * Untrusted: the bytes.
 */
import { StringDecoder } from "node:string_decoder";
import { failure } from "./errors.js";

/** Output that waits for somebody to take it. */
const keptBytes = 1024 * 1024;
/** A longer line is handed over in pieces: a program must not decide what the host holds. */
const longestLineChars = 1024 * 1024;

/** Output of one stream on its way to whoever reads it. */
export class HeldOutput {
  readonly #chunks: Uint8Array[] = [];
  #bytes = 0;
  #droppedBytes = 0;
  #wanted: boolean;
  readonly #listeners = new Set<(data: Uint8Array) => void>();
  #wake: (() => void)[] = [];
  #room: (() => void)[] = [];
  /** Nothing is held back any more. */
  #released = false;
  #ended = false;
  #failure: unknown;

  /** `wanted`: somebody reads for certain, so that nothing is dropped. */
  constructor(wanted: boolean) {
    this.#wanted = wanted;
  }

  /** As an `OutputHook`. */
  push(chunk: Uint8Array): Promise<void> | undefined {
    if (this.#listeners.size > 0) {
      for (const listener of this.#listeners) listener(chunk);
      return undefined;
    }
    if (!this.#wanted && this.#bytes + chunk.byteLength > keptBytes) {
      this.#droppedBytes += chunk.byteLength;
      return undefined;
    }
    this.#chunks.push(chunk);
    this.#bytes += chunk.byteLength;
    this.#wakeAll();
    if (this.#bytes < keptBytes || this.#released || !this.#wanted) return undefined;
    return new Promise((resolve) => this.#room.push(resolve));
  }

  /** Somebody is going to read. */
  want(): void {
    this.#wanted = true;
  }

  /** The program is gone: what it wrote is on its way, and nobody has to wait for a reader. */
  release(): void {
    this.#released = true;
    this.#makeRoom();
  }

  /** No more comes; with an error when what came is not known to be all. */
  end(error?: unknown): void {
    if (this.#ended) return;
    this.release();
    this.#ended = true;
    this.#failure = error;
    this.#wakeAll();
  }

  listen(listener: (data: Uint8Array) => void): () => void {
    this.#wanted = true;
    this.#listeners.add(listener);
    for (let chunk = this.#take(); chunk !== undefined; chunk = this.#take()) listener(chunk);
    return () => void this.#listeners.delete(listener);
  }

  async *read(): AsyncGenerator<Uint8Array, void> {
    this.#wanted = true;
    for (;;) {
      const chunk = this.#take();
      if (chunk !== undefined) yield chunk;
      else if (this.#droppedBytes > 0)
        throw failure("OUTPUT_DROPPED", { kept: keptBytes, dropped: this.#droppedBytes });
      else if (this.#failure !== undefined) throw this.#failure;
      else if (this.#ended) return;
      else await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
  }

  #take(): Uint8Array | undefined {
    const chunk = this.#chunks.shift();
    if (chunk === undefined) return undefined;
    this.#bytes -= chunk.byteLength;
    if (this.#bytes < keptBytes) this.#makeRoom();
    return chunk;
  }

  #makeRoom(): void {
    for (const resolve of this.#room.splice(0)) resolve();
  }

  #wakeAll(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}

/**
 * One output stream of a spawned program: `for await (const chunk of proc.stdout)`. Every chunk goes to
 * one reader; each of the ways to read below is one. A reader that is slow holds the program back
 * once 1 MiB waits. Reading rejects with OUTPUT_DROPPED when nobody touched the stream until more than
 * that had come, and with the error of `wait()` when the program's outcome is not known.
 */
export class NodeRuntimeOutput implements AsyncIterable<Uint8Array> {
  readonly #held: HeldOutput;

  /** Made by `NodeRuntime.spawn`. */
  constructor(held: HeldOutput) {
    this.#held = held;
  }

  /** Chunks as they come, until the program has ended. */
  [Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void> {
    return this.#held.read();
  }

  /** Lines as UTF-8 without their ends, the last one also without one; those over 1 MiB characters in pieces. */
  async *lines(): AsyncGenerator<string, void> {
    const decoder = new StringDecoder("utf8");
    let rest = "";
    for await (const chunk of this.#held.read()) {
      const lines = (rest + decoder.write(chunk as Buffer)).split("\n");
      rest = lines.pop()!;
      for (const line of lines) yield line.endsWith("\r") ? line.slice(0, -1) : line;
      if (rest.length < longestLineChars) continue;
      yield rest;
      rest = "";
    }
    rest += decoder.end();
    if (rest !== "") yield rest;
  }

  /** All that is left, as bytes. Held in memory: give the program `limits.outputBytes` where it may be much. */
  async bytes(): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of this.#held.read()) chunks.push(chunk);
    return new Uint8Array(Buffer.concat(chunks));
  }

  /** All that is left, as UTF-8. */
  async text(): Promise<string> {
    return Buffer.from(await this.bytes()).toString("utf8");
  }
}
