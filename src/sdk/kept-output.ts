/**
 * Owns the output that is kept for a result: at most so many bytes, as text.
 *
 * Invariants: the text is what `Buffer#toString("utf8")` makes of the kept bytes in
 * one piece; no call decodes more than a part, the chunk it was given, and the rest of the part before.
 * Most output is shorter than a part, and decoded once.
 * Untrusted: the bytes.
 */

import { decodableBytes, partBytes } from "./in-parts.js";

export interface CapturedOutput {
  text: string;
  truncated: boolean;
}

export class KeptOutput {
  readonly #limitBytes: number;
  #bytes = 0;
  #truncated = false;
  #text = "";
  #part: Uint8Array[] = [];
  #partBytes = 0;

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
    // A character may reach into the next part. `TextDecoder`, which would see to that, takes four times as long.
    const decoded = this.#takePart();
    const end = decodableBytes(decoded);
    this.#text += decoded.toString("utf8", 0, end);
    if (end === decoded.length) return;
    this.#part.push(Buffer.from(decoded.subarray(end)));
    this.#partBytes = decoded.length - end;
  }

  #takePart(): Buffer {
    const part = Buffer.concat(this.#part, this.#partBytes);
    this.#part = [];
    this.#partBytes = 0;
    return part;
  }

  /** What was kept since the last `take`. */
  take(): CapturedOutput {
    const text = this.#text + this.#takePart().toString("utf8");
    const taken = { text, truncated: this.#truncated };
    this.#text = "";
    this.#bytes = 0;
    this.#truncated = false;
    return taken;
  }
}
