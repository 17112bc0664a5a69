/**
 * Owns pipes, and pairs of connected sockets made of two of them: a bounded
 * buffer between a writing and a reading end.
 *
 * Invariants: at most `capacityBytes` are buffered; bytes arrive in order; an end
 * that lost its peer says so: end of file to the reader, EPIPE to the writer.
 * Untrusted: data and sizes.
 */
import { Errno } from "../../abi/errno.js";
import { S_IFIFO, S_IFSOCK } from "../../abi/fcntl.js";
import type { FileStat } from "../fs/index.js";
import { limits } from "../limits.js";
import { Stream, streamStat } from "./stream.js";
import type { Passable } from "./stream.js";
import type { WaitQueue } from "./wait-queue.js";

/** Bytes on their way from one end to the other; include/linux/pipe_fs_i.h: 16 pages. */
export class ByteBuffer {
  readonly #chunks: Buffer[] = [];
  readonly capacityBytes: number;
  length = 0;

  constructor(capacityBytes: number) {
    this.capacityBytes = capacityBytes;
  }

  /** Takes what fits, as a copy; answers how much. */
  push(data: Uint8Array): number {
    const size = Math.min(data.byteLength, this.capacityBytes - this.length);
    if (size <= 0) return 0;
    this.#chunks.push(Buffer.from(data.subarray(0, size)));
    this.length += size;
    return size;
  }

  /** How many bytes from the front end with the first newline; all of them without one. */
  lineLength(): number {
    let length = 0;
    for (const chunk of this.#chunks) {
      const at = chunk.indexOf(10);
      if (at >= 0) return length + at + 1;
      length += chunk.length;
    }
    return length;
  }

  /** Up to `maxBytes` from the front, which are gone from here then. */
  take(maxBytes: number): Uint8Array {
    const first = this.#chunks[0];
    if (first === undefined || maxBytes <= 0) return new Uint8Array(0);
    if (this.#chunks.length === 1 || first.length >= maxBytes) {
      const part = first.subarray(0, maxBytes);
      if (part.length === first.length) this.#chunks.shift();
      else this.#chunks[0] = first.subarray(maxBytes);
      this.length -= part.length;
      return part;
    }
    const size = Math.min(maxBytes, this.length);
    const out = Buffer.allocUnsafeSlow(size);
    for (let at = 0; at < size;) {
      const chunk = this.#chunks[0]!;
      const count = chunk.copy(out, at, 0, size - at);
      if (count === chunk.length) this.#chunks.shift();
      else this.#chunks[0] = chunk.subarray(count);
      at += count;
    }
    this.length -= size;
    return out;
  }
}

/** One direction: its buffer, and whether each side still exists. */
export class Conduit {
  readonly buffer: ByteBuffer;
  writerOpen = true;
  readerOpen = true;
  readers: WaitQueue | undefined;
  writers: WaitQueue | undefined;
  /** Bytes that have ever been taken out. */
  #position = 0;
  /** Descriptors on their way, each with the position of the byte it came with. */
  readonly #passed: { position: number; description: Passable }[] = [];

  constructor(capacityBytes: number) {
    this.buffer = new ByteBuffer(capacityBytes);
  }

  pass(description: Passable): void {
    if (!this.readerOpen || this.#passed.length >= limits.openFiles) return description.unref();
    this.#passed.push({ position: this.#position + this.buffer.length, description });
  }

  takePassed(): Passable | undefined {
    const first = this.#passed[0];
    if (this.buffer.length === 0 || first === undefined || first.position > this.#position)
      return undefined;
    this.#passed.shift();
    return first.description;
  }

  read(maxBytes: number): Uint8Array | number {
    if (this.buffer.length === 0) return this.writerOpen ? -Errno.EAGAIN : new Uint8Array(0);
    const first = this.#take(maxBytes);
    if (first.byteLength >= maxBytes || this.buffer.length === 0) return first;
    // Writers that waited for room have filled the buffer again: a long read takes that too.
    const parts = [first];
    let size = first.byteLength;
    while (size < maxBytes && this.buffer.length > 0 && this.#passed.length === 0) {
      const part = this.#take(maxBytes - size);
      if (part.byteLength === 0) break;
      parts.push(part);
      size += part.byteLength;
    }
    return Buffer.concat(parts, size);
  }

  #take(maxBytes: number): Uint8Array {
    // One read never runs past the byte that the next descriptor came with; unix(7).
    const next = this.#passed.find(({ position }) => position > this.#position);
    const most = next === undefined ? maxBytes : Math.min(maxBytes, next.position - this.#position);
    const data = this.buffer.take(most);
    this.#position += data.byteLength;
    this.writers?.wakeAll();
    return data;
  }

  write(data: Uint8Array): number {
    if (!this.readerOpen) return -Errno.EPIPE;
    if (data.byteLength === 0) return 0;
    const size = this.buffer.push(data);
    if (size === 0) return -Errno.EAGAIN;
    this.readers?.wakeAll();
    return size;
  }

  closeWriter(): void {
    this.writerOpen = false;
    this.readers?.wakeAll();
  }

  closeReader(): void {
    this.readerOpen = false;
    this.#position += this.buffer.length;
    this.buffer.take(this.buffer.length);
    for (const { description } of this.#passed.splice(0)) description.unref();
    this.writers?.wakeAll();
  }
}

/** The reading side of a conduit, which pipe ends and socket pairs share. */
abstract class ConduitReader extends Stream {
  protected abstract readonly incoming: Conduit | undefined;

  override readLine(maxBytes: number): Uint8Array | number {
    const length = this.incoming?.buffer.lineLength() ?? 0;
    return this.read(length === 0 ? maxBytes : Math.min(maxBytes, length));
  }

  override hasInput(): boolean {
    const { incoming } = this;
    return incoming === undefined || incoming.buffer.length > 0 || !incoming.writerOpen;
  }
}

class PipeEnd extends ConduitReader {
  readonly kind = "pipe";
  readonly #conduit: Conduit;
  readonly #writes: boolean;
  protected readonly incoming: Conduit | undefined;

  constructor(conduit: Conduit, writes: boolean) {
    super();
    this.#conduit = conduit;
    this.#writes = writes;
    this.incoming = writes ? undefined : conduit;
    if (writes) conduit.writers = this.writable;
    else conduit.readers = this.readable;
  }

  read(maxBytes: number): Uint8Array | number {
    return this.#writes ? -Errno.EBADF : this.#conduit.read(maxBytes);
  }

  write(data: Uint8Array): number {
    return this.#writes ? this.#conduit.write(data) : -Errno.EBADF;
  }

  stat(): FileStat {
    return streamStat(S_IFIFO, this.#conduit.buffer.length);
  }

  protected released(): void {
    if (this.#writes) this.#conduit.closeWriter();
    else this.#conduit.closeReader();
  }
}

/** One end of a connected pair: reads one conduit, writes the other. */
class SocketPairEnd extends ConduitReader {
  readonly kind = "pipe";
  protected readonly incoming: Conduit;
  readonly #outgoing: Conduit;

  constructor(incoming: Conduit, outgoing: Conduit) {
    super();
    this.incoming = incoming;
    this.#outgoing = outgoing;
    incoming.readers = this.readable;
    outgoing.writers = this.writable;
  }

  read(maxBytes: number): Uint8Array | number {
    return this.incoming.read(maxBytes);
  }

  write(data: Uint8Array): number {
    return this.#outgoing.writerOpen ? this.#outgoing.write(data) : -Errno.EPIPE;
  }

  override shutdown(): number {
    this.#outgoing.closeWriter();
    return 0;
  }

  override pass(description: Passable): void {
    this.#outgoing.pass(description);
  }

  override takePassed(): Passable | undefined {
    return this.incoming.takePassed();
  }

  stat(): FileStat {
    return streamStat(S_IFSOCK);
  }

  protected released(): void {
    this.#outgoing.closeWriter();
    this.incoming.closeReader();
  }
}

/** pipe(2): the reading and the writing end. */
export function createPipe(): { reader: Stream; writer: Stream } {
  const conduit = new Conduit(limits.pipeBytes);
  return { reader: new PipeEnd(conduit, false), writer: new PipeEnd(conduit, true) };
}

/** socketpair(2) for AF_UNIX streams. */
export function createSocketPair(): [Stream, Stream] {
  const forth = new Conduit(limits.pipeBytes);
  const back = new Conduit(limits.pipeBytes);
  return [new SocketPairEnd(back, forth), new SocketPairEnd(forth, back)];
}
