/**
 * Owns where the frames of a protocol end in the bytes of a stream, so that each can be given to the engine by
 * itself: C++ calls back for each, and ticks run behind each of its calls. Of frames that are given in one call
 * from JavaScript they would run behind the last alone.
 *
 * What is none of the protocol is split somewhere, and is for the engine to refuse.
 */

/** Where a protocol says how much follows the header of a frame. */
interface Layout {
  headerBytes: number;
  lengthFrom: number;
  lengthBytes: number;
  /** The first bytes of a stream may be this text instead of a header. */
  preface: string;
}

/** RFC 8446, 5.1: the last two bytes of a record's header are the length of what follows it. */
const tls: Layout = { headerBytes: 5, lengthFrom: 3, lengthBytes: 2, preface: "" };

/** RFC 9113, 3.4 and 4.1: a client begins with a text; a frame's header begins with the length of what follows it. */
const http2: Layout = {
  headerBytes: 9,
  lengthFrom: 0,
  lengthBytes: 3,
  preface: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
};

export class WireFrames {
  readonly #layout: Layout;
  /** Of the preface; all of it once something else has come. */
  #prefaceSeen = 0;
  /** Of the header that is coming. */
  #headerSeen = 0;
  /** What is to come behind the header, as far as that has said. */
  #left = 0;

  constructor(layout: Layout) {
    this.#layout = layout;
  }

  /** How many of `data` belong to the frame under way: all, or up to its end. */
  take(data: Uint8Array): number {
    const { headerBytes, lengthFrom, lengthBytes, preface } = this.#layout;
    let at = 0;
    while (at < data.length && this.#headerSeen < headerBytes) {
      if (this.#prefaceSeen < preface.length) {
        if (data[at] === preface.charCodeAt(this.#prefaceSeen)) {
          at++;
          if (++this.#prefaceSeen === preface.length) return at;
          continue;
        }
        this.#prefaceSeen = preface.length;
      }
      const place = this.#headerSeen++ - lengthFrom;
      if (place >= 0 && place < lengthBytes) this.#left = this.#left * 256 + data[at]!;
      at++;
    }
    if (this.#headerSeen < headerBytes) return at;
    const part = Math.min(this.#left, data.length - at);
    this.#left -= part;
    if (this.#left === 0) this.#headerSeen = 0;
    return at + part;
  }
}

export const tlsRecords = (): WireFrames => new WireFrames(tls);
export const http2Frames = (): WireFrames => new WireFrames(http2);
