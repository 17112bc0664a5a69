/**
 * Owns pipes, with a name (fifos) and without: a bounded buffer between those who read
 * and those who write.
 *
 * Invariants: at most `pipeBytes` are buffered; bytes arrive in order; a write of at most PIPE_BUF is
 * never divided; who has lost the other side is told: end of file to readers, EPIPE to writers. A pipe
 * is on its VM's account until its last end is closed, and what is in it is gone then.
 * Untrusted: data and sizes.
 */
import { Errno } from "../../abi/errno.js";
import { PIPE_BUF, S_IFIFO } from "../../abi/fcntl.js";
import type { FileStat, OpenFile } from "../fs/index.js";
import { limits } from "../limits.js";
import type { Account } from "../machine/account.js";
import { ByteBuffer, reserveBytes } from "./byte-buffer.js";
import { Stream, streamStat } from "./stream.js";
import type { Transit } from "./transit.js";
import { WaitQueue } from "./wait-queue.js";

/** What the ends of one pipe share; `pipe_inode_info` of Linux. */
export class Pipe {
  readonly buffer: ByteBuffer;
  readonly readable = new WaitQueue();
  readonly writable = new WaitQueue();
  /** Woken when an end is opened. */
  readonly opened = new WaitQueue();
  readers = 0;
  writers = 0;
  /** How many there have ever been: a partner may come and go while somebody waits for one. */
  readersEver = 0;
  writersEver = 0;
  readonly #account: Account;
  readonly #gone: (() => void) | undefined;

  private constructor(account: Account, gone: (() => void) | undefined) {
    this.#account = account;
    this.#gone = gone;
    this.buffer = new ByteBuffer(limits.pipeBytes, account);
  }

  /** Undefined when the VM may have no more of them. `gone` runs behind the last end. */
  static make(account: Account, gone?: () => void): Pipe | undefined {
    return account.take("conduit", reserveBytes) ? new Pipe(account, gone) : undefined;
  }

  join(reads: boolean, writes: boolean): void {
    if (reads) {
      this.readers++;
      this.readersEver++;
      this.writable.wakeAll();
    }
    if (writes) {
      this.writers++;
      this.writersEver++;
    }
    this.opened.wakeAll();
  }

  leave(reads: boolean, writes: boolean): void {
    if (reads) this.readers--;
    if (writes) this.writers--;
    if (this.readers === 0 && this.writers === 0) {
      this.buffer.clear();
      this.#account.give("conduit", reserveBytes);
      this.#gone?.();
    }
    if (this.readers === 0) this.writable.wakeAll();
    if (this.writers === 0) this.readable.wakeAll();
  }
}

/** How an end was opened. */
export interface PipeEndOptions {
  readonly reads: boolean;
  readonly writes: boolean;
  readonly nonBlocking?: boolean;
  /** Of a fifo: the name it was opened by; the end takes over the reference. */
  readonly file?: OpenFile;
}

export class PipeEnd extends Stream {
  readonly kind = "pipe";
  override readonly readable: WaitQueue;
  override readonly writable: WaitQueue;
  override readonly nonBlocking: boolean;
  override readonly file: OpenFile | undefined;
  readonly pipe: Pipe;
  readonly #reads: boolean;
  readonly #writes: boolean;
  /** Who reads without having waited for a writer is not told of an end until there was one. */
  readonly #writersBefore: number;

  constructor(pipe: Pipe, { reads, writes, nonBlocking = false, file }: PipeEndOptions) {
    super();
    this.pipe = pipe;
    this.readable = pipe.readable;
    this.writable = pipe.writable;
    this.nonBlocking = nonBlocking;
    this.file = file;
    this.#reads = reads;
    this.#writes = writes;
    this.#writersBefore = nonBlocking ? pipe.writersEver : -1;
    pipe.join(reads, writes);
  }

  read(maxBytes: number): Uint8Array | number {
    if (!this.#reads) return -Errno.EBADF;
    if (this.file?.mayStillRead === false) return -Errno.EACCES;
    const { buffer, writers } = this.pipe;
    if (buffer.length === 0) return writers > 0 ? -Errno.EAGAIN : new Uint8Array(0);
    const first = this.#take(maxBytes);
    if (first.byteLength >= maxBytes || buffer.length === 0) return first;
    // Writers that waited for room have filled the buffer again: a long read takes that too.
    const parts = [first];
    let size = first.byteLength;
    while (size < maxBytes && buffer.length > 0) {
      const part = this.#take(maxBytes - size);
      parts.push(part);
      size += part.byteLength;
    }
    return Buffer.concat(parts, size);
  }

  #take(maxBytes: number): Uint8Array {
    const data = this.pipe.buffer.take(maxBytes);
    this.writable.wakeAll();
    return data;
  }

  override readLine(maxBytes: number): Uint8Array | number {
    const length = this.pipe.buffer.lineLength();
    return this.read(length === 0 ? maxBytes : Math.min(maxBytes, length));
  }

  override get awaitsWriter(): boolean {
    const { writers, writersEver } = this.pipe;
    return writers === 0 && writersEver === this.#writersBefore;
  }

  override hasInput(): boolean {
    if (!this.#reads) return true;
    const { buffer, writers } = this.pipe;
    return buffer.length > 0 || (writers === 0 && !this.awaitsWriter);
  }

  write(data: Uint8Array): number {
    if (!this.#writes) return -Errno.EBADF;
    if (this.file?.mayStillWrite === false) return -Errno.EACCES;
    const { buffer, readers } = this.pipe;
    if (readers === 0) return -Errno.EPIPE;
    if (data.byteLength === 0) return 0;
    const room = buffer.capacityBytes - buffer.length;
    if (data.byteLength <= PIPE_BUF && data.byteLength > room) return -Errno.EAGAIN;
    const size = buffer.push(data);
    if (size === 0) return -Errno.EAGAIN;
    this.readable.wakeAll();
    return size;
  }

  stat(): FileStat {
    return this.file?.stat() ?? streamStat(S_IFIFO, this.pipe.buffer.length);
  }

  protected released(): void {
    this.pipe.leave(this.#reads, this.#writes);
    this.file?.unref();
  }
}

/** pipe(2): the reading and the writing end, or -ENFILE. */
export function createPipe(transit: Transit): { reader: Stream; writer: Stream } | number {
  const pipe = Pipe.make(transit.account);
  if (pipe === undefined) return -Errno.ENFILE;
  return {
    reader: new PipeEnd(pipe, { reads: true, writes: false }),
    writer: new PipeEnd(pipe, { reads: false, writes: true }),
  };
}
