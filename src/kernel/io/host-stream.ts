/**
 * Owns the ends of a program's stdio that lie with the host: output that the SDK
 * collects, input that it feeds.
 *
 * Invariants: what is in flight to the host is bounded by the window, in bytes and in pieces, and is
 * credited to its writers in the order they wrote, but for those whose small pieces went together;
 * output over the limit is dropped, marked as truncated, and credited at once.
 * Untrusted: the data.
 */
import { Errno } from "../../abi/errno.js";
import { S_IFCHR, S_IFIFO } from "../../abi/fcntl.js";
import type { FileStat } from "../fs/index.js";
import { limits } from "../limits.js";
import type { Account } from "../machine/account.js";
import { ByteBuffer } from "./byte-buffer.js";
import { Stream, streamStat } from "./stream.js";

/** Who wrote: learns how many of its bytes the host has taken, or dropped. */
type Taken = (bytes: number) => void;

/** Bytes of one writer on their way to the host, in the order in which they are credited. */
interface Written {
  bytes: number;
  readonly taken: Taken;
}

const nobody: Taken = () => undefined;

export class HostOutput extends Stream {
  readonly kind = "host";
  readonly #send: (data: Uint8Array) => void;
  readonly #limitBytes: number;
  /** What the host has and did not credit yet. */
  readonly #inFlight: Written[] = [];
  /** What waits to be sent in one piece with what follows, and who wrote how much of it. */
  #held: Buffer | undefined;
  #heldBytes = 0;
  readonly #heldFor = new Map<Taken, number>();
  #inFlightBytes = 0;
  #forwardedBytes = 0;
  #closed = false;
  truncated = false;

  /** `limitBytes` 0 means no limit. */
  constructor(send: (data: Uint8Array) => void, limitBytes: number) {
    super();
    this.#send = send;
    this.#limitBytes = limitBytes;
  }

  /** Hands all of `data` to the host; `taken` learns as the host takes it. */
  forward(data: Uint8Array, taken: Taken): void {
    const limit = this.#limitBytes;
    const room = limit === 0 ? Infinity : Math.max(0, limit - this.#forwardedBytes);
    const part = this.#closed
      ? data.subarray(0, 0)
      : room < data.byteLength
        ? data.subarray(0, room)
        : data;
    if (part.byteLength < data.byteLength && !this.#closed) this.truncated = true;
    if (part.byteLength > 0) {
      this.#forwardedBytes += part.byteLength;
      this.#inFlightBytes += part.byteLength;
      this.#pass(part, taken);
    }
    // Nobody will ever take what was dropped, so it is credited here.
    if (part.byteLength < data.byteLength) taken(data.byteLength - part.byteLength);
  }

  /** A host that has many pieces and takes none gets small ones together: each costs it, and this process, more than its bytes. */
  #pass(data: Uint8Array, taken: Taken): void {
    const isAlone = this.#heldBytes === 0 && this.#inFlight.length < limits.outputPieces;
    if (isAlone || data.byteLength >= limits.outputPieceBytes) {
      this.#release();
      // Before it is sent: who takes it at once credits it from in there.
      this.#inFlight.push({ bytes: data.byteLength, taken });
      this.#send(data);
      return;
    }
    if (this.#heldBytes + data.byteLength > limits.outputPieceBytes) this.#release();
    this.#held ??= Buffer.allocUnsafeSlow(limits.outputPieceBytes);
    this.#held.set(data, this.#heldBytes);
    this.#heldBytes += data.byteLength;
    this.#heldFor.set(taken, (this.#heldFor.get(taken) ?? 0) + data.byteLength);
  }

  /** Sends what is held. */
  #release(): void {
    if (this.#heldBytes === 0) return;
    const held = this.#held!.subarray(0, this.#heldBytes);
    for (const [taken, bytes] of this.#heldFor) this.#inFlight.push({ bytes, taken });
    this.#held = undefined;
    this.#heldBytes = 0;
    this.#heldFor.clear();
    this.#send(held);
  }

  /** Whether so much is in flight, of all who write to it, that they have to wait. */
  get isFull(): boolean {
    return this.#inFlightBytes >= limits.outputMostBytes;
  }

  /** What may be in flight beside what is. */
  get room(): number {
    return limits.outputWindowBytes - this.#inFlightBytes;
  }

  /** The host took `bytes`. */
  credit(bytes: number): void {
    let left = Math.min(bytes, this.#inFlightBytes);
    this.#inFlightBytes -= left;
    while (left > 0) {
      const first = this.#inFlight[0]!;
      const count = Math.min(left, first.bytes);
      first.bytes -= count;
      left -= count;
      if (first.bytes === 0) this.#inFlight.shift();
      first.taken(count);
    }
    if (this.#inFlight.length < limits.outputPieces) this.#release();
    this.writable.wakeAll();
  }

  /** The program it belongs to has ended: what others still write is dropped. */
  close(): void {
    this.#closed = true;
    this.#release();
    this.credit(this.#inFlightBytes);
  }

  read(): number {
    return -Errno.EBADF;
  }

  write(data: Uint8Array): number {
    const room = this.#closed ? data.byteLength : limits.outputWindowBytes - this.#inFlightBytes;
    if (room <= 0) return -Errno.EAGAIN;
    const part = data.subarray(0, room);
    this.forward(part, nobody);
    return part.byteLength;
  }

  stat(): FileStat {
    return streamStat(S_IFIFO);
  }

  protected released(): void {}
}

export class HostInput extends Stream {
  readonly kind = "pipe";
  readonly #buffer: ByteBuffer;
  readonly #taken: (bytes: number) => void;
  #ended = false;

  /** `taken` tells the host how much of its input was read. */
  constructor(account: Account, taken: (bytes: number) => void) {
    super();
    this.#buffer = new ByteBuffer(limits.stdinBufferBytes, account, true);
    this.#taken = taken;
  }

  /** Bytes from the host; false when the buffer is full and the program would read a hole. */
  push(data: Uint8Array): boolean {
    if (this.isReleased) {
      this.#taken(data.byteLength);
      return true;
    }
    if (this.#buffer.push(data) < data.byteLength) return false;
    this.readable.wakeAll();
    return true;
  }

  end(): void {
    this.#ended = true;
    this.readable.wakeAll();
  }

  read(maxBytes: number): Uint8Array | number {
    if (this.#buffer.length === 0) return this.#ended ? new Uint8Array(0) : -Errno.EAGAIN;
    const data = this.#buffer.take(maxBytes);
    this.#taken(data.byteLength);
    return data;
  }

  override readLine(maxBytes: number): Uint8Array | number {
    const length = this.#buffer.lineLength();
    return this.read(length === 0 ? maxBytes : Math.min(maxBytes, length));
  }

  override hasInput(): boolean {
    return this.#buffer.length > 0 || this.#ended;
  }

  write(): number {
    return -Errno.EBADF;
  }

  stat(): FileStat {
    return streamStat(S_IFIFO, this.#buffer.length);
  }

  protected released(): void {
    this.#taken(this.#buffer.length);
    this.#buffer.clear();
  }
}

/** Always at end of file, takes everything: stdio "ignore". */
export class NullStream extends Stream {
  readonly kind = "null";

  override get isForAll(): boolean {
    return true;
  }

  read(): Uint8Array {
    return new Uint8Array(0);
  }

  write(data: Uint8Array): number {
    return data.byteLength;
  }

  stat(): FileStat {
    return streamStat(S_IFCHR);
  }

  protected released(): void {}
}
