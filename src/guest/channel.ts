/**
 * Owns the guest's end of its socket: system calls that block or do not,
 * events and output windows.
 *
 * Blocking calls read the socket directly, everything else arrives through a
 * libuv pipe on the same descriptor; both feed one FrameReader. Events that come
 * in while a call blocks are queued and run from the event loop, never from
 * inside the call. The pipe is unreferenced while nothing is awaited, so an idle
 * channel does not keep a program alive.
 */
import { Decoder } from "../protocol/codec.js";
import type { Message, Schema } from "../protocol/codec.js";
import { FrameKind, FrameReader, encodeFrame, guestFailure } from "../protocol/frames.js";
import type { Frame } from "../protocol/frames.js";
import { giveBuffer } from "../protocol/spare-buffer.js";
import { guestCalls, guestEvents, kernelEvents } from "../protocol/guest-calls.js";
import { byNumber } from "../protocol/table.js";
import type { CallArgs, CallResult } from "../protocol/table.js";
import * as libc from "../sandbox/libc.js";
import { Errno } from "../abi/errno.js";
import type { GuestCalls, KernelClient, PendingCall } from "./environment.js";

type KernelEvents = typeof kernelEvents;
type EventHandler = (args: any) => void;
type Done = (result: any, denial: string) => void;

/** One write to the socket carries at most this much output, so the kernel's reads stay small. */
const outputChunkBytes = 64 * 1024;

const eventsByNumber = byNumber(kernelEvents);
const POLLOUT = 4;
/** Not the program's clock, which may stand still. */
const { bigint: nanoseconds } = process.hrtime;
const monotonicMs = (): number => Number(nanoseconds()) / 1e6;

/** Told of every call before it is sent, whichever channel it takes. */
const callListeners: ((name: keyof GuestCalls) => void)[] = [];

export function onCall(listener: (name: keyof GuestCalls) => void): void {
  callListeners.push(listener);
}

/** Answers that may be on their way; half of what the kernel keeps for a socket (its replyBacklogBytes). */
const replyWindowBytes = 8 * 1024 * 1024;
/** How long to wait for one of them: some calls wait for others and are answered late. */
const replyWaitMs = 250;
const wholeFileBytes = 4 * 1024 * 1024;
const smallReplyBytes = 1024;

/** How large the answer to a call may be, roughly. */
function replyBytes(name: keyof GuestCalls, args: { length?: number }): number {
  if (name === "read") return Math.min(args.length!, wholeFileBytes) + smallReplyBytes;
  return name === "readFile" || name === "readFd" ? wholeFileBytes : smallReplyBytes;
}

export class Channel implements KernelClient {
  readonly #fd: number;
  readonly #reader = new FrameReader();
  readonly #readBuffer = Buffer.allocUnsafeSlow(64 * 1024);
  readonly #pending = new Map<number, { result: Schema; done: Done }>();
  readonly #handlers = new Map<string, EventHandler>();
  readonly #queue: (() => void)[] = [];
  readonly #window = [0, 0, 0];
  #nextId = 1;
  #pipe: any;
  #streamState: any;
  #references = 0;
  /** Filled instead of closed while a call waits for a descriptor. */
  #received: number[] | undefined;
  #denial = "";
  #blocking = false;
  #drainScheduled = false;
  #hostOutputs: readonly boolean[] = [];
  /** What the answers to calls under way may come to. */
  #expectedBytes = 0;
  readonly #setImmediate: typeof setImmediate;
  readonly #closed: () => never;

  /** `closed` runs when the kernel is gone; it must not return. */
  constructor(fd: number, closed: () => never) {
    this.#fd = fd;
    this.#closed = closed;
    this.#setImmediate = setImmediate;
  }

  get denial(): string {
    return this.#denial;
  }

  /** Hands the descriptor to the event loop. Called once; the bindings are the engine's own. */
  attach(internalBinding: (name: string) => any): void {
    const { Pipe, constants } = internalBinding("pipe_wrap");
    const streamWrap = internalBinding("stream_wrap");
    this.#streamState = streamWrap.streamBaseState;
    const readBytesOrError = streamWrap.kReadBytesOrError as number;
    const pipe = new Pipe(constants.SOCKET);
    pipe.open(this.#fd);
    pipe.onread = (buffer: ArrayBuffer | undefined) => {
      const size = this.#streamState[readBytesOrError] as number;
      if (size < 0 || buffer === undefined) {
        if (size < 0) this.#closed();
        return;
      }
      this.#feed(Buffer.from(buffer, 0, size));
      this.#drain();
    };
    pipe.readStart();
    pipe.unref();
    this.#pipe = pipe;
  }

  /** Gives the descriptor back and closes it; only the zygote's rehearsal leaves a channel like this. */
  detach(): Promise<void> {
    return new Promise((resolve) => {
      this.#pipe.close(() => resolve());
      this.#pipe = undefined;
    });
  }

  on<K extends keyof KernelEvents>(
    name: K,
    handler: (args: Message<KernelEvents[K]["args"]>) => void,
  ): void {
    this.#handlers.set(name, handler);
  }

  onCall(listener: (name: keyof GuestCalls) => void): void {
    onCall(listener);
  }

  ref(): void {
    if (this.#references++ === 0) this.#pipe?.ref();
  }

  unref(): void {
    if (--this.#references === 0) this.#pipe?.unref();
  }

  call<K extends keyof GuestCalls>(
    name: K,
    args: CallArgs<GuestCalls, K>,
  ): CallResult<GuestCalls, K> | number {
    let answer: any;
    let answered = false;
    this.#send(
      name,
      args,
      (result, denial) => {
        answer = result;
        answered = true;
        this.#denial = denial;
      },
      true,
    );
    while (!answered) this.#pump();
    return answer;
  }

  /** A blocking call whose reply brings a descriptor: that, or -errno. */
  callForDescriptor(name: "threadSocket"): number {
    const received: number[] = [];
    for (;;) {
      this.#received = received;
      const result = this.call(name, {});
      this.#received = undefined;
      // The kernel's end was full; taking this answer has emptied it.
      if (result === -Errno.EAGAIN) continue;
      return typeof result === "number" ? result : received[0]!;
    }
  }

  callAsync<K extends keyof GuestCalls>(
    name: K,
    args: CallArgs<GuestCalls, K>,
    done: (result: CallResult<GuestCalls, K> | number) => void,
  ): PendingCall {
    let holds = true;
    let answered = false;
    const hold = (wanted: boolean): void => {
      if (answered || holds === wanted) return;
      holds = wanted;
      if (wanted) this.ref();
      else this.unref();
    };
    this.ref();
    this.#send(
      name,
      args,
      (result, denial) => {
        hold(false);
        answered = true;
        this.#denial = denial;
        done(result);
      },
      false,
    );
    return { ref: () => hold(true), unref: () => hold(false) };
  }

  /** Sends a call whose `done` runs inside `pumpUntil`. Several may be under way. */
  begin<K extends keyof GuestCalls>(
    name: K,
    args: CallArgs<GuestCalls, K>,
    done: (result: CallResult<GuestCalls, K> | number) => void,
  ): void {
    this.#send(name, args, done, true);
  }

  /** Blocks until `finished` says so, or for `timeoutMs` (-1: without end); answers `finished()`. */
  pumpUntil(finished: () => boolean, timeoutMs: number): boolean {
    const deadline = monotonicMs() + timeoutMs;
    while (!finished()) {
      const left = timeoutMs < 0 ? -1 : Math.ceil(deadline - monotonicMs());
      if (timeoutMs >= 0 && left <= 0) return false;
      this.#pump(left);
    }
    return true;
  }

  event<K extends keyof typeof guestEvents>(
    name: K,
    args: Message<(typeof guestEvents)[K]["args"]>,
  ): void {
    const spec = guestEvents[name];
    this.#write(
      encodeFrame(FrameKind.event, 0, spec.nr, spec.args as Schema, args as Message<Schema>),
    );
  }

  /** Waits for one kernel event, blocking; used before the event loop runs. */
  waitFor<K extends keyof KernelEvents>(name: K): Message<KernelEvents[K]["args"]> {
    let value: Message<KernelEvents[K]["args"]> | undefined;
    this.on(name, (args) => {
      value = args;
    });
    // Drained here: a turn of the event loop for it would be visible to the program.
    this.#drainScheduled = true;
    while (value === undefined) {
      // What came behind the awaited event stays queued: its handler is not there yet.
      const job = this.#queue.shift();
      if (job === undefined) this.#pump();
      else job();
    }
    this.#drainScheduled = false;
    if (this.#queue.length > 0) this.#scheduleDrain();
    this.#handlers.delete(name);
    return value;
  }

  /** `bytes` may be written ahead to each of 1 and 2 that lies with the host. */
  setOutputs(bytes: number, descriptors: readonly string[]): void {
    this.#window[1] = bytes;
    this.#window[2] = bytes;
    this.#hostOutputs = descriptors.map((kind, fd) => kind === "host" && (fd === 1 || fd === 2));
  }

  /** Whether `writeOutput` is the way to this descriptor. */
  isHostOutput(fd: number): boolean {
    return this.#hostOutputs[fd] === true;
  }

  /** A descriptor was closed or replaced: it is reached by system calls from now on. */
  forgetOutput(fd: number): void {
    if (this.isHostOutput(fd))
      this.#hostOutputs = this.#hostOutputs.map((is, at) => is && at !== fd);
  }

  credit(fd: number, bytes: number): void {
    this.#window[fd]! += bytes;
  }

  writeOutput(fd: number, data: Uint8Array): void {
    let at = 0;
    while (at < data.byteLength) {
      while (this.#window[fd]! <= 0) this.#pump();
      const size = Math.min(data.byteLength - at, outputChunkBytes, this.#window[fd]!);
      this.#window[fd]! -= size;
      this.event("output", { fd, data: data.subarray(at, at + size) });
      at += size;
    }
  }

  writeErrorReport(text: string): void {
    const data = Buffer.from(text, "utf8");
    if (this.isHostOutput(2)) this.writeOutput(2, data);
    else this.call("write", { fd: 2, data, position: -1 });
  }

  #send(name: keyof GuestCalls, args: any, done: Done, blocking: boolean): void {
    for (let at = 0; at < callListeners.length; at++) callListeners[at]!(name);
    const spec = guestCalls[name];
    const id = this.#nextId;
    this.#nextId = id === 0xffffffff ? 1 : id + 1;
    const entry = { result: spec.result as Schema, done };
    // A blocking caller takes its answer at once; others are answered from the event loop.
    const expected = blocking ? 0 : replyBytes(name, args);
    if (!blocking) {
      entry.done = (result, denial) => {
        this.#expectedBytes -= expected;
        this.#enqueue(() => done(result, denial));
      };
    }
    this.#pending.set(id, entry);
    this.#write(encodeFrame(FrameKind.call, id, spec.nr, spec.args as Schema, args));
    this.#expectedBytes += expected;
    // Taken in here: the program may not turn its event loop for long, and the kernel does not
    // keep more than so much for it. Inside a pump the buffer is in use, and answers come anyway.
    while (!blocking && this.#expectedBytes > replyWindowBytes && !this.#blocking) {
      if (!this.#pump(replyWaitMs)) break;
    }
  }

  #write(frame: Buffer): void {
    let at = 0;
    while (at < frame.length) {
      const written = libc.write(this.#fd, frame, at, frame.length - at);
      if (written >= 0) at += written;
      else if (written === -Errno.EAGAIN) libc.poll([{ fd: this.#fd, events: POLLOUT }], -1);
      else if (written !== -Errno.EINTR) this.#closed();
    }
    giveBuffer(frame);
  }

  /** Blocks until the socket has something and takes it in; answers whether it had. */
  #pump(timeoutMs = -1): boolean {
    this.#blocking = true;
    libc.pollReadable(this.#fd, timeoutMs);
    const size = this.#receive();
    if (size > 0) this.#feed(this.#readBuffer.subarray(0, size));
    else if (size === 0 || (size !== -Errno.EAGAIN && size !== -Errno.EINTR)) this.#closed();
    this.#blocking = false;
    if (this.#queue.length > 0) this.#scheduleDrain();
    return size > 0;
  }

  #receive(): number {
    if (this.#received === undefined)
      return libc.read(this.#fd, this.#readBuffer, 0, this.#readBuffer.length);
    const message = libc.recvFds(this.#fd, this.#readBuffer);
    if (typeof message === "number") return message;
    this.#received.push(...message.fds);
    return message.bytes;
  }

  #feed(bytes: Buffer): void {
    this.#reader.push(bytes, (frame) => this.#frame(frame));
  }

  #frame(frame: Frame): void {
    if (frame.kind === FrameKind.event) {
      const entry = eventsByNumber.get(frame.number);
      if (entry === undefined) return;
      const args = new Decoder(frame.payload).message(entry.spec.args as Schema) as any;
      this.#event(entry.name, args);
      return;
    }
    const pending = this.#pending.get(frame.id);
    if (pending === undefined) return;
    this.#pending.delete(frame.id);
    const decoder = new Decoder(frame.payload);
    if (frame.kind === FrameKind.failure) {
      const { errno, message } = decoder.message(guestFailure);
      pending.done(-errno, message);
      return;
    }
    const result = decoder.message(pending.result) as Record<string, unknown>;
    // The payload is a view of the read buffer, which the next read overwrites.
    for (const name in pending.result) {
      if (pending.result[name] === "bytes") result[name] = Buffer.from(result[name] as Uint8Array);
    }
    pending.done(result, "");
  }

  #event(name: string, args: any): void {
    if (name === "credit") return this.credit(args.fd as number, args.bytes as number);
    if (args.source instanceof Uint8Array) args.source = Buffer.from(args.source);
    // A blocking read's buffer is used again; the one of the event loop is not.
    if (this.#blocking && args.data instanceof Uint8Array) args.data = Buffer.from(args.data);
    this.#enqueue(() => this.#handlers.get(name)?.(args));
  }

  #enqueue(job: () => void): void {
    this.#queue.push(job);
    if (this.#blocking) return;
    this.#scheduleDrain();
  }

  #scheduleDrain(): void {
    if (this.#drainScheduled || this.#pipe === undefined) return;
    this.#drainScheduled = true;
    this.#setImmediate(() => {
      this.#drainScheduled = false;
      this.#drain();
    });
  }

  #drain(): void {
    for (let job = this.#queue.shift(); job !== undefined; job = this.#queue.shift()) job();
  }
}
