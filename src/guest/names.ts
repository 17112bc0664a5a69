/**
 * Owns how names of files, arguments and variables pass between a program and the kernel, for which they are bytes: see
 * src/abi/byte-text.ts. A program has them as Node has: a string is UTF-8 on its way out, and U+FFFD stands for what is
 * none on its way in; only a Buffer is exact. Commands of the machine have the kernel's text itself, in which no byte is lost.
 *
 * This decides nothing: each name is judged as the kernel has it. Untrusted: the program's strings.
 */
import { decodeText, encodeText, isPlain, plainText } from "../abi/byte-text.js";
import type { StartOptions } from "../protocol/guest-calls.js";

const { from } = Buffer;
const { apply } = Reflect;
const { toString: decode } = Buffer.prototype;
const toWellFormed = (String.prototype as unknown as { toWellFormed(): string }).toWellFormed;

let isExact = false;

/** Whether the program takes and gives the kernel's text. */
export function useExactNames(on: boolean): void {
  isExact = on;
}

/** What the kernel is told of a program's string. */
export function toKernel(text: string): string {
  return isExact || isPlain(text) ? text : apply(toWellFormed, text, []);
}

/** The same of bytes. */
export function bytesToKernel(bytes: Uint8Array): string {
  return decodeText(bytes);
}

/** What a program is told. */
export function toProgram(text: string): string {
  return isExact ? text : plainText(text);
}

/** The same in the encoding that it asked for. */
export function encodedName(text: string, encoding: unknown): string | Buffer {
  if (encoding === undefined || encoding === null || encoding === "utf8" || encoding === "utf-8")
    return toProgram(text);
  const bytes = encodeText(text);
  const buffer = from(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength);
  return encoding === "buffer" ? buffer : apply(decode, buffer, [encoding as string]);
}

/** What a process is told of itself, as its program may have it: its own names as Node shows them, but to commands. */
export function startOptionsOf(json: string): StartOptions {
  const start = JSON.parse(json) as StartOptions;
  // Where JSON says a surrogate alone, it says so.
  if (!json.includes("\\udc") || start.mode === "command") return start;
  const env: Record<string, string> = {};
  for (const name in start.env) env[plainText(name)] = plainText(start.env[name]!);
  const argv = start.argv.map(plainText);
  return { ...start, argv, argv0: plainText(start.argv0), cwd: plainText(start.cwd), env };
}
