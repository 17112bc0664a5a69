/**
 * Owns framing: `u32 length | u8 kind | u32 id | u16 number | payload`, where
 * length counts everything after itself. One format serves the guest's socket
 * and the SDK's, each with its own table of numbers.
 *
 * Invariant: `FrameReader` rejects an announced length before it buffers for it.
 * Untrusted: every byte given to `FrameReader.push`.
 */
import { Encoder, MalformedMessage, wireLimits } from "./codec.js";
import type { Message, Schema } from "./codec.js";
import { giveBuffer, takeBuffer } from "./spare-buffer.js";

export const FrameKind = Object.freeze({
  /** Asks for exactly one `reply` or `failure` with the same id. */
  call: 1,
  reply: 2,
  /** Payload: `guestFailure` on the guest's socket, a JSON error on the SDK's. */
  failure: 3,
  /** One-way; id is 0. */
  event: 4,
} as const);

export const frameHeaderBytes = 11;

/** A failed system call: the positive errno, and the whole text of the error where the errno's own does not say enough. */
export const guestFailure = { errno: "i32", message: "string" } as const;

export interface Frame {
  kind: number;
  id: number;
  number: number;
  /** A view of the reader's memory. */
  payload: Buffer;
  /** Set by a handler that kept no view of the payload: its memory is used again. */
  released?: boolean;
}

/** Takes one frame; false when no further one may come before `FrameReader.next`. */
export type TakeFrame = (frame: Frame) => boolean | void;

export function encodeFrame<S extends Schema>(
  kind: number,
  id: number,
  number: number,
  schema: S,
  value: Message<S>,
): Buffer {
  const encoder = new Encoder(frameHeaderBytes + 64);
  encoder.u32(0);
  encoder.u8(kind);
  encoder.u32(id);
  encoder.u8(number & 0xff);
  encoder.u8(number >>> 8);
  encoder.message(schema, value);
  if (encoder.length > wireLimits.frameBytes) {
    throw new RangeError(
      `frame of ${encoder.length} bytes is over the wire limit of ${wireLimits.frameBytes}`,
    );
  }
  encoder.patchU32(0, encoder.length - 4);
  return encoder.finish();
}

/** Cuts a byte stream into frames. After `MalformedMessage` the stream has no meaning any more. */
export class FrameReader {
  /** The start of a frame that is not whole; has room for more. */
  #partial: Buffer | undefined;
  #buffered = 0;
  #need = 4;
  /** What came behind the frame that the handler stopped at. */
  #held: Buffer | undefined;
  readonly #limitBytes: number;

  constructor(limitBytes: number = wireLimits.frameBytes) {
    this.#limitBytes = limitBytes;
  }

  /** Whether frames wait for `next`. */
  get isHeld(): boolean {
    return this.#held !== undefined;
  }

  /** Calls `handle` for each complete frame in order, until it says no. `chunk` must last while it is held. */
  push(chunk: Buffer, handle: TakeFrame): void {
    if (this.#held !== undefined) return this.hold(chunk);
    if (this.#buffered === 0) return void this.#cut(chunk, handle);
    this.#keep(chunk);
    if (this.#buffered < this.#need) return;
    const whole = this.#partial!;
    const size = this.#buffered;
    this.#partial = undefined;
    this.#buffered = 0;
    if (this.#cut(whole.subarray(0, size), handle)) giveBuffer(whole);
  }

  /** Keeps `chunk`, which must last, for `next`. */
  hold(chunk: Buffer): void {
    if (this.#held !== undefined) this.#held = Buffer.concat([this.#held, chunk]);
    else if (this.#buffered === 0) this.#held = chunk;
    else {
      this.#keep(chunk);
      this.#held = this.#partial!.subarray(0, this.#buffered);
      this.#partial = undefined;
      this.#buffered = 0;
    }
  }

  /** Goes on behind the frame at which `handle` said no. */
  next(handle: TakeFrame): void {
    const held = this.#held;
    this.#held = undefined;
    if (held !== undefined) this.#cut(held, handle);
  }

  /** Copied: the caller may reuse `chunk` as its read buffer before the frame is whole. */
  #keep(chunk: Buffer): void {
    const size = this.#buffered + chunk.length;
    const before = this.#partial;
    if (before === undefined || before.length < size) {
      // Not for all that is announced, but for what came and as much again.
      const room = takeBuffer(Math.max(size, Math.min(this.#need, 2 * size)));
      before?.copy(room, 0, 0, this.#buffered);
      if (before !== undefined) giveBuffer(before);
      this.#partial = room;
    }
    chunk.copy(this.#partial!, this.#buffered);
    this.#buffered = size;
  }

  /** Answers whether nobody needs `bytes` any more. */
  #cut(bytes: Buffer, handle: TakeFrame): boolean {
    let released = true;
    let at = 0;
    this.#need = 4;
    while (bytes.length - at >= 4) {
      const length = bytes.readUInt32LE(at);
      if (length < frameHeaderBytes - 4 || length + 4 > this.#limitBytes) {
        throw new MalformedMessage(`frame length ${length} is out of range`);
      }
      if (bytes.length - at < length + 4) {
        this.#need = length + 4;
        break;
      }
      const end = at + 4 + length;
      const frame: Frame = {
        kind: bytes[at + 4]!,
        id: bytes.readUInt32LE(at + 5),
        number: bytes.readUInt16LE(at + 9),
        payload: bytes.subarray(at + frameHeaderBytes, end),
      };
      at = end;
      const goOn = handle(frame);
      released &&= frame.released === true;
      if (goOn === false) {
        // Even when nothing is behind it: what comes next is held as well.
        this.#held = bytes.subarray(at);
        return released && at === bytes.length;
      }
    }
    if (at < bytes.length) this.#keep(bytes.subarray(at));
    return released;
  }
}
