/**
 * Owns bytes on their way from one end to the other: what a pipe, a direction of a
 * connection or a program's stdin holds.
 *
 * Invariants: at most `capacityBytes` are held; what they occupy is on the VM's account, but for
 * the reserve, which whoever made the buffer has paid; an empty buffer always takes a byte.
 * Small writes share memory: a guest that writes byte by byte costs no more than its bytes.
 * Untrusted: data and sizes.
 */
import type { Account } from "../machine/account.js";

/** The least memory asked for at a time. */
const segmentBytes = 1024;
/** A segment's objects. */
const segmentCost = 192;
/** Room that a buffer has whatever its VM holds already: its progress must not depend on others'. */
export const reserveBytes = 4096 + segmentCost;
/** Of the account's bytes, what all buffers may use: the rest is for what cannot wait. */
const share = 0.5;

interface Segment {
  readonly memory: Buffer;
  start: number;
  end: number;
}

export class ByteBuffer {
  readonly capacityBytes: number;
  length = 0;
  readonly #account: Account;
  readonly #forced: boolean;
  readonly #segments: Segment[] = [];
  /** What the segments occupy. */
  #held = 0;

  /** `forced`: nothing is refused for the account's sake, as the host sent it and bounds it. */
  constructor(capacityBytes: number, account: Account, forced = false) {
    this.capacityBytes = capacityBytes;
    this.#account = account;
    this.#forced = forced;
  }

  /** Takes what fits, as a copy; answers how much. */
  push(data: Uint8Array): number {
    const size = Math.min(data.byteLength, this.capacityBytes - this.length);
    if (size <= 0) return 0;
    let done = 0;
    const last = this.#segments.at(-1);
    if (last !== undefined && last.end < last.memory.length) {
      done = Math.min(size, last.memory.length - last.end);
      last.memory.set(data.subarray(0, done), last.end);
      last.end += done;
    }
    if (done < size) done += this.#append(data.subarray(done, size));
    this.length += done;
    return done;
  }

  #append(data: Uint8Array): number {
    let room = Math.max(data.byteLength, segmentBytes);
    if (!this.#hold(room + segmentCost)) {
      room = reserveBytes - this.#held - segmentCost;
      if (room <= 0) return 0;
      this.#hold(room + segmentCost);
    }
    const end = Math.min(room, data.byteLength);
    const memory = Buffer.allocUnsafeSlow(room);
    memory.set(data.subarray(0, end));
    this.#segments.push({ memory, start: 0, end });
    return end;
  }

  /** Counts memory; what goes beyond the reserve may be refused. */
  #hold(bytes: number): boolean {
    const beyond = Math.max(0, this.#held + bytes - reserveBytes);
    const change = beyond - Math.max(0, this.#held - reserveBytes);
    if (change > 0 && !this.#account.grow(change, share)) {
      if (!this.#forced) return false;
      this.#account.shrink(-change);
    }
    this.#held += bytes;
    return true;
  }

  #drop(): void {
    const bytes = this.#segments.shift()!.memory.length + segmentCost;
    const before = Math.max(0, this.#held - reserveBytes);
    this.#held -= bytes;
    const given = before - Math.max(0, this.#held - reserveBytes);
    if (given > 0) this.#account.shrink(given);
  }

  /** How many bytes from the front end with the first newline; all of them without one. */
  lineLength(): number {
    let length = 0;
    for (const { memory, start, end } of this.#segments) {
      const at = memory.subarray(start, end).indexOf(10);
      if (at >= 0) return length + at + 1;
      length += end - start;
    }
    return length;
  }

  /** Up to `maxBytes` from the front, which are gone from here then. */
  take(maxBytes: number): Uint8Array {
    const first = this.#segments[0];
    if (first === undefined || maxBytes <= 0) return new Uint8Array(0);
    if (this.#segments.length === 1 || first.end - first.start >= maxBytes) {
      const size = Math.min(maxBytes, first.end - first.start);
      const part = first.memory.subarray(first.start, first.start + size);
      this.#consume(first, size);
      return part;
    }
    const size = Math.min(maxBytes, this.length);
    const out = Buffer.allocUnsafeSlow(size);
    for (let at = 0; at < size;) {
      const segment = this.#segments[0]!;
      const count = segment.memory.copy(
        out,
        at,
        segment.start,
        Math.min(segment.end, segment.start + size - at),
      );
      this.#consume(segment, count);
      at += count;
    }
    return out;
  }

  #consume(segment: Segment, bytes: number): void {
    segment.start += bytes;
    this.length -= bytes;
    if (segment.start === segment.end) this.#drop();
  }

  /** Drops all of it. */
  clear(): void {
    while (this.#segments.length > 0) this.#drop();
    this.length = 0;
  }
}
