/**
 * Serves the fd_* imports on open files: transfer, position, attributes,
 * descriptors themselves. Directory listings are in directory.ts.
 * Untrusted: every argument.
 */
import { FdFlag, FileType, Right, TimeFlag, WasiErrno, WasiError, Whence } from "./abi.js";
import type { ImportTable, WasiContext } from "./context.js";
import type { OpenFile } from "./descriptors.js";
import { typeOfMode } from "./descriptors.js";
import { Transfer } from "./transfer.js";

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
  const files = new Files(context);
  return {
    ...transferImports(context, files),
    ...positionImports(context, files),
    ...descriptorImports(context),
    ...attributeImports(context, files),
    ...preopenImports(context),
  };
}

/** Open files by number, with what a call demands of them. */
class Files {
  constructor(private readonly context: WasiContext) {}

  /** Anything but a directory. */
  open(fd: number, rights: bigint): OpenFile {
    const file = this.context.descriptors.get(fd, Right.none);
    if (file.isDirectory) throw new WasiError(WasiErrno.EISDIR);
    if ((file.rights & rights) !== rights) throw new WasiError(WasiErrno.ENOTCAPABLE);
    return file;
  }

  regular(fd: number, rights: bigint): OpenFile {
    const file = this.open(fd, rights);
    if (file.type !== FileType.file) throw new WasiError(WasiErrno.ESPIPE);
    return file;
  }

  stat(file: OpenFile): Stats {
    const { fs } = this.context.system;
    return file.fd < 0
      ? fs.statSync(file.path, { bigint: true })
      : fs.fstatSync(file.fd, { bigint: true });
  }
}

function offset(value: bigint): number {
  const at = BigInt.asUintN(64, value);
  if (at > largestOffset) throw new WasiError(WasiErrno.EINVAL);
  return Number(at);
}

function transferImports({ memory, system }: WasiContext, files: Files): ImportTable {
  const transfer = new Transfer(system.fs);
  return {
    fd_read(fd: number, list: number, count: number, result: number) {
      const file = files.open(fd, Right.fdRead);
      const at = file.positioned ? Number(file.position) : null;
      const size = transfer.read(file, memory.buffers(list, count), at);
      file.position += BigInt(size);
      memory.setU32(result, size);
    },
    fd_write(fd: number, list: number, count: number, result: number) {
      const file = files.open(fd, Right.fdWrite);
      const appends = file.type === FileType.file && (file.flags & FdFlag.append) !== 0;
      if (appends && !file.append) file.position = files.stat(file).size;
      const at = file.positioned || (appends && !file.append) ? Number(file.position) : null;
      const size = transfer.write(file, memory.buffers(list, count), at);
      file.position += BigInt(size);
      if (appends && file.append) file.position = files.stat(file).size;
      memory.setU32(result, size);
    },
    fd_pread(fd: number, list: number, count: number, at: bigint, result: number) {
      const file = files.regular(fd, Right.fdRead | Right.fdSeek);
      memory.setU32(result, transfer.read(file, memory.buffers(list, count), offset(at)));
    },
    fd_pwrite(fd: number, list: number, count: number, at: bigint, result: number) {
      const file = files.regular(fd, Right.fdWrite | Right.fdSeek);
      memory.setU32(result, transfer.write(file, memory.buffers(list, count), offset(at)));
    },
  };
}

function positionImports({ memory }: WasiContext, files: Files): ImportTable {
  const seek = (fd: number, delta: bigint, whence: number, result: number): void => {
    const moves = whence !== Whence.current || delta !== 0n;
    const file = files.regular(fd, moves ? Right.fdSeek : Right.fdTell);
    let base: bigint;
    if (whence === Whence.set) base = 0n;
    else if (whence === Whence.current) base = file.position;
    else if (whence === Whence.end) base = files.stat(file).size;
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
    fd_seek: seek,
    fd_tell: (fd: number, result: number) => seek(fd, 0n, Whence.current, result),
  };
}

/** Numbers, flags and rights. */
function descriptorImports({ memory, descriptors }: WasiContext): ImportTable {
  return {
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
  };
}

function attributeImports(context: WasiContext, files: Files): ImportTable {
  const { descriptors, system } = context;
  const { fs } = system;
  return {
    fd_filestat_get(fd: number, result: number) {
      writeFilestat(context, result, files.stat(descriptors.get(fd, Right.fdFilestatGet)));
    },
    fd_filestat_set_size(fd: number, size: bigint) {
      fs.ftruncateSync(files.open(fd, Right.fdFilestatSetSize).fd, offset(size));
    },
    fd_filestat_set_times(fd: number, atimeNs: bigint, mtimeNs: bigint, flags: number) {
      const file = descriptors.get(fd, Right.fdFilestatSetTimes);
      const [atime, mtime] = times(context, flags, atimeNs, mtimeNs, () => files.stat(file));
      if (file.fd < 0) fs.utimesSync(file.path, atime, mtime);
      else fs.futimesSync(file.fd, atime, mtime);
    },
    fd_allocate(fd: number, start: bigint, length: bigint) {
      const file = files.regular(fd, Right.fdAllocate);
      const end = BigInt(offset(start)) + BigInt(offset(length));
      if (length === 0n || end > largestOffset) throw new WasiError(WasiErrno.EINVAL);
      if (files.stat(file).size < end) fs.ftruncateSync(file.fd, Number(end));
    },
    fd_advise(fd: number, _start: bigint, _length: bigint, advice: number) {
      files.regular(fd, Right.fdAdvise);
      if (advice < 0 || advice > 5) throw new WasiError(WasiErrno.EINVAL);
    },
    fd_sync(fd: number) {
      const file = descriptors.get(fd, Right.fdSync);
      if (file.fd >= 0 && file.type === FileType.file) fs.fsyncSync(file.fd);
    },
    fd_datasync(fd: number) {
      fs.fdatasyncSync(files.regular(fd, Right.fdDatasync).fd);
    },
  };
}

function preopenImports({ memory, descriptors }: WasiContext): ImportTable {
  return {
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
