/**
 * Owns the kernel's end of one socket to a guest: the main thread's, or that of
 * one of its workers. Cuts what arrives into frames.
 *
 * Invariant: after `destroy`, or after a malformed frame, no frame is handed on.
 * Untrusted: every byte that arrives.
 */
import { Socket } from "node:net";
import { Errno } from "../abi/errno.js";
import { FrameReader } from "../protocol/frames.js";
import type { Frame } from "../protocol/frames.js";
import { giveBuffer } from "../protocol/spare-buffer.js";
import * as libc from "../sandbox/libc.js";

export interface SocketHandlers {
  /** The payload is valid until the handler returns. Throwing is a violation. */
  frame(frame: Frame): void;
  /** The guest broke the protocol. */
  violation(reason: string): void;
  /** The other end is closed, or this one was destroyed. */
  closed(): void;
}

export class GuestSocket {
  readonly #socket: Socket;
  readonly #fd: number;
  readonly #reader = new FrameReader();
  readonly #handlers: SocketHandlers;
  #destroyed = false;

  constructor(fd: number, handlers: SocketHandlers) {
    this.#fd = fd;
    this.#handlers = handlers;
    this.#socket = new Socket({ fd, readable: true, writable: true });
    this.#socket.on("data", (chunk: Buffer) => this.#data(chunk));
    this.#socket.on("error", () => undefined);
    this.#socket.on("close", () => {
      this.#destroyed = true;
      handlers.closed();
    });
  }

  #data(chunk: Buffer): void {
    if (this.#destroyed) return;
    try {
      this.#reader.push(chunk, (frame) => {
        if (!this.#destroyed) this.#handlers.frame(frame);
      });
    } catch (error) {
      this.#handlers.violation(error instanceof Error ? error.message : String(error));
      this.destroy();
    }
  }

  /** Queues a frame; answers false when the socket's buffer is full. */
  send(frame: Buffer): boolean {
    if (this.#destroyed) return false;
    // Written directly: a stream's EPIPE would close the socket of a guest that has
    // just ended before its last frames, the exit among them, were read.
    let at = 0;
    if (this.#socket.writableLength === 0) {
      const written = libc.write(this.#fd, frame, 0, frame.length);
      if (written === frame.length) {
        giveBuffer(frame);
        return true;
      }
      if (written >= 0) at = written;
      else if (written !== -Errno.EAGAIN && written !== -Errno.EINTR) return false;
    }
    return this.#socket.write(at === 0 ? frame : frame.subarray(at));
  }

  /**
   * Sends a small frame and a descriptor with it, now or not at all: 0, or -errno.
   * A frame of a few bytes fits a stream socket's buffer whole or is refused.
   */
  sendDescriptor(frame: Buffer, fd: number): number {
    if (this.#destroyed) return -Errno.EPIPE;
    if (this.#socket.writableLength > 0) return -Errno.EAGAIN;
    const sent = libc.sendFds(this.#fd, frame, [fd]);
    if (sent >= 0 && sent !== frame.length) throw new Error("a descriptor's frame was cut");
    return Math.min(sent, 0);
  }

  get bufferedBytes(): number {
    return this.#socket.writableLength;
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    if (!this.#destroyed) this.#socket.resume();
  }

  ref(): void {
    this.#socket.ref();
  }

  destroy(): void {
    this.#destroyed = true;
    this.#socket.destroy();
  }
}
