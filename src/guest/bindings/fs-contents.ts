/**
 * What Node's `fs` binding does with open files and their contents, as operations over kernel calls
 * (see fs-runner.ts). What goes to the host from descriptors 1 and 2 takes the quick way.
 */
import { Errno } from "../../abi/errno.js";
import type { Own } from "../../protocol/port.js";
import { StatSlot, fsLimits } from "../../protocol/fs-calls.js";
import type { GuestEnvironment } from "../environment.js";
import { simple } from "./fs-entries.js";
import { ask, failure } from "./fs-runner.js";
import type { Operation } from "./fs-runner.js";
import { bytesOf, text, toPath, toPosition } from "./fs-values.js";
import type { PathArgument } from "./fs-values.js";
import { ReadAhead } from "./read-ahead.js";
import { fileClosed, fileOpened } from "./unmanaged-files.js";
import { WriteOn } from "./write-on.js";

const { from, allocUnsafe, concat } = Buffer;

const openSyscall = "open";
const nothing = Buffer.alloc(0);

type HostOutput = Pick<GuestEnvironment, "forgetOutput" | "isHostOutput" | "writeOutput">;
let output: HostOutput;
let ahead: ReadAhead;
let writeOn: WriteOn;
/** lib/internal/fs/utils.js, kIoMaxLength: the most that is read into one buffer. */
const mostBytes = 2 ** 31 - 1;
let FileTooLarge: new (bytes: number) => Error;

export function installContents(env: GuestEnvironment): void {
  output = env;
  ahead = new ReadAhead(env);
  writeOn = new WriteOn(env);
  FileTooLarge = env.requireBuiltin("internal/errors").codes.ERR_FS_FILE_TOO_LARGE;
}

export function* open(pathArgument: PathArgument, flags: number, mode: number): Operation<number> {
  const path = toPath(pathArgument);
  const result = yield* ask("open", { path, flags, mode });
  if (typeof result === "number") throw yield* failure(result, openSyscall, path);
  return result.fd;
}

/** The same for a program that has the number and is to close it. */
export function* openByNumber(path: PathArgument, flags: number, mode: number): Operation<number> {
  const fd = yield* open(path, flags, mode);
  fileOpened(fd);
  return fd;
}

export function closeByNumber(fd: number): Operation<undefined> {
  fileClosed(fd);
  return close(fd);
}

export function* close(fd: number): Operation<undefined> {
  output.forgetOutput(fd);
  return yield* simple("close", { fd }, "close");
}

/** Memory that the bytes of answers fill, one behind the other: a copy less than if each had its own first. */
class Filling {
  readonly target: Uint8Array;
  /** How much of it is filled. */
  filled: number;
  #size = -1;

  constructor(target: Uint8Array, filled = 0) {
    this.target = target;
    this.filled = filled;
  }

  /** For a call that blocks. */
  readonly own: Own = (view) => (this.#put(view) ? this.target : from(view));

  #put(view: Uint8Array): boolean {
    const { byteLength } = view;
    if (byteLength > this.target.byteLength - this.filled) return false;
    this.target.set(view, this.filled);
    this.filled += byteLength;
    this.#size = byteLength;
    return true;
  }

  /** Takes what an answer brought, if `own` has not: how much that was, or -1 where it does not fit. */
  take(data: Uint8Array): number {
    if (this.#size < 0) this.#put(data);
    const size = this.#size;
    this.#size = -1;
    return size;
  }
}

/** Fills as much of `target` as the file has; fewer bytes mean its end. */
function* readInto(fd: number, target: Uint8Array, position: number): Operation<number> {
  const filling = new Filling(target);
  do {
    const { filled } = filling;
    const length = Math.min(target.byteLength - filled, fsLimits.transferBytes);
    const at = position < 0 ? -1 : position + filled;
    const result = yield* ask("read", { fd, length, position: at }, filling.own);
    if (typeof result === "number") {
      if (filled > 0) return filled;
      throw yield* failure(result, "read");
    }
    if (filling.take(result.data) < length) break;
  } while (filling.filled < target.byteLength);
  return filling.filled;
}

/** Reads one piece of an open file for a stream; `null` at the end. */
export function* piece(fd: number, length: number, position: number): Operation<Uint8Array | null> {
  const target = allocUnsafe(length);
  const size = yield* readInto(fd, target, position);
  return size === 0 ? null : target.subarray(0, size);
}

export function* read(
  fd: number,
  buffer: ArrayBufferView,
  offset: number,
  length: number,
  position: unknown,
  blocking: boolean,
): Operation<number> {
  const target = bytesOf(buffer, offset, length);
  const at = toPosition(position);
  if (!blocking || at >= 0) return yield* readInto(fd, target, at);
  if (ahead.fill(fd, target)) return target.byteLength;
  const more = ahead.wanted(fd, target.byteLength);
  if (more === 0) return yield* readInto(fd, target, at);
  const told = ahead.told(target);
  const result = yield* ask("readAhead", { fd, length: target.byteLength, ahead: more }, told.own);
  if (typeof result === "number") {
    ahead.refuses(fd);
    return yield* readInto(fd, target, at);
  }
  const size = Math.min(told.size, target.byteLength);
  ahead.has(result.position + size, told.size - size);
  return size;
}

export function* readBuffers(
  fd: number,
  buffers: ArrayBufferView[],
  position: unknown,
): Operation<number> {
  let at = toPosition(position);
  let total = 0;
  for (let index = 0; index < buffers.length; index++) {
    const target = bytesOf(buffers[index]!);
    if (target.byteLength === 0) continue;
    const size = yield* readInto(fd, target, at);
    total += size;
    if (at >= 0) at += size;
    if (size < target.byteLength) break;
  }
  return total;
}

function* writeBytes(fd: number, data: Uint8Array, position: number): Operation<number> {
  if (output.isHostOutput(fd)) {
    output.writeOutput(fd, data);
    return data.byteLength;
  }
  let total = 0;
  do {
    const part = data.subarray(total, total + fsLimits.transferBytes);
    const result = yield* ask("write", {
      fd,
      data: part,
      position: position < 0 ? -1 : position + total,
    });
    if (typeof result === "number") {
      if (total > 0) return total;
      throw yield* failure(result, "write");
    }
    total += result.written;
    if (result.written < part.byteLength) break;
  } while (total < data.byteLength);
  return total;
}

/** As `writeBytes` for who blocks, and writes on at the position of a file. */
function* writeNext(fd: number, data: Uint8Array): Operation<number> {
  if (writeOn.write(fd, data)) return data.byteLength;
  const more = output.isHostOutput(fd) ? 0 : writeOn.wanted(fd, data.byteLength);
  if (more === 0) return yield* writeBytes(fd, data, -1);
  const result = yield* ask("writeFirst", { fd, data, more });
  if (result === -Errno.EOPNOTSUPP) {
    writeOn.refuses(fd);
    return yield* writeBytes(fd, data, -1);
  }
  if (typeof result === "number") throw yield* failure(result, "write");
  writeOn.has(result.promised);
  return result.written;
}

export function* writeBuffer(
  fd: number,
  buffer: ArrayBufferView,
  offset: number,
  length: number,
  position: unknown,
  blocking: boolean,
): Operation<number> {
  const data = bytesOf(buffer, offset, length);
  const at = toPosition(position);
  return yield* blocking && at < 0 ? writeNext(fd, data) : writeBytes(fd, data, at);
}

export function* writeBuffers(
  fd: number,
  buffers: ArrayBufferView[],
  position: unknown,
): Operation<number> {
  const at = toPosition(position);
  const parts: Uint8Array[] = [];
  let size = 0;
  for (let index = 0; index < buffers.length; index++) {
    parts[index] = bytesOf(buffers[index]!);
    size += parts[index]!.byteLength;
  }
  if (size <= fsLimits.transferBytes) return yield* writeBytes(fd, concat(parts, size), at);
  let total = 0;
  for (let index = 0; index < parts.length; index++) {
    const written = yield* writeBytes(fd, parts[index]!, at < 0 ? -1 : at + total);
    total += written;
    if (written < parts[index]!.byteLength) break;
  }
  return total;
}

export function* writeString(
  fd: number,
  value: string,
  position: unknown,
  encoding: string | undefined,
  blocking: boolean,
): Operation<number> {
  const data = from(value, (encoding ?? "utf8") as BufferEncoding);
  const at = toPosition(position);
  return yield* blocking && at < 0 ? writeNext(fd, data) : writeBytes(fd, data, at);
}

/** All that is left of an open file. What `filling` has no room for follows in memory of its own. */
function* readRest(
  fd: number,
  filling: Filling,
  syscall: string,
  path?: string,
): Operation<Buffer> {
  const { target } = filling;
  const parts = [target];
  for (;;) {
    const fits = parts.length === 1;
    const result = yield* ask("readFd", { fd }, fits ? filling.own : undefined);
    if (typeof result === "number") throw yield* failure(result, syscall, path);
    if (!fits || filling.take(result.data) < 0) parts[parts.length] = result.data;
    if (!result.more) break;
  }
  if (parts.length === 1 && filling.filled === target.byteLength) return target as Buffer;
  parts[0] = target.subarray(0, filling.filled);
  return concat(parts);
}

/** How large an open file is said to be. Not found out when the memory is full that it is too large. */
function* sizeOf(fd: number): Operation<number> {
  const result = yield* ask("fstat", { fd });
  const bytes = typeof result === "number" ? 0 : result.values[StatSlot.size]!;
  if (bytes > mostBytes) throw new FileTooLarge(bytes);
  return bytes;
}

/**
 * Opens, reads all, closes. `named` puts the path into errors of reading, too, as the one-shot jobs do; `dated` hears what the
 * kernel says of changes.
 */
export function* readFile(
  pathArgument: PathArgument,
  flags: number,
  named: boolean,
  dated?: (changes: number) => void,
): Operation<Buffer> {
  const path = toPath(pathArgument);
  const result = yield* ask("readFile", { path, flags });
  if (typeof result !== "number") dated?.(result.changes);
  if (typeof result === "number") {
    if (result === -Errno.EISDIR) throw yield* failure(result, "read", named ? path : undefined);
    throw yield* failure(result, openSyscall, path);
  }
  if (!result.more) return result.data as Buffer;
  try {
    const size = yield* sizeOf(result.fd);
    const whole = allocUnsafe(Math.max(size, result.data.byteLength));
    whole.set(result.data);
    const filling = new Filling(whole, result.data.byteLength);
    return yield* readRest(result.fd, filling, "read", named ? path : undefined);
  } finally {
    yield* ask("close", { fd: result.fd });
  }
}

export function* readOpenText(fd: number): Operation<string> {
  return text(yield* readRest(fd, new Filling(nothing), "read"));
}

/** Opens, writes all, closes. */
export function* writeFile(
  pathArgument: PathArgument,
  data: Uint8Array,
  flags: number,
  mode: number,
): Operation<undefined> {
  const path = toPath(pathArgument);
  const limit = fsLimits.transferBytes;
  const more = data.byteLength > limit;
  const result = yield* ask("writeFile", {
    path,
    data: more ? data.subarray(0, limit) : data,
    flags,
    mode,
    more,
  });
  if (typeof result === "number") {
    const full = result === -Errno.ENOSPC || result === -Errno.EFBIG || result === -Errno.EBADF;
    throw yield* failure(result, full ? "write" : openSyscall, full ? undefined : path);
  }
  if (!more) return undefined;
  try {
    yield* writeFully(result.fd, data.subarray(limit));
  } finally {
    yield* ask("close", { fd: result.fd });
  }
  return undefined;
}

function* writeFully(fd: number, data: Uint8Array): Operation<undefined> {
  for (let at = 0; at < data.byteLength;) at += yield* writeBytes(fd, data.subarray(at), -1);
  return undefined;
}

export function* writeFileUtf8(
  target: PathArgument | number,
  value: string,
  flags: number,
  mode: number,
): Operation<undefined> {
  const data = from(value, "utf8");
  if (typeof target === "number") return yield* writeFully(target, data);
  return yield* writeFile(target, data, flags, mode);
}
