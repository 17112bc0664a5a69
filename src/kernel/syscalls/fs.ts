/**
 * File-system calls of a guest: decode → call → encode, no policy. What a
 * process may do to a path is decided below, in the file system.
 *
 * Invariants: nothing is allocated from a number the guest chose without a
 * bound; every descriptor belongs to the calling process; an answer fits a frame.
 * Untrusted: every field of `args`.
 */
import { posix } from "node:path";
import { Errno } from "../../abi/errno.js";
import {
  F_OK,
  O_CREAT,
  O_EXCL,
  O_RDONLY,
  O_WRONLY,
  R_OK,
  S_IFDIR,
  S_IFMT,
  S_IFREG,
  W_OK,
  X_OK,
} from "../../abi/fcntl.js";
import {
  COPYFILE_EXCL,
  COPYFILE_FICLONE,
  COPYFILE_FICLONE_FORCE,
  ModuleKind,
  UvDirent,
  fsLimits,
  nearModulePaths,
  openWithoutWait,
  statSlots,
} from "../../protocol/fs-calls.js";
import type { fsCalls } from "../../protocol/fs-calls.js";
import type { CallArgs, CallResult } from "../../protocol/table.js";
import type { Bill } from "../process/bill.js";
import type { WatchList } from "../process/watches.js";
import { PAGE_BYTES, writeAll } from "../fs/index.js";
import type { Credentials, DirectoryEntry, FileStat, FileSystem, OpenFile } from "../fs/index.js";
import { limits } from "../limits.js";
import { Deferred, mapAnswer } from "../io/deferred.js";
import { openFifo } from "../io/fifo.js";
import { inSteps, settled, step } from "../io/steps.js";
import type { Steps } from "../io/steps.js";
import type { Account } from "../machine/account.js";
import { Stream, readWhenReady, writeFully } from "../io/stream.js";
import type { Policy } from "../policy/policy.js";
import type { DescriptorTable } from "../process/descriptors.js";

/** What these calls need to know of a process. */
export interface FsProcess {
  readonly fs: FileSystem;
  readonly account: Account;
  readonly credentials: Credentials;
  readonly policy: Pick<Policy, "allowsAll">;
  readonly watches: WatchList;
  /** Job control: 0, or why a stream must not be used now; -EAGAIN waits for the stream. */
  mayRead(stream: Stream): number;
  mayWrite(stream: Stream): number;
  /** The terminal that a path names, opened: a stream, or -errno; undefined when it names none. */
  openTerminal(path: string, flags: number): Stream | number | undefined;
  /** Where content that stays in the kernel is counted. */
  readonly bill?: Bill;
  /** A write met nobody to read it: SIGPIPE. */
  brokenPipe(): void;
  readonly descriptors: DescriptorTable;
}

type FsCalls = typeof fsCalls;
export type FsHandlers = {
  readonly [K in keyof FsCalls]: (
    process: FsProcess,
    args: CallArgs<FsCalls, K>,
  ) => CallResult<FsCalls, K> | number | Deferred<CallResult<FsCalls, K>>;
};

const nothing = new Uint8Array(0);
const modeBits = 0o7777;
/** Owner id that means "leave as it is". */
const unchangedId = 0xffff_ffff;
/** Largest distance of a time from the epoch that a JavaScript date can show. */
const maxTimeMs = 8.64e15;
/** Reads up to this size are allocated as announced; larger ones are measured against the file first. */
const smallReadBytes = 64 * 1024;
const maxPosition = 2 ** 63;
const copyChunkBytes = 256 * 1024;
/** Of all copies: none keeps anything in it from one step to the next. */
const copyBuffer = Buffer.allocUnsafeSlow(copyChunkBytes);

/** Indexed by Linux' DT_* numbers. */
const uvDirentOfLinux: readonly number[] = (() => {
  const table = Array.from({ length: 16 }, () => UvDirent.unknown as number);
  table[1] = UvDirent.fifo;
  table[2] = UvDirent.char;
  table[4] = UvDirent.directory;
  table[6] = UvDirent.block;
  table[8] = UvDirent.file;
  table[10] = UvDirent.link;
  table[12] = UvDirent.socket;
  return table;
})();

/** libuv's number for a DT_* of Linux. */
export function uvDirentOf(type: number): number {
  return uvDirentOfLinux[type] ?? UvDirent.unknown;
}

/** 0 for a path that may be looked up, otherwise what Linux says about it. */
function checkPath(path: string): number {
  if (path.length === 0) return -Errno.ENOENT;
  if (path.includes("\0")) return -Errno.EINVAL;
  // A UTF-16 unit is at most three bytes of UTF-8.
  if (path.length * 3 >= fsLimits.pathBytes && Buffer.byteLength(path) >= fsLimits.pathBytes) {
    return -Errno.ENAMETOOLONG;
  }
  return 0;
}

/** Empty result, or the failure. */
function done(result: number): Record<never, never> | number {
  return result < 0 ? result : {};
}

function isTime(ms: number): boolean {
  return Math.abs(ms) <= maxTimeMs;
}

/** Positions are 63 bits on Linux; none beyond what a number counts exactly is inside a file. */
function positionOf(position: number): number | undefined {
  if (position === -1) return position;
  if (!(position >= 0) || position > maxPosition) return undefined;
  return Math.min(position, Number.MAX_SAFE_INTEGER);
}

function ownerId(id: number): number {
  return id === unchangedId ? -1 : id;
}

export function statValues(stat: FileStat): { values: number[] } {
  const values = [
    stat.dev,
    stat.mode,
    stat.nlink,
    stat.uid,
    stat.gid,
    stat.rdev,
    stat.blksize,
    stat.ino,
    stat.size,
    stat.blocks,
  ];
  for (const ms of [stat.atimeMs, stat.mtimeMs, stat.ctimeMs, stat.birthtimeMs]) {
    let seconds = Math.floor(ms / 1000);
    let nanoseconds = Math.round((ms - seconds * 1000) * 1e6);
    if (nanoseconds >= 1e9) {
      seconds += 1;
      nanoseconds -= 1e9;
    }
    values.push(seconds, nanoseconds);
  }
  if (values.length !== statSlots) throw new Error(`stat answers ${values.length} values`);
  return { values };
}

function isRegular(stat: FileStat): boolean {
  return (stat.mode & S_IFMT) === S_IFREG;
}

function isDirectory(stat: FileStat): boolean {
  return (stat.mode & S_IFMT) === S_IFDIR;
}

/** /dev/stdin and its like: names of the caller's own descriptors. */
const ownDescriptor =
  /^\/(?:dev\/(?:fd\/([0-9]{1,4})|std(in|out|err))|proc\/(self|[0-9]{1,10})\/fd\/([0-9]{1,4}))$/;
const standardDescriptors: Readonly<Record<string, number>> = { in: 0, out: 1, err: 2 };

/** The stream that `path` names: streams have no other name, so that one is opened by sharing it. */
function namedStream(process: FsProcess, path: string): Stream | undefined {
  if (!path.startsWith("/dev/") && !path.startsWith("/proc/")) return undefined;
  const match = ownDescriptor.exec(path);
  if (match === null) return undefined;
  const [, device, standard, owner, link] = match;
  if (owner !== undefined && owner !== "self" && owner !== String(process.credentials.pid))
    return undefined;
  const number = standard === undefined ? Number(device ?? link) : standardDescriptors[standard]!;
  return process.descriptors.stream(number);
}

/** What a path names, opened, with one reference; -errno, or a wait for a fifo's other side. */
function opened(
  process: FsProcess,
  path: string,
  flags: number,
  mode: number,
): OpenFile | Stream | number | Deferred<Stream> {
  const bad = checkPath(path);
  if (bad < 0) return bad;
  if (process.descriptors.isFull) return -Errno.EMFILE;
  const stream = namedStream(process, path);
  if (stream !== undefined) {
    stream.ref();
    return stream;
  }
  const terminal = process.openTerminal(path, flags);
  if (terminal !== undefined) return terminal;
  const file = process.fs.open(
    process.credentials,
    path,
    flags & ~openWithoutWait,
    mode & modeBits,
  );
  if (typeof file === "number") return file;
  const { fifo } = file;
  if (fifo === undefined) return file;
  return openFifo(file, fifo, process.account, (flags & openWithoutWait) !== 0);
}

/** The descriptor, -errno, or a wait. */
function openFd(
  process: FsProcess,
  path: string,
  flags: number,
  mode: number,
): { fd: number } | number | Deferred<{ fd: number }> {
  return mapAnswer<OpenFile | Stream, { fd: number }>(
    opened(process, path, flags, mode) as OpenFile | number | Deferred<OpenFile | Stream>,
    (description) => {
      const fd = process.descriptors.add(description);
      return fd < 0 ? fd : { fd };
    },
  );
}

/** Stores what a file has to store, and closes it whatever comes of that. */
function closeFile(file: OpenFile): number | Deferred<0> {
  const stored = file.flush();
  file.unref();
  return stored;
}

/** The result, once what it needs to be true is stored, or why that failed. */
function onceStored<R>(
  stored: number | Deferred<0>,
  result: () => R | number,
): R | number | Deferred<R> {
  if (typeof stored === "number") return stored < 0 ? stored : result();
  return stored.chain((late) => (late < 0 ? late : result()));
}

/** Work with an open file that is closed if the call has to be run again. */
function holding<R>(file: OpenFile, work: () => R): R {
  try {
    return work();
  } catch (error) {
    file.unref();
    throw error;
  }
}

/** `writeFile` to what has just been opened and is no file. */
function writeToStream(
  process: FsProcess,
  stream: Stream,
  data: Uint8Array,
  more: boolean,
): { fd: number } | number | Deferred<{ fd: number }> {
  const fd = process.descriptors.add(stream);
  if (fd < 0) return fd;
  const close = (): number => process.descriptors.close(fd);
  const answer = writeStream(process, stream, data);
  if (typeof answer === "number") close();
  return mapAnswer(answer, () => ({ fd: more ? fd : close() - 1 }));
}

/** The file behind a descriptor, or why it is none. */
function fileOf(process: FsProcess, fd: number): OpenFile | number {
  const description = process.descriptors.get(fd);
  if (description === undefined) return -Errno.EBADF;
  return description instanceof Stream ? -Errno.EINVAL : description;
}

/** As `fileOf`, for what may be done to a fifo as well: it has a name, an owner and a mode. */
function namedFileOf(process: FsProcess, fd: number): OpenFile | number {
  return process.descriptors.stream(fd)?.file ?? fileOf(process, fd);
}

function readStream(
  process: FsProcess,
  stream: Stream,
  length: number,
): Uint8Array | number | Deferred<Uint8Array> {
  if (length === 0) return new Uint8Array(0);
  return readWhenReady(stream, length, "read", () => process.mayRead(stream));
}

function writeStream(
  process: FsProcess,
  stream: Stream,
  data: Uint8Array,
): { written: number } | number | Deferred<{ written: number }> {
  const answer = writeFully(stream, data, () => process.mayWrite(stream));
  if (typeof answer === "number") {
    if (answer === -Errno.EPIPE) process.brokenPipe();
    return answer < 0 ? answer : { written: answer };
  }
  const mapped = new Deferred<{ written: number }>();
  answer.whenSettled((written) => {
    if (written === -Errno.EPIPE) process.brokenPipe();
    mapped.settle(written < 0 ? written : { written });
  });
  mapped.onCancel(() => answer.cancel());
  return mapped;
}

/**
 * What large reads of guests read into: a reply is made of it before the next call runs. Memory of
 * their own would be garbage at once, faster than it is collected.
 */
let transferMemory: Buffer | undefined;

function transferBuffer(bytes: number): Buffer {
  if (bytes <= smallReadBytes) return Buffer.allocUnsafeSlow(bytes);
  transferMemory ??= Buffer.allocUnsafeSlow(fsLimits.transferBytes);
  return transferMemory.subarray(0, bytes);
}

/** Up to one transfer from the current position, into what `memory` gives; `more` unless the end was seen. */
export function readRest(
  file: OpenFile,
  memory: (bytes: number) => Buffer = Buffer.allocUnsafeSlow,
): { data: Buffer; more: boolean } | number {
  const stat = file.stat();
  if (isDirectory(stat)) return -Errno.EISDIR;
  const rest = stat.size - file.position;
  const sized = isRegular(stat) && rest > 0;
  const wanted = sized ? Math.min(rest, fsLimits.transferBytes) : smallReadBytes;
  const buffer = memory(wanted);
  const size = file.read(buffer, -1);
  if (size < 0) return size;
  return { data: buffer.subarray(0, size), more: sized ? size > 0 && size < rest : size > 0 };
}

/** Pieces of a file of which something is stored, or all of it where that is not known. */
function* piecesOf(source: OpenFile, size: number): Generator<[at: number, bytes: number]> {
  const stored = source.storedPages;
  if (stored === undefined) {
    for (let at = 0; at < size; at += copyChunkBytes)
      yield [at, Math.min(copyChunkBytes, size - at)];
    return;
  }
  for (const page of stored) {
    const at = page * PAGE_BYTES;
    if (at >= size) return;
    yield [at, Math.min(PAGE_BYTES, size - at)];
  }
}

/**
 * Copies as many bytes as the source had when it was opened: a device that never ends has none.
 * What the source does not store is not stored in the copy; one piece tells what a device thinks of them all.
 */
function* copyContent(source: OpenFile, target: OpenFile, size: number): Steps<0> {
  if (size === 0) return 0;
  if (target.isDevice) return Math.min(0, target.write(copyBuffer.subarray(0, size), -1));
  for (const [at, bytes] of piecesOf(source, size)) {
    const moved = yield* step(() => {
      const read = source.read(copyBuffer.subarray(0, bytes), at);
      const failure = read > 0 ? writeAll(target, copyBuffer.subarray(0, read), at) : 0;
      return failure < 0 ? failure : read;
    });
    if (moved < 0) return moved;
    // It has become shorter meanwhile.
    if (moved === 0) break;
    yield undefined;
  }
  const end = Math.min(size, source.stat().size);
  return target.stat().size < end ? target.truncate(end) : 0;
}

function* copyFile(
  process: FsProcess,
  from: string,
  to: string,
  exclusive: boolean,
): Steps<Record<never, never>> {
  const { fs, credentials } = process;
  const source = fs.open(credentials, from, O_RDONLY, 0);
  if (typeof source === "number") return source;
  try {
    const before = source.stat();
    if (isDirectory(before)) return -Errno.EISDIR;
    // Its content comes when it comes, which a copy by the kernel does not wait for.
    if (source.fifo !== undefined) return -Errno.EINVAL;
    const mode = before.mode & modeBits;
    const target = fs.open(credentials, to, O_WRONLY | O_CREAT | (exclusive ? O_EXCL : 0), mode);
    if (typeof target === "number") return target;
    try {
      if (target.fifo !== undefined) return -Errno.EINVAL;
      const after = target.stat();
      if (after.dev === before.dev && after.ino === before.ino) return {};
      // Truncated only now: opening with O_TRUNC would empty a file that is copied onto itself.
      const truncated = isRegular(after) ? target.truncate(0) : 0;
      if (truncated < 0) return truncated;
      const copied = yield* copyContent(source, target, before.size);
      if (copied < 0) return copied;
      process.bill?.moved("file", "in", before.size);
      process.bill?.moved("file", "out", before.size);
      yield* step(() => target.chmod(mode, credentials));
      const stored = yield* settled(target.flush());
      return stored < 0 ? stored : {};
    } finally {
      target.unref();
    }
  } finally {
    source.unref();
  }
}

function* removeTree({ fs, credentials }: FsProcess, path: string): Steps<Record<never, never>> {
  return done(yield* fs.removeTreeInSteps(credentials, path));
}

/** A package.json's bytes, or `undefined` for anything that cannot be one. */
function readPackageFile(process: FsProcess, path: string): Buffer | undefined {
  if (checkPath(path) < 0) return undefined;
  const { fs, credentials } = process;
  const stat = fs.stat(credentials, path, true);
  if (typeof stat === "number" || !isRegular(stat) || stat.size > fsLimits.transferBytes)
    return undefined;
  const data = fs.readFile(credentials, path);
  return typeof data === "number" || data.length > fsLimits.transferBytes ? undefined : data;
}

/** Whether a walk from `directory` up to its beginning `above` meets what ends the search for a package. */
function insideModules(above: string, directory: string): boolean {
  const name = "/node_modules";
  return `${directory}/`.includes(`${name}/`, above.length - name.length);
}

function moduleKind(process: FsProcess, path: string): number {
  const bad = checkPath(path);
  if (bad < 0) return bad;
  const stat = process.fs.stat(process.credentials, path, true);
  if (typeof stat === "number") return stat;
  return isDirectory(stat) ? 1 : 0;
}

function packageScopeOf(
  process: FsProcess,
  directory: string,
  root: boolean,
): { path: string; data: Uint8Array } {
  for (const at of process.fs.beginningsWith(process.credentials, directory, "package.json")) {
    if (insideModules(at, directory) || (at === "" && !root)) break;
    const path = `${at}/package.json`;
    const data = readPackageFile(process, path);
    if (data !== undefined) return { path, data };
  }
  return { path: "", data: nothing };
}

/** What a loader reads next, if it is small; anything but a regular file it has to ask for. */
function smallModule({ fs, credentials }: FsProcess, path: string): Buffer | undefined {
  const stat = fs.stat(credentials, path, true);
  if (typeof stat === "number" || !isRegular(stat) || stat.size > fsLimits.aheadFileBytes)
    return undefined;
  const data = fs.readFile(credentials, path);
  return typeof data === "number" ? undefined : data;
}

/** What each path is, those in one directory by one walk to it. */
function nearKinds(process: FsProcess, paths: readonly string[]): number[] {
  const kinds: number[] = [];
  for (let at = 0; at < paths.length;) {
    const directory = posix.dirname(paths[at]!);
    const names: string[] = [];
    for (; at < paths.length && posix.dirname(paths[at]!) === directory; at++)
      names.push(posix.basename(paths[at]!));
    const types =
      checkPath(`${directory}/${names[0]!}`) < 0
        ? names.map(() => 0)
        : process.fs.typesIn(process.credentials, directory, names);
    // It would cost more to find out than to be asked.
    if (types === undefined) return [];
    for (const type of types) {
      if (type === 0) kinds.push(ModuleKind.absent);
      else kinds.push(type === S_IFDIR ? ModuleKind.directory : ModuleKind.file);
    }
  }
  return kinds;
}

/** As much of a list, from index `start` on, as one answer carries. */
export function listedFrom(
  entries: readonly DirectoryEntry[],
  start: number,
): CallResult<FsCalls, "readdir"> {
  const names: string[] = [];
  let bytes = 0;
  for (let at = start; at < entries.length; at++) {
    const { name } = entries[at]!;
    bytes += 4 + name.length * 3;
    if (names.length >= fsLimits.entries || bytes > fsLimits.entryBytes) break;
    names.push(name);
  }
  const types = Uint8Array.from(names, (_, at) => uvDirentOf(entries[start + at]!.type));
  return { names, types, more: start + names.length < entries.length };
}

export const fsHandlers: FsHandlers = {
  open(process, { path, flags, mode }) {
    return openFd(process, path, flags, mode);
  },

  close(process, { fd }) {
    const stored = process.descriptors.file(fd)?.flush() ?? 0;
    const closed = process.descriptors.close(fd);
    return closed < 0 ? closed : onceStored(stored, () => ({}));
  },

  read(process, { fd, length, position: given }) {
    const stream = process.descriptors.stream(fd);
    if (stream !== undefined) {
      if (given !== -1) return -Errno.ESPIPE;
      return mapAnswer(
        readStream(process, stream, Math.min(length, fsLimits.transferBytes)),
        (data) => ({ data }),
      );
    }
    const file = fileOf(process, fd);
    if (typeof file === "number") return file;
    const position = positionOf(given);
    if (position === undefined) return -Errno.EINVAL;
    let wanted = Math.min(length, fsLimits.transferBytes);
    if (wanted > smallReadBytes) {
      const stat = file.stat();
      const from = position === -1 ? file.position : position;
      // One byte stays, so that a bad descriptor or a directory still answers with its own error.
      if (isRegular(stat)) wanted = Math.min(wanted, Math.max(1, stat.size - from));
    }
    const buffer = transferBuffer(wanted);
    const size = file.read(buffer, position);
    return size < 0 ? size : { data: buffer.subarray(0, size) };
  },

  write(process, { fd, data, position: given }) {
    const stream = process.descriptors.stream(fd);
    if (stream !== undefined) {
      return given === -1 ? writeStream(process, stream, data) : -Errno.ESPIPE;
    }
    const file = fileOf(process, fd);
    if (typeof file === "number") return file;
    const position = positionOf(given);
    if (position === undefined) return -Errno.EINVAL;
    const written = file.write(data, position);
    return written < 0 ? written : { written };
  },

  fstat(process, { fd }) {
    const description = process.descriptors.get(fd);
    return description === undefined ? -Errno.EBADF : statValues(description.stat());
  },

  fchmod(process, { fd, mode }) {
    const file = namedFileOf(process, fd);
    return typeof file === "number" ? file : done(file.chmod(mode & modeBits, process.credentials));
  },

  fchown(process, { fd, uid, gid }) {
    const file = namedFileOf(process, fd);
    return typeof file === "number"
      ? file
      : done(file.chown(ownerId(uid), ownerId(gid), process.credentials));
  },

  futimes(process, { fd, atimeMs, mtimeMs }) {
    const file = namedFileOf(process, fd);
    if (typeof file === "number") return file;
    return isTime(atimeMs) && isTime(mtimeMs) ? done(file.utimes(atimeMs, mtimeMs)) : -Errno.EINVAL;
  },

  ftruncate(process, { fd, length }) {
    const file = fileOf(process, fd);
    if (typeof file === "number") return file;
    return Number.isSafeInteger(length) && length >= 0
      ? done(file.truncate(length))
      : -Errno.EINVAL;
  },

  fsync(process, { fd }) {
    const file = fileOf(process, fd);
    return typeof file === "number" ? file : onceStored(file.sync(), () => ({}));
  },

  lock(process, { fd, steps }) {
    const file = fileOf(process, fd);
    if (typeof file === "number") return file;
    if (steps.length % 3 !== 0 || steps.length > limits.lockSteps * 3) return -Errno.EINVAL;
    for (let at = 0; at < steps.length; at += 3) {
      const [kind, start, length] = steps.slice(at, at + 3) as [number, number, number];
      if (kind !== 0 && kind !== 1 && kind !== 2) return -Errno.EINVAL;
      const result = file.lock(kind, start, length);
      if (result === -Errno.EAGAIN) return { taken: at / 3 };
      if (result < 0) return result;
    }
    return { taken: steps.length / 3 };
  },

  locked(process, { fd, start, length }) {
    const file = fileOf(process, fd);
    if (typeof file === "number") return file;
    return { locked: file.isLocked(start, length) };
  },

  readFd(process, { fd }) {
    const stream = process.descriptors.stream(fd);
    if (stream !== undefined) {
      return mapAnswer(readWhenReady(stream, smallReadBytes), (data) => ({
        data,
        more: data.byteLength > 0,
      }));
    }
    const file = fileOf(process, fd);
    return typeof file === "number" ? file : readRest(file, transferBuffer);
  },

  readFile(process, { path, flags }) {
    const file = opened(process, path, flags, 0o666);
    if (typeof file === "number") return file;
    // A stream's content comes when it comes: `readFd` waits for it.
    const later = (stream: Stream): { data: Uint8Array; more: boolean; fd: number } | number => {
      const fd = process.descriptors.add(stream);
      return fd < 0 ? fd : { data: new Uint8Array(0), more: true, fd };
    };
    if (file instanceof Deferred) return file.map(later);
    if (file instanceof Stream) return later(file);
    const part = holding(file, () => readRest(file, transferBuffer));
    if (typeof part !== "number" && part.more)
      return { data: part.data, more: true, fd: process.descriptors.add(file) };
    file.unref();
    return typeof part === "number" ? part : { data: part.data, more: false, fd: -1 };
  },

  writeFile(process, { path, data, flags, mode, more }) {
    const file = opened(process, path, flags, mode);
    if (typeof file === "number") return file;
    if (file instanceof Deferred) {
      // The frame that carried it is gone by then.
      const kept = Buffer.from(data);
      return file.chain((late) =>
        typeof late === "number" ? late : writeToStream(process, late, kept, more),
      );
    }
    if (file instanceof Stream) return writeToStream(process, file, data, more);
    const failure = holding(file, () => writeAll(file, data));
    if (failure === 0 && more) return { fd: process.descriptors.add(file) };
    return onceStored(closeFile(file), () => (failure < 0 ? failure : { fd: -1 }));
  },

  copyFile(process, { from, to, mode }) {
    const bad = checkPath(from) || checkPath(to);
    if (bad < 0) return bad;
    if ((mode & ~(COPYFILE_EXCL | COPYFILE_FICLONE | COPYFILE_FICLONE_FORCE)) !== 0)
      return -Errno.EINVAL;
    // Nothing here shares blocks between files: a clone that may fall back is a copy, a forced one is refused.
    if ((mode & COPYFILE_FICLONE_FORCE) !== 0) return -Errno.EOPNOTSUPP;
    const steps = copyFile(process, from, to, (mode & COPYFILE_EXCL) !== 0);
    return inSteps(process.account, steps);
  },

  stat(process, { path, follow }) {
    const bad = checkPath(path);
    if (bad < 0) return bad;
    const stream = follow ? namedStream(process, path) : undefined;
    if (stream !== undefined) return statValues(stream.stat());
    const stat = process.fs.stat(process.credentials, path, follow);
    return typeof stat === "number" ? stat : statValues(stat);
  },

  access(process, { path, mode }) {
    if ((mode & ~(R_OK | W_OK | X_OK | F_OK)) !== 0) return -Errno.EINVAL;
    const bad = checkPath(path);
    // A stream is its owner's to read and to write, and no program.
    if (bad === 0 && namedStream(process, path) !== undefined) {
      return done((mode & X_OK) === 0 ? 0 : -Errno.EACCES);
    }
    return done(bad || process.fs.access(process.credentials, path, mode));
  },

  mkdir(process, { path, mode, recursive }) {
    const bad = checkPath(path);
    if (bad < 0) return bad;
    if (recursive) {
      const first = process.fs.mkdirTree(process.credentials, path, mode & modeBits);
      if (typeof first === "string") return { first };
      return first < 0 ? first : { first: "" };
    }
    const made = process.fs.mkdir(process.credentials, path, mode & modeBits);
    return made < 0 ? made : { first: "" };
  },

  makeFifo(process, { path, mode }) {
    return done(checkPath(path) || process.fs.makeFifo(process.credentials, path, mode & modeBits));
  },

  rmdir(process, { path }) {
    return done(checkPath(path) || process.fs.rmdir(process.credentials, path));
  },

  unlink(process, { path }) {
    return done(checkPath(path) || process.fs.unlink(process.credentials, path));
  },

  rm(process, { path, recursive, force }) {
    const bad = checkPath(path);
    if (bad < 0) return force && bad === -Errno.ENOENT ? {} : bad;
    const stat = process.fs.stat(process.credentials, path, false);
    if (typeof stat === "number") return force && stat === -Errno.ENOENT ? {} : stat;
    if (!isDirectory(stat)) return done(process.fs.unlink(process.credentials, path));
    if (!recursive) return -Errno.EISDIR;
    return inSteps(process.account, removeTree(process, path));
  },

  rename(process, { from, to }) {
    return done(
      checkPath(from) || checkPath(to) || process.fs.rename(process.credentials, from, to),
    );
  },

  link(process, { from, to }) {
    return done(checkPath(from) || checkPath(to) || process.fs.link(process.credentials, from, to));
  },

  symlink(process, { target, path }) {
    return done(
      checkPath(target) || checkPath(path) || process.fs.symlink(process.credentials, target, path),
    );
  },

  readlink(process, { path }) {
    const target = checkPath(path) || process.fs.readlink(process.credentials, path);
    return typeof target === "number" ? target : { target };
  },

  realpath(process, { path }) {
    const resolved = checkPath(path) || process.fs.realpath(process.credentials, path);
    return typeof resolved === "number" ? resolved : { path: resolved };
  },

  readdir(process, { path, start }) {
    const bad = checkPath(path);
    if (bad < 0) return bad;
    const listed = inSteps(process.account, process.fs.readdirInSteps(process.credentials, path));
    return mapAnswer(listed, (entries) => listedFrom(entries, start));
  },

  chmod(process, { path, mode }) {
    return done(checkPath(path) || process.fs.chmod(process.credentials, path, mode & modeBits));
  },

  chown(process, { path, uid, gid, follow }) {
    return done(
      checkPath(path) ||
        process.fs.chown(process.credentials, path, ownerId(uid), ownerId(gid), follow),
    );
  },

  utimes(process, { path, atimeMs, mtimeMs, follow }) {
    if (!isTime(atimeMs) || !isTime(mtimeMs)) return -Errno.EINVAL;
    return done(
      checkPath(path) || process.fs.utimes(process.credentials, path, atimeMs, mtimeMs, follow),
    );
  },

  mkdtemp(process, { prefix }) {
    const path = checkPath(prefix) || process.fs.mkdtemp(process.credentials, prefix);
    return typeof path === "number" ? path : { path };
  },

  statfs(process, { path }) {
    const bad = checkPath(path);
    if (bad < 0) return bad;
    const stat = process.fs.statfs(process.credentials, path);
    if (typeof stat === "number") return stat;
    const { type, bsize, blocks, bfree, bavail, files, ffree } = stat;
    return { values: [type, bsize, blocks, bfree, bavail, files, ffree] };
  },

  watch(process, { path }) {
    const bad = checkPath(path);
    if (bad < 0) return bad;
    const real = process.fs.realpath(process.credentials, path);
    const watch = process.watches.add(
      (listener) => process.fs.watch(process.credentials, path, listener),
      typeof real === "number" ? path : real,
    );
    return watch < 0 ? watch : { watch };
  },

  unwatch(process, { watch }) {
    return done(process.watches.remove(watch));
  },

  moduleStat(process, { path, content }) {
    const { fs, credentials } = process;
    const changes = fs.changeCount;
    const kind = moduleKind(process, path);
    // Where the path was judged, nothing but that may be told.
    if (!path.startsWith("/") || credentials.walks !== undefined)
      return { kind, near: nothing, real: "", found: false, data: nothing, changes };
    const paths = nearModulePaths(path, kind);
    const kinds = nearKinds(process, paths);
    const near = Uint8Array.from(kinds);
    const file =
      kind === 0 ? path : paths.find((_, at) => kinds[at] === ModuleKind.file && kind <= 1);
    const real = file === undefined ? -Errno.ENOENT : fs.realpath(credentials, file);
    if (typeof real === "number")
      return { kind, near, real: "", found: false, data: nothing, changes };
    const data = content ? smallModule(process, real) : undefined;
    return { kind, near, real, found: data !== undefined, data: data ?? nothing, changes };
  },

  directoryAhead(process, { directory, first }) {
    const { fs, credentials } = process;
    if (checkPath(directory) < 0 || !directory.startsWith("/")) return -Errno.EINVAL;
    // What each module asks for has to be judged, or told, by itself.
    if (!process.policy.allowsAll("fs") || !process.policy.allowsAll("process"))
      return -Errno.EOPNOTSUPP;
    const changes = fs.changeCount;
    const ahead = fs.directoryAhead(credentials, directory, first);
    if (typeof ahead === "number") return ahead;
    const { path, data } = packageScopeOf(process, directory, true);
    if (data.length > fsLimits.aheadFileBytes) return -Errno.E2BIG;
    return { ...ahead, scope: path, scopeData: data, changes };
  },

  packageScope(process, { directory, root }) {
    if (checkPath(directory) < 0 || !directory.startsWith("/")) return -Errno.EINVAL;
    const changes = process.fs.changeCount;
    return { ...packageScopeOf(process, directory, root), changes };
  },

  readPackage(process, { path }) {
    const changes = process.fs.changeCount;
    const data = readPackageFile(process, path);
    return { found: data !== undefined, data: data ?? nothing, changes };
  },
};
