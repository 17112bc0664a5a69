/**
 * Owns how bytes that need not be UTF-8 are text: names of files, arguments, variables. Valid UTF-8 is itself; any other
 * byte b is the lone surrogate U+DC00 + b, which no UTF-8 stands for.
 *
 * Invariants: `decodeText` gives each byte string a text of its own, and `encodeText` leads back; what has come through
 * `decodeText` is canonical, so two texts are the same name exactly where they are equal, also for rules that compare them.
 * Texts that are put together at a slash stay canonical, others go through `canonicalText`. A lone surrogate that stands for no
 * byte is U+FFFD, as for Node.
 */

const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const looseDecoder = new TextDecoder("utf-8", { ignoreBOM: true });
const encoder = new TextEncoder();
const { apply } = Reflect;
// Of ES2024, which every Node that runs this has.
const wellFormed = (String.prototype as unknown as { isWellFormed(): boolean }).isWellFormed;
const { byteLength } = Buffer;
const { toString: decode } = Buffer.prototype;
const utf16Decode = (bytes: Uint8Array): string => apply(decode, bytes, ["utf16le"]);

/** Whether it is all characters: UTF-8 has them as they are. */
export function isPlain(text: string): boolean {
  return apply(wellFormed, text, []);
}

/** Length of the valid UTF-8 sequence at `at`, or 0. Rejects surrogates and overlong forms. */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!;
  if (first < 0x80) return 1;
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || at + length > bytes.length) return 0;
  for (let i = 1; i < length; i++) if ((bytes[at + i]! & 0xc0) !== 0x80) return 0;
  const second = bytes[at + 1]!;
  if (first === 0xe0 && second < 0xa0) return 0;
  if (first === 0xed && second >= 0xa0) return 0;
  if (first === 0xf0 && second < 0x90) return 0;
  if (first === 0xf4 && second >= 0x90) return 0;
  return length;
}

/** The code point of a valid sequence. */
function codeAt(bytes: Uint8Array, at: number, length: number): number {
  const first = bytes[at]!;
  if (length === 1) return first;
  let code = first & (0xff >> (length + 1));
  for (let i = 1; i < length; i++) code = (code << 6) | (bytes[at + i]! & 0x3f);
  return code;
}

export function decodeText(bytes: Uint8Array): string {
  try {
    return strictDecoder.decode(bytes);
  } catch {
    // In one piece: a guest may send megabytes of them.
    const units = new Uint16Array(bytes.length);
    let count = 0;
    for (let at = 0; at < bytes.length;) {
      const length = sequenceLength(bytes, at);
      const code = length === 0 ? 0xdc00 + bytes[at]! : codeAt(bytes, at, length);
      at += length || 1;
      if (code > 0xffff) {
        units[count++] = 0xd7c0 + (code >> 10);
        units[count++] = 0xdc00 + (code & 0x3ff);
      } else units[count++] = code;
    }
    return utf16Decode(Buffer.from(units.buffer, 0, count * 2));
  }
}

export function encodeText(text: string): Uint8Array {
  if (isPlain(text)) return encoder.encode(text);
  const target = new Uint8Array(text.length * 3);
  let length = 0;
  /** Where the characters begin that are written at once. */
  let from = 0;
  const writePlain = (end: number): void => {
    if (from < end)
      length += encoder.encodeInto(text.slice(from, end), target.subarray(length)).written;
  };
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    const next = text.charCodeAt(at + 1);
    if (code >= 0xd800 && code <= 0xdbff && next >= 0xdc00 && next <= 0xdfff) at++;
    else if (code >= 0xdc80 && code <= 0xdcff) {
      writePlain(at);
      target[length++] = code - 0xdc00;
      from = at + 1;
    }
  }
  writePlain(text.length);
  return target.subarray(0, length);
}

/** How many bytes it is. */
export function textBytes(text: string): number {
  return isPlain(text) ? byteLength(text) : encodeText(text).byteLength;
}

/** The text that the bytes of `text` have once they lie together. */
export function canonicalText(text: string): string {
  return isPlain(text) ? text : decodeText(encodeText(text));
}

/** How Node shows the same bytes: U+FFFD for what is not UTF-8. */
export function plainText(text: string): string {
  return isPlain(text) ? text : looseDecoder.decode(encodeText(text));
}

/** `encodeText` as a Buffer. */
export function bufferOf(text: string): Buffer {
  const { buffer, byteOffset, byteLength: length } = encodeText(text);
  return Buffer.from(buffer as ArrayBuffer, byteOffset, length);
}
