/**
 * Owns what a stream handle has been given to write and the kernel has not: the window that the kernel opened, what waits
 * until it is wider, and what descriptor goes along.
 *
 * Invariants: bytes leave in the order in which they were written, never more than the window allows; each write that
 * waits keeps the event loop alive, and its request completes once, when all of it was sent or none will be.
 */
import { flowWindowBytes } from "../../protocol/flow-calls.js";
import { flowJoinBytes } from "../../protocol/flow-frames.js";
import type { EngineRequest } from "../engine-types.js";
import type { KernelClient } from "../environment.js";

/** A write that does not fit into the window. */
export interface Outgoing {
  chunks: Uint8Array[];
  bytes: number;
  /** A request of JavaScript, or one of a native consumer. */
  req: EngineRequest;
  native: boolean;
  /** A descriptor that travels with the first byte, or -1. */
  passedFd: number;
}

/** The handle, as its outbox knows it. */
export interface Sender {
  /** Of the flow that carries the bytes; there is one before anything is sent. */
  readonly flow: number;
  complete(req: EngineRequest, status: number, native: boolean): void;
  /** Nothing waits any more. */
  emptied(): void;
}

export class Outbox {
  readonly #kernel: KernelClient;
  readonly #sender: Sender;
  #window = flowWindowBytes;
  readonly #waiting: Outgoing[] = [];
  #bytes = 0;

  constructor(kernel: KernelClient, sender: Sender) {
    this.#kernel = kernel;
    this.#sender = sender;
  }

  /** Bytes that wait. */
  get bytes(): number {
    return this.#bytes;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /** Whether so many bytes may be sent at once. */
  takes(bytes: number): boolean {
    return this.#waiting.length === 0 && bytes <= this.#window;
  }

  send(chunks: Uint8Array[], bytes: number, passedFd: number): void {
    const { flow } = this.#sender;
    this.#window -= bytes;
    if (passedFd >= 0) {
      const data = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
      this.#kernel.event("flowPass", { flow, fd: passedFd, data });
    } else if (bytes <= flowJoinBytes) {
      if (bytes > 0) this.#kernel.flowWrite(flow, chunks, bytes);
    } else {
      // By index: the program may have taken the iterators of arrays away.
      for (let at = 0; at < chunks.length; at++) {
        const data = chunks[at]!;
        if (data.byteLength > 0) this.#kernel.event("flowWrite", { flow, data: bytesOf(data) });
      }
    }
  }

  /** A text that comes to so many bytes, if it may be sent at once and in one frame. */
  sendText(text: string, encoding: "latin1" | "utf8", bytes: number): boolean {
    if (bytes > flowJoinBytes || !this.takes(bytes)) return false;
    this.#window -= bytes;
    if (bytes > 0) this.#kernel.flowText(this.#sender.flow, text, encoding, bytes);
    return true;
  }

  queue(outgoing: Outgoing): void {
    this.#waiting.push(outgoing);
    this.#bytes += outgoing.bytes;
    this.#kernel.ref();
    this.#flush();
  }

  /** The kernel has taken so much. */
  credited(bytes: number): void {
    this.#window += bytes;
    if (this.#waiting.length > 0) this.#flush();
  }

  /** Sends what the window allows, completes what was sent. */
  #flush(): void {
    while (this.#window > 0 && this.#waiting.length > 0) {
      const first = this.#waiting[0]!;
      while (this.#window > 0 && first.chunks.length > 0) {
        const chunk = first.chunks[0]!;
        const part = chunk.byteLength <= this.#window ? chunk : chunk.subarray(0, this.#window);
        this.send([part], part.byteLength, first.passedFd);
        first.passedFd = -1;
        this.#bytes -= part.byteLength;
        if (part.byteLength === chunk.byteLength) first.chunks.shift();
        else first.chunks[0] = chunk.subarray(part.byteLength);
      }
      if (first.chunks.length > 0) return;
      this.#waiting.shift();
      this.#kernel.unref();
      this.#sender.complete(first.req, 0, first.native);
    }
    if (this.#waiting.length === 0) this.#sender.emptied();
  }

  /** Nothing of what waits will be sent. */
  fail(errno: number): void {
    this.#bytes = 0;
    this.#waiting.splice(0).forEach(({ req, native }) => {
      this.#kernel.unref();
      this.#sender.complete(req, errno, native);
    });
  }

  /** Of a flow that begins anew. */
  beginAnew(): void {
    this.#window = flowWindowBytes;
  }
}

/** Any view as bytes: guests may write from a DataView. */
export function bytesOf(data: ArrayBufferView): Uint8Array {
  return data instanceof Uint8Array
    ? data
    : new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
