/**
 * Serves the fd_* imports on open files: transfer, position, attributes,
 * descriptors themselves. Directory listings are in directory.ts.
 * Untrusted: every argument.
 */
import { FdFlag, FileType, Right, TimeFlag, WasiErrno, WasiError, Whence } from "./abi.js";
import type { ImportTable, WasiContext } from "./context.js";
import type { OpenFile } from "./descriptors.js";
import { typeOfMode } from "./descriptors.js";
import { wasiLimits } from "./limits.js";

/** Sizes and times beyond this are no exact numbers. */
const largestOffset = BigInt(Number.MAX_SAFE_INTEGER);
const none = 0xffffffff;

export interface Stats {
  dev: bigint;
  ino: bigint;
  mode: bigint;
  nlink: bigint;
  size: bigint;
  atimeNs: bigint;
  mtimeNs: bigint;
  ctimeNs: bigint;
}

/** filestat: 64 bytes. */
export function writeFilestat(context: WasiContext, pointer: number, stats: Stats): void {
  const bytes = new Uint8Array(64);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, stats.dev, true);
  view.setBigUint64(8, stats.ino, true);
  view.setUint8(16, typeOfMode(Number(stats.mode)));
  view.setBigUint64(24, stats.nlink, true);
  view.setBigUint64(32, stats.size, true);
  view.setBigUint64(40, stats.atimeNs, true);
  view.setBigUint64(48, stats.mtimeNs, true);
  view.setBigUint64(56, stats.ctimeNs, true);
  context.memory.set(pointer, bytes);
}

/** Seconds for utimes: what the flags ask for, or what the file has. */
export function times(
  context: WasiContext,
  flags: number,
  atimeNs: bigint,
  mtimeNs: bigint,
  current: () => Stats,
): [atime: number, mtime: number] {
  const { atime, atimeNow, mtime, mtimeNow } = TimeFlag;
  const contradicts = (one: number, other: number): boolean =>
    (flags & one) !== 0 && (flags & other) !== 0;
  if (contradicts(atime, atimeNow) || contradicts(mtime, mtimeNow))
    throw new WasiError(WasiErrno.EINVAL);
  const seconds = (ns: bigint): number => Number(BigInt.asUintN(64, ns)) / 1e9;
  const now = seconds(context.system.realtimeNs());
  const all = (atime | atimeNow) & flags && (mtime | mtimeNow) & flags;
  const kept = all ? undefined : current();
  const pick = (set: number, setNow: number, given: bigint, old: bigint | undefined): number =>
    flags & setNow ? now : flags & set ? seconds(given) : seconds(old ?? 0n);
  return [
    pick(atime, atimeNow, atimeNs, kept?.atimeNs),
    pick(mtime, mtimeNow, mtimeNs, kept?.mtimeNs),
  ];
}

export function fileImports(context: WasiContext): ImportTable {
  const { memory, descriptors, system } = context;
  const { fs } = system;
  let scratch = new Uint8Array(0);

  const scratchOf = (size: number): Uint8Array => {
    if (scratch.byteLength < size) scratch = new Uint8Array(Math.max(size, 64 * 1024));
    return scratch.subarray(0, size);
  };
  const sizeOf = (buffers: readonly Uint8Array[]): number => {
    let size = 0;
    for (const buffer of buffers) size += buffer.byteLength;
    return size;
  };

  /** Reads once, so that a short read ends the call: the next one could block. */
  const readInto = (file: OpenFile, buffers: readonly Uint8Array[], position: number): number => {
    const filled = buffers.filter((buffer) => buffer.byteLength > 0);
    if (filled.length === 0) return 0;
    const at = position < 0 ? null : position;
    if (filled.length === 1) {
      const [buffer] = filled;
      return fs.readSync(file.fd, buffer!, 0, buffer!.byteLength, at);
    }
    const whole = scratchOf(Math.min(sizeOf(filled), wasiLimits.transferBytes));
    const size = fs.readSync(file.fd, whole, 0, whole.byteLength, at);
    let taken = 0;
    for (const buffer of filled) {
      if (taken >= size) break;
      const part = whole.subarray(taken, Math.min(size, taken + buffer.byteLength));
      buffer.set(part);
      taken += part.byteLength;
    }
    return size;
  };

  const writeFrom = (file: OpenFile, buffers: readonly Uint8Array[], position: number): number => {
    const filled = buffers.filter((buffer) => buffer.byteLength > 0);
    if (filled.length === 0) return 0;
    const at = position < 0 ? null : position;
    if (filled.length === 1) {
      const [buffer] = filled;
      return fs.writeSync(file.fd, buffer!, 0, buffer!.byteLength, at);
    }
    const whole = scratchOf(Math.min(sizeOf(filled), wasiLimits.transferBytes));
    let taken = 0;
    for (const buffer of filled) {
      const part = buffer.subarray(0, whole.byteLength - taken);
      whole.set(part, taken);
      taken += part.byteLength;
      if (taken === whole.byteLength) break;
    }
    return fs.writeSync(file.fd, whole, 0, whole.byteLength, at);
  };

  const offset = (value: bigint): number => {
    const at = BigInt.asUintN(64, value);
    if (at > largestOffset) throw new WasiError(WasiErrno.EINVAL);
    return Number(at);
  };
  const open = (fd: number, rights: bigint): OpenFile => {
    const file = descriptors.get(fd, Right.none);
    if (file.isDirectory) throw new WasiError(WasiErrno.EISDIR);
    if ((file.rights & rights) !== rights) throw new WasiError(WasiErrno.ENOTCAPABLE);
    return file;
  };
  const regular = (fd: number, rights: bigint): OpenFile => {
    const file = open(fd, rights);
    if (file.type !== FileType.file) throw new WasiError(WasiErrno.ESPIPE);
    return file;
  };
  const stat = (file: OpenFile): Stats =>
    file.fd < 0
      ? fs.statSync(file.path, { bigint: true })
      : fs.fstatSync(file.fd, { bigint: true });

  const fd_read = (fd: number, list: number, count: number, result: number): void => {
    const file = open(fd, Right.fdRead);
    const size = readInto(
      file,
      memory.buffers(list, count),
      file.positioned ? Number(file.position) : -1,
    );
    file.position += BigInt(size);
    memory.setU32(result, size);
  };

  const fd_write = (fd: number, list: number, count: number, result: number): void => {
    const file = open(fd, Right.fdWrite);
    const appends = file.type === FileType.file && (file.flags & FdFlag.append) !== 0;
    if (appends && !file.append) file.position = stat(file).size;
    const at = file.positioned || (appends && !file.append) ? Number(file.position) : -1;
    const size = writeFrom(file, memory.buffers(list, count), at);
    file.position += BigInt(size);
    if (appends && file.append) file.position = stat(file).size;
    memory.setU32(result, size);
  };

  const seek = (fd: number, delta: bigint, whence: number, result: number): void => {
    const moves = whence !== Whence.current || delta !== 0n;
    const file = regular(fd, moves ? Right.fdSeek : Right.fdTell);
    let base: bigint;
    if (whence === Whence.set) base = 0n;
    else if (whence === Whence.current) base = file.position;
    else if (whence === Whence.end) base = stat(file).size;
    else throw new WasiError(WasiErrno.EINVAL);
    const at = base + delta;
    if (at < 0n || at > largestOffset) throw new WasiError(WasiErrno.EINVAL);
    if (at !== file.position) {
      file.position = at;
      file.positioned = true;
    }
    memory.setU64(result, at);
  };

  return {
    fd_read,
    fd_write,
    fd_pread(fd: number, list: number, count: number, at: bigint, result: number) {
      const file = regular(fd, Right.fdRead | Right.fdSeek);
      memory.setU32(result, readInto(file, memory.buffers(list, count), offset(at)));
    },
    fd_pwrite(fd: number, list: number, count: number, at: bigint, result: number) {
      const file = regular(fd, Right.fdWrite | Right.fdSeek);
      memory.setU32(result, writeFrom(file, memory.buffers(list, count), offset(at)));
    },
    fd_seek: seek,
    fd_tell: (fd: number, result: number) => seek(fd, 0n, Whence.current, result),
    fd_close: (fd: number) => descriptors.close(fd),
    fd_renumber: (from: number, to: number) => descriptors.renumber(from, to),

    fd_fdstat_get(fd: number, result: number) {
      const file = descriptors.get(fd, Right.none);
      const bytes = new Uint8Array(24);
      const view = new DataView(bytes.buffer);
      view.setUint8(0, file.type);
      view.setUint16(2, file.flags, true);
      view.setBigUint64(8, file.rights, true);
      view.setBigUint64(16, file.inheriting, true);
      memory.set(result, bytes);
    },
    fd_fdstat_set_flags(fd: number, flags: number) {
      const file = descriptors.get(fd, Right.fdFdstatSetFlags);
      const { append, nonblock, dsync, rsync, sync } = FdFlag;
      if ((flags & ~(append | nonblock | dsync | rsync | sync)) !== 0)
        throw new WasiError(WasiErrno.EINVAL);
      file.flags = flags;
    },
    fd_fdstat_set_rights(fd: number, rights: bigint, inheriting: bigint) {
      const file = descriptors.get(fd, Right.none);
      const wanted = BigInt.asUintN(64, rights);
      const wantedInheriting = BigInt.asUintN(64, inheriting);
      if ((wanted & ~file.rights) !== 0n || (wantedInheriting & ~file.inheriting) !== 0n)
        throw new WasiError(WasiErrno.ENOTCAPABLE);
      file.rights = wanted;
      file.inheriting = wantedInheriting;
    },
    fd_filestat_get(fd: number, result: number) {
      writeFilestat(context, result, stat(descriptors.get(fd, Right.fdFilestatGet)));
    },
    fd_filestat_set_size(fd: number, size: bigint) {
      fs.ftruncateSync(open(fd, Right.fdFilestatSetSize).fd, offset(size));
    },
    fd_filestat_set_times(fd: number, atimeNs: bigint, mtimeNs: bigint, flags: number) {
      const file = descriptors.get(fd, Right.fdFilestatSetTimes);
      const [atime, mtime] = times(context, flags, atimeNs, mtimeNs, () => stat(file));
      if (file.fd < 0) fs.utimesSync(file.path, atime, mtime);
      else fs.futimesSync(file.fd, atime, mtime);
    },
    fd_allocate(fd: number, start: bigint, length: bigint) {
      const file = regular(fd, Right.fdAllocate);
      const end = BigInt(offset(start)) + BigInt(offset(length));
      if (length === 0n || end > largestOffset) throw new WasiError(WasiErrno.EINVAL);
      if (stat(file).size < end) fs.ftruncateSync(file.fd, Number(end));
    },
    fd_advise(fd: number, _start: bigint, _length: bigint, advice: number) {
      regular(fd, Right.fdAdvise);
      if (advice < 0 || advice > 5) throw new WasiError(WasiErrno.EINVAL);
    },
    fd_sync(fd: number) {
      const file = descriptors.get(fd, Right.fdSync);
      if (file.fd >= 0 && file.type === FileType.file) fs.fsyncSync(file.fd);
    },
    fd_datasync(fd: number) {
      fs.fdatasyncSync(regular(fd, Right.fdDatasync).fd);
    },

    fd_prestat_get(fd: number, result: number) {
      const { preopen } = descriptors.get(fd, Right.none);
      if (preopen === undefined) throw new WasiError(WasiErrno.EBADF);
      memory.setU32(result, 0);
      memory.setU32(result + 4, preopen.byteLength);
    },
    fd_prestat_dir_name(fd: number, pointer: number, size: number) {
      const { preopen } = descriptors.get(fd, Right.none);
      if (preopen === undefined) throw new WasiError(WasiErrno.EBADF);
      if (size >>> 0 < preopen.byteLength) throw new WasiError(WasiErrno.ENAMETOOLONG);
      memory.set(pointer, preopen);
    },
  };
}

/** Owner ids as the module gives them: all ones leave one unchanged. */
export function ownerOf(id: number): number {
  return id >>> 0 === none ? -1 : id >>> 0;
}
