/**
 * Owns the kernel's own end of a VM connection as a Node stream: what carries the
 * host's requests into the VM, and a guest's bytes out of it.
 *
 * Invariant: the socket is released exactly once; an error resets the connection.
 */
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { Errno } from "../../abi/errno.js";
import type { Deferred } from "../io/deferred.js";
import { writeFully } from "../io/stream.js";
import type { StreamSocket } from "./stream-socket.js";

const readBytes = 64 * 1024;
/** What is read next when whoever read the last piece took long over it: chunks of single bytes, say. */
const leastReadBytes = 4 * 1024;
/** Longer than honest data of that size takes. */
const longMs = 4;

function socketError(errno: number): Error {
  const name = Object.entries(Errno).find(([, value]) => value === -errno)?.[0] ?? "EIO";
  return Object.assign(new Error(name), { code: name, errno });
}

/** Counts what passes; false ends the connection. */
export interface Meter {
  count(direction: "sent" | "received", bytes: number): boolean;
  /** Nothing passes any more. */
  ended(): void;
}

export class SocketDuplex extends Duplex {
  readonly #socket: StreamSocket;
  readonly #meter: Meter | undefined;
  #stopReading: (() => void) | undefined;
  #writing: Deferred<number> | undefined;
  #readBytes = readBytes;
  /** Set while others have their turns. */
  #pause: NodeJS.Immediate | undefined;
  /** More was asked for meanwhile. */
  #isWanted = false;

  constructor(socket: StreamSocket, meter?: Meter) {
    super({ allowHalfOpen: true });
    this.#socket = socket;
    this.#meter = meter;
  }

  override _read(): void {
    this.#isWanted = this.#pause !== undefined;
    if (this.#stopReading !== undefined || this.#isWanted) return;
    const data = this.#socket.read(this.#readBytes);
    if (data === -Errno.EAGAIN) {
      this.#stopReading = this.#socket.readable.add(() => {
        this.#stopReading = undefined;
        this._read();
      });
    } else if (typeof data === "number") this.destroy(socketError(data));
    else if (this.#meter?.count("sent", data.byteLength) === false)
      this.destroy(socketError(-Errno.ECONNRESET));
    else this.#hand(data);
  }

  /** Whoever takes it may work over it at length at once, and would go on with the next: others come first. */
  #hand(data: Uint8Array): void {
    if (data.byteLength === 0) return void this.push(null);
    const startedMs = performance.now();
    this.#pause = setImmediate(() => {
      this.#pause = undefined;
      if (this.#isWanted) this._read();
    });
    this.push(Buffer.from(data));
    const isLong = performance.now() - startedMs > longMs;
    this.#readBytes = isLong ? leastReadBytes : Math.min(readBytes, this.#readBytes * 2);
  }

  override _write(data: Buffer, _encoding: string, done: (error?: Error) => void): void {
    if (this.#meter?.count("received", data.length) === false)
      return done(socketError(-Errno.ECONNRESET));
    const answer = writeFully(this.#socket, data);
    if (typeof answer === "number") return done(answer < 0 ? socketError(answer) : undefined);
    this.#writing = answer;
    answer.whenSettled((written) => {
      this.#writing = undefined;
      done(written < 0 ? socketError(written) : undefined);
    });
  }

  override _final(done: () => void): void {
    this.#socket.shutdown();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#stopReading?.();
    this.#stopReading = undefined;
    if (this.#pause !== undefined) clearImmediate(this.#pause);
    this.#writing?.cancel();
    this.#meter?.ended();
    if (error !== null || !this.writableFinished) this.#socket.reset();
    this.#socket.unref();
    done(error);
  }

  // What Node's HTTP client asks of a socket.
  setKeepAlive(): this {
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setTimeout(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }
}

/** Joins a socket of a VM with one of the host: bytes, ends and resets go both ways, and neither outlives the other. */
export function bridge(inner: SocketDuplex, outer: Socket): void {
  inner.on("error", () => outer.resetAndDestroy());
  inner.on("close", () => {
    if (!outer.writableFinished) outer.destroy();
  });
  outer.on("error", (error) => inner.destroy(error));
  outer.on("close", () => {
    if (!inner.writableFinished) inner.destroy();
  });
  inner.pipe(outer);
  outer.pipe(inner);
}
