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
import type { Channel } from "../channel.js";
import { beforeLoad } from "../builtin-loads.js";
import { joinCopies } from "../copying.js";
import { currentFrame, deliver, deliverAtOnce } from "../delivery.js";
import { QuietStream } from "../engine-stream.js";
import type { EngineModule, EngineRequest } from "../engine-types.js";
import type { GuestEnvironment, KernelClient } from "../environment.js";
import { beginEngineHandle, beginRequest, endHandle } from "../async-resources.js";
import type { Provider } from "../async-resources.js";
import { Inbox } from "./stream-inbox.js";
import type { Incoming } from "./stream-inbox.js";
import { Outbox } from "./stream-outbox.js";
import { LoopHold } from "../loop-hold.js";
import { inCheckPhase, later, laterThanImmediates } from "../turns.js";
import { http2Frames, tlsRecords } from "../wire-frames.js";

const UV_EOF = -4095;
/** Descriptors that every process has of its own. */
const lastStdio = 2;

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

/** What comes goes into boxes, and what credit comes out of them, by the number of an open handle's flow. */
interface Flow {
  readonly handle: StreamHandle;
  readonly inbox: Inbox;
  readonly outbox: Outbox;
}
const flows = new Map<number, Flow>();

/** Whether any descriptor's bytes travel as events. */
export const hasFlows = (): boolean => flows.size > 0;
let nextFlow = 1;
/** The TLS layer on top of a handle: a read error has no way to it through a JSStream. */
const secured = new WeakMap<object, { onread?(buffer: unknown): void }>();

export class StreamHandle extends QuietStream {
  /** What lib/net.js finds beside the next bytes. */
  declare pendingHandle: unknown;
  #flow = 0;
  #fd = -1;
  #closed = false;
  readonly #hold = new LoopHold(kernel);
  #busy = false;
  #writeError = 0;
  #written = 0;
  readonly #outbox = new Outbox(kernel, this);
  readonly #inbox = new Inbox(kernel, this);
  #ending: Ending | undefined;
  #completions: Completion[] = [];
  /** Those of its native consumer. */
  #nativeCompletions: Completion[] = [];
  #frame: unknown;
  /** Whether its native consumer takes completions inside the calls that write. */
  #completesAtOnce = false;
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
    this.#hold.active = !this.#closed && (this.#inbox.reading || this.#busy);
  }

  #openFlow(): boolean {
    if (this.#flow !== 0) return true;
    if (!this.isOpen) return false;
    this.#flow = nextFlow++;
    flows.set(this.#flow, { handle: this, inbox: this.#inbox, outbox: this.#outbox });
    this.#inbox.open(this.#flow, this.isShared);
    kernel.event("flowOpen", { flow: this.#flow, fd: this.#fd });
    return true;
  }

  // Reading.

  readStart(): number {
    if (this.#closed) return -Errno.EBADF;
    if (!this.#openFlow()) return -Errno.ENOTCONN;
    this.#inbox.start(enqueueMicrotask);
    this.#updateHold();
    return 0;
  }

  readStop(): number {
    this.#inbox.stop();
    this.#updateHold();
    return 0;
  }

  /** Gives back what may be read and has not come: it is for whoever reads next. */
  holdReading(): void {
    this.#inbox.hold();
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
    this.#inbox.userBufferBytes = buffer.byteLength;
    super.useUserBuffer(buffer);
  }

  /** Whether the kernel gives one piece at a time, as it does of what others may read as well. */
  protected get isShared(): boolean {
    return false;
  }

  received(item: Incoming): void {
    this.#inbox.received(item);
  }

  adoptPassed({ fd, kind }: { fd: number; kind: string }): void {
    this.pendingHandle = fd < 0 ? null : (adopters.get(kind)?.(fd) ?? null);
  }

  settleWrites(): void {
    if (this.#nativeCompletions.length === 0) return;
    this.#finishWrites();
    runTicks();
  }

  readEnded(errno: number): void {
    // libuv stops reading by itself at the end.
    this.#inbox.stop();
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
    if (handle !== undefined && handle !== null)
      return this.#write(req, [Buffer.from(text, "utf8")], handle.fd);
    return this.#writeText(req, text, "utf8", Buffer.byteLength(text, "utf8"));
  }

  writeAsciiString(req: WriteRequest | null | undefined, text: string): unknown {
    return this.#writeText(req, text, "latin1", text.length);
  }

  writeLatin1String(req: WriteRequest | null | undefined, text: string): unknown {
    return this.#writeText(req, text, "latin1", text.length);
  }

  writeUcs2String(req: WriteRequest | null | undefined, text: string): unknown {
    return this.#write(req, [Buffer.from(text, "utf16le")], -1);
  }

  writev(req: WriteRequest | null | undefined, chunks: WriteChunks, allBuffers: boolean): unknown {
    const list = chunksOf(chunks, allBuffers);
    return this.#write(req, list, -1);
  }

  /** How every write of Node's JavaScript begins: 0, or why there is none. */
  #beginWrite(bytes: number): number {
    const { state, bytesWritten, lastWriteWasAsync, lastWriteError } = streamState;
    state[bytesWritten] = bytes;
    state[lastWriteWasAsync] = 0;
    state[lastWriteError] = 0;
    if (this.#closed) return -Errno.EBADF;
    if (this.#writeError !== 0) return this.#writeError;
    if (!this.#openFlow()) return -Errno.EBADF;
    this.#written += bytes;
    return 0;
  }

  #writeText(
    req: WriteRequest | null | undefined,
    text: string,
    encoding: "latin1" | "utf8",
    bytes: number,
  ): unknown {
    const refused = this.#beginWrite(bytes);
    if (refused !== 0) return refused;
    if (this.#outbox.sendText(text, encoding, bytes)) return 0;
    return this.#send(req, [Buffer.from(text, encoding)], bytes, -1);
  }

  #write(req: WriteRequest | null | undefined, chunks: Uint8Array[], passedFd: number): unknown {
    let bytes = 0;
    // By index here and below: the program may have taken the iterators of arrays away.
    for (let at = 0; at < chunks.length; at++) bytes += chunks[at]!.byteLength;
    const refused = this.#beginWrite(bytes);
    return refused === 0 ? this.#send(req, chunks, bytes, passedFd) : refused;
  }

  #send(
    req: WriteRequest | null | undefined,
    chunks: Uint8Array[],
    bytes: number,
    passedFd: number,
  ): unknown {
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
    this.#inbox.splitBy(http2Frames(), runTicks);
  }

  /** Its native consumer is TLS. */
  servesTls(): void {
    this.#inbox.splitBy(tlsRecords(), runTicks);
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
    flows.delete(this.#flow);
    this.#flow = 0;
    if (this.#fd > lastStdio) {
      this.#fd = -1;
      this.broken(-Errno.EPIPE);
      return this.received(UV_EOF);
    }
    this.#outbox.beginAnew();
    this.#inbox.beginAnew();
    if (this.#inbox.reading) this.readStart();
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
    // Only a flow can be told to reset.
    if (reset) this.#openFlow();
    this.#closed = true;
    const unread = this.#inbox.close();
    this.#updateHold();
    this.#outbox.fail(-Errno.ECANCELED);
    const ending = this.#ending;
    this.#ending = undefined;
    if (this.#flow !== 0) {
      flows.delete(this.#flow);
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
    stop: () => flows.forEach(({ handle }) => handle.part()),
    begins: "first",
    begin: () => {
      const parted = [...flows.values()].filter(({ handle }) => handle.isParted);
      for (const { handle } of parted) handle.beginAnew();
    },
  });
}

/** In the guest: takes the kernel's events. */
export function listenForFlows(channel: Channel): void {
  channel.onFlowData((flow, data) => flows.get(flow)?.inbox.received(data));
  channel.on("flowEnd", ({ flow, errno }) =>
    flows.get(flow)?.inbox.received(errno === 0 ? UV_EOF : -errno),
  );
  channel.on("flowWritten", ({ flow, bytes }) => flows.get(flow)?.outbox.credited(bytes));
  channel.on("flowBroken", ({ flow, errno }) => flows.get(flow)?.handle.broken(-errno));
  channel.on("flowPassed", ({ flow, fd, kind }) => flows.get(flow)?.inbox.received({ fd, kind }));
}
