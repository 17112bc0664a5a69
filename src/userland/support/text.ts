/**
 * Owns the step between JavaScript strings and byte strings, and the escapes the usual tools share. What is no UTF-8
 * survives it: see src/abi/byte-text.ts.
 */
import { bufferOf, decodeText, isPlain } from "../../abi/byte-text.js";

export function toBytes(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  return /[^\x00-\x7f]/.test(text) ? bufferOf(text).toString("latin1") : text;
}

export function fromBytes(byteString: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  return /[^\x00-\x7f]/.test(byteString)
    ? decodeText(Buffer.from(byteString, "latin1"))
    : byteString;
}

export function bytesOf(byteString: string): Buffer {
  return Buffer.from(byteString, "latin1");
}

export function byteString(data: Uint8Array): string {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("latin1");
}

export function compareBytes(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** As the C locale quotes a name in a message; bytes of no character are `$'\377'` between two parts of it. */
export function quoted(name: string): string {
  const text = `'${name.replaceAll("'", "'\\''")}'`;
  if (isPlain(name)) return text;
  const escaped = (bytes: string): string =>
    [...bytes].map((byte) => `\\${(byte.charCodeAt(0) - 0xdc00).toString(8)}`).join("");
  const parts = text.replace(/[\udc80-\udcff]+/gu, (bytes) => `'$'${escaped(bytes)}''`);
  return parts.replace(/''$/, "");
}

/** As tar lists a name: on one line, in characters that can be shown. */
export function listedName(name: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  return name.replace(/[\x00-\x1f\x7f\\\udc80-\udcff]/gu, (one) => {
    const code = one.charCodeAt(0);
    for (const [letter, value] of simpleEscapes)
      if (value === one && letter !== "e") return `\\${letter}`;
    return `\\${(code >= 0xdc80 ? code - 0xdc00 : code).toString(8).padStart(3, "0")}`;
  });
}

const simpleEscapes = new Map([
  ["a", "\x07"],
  ["b", "\b"],
  ["f", "\f"],
  ["n", "\n"],
  ["r", "\r"],
  ["t", "\t"],
  ["v", "\v"],
  ["\\", "\\"],
]);

/**
 * One escape of `text` behind the backslash at `at`: what it stands for and where it ends.
 * Unknown escapes answer undefined.
 */
export function readEscape(
  text: string,
  at: number,
  octalDigits = 3,
): { value: string; end: number } | undefined {
  const char = text[at + 1];
  if (char === undefined) return undefined;
  const simple = simpleEscapes.get(char);
  if (simple !== undefined) return { value: simple, end: at + 2 };
  if (char === "e") return { value: "\x1b", end: at + 2 };
  if (char >= "0" && char <= "7") {
    let end = at + 1;
    while (end < at + 1 + octalDigits && text[end]! >= "0" && text[end]! <= "7") end++;
    return { value: String.fromCharCode(parseInt(text.slice(at + 1, end), 8) & 255), end };
  }
  const match =
    char === "x"
      ? /^x([0-9a-fA-F]{1,2})/.exec(text.slice(at + 1, at + 4))
      : char === "u"
        ? /^u([0-9a-fA-F]{1,4})/.exec(text.slice(at + 1, at + 6))
        : char === "U"
          ? /^U([0-9a-fA-F]{1,8})/.exec(text.slice(at + 1, at + 10))
          : null;
  if (match === null) return undefined;
  const code = parseInt(match[1]!, 16);
  const value =
    char === "x"
      ? String.fromCharCode(code)
      : code > 0x10ffff
        ? ""
        : toBytes(String.fromCodePoint(code));
  return { value, end: at + 1 + match[0].length };
}

/** Sizes such as `10K`, `1MB`, `2GiB`; undefined when it is none. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+)(?:([bckKMGTPE])(B|iB)?)?$/.exec(text);
  if (match === null) return undefined;
  const count = Number(match[1]);
  if (match[2] === undefined || match[2] === "c") return count;
  if (match[2] === "b") return count * 512;
  const power = "KMGTPE".indexOf(match[2].toUpperCase()) + 1;
  return count * (match[3] === "B" ? 1000 : 1024) ** power;
}

/** 1.5K-style sizes, rounded up as ls, du and df do. */
export function humanSize(bytes: number, base = 1024): string {
  if (bytes < base) return String(bytes);
  let value = bytes;
  let unit = -1;
  do {
    value /= base;
    unit++;
  } while (value >= base && unit < 7);
  const letter = (base === 1000 ? "kMGTPEZY" : "KMGTPEZY")[unit]!;
  const tenths = Math.ceil(value * 10 - 1e-9);
  if (tenths < 100) return `${(tenths / 10).toFixed(1)}${letter}`;
  const whole = Math.ceil(value - 1e-9);
  return whole >= base && unit < 7 ? `1.0${"KMGTPEZY"[unit + 1]!}` : `${whole}${letter}`;
}
