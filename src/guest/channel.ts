/**
 * Owns the guest's end of its socket: system calls that block or do not,
 * events and output windows.
 *
 * Blocking calls read the socket directly, everything else arrives through a
 * libuv pipe on the same descriptor; both feed one FrameReader. Events that come
 * in while a call blocks are queued and run from the event loop, never from
 * inside the call. The pipe is unreferenced while nothing is awaited, so an idle
 * channel does not keep a program alive.
 *
 * A script with a time limit (node:vm) is broken into at any call of a function and any turn of a loop, and no `finally`
 * runs. So what a system call took or gave is kept in a field in the same statement, and whoever comes next first finishes
 * what was left: the rest of a frame that was written in part (#out), bytes that were read and not handed on (#got).
 */
import { wireLimits } from "../protocol/codec.js";
import type { Message } from "../protocol/codec.js";
import { fsLimits } from "../protocol/fs-calls.js";
import { FrameKind, FrameReader } from "../protocol/frames.js";
import type { Frame, FrameParts } from "../protocol/frames.js";
import { giveBuffer } from "../protocol/spare-buffer.js";
import {
  flowBytes,
  flowHeadBytes,
  flowJoinBytes,
  flowOf,
  putFlowHead,
} from "../protocol/flow-frames.js";
import { guestFlowEvents, kernelFlowEvents } from "../protocol/flow-calls.js";
import { guestWire } from "../protocol/guest-calls.js";
import { guestEvents } from "../protocol/guest-calls.js";
import type { GuestTables, kernelEvents } from "../protocol/guest-calls.js";
import { CallingPort } from "../protocol/port.js";
import type { Done, EventOf, Own } from "../protocol/port.js";
import type { CallArgs, CallResult } from "../protocol/table.js";
import * as libc from "../sandbox/libc.js";
import { Errno } from "../abi/errno.js";
import { later } from "./turns.js";
import { bytesOf } from "./bindings/stream-outbox.js";
import type { Answered, GuestCalls, KernelClient, PendingCall } from "./environment.js";
import { HeldAnswers } from "./held-answers.js";
import { Printer } from "./printer.js";
import type { EngineModule, InternalBinding } from "./engine-types.js";

type KernelEvents = typeof kernelEvents;

/** One write to the socket carries at most this much output, so the kernel's reads stay small. */
const outputChunkBytes = 64 * 1024;

const [POLLIN, POLLOUT] = [1, 4];
/** Not the program's clock, which may stand still. */
const { bigint: nanoseconds } = process.hrtime;
const monotonicMs = (): number => Number(nanoseconds()) / 1e6;

/**
 * Told of every call before it is sent, and without a name before the program hears of anything else than an answer that
 * it blocks for. One list per thread: it is there before the thread's channel.
 */
export type CallListeners = ((name: keyof GuestCalls | undefined) => void)[];

/** Answers that may be on their way. */
const replyWindowBytes = wireLimits.unreadBytes / 2;
/** How long to wait for one of them: some calls wait for others and are answered late. */
const replyWaitMs = 250;
const smallReplyBytes = 1024;

/** How large the answer to a call may be, roughly. */
function replyBytes(name: keyof GuestCalls, args: { length?: number }): number {
  if (name === "read") return Math.min(args.length!, fsLimits.transferBytes) + smallReplyBytes;
  return name === "readFile" || name === "readFd" ? fsLimits.transferBytes : smallReplyBytes;
}

const nothing = Buffer.alloc(0);

const [flowWrite, flowData] = [guestFlowEvents.flowWrite.nr, kernelFlowEvents.flowData.nr];

/** Nobody asks for more before a handler is there; what a program never listens to is dropped. */
const mostUnheard = 64;

export class Channel implements KernelClient {
  readonly #fd: number;
  readonly #reader = new FrameReader();
  /** An answer with 64 KiB of content comes in one piece. */
  readonly #readBuffer = Buffer.allocUnsafeSlow(64 * 1024 + 4096);
  /** What the event loop reads into. Not the same: that may hold what was read before a script was broken into. */
  readonly #loopBuffer = Buffer.allocUnsafeSlow(64 * 1024);
  readonly #port: CallingPort<GuestTables>;
  /** By name; `on` put each where its arguments are the right ones. */
  readonly #handlers = new Map<string, (args: never) => void>();
  /** Events that came before anybody was there for them: the loop reads before the main script runs. */
  #unheard: EventOf<KernelEvents>[] = [];
  readonly #queue: (() => void)[] = [];
  readonly #window = [0, 0, 0];
  /** What came in while room for a write was awaited inside `#feed`. */
  readonly #early: Buffer[] = [];
  #feeding = false;
  /** What bytes of flows are sent from, one frame after the other. */
  #flowFrame: Buffer | undefined;
  /** Hears `flowData`. */
  #flowHandler: ((flow: number, data: Uint8Array) => void) | undefined;
  /** A frame on its way out, and how much of it has gone. */
  #out: FrameParts | undefined;
  #outAt = 0;
  /** Bytes in the read buffer, or where a long frame goes on, that the reader has not taken; and frames of them that were handed on. */
  #got = 0;
  #gotLong = false;
  #handed = 0;
  /** How many of those are known already: they come again after a script was broken into. */
  #known = 0;
  /** The same of bytes that came while room for a write was awaited. */
  #earlyChunk: Buffer | undefined;
  #earlyGot = 0;
  /** The reader has a mark before the first of #early. */
  #earlyMarked = false;
  /** How many answers of each call wait in the queue. */
  readonly #untold = new Map<string, number>();
  #pipe: EngineModule;
  #streamState: EngineModule;
  #references = 0;
  /** Filled instead of closed while a call waits for a descriptor. */
  #received: number[] | undefined;
  #blocking = false;
  #drainScheduled = false;
  #hostOutputs: readonly boolean[] = [];
  #descriptors: readonly string[] = [];
  /** What the answers to calls under way may come to. */
  #expectedBytes = 0;
  /** Set on a held channel. */
  #held: HeldAnswers | undefined;
  readonly #answers: (() => void)[] = [];
  /** Told when something keeps the process alive that did not. */
  #onReferenced = (): void => {};
  #timeOf: (() => number) | undefined;
  #toldMs = -1;
  readonly #callListeners: CallListeners;
  readonly #closed: () => never;
  #printer: Printer;

  /** `closed` runs when the kernel is gone; it must not return. */
  constructor(fd: number, callListeners: CallListeners, closed: () => never) {
    this.#fd = fd;
    this.#callListeners = callListeners;
    this.#closed = closed;
    this.#printer = this.#newPrinter();
    this.#port = new CallingPort(guestWire, {
      write: (frame) => this.#write([frame]),
      writeParts: (parts) => this.#write(parts),
      event: (event) => this.#event(event),
      // The read buffer is overwritten by the next read.
      own: (view) => Buffer.from(view),
      // An answer that native code of the program asked for, past this object.
      unknown: () => undefined,
    });
  }

  /** Hands the descriptor to the event loop. Called once; the bindings are the engine's own. */
  attach(internalBinding: InternalBinding): void {
    const { Pipe, constants } = internalBinding("pipe_wrap");
    const streamWrap = internalBinding("stream_wrap");
    this.#streamState = streamWrap.streamBaseState;
    const readBytesOrError = streamWrap.kReadBytesOrError as number;
    const pipe = new Pipe(constants.SOCKET);
    pipe.open(this.#fd);
    // No resource of the program's: with id 0 the engine calls no async hooks around what comes
    // in; InternalCallbackScope in src/api/callback.cc.
    pipe.asyncReset(pipe, 0);
    // The engine would take 64 KiB of memory for each read, and give most of it back.
    pipe.useUserBuffer(this.#loopBuffer);
    pipe.onread = () => {
      const size = this.#streamState[readBytesOrError] as number;
      if (size < 0) this.#closed();
      if (size <= 0) return;
      if (this.#hasInput) this.#finishInput();
      this.#blocking = this.#feeding = false;
      const chunk = Buffer.allocUnsafeSlow(size);
      chunk.set(this.#loopBuffer.subarray(0, size));
      const scheduled = this.#drainScheduled;
      this.#drainScheduled = true;
      this.#feed(chunk);
      this.#drainScheduled = scheduled;
      try {
        this.#drain();
      } finally {
        // Behind a handler that threw.
        if (this.#queue.length > 0) this.#scheduleDrain();
      }
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

  /**
   * From now on the event loop takes nothing from the socket and hands nothing on: whoever holds the channel
   * does, by the functions below. `referenced` is told of the first thing that keeps the process alive.
   */
  hold(referenced: () => void): void {
    this.#pipe.readStop();
    this.#held = new HeldAnswers();
    this.#onReferenced = referenced;
  }

  get isReferenced(): boolean {
    return this.#references > 0;
  }

  /** Whether the program waits for its stdin. */
  get readsInput(): boolean {
    return this.#held?.readsInput === true;
  }

  /** Blocks until every call made so far has its answer, but for patient ones; answers whether there are any. */
  settle(): boolean {
    const held = this.#held!;
    while (held.awaitsAny) this.#pump();
    for (const answer of held.take()) this.#answers.push(answer);
    return this.#answers.length > 0;
  }

  /** What the program is to be told next. */
  next(which: "answers" | "events"): (() => void) | undefined {
    this.#hears();
    return (which === "answers" ? this.#answers : this.#queue).shift();
  }

  /** Blocks until there is something to tell the program that it did not ask for just now. */
  waitForEvent(): void {
    while (this.#queue.length === 0) this.#pump();
  }

  /** Before every message, the kernel is told what time it is for the program, when that has changed. */
  tellsTime(timeOf: () => number): void {
    this.#timeOf = timeOf;
  }

  #tellTime(): void {
    const nowMs = this.#timeOf?.();
    if (nowMs === undefined || nowMs === this.#toldMs) return;
    this.#toldMs = nowMs;
    this.#port.send("clock", { nowMs });
  }

  on<K extends keyof KernelEvents>(
    name: K,
    handler: (args: Message<KernelEvents[K]["args"]>) => void,
  ): void {
    this.#handlers.set(name, handler);
    const unheard = this.#unheard.filter((event) => event.name === name);
    if (unheard.length === 0) return;
    this.#unheard = this.#unheard.filter((event) => event.name !== name);
    for (const { args } of unheard) this.#enqueue(() => handler(args as never));
  }

  onCall(listener: CallListeners[number]): void {
    this.#callListeners.push(listener);
  }

  /** The program is about to hear of something that it did not ask for just now. */
  #hears(): void {
    const listeners = this.#callListeners;
    for (let at = 0; at < listeners.length; at++) listeners[at]!(undefined);
  }

  ref(): void {
    if (this.#references++ > 0) return;
    this.#pipe?.ref();
    this.#onReferenced();
  }

  unref(): void {
    if (--this.#references === 0) this.#pipe?.unref();
  }

  call<K extends keyof GuestCalls>(
    name: K,
    args: CallArgs<GuestCalls, K>,
    explain?: (words: string) => void,
    own?: Own,
  ): CallResult<GuestCalls, K> | number {
    let answer: CallResult<GuestCalls, K> | number | undefined;
    this.#send(
      name,
      args,
      (result, words) => {
        answer = result;
        if (words !== "") explain?.(words);
      },
      true,
      own,
    );
    const { sent } = this.#printer;
    while (answer === undefined) this.#pump();
    this.#printer.taken(sent);
    return answer;
  }

  /** A blocking call whose reply brings a descriptor: that, or -errno. */
  callForDescriptor<K extends "image" | "outputPipe">(
    name: K,
    args: CallArgs<GuestCalls, K>,
  ): number {
    const received = this.#callForDescriptors(name, args);
    return typeof received === "number" ? received : received.fds[0]!;
  }

  openThreadSocket(): { fd: number; thread: number } | number {
    const received = this.#callForDescriptors("threadSocket", {});
    if (typeof received === "number") return received;
    return { fd: received.fds[0]!, thread: received.result.thread };
  }

  /** A template's wait for an order: the descriptors of its copy. `errno` is why the last one failed, or 0. */
  awaitFork(errno: number): number[] {
    const received = this.#callForDescriptors("awaitFork", { errno });
    return typeof received === "number" ? this.#closed() : received.fds;
  }

  #callForDescriptors<K extends "threadSocket" | "awaitFork" | "image" | "outputPipe">(
    name: K,
    args: CallArgs<GuestCalls, K>,
  ): { fds: number[]; result: CallResult<GuestCalls, K> } | number {
    const fds: number[] = [];
    for (;;) {
      this.#received = fds;
      const result = this.call(name, args);
      this.#received = undefined;
      // The kernel's end was full; taking this answer has emptied it.
      if (result === -Errno.EAGAIN) continue;
      return typeof result === "number" ? result : { fds, result };
    }
  }

  /** Whether nothing is awaited or on its way to be told, and nothing was printed through a pipe. */
  get isAtRest(): boolean {
    return (
      this.#port.pendingNames.length === 0 &&
      this.untoldCalls.length === 0 &&
      this.#queue.length === 0 &&
      !this.#printer.isOpen
    );
  }

  /** Names of calls without an answer yet. */
  get pendingCalls(): string[] {
    return this.#port.pendingNames;
  }

  /** Names of calls whose answer has come, and was not handed on. */
  get untoldCalls(): string[] {
    return [...this.#untold].flatMap(([name, count]) => (count > 0 ? [name] : []));
  }

  /** The socket is another one by now, and nothing of what the former carried is left. */
  begins(): void {
    this.#printer = this.#newPrinter();
    this.#queue.length = 0;
    this.#untold.clear();
    this.#unheard = [];
    this.#expectedBytes = 0;
  }

  callAsync<K extends keyof GuestCalls>(
    name: K,
    args: CallArgs<GuestCalls, K>,
    done: Answered<K>,
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
      (result, words) => {
        hold(false);
        answered = true;
        done(result, words);
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
    // What was read without a call is said before the end, and before there are copies.
    if (name === "exit" || name === "templateReady") this.#hears();
    this.#tellTime();
    this.#port.send(name, args);
  }

  /** The event `flowWrite` with `bytes` bytes, `flowJoinBytes` at most: those of `chunks`, one behind the other. */
  flowWrite(flow: number, chunks: readonly Uint8Array[], bytes: number): void {
    this.#tellTime();
    const frame = this.#beginFlowFrame();
    let at = flowHeadBytes;
    // By index: a guest's program may have taken the iterators of arrays away.
    for (let chunk = 0; chunk < chunks.length; chunk++) {
      const part = bytesOf(chunks[chunk]!);
      frame.set(part, at);
      at += part.byteLength;
    }
    this.#sendFlowFrame(frame, flow, bytes);
  }

  /** The same of a text that comes to so many bytes. */
  flowText(flow: number, text: string, encoding: "latin1" | "utf8", bytes: number): void {
    this.#tellTime();
    const frame = this.#beginFlowFrame();
    frame.write(text, flowHeadBytes, bytes, encoding);
    this.#sendFlowFrame(frame, flow, bytes);
  }

  /** The memory of such frames, of which none is on its way. */
  #beginFlowFrame(): Buffer {
    if (this.#out !== undefined) this.#finishOutput(this.#out);
    return (this.#flowFrame ??= Buffer.allocUnsafeSlow(flowHeadBytes + flowJoinBytes));
  }

  #sendFlowFrame(frame: Buffer, flow: number, bytes: number): void {
    putFlowHead(frame, flowWrite, flow, bytes);
    this.#write([frame.subarray(0, flowHeadBytes + bytes)]);
  }

  /** Hears the event `flowData`, in the place of a handler of `on`. */
  onFlowData(handler: (flow: number, data: Uint8Array) => void): void {
    this.#flowHandler = handler;
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
    this.#descriptors = descriptors;
    this.#window[1] = bytes;
    this.#window[2] = bytes;
    this.#hostOutputs = descriptors.map((kind, fd) => kind === "host" && (fd === 1 || fd === 2));
  }

  /** Whether a descriptor was a terminal at the start. */
  isTerminal(fd: number): boolean {
    return this.#descriptors[fd] === "tty";
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
    if (fd === 1 && this.#printer.print(data)) return;
    let at = 0;
    while (at < data.byteLength) {
      while (this.#window[fd]! <= 0) {
        this.#hears();
        this.#pump();
      }
      const size = Math.min(data.byteLength - at, outputChunkBytes, this.#window[fd]!);
      this.#window[fd]! -= size;
      this.event("output", { fd, data: data.subarray(at, at + size) });
      at += size;
    }
  }

  #newPrinter(): Printer {
    return new Printer({
      open: () =>
        // Output is in order with time and turns there.
        this.#timeOf !== undefined || this.#held !== undefined
          ? -Errno.EPERM
          : this.callForDescriptor("outputPipe", {}),
      makeRoom: (fd) => {
        this.#hears();
        this.#makeRoom(fd);
      },
      closed: () => this.#closed(),
    });
  }

  writeErrorReport(text: string): void {
    const data = Buffer.from(text, "utf8");
    if (this.isHostOutput(2)) this.writeOutput(2, data);
    else this.call("write", { fd: 2, data, position: -1 });
  }

  #send<K extends keyof GuestCalls>(
    name: K,
    args: CallArgs<GuestCalls, K>,
    done: Answered<K>,
    blocking: boolean,
    own?: Own,
  ): void {
    const listeners = this.#callListeners;
    for (let at = 0; at < listeners.length; at++) listeners[at]!(name);
    this.#tellTime();
    const deliver = blocking
      ? undefined
      : this.#held?.ask(name, args, (answer) => this.#enqueue(answer));
    // A blocking caller takes its answer at once; others are answered from the event loop.
    const expected = blocking ? 0 : replyBytes(name, args);
    let told = false;
    const answered: Done<GuestTables, K> = (result, failure) => {
      const words = failure?.message ?? "";
      const answer = result ?? -failure!.errno;
      if (blocking) return done(answer, words);
      if (told) return;
      if (deliver !== undefined) deliver(() => done(answer, words));
      else {
        const tell = (): void => {
          this.#untold.set(name, this.#untold.get(name)! - 1);
          done(answer, words);
        };
        // No function of ours from here on: a script that is broken into leaves all of it done, or nothing.
        this.#queue.push(tell);
        this.#untold.set(name, (this.#untold.get(name) ?? 0) + 1);
      }
      told = true;
      this.#expectedBytes -= expected;
      if (!this.#blocking) this.#scheduleDrain();
    };
    this.#port.call(name, args, answered, own);
    this.#expectedBytes += expected;
    // Taken in here: the program may not turn its event loop for long, and the kernel does not
    // keep more than so much for it. Inside a pump the buffer is in use, and answers come anyway.
    while (!blocking && this.#expectedBytes > replyWindowBytes && !this.#blocking) {
      if (!this.#pump(replyWaitMs)) break;
    }
  }

  #write(parts: FrameParts): void {
    const head = parts[0];
    // Of kind and number, in the header.
    const isLine =
      head[4] === FrameKind.event && head[9] === guestEvents.output.nr && head[11] === 1;
    const printed = this.#printer.sends(isLine);
    if (printed > 0) this.#port.send("printed", { bytes: printed });
    if (this.#out !== undefined) this.#finishOutput(this.#out);
    this.#out = parts;
    this.#finishOutput(parts);
  }

  /** Writes what is left of a frame. One of which nothing has gone goes as well: its caller may be there. */
  #finishOutput(parts: FrameParts): void {
    const head = parts[0];
    let size = head.byteLength;
    for (let part = 1; part < parts.length; part++) size += parts[part]!.byteLength;
    while (this.#outAt < size) {
      let result: number;
      if (parts.length > 1) {
        result = libc.writeParts(this.#fd, parts, this.#outAt);
        if (result > 0) this.#outAt += result;
      } else {
        result = libc.write(this.#fd, head, this.#outAt, size - this.#outAt);
        if (result > 0) this.#outAt += result;
      }
      if (result === -Errno.EAGAIN) this.#makeRoom(this.#fd);
      else if (result < 0 && result !== -Errno.EINTR) this.#closed();
    }
    this.#out = undefined;
    this.#outAt = 0;
    giveBuffer(head);
  }

  /**
   * Waits for room to write. The kernel takes no calls from a process that leaves its answers
   * lying, so what comes is taken in meanwhile.
   */
  #makeRoom(to: number): void {
    const polled = [
      { fd: this.#fd, events: POLLIN },
      { fd: to, events: POLLOUT },
    ];
    const ready = libc.poll(polled, -1);
    if (typeof ready === "number" || ready[1] !== 0) return;
    // What a script left that was broken into; in the middle of a feed it is that one's.
    if (!this.#feeding && this.#hasInput) this.#finishInput();
    const chunk = Buffer.allocUnsafeSlow(64 * 1024);
    this.#earlyChunk = chunk;
    const size = (this.#earlyGot = this.#receive(chunk));
    if (size > 0) this.#takeGotEarly();
    else if (size === 0 || (size !== -Errno.EAGAIN && size !== -Errno.EINTR)) this.#closed();
  }

  /** Takes bytes in, at once or, in the middle of others, behind them. */
  #takeGotEarly(): void {
    const chunk = this.#earlyChunk!.subarray(0, this.#earlyGot);
    if (this.#feeding) {
      this.#early.push(chunk);
      this.#earlyGot = 0;
    } else {
      // They have their own memory: kept as others that wait.
      this.#early.push(chunk);
      this.#earlyGot = 0;
      const outer = this.#blocking;
      // Whoever writes is in the middle of something: what comes is handled from the event loop.
      this.#blocking = true;
      this.#feed(nothing);
      this.#blocking = outer;
    }
    if (this.#queue.length > 0) this.#scheduleDrain();
  }

  /** Blocks until the socket has something and takes it in; answers whether it had. */
  #pump(timeoutMs = -1): boolean {
    if (this.#hasInput) {
      this.#finishInput();
      return true;
    }
    this.#blocking = true;
    libc.pollReadable(this.#fd, timeoutMs);
    this.#reader.mark();
    this.#gotLong = false;
    const size = (this.#got = this.#receive(this.#readBuffer));
    if (size > 0) {
      this.#feedGot();
      this.#receiveLong();
    } else this.#nothingCame(size);
    this.#blocking = false;
    if (this.#queue.length > 0) this.#scheduleDrain();
    return size > 0;
  }

  /** Reads what a long frame lacks to where it belongs, and waits for it: the kernel has begun to send it. */
  #receiveLong(): void {
    for (;;) {
      const { room } = this.#reader;
      if (room === undefined || this.#received !== undefined) return;
      this.#reader.mark();
      this.#gotLong = true;
      const size = (this.#got = libc.read(this.#fd, room, 0, room.length));
      if (size > 0) this.#feedGot();
      else {
        this.#nothingCame(size);
        libc.pollReadable(this.#fd, -1);
      }
    }
  }

  /** Hands on what was read. */
  #feedGot(): void {
    const size = this.#got;
    this.#feeding = true;
    if (this.#gotLong) this.#reader.filled(size, this.#take);
    else this.#reader.push(this.#readBuffer.subarray(0, size), this.#take);
    this.#got = this.#handed = 0;
    this.#reader.settle();
    this.#fedEarly();
  }

  /** Whether there is something that was read and not handed on. */
  get #hasInput(): boolean {
    return this.#got > 0 || this.#earlyGot > 0 || this.#early.length > 0;
  }

  /**
   * Hands on what was read before a script was broken into: again from where the reader was then, without the frames that
   * were handed on.
   */
  #finishInput(): void {
    this.#blocking = true;
    this.#feeding = false;
    if (this.#got > 0 || this.#earlyMarked) {
      this.#reader.rewind();
      // Of those that were known before, some may not have come again yet.
      this.#known += this.#handed;
      this.#handed = 0;
    }
    if (this.#got > 0) this.#feedGot();
    else this.#feed(nothing);
    if (this.#earlyGot > 0) this.#takeGotEarly();
    this.#blocking = false;
    if (this.#queue.length > 0) this.#scheduleDrain();
  }

  #nothingCame(result: number): void {
    if (result !== -Errno.EAGAIN && result !== -Errno.EINTR) this.#closed();
  }

  #receive(buffer: Buffer): number {
    if (this.#received === undefined) return libc.read(this.#fd, buffer, 0, buffer.length);
    const message = libc.recvFds(this.#fd, buffer);
    if (typeof message === "number") return message;
    this.#received.push(...message.fds);
    return message.bytes;
  }

  #feed(bytes: Buffer): void {
    this.#feeding = true;
    this.#reader.push(bytes, this.#take);
    this.#handed = 0;
    this.#reader.settle();
    this.#fedEarly();
  }

  /** What came meanwhile. */
  #fedEarly(): void {
    while (this.#early.length > 0) {
      if (!this.#earlyMarked) {
        this.#reader.mark();
        this.#earlyMarked = true;
      }
      this.#reader.push(this.#early[0]!, this.#take);
      this.#early.shift();
      this.#earlyMarked = false;
      this.#handed = 0;
      this.#reader.settle();
    }
    this.#feeding = false;
  }

  readonly #take = (frame: Frame): void => {
    if (this.#known > 0) {
      this.#known--;
      this.#handed++;
      frame.released = false;
      return;
    }
    const heard = this.#flowHandler;
    if (heard !== undefined && frame.kind === FrameKind.event && frame.number === flowData) {
      const { payload } = frame;
      const flow = flowOf(payload);
      const view = flowBytes(payload);
      // A blocking read's buffer is used again; what the event loop read is not.
      const data = this.#blocking ? Buffer.from(view) : view;
      this.#enqueue(() => heard(flow, data));
    } else this.#port.take(frame);
    this.#handed++;
    // What an answer brought was copied; an event may be views.
    frame.released = frame.kind !== FrameKind.event;
  };

  #event({ name, args }: EventOf<KernelEvents>): void {
    if (name === "credit") return this.credit(args.fd, args.bytes);
    if ("source" in args && args.source instanceof Uint8Array)
      args.source = Buffer.from(args.source);
    // A blocking read's buffer is used again; the one of the event loop is not.
    if (this.#blocking && "data" in args) args.data = Buffer.from(args.data);
    this.#enqueue(() => this.#deliver({ name, args } as EventOf<KernelEvents>));
  }

  #deliver(event: EventOf<KernelEvents>): void {
    const handler = this.#handlers.get(event.name);
    if (handler !== undefined) handler(event.args as never);
    else if (this.#unheard.length < mostUnheard) this.#unheard.push(event);
  }

  #enqueue(job: () => void): void {
    this.#queue.push(job);
    if (this.#blocking) return;
    this.#scheduleDrain();
  }

  #scheduleDrain(): void {
    if (this.#drainScheduled || this.#pipe === undefined || this.#held !== undefined) return;
    this.#drainScheduled = true;
    later(() => {
      this.#drainScheduled = false;
      this.#drain();
    });
  }

  #drain(): void {
    if (this.#queue.length > 0) this.#hears();
    for (let job = this.#queue.shift(); job !== undefined; job = this.#queue.shift()) job();
  }
}
