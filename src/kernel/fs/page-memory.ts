/**
 * Owns the memory of whole pages of files: where it comes from, and where it goes at once when its file has no use for it.
 *
 * To leave it to the collector of garbage is dear: what lies outside the heap counts, so a program that writes a large file again and
 * again would have the kernel's heap marked over and over, and each page of it would be taken from the OS anew.
 *
 * Invariants: a page that is given back is moved, so whatever view somebody still has is empty from then on and never shows
 * another file's bytes; nothing is kept for longer than ten seconds without use. A page holds anything: who takes it fills or clears
 * all of it.
 */
import { move } from "../../protocol/spare-buffer.js";

export const PAGE_BYTES = 65_536;

/** 128 MiB. */
const mostKept = 2048;
const keptMs = 5000;

const kept: ArrayBuffer[] = [];
let timer: NodeJS.Timeout | undefined;
let used = false;

/** Gives back what nobody has asked for since the last look. */
function look(): void {
  if (!used)
    for (let memory = kept.pop(); memory !== undefined; memory = kept.pop()) move(memory, 0);
  used = false;
  timer = undefined;
  if (kept.length > 0) looksLater();
}

function looksLater(): void {
  timer ??= setTimeout(look, keptMs).unref();
}

/** Memory with whatever was in it. */
export function takePage(bytes: number): Uint8Array {
  const memory = bytes === PAGE_BYTES ? kept.pop() : undefined;
  used ||= memory !== undefined;
  return new Uint8Array(memory ?? Buffer.allocUnsafeSlow(bytes).buffer, 0, bytes);
}

/** Nobody needs the page any more, which was taken here. Smaller ones are the collector's. */
export function givePage({ buffer, byteLength }: Uint8Array): void {
  if (byteLength < PAGE_BYTES) return;
  if (kept.length >= mostKept) return void move(buffer, 0);
  const memory = move(buffer);
  if (memory === undefined) return;
  kept.push(memory);
  looksLater();
}
