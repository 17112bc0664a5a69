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
import type { NodeBuffer } from "./node-types.js";
import { giveBuffer, spareBytes, takeBuffer } from "./spare-buffer.js";

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
  /** A view of the reader's memory, or of the chunk it came in. */
  payload: NodeBuffer;
  /** The payload is overwritten once the handler has returned. */
  passing?: true;
  /** It is longer than its row allows: the payload is empty, and what came of it is dropped. */
  tooLong?: true;
  /** Set by a handler that kept no view of the payload: its memory is used again. */
  released?: boolean;
}

/** The longest frame of a kind and number, header included. */
export type RowLimit = (kind: number, number: number) => number;

/**
 * Takes one frame, behind which nothing has come yet if it `isLast`; false when no further one may come before
 * `FrameReader.next`.
 */
export type TakeFrame = (frame: Frame, isLast: boolean) => boolean | void;

/**
 * A frame in the pieces that it is sent in, one behind the other: one piece, or three of which the middle one
 * is the sender's own memory, or that of a file, and is copied by Linux alone.
 */
export type FrameParts =
  | readonly [frame: NodeBuffer]
  | readonly [head: NodeBuffer, body: Uint8Array, tail: NodeBuffer];

/** Shorter bytes are copied: a third of a page costs no more than two addresses. */
const apartBytes = 16 * 1024;

export function encodeFrame<S extends Schema>(
  kind: number,
  id: number,
  number: number,
  schema: S,
  value: Message<S>,
): NodeBuffer {
  return encoded(new Encoder(), kind, id, number, schema, value).finish();
}

/** The same for who writes several pieces at once. */
export function encodeParts<S extends Schema>(
  kind: number,
  id: number,
  number: number,
  schema: S,
  value: Message<S>,
): FrameParts {
  const encoder = new Encoder();
  encoder.apartBytes = apartBytes;
  return encoded(encoder, kind, id, number, schema, value).parts();
}

function encoded<S extends Schema>(
  encoder: Encoder,
  kind: number,
  id: number,
  number: number,
  schema: S,
  value: Message<S>,
): Encoder {
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
  return encoder;
}

/** Frames that lack less are taken as they come. */
const leastRoom = 16 * 1024;

const nothing = Buffer.alloc(0);

/** In memory of its own, not in a part of the pool's. */
function copyOf(bytes: Buffer): NodeBuffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(copy);
  return copy;
}

/** Cuts a byte stream into frames. After `MalformedMessage` the stream has no meaning any more. */
export class FrameReader {
  /** The start of a frame that is not whole; has room for more. */
  #partial: Buffer | undefined;
  #buffered = 0;
  #need = 4;
  /** What came behind the frame that the handler stopped at. */
  #held: Buffer | undefined;
  /** Bytes of a frame that was too long which are still to come. */
  #skip = 0;
  #markedPartial: Buffer | undefined;
  #markedBuffered = 0;
  #markedNeed = 4;
  #markedSkip = 0;
  /** Of who marks: memory that is used no more unless it rewinds. */
  #spent: Buffer[] | undefined;
  readonly #limitBytes: number;
  readonly #rowLimit: RowLimit | undefined;

  /** Longer frames than `limitBytes` throw; those longer than `rowLimit` are handed on as `tooLong`. */
  constructor(limitBytes: number = wireLimits.frameBytes, rowLimit?: RowLimit) {
    this.#limitBytes = limitBytes;
    this.#rowLimit = rowLimit;
  }

  /** Whether frames wait for `next`. */
  get isHeld(): boolean {
    return this.#held !== undefined;
  }

  /**
   * Calls `handle` for each complete frame in order, until it says no. Unless `lasts`, `chunk` is the
   * caller's again afterwards: what is held of it is copied.
   */
  push(chunk: NodeBuffer, handle: TakeFrame, lasts = true): void {
    let at = 0;
    // Only what its frame lacks joins a partial one: the rest is cut where it lies.
    while (this.#buffered > 0 && at < chunk.length && this.#held === undefined) {
      const end = Math.min(chunk.length, at + this.#need - this.#buffered);
      this.#keep(chunk.subarray(at, end));
      at = end;
      if (this.#buffered < this.#need) return;
      this.#whole(handle);
    }
    const rest = at === 0 ? chunk : chunk.subarray(at);
    if (this.#held !== undefined) this.hold(rest);
    else if (rest.length > 0) this.#cut(rest, handle, lasts);
  }

  /**
   * Where the next bytes of a frame belong that lacks many: whoever reads them there, and says so to `filled`, spares
   * a copy. Room for no more than `push` would make.
   */
  get room(): NodeBuffer | undefined {
    const lacks = this.#need - this.#buffered;
    if (this.#buffered === 0 || this.#held !== undefined || lacks < leastRoom) return undefined;
    if (this.#partial!.length - this.#buffered < Math.min(lacks, leastRoom))
      this.#grow(this.#buffered + leastRoom);
    return this.#partial!.subarray(this.#buffered, this.#need);
  }

  /** So many bytes were read into `room`. */
  filled(bytes: number, handle: TakeFrame): void {
    this.#buffered += bytes;
    if (this.#buffered === this.#need) this.#whole(handle);
  }

  /** What there is comes to what was needed. */
  #whole(handle: TakeFrame): void {
    const whole = this.#partial!;
    const size = this.#buffered;
    this.#partial = undefined;
    this.#buffered = 0;
    if (this.#cut(whole.subarray(0, size), handle, true)) this.#give(whole);
  }

  /** Memory that partial and held frames occupy. */
  get occupiedBytes(): number {
    const partial = this.#partial?.buffer.byteLength ?? 0;
    return partial + (this.#held?.buffer.byteLength ?? 0);
  }

  /** Keeps a copy of `chunk` for `next`. */
  hold(chunk: NodeBuffer): void {
    if (this.#held !== undefined && this.#held.length > 0)
      this.#held = Buffer.concat([this.#held, chunk]);
    else if (this.#buffered === 0) this.#held = copyOf(chunk);
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
    if (held !== undefined) this.#cut(held, handle, true);
  }

  /** Remembers where it is, for `rewind`; memory that a rewind would read again is kept until `settle`. */
  mark(): void {
    this.#spent ??= [];
    this.#markedPartial = this.#partial;
    this.#markedBuffered = this.#buffered;
    this.#markedNeed = this.#need;
    this.#markedSkip = this.#skip;
  }

  /** As it was at the last `mark`; what was pushed since then comes again. For who never holds frames. */
  rewind(): void {
    this.#partial = this.#markedPartial;
    this.#buffered = this.#markedBuffered;
    this.#need = this.#markedNeed;
    this.#skip = this.#markedSkip;
  }

  /** What was pushed since the mark does not come again. */
  settle(): void {
    const spent = this.#spent;
    if (spent === undefined) return;
    for (let last = spent.pop(); last !== undefined; last = spent.pop()) giveBuffer(last);
  }

  #give(buffer: Buffer): void {
    if (this.#spent === undefined) giveBuffer(buffer);
    else this.#spent.push(buffer);
  }

  /** Copied: the caller may reuse `chunk` as its read buffer before the frame is whole. */
  #keep(chunk: Buffer): void {
    const size = this.#buffered + chunk.length;
    if (this.#partial === undefined || this.#partial.length < size) this.#grow(size);
    chunk.copy(this.#partial!, this.#buffered);
    this.#buffered = size;
  }

  /** Makes room for `size` bytes, and some more. */
  #grow(size: number): void {
    const before = this.#partial;
    // Not for all that is announced, but for what came and as much again.
    const wanted = Math.max(size, Math.min(this.#need, 2 * size));
    // A few bytes do not take the spare one from others.
    const room = wanted < spareBytes ? Buffer.allocUnsafeSlow(wanted) : takeBuffer(wanted);
    before?.copy(room, 0, 0, this.#buffered);
    this.#partial = room;
    if (before !== undefined) this.#give(before);
  }

  /** Answers whether nobody needs `bytes` any more. */
  #cut(bytes: Buffer, handle: TakeFrame, lasts: boolean): boolean {
    let released = true;
    let at = 0;
    this.#need = 4;
    while (true) {
      if (this.#skip > 0) {
        const dropped = Math.min(this.#skip, bytes.length - at);
        this.#skip -= dropped;
        at += dropped;
      }
      if (bytes.length - at < 4) break;
      const length = bytes.readUInt32LE(at);
      if (length < frameHeaderBytes - 4 || length + 4 > this.#limitBytes) {
        throw new MalformedMessage(`frame length ${length} is out of range`);
      }
      if (bytes.length - at < frameHeaderBytes) {
        this.#need = frameHeaderBytes;
        break;
      }
      const kind = bytes[at + 4]!;
      const number = bytes.readUInt16LE(at + 9);
      const tooLong = this.#rowLimit !== undefined && length + 4 > this.#rowLimit(kind, number);
      if (!tooLong && bytes.length - at < length + 4) {
        this.#need = length + 4;
        break;
      }
      const start = at + frameHeaderBytes;
      const end = at + 4 + length;
      const frame: Frame = {
        kind,
        id: bytes.readUInt32LE(at + 5),
        number,
        payload: bytes.subarray(start, tooLong ? start : end),
      };
      if (tooLong) frame.tooLong = true;
      if (!lasts) frame.passing = true;
      this.#skip = Math.max(0, end - bytes.length);
      at = Math.min(end, bytes.length);
      const goOn = handle(frame, at === bytes.length && this.#skip === 0);
      released &&= frame.released === true;
      if (goOn === false) {
        // Even when nothing is behind it: what comes next is held as well.
        const rest = bytes.subarray(at);
        this.#held = rest.length === 0 ? nothing : lasts ? rest : copyOf(rest);
        return released && at === bytes.length;
      }
    }
    if (at < bytes.length) this.#keep(bytes.subarray(at));
    return released;
  }
}
