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
import { bytesOfParts, textOf } from "./in-parts.js";
import { Breath } from "./steps.js";

/** Output that waits for somebody to take it. */
const keptBytes = 1024 * 1024;
/** A longer line is handed over in pieces: a program must not decide what the host holds. */
const longestLineChars = 1024 * 1024;

/** Shorter chunks that wait are put together: each costs more than its bytes. */
const smallBytes = 4096;
const joinedBytes = 64 * 1024;
/** Line ends that are looked for, or chunks handed over, before the time is looked at. */
const linesPerLook = 256;
/** Parts of a line that are kept as they came. */
const mostLineParts = 1024;

/** Output of one stream on its way to whoever reads it. */
export class HeldOutput {
  readonly #chunks: Uint8Array[] = [];
  /** What the last of these lies in, when it has room for more. */
  #joined: Buffer | undefined;
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
    this.#keep(chunk);
    this.#bytes += chunk.byteLength;
    this.#wakeAll();
    if (this.#bytes < keptBytes || this.#released || !this.#wanted) return undefined;
    return new Promise((resolve) => this.#room.push(resolve));
  }

  /** Small chunks that nobody has taken yet go together, in pieces that are twice as long each time. */
  #keep(chunk: Uint8Array): void {
    const last = this.#chunks.at(-1);
    if (last === undefined || chunk.byteLength >= smallBytes) {
      this.#joined = undefined;
      this.#chunks.push(chunk);
      return;
    }
    const size = last.byteLength + chunk.byteLength;
    if (this.#joined === undefined || size > this.#joined.byteLength) {
      if (size > joinedBytes || last.byteLength >= joinedBytes / 2) {
        this.#joined = undefined;
        this.#chunks.push(chunk);
        return;
      }
      const grown = Buffer.allocUnsafeSlow(Math.min(joinedBytes, Math.max(256, size * 2)));
      grown.set(last);
      this.#joined = grown;
    }
    this.#joined.set(chunk, last.byteLength);
    this.#chunks[this.#chunks.length - 1] = this.#joined.subarray(0, size);
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
    const breath = new Breath();
    for (;;) {
      const chunk = this.#take();
      if (chunk !== undefined) {
        yield chunk;
        await breath.take();
      } else if (this.#droppedBytes > 0)
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
    if (this.#chunks.length === 0) this.#joined = undefined;
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
 * One output stream of a spawned program. Every chunk goes to one reader; each of the ways to read below is one. A
 * reader that is slow holds the program back once 1 MiB waits.
 * @throws {OUTPUT_DROPPED} from reading, when nobody touched the stream until more than 1 MiB had come.
 * @throws {KERNEL_LOST|OUTCOME_UNKNOWN} from reading, and the other errors of `wait()`, when the program's outcome
 * is not known.
 * @example
 * for await (const chunk of proc.stdout) show(chunk);
 */
export class NodeRuntimeOutput implements AsyncIterable<Uint8Array> {
  readonly #held: HeldOutput;

  /** Made by `NodeRuntime.spawn`. */
  constructor(held: HeldOutput) {
    this.#held = held;
  }

  /**
   * Chunks as they come, until the program has ended.
   * @throws {OUTPUT_DROPPED|KERNEL_LOST|OUTCOME_UNKNOWN} as the class says.
   */
  [Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void> {
    return this.#held.read();
  }

  /**
   * Lines as UTF-8 without their ends, the last one also without one; those over 1 MiB characters in pieces.
   * @throws {OUTPUT_DROPPED|KERNEL_LOST|OUTCOME_UNKNOWN} as the class says.
   */
  async *lines(): AsyncGenerator<string, void> {
    const decoder = new StringDecoder("utf8");
    const breath = new Breath();
    // Of the line that has begun; parts that come one by one are not put together each time.
    let parts: string[] = [];
    let chars = 0;
    let looked = 0;
    const begun = (): string => {
      const text = parts.length === 1 ? parts[0]! : parts.join("");
      parts = [];
      chars = 0;
      return text;
    };
    for await (const chunk of this.#held.read()) {
      const text = decoder.write(chunk as Buffer);
      let at = 0;
      for (let end = text.indexOf("\n"); end !== -1; end = text.indexOf("\n", at)) {
        parts.push(text.slice(at, end));
        at = end + 1;
        const line = begun();
        yield line.endsWith("\r") ? line.slice(0, -1) : line;
        if (++looked % linesPerLook === 0) await breath.take();
      }
      if (at === text.length) continue;
      parts.push(at === 0 ? text : text.slice(at));
      chars += text.length - at;
      if (chars >= longestLineChars) yield begun();
      else if (parts.length === mostLineParts) parts = [parts.join("")];
    }
    parts.push(decoder.end());
    const last = begun();
    if (last !== "") yield last;
  }

  /**
   * All that is left, as bytes. Held in memory: give the program `limits.outputBytes` where it may be much.
   * @throws {OUTPUT_DROPPED|KERNEL_LOST|OUTCOME_UNKNOWN} as the class says.
   */
  async bytes(): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of this.#held.read()) chunks.push(chunk);
    return bytesOfParts(chunks);
  }

  /**
   * All that is left, as UTF-8.
   * @throws {OUTPUT_DROPPED|KERNEL_LOST|OUTCOME_UNKNOWN} as the class says.
   */
  async text(): Promise<string> {
    return textOf(await this.bytes());
  }
}
