/**
 * Owns the kernel's end of one socket to a guest: the main thread's, or that of
 * one of its workers. Cuts what arrives into frames, and keeps what the guest does not read.
 *
 * Invariants: after `destroy`, or after a malformed frame, no frame is handed on; frames come one
 * at a time and only while the handlers want them; nothing more is read while frames wait.
 * Untrusted: every byte that arrives.
 */
import { Socket } from "node:net";
import type { OnReadOpts, SocketConstructorOpts } from "node:net";
import { Errno } from "../abi/errno.js";
import { wireLimits } from "../protocol/codec.js";
import { FrameReader } from "../protocol/frames.js";
import type { Frame, FrameParts } from "../protocol/frames.js";
import { guestWire } from "../protocol/guest-calls.js";
import { rowLimitOf } from "../protocol/port.js";
import { giveBuffer, takeBuffer } from "../protocol/spare-buffer.js";
import * as libc from "../sandbox/libc.js";

export interface SocketHandlers {
  /** Whether a frame may come now; after a no, `proceed` is what lets frames come. */
  ready(): boolean;
  /**
   * Takes a frame, whose payload is valid until it returns, and answers as `ready`; nothing has come behind
   * one that `isLast`. Throwing is a violation.
   */
  frame(frame: Frame, isLast: boolean): boolean;
  /** Frames that are not whole, or wait, occupy so much now; false: nothing more is read until `proceed`. */
  occupies(bytes: number): boolean;
  /** All that came was handed on, but for what waits. */
  rested?(): void;
  /** The guest broke the protocol. */
  violation(reason: string): void;
  /** Everything that waited for the guest to read is gone from here. */
  drained(): void;
  /** The other end is closed, or this one was destroyed. */
  closed(): void;
}

/** What lib/net.js has below a socket. */
interface ReadHandle {
  reading: boolean;
  readStart(): number;
  readStop(): number;
}

const rowLimit = rowLimitOf(guestWire);
/** Node takes `onread` here as well; its types know it of `connect` only. */
type SocketOptions = SocketConstructorOpts & { onread: OnReadOpts };

/** What most programs write at a time; with its frame's other fields it comes in one piece. */
const pieceOfContent = 64 * 1024;
/** What every socket is read into, one after the other: nothing of it lasts longer than its handler. */
const readBuffer = Buffer.allocUnsafeSlow(pieceOfContent + 4096);

/** What is read of a long frame before others have their turn: as much as libuv reads of one stream (uv__read, 32 times 64 KiB). */
const longReadBytes = 2 * 1024 * 1024;

/** Of a socket that has come to its end; more than its buffer holds. */
const restReads = 64;

/** Waiting frames that go out in one piece. */
const pieceBytes = 256 * 1024;

/** What of a frame the guest's end had no room for, and the memory that nobody needs once it has gone; none of a copy. */
interface Rest {
  readonly bytes: Buffer;
  readonly memory: Buffer | undefined;
}

/** `rests` in memory of one. */
function joined(rests: readonly Rest[]): Rest {
  if (rests.length === 1) return rests[0]!;
  const size = rests.reduce((sum, { bytes }) => sum + bytes.length, 0);
  const memory = takeBuffer(size);
  let at = 0;
  for (const rest of rests) {
    at += rest.bytes.copy(memory, at);
    if (rest.memory !== undefined) giveBuffer(rest.memory);
  }
  return { bytes: memory.subarray(0, size), memory };
}

const lengthOf = (parts: FrameParts): number =>
  parts.reduce((bytes, { byteLength }) => bytes + byteLength, 0);

/** What of a frame is not sent yet. Of one in parts, nothing but that is kept. */
function restOf(parts: FrameParts, sent: number): Rest {
  const [frame] = parts;
  if (parts.length === 1) {
    // Small frames lie in a buffer with room to grow; only what they are is kept.
    const rest = sent > 0 ? frame.subarray(sent) : frame;
    if (rest.length * 2 >= rest.buffer.byteLength) return { bytes: rest, memory: frame };
    const bytes = Buffer.from(rest);
    giveBuffer(frame);
    return { bytes, memory: undefined };
  }
  const size = lengthOf(parts) - sent;
  const memory = takeBuffer(size);
  let at = -sent;
  for (const part of parts) {
    if (at + part.byteLength > 0) memory.set(at < 0 ? part.subarray(-at) : part, Math.max(0, at));
    at += part.byteLength;
  }
  giveBuffer(frame);
  return { bytes: memory.subarray(0, size), memory };
}

export class GuestSocket {
  readonly #socket: Socket;
  readonly #fd: number;
  readonly #reader: FrameReader;
  readonly #handlers: SocketHandlers;
  readonly #take: (frame: Frame, isLast: boolean) => boolean;
  /** Frames that the guest's end had no room for. */
  #waiting: Rest[] = [];
  #writing = false;
  #reading = true;
  /** Whether the descriptor is still this socket's. */
  #open = true;
  /** The guest's end is closed; frames of before may wait still. */
  #ended = false;
  #destroyed = false;
  #told = false;

  constructor(fd: number, handlers: SocketHandlers) {
    this.#fd = fd;
    this.#handlers = handlers;
    this.#reader = new FrameReader(wireLimits.frameBytes, rowLimit);
    this.#take = (frame, isLast) => !this.#destroyed && handlers.frame(frame, isLast);
    const options: SocketOptions = {
      fd,
      readable: true,
      writable: true,
      allowHalfOpen: true,
      onread: {
        buffer: readBuffer,
        callback: (size) => {
          this.#data(readBuffer.subarray(0, size));
          // `#read` has stopped already what is to stop.
          return true;
        },
      },
    };
    this.#socket = new Socket(options);
    const destroyStream = this.#socket._destroy.bind(this.#socket);
    this.#socket._destroy = (error, done) => {
      this.#readRest();
      destroyStream(error, done);
    };
    this.#socket.on("error", () => undefined);
    this.#socket.on("end", () => this.#end());
    this.#socket.on("close", () => {
      this.#open = false;
      this.#end();
    });
  }

  /**
   * A write failed, as the guest has ended: what it said before, its exit among it, is there still
   * if it was not read meanwhile. Answers whether this is the end of it.
   */
  #readRest(): boolean {
    for (let reads = 0; reads < restReads && !this.#destroyed; reads++) {
      const size = libc.read(this.#fd, readBuffer, 0, readBuffer.length);
      if (size <= 0 && size !== -Errno.EINTR) return size === 0;
      if (size > 0) this.#data(readBuffer.subarray(0, size));
    }
    return false;
  }

  /**
   * Its thread says that it has closed its end: what it said before is taken now, and not when the event loop comes to it.
   * Where frames have to wait, or it has not, its end is heard of as any other. Not from within another socket's handler.
   */
  finish(): void {
    if (this.#destroyed || !this.#open || this.#reader.isHeld) return;
    if (this.#readRest()) this.#end();
  }

  /** Nothing more comes: it is over once every frame was taken. */
  #end(): void {
    this.#ended = true;
    if (this.#reader.isHeld && !this.#destroyed) return;
    this.destroy();
    if (!this.#told) this.#handlers.closed();
    this.#told = true;
  }

  #data(chunk: Buffer): void {
    if (this.#destroyed) return;
    this.#cut(() => {
      if (this.#reader.isHeld || !this.#handlers.ready()) this.#reader.hold(chunk);
      else this.#reader.push(chunk, this.#take, false);
    });
    this.#readLong();
  }

  /** Reads what a long frame lacks to where it belongs, as far as it has come; libuv tells of the rest, and of ends. */
  #readLong(): void {
    for (let bytes = 0; bytes < longReadBytes && !this.#destroyed && !this.#ended;) {
      const room = this.#reading ? this.#reader.room : undefined;
      if (room === undefined || !this.#handlers.ready()) return;
      const size = libc.read(this.#fd, room, 0, room.length);
      if (size <= 0) return;
      bytes += size;
      this.#cut(() => this.#reader.filled(size, this.#take));
    }
  }

  /** Goes on with frames that were not wanted before. */
  proceed(): void {
    if (this.#destroyed) return;
    this.#cut(() => {
      if (!this.#reader.isHeld || this.#handlers.ready()) this.#reader.next(this.#take);
    });
  }

  #cut(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#handlers.violation(error instanceof Error ? error.message : String(error));
      this.destroy();
    }
    this.#handlers.rested?.();
    const room = this.#destroyed || this.#handlers.occupies(this.#reader.occupiedBytes);
    if (this.#ended) this.#end();
    else this.#read(room && !this.#reader.isHeld);
  }

  /**
   * Starts or stops reading, at once. A paused stream would go on for a while and lose what it has
   * read by then when the guest is gone and left something unread itself (ECONNRESET).
   */
  #read(wanted: boolean): void {
    const handle = (this.#socket as unknown as { _handle: ReadHandle | null })._handle;
    if (handle === null || this.#destroyed || this.#reading === wanted) return;
    this.#reading = wanted;
    handle.reading = wanted;
    if (wanted) handle.readStart();
    else handle.readStop();
  }

  /** Sends a frame; false when it waits here for the guest to read, until `drained`. */
  send(frame: Buffer): boolean {
    return this.sendParts([frame]);
  }

  /** The same in parts; nothing of them is kept. */
  sendParts(parts: FrameParts): boolean {
    if (this.#destroyed || !this.#open) return true;
    // Written directly: a stream's EPIPE would close the socket of a guest that has
    // just ended before its last frames, the exit among them, were read.
    const [frame] = parts;
    let at = 0;
    if (!this.#writing) {
      const written =
        parts.length === 1
          ? libc.write(this.#fd, frame, 0, frame.length)
          : libc.writeParts(this.#fd, parts, 0);
      if (written === lengthOf(parts)) {
        giveBuffer(frame);
        return true;
      }
      if (written >= 0) at = written;
      else if (written !== -Errno.EAGAIN && written !== -Errno.EINTR) return true;
    }
    this.#waiting.push(restOf(parts, at));
    if (!this.#writing) this.#flush();
    return false;
  }

  #flush(): void {
    this.#writing = this.#waiting.length > 0;
    if (!this.#writing) return this.#handlers.drained();
    let size = 0;
    let count = 0;
    while (count < this.#waiting.length && (count === 0 || size < pieceBytes))
      size += this.#waiting[count++]!.bytes.length;
    const { bytes, memory } = joined(this.#waiting.slice(0, count));
    this.#waiting = this.#waiting.slice(count);
    this.#socket.write(bytes, (error) => {
      if (!error && memory !== undefined) giveBuffer(memory);
      // Nobody is there to read the rest.
      if (error !== null && error !== undefined) {
        this.#open = false;
        this.#waiting = [];
      }
      if (!this.#destroyed) this.#flush();
    });
  }

  /** Whether frames wait that were not wanted. */
  get isHeld(): boolean {
    return this.#reader.isHeld;
  }

  /** Whether the guest has taken all that was sent. */
  get isRead(): boolean {
    return !this.#open || (!this.#writing && libc.unreadBytes(this.#fd) <= 0);
  }

  /**
   * Sends a small frame and descriptors with it, now or not at all: 0, or -errno.
   * A frame of a few bytes fits a stream socket's buffer whole or is refused.
   */
  sendDescriptors(frame: Buffer, fds: readonly number[]): number {
    if (this.#destroyed || !this.#open) return -Errno.EPIPE;
    if (this.#writing) return -Errno.EAGAIN;
    const sent = libc.sendFds(this.#fd, frame, fds);
    if (sent >= 0 && sent !== frame.length) throw new Error("a descriptor's frame was cut");
    return Math.min(sent, 0);
  }

  ref(): void {
    this.#socket.ref();
  }

  destroy(): void {
    this.#destroyed = true;
    for (const { memory } of this.#waiting) if (memory !== undefined) giveBuffer(memory);
    this.#waiting = [];
    this.#socket.destroy();
  }
}
