/**
 * Owns the two directions of a connection, and pairs of connected sockets made of them: a bounded
 * buffer between a writing and a reading end.
 *
 * Invariants: at most `capacityBytes` are buffered; bytes arrive in order; an end
 * that lost its peer says so: end of file to the reader, EPIPE to the writer. A conduit is on
 * its VM's account until both ends are closed.
 * Untrusted: data and sizes.
 */
import { Errno } from "../../abi/errno.js";
import { S_IFSOCK } from "../../abi/fcntl.js";
import type { FileStat } from "../fs/index.js";
import { limits } from "../limits.js";
import { ByteBuffer, reserveBytes } from "./byte-buffer.js";
import { Stream, streamStat } from "./stream.js";
import type { Passable } from "./stream.js";
import type { Carrier, Transit } from "./transit.js";
import type { WaitQueue } from "./wait-queue.js";

/** One direction: its buffer, and whether each side still exists. */
export class Conduit implements Carrier {
  readonly buffer: ByteBuffer;
  writerOpen = true;
  readerOpen = true;
  readers: WaitQueue | undefined;
  writers: WaitQueue | undefined;
  /** Bytes that have ever been taken out. */
  #position = 0;
  /** Descriptors on their way, each with the position of the byte it came with. */
  readonly #passed: { position: number; description: Passable }[] = [];
  readonly #transit: Transit;
  #counted = true;

  private constructor(capacityBytes: number, transit: Transit) {
    this.#transit = transit;
    this.buffer = new ByteBuffer(capacityBytes, transit.account);
  }

  /** Undefined when the VM may have no more of them. */
  static make(capacityBytes: number, transit: Transit): Conduit | undefined {
    return transit.account.take("conduit", reserveBytes)
      ? new Conduit(capacityBytes, transit)
      : undefined;
  }

  pass(description: Passable): void {
    if (
      !this.readerOpen ||
      this.#passed.length >= limits.passedDescriptors ||
      !this.#transit.depart(this, description)
    )
      return description.unref();
    this.#passed.push({ position: this.#position + this.buffer.length, description });
  }

  /** Streams on their way here. */
  get passedStreams(): Stream[] {
    return this.#passed.flatMap(({ description }) =>
      description instanceof Stream ? [description] : [],
    );
  }

  /** Files on their way here. */
  get passedFiles(): Exclude<Passable, Stream>[] {
    return this.#passed.flatMap(({ description }) =>
      description instanceof Stream ? [] : [description],
    );
  }

  dropPassed(): void {
    for (const { description } of this.#passed.splice(0)) {
      this.#transit.arrive(this, description, true);
      description.unref();
    }
  }

  #closed(): void {
    if (this.writerOpen || this.readerOpen || !this.#counted) return;
    this.#counted = false;
    this.#transit.account.give("conduit", reserveBytes);
  }

  takePassed(): Passable | undefined {
    const first = this.#passed[0];
    if (this.buffer.length === 0 || first === undefined || first.position > this.#position)
      return undefined;
    this.#passed.shift();
    this.#transit.arrive(this, first.description, this.#passed.length === 0);
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
    // Who waits for it has it from where it lies, as if it had been here.
    const isNext = this.buffer.length === 0 && this.#passed.length === 0;
    const taken = isNext ? (this.readers?.offer(data) ?? 0) : 0;
    this.#position += taken;
    if (taken === data.byteLength) return taken;
    const size = this.buffer.push(taken === 0 ? data : data.subarray(taken));
    if (size > 0) this.readers?.wakeAll();
    return taken + size === 0 ? -Errno.EAGAIN : taken + size;
  }

  closeWriter(): void {
    this.writerOpen = false;
    this.#closed();
    this.readers?.wakeAll();
  }

  closeReader(): void {
    this.readerOpen = false;
    this.#position += this.buffer.length;
    this.buffer.clear();
    this.dropPassed();
    this.#closed();
    this.writers?.wakeAll();
  }
}

/** One end of a connected pair: reads one conduit, writes the other. */
class SocketPairEnd extends Stream {
  readonly kind = "pipe";
  readonly #incoming: Conduit;
  readonly #outgoing: Conduit;

  constructor(incoming: Conduit, outgoing: Conduit) {
    super();
    this.#incoming = incoming;
    this.#outgoing = outgoing;
    incoming.readers = this.readable;
    outgoing.writers = this.writable;
  }

  read(maxBytes: number): Uint8Array | number {
    return this.#incoming.read(maxBytes);
  }

  override readLine(maxBytes: number): Uint8Array | number {
    const length = this.#incoming.buffer.lineLength();
    return this.read(length === 0 ? maxBytes : Math.min(maxBytes, length));
  }

  override hasInput(): boolean {
    return this.#incoming.buffer.length > 0 || !this.#incoming.writerOpen;
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
    return this.#incoming.takePassed();
  }

  override holds(): Stream[] {
    return this.#incoming.passedStreams;
  }

  override heldFiles(): Exclude<Passable, Stream>[] {
    return this.#incoming.passedFiles;
  }

  override letGo(): void {
    this.#incoming.dropPassed();
  }

  stat(): FileStat {
    return streamStat(S_IFSOCK);
  }

  protected released(): void {
    this.#outgoing.closeWriter();
    this.#incoming.closeReader();
  }
}

/** The two directions of a connection, or undefined when there is no room for both. */
export function makeConduits(
  capacityBytes: number,
  transit: Transit,
): [forth: Conduit, back: Conduit] | undefined {
  const forth = Conduit.make(capacityBytes, transit);
  if (forth === undefined) return undefined;
  const back = Conduit.make(capacityBytes, transit);
  if (back !== undefined) return [forth, back];
  forth.closeWriter();
  forth.closeReader();
  return undefined;
}

/** socketpair(2) for AF_UNIX streams, or -ENFILE. */
export function createSocketPair(transit: Transit): [Stream, Stream] | number {
  const conduits = makeConduits(limits.pipeBytes, transit);
  if (conduits === undefined) return -Errno.ENFILE;
  const [forth, back] = conduits;
  return [new SocketPairEnd(back, forth), new SocketPairEnd(forth, back)];
}
