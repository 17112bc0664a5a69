/**
 * Owns what a libuv stream handle is to Node, over a descriptor of the kernel:
 * reading and writing in events within windows, requests and their completions,
 * the part in keeping the event loop alive, closing.
 *
 * It extends the engine's own JSStream, so native consumers (TLS, HTTP parser,
 * HTTP/2) take it for the StreamBase that it is: they come in through `onwrite`
 * and `onshutdown` and get their bytes from `readBuffer`. Node's JavaScript calls
 * the write functions below, which complete at once while the window has room.
 */
import { Errno } from "../../abi/errno.js";
import { flowWindowBytes } from "../../protocol/flow-calls.js";
import type { Channel } from "../channel.js";
import { beforeLoad } from "../builtin-loads.js";
import { joinCopies } from "../copying.js";
import { currentFrame, deliver, deliverAtOnce } from "../delivery.js";
import { QuietStream } from "../engine-stream.js";
import type { EngineModule, EngineRequest } from "../engine-types.js";
import type { GuestEnvironment, KernelClient } from "../environment.js";
import { beginEngineHandle, beginRequest, endHandle } from "../async-resources.js";
import type { Provider } from "../async-resources.js";
import { Outbox } from "./stream-outbox.js";
import { LoopHold } from "../loop-hold.js";
import { inCheckPhase, later, laterThanImmediates } from "../turns.js";
import { http2Frames, tlsRecords } from "../wire-frames.js";
import type { WireFrames } from "../wire-frames.js";

/** What one read takes at most; uv__read of libuv's src/unix/stream.c asks for as much. */
const readBytes = 64 * 1024;
const UV_EOF = -4095;
/** Descriptors that every process has of its own. */
const lastStdio = 2;

/** Bytes, a descriptor that comes with the next ones, or the end as uv_read_cb knows it. */
type Incoming = Uint8Array | number | { fd: number; kind: string };

/** Buffers and texts; behind each its encoding, unless all are buffers. */
export type WriteChunks = readonly (Uint8Array | string)[];

/** What `writev` of src/stream_base.cc is given: buffers alone, or chunks and their encodings in turn. */
export function chunksOf(chunks: WriteChunks, allBuffers: boolean): Uint8Array[] {
  if (allBuffers) return (chunks as readonly Uint8Array[]).slice();
  const list: Uint8Array[] = [];
  for (let at = 0; at < chunks.length; at += 2) {
    const chunk = chunks[at]!;
    list.push(
      typeof chunk === "string" ? Buffer.from(chunk, chunks[at + 1] as BufferEncoding) : chunk,
    );
  }
  return list;
}

/** A write that is done, or will not be. */
interface Completion {
  req: EngineRequest;
  status: number;
}

/** A request to shut down the sending side. */
interface Ending {
  req: EngineRequest;
  native: boolean;
}

/** Of the `stream_wrap` binding: where results go that are no return values. */
interface StreamState {
  state: Int32Array;
  readBytesOrError: number;
  arrayBufferOffset: number;
  bytesWritten: number;
  lastWriteWasAsync: number;
  lastWriteError: number;
}

interface WriteRequest extends EngineRequest {
  writeStatus?: unknown;
}

let kernel: KernelClient;
export let streamState: StreamState;
let WriteWrap: new () => WriteRequest;
let enqueueMicrotask: (run: () => void) => void;
/** Ticks and microtasks, as behind a call from C++. */
let runTicks: () => void;

/** Makes the handle for a descriptor that arrived over a channel, by its kind. */
export const adopters = new Map<string, (fd: number) => unknown>();

/** Open handles by the number of their flow. */
const handles = new Map<number, StreamHandle>();
let nextFlow = 1;
/** The TLS layer on top of a handle: a read error has no way to it through a JSStream. */
const secured = new WeakMap<object, { onread?(buffer: unknown): void }>();

export class StreamHandle extends QuietStream {
  /** What lib/net.js finds beside the next bytes. */
  declare pendingHandle: unknown;
  #flow = 0;
  #fd = -1;
  #consumed = 0;
  #reading = false;
  #started = false;
  /** The piece that was asked for has not come. */
  #asked = false;
  #closed = false;
  readonly #hold = new LoopHold(kernel);
  #busy = false;
  #writeError = 0;
  #written = 0;
  readonly #outbox = new Outbox(kernel, this);
  /** What came while nobody was reading. */
  #inbox: Incoming[] = [];
  #drainScheduled = false;
  /** A turn to read is under way. */
  #pulling = false;
  #ending: Ending | undefined;
  #completions: Completion[] = [];
  /** Those of its native consumer. */
  #nativeCompletions: Completion[] = [];
  #frame: unknown;
  /** Where those end that it carries. */
  #frames: WireFrames | undefined;
  /** Whether its native consumer takes completions inside the calls that write. */
  #completesAtOnce = false;
  /** Size of the buffer that the reader gave, or 0. */
  #userBufferBytes = 0;
  #parted = false;

  constructor(provider: Provider) {
    super();
    beginEngineHandle(provider, this as never);
  }

  /** Takes over an open descriptor. Answers 0 or a negative errno. */
  open(fd: number): number {
    if (this.#closed) return -Errno.EBADF;
    if (this.#fd >= 0) return -Errno.EEXIST;
    if (typeof fd !== "number" || fd < 0) return -Errno.EBADF;
    this.#fd = fd;
    return 0;
  }

  /** Whether there is a descriptor to work on. */
  get isOpen(): boolean {
    return this.#fd >= 0 && !this.#closed;
  }

  get fd(): number {
    return this.#closed ? -1 : this.#fd;
  }

  /** Of its flow, or 0. */
  get flow(): number {
    return this.#flow;
  }

  get bytesWritten(): number {
    return this.#written;
  }

  get writeQueueSize(): number {
    return this.#outbox.bytes;
  }

  setBlocking(): number {
    return 0;
  }

  ref(): void {
    this.#hold.referenced = true;
  }

  unref(): void {
    this.#hold.referenced = false;
  }

  hasRef(): boolean {
    return this.#hold.isReferenced && !this.#closed;
  }

  /** Something besides reading that counts as activity: listening. */
  set active(value: boolean) {
    this.#busy = value;
    this.#updateHold();
  }

  #updateHold(): void {
    this.#hold.active = !this.#closed && (this.#reading || this.#busy);
  }

  #openFlow(): boolean {
    if (this.#flow !== 0) return true;
    if (!this.isOpen) return false;
    this.#flow = nextFlow++;
    handles.set(this.#flow, this);
    kernel.event("flowOpen", { flow: this.#flow, fd: this.#fd });
    return true;
  }

  // Reading.

  readStart(): number {
    if (this.#closed) return -Errno.EBADF;
    if (!this.#openFlow()) return -Errno.ENOTCONN;
    this.#reading = true;
    this.#updateHold();
    if (!this.#started) {
      // Not before the caller is done: the next thing that it does may be to hand the stream to
      // a child, and what was asked for until then would be lost.
      enqueueMicrotask(() => this.#start());
    } else this.#topUp();
    if (this.#inbox.length > 0) this.#scheduleDrain();
    return 0;
  }

  #start(): void {
    if (this.#started || !this.#reading || this.#closed) return;
    this.#started = true;
    this.#asked = true;
    kernel.event("flowRead", { flow: this.#flow, bytes: flowWindowBytes });
  }

  readStop(): number {
    this.#reading = false;
    this.#updateHold();
    return 0;
  }

  /** Gives back what may be read and has not come: it is for whoever reads next. */
  holdReading(): void {
    if (!this.#started || this.#closed) return;
    this.#started = false;
    this.#asked = false;
    this.#consumed = 0;
    kernel.event("flowHold", { flow: this.#flow });
  }

  onreadstart(): number {
    return this.readStart();
  }

  onreadstop(): number {
    return this.readStop();
  }

  isClosing(): boolean {
    return this.#closed;
  }

  override useUserBuffer(buffer: Uint8Array): void {
    this.#userBufferBytes = buffer.byteLength;
    super.useUserBuffer(buffer);
  }

  /** Whether the kernel gives one piece at a time, as it does of what others may read as well. */
  protected get isShared(): boolean {
    return false;
  }

  #topUp(): void {
    if (this.isShared) {
      // Not before the reader is done: it may have had enough.
      later(() => {
        if (!this.#reading || this.#closed || !this.#started || this.#asked) return;
        this.#asked = true;
        kernel.event("flowRead", { flow: this.#flow, bytes: flowWindowBytes });
      });
      return;
    }
    if (this.#consumed < flowWindowBytes / 2) return;
    kernel.event("flowRead", { flow: this.#flow, bytes: this.#consumed });
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
    if (this.#pulling || !this.#reading || this.#inbox.length === 0) return;
    this.#pulling = true;
    deliver(undefined, undefined, () => {
      this.#pulling = false;
      try {
        if (this.#reading && !this.#closed) this.#pull();
      } finally {
        if (!this.#closed) this.#drain();
      }
    });
  }

  received(item: Incoming): void {
    if (this.#closed) return;
    this.#asked = false;
    this.#inbox.push(item);
    this.#drain();
  }

  #pull(): void {
    if (this.#frames !== undefined && !this.#settleWrites()) return;
    let item = this.#inbox.shift();
    while (typeof item === "object" && "fd" in item) {
      this.pendingHandle = item.fd < 0 ? null : (adopters.get(item.kind)?.(item.fd) ?? null);
      item = this.#inbox.shift();
    }
    if (item === undefined) return;
    if (typeof item === "number") return this.#end(item);
    item = this.#joined(item);
    let part = item;
    // The engine would fill a buffer of the reader's again and again, past a pause.
    if (this.#userBufferBytes > 0 && item.byteLength > this.#userBufferBytes) {
      part = item.subarray(0, this.#userBufferBytes);
      this.#inbox.unshift(item.subarray(this.#userBufferBytes));
    }
    if (this.#frames === undefined) this.#give(part);
    else this.#readFrames(part, this.#frames);
    if (this.#reading && !this.#closed) this.#topUp();
  }

  /** A stream of bytes keeps no borders between writes: `first` with what came right behind it, as one read(2) takes it. */
  #joined(first: Uint8Array): Uint8Array {
    let bytes = first.byteLength;
    let count = 0;
    for (; count < this.#inbox.length; count++) {
      const next = this.#inbox[count];
      if (!(next instanceof Uint8Array) || bytes + next.byteLength > readBytes) break;
      bytes += next.byteLength;
    }
    if (count === 0) return first;
    const whole = new Uint8Array(bytes);
    whole.set(first);
    let at = first.byteLength;
    for (let i = 0; i < count; i++) {
      const next = this.#inbox.shift() as Uint8Array;
      whole.set(next, at);
      at += next.byteLength;
    }
    return whole;
  }

  #give(part: Uint8Array): void {
    this.#consumed += part.byteLength;
    this.readBuffer(part);
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
        runTicks();
        if (!this.#settleWrites()) return;
      }
    } finally {
      // For when it is read on, also behind a callback that threw.
      if (rest.byteLength > 0 && !this.#closed) this.#inbox.unshift(rest);
    }
  }

  /**
   * Before the consumer is given more, it hears that what it wrote is written: TLS keeps back what it has to say
   * until then, and would lose it to a close in this turn. libuv reads no stream twice before that either.
   * Answers whether more may be given.
   */
  #settleWrites(): boolean {
    if (this.#nativeCompletions.length > 0) {
      this.#finishWrites();
      runTicks();
    }
    return this.#reading && !this.#closed;
  }

  #end(errno: number): void {
    // libuv stops reading by itself at the end.
    this.#reading = false;
    this.#updateHold();
    if (errno === UV_EOF) return this.emitEOF();
    const target = secured.get(this) ?? this;
    streamState.state[streamState.readBytesOrError] = errno;
    streamState.state[streamState.arrayBufferOffset] = 0;
    target.onread?.(undefined);
  }

  // Writing.

  writeBuffer(req: WriteRequest | null | undefined, data: Uint8Array): unknown {
    return this.#write(req, [data], -1);
  }

  writeUtf8String(
    req: WriteRequest | null | undefined,
    text: string,
    handle?: { fd: number },
  ): unknown {
    return this.#write(req, [Buffer.from(text, "utf8")], handle?.fd ?? -1);
  }

  writeAsciiString(req: WriteRequest | null | undefined, text: string): unknown {
    return this.#write(req, [Buffer.from(text, "latin1")], -1);
  }

  writeLatin1String(req: WriteRequest | null | undefined, text: string): unknown {
    return this.#write(req, [Buffer.from(text, "latin1")], -1);
  }

  writeUcs2String(req: WriteRequest | null | undefined, text: string): unknown {
    return this.#write(req, [Buffer.from(text, "utf16le")], -1);
  }

  writev(req: WriteRequest | null | undefined, chunks: WriteChunks, allBuffers: boolean): unknown {
    const list = chunksOf(chunks, allBuffers);
    return this.#write(req, list, -1);
  }

  #write(req: WriteRequest | null | undefined, chunks: Uint8Array[], passedFd: number): unknown {
    let bytes = 0;
    // By index here and below: the program may have taken the iterators of arrays away.
    for (let at = 0; at < chunks.length; at++) bytes += chunks[at]!.byteLength;
    streamState.state[streamState.bytesWritten] = bytes;
    streamState.state[streamState.lastWriteWasAsync] = 0;
    streamState.state[streamState.lastWriteError] = 0;
    if (this.#closed) return -Errno.EBADF;
    if (this.#writeError !== 0) return this.#writeError;
    if (!this.#openFlow()) return -Errno.EBADF;
    this.#written += bytes;
    if (this.#outbox.takes(bytes)) {
      this.#outbox.send(chunks, bytes, passedFd);
      return 0;
    }
    let wrap = req;
    if (wrap === null || wrap === undefined) {
      wrap = new WriteWrap();
      wrap.writeStatus = null;
    }
    beginRequest("WRITEWRAP", wrap);
    this.#outbox.queue({ chunks, bytes, req: wrap, native: false, passedFd });
    streamState.state[streamState.lastWriteWasAsync] = 1;
    return req === null || req === undefined ? wrap : 0;
  }

  /**
   * Its native consumer is a session of HTTP/2. What that has to say when it is destroyed in the same turn
   * must not wait for what it has said: its writes are done when they return, as with uv_try_write.
   */
  servesSession(): void {
    this.#completesAtOnce = true;
    this.#frames = http2Frames();
  }

  /** Its native consumer is TLS. */
  servesTls(): void {
    this.#frames = tlsRecords();
  }

  /** A native consumer writes. */
  onwrite(req: EngineRequest, bufs: Uint8Array[]): number {
    let bytes = 0;
    for (let at = 0; at < bufs.length; at++) bytes += bufs[at]!.byteLength;
    if (this.#closed) return -Errno.EBADF;
    if (this.#writeError !== 0) return this.#writeError;
    if (!this.#openFlow()) return -Errno.EBADF;
    this.#written += bytes;
    if (this.#outbox.takes(bytes)) {
      this.#outbox.send(bufs, bytes, -1);
      if (this.#completesAtOnce) this.finishWrite(req, 0);
      else this.complete(req, 0, true);
    } else this.#outbox.queue({ chunks: bufs, bytes, req, native: true, passedFd: -1 });
    return 0;
  }

  credited(bytes: number): void {
    this.#outbox.credited(bytes);
  }

  broken(errno: number): void {
    this.#writeError = errno;
    this.#outbox.fail(errno);
    this.#shutDown();
  }

  /** What `req` asked for is done; it hears of that later. */
  complete(req: EngineRequest, status: number, native: boolean): void {
    const list = native ? this.#nativeCompletions : this.#completions;
    list.push({ req, status });
    if (list.length > 1) return;
    // The loop stays alive: an immediate is referenced.
    if (native) inCheckPhase(() => deliverAtOnce(() => this.#finishWrites()));
    else later(() => this.#runCompletions());
  }

  #runCompletions(): void {
    this.#completions.splice(0).forEach(({ req, status }) => {
      deliver(this.#frame, req, () => req.oncomplete?.(status, this, undefined));
    });
  }

  #finishWrites(): void {
    for (let done = this.#nativeCompletions.shift(); done !== undefined;) {
      this.finishWrite(done.req, done.status);
      done = this.#nativeCompletions.shift();
    }
  }

  // In a set-up, and its copies.

  /** Of its descriptor nothing is under way, and the kernel knows of none that is. */
  get isParted(): boolean {
    return this.#parted;
  }

  /**
   * The set-up has ended. A copy has stdin of its own; a connection that is not in use is closed, as two cannot talk in one;
   * what is in use keeps the process from being copied.
   */
  part(): void {
    const inUse = this.#hold.isHeld || !this.#outbox.isEmpty || this.#ending !== undefined;
    if (this.#parted || (inUse && this.#fd > lastStdio)) return;
    this.#parted = true;
    kernel.event("flowClose", { flow: this.#flow, reset: false, unread: false });
  }

  /** In a copy: goes on with what is its own, or sees the end of what is not. */
  beginAnew(): void {
    this.#parted = false;
    handles.delete(this.#flow);
    this.#flow = 0;
    if (this.#fd > lastStdio) {
      this.#fd = -1;
      this.broken(-Errno.EPIPE);
      return this.received(UV_EOF);
    }
    this.#outbox.beginAnew();
    this.#consumed = 0;
    this.#started = false;
    if (this.#reading) this.readStart();
  }

  // The end.

  /** A native consumer ends it. */
  onshutdown(req: EngineRequest): number {
    return this.#endWith({ req, native: true });
  }

  /** Node's JavaScript does; not by way of the engine, which would call back as of the handle. */
  shutdown(req: EngineRequest): number {
    const result = this.#endWith({ req, native: false });
    if (result === 0) beginRequest("SHUTDOWNWRAP", req, this);
    return result;
  }

  #endWith(ending: Ending): number {
    if (this.#closed || !this.#openFlow()) return -Errno.ENOTCONN;
    this.#ending = ending;
    if (this.#outbox.isEmpty) this.#shutDown();
    return 0;
  }

  #ended({ req, native }: Ending, status: number): void {
    if (native) deliver(undefined, undefined, () => this.finishShutdown(req, status));
    else deliver(this.#frame, req, () => req.oncomplete?.(status));
  }

  emptied(): void {
    this.#shutDown();
  }

  #shutDown(): void {
    const ending = this.#ending;
    if (ending === undefined) return;
    this.#ending = undefined;
    kernel.callAsync("flowShutdown", { flow: this.#flow }, (result) => {
      const status = this.#closed ? -Errno.ECANCELED : typeof result === "number" ? result : 0;
      this.#ended(ending, status);
    });
  }

  close(done?: () => void): void {
    this.closeWith(false, done);
  }

  closeWith(reset: boolean, done?: () => void): void {
    if (this.#closed) return;
    const unread = this.#inbox.some((item) => item instanceof Uint8Array);
    // Only a flow can be told to reset.
    if (reset) this.#openFlow();
    this.#closed = true;
    this.#reading = false;
    this.#updateHold();
    this.#outbox.fail(-Errno.ECANCELED);
    const ending = this.#ending;
    this.#ending = undefined;
    this.#inbox = [];
    if (this.#flow !== 0) {
      handles.delete(this.#flow);
      kernel.event("flowClose", { flow: this.#flow, reset, unread });
    } else if (this.#fd >= 0) kernel.callAsync("close", { fd: this.#fd }, () => undefined);
    const frame = currentFrame();
    laterThanImmediates(() => {
      if (ending !== undefined) this.#ended(ending, -Errno.ECANCELED);
      if (typeof done === "function") deliver(frame, this, () => Reflect.apply(done, this, []));
      later(() => endHandle(this as never));
    });
  }
}

/** A session of HTTP/2 on top of a handle is served as libuv serves it. */
function noteSessions({ Http2Session }: EngineModule): void {
  const { consume } = Http2Session.prototype;
  Http2Session.prototype.consume = function consumeHandle(handle: object) {
    if (handle instanceof StreamHandle) handle.servesSession();
    return Reflect.apply(consume, this, [handle]) as unknown;
  };
}

/** A read error reaches the TLS layer on top of a handle. */
function noteSecured(tlsWrap: EngineModule): void {
  const { wrap } = tlsWrap;
  tlsWrap.wrap = function wrapHandle(handle: object, ...rest: unknown[]) {
    const result = wrap(handle, ...rest);
    if (handle instanceof StreamHandle) {
      secured.set(handle, result);
      handle.servesTls();
    }
    return result;
  };
}

export function installStreams(env: GuestEnvironment): void {
  const binding = env.internalBinding("stream_wrap");
  ({ kernel } = env);
  ({ WriteWrap } = binding);
  streamState = {
    state: binding.streamBaseState,
    readBytesOrError: binding.kReadBytesOrError,
    arrayBufferOffset: binding.kArrayBufferOffset,
    bytesWritten: binding.kBytesWritten,
    lastWriteWasAsync: binding.kLastWriteWasAsync,
    lastWriteError: binding.kLastWriteErr,
  };
  runTicks = (process as unknown as { _tickCallback: () => void })._tickCallback;
  ({ enqueueMicrotask } = env.internalBinding("task_queue"));
  const { internalBinding, requireBuiltin } = env;
  beforeLoad(requireBuiltin, "internal/tls/wrap", () => noteSecured(internalBinding("tls_wrap")));
  beforeLoad(requireBuiltin, "internal/http2/core", () => noteSessions(internalBinding("http2")));
  joinCopies({
    stop: () => handles.forEach((handle) => handle.part()),
    begins: "first",
    begin: () => {
      const parted = [...handles.values()].filter((handle) => handle.isParted);
      for (const handle of parted) handle.beginAnew();
    },
  });
}

/** In the guest: takes the kernel's events. */
export function listenForFlows(channel: Channel): void {
  channel.on("flowData", ({ flow, data }) => handles.get(flow)?.received(data));
  channel.on("flowEnd", ({ flow, errno }) =>
    handles.get(flow)?.received(errno === 0 ? UV_EOF : -errno),
  );
  channel.on("flowWritten", ({ flow, bytes }) => handles.get(flow)?.credited(bytes));
  channel.on("flowBroken", ({ flow, errno }) => handles.get(flow)?.broken(-errno));
  channel.on("flowPassed", ({ flow, fd, kind }) => handles.get(flow)?.received({ fd, kind }));
}
