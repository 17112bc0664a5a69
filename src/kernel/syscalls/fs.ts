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
import { isFileBytes } from "../../abi/resources.js";
import { F_OK, R_OK, W_OK, X_OK } from "../../abi/fcntl.js";
import {
  AheadWants,
  COPYFILE_EXCL,
  COPYFILE_FICLONE,
  COPYFILE_FICLONE_FORCE,
  ModuleKind,
  UvDirent,
  fsLimits,
  nearModulePaths,
  nearPackagePaths,
} from "../../protocol/fs-calls.js";
import type { fsCalls } from "../../protocol/fs-calls.js";
import type { CallArgs, CallResult } from "../../protocol/table.js";
import { statNumbers } from "../fs/index.js";
import type { DirectoryEntry, FileStat } from "../fs/index.js";
import { limits } from "../limits.js";
import { Deferred, mapAnswer } from "../io/deferred.js";
import { inSteps } from "../io/steps.js";
import type { Steps } from "../io/steps.js";
import { Stream, readWhenReady } from "../io/stream.js";
import {
  type FsProcess,
  nothing,
  modeBits,
  checkPath,
  isRegular,
  isDirectory,
} from "./fs-checks.js";
import { copyFile } from "./fs-copy.js";
import { promisedWithin, truncateWithin, writeAllWithin, writeWithin } from "./fs-limit.js";
import {
  isNoted,
  isOpen,
  noDirectory,
  readPackageFile,
  moduleKind,
  packageScopeOf,
  packageScopePath,
  smallModule,
  nearKinds,
} from "./fs-modules.js";
import {
  smallReadBytes,
  writeToStream,
  readStream,
  writeStream,
  transferBuffer,
  readRest,
} from "./fs-transfer.js";
import {
  namedStream,
  opened,
  openFd,
  closeFile,
  onceStored,
  holding,
  fileOf,
  namedFileOf,
} from "./fs-open.js";

type FsCalls = typeof fsCalls;
export type FsHandlers = {
  readonly [K in keyof FsCalls]: (
    process: FsProcess,
    args: CallArgs<FsCalls, K>,
  ) => CallResult<FsCalls, K> | number | Deferred<CallResult<FsCalls, K>>;
};

/** Owner id that means "leave as it is". */
const unchangedId = 0xffff_ffff;
/** Largest distance of a time from the epoch that a JavaScript date can show. */
const maxTimeMs = 8.64e15;
const maxPosition = 2 ** 63;
/** As `changes`: what is answered comes later, or in parts. */
const notKnown = -1;
/** Of the quota, for one process; it writes so much before it asks again. */
const mostPromised = 1024 * 1024;
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
  return { values: statNumbers(stat) };
}

function* removeTree({ fs, credentials }: FsProcess, path: string): Steps<Record<never, never>> {
  return done(yield* fs.removeTreeInSteps(credentials, path));
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
    const written = writeWithin(process, file, data, position);
    return written < 0 ? written : { written };
  },

  writeWithin(process, { fd, data, fileBytes }) {
    if (!isFileBytes(fileBytes)) return -Errno.EINVAL;
    const stream = process.descriptors.stream(fd);
    if (stream !== undefined) return writeStream(process, stream, data);
    const file = fileOf(process, fd);
    if (typeof file === "number") return file;
    const soft = Math.min(fileBytes, process.fileBytes.soft);
    const part = {
      fileBytes: { soft, hard: soft },
      fileTooLong: () => process.fileTooLong(),
    };
    const written = writeWithin(part, file, data, -1);
    return written < 0 ? written : { written };
  },

  writeFirst(process, { fd, data, more }) {
    const file = process.descriptors.file(fd);
    if (file?.isStored !== true) return -Errno.EOPNOTSUPP;
    const written = writeWithin(process, file, data, -1);
    if (written < 0) return written;
    const full = written === data.byteLength;
    const wanted = promisedWithin(process, file, Math.min(more, mostPromised));
    return { written, promised: full && wanted > 0 ? process.promises(file, wanted) : 0 };
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
      ? done(truncateWithin(process, file, length))
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

  readAhead(process, { fd, length, ahead }) {
    const file = process.descriptors.file(fd);
    if (file?.tellsAhead !== true) return -Errno.EOPNOTSUPP;
    const buffer = transferBuffer(Math.min(length + ahead, fsLimits.transferBytes));
    const { position, toldTo } = file;
    const size = file.readAhead(buffer, length);
    if (size < 0) return size;
    // What is told counts whether it is used or not, which nobody but the program knows; told again, it does not.
    process.bill?.moved("file", "in", Math.max(0, position + size - Math.max(position, toldTo)));
    return { data: buffer.subarray(0, size), position };
  },

  readFile(process, { path, flags }) {
    const file = opened(process, path, flags, 0o666);
    if (typeof file === "number") return file;
    // A stream's content comes when it comes: `readFd` waits for it.
    const later = (stream: Stream): CallResult<FsCalls, "readFile"> | number => {
      const fd = process.descriptors.add(stream);
      return fd < 0 ? fd : { data: new Uint8Array(0), more: true, fd, changes: notKnown };
    };
    if (file instanceof Deferred) return file.map(later);
    if (file instanceof Stream) return later(file);
    const part = holding(file, () => readRest(file, transferBuffer));
    if (typeof part !== "number" && part.more)
      return { data: part.data, more: true, fd: process.descriptors.add(file), changes: notKnown };
    file.unref();
    // Counted when it is done: it may have made the file, or emptied it.
    const changes = process.fs.changeCount;
    return typeof part === "number" ? part : { data: part.data, more: false, fd: -1, changes };
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
    const failure = holding(file, () => writeAllWithin(process, file, data));
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

  exists(process, { path }) {
    const changes = process.fs.changeCount;
    const found = typeof fsHandlers.access(process, { path, mode: F_OK }) !== "number";
    return { found, changes };
  },

  mkdir(process, { path, mode, recursive }) {
    if (recursive) {
      const first = process.fs.mkdirTree(process.credentials, path, mode & modeBits);
      if (typeof first === "string") return { first };
      return first < 0 ? first : { first: "" };
    }
    const made = process.fs.mkdir(process.credentials, path, mode & modeBits);
    return made < 0 ? made : { first: "" };
  },

  makeFifo(process, { path, mode }) {
    return done(process.fs.makeFifo(process.credentials, path, mode & modeBits));
  },

  rmdir(process, { path }) {
    return done(process.fs.rmdir(process.credentials, path));
  },

  unlink(process, { path }) {
    return done(process.fs.unlink(process.credentials, path));
  },

  rm(process, { path, recursive, force }) {
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
    const target = process.fs.readlink(process.credentials, path);
    return typeof target === "number" ? target : { target };
  },

  realpath(process, { path }) {
    const changes = process.fs.changeCount;
    const resolved = process.fs.realpath(process.credentials, path);
    return typeof resolved === "number" ? resolved : { path: resolved, changes };
  },

  readdir(process, { path, start }) {
    const listed = inSteps(process.account, process.fs.readdirInSteps(process.credentials, path));
    return mapAnswer(listed, (entries) => listedFrom(entries, start));
  },

  chmod(process, { path, mode }) {
    return done(process.fs.chmod(process.credentials, path, mode & modeBits));
  },

  chown(process, { path, uid, gid, follow }) {
    return done(process.fs.chown(process.credentials, path, ownerId(uid), ownerId(gid), follow));
  },

  utimes(process, { path, atimeMs, mtimeMs, follow }) {
    if (!isTime(atimeMs) || !isTime(mtimeMs)) return -Errno.EINVAL;
    return done(process.fs.utimes(process.credentials, path, atimeMs, mtimeMs, follow));
  },

  mkdtemp(process, { prefix }) {
    const path = checkPath(prefix) || process.fs.mkdtemp(process.credentials, prefix);
    return typeof path === "number" ? path : { path };
  },

  statfs(process, { path }) {
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

  look(process, args) {
    const changes = process.fs.changeCount;
    const answer = fsHandlers.stat(process, args) as { values: number[] } | number;
    return typeof answer === "number"
      ? { errno: answer, values: [], changes }
      : { errno: 0, values: answer.values, changes };
  },

  moduleStat(process, { path, content }) {
    const { fs, credentials } = process;
    const changes = fs.changeCount;
    const kind = moduleKind(process, path);
    // Where the path was judged, nothing but that may be told.
    if (!path.startsWith("/") || credentials.walks !== undefined)
      return { kind, near: nothing, real: "", found: false, data: nothing, scope: "", changes };
    const paths = nearModulePaths(path, kind);
    const kinds = nearKinds(process, paths);
    const near = Uint8Array.from(kinds);
    const file =
      kind === 0 ? path : paths.find((_, at) => kinds[at] === ModuleKind.file && kind <= 1);
    const real = file === undefined ? -Errno.ENOENT : fs.realpath(credentials, file);
    if (typeof real === "number")
      return { kind, near, real: "", found: false, data: nothing, scope: "", changes };
    const data = content ? smallModule(process, real) : undefined;
    if (data === undefined)
      return { kind, near, real, found: false, data: nothing, scope: "", changes };
    // Where anything is judged, that it may be read is not known yet.
    const tells = isOpen(process) || isNoted(process);
    const scope = tells ? packageScopePath(process, posix.dirname(real)) : "";
    return { kind, near, real, found: true, data, scope, changes };
  },

  directoryAhead(process, { directory, first, wants }) {
    const { fs, credentials } = process;
    const changes = fs.changeCount;
    const fails = (errno: number): CallResult<FsCalls, "directoryAhead"> => ({
      ...noDirectory,
      errno,
      changes,
    });
    if (checkPath(directory) < 0 || !directory.startsWith("/")) return fails(-Errno.EINVAL);
    // What is judged, or learned, has to be so for each module by itself; of what is only noted the row tells.
    const open = isOpen(process);
    const isForLoader = wants === AheadWants.content || wants === AheadWants.package;
    if (!open && !(isForLoader && isNoted(process))) return fails(-Errno.EOPNOTSUPP);
    const ahead = fs.directoryAhead(credentials, directory, first, wants);
    if (typeof ahead === "number") return fails(ahead);
    const isPackage = wants === AheadWants.package && !directory.endsWith("/");
    // What is noted is noted by where it is.
    const near =
      isPackage && (open || ahead.real === directory)
        ? Uint8Array.from(nearKinds(process, nearPackagePaths(directory)))
        : nothing;
    const told = { ...ahead, errno: 0, near, open, changes };
    if (wants === AheadWants.names) return { ...told, scope: "", scopeData: nothing };
    const { path, data } = packageScopeOf(process, directory, true);
    if (data.length > fsLimits.aheadFileBytes) return fails(-Errno.E2BIG);
    return { ...told, scope: path, scopeData: data };
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
