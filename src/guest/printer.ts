/**
 * Owns the pipe of the OS through which a thread prints, once it has printed much: one write(2) a line, and nobody else's time.
 *
 * Invariants: what goes through the pipe is behind all that was sent before, as the kernel has answered a call that
 * came after that, and before all that is sent later, as the channel tells how much was printed first.
 */
import { Errno } from "../abi/errno.js";
import * as libc from "../sandbox/libc.js";

/** Lines in a row after which a thread asks for one. */
const linesByFrame = 64;
/** Longer pieces fill the pipe by themselves; frames, of which several may be on their way, are quicker. */
const mostBytes = 16 * 1024;

/** What the channel does for it. */
export interface PrinterChannel {
  /** Asks for the pipe: its descriptor or -errno. Everything sent before is with the kernel then. */
  open(): number;
  /** Waits until `fd` takes more, and takes in what comes from the kernel meanwhile. */
  makeRoom(fd: number): void;
  /** The kernel is gone. */
  closed(): never;
}

export class Printer {
  readonly #channel: PrinterChannel;
  #fd = -1;
  #refused = false;
  /** Frames sent, and how many of them the kernel is known to have taken. */
  #sent = 0;
  #taken = 0;
  /** Frames in a row that were lines. */
  #lines = 0;
  #bytes = 0;

  constructor(channel: PrinterChannel) {
    this.#channel = channel;
  }

  /** A frame is about to be sent; answers what was printed before it, if that was not told yet. */
  sends(isLine: boolean): number {
    this.#sent++;
    this.#lines = isLine ? this.#lines + 1 : 0;
    const bytes = this.#bytes;
    this.#bytes = 0;
    return bytes;
  }

  get isOpen(): boolean {
    return this.#fd >= 0;
  }

  /** How many frames were sent; all of them are taken when a call that is among them is answered. */
  get sent(): number {
    return this.#sent;
  }

  taken(sent: number): void {
    this.#taken = sent;
  }

  /** Prints `data`, or answers false: then it has to be sent. */
  print(data: Uint8Array): boolean {
    if (this.#refused || data.byteLength > mostBytes) return false;
    if (this.#taken !== this.#sent && !this.#catchUp()) return false;
    if (this.#fd < 0) return false;
    for (let at = 0; at < data.byteLength;) {
      const written = libc.write(this.#fd, data, at, data.byteLength - at);
      if (written >= 0) {
        at += written;
        this.#bytes += written;
      } else if (written === -Errno.EAGAIN) this.#channel.makeRoom(this.#fd);
      else if (written !== -Errno.EINTR) this.#channel.closed();
    }
    return true;
  }

  /** After many lines that were frames: whether the next may go through the pipe. */
  #catchUp(): boolean {
    if (this.#lines < linesByFrame) return false;
    const fd = this.#channel.open();
    if (fd >= 0) this.#fd = fd;
    else if (this.#fd < 0) this.#refused = true;
    return this.#fd >= 0 && this.#taken === this.#sent;
  }
}
