/**
 * Owns where the records of TLS end in the bytes of a stream, so that each can be given to the engine's
 * TLS by itself: C++ calls back for each, and ticks run behind each of its calls. Of records that are
 * given in one call from JavaScript they would run behind the last alone.
 *
 * What is no TLS is split somewhere, and is for the engine to refuse.
 */

/** RFC 8446, 5.1: the last two bytes of a record's header are the length of what follows it. */
const headerBytes = 5;
const lengthFrom = 3;

export class TlsRecords {
  /** Of the header that is coming. */
  #headerSeen = 0;
  /** What is to come behind the header, as far as that has said. */
  #left = 0;

  /** How many of `data` belong to the record under way: all, or up to its end. */
  take(data: Uint8Array): number {
    let at = 0;
    for (; at < data.length && this.#headerSeen < headerBytes; at++)
      if (this.#headerSeen++ >= lengthFrom) this.#left = this.#left * 256 + data[at]!;
    if (this.#headerSeen < headerBytes) return at;
    const part = Math.min(this.#left, data.length - at);
    this.#left -= part;
    if (this.#left === 0) this.#headerSeen = 0;
    return at + part;
  }
}
