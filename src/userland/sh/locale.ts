/**
 * Owns what a character is: a code point in a UTF-8 locale, a byte where LC_ALL,
 * LC_CTYPE or LANG say C or POSIX. Without any of them the locale is UTF-8. For work
 * on bytes a text becomes one in which every byte beyond ASCII is a lone surrogate,
 * the way in which shell text holds bytes that are no characters (text.ts).
 */
import type { Environment } from "./environment.js";
import { decodeText, encodeText } from "./text.js";

export function isByteLocale({ variables }: Environment): boolean {
  const name =
    variables.value("LC_ALL") || variables.value("LC_CTYPE") || variables.value("LANG") || "";
  return name === "C" || name === "POSIX";
}

const ascii = /^\p{ASCII}*$/u;

export function toBytes(text: string): string {
  if (ascii.test(text)) return text;
  let result = "";
  for (const byte of encodeText(text)) {
    result += String.fromCharCode(byte < 0x80 ? byte : 0xdc00 + byte);
  }
  return result;
}

/** Bytes that make characters become them again. */
export function fromBytes(text: string): string {
  return ascii.test(text) ? text : decodeText(encodeText(text));
}

/** Works on the text's characters, whatever they are here. */
export function inLocale(env: Environment, text: string, work: (local: string) => string): string {
  if (ascii.test(text) || !isByteLocale(env)) return work(text);
  return fromBytes(work(toBytes(text)));
}

/** Characters, not UTF-16 units. */
export function textLength(env: Environment, text: string): number {
  if (ascii.test(text)) return text.length;
  if (isByteLocale(env)) return encodeText(text).length;
  return /[\ud800-\udbff]/.test(text) ? Array.from(text).length : text.length;
}
