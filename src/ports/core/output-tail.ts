/**
 * Owns the end of an output: its last bytes up to a bound, and how much was before them.
 * Untrusted: the bytes.
 */

export class OutputTail {
  readonly #limitBytes: number;
  #chunks: Buffer[] = [];
  #bytes = 0;
  #droppedBytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  add(chunk: Uint8Array): void {
    this.#chunks.push(Buffer.from(chunk));
    this.#bytes += chunk.byteLength;
    // Now and then, so that each byte is copied a bounded number of times.
    if (this.#bytes > 2 * this.#limitBytes || this.#chunks.length > 1024) this.#trim();
  }

  #trim(): void {
    const all = Buffer.concat(this.#chunks);
    const kept = all.subarray(Math.max(0, all.byteLength - this.#limitBytes));
    this.#droppedBytes += all.byteLength - kept.byteLength;
    this.#chunks = [Buffer.from(kept)];
    this.#bytes = kept.byteLength;
  }

  get droppedBytes(): number {
    if (this.#bytes > this.#limitBytes) this.#trim();
    return this.#droppedBytes;
  }

  get bytes(): Buffer {
    this.#trim();
    return this.#chunks[0] ?? Buffer.alloc(0);
  }

  get text(): string {
    const { bytes } = this;
    // The rest of a character whose begin was dropped is left out.
    let from = 0;
    while (this.#droppedBytes > 0 && from < 3 && (bytes[from]! & 0xc0) === 0x80) from++;
    return bytes.toString("utf8", from);
  }
}
