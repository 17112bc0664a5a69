/**
 * Owns the output that is kept for a result: at most so many bytes, as text.
 *
 * Invariants: the text is what `Buffer#toString("utf8")` makes of the kept bytes in
 * one piece; no call decodes more than a part, the chunk it was given, and the rest of the part before.
 * Untrusted: the bytes.
 */

export interface CapturedOutput {
  text: string;
  truncated: boolean;
}

type Decoder = InstanceType<typeof TextDecoder>;

/** Bytes that wait to be decoded together. Most output is shorter, and decoded once. */
const partBytes = 64 * 1024;

export class KeptOutput {
  readonly #limitBytes: number;
  #bytes = 0;
  #truncated = false;
  #text = "";
  #part: Uint8Array[] = [];
  #partBytes = 0;
  #decoder: Decoder | undefined;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** Copies what of `chunk` there is room for. */
  add(chunk: Uint8Array): void {
    const room = this.#limitBytes - this.#bytes;
    if (chunk.byteLength > room) this.#truncated = true;
    if (room === 0) return;
    const copy = new Uint8Array(chunk.subarray(0, room));
    this.#bytes += copy.byteLength;
    this.#part.push(copy);
    this.#partBytes += copy.byteLength;
    if (this.#partBytes < partBytes) return;
    // A character may reach into the next part.
    this.#decoder ??= new TextDecoder("utf-8", { ignoreBOM: true });
    this.#text += this.#decoder.decode(this.#takePart(), { stream: true });
  }

  #takePart(): Buffer {
    const part = Buffer.concat(this.#part, this.#partBytes);
    this.#part = [];
    this.#partBytes = 0;
    return part;
  }

  /** What was kept since the last `take`. */
  take(): CapturedOutput {
    const rest = this.#takePart();
    const text =
      this.#decoder === undefined ? rest.toString("utf8") : this.#text + this.#decoder.decode(rest);
    const taken = { text, truncated: this.#truncated };
    this.#text = "";
    this.#decoder = undefined;
    this.#bytes = 0;
    this.#truncated = false;
    return taken;
  }
}
