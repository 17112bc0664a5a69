/**
 * Owns what a stream handle has been sent and its reader has not taken: pieces, descriptors among them, the end; when
 * each is handed on, and what more may come.
 *
 * Invariants: one piece per turn of the event loop, as each callback may pause or close the stream; nothing is handed on
 * inside the call that asks for it, nor after the close; what came in between two stops keeps its order.
 *
 * An object of its own, and not fields of the handle: lib/net.js and programs give handles so many shapes that the engine
 * has to search for each field.
 */
import { flowWindowBytes } from "../../protocol/flow-calls.js";
import type { KernelClient } from "../environment.js";
import { deliver } from "../delivery.js";
import { later } from "../turns.js";
import type { WireFrames } from "../wire-frames.js";

/** What one read takes at most; uv__read of libuv's src/unix/stream.c asks for as much. */
const readBytes = 64 * 1024;

/** Bytes, a descriptor that comes with the next ones, or the end as uv_read_cb knows it. */
export type Incoming = Uint8Array | number | { fd: number; kind: string };

/** The handle, as its inbox knows it. */
export interface Receiver {
  /** Gives bytes to whoever reads. */
  readBuffer(data: Uint8Array): void;
  /** Nothing more comes. */
  readEnded(errno: number): void;
  /** A descriptor is there with the next bytes. */
  adoptPassed(item: { fd: number; kind: string }): void;
  /** Its native consumer hears that what it wrote is written, and what that leaves to be done is done. */
  settleWrites(): void;
}

export class Inbox {
  readonly #kernel: KernelClient;
  readonly #receiver: Receiver;
  #items: Incoming[] = [];
  #flow = 0;
  /** Whether the kernel gives one piece at a time, as it does of what others may read as well. */
  #isShared = false;
  #reading = false;
  #closed = false;
  #started = false;
  /** The piece that was asked for has not come. */
  #asked = false;
  /** Taken and not asked for again. */
  #consumed = 0;
  #drainScheduled = false;
  /** A turn to read is under way. */
  #pulling = false;
  /** Where those end that it carries. */
  #frames: WireFrames | undefined;
  #runTicks: (() => void) | undefined;
  /** Size of the buffer that the reader gave, or 0. */
  userBufferBytes = 0;

  constructor(kernel: KernelClient, receiver: Receiver) {
    this.#kernel = kernel;
    this.#receiver = receiver;
  }

  /** From now on it is that flow's. */
  open(flow: number, isShared: boolean): void {
    this.#flow = flow;
    this.#isShared = isShared;
  }

  get reading(): boolean {
    return this.#reading;
  }

  /** Its bytes are frames of a protocol, of which each is given by itself; `runTicks` runs between two. */
  splitBy(frames: WireFrames, runTicks: () => void): void {
    this.#frames = frames;
    this.#runTicks = runTicks;
  }

  /** `soon` runs behind what the caller does now. */
  start(soon: (run: () => void) => void): void {
    this.#reading = true;
    if (!this.#started) {
      // Not before the caller is done: the next thing that it does may be to hand the stream to
      // a child, and what was asked for until then would be lost.
      soon(() => this.#begin());
    } else this.#topUp();
    if (this.#items.length > 0) this.#scheduleDrain();
  }

  #begin(): void {
    if (this.#started || !this.#reading || this.#closed) return;
    this.#started = true;
    this.#asked = true;
    this.#kernel.event("flowRead", { flow: this.#flow, bytes: flowWindowBytes });
  }

  stop(): void {
    this.#reading = false;
  }

  /** Gives back what may be read and has not come: it is for whoever reads next. */
  hold(): void {
    if (!this.#started || this.#closed) return;
    this.#started = false;
    this.#asked = false;
    this.#consumed = 0;
    this.#kernel.event("flowHold", { flow: this.#flow });
  }

  /** Of a flow that begins anew; nothing was asked for. */
  beginAnew(): void {
    this.#consumed = 0;
    this.#started = false;
  }

  /** Answers whether bytes are thrown away by it. */
  close(): boolean {
    const unread = this.#items.some((item) => item instanceof Uint8Array);
    this.#closed = true;
    this.#reading = false;
    this.#items = [];
    return unread;
  }

  #topUp(): void {
    if (this.#isShared) {
      // Not before the reader is done: it may have had enough.
      later(() => {
        if (!this.#reading || this.#closed || !this.#started || this.#asked) return;
        this.#asked = true;
        this.#kernel.event("flowRead", { flow: this.#flow, bytes: flowWindowBytes });
      });
      return;
    }
    if (this.#consumed < flowWindowBytes / 2) return;
    this.#kernel.event("flowRead", { flow: this.#flow, bytes: this.#consumed });
    this.#consumed = 0;
  }

  /** For callers whose caller must not hear of data before they return. */
  #scheduleDrain(): void {
    if (this.#drainScheduled) return;
    this.#drainScheduled = true;
    later(() => {
      this.#drainScheduled = false;
      this.#drain();
    });
  }

  /** Gives the reader what came, one piece per turn: each may pause or close the stream. */
  #drain(): void {
    if (this.#pulling || !this.#reading || this.#items.length === 0) return;
    this.#pulling = true;
    deliver(undefined, undefined, this.#turn);
  }

  readonly #turn = (): void => {
    this.#pulling = false;
    try {
      if (this.#reading && !this.#closed) this.#pull();
    } finally {
      if (!this.#closed) this.#drain();
    }
  };

  received(item: Incoming): void {
    if (this.#closed) return;
    this.#asked = false;
    this.#items.push(item);
    this.#drain();
  }

  #pull(): void {
    if (this.#frames !== undefined && !this.#settleWrites()) return;
    let item = this.#items.shift();
    while (typeof item === "object" && "fd" in item) {
      this.#receiver.adoptPassed(item);
      item = this.#items.shift();
    }
    if (item === undefined) return;
    if (typeof item === "number") return this.#receiver.readEnded(item);
    if (this.#items.length > 0) item = this.#joined(item);
    let part = item;
    const { userBufferBytes } = this;
    // The engine would fill a buffer of the reader's again and again, past a pause.
    if (userBufferBytes > 0 && item.byteLength > userBufferBytes) {
      part = item.subarray(0, userBufferBytes);
      this.#items.unshift(item.subarray(userBufferBytes));
    }
    if (this.#frames === undefined) this.#give(part);
    else this.#readFrames(part, this.#frames);
    if (this.#reading && !this.#closed) this.#topUp();
  }

  /** A stream of bytes keeps no borders between writes: `first` with what came right behind it, as one read(2) takes it. */
  #joined(first: Uint8Array): Uint8Array {
    let bytes = first.byteLength;
    let count = 0;
    for (; count < this.#items.length; count++) {
      const next = this.#items[count];
      if (!(next instanceof Uint8Array) || bytes + next.byteLength > readBytes) break;
      bytes += next.byteLength;
    }
    if (count === 0) return first;
    const whole = new Uint8Array(bytes);
    whole.set(first);
    let at = first.byteLength;
    for (let i = 0; i < count; i++) {
      const next = this.#items.shift() as Uint8Array;
      whole.set(next, at);
      at += next.byteLength;
    }
    return whole;
  }

  #give(part: Uint8Array): void {
    this.#consumed += part.byteLength;
    this.#receiver.readBuffer(part);
  }

  /** One call for each frame, with what its callbacks have left to be done behind it, and before any immediate. */
  #readFrames(data: Uint8Array, frames: WireFrames): void {
    let rest = data;
    try {
      for (;;) {
        const frame = rest.subarray(0, frames.take(rest));
        rest = rest.subarray(frame.byteLength);
        this.#give(frame);
        if (rest.byteLength === 0) return;
        this.#runTicks!();
        if (!this.#settleWrites()) return;
      }
    } finally {
      // For when it is read on, also behind a callback that threw.
      if (rest.byteLength > 0 && !this.#closed) this.#items.unshift(rest);
    }
  }

  /**
   * Before the consumer is given more, it hears that what it wrote is written: TLS keeps back what it has to say
   * until then, and would lose it to a close in this turn. libuv reads no stream twice before that either.
   * Answers whether more may be given.
   */
  #settleWrites(): boolean {
    this.#receiver.settleWrites();
    return this.#reading && !this.#closed;
  }
}
