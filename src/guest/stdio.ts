/**
 * Owns process.stdin, stdout and stderr of a guest. A terminal is Node's own stream of one. Other output goes through Node's
 * own SyncWriteStream over the virtual `fs` binding (descriptors 1 and 2), as
 * Node does for files and, in effect, for pipes; stdin is a Readable over read(2).
 */
import type { Channel } from "./channel.js";
import type { EngineModule, RequireBuiltin } from "./engine-types.js";
import { systemError } from "./bindings/fs-runner.js";
import type { PendingCall } from "./environment.js";

const readBytes = 64 * 1024;

const { from } = Buffer;
const { apply } = Reflect;
type Method = (...args: never[]) => unknown;
const { utf8Write, subarray } = Buffer.prototype as unknown as Record<string, Method>;
/** Whatever is printed is gone from it before the next is. */
const line = Buffer.allocUnsafeSlow(4096);

/** Of a text, valid until the next. */
function bytesOf(data: string, encoding: string): Uint8Array {
  // At most three bytes of UTF-8 for a unit.
  if (data.length * 3 > line.length || (encoding !== "utf8" && encoding !== "utf-8"))
    return from(data, encoding as BufferEncoding);
  return apply(subarray!, line, [0, apply(utf8Write!, line, [data, 0])]) as Uint8Array;
}

interface Undestroyed {
  _undestroy(): void;
  _writableState: { emitClose: boolean };
  emit(name: string): void;
}

/** What is destroyed goes on: the function of that name in Node's is_main_thread.js. */
function dummyDestroy(this: Undestroyed, error: unknown, done: (error: unknown) => void): void {
  done(error);
  this._undestroy();
  if (!this._writableState.emitClose) process.nextTick(() => this.emit("close"));
}

let loadBuiltin: RequireBuiltin;
/** Taken before a program can put others in their place. */
let Readable: EngineModule;
let SyncWriteStream: EngineModule;
/** Of the guest that this process is; none before it is one. */
let channel: () => Channel | undefined;

function lazy(name: "stdin" | "stdout" | "stderr", make: () => unknown): void {
  let stream: unknown;
  let madeFor: Channel | undefined;
  Object.defineProperty(process, name, {
    get() {
      // What modules that are loaded ahead ask for is not the program's: that may have a terminal.
      const current = channel();
      if (stream === undefined || madeFor !== current) {
        madeFor = current;
        stream = make();
      }
      return stream;
    },
    configurable: true,
    enumerable: true,
  });
}

/** As createWritableStdioStream and getStdout of Node's is_main_thread.js. */
function terminalOutput(fd: number): unknown {
  const stream = new (loadBuiltin("tty").WriteStream)(fd);
  stream._type = "tty";
  stream.fd = fd;
  stream._isStdio = true;
  stream.destroySoon = stream.destroy;
  stream._destroy = dummyDestroy;
  process.on("SIGWINCH", () => stream._refreshSize());
  return stream;
}

/** As getStdin there. */
function terminalInput(): unknown {
  const stream = new (loadBuiltin("tty").ReadStream)(0);
  stream.fd = 0;
  const stop = (): void => {
    stream._handle.reading = false;
    stream._readableState.reading = false;
    stream._handle.readStop();
  };
  stop();
  stream.on("pause", () =>
    process.nextTick(() => {
      if (stream._handle?.reading && !stream.readableFlowing) stop();
    }),
  );
  return stream;
}

/** Not by way of fs, as the pipe of plain Node, while the descriptor is what it was at the start. */
function output(fd: number): unknown {
  if (channel()?.isTerminal(fd)) return terminalOutput(fd);
  const stream = new SyncWriteStream(fd, { autoClose: false });
  // Texts come as such, as to a pipe of plain Node.
  stream._writableState.decodeStrings = false;
  Object.defineProperty(stream, "_write", {
    value(data: Uint8Array | string, encoding: string, done: (error?: unknown) => void) {
      const to = channel();
      const isText = typeof data === "string";
      if (to?.isHostOutput(fd) !== true) {
        const bytes = isText ? from(data, encoding as BufferEncoding) : data;
        return SyncWriteStream.prototype._write.call(stream, bytes, encoding, done);
      }
      to.writeOutput(fd, isText ? bytesOf(data, encoding) : data);
      done();
    },
    writable: true,
    configurable: true,
  });
  stream._type = "fs";
  stream._isStdio = true;
  stream.fd = fd;
  stream.destroySoon = stream.destroy;
  stream._destroy = dummyDestroy;
  return stream;
}

function input(): unknown {
  if (channel()?.isTerminal(0)) return terminalInput();
  let pending: PendingCall | undefined;
  let closed = false;
  /** What the program said last; it counts for a read that begins later, too. */
  let wanted = true;
  /** A paused stdin must not keep the program alive. */
  const idle = (): boolean =>
    stream.readableFlowing === false && stream.listenerCount("readable") === 0;
  const keep = (): void => (wanted && !idle() ? pending?.ref() : pending?.unref());
  const take = (result: { data: Uint8Array } | number, words: string): void => {
    pending = undefined;
    if (closed) return;
    if (typeof result === "number") stream.destroy(systemError(words, result, "read"));
    else stream.push(result.data.byteLength === 0 ? null : Buffer.from(result.data));
  };
  const stream = new Readable({
    highWaterMark: readBytes,
    read() {
      pending ??= channel()!.callAsync("read", { fd: 0, length: readBytes, position: -1 }, take);
      keep();
    },
    destroy(error: unknown, done: (error: unknown) => void) {
      closed = true;
      pending?.unref();
      done(error);
    },
  });
  stream.fd = 0;
  stream.ref = () => ((wanted = true), keep(), stream);
  stream.unref = () => ((wanted = false), keep(), stream);
  stream.on("pause", () => process.nextTick(keep));
  stream.on("resume", keep);
  return stream;
}

export function installStdio(
  requireBuiltin: RequireBuiltin,
  current: () => Channel | undefined,
): void {
  loadBuiltin = requireBuiltin;
  channel = current;
  ({ Readable } = loadBuiltin("stream"));
  SyncWriteStream = loadBuiltin("internal/fs/sync_write_stream");
  lazy("stdout", () => output(1));
  lazy("stderr", () => output(2));
  lazy("stdin", input);
}
