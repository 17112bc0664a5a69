/**
 * Owns the view of a byte string as characters. In a UTF-8 locale a character is a sequence of one
 * to four bytes; a byte that belongs to none is a character of its own and passes through unchanged.
 * In any other locale every byte is one. The locale is the environment's, read once per command.
 */
import { isUtf8 } from "node:buffer";

let multibyte = false;

/** The variables that decide, as setlocale(3) reads them: the first that is not empty. */
export function setLocale(env: Record<string, string | undefined>): void {
  const name = env["LC_ALL"] || env["LC_CTYPE"] || env["LANG"] || "C";
  multibyte = /\butf-?8\b/i.test(name);
  lastDecoded = undefined;
}

export function isMultibyte(): boolean {
  return multibyte;
}

// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const beyondAscii = /[^\x00-\x7f]/;

/** Whether characters and bytes differ in this text. */
export function hasWide(byteString: string): boolean {
  return multibyte && beyondAscii.test(byteString);
}

/**
 * How many bytes the character at `at` has, by the rules of RFC 3629: overlong forms, surrogates and
 * code points beyond U+10FFFF are no characters. 1 for a byte that is none, and 0 at the end.
 */
export function sizeAt(text: string, at: number): number {
  const lead = text.charCodeAt(at);
  if (lead < 0x80) return 1;
  if (Number.isNaN(lead)) return 0;
  if (!multibyte || lead < 0xc2 || lead > 0xf4) return 1;
  const size = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  for (let next = 1; next < size; next++) {
    const code = text.charCodeAt(at + next);
    if (!(code >= 0x80 && code <= 0xbf)) return 1;
  }
  const second = text.charCodeAt(at + 1);
  if (lead === 0xe0 && second < 0xa0) return 1;
  if (lead === 0xed && second > 0x9f) return 1;
  if (lead === 0xf0 && second < 0x90) return 1;
  if (lead === 0xf4 && second > 0x8f) return 1;
  return size;
}

/** How much of the text is there for sure: all but the beginning of a character at its end. */
export function wholeCharacters(text: string): number {
  if (!multibyte) return text.length;
  for (let back = 1; back <= Math.min(3, text.length); back++) {
    const code = text.charCodeAt(text.length - back);
    if (code < 0x80) break;
    if (code < 0xc2) continue;
    const size = code < 0xe0 ? 2 : code < 0xf0 ? 3 : code < 0xf5 ? 4 : 1;
    return size > back ? text.length - back : text.length;
  }
  return text.length;
}

/** Whether the text holds a byte that belongs to no character. */
export function isInvalid(text: string): boolean {
  return hasWide(text) && !isUtf8(Buffer.from(text, "latin1"));
}

/** The characters, each as its bytes. */
export function charactersOf(text: string): string[] {
  if (!hasWide(text)) return text.split("");
  const characters: string[] = [];
  for (let at = 0; at < text.length;) {
    const size = sizeAt(text, at);
    characters.push(text.slice(at, at + size));
    at += size;
  }
  return characters;
}

export function characterCount(text: string): number {
  if (!hasWide(text)) return text.length;
  let count = 0;
  for (let at = 0; at < text.length; at += sizeAt(text, at)) count++;
  return count;
}

/** The byte offset of character number `index`, at most the text's length. */
function offsetOf(text: string, index: number, from = 0): number {
  if (!hasWide(text)) return Math.min(from + index, text.length);
  let at = from;
  for (let left = index; left > 0 && at < text.length; left--) at += sizeAt(text, at);
  return at;
}

/** As String.prototype.slice for positions that are not negative, by characters. */
export function sliceCharacters(text: string, from: number, to = Infinity): string {
  if (!hasWide(text)) return text.slice(from, to === Infinity ? undefined : to);
  const start = offsetOf(text, from);
  return to === Infinity ? text.slice(start) : text.slice(start, offsetOf(text, to - from, start));
}

/** What a byte that is no character becomes in decoded text: a surrogate that has no partner. */
const strayBase = 0xdc00;

/** JavaScript text: characters as they are, stray bytes as U+DC80 to U+DCFF. */
export function decode(byteString: string): string {
  if (!beyondAscii.test(byteString)) return byteString;
  const bytes = Buffer.from(byteString, "latin1");
  if (isUtf8(bytes)) return bytes.toString("utf8");
  let text = "";
  for (let at = 0; at < byteString.length;) {
    const size = sizeAt(byteString, at);
    const code = byteString.charCodeAt(at);
    if (size === 1) text += String.fromCharCode(code < 0x80 ? code : strayBase + code);
    else text += bytes.toString("utf8", at, at + size);
    at += size;
  }
  return text;
}

/** The reverse of `decode`. */
export function encode(text: string): string {
  if (!beyondAscii.test(text)) return text;
  if (!/\p{Surrogate}/u.test(text)) return Buffer.from(text, "utf8").toString("latin1");
  let bytes = "";
  for (const char of text) {
    const code = char.codePointAt(0)!;
    bytes +=
      code >= strayBase + 0x80 && code <= strayBase + 0xff
        ? String.fromCharCode(code - strayBase)
        : Buffer.from(char, "utf8").toString("latin1");
  }
  return bytes;
}

/** Decoded text, and how positions in it and in the bytes belong together. */
export interface Decoded {
  bytes: string;
  text: string;
  /** By position in `text`; has an entry for its end. */
  toByte: Uint32Array;
  /** By byte; has an entry for the end. */
  fromByte: Uint32Array;
}

let lastDecoded: Decoded | undefined;

/** The last answer is kept: a line is usually searched more than once. */
export function decodeWithPositions(byteString: string): Decoded {
  if (lastDecoded?.bytes === byteString) return lastDecoded;
  const text = decode(byteString);
  const toByte = new Uint32Array(text.length + 1);
  const fromByte = new Uint32Array(byteString.length + 1);
  let byte = 0;
  for (let at = 0; at < text.length;) {
    const code = text.codePointAt(at)!;
    const stray = code >= strayBase && code <= strayBase + 0xff;
    const size = stray || code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (let next = 0; next < size; next++) fromByte[byte + next] = at;
    const units = code > 0xffff ? 2 : 1;
    for (let next = 0; next < units; next++) toByte[at + next] = byte;
    byte += size;
    at += units;
  }
  toByte[text.length] = byte;
  fromByte[byteString.length] = text.length;
  lastDecoded = { bytes: byteString, text, toByte, fromByte };
  return lastDecoded;
}

/** As towupper(3): one character becomes one, or stays. */
function mapped(text: string, map: (char: string) => string): string {
  let output = "";
  for (const char of text) {
    const other = map(char);
    const single = other.length === 1 || (other.length === 2 && other.codePointAt(0)! > 0xffff);
    output += single ? other : char;
  }
  return output;
}

export function upperCase(text: string): string {
  if (!hasWide(text)) return text.replace(/[a-z]+/g, (part) => part.toUpperCase());
  return encode(mapped(decode(text), (char) => char.toUpperCase()));
}

export function lowerCase(text: string): string {
  if (!hasWide(text)) return text.replace(/[A-Z]+/g, (part) => part.toLowerCase());
  return encode(mapped(decode(text), (char) => char.toLowerCase()));
}

/** Marks that take no column: combining ones, and formats that show nothing. */
const zeroWidth = /[\p{Mn}\p{Me}\u200b-\u200f\u202a-\u202e\u2060-\u2064\u1160-\u11ff\ufeff]/u;

/** Unicode's East Asian Width W and F, as ranges of code points (UAX #11), emoji included. */
const doubleWidth: readonly [from: number, to: number][] = [
  [0x1100, 0x115f],
  [0x231a, 0x231b],
  [0x2329, 0x232a],
  [0x23e9, 0x23ec],
  [0x23f0, 0x23f0],
  [0x23f3, 0x23f3],
  [0x25fd, 0x25fe],
  [0x2614, 0x2615],
  [0x2648, 0x2653],
  [0x267f, 0x267f],
  [0x2693, 0x2693],
  [0x26a1, 0x26a1],
  [0x26aa, 0x26ab],
  [0x26bd, 0x26be],
  [0x26c4, 0x26c5],
  [0x26ce, 0x26ce],
  [0x26d4, 0x26d4],
  [0x26ea, 0x26ea],
  [0x26f2, 0x26f3],
  [0x26f5, 0x26f5],
  [0x26fa, 0x26fa],
  [0x26fd, 0x26fd],
  [0x2705, 0x2705],
  [0x270a, 0x270b],
  [0x2728, 0x2728],
  [0x274c, 0x274c],
  [0x274e, 0x274e],
  [0x2753, 0x2755],
  [0x2757, 0x2757],
  [0x2795, 0x2797],
  [0x27b0, 0x27b0],
  [0x27bf, 0x27bf],
  [0x2b1b, 0x2b1c],
  [0x2b50, 0x2b50],
  [0x2b55, 0x2b55],
  [0x2e80, 0x303e],
  [0x3041, 0x33ff],
  [0x3400, 0x4dbf],
  [0x4e00, 0x9fff],
  [0xa000, 0xa4cf],
  [0xa960, 0xa97f],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe10, 0xfe19],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x16fe0, 0x18aff],
  [0x1b000, 0x1b2ff],
  [0x1f004, 0x1f004],
  [0x1f0cf, 0x1f0cf],
  [0x1f18e, 0x1f18e],
  [0x1f191, 0x1f19a],
  [0x1f200, 0x1f320],
  [0x1f32d, 0x1f335],
  [0x1f337, 0x1f37c],
  [0x1f37e, 0x1f393],
  [0x1f3a0, 0x1f3ca],
  [0x1f3cf, 0x1f3d3],
  [0x1f3e0, 0x1f3f0],
  [0x1f3f4, 0x1f3f4],
  [0x1f3f8, 0x1f43e],
  [0x1f440, 0x1f440],
  [0x1f442, 0x1f4fc],
  [0x1f4ff, 0x1f53d],
  [0x1f54b, 0x1f54e],
  [0x1f550, 0x1f567],
  [0x1f57a, 0x1f57a],
  [0x1f595, 0x1f596],
  [0x1f5a4, 0x1f5a4],
  [0x1f5fb, 0x1f64f],
  [0x1f680, 0x1f6c5],
  [0x1f6cc, 0x1f6cc],
  [0x1f6d0, 0x1f6d2],
  [0x1f6d5, 0x1f6d7],
  [0x1f6dc, 0x1f6df],
  [0x1f6eb, 0x1f6ec],
  [0x1f6f4, 0x1f6fc],
  [0x1f7e0, 0x1f7eb],
  [0x1f7f0, 0x1f7f0],
  [0x1f90c, 0x1f93a],
  [0x1f93c, 0x1f945],
  [0x1f947, 0x1f9ff],
  [0x1fa70, 0x1faff],
  [0x20000, 0x2fffd],
  [0x30000, 0x3fffd],
];

/** Columns of one character given as its bytes, as wcwidth(3): 0 for what is not printed. */
export function columnsOf(character: string): number {
  const code = character.charCodeAt(0);
  if (character.length === 1 && code < 0x80) return code >= 32 && code !== 127 ? 1 : 0;
  // A stray byte is one column in no locale, but it has to show somehow.
  if (character.length === 1) return 1;
  const text = decode(character);
  if (/[\u0080-\u009f]/.test(text) || zeroWidth.test(text)) return 0;
  const point = text.codePointAt(0)!;
  let [low, high] = [0, doubleWidth.length - 1];
  while (low <= high) {
    const middle = (low + high) >> 1;
    const [from, to] = doubleWidth[middle]!;
    if (point < from) high = middle - 1;
    else if (point > to) low = middle + 1;
    else return 2;
  }
  return 1;
}

export function textColumns(text: string): number {
  if (!hasWide(text)) return text.length;
  return charactersOf(text).reduce((sum, character) => sum + columnsOf(character), 0);
}

/** Blanks between words beyond ASCII: Unicode's spaces but for those that do not break. */
export const wideSpace = /^[\u1680\u2000-\u2006\u2008-\u200a\u2028\u2029\u205f\u3000]$/;
