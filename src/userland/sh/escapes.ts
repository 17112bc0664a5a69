/**
 * Backslash escapes of `$'…'`, `echo`, `printf` formats and `%b`: one table,
 * three dialects. A number is a byte, text is itself.
 */

import { textOfBytes } from "./text.js";

export interface Escape {
  readonly value: string | number;
  /** Where the text goes on. */
  readonly end: number;
}

const letters: Readonly<Record<string, number>> = {
  a: 7,
  b: 8,
  f: 12,
  n: 10,
  r: 13,
  t: 9,
  v: 11,
  "\\": 92,
};

function digits(text: string, at: number, expression: RegExp): string {
  return expression.exec(text.slice(at, at + 8))?.[0] ?? "";
}

function simple(text: string, at: number): Escape | undefined {
  const code = letters[text[at] ?? ""];
  return code === undefined ? undefined : { value: String.fromCharCode(code), end: at + 1 };
}

function octal(text: string, at: number, expression: RegExp): Escape | undefined {
  const found = digits(text, at, expression);
  if (found === "") return undefined;
  return { value: Number.parseInt(found, 8) & 0xff, end: at + found.length };
}

function hexOrUnicode(text: string, at: number): Escape | undefined {
  const kind = text[at];
  const width = kind === "x" ? 2 : kind === "u" ? 4 : kind === "U" ? 8 : 0;
  if (width === 0) return undefined;
  const found = digits(text, at + 1, new RegExp(`^[0-9A-Fa-f]{1,${width}}`));
  if (found === "") return undefined;
  const code = Number.parseInt(found, 16);
  const end = at + 1 + found.length;
  if (kind === "x") return { value: code, end };
  const valid = code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
  return { value: valid ? String.fromCodePoint(code) : "\ufffd", end };
}

/** `at` is behind the backslash; `undefined` when it is no escape. */
export function ansiCEscape(text: string, at: number): Escape | undefined {
  const character = text[at] ?? "";
  if (character === "e" || character === "E") return { value: "\x1b", end: at + 1 };
  if (character !== "" && "'\"?".includes(character)) return { value: character, end: at + 1 };
  if (character === "c" && at + 1 < text.length) {
    return { value: String.fromCharCode(text.charCodeAt(at + 1) & 0x1f), end: at + 2 };
  }
  return simple(text, at) ?? octal(text, at, /^[0-7]{1,3}/) ?? hexOrUnicode(text, at);
}

/** Of a `printf` format: octal has up to three digits. */
export function formatEscape(text: string, at: number, bash: boolean): Escape | undefined {
  const character = text[at] ?? "";
  if (character === "e" || (bash && character === "E")) return { value: "\x1b", end: at + 1 };
  if (bash && character === '"') return { value: '"', end: at + 1 };
  const known = simple(text, at) ?? octal(text, at, /^[0-7]{1,3}/);
  return known ?? (bash ? hexOrUnicode(text, at) : undefined);
}

/** Of `echo` and `%b`: octal is `\0` and up to three digits; `"stop"` is `\c`. */
export function echoEscape(
  text: string,
  at: number,
  bash: boolean,
  isConversion = false,
): Escape | "stop" | undefined {
  const character = text[at] ?? "";
  if (character === "c") return "stop";
  if (character === "0") {
    const found = digits(text, at, /^0[0-7]{0,3}/);
    return { value: Number.parseInt(found, 8) & 0xff, end: at + found.length };
  }
  if (character === "e" || (bash && character === "E")) return { value: "\x1b", end: at + 1 };
  if (isConversion) {
    if (character !== "" && "'\"?".includes(character)) return { value: character, end: at + 1 };
    const number = octal(text, at, /^[0-7]{1,3}/);
    if (number !== undefined) return number;
  }
  return simple(text, at) ?? (bash ? hexOrUnicode(text, at) : undefined);
}

/** `text` with what `escapeAt` finds behind its backslashes in place, and whether one of them cut it off. */
export function unescaped(
  text: string,
  escapeAt: (at: number) => Escape | "stop" | undefined,
): { text: string; stopped: boolean } {
  let result = "";
  let bytes: number[] = [];
  const flush = (): void => {
    if (bytes.length > 0) result += textOfBytes(bytes);
    bytes = [];
  };
  for (let at = 0; at < text.length;) {
    const escape = text[at] === "\\" ? escapeAt(at + 1) : undefined;
    if (escape === "stop") {
      flush();
      return { text: result, stopped: true };
    }
    if (escape !== undefined && typeof escape.value === "number") bytes.push(escape.value);
    else {
      flush();
      result += escape === undefined ? text[at] : escape.value;
    }
    at = escape === undefined ? at + 1 : escape.end;
  }
  flush();
  return { text: result, stopped: false };
}
