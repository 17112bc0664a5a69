/**
 * Owns how bytes of a guest's, of any length, become one array or one text: part by part, so that the
 * host's event loop goes round meanwhile.
 *
 * Invariants: the text is what `Buffer#toString("utf8")` makes of all bytes in one piece; no step decodes
 * or copies more than a part and what a character takes.
 * Untrusted: the bytes.
 */
import { inSteps } from "./steps.js";
import type { Steps } from "./steps.js";

/** What is decoded or copied between two looks at the time. */
export const partBytes = 64 * 1024;

const asBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/**
 * How many of the first bytes can be decoded for themselves: all but a character at the end that may go on.
 * In front of a byte that begins a character, UTF-8 can be cut wherever that stands, also among invalid bytes.
 */
export function decodableBytes(bytes: Uint8Array): number {
  const { length } = bytes;
  for (let back = 1; back <= 3 && back <= length; back++) {
    const byte = bytes[length - back]!;
    if (byte < 0x80) return length;
    if (byte < 0xc0) continue;
    const needed = byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
    return back < needed ? length - back : length;
  }
  return length;
}

function* decoding(bytes: Buffer): Steps<string> {
  let text = "";
  for (let at = 0; at < bytes.length;) {
    const part = bytes.subarray(at, at + partBytes);
    const end = at + part.length === bytes.length ? part.length : decodableBytes(part);
    text += part.toString("utf8", 0, end);
    at += end;
    yield;
  }
  return text;
}

/** `bytes` as UTF-8. */
export const textOf = (bytes: Uint8Array): Promise<string> => inSteps(decoding(asBuffer(bytes)));

function* joining(parts: readonly Uint8Array[]): Steps<Uint8Array> {
  const joined = new Uint8Array(parts.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let to = 0;
  for (const part of parts)
    for (let at = 0; at < part.byteLength; at += partBytes) {
      const piece = part.subarray(at, at + partBytes);
      joined.set(piece, to);
      to += piece.byteLength;
      yield;
    }
  return joined;
}

/** `parts` one behind the other, in memory of their own. */
export const bytesOfParts = (parts: readonly Uint8Array[]): Promise<Uint8Array> =>
  inSteps(joining(parts));
