/**
 * Owns one thread of a guest as the kernel serves it: the frames of its socket, its system calls
 * that wait for an answer, its output windows and its flows.
 *
 * Invariants: a call is answered at most once, and not after the thread is gone; what it has not
 * read is counted, and beyond a bound none of its calls is taken; what can be said once (signals,
 * credit) waits as a sum and not as a queue; its VM's share of a turn is kept.
 * Untrusted: every frame.
 */
import { Errno } from "../../abi/errno.js";
import { MalformedMessage } from "../../protocol/codec.js";
import { FrameKind } from "../../protocol/frames.js";
import type { Frame, FrameParts } from "../../protocol/frames.js";
import { guestFlowEvents, kernelFlowEvents } from "../../protocol/flow-calls.js";
import { flowBytes, flowOf, flowParts } from "../../protocol/flow-frames.js";
import { guestWire } from "../../protocol/guest-calls.js";
import type { GuestTables, guestEvents, kernelEvents } from "../../protocol/guest-calls.js";
import { ServingPort } from "../../protocol/port.js";
import type { CallOf, EventArgs, EventOf } from "../../protocol/port.js";
import type { CallArgs } from "../../protocol/table.js";
import type { GuestSocket } from "../../launcher/guest-socket.js";
import { Deferred } from "../io/deferred.js";
import { FlowTable } from "../io/flow.js";
import { HostOutput } from "../io/host-stream.js";
import { addOutput, flushOutput } from "../io/output-batch.js";
import type { OutputTarget } from "../io/output-batch.js";
import type { Stream, StreamKind } from "../io/stream.js";
import { WaitQueue } from "../io/wait-queue.js";
import { limits } from "../limits.js";
import { accountKinds } from "../machine/account.js";
import type { Account } from "../machine/account.js";
import { Denial } from "../policy/decision.js";
import type { Answer } from "../policy/decision.js";
import { Image } from "../io/images.js";
import type { DescriptorTable } from "../process/descriptors.js";
import { OutputPipe } from "./output-pipe.js";
import { ThreadDescriptors } from "./thread-descriptors.js";
import type { Belongings } from "./thread-descriptors.js";
import * as libc from "../../sandbox/libc.js";
import type { Share, Source } from "./turns.js";

type Calls = GuestTables["calls"];
export type GuestCall = CallOf<Calls>;
const atTheDoor = [
  "threadSocket",
  "threadEnded",
  "flowShutdown",
  "awaitFork",
  "image",
  "outputPipe",
] as const;
export type CallAtTheDoor = (typeof atTheDoor)[number];
/** Calls that the process answers; the others are about the door itself. */
export type ProcessCall = Exclude<GuestCall, { name: CallAtTheDoor }>;
export type GuestEvent = EventOf<typeof guestEvents>;
/** Events that mean something to the process. */
export type ProcessEvent = Extract<
  GuestEvent,
  {
    name:
      | "exit"
      | "uncaught"
      | "returnValue"
      | "returnFailure"
      | "residentDone"
      | "signalHandler"
      | "title"
      | "enginePrinted"
      | "templateReady"
      | "readTo"
      | "writeOn"
      | "clock";
  }
>;
export type GuestAnswer = Answer<object>;

/** The process as its threads see it. */
export interface ThreadOwner {
  readonly account: Account;
  readonly share: Share;
  readonly descriptors: DescriptorTable;
  readonly ended: boolean;
  answer(call: ProcessCall): GuestAnswer;
  /** While the process is stopped: what is woken when it goes on. */
  readonly paused: WaitQueue | undefined;
  /** A call got its result; `own` is what ends with the worker that made it. */
  answered(call: ProcessCall, result: object, own: Belongings | undefined): void;
  /** One request was served, which took so long; `more`: another part of the one before. */
  served(milliseconds: number, more: boolean): void;
  /** How long its next request has to wait. */
  pauseMs(): number;
  /** Bytes went through a descriptor of this kind. */
  moved(kind: StreamKind, direction: "in" | "out", bytes: number): void;
  happened(event: ProcessEvent): void;
  /** 0, or why a stream must not be read by the process now; -EAGAIN until the stream says so. */
  mayRead(stream: Stream): number;
  brokenPipe(): void;
  /** Ends the process for what its guest did. */
  violated(reason: string): void;
  /** The process, whose last fork failed with `errno` or did not, waits for the order to fork, which `give` brings: 0, or -errno. */
  awaitsFork(errno: number, give: (fds: readonly number[]) => number): number;
  /** What the dynamic linker is to load. */
  image(args: CallArgs<Calls, "image">): Image | number | Deferred<Image>;
  /** Whether it may print by a pipe of the OS. */
  readonly mayPrintByPipe: boolean;
  /** Opens a socket for one more thread and says so over this one's: 0, or -errno. */
  openThread(via: GuestThread, announcement: (thread: number) => Buffer): number;
  /** One of its threads has ended; answered when what was the thread's is closed. */
  threadEnded(thread: number): Deferred<object>;
  /** A file watch is no longer wanted. */
  unwatch(watch: number): void;
}

const port = new ServingPort(guestWire);
const [flowWrite, flowData] = [guestFlowEvents.flowWrite.nr, kernelFlowEvents.flowData.nr];

function isAtTheDoor(call: GuestCall): call is Extract<GuestCall, { name: CallAtTheDoor }> {
  return (atTheDoor as readonly string[]).includes(call.name);
}

export class GuestThread implements Source {
  readonly #owner: ThreadOwner;
  readonly #socket: GuestSocket;
  /** System calls that wait for an answer. */
  readonly #calls = new Set<() => void>();
  readonly #flows: FlowTable;
  /** What ends with it; the main thread ends with its process. */
  readonly #own: ThreadDescriptors | undefined;
  /** Output it may still send, per descriptor, and what of its credit it has not been told. */
  readonly #window: number[];
  readonly #credit = [0, 0, 0];
  /** Where its output goes, per descriptor. */
  readonly #targets: (OutputTarget | undefined)[] = [];
  /** What it prints through, and what of that the host has not taken. */
  #pipe: OutputPipe | undefined;
  #pipedBytes = 0;
  /** The frame in hand is output that goes on with output. */
  #joins = false;
  /** Signals that it is told of as soon as it reads again; once each, as in signal(7). */
  readonly #signals = new Set<number>();
  /** Woken when it has read what was there for it. */
  readonly #read = new WaitQueue();
  #unreadBytes = 0;
  /** The same as what it occupies. */
  #costBytes = 0;
  #unread = 0;
  /** Frames that are not whole, or wait. */
  #occupiedBytes = 0;
  /** What it was given to load, until its next message. */
  #image: Image | undefined;
  /** Whether an image's descriptor may be on its way to it. */
  #sentImage = false;
  #retry: NodeJS.Timeout | undefined;
  #retries = 0;
  #closed = false;

  constructor(owner: ThreadOwner, socket: GuestSocket, isWorker: boolean) {
    const { outputWindowBytes } = limits;
    this.#owner = owner;
    if (isWorker)
      this.#own = new ThreadDescriptors(owner.descriptors, (watch) => owner.unwatch(watch));
    this.#socket = socket;
    this.#window = [0, outputWindowBytes, outputWindowBytes];
    this.#flows = new FlowTable(
      {
        account: owner.account,
        descriptors: owner.descriptors,
        isEnded: () => owner.ended,
        notifyFlow: (name, args) => {
          if ("fd" in args) this.#own?.owns(Number(args.fd), true);
          this.tell(name, args);
        },
        sendData: (flow, data) => {
          if (!owner.ended) this.#sendParts(flowParts(flowData, flow, data));
        },
        moved: (kind, direction, bytes) => owner.moved(kind, direction, bytes),
        brokenPipe: () => owner.brokenPipe(),
        mayRead: (stream) => owner.mayRead(stream),
        unread: () => (this.isBehind ? this.#read : undefined),
      },
      limits.flows,
    );
  }

  get socket(): GuestSocket {
    return this.#socket;
  }

  /** Whether so much waits for it that it gets nothing more for now. */
  get isBehind(): boolean {
    return this.#costBytes > limits.unreadPauseBytes;
  }

  /** Whether no call and no flow is under way, it has read everything, and has no way to the kernel but its socket. */
  get isIdle(): boolean {
    return (
      this.#calls.size === 0 &&
      this.#flows.size === 0 &&
      this.#unread === 0 &&
      this.#pipe === undefined &&
      !this.#sentImage &&
      this.#occupiedBytes === 0
    );
  }

  // What comes from the guest.

  /** Whether a frame may come now; otherwise `proceed` lets them come. */
  ready(): boolean {
    return !this.#waits() && !this.#pauses() && this.#owner.share.admits(this);
  }

  /** Takes one frame, and answers whether another may come, as `ready`. */
  frame(frame: Frame, isLast: boolean): boolean {
    const { share } = this.#owner;
    const goesOn = share.serve(this, () => this.#take(frame), !isLast);
    if (this.#waitsFor === undefined) return goesOn && !this.#pauses();
    share.forget(this);
    return !this.#waits();
  }

  /** Whether nothing of it is taken now; then it goes on when that is over. */
  #waits(): boolean {
    const queue = this.#waitsFor;
    queue?.add(() => this.proceed());
    return queue !== undefined;
  }

  /** What has to happen before anything of it is taken. */
  get #waitsFor(): WaitQueue | undefined {
    if (this.isBehind) return this.#read;
    const [, out, err] = this.#targets;
    if (out?.stream.isFull === true) return out.stream.writable;
    if (err?.stream.isFull === true) return err.stream.writable;
    return this.#owner.paused;
  }

  /** Whether it has asked too often and has to wait; `proceed` goes on after it. */
  #pauses(): boolean {
    const pauseMs = this.#owner.pauseMs();
    if (pauseMs > 0) setTimeout(() => this.proceed(), pauseMs);
    return pauseMs > 0;
  }

  served(milliseconds: number): void {
    this.#owner.served(milliseconds, this.#joins);
  }

  proceed(): void {
    if (this.#closed) return;
    this.#pipe?.proceed();
    this.#socket.proceed();
  }

  /** What has come was taken, for now. */
  rested(): void {
    flushOutput();
  }

  /** Its frames that are not whole, or wait, occupy so much; answers whether more may come. */
  occupies(bytes: number): boolean {
    if (this.#closed) return false;
    const { account } = this.#owner;
    account.shrink(this.#occupiedBytes - bytes);
    this.#occupiedBytes = bytes;
    if (bytes <= limits.partialFreeBytes || !account.isOver) {
      this.#retries = 0;
      return true;
    }
    // The rest of this frame may be what makes room: a guest must not wait for itself for ever.
    if (this.#retries >= limits.partialRetries) return true;
    this.#retry ??= setTimeout(() => {
      this.#retry = undefined;
      this.#retries++;
      this.proceed();
    }, limits.partialRetryMs);
    return false;
  }

  /** What is kept of a frame are copies, but by calls that wait. */
  #take(frame: Frame): void {
    this.#joins = false;
    this.#dropImage();
    if (frame.number === flowWrite && frame.kind === FrameKind.event && frame.tooLong !== true) {
      flushOutput();
      this.#flows.write(flowOf(frame.payload), flowBytes(frame.payload));
      frame.released = true;
      return;
    }
    port.take(
      frame,
      (call) => {
        flushOutput();
        if (frame.passing === true && !this.#storesAtOnce(call)) port.own(call);
        const waits = this.#call(call);
        frame.released = !waits || this.#isCopied(call);
      },
      (event) => {
        this.#happened(event);
        frame.released = true;
      },
      (call) => this.#send(port.failure(call, { errno: Errno.ENAMETOOLONG, message: "" })),
    );
  }

  /** Answers whether the call waits. */
  #call(call: GuestCall): boolean {
    if (call.name === "threadSocket") {
      const opened = this.#owner.ended
        ? -Errno.ESRCH
        : this.#owner.openThread(this, (thread) => port.reply(call, { thread }));
      // Otherwise the reply went out with the descriptor.
      if (opened < 0) this.#reply(call, opened);
      return false;
    }
    if (call.name === "awaitFork") {
      const reply = port.reply(call, {});
      const give = (fds: readonly number[]): number =>
        this.#closed ? -Errno.EPIPE : this.#socket.sendDescriptors(reply, fds);
      const awaits = this.#owner.ended
        ? -Errno.ESRCH
        : this.#owner.awaitsFork(call.args.errno, give);
      if (awaits < 0) this.#reply(call, awaits);
      return false;
    }
    if (call.name === "outputPipe") {
      const opened = this.#openPipe(port.reply(call, {}));
      if (opened < 0) this.#reply(call, opened);
      return false;
    }
    if (call.name === "image" && !this.#mayBeSent()) {
      this.#reply(call, -Errno.EAGAIN);
      return false;
    }
    const answer: GuestAnswer =
      call.name === "flowShutdown"
        ? this.#flows.shutdown(call.args.flow)
        : call.name === "image"
          ? this.#owner.image(call.args)
          : call.name === "threadEnded"
            ? this.#owner.threadEnded(call.args.thread)
            : this.#owner.answer(call);
    if (answer instanceof Deferred) {
      this.#await(call, answer);
      return true;
    }
    this.#reply(call, answer);
    return false;
  }

  /**
   * Descriptors on their way count against all that this process sends: of images a thread has one, and gets
   * no other before it has read what came with that. Asking again helps, as the thread reads to hear of it.
   */
  #mayBeSent(): boolean {
    if (this.#sentImage && this.#socket.isRead) this.#sentImage = false;
    return !this.#sentImage;
  }

  /** Answers with an image, which is this thread's until its next message. */
  #give(call: GuestCall, image: Image): void {
    const reply = port.reply(call, {} as never);
    const sent = this.#mayBeSent()
      ? this.#socket.sendDescriptors(reply, [image.fd])
      : -Errno.EAGAIN;
    if (sent < 0) {
      image.close();
      return this.#reply(call, sent);
    }
    this.#dropImage();
    this.#image = image;
    this.#sentImage = true;
  }

  #dropImage(): void {
    this.#image?.close();
    this.#image = undefined;
  }

  #await(call: GuestCall, answer: Deferred<object> | Deferred<object | Denial>): void {
    const { account } = this.#owner;
    const { argumentBytes } = call;
    if (this.#calls.size >= limits.pendingCalls || !account.take("call", argumentBytes)) {
      answer.cancel();
      return this.#reply(call, -Errno.EAGAIN);
    }
    const cancel = (): void => {
      account.give("call", argumentBytes);
      answer.cancel();
    };
    this.#calls.add(cancel);
    answer.whenSettled((result: object | number) => {
      this.#calls.delete(cancel);
      account.give("call", argumentBytes);
      if (this.#owner.ended) {
        if (result instanceof Image) result.close();
        return;
      }
      try {
        this.#owner.share.bill(() => this.#reply(call, result));
      } catch (error) {
        // Whoever settled it does not answer for this guest.
        this.#owner.violated(error instanceof Error ? error.message : String(error));
      }
    });
  }

  /** Whether a call's bytes are in a file of the machine's, or nowhere, once it is answered, which is at once. */
  #storesAtOnce(call: GuestCall): boolean {
    return call.name === "write" && this.#owner.descriptors.file(call.args.fd)?.isStored === true;
  }

  /** Whether what a call that waits was given has been copied, or is done with. */
  #isCopied(call: GuestCall): boolean {
    // It is in the host's frame.
    if (call.name === "valuePart") return true;
    if (call.name !== "write") return false;
    const stream = this.#owner.descriptors.stream(call.args.fd);
    return stream === undefined || stream.kind === "pipe" || stream.kind === "null";
  }

  #happened(event: GuestEvent): void {
    if (event.name !== "output") flushOutput();
    switch (event.name) {
      case "output":
        return this.#output(event.args.fd, event.args.data);
      case "printed":
        this.#pipe?.printed(event.args.bytes);
        return;
      case "flowWrite":
        return this.#flows.write(event.args.flow, event.args.data);
      case "flowOpen":
      case "flowRead":
      case "flowHold":
      case "flowPass":
      case "flowClose":
        return this.#flows.event(event);
      case "descriptorOwned":
        return this.#own?.owns(event.args.fd, event.args.owned);
      case "ready":
        throw new MalformedMessage("ready after start");
      default:
        return this.#owner.happened(event);
    }
  }

  /** The quick way to the host's streams: no reply, only credit. */
  #output(fd: number, data: Uint8Array): void {
    if (fd !== 1 && fd !== 2) throw new MalformedMessage(`output descriptor ${fd}`);
    const size = data.byteLength;
    this.#window[fd]! -= size;
    if (this.#window[fd]! < 0) throw new MalformedMessage("output beyond the window");
    this.#owner.moved("host", "out", size);
    const stream = this.#owner.descriptors.stream(fd);
    if (!(stream instanceof HostOutput)) return this.#grant(fd, size);
    let target = this.#targets[fd];
    if (target?.stream !== stream) {
      // Of one thread and descriptor it is one writer, whatever the descriptor stands for in turn.
      const taken = target?.taken ?? ((bytes: number): void => this.#grant(fd, bytes));
      target = { stream, taken };
      this.#targets[fd] = target;
    }
    this.#joins = addOutput(target, data);
  }

  /** Gives it a pipe to print through: 0, or -errno. */
  #openPipe(reply: Buffer): number {
    const { account, descriptors, ended, mayPrintByPipe } = this.#owner;
    if (ended || !mayPrintByPipe) return -Errno.EPERM;
    if (this.#pipe !== undefined) return -Errno.EEXIST;
    if (!(descriptors.stream(1) instanceof HostOutput)) return -Errno.EBADF;
    if (!account.take("outputPipe")) return -Errno.EMFILE;
    const ends = libc.pipe2(libc.O_CLOEXEC | libc.O_NONBLOCK);
    const sent = typeof ends === "number" ? ends : this.#socket.sendDescriptors(reply, [ends[1]]);
    if (typeof ends !== "number") {
      libc.close(ends[1]);
      if (sent < 0) libc.close(ends[0]);
    }
    if (typeof ends === "number" || sent < 0) {
      account.give("outputPipe");
      return sent;
    }
    this.#pipe = new OutputPipe(ends[0], {
      came: (data) => this.#piped(data),
      must: (data) => this.#print(data),
    });
    return 0;
  }

  /** The pipe has brought something; answers whether it may bring more. */
  #piped(data: Buffer): boolean {
    const { share } = this.#owner;
    // What came is there, whoever's turn it is; the next waits for this VM's.
    const isReady = this.ready();
    if (!isReady) this.#print(data);
    this.#joins = false;
    const goesOn = isReady && share.serve(this, () => this.#print(data));
    return goesOn && !this.#pauses() && this.#pipedBytes < limits.outputWindowBytes;
  }

  #print(data: Buffer): void {
    flushOutput();
    this.#owner.moved("host", "out", data.byteLength);
    const stream = this.#owner.descriptors.stream(1);
    if (!(stream instanceof HostOutput)) return;
    this.#pipedBytes += data.byteLength;
    stream.forward(data, this.#pipedTaken);
  }

  readonly #pipedTaken = (bytes: number): void => {
    const wasFull = this.#pipedBytes >= limits.outputWindowBytes;
    this.#pipedBytes -= bytes;
    if (wasFull && this.#pipedBytes < limits.outputWindowBytes) this.#pipe?.proceed();
  };

  #grant(fd: number, bytes: number): void {
    if (this.#closed) return;
    this.#window[fd] = Math.min(limits.outputWindowBytes, this.#window[fd]! + bytes);
    this.#credit[fd]! += bytes;
    if (this.#unread === 0) this.#tellSums();
  }

  // What goes to the guest.

  signal(signal: number): void {
    this.#signals.add(signal);
    if (this.#unread === 0) this.#tellSums();
  }

  /** What has added up while it did not read. */
  #tellSums(): void {
    for (const fd of [1, 2]) {
      const bytes = this.#credit[fd]!;
      if (bytes === 0) continue;
      this.#credit[fd] = 0;
      this.tell("credit", { fd, bytes });
    }
    for (const signal of this.#signals) {
      this.#signals.delete(signal);
      this.tell("signal", { signal });
    }
  }

  tell<K extends keyof typeof kernelEvents>(
    name: K,
    args: EventArgs<typeof kernelEvents, K>,
  ): void {
    if (!this.#owner.ended && !this.#closed) this.#send(port.event(name, args));
  }

  #reply(call: GuestCall, result: object | number): void {
    if (typeof result === "number")
      return this.#send(port.failure(call, { errno: -result, message: "" }));
    if (result instanceof Denial)
      return this.#send(port.failure(call, { errno: -result.errno, message: result.message }));
    if (result instanceof Image) return this.#give(call, result);
    if (!isAtTheDoor(call)) this.#owner.answered(call, result, this.#own);
    this.#sendParts(port.replyParts(call, result as never));
  }

  #send(frame: Buffer): void {
    this.#sendParts([frame]);
  }

  #sendParts(parts: FrameParts): void {
    if (this.#closed || this.#socket.sendParts(parts)) return;
    // It waits in this process until the guest reads.
    let bytes = 0;
    for (const { byteLength } of parts) bytes += byteLength;
    const { account } = this.#owner;
    if (!account.take("unread", bytes)) {
      if (this.#costBytes > limits.unreadFreeBytes)
        return this.#owner.violated("answers and events are not being read");
      account.force("unread", bytes);
    }
    this.#unread++;
    this.#unreadBytes += bytes;
    this.#costBytes += bytes + accountKinds.unread.bytes;
    if (this.#costBytes > limits.unreadBytes)
      this.#owner.violated("answers and events are not being read");
  }

  /** Its socket has taken all that waited. */
  drained(): void {
    this.#giveBack();
    if (this.#closed) return;
    this.#tellSums();
    if (!this.isBehind) this.#read.wakeAll();
  }

  #giveBack(): void {
    const { account } = this.#owner;
    if (this.#unread === 0) return;
    account.give("unread", this.#unreadBytes);
    for (let other = 1; other < this.#unread; other++) account.give("unread");
    this.#unread = 0;
    this.#unreadBytes = 0;
    this.#costBytes = 0;
  }

  /** Nobody hears the answers any more. The latest first: what waits for a place is gone before those that have one give it up. */
  cancelCalls(): void {
    for (const cancel of Array.from(this.#calls).reverse()) cancel();
    this.#calls.clear();
  }

  /** The thread has ended, or its process. */
  close(): void {
    if (this.#closed) return;
    if (this.#pipe !== undefined) {
      this.#pipe.close();
      this.#owner.account.give("outputPipe");
    }
    this.#closed = true;
    this.cancelCalls();
    this.#dropImage();
    this.#flows.closeAll();
    this.#own?.closeAll();
    this.#owner.share.forget(this);
    this.#giveBack();
    clearTimeout(this.#retry);
    this.#owner.account.shrink(this.#occupiedBytes);
    this.#occupiedBytes = 0;
  }
}
