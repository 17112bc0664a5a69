/**
 * Owns the kernel's end of a pipe of the OS through which one thread of a guest prints to the host: a line costs it one
 * write(2) and this process nothing, which reads many at once.
 *
 * Invariants: what was printed before a frame is read before that frame is handled, as the thread says how much that
 * was; what is on its way to the host is bounded by the window and one pipe; everything in the pipe is read before it is closed.
 * Untrusted: the data, and how much of it there is said to be; a lie disorders that guest's own output.
 */
import { Socket } from "node:net";
import type { OnReadOpts, SocketConstructorOpts } from "node:net";
import { MalformedMessage } from "../../protocol/codec.js";
import * as libc from "../../sandbox/libc.js";
import { limits } from "../limits.js";

/** Of all pipes: nothing stays in it. */
const readBuffer = Buffer.allocUnsafeSlow(limits.pipeBytes);

/** What comes in smaller pieces is waited for. */
const pieceBytes = 16 * 1024;
const restMs = 1;

/** What lib/net.js has below a socket. */
interface ReadHandle {
  reading: boolean;
  readStart(): number;
  readStop(): number;
}

export interface PipeHandlers {
  /** Takes what came; answers whether more may come, which `proceed` allows otherwise. */
  came(data: Buffer): boolean;
  /** Takes what has to be there now. */
  must(data: Buffer): void;
}

export class OutputPipe {
  readonly #fd: number;
  readonly #socket: Socket;
  readonly #handlers: PipeHandlers;
  #reading = true;
  #wanted = true;
  #resting: NodeJS.Timeout | undefined;
  #closed = false;
  /** What was read beyond what the thread has spoken of. */
  #ahead = 0;

  /** `fd`: the reading end, which does not block. */
  constructor(fd: number, handlers: PipeHandlers) {
    this.#fd = fd;
    this.#handlers = handlers;
    const options: SocketConstructorOpts & { onread: OnReadOpts } = {
      fd,
      readable: true,
      writable: false,
      onread: {
        buffer: readBuffer,
        callback: (size) => {
          if (this.#closed) return false;
          this.#ahead += size;
          this.#wanted = handlers.came(readBuffer.subarray(0, size));
          if (size < pieceBytes) this.#rest();
          this.#read();
          // Stopped already, if it is to stop.
          return true;
        },
      },
    };
    this.#socket = new Socket(options).on("error", () => undefined).unref();
    this.#socket.on("close", () => this.close());
  }

  /** More may come. */
  proceed(): void {
    this.#wanted = true;
    this.#read();
  }

  /** Who prints line by line is read a little later, and more of it at once. Nobody waits for that: the pipe has room. */
  #rest(): void {
    this.#resting ??= setTimeout(() => {
      this.#resting = undefined;
      this.#read();
    }, restMs);
  }

  #read(): void {
    const wanted = this.#wanted && this.#resting === undefined;
    const handle = (this.#socket as unknown as { _handle: ReadHandle | null })._handle;
    if (handle === null || this.#closed || this.#reading === wanted) return;
    this.#reading = wanted;
    handle.reading = wanted;
    if (wanted) handle.readStart();
    else handle.readStop();
  }

  /** The thread has printed so much more before what it says now. */
  printed(bytes: number): void {
    if (!(bytes >= 0)) throw new MalformedMessage(`printed ${bytes} bytes`);
    // No more than a pipe holds can be there still.
    const missing = Math.min(bytes - this.#ahead, limits.pipeBytes);
    this.#ahead = Math.max(0, this.#ahead - bytes);
    for (let left = missing; left > 0;) {
      const size = this.#take(left);
      if (size <= 0) return;
      left -= size;
    }
  }

  #take(most: number): number {
    const size = this.#closed
      ? 0
      : libc.read(this.#fd, readBuffer, 0, Math.min(most, readBuffer.length));
    if (size > 0) this.#handlers.must(readBuffer.subarray(0, size));
    return size;
  }

  /** Takes what is left, and lets go of the pipe. */
  close(): void {
    if (this.#closed) return;
    for (let left: number = limits.pipeBytes; left > 0;) {
      const size = this.#take(left);
      if (size <= 0) break;
      left -= size;
    }
    this.#closed = true;
    clearTimeout(this.#resting);
    this.#socket.destroy();
  }
}
