/**
 * Native calls relative to an open directory: the `*at` family, for the kernel
 * process only.
 *
 * Owns: the system calls that host mounts are made of. Convention as in libc.ts:
 * a negative result is `-errno`, nothing is retried, nothing throws.
 * Invariant: names are one component, so the final one is never followed (every
 * call says so) and there is no other to follow. `openBeneath` takes a longer path
 * and leaves it to the Linux kernel to refuse links and ways out.
 * Untrusted: names come from guests; a name with a slash or NUL, "" , "." and ".."
 * are refused here, whatever the caller checked.
 */
import { bufferOf, decodeText, encodeText, isPlain, textBytes } from "../abi/byte-text.js";
import { Errno } from "../abi/errno.js";
import { O_RDONLY, S_IFMT, S_IFREG } from "../abi/fcntl.js";
import { cString, checked, close, errnoView, read } from "./libc.js";
import { bind, openLibrary } from "./native.js";

const library = openLibrary();
const libraryAgain = openLibrary();

const nStatx = bind<[number, Uint8Array, number, number, Uint8Array], number>(
  library,
  "statx",
  ["i32", "buffer", "i32", "u32", "buffer"],
  "i32",
);
const nOpenat = bind<[number, Uint8Array, number, number], number>(
  library,
  "openat",
  ["i32", "buffer", "i32", "u32"],
  "i32",
);
const nReadlinkat = bind<[number, Uint8Array, Uint8Array, bigint], number>(
  library,
  "readlinkat",
  ["i32", "buffer", "buffer", "u64"],
  "i32",
);
const nMkdirat = bind<[number, Uint8Array, number], number>(
  library,
  "mkdirat",
  ["i32", "buffer", "u32"],
  "i32",
);
const nUnlinkat = bind<[number, Uint8Array, number], number>(
  library,
  "unlinkat",
  ["i32", "buffer", "i32"],
  "i32",
);
const nRenameat = bind<[number, Uint8Array, number, Uint8Array], number>(
  library,
  "renameat",
  ["i32", "buffer", "i32", "buffer"],
  "i32",
);
const nLinkat = bind<[number, Uint8Array, number, Uint8Array, number], number>(
  library,
  "linkat",
  ["i32", "buffer", "i32", "buffer", "i32"],
  "i32",
);
const nSymlinkat = bind<[Uint8Array, number, Uint8Array], number>(
  library,
  "symlinkat",
  ["buffer", "i32", "buffer"],
  "i32",
);
const nUtimensat = bind<[number, Uint8Array, Uint8Array, number], number>(
  library,
  "utimensat",
  ["i32", "buffer", "buffer", "i32"],
  "i32",
);
const nChmod = bind<[Uint8Array, number], number>(library, "chmod", ["buffer", "u32"], "i32");
const nSyscall = bind<[bigint, bigint, Uint8Array, Uint8Array, bigint], bigint>(
  library,
  "syscall",
  ["i64", "i64", "buffer", "buffer", "u64"],
  "i64",
);
const nGetdents = bind<[bigint, bigint, Uint8Array, bigint], bigint>(
  libraryAgain,
  "syscall",
  ["i64", "i64", "buffer", "u64"],
  "i64",
);

const SYS_OPENAT2 = 437n;
const SYS_GETDENTS64 = process.arch === "x64" ? 217n : 61n;
const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_REMOVEDIR = 0x200;
const AT_EMPTY_PATH = 0x1000;
const STATX_ALL = 0xfff;
const RESOLVE_NO_MAGICLINKS = 0x02n;
const RESOLVE_NO_SYMLINKS = 0x04n;
const RESOLVE_BENEATH = 0x08n;
/** Differs between architectures; arm64 swaps these two. */
const O_DIRECTORY = process.arch === "x64" ? 0o200000 : 0o40000;
const O_NOFOLLOW = process.arch === "x64" ? 0o400000 : 0o100000;
const O_CLOEXEC = 0o2000000;
const O_NONBLOCK = 0o4000;
const O_NOCTTY = 0o400;
const O_PATH = 0o10000000;

const NAME_BYTES = 255;
/** Some thousand names of one batch. */
const DIRENTS_BYTES = 32 * 1024;
const LINK_BYTES = 4096;

const nameBuffer = Buffer.alloc(NAME_BYTES + 1);
const otherNameBuffer = Buffer.alloc(NAME_BYTES + 1);
const emptyName = Buffer.alloc(1);
const dotName = Buffer.from(".\0");
const statBuffer = Buffer.alloc(256);
const statView = new DataView(statBuffer.buffer, statBuffer.byteOffset, 256);
const linkBuffer = Buffer.alloc(LINK_BYTES);
const direntBuffer = Buffer.alloc(DIRENTS_BYTES);
const howBuffer = Buffer.alloc(24);
const timesBuffer = Buffer.alloc(32);

/** Writes `name` as C text into `target`: 0, or why it is not the name of an entry. */
function putName(target: Buffer, name: string): number {
  if (name === "" || name === "." || name === ".." || name.includes("/") || name.includes("\0"))
    return -Errno.EINVAL;
  if (name.length * 3 > NAME_BYTES && textBytes(name) > NAME_BYTES) return -Errno.ENAMETOOLONG;
  if (isPlain(name)) target[target.write(name, 0, "utf8")] = 0;
  else {
    const bytes = encodeText(name);
    target.set(bytes);
    target[bytes.length] = 0;
  }
  return 0;
}

/** A path or target below a directory as C text. */
function cText(text: string): Uint8Array {
  return bufferOf(`${text}\0`);
}

/** What statx(2) tells of a file; times in milliseconds. */
export interface HostStat {
  mode: number;
  nlink: number;
  uid: number;
  gid: number;
  dev: number;
  ino: number;
  size: number;
  blocks: number;
  blksize: number;
  atimeMs: number;
  mtimeMs: number;
  ctimeMs: number;
  birthtimeMs: number;
}

function timeAt(offset: number): number {
  const seconds = Number(statView.getBigInt64(offset, true));
  return seconds * 1000 + statView.getUint32(offset + 8, true) / 1e6;
}

function decodeStat(): HostStat {
  const major = statView.getUint32(0x88, true);
  const minor = statView.getUint32(0x8c, true);
  return {
    blksize: statView.getUint32(0x04, true),
    nlink: statView.getUint32(0x10, true),
    uid: statView.getUint32(0x14, true),
    gid: statView.getUint32(0x18, true),
    mode: statView.getUint16(0x1c, true),
    ino: Number(statView.getBigUint64(0x20, true)),
    size: Number(statView.getBigUint64(0x28, true)),
    blocks: Number(statView.getBigUint64(0x30, true)),
    atimeMs: timeAt(0x40),
    birthtimeMs: timeAt(0x50),
    ctimeMs: timeAt(0x60),
    mtimeMs: timeAt(0x70),
    dev: major * 0x10_0000 + minor,
  };
}

/** The entry `name` of a directory, not following it. */
export function statAt(directory: number, name: string): HostStat | number {
  const bad = putName(nameBuffer, name);
  if (bad < 0) return bad;
  const result = nStatx(directory, nameBuffer, AT_SYMLINK_NOFOLLOW, STATX_ALL, statBuffer);
  return result < 0 ? -errnoView[0]! : decodeStat();
}

/** What a descriptor, O_PATH ones included, refers to. */
export function statOf(fd: number): HostStat | number {
  const result = nStatx(fd, emptyName, AT_EMPTY_PATH, STATX_ALL, statBuffer);
  return result < 0 ? -errnoView[0]! : decodeStat();
}

/** Opens an entry. Links are ELOOP, and nothing that is opened can block the caller. */
export function openAt(directory: number, name: string, flags: number, mode = 0): number {
  const bad = putName(nameBuffer, name);
  if (bad < 0) return bad;
  const all = flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  return checked(nOpenat(directory, nameBuffer, all, mode));
}

export interface SmallFile {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** All of its content has so many bytes. */
  readonly size: number;
  /** What else there is to tell of it, before the next call. */
  stat(): HostStat;
}

/** Reads an entry that is a regular file and fits into `target`; EFBIG when it does not, EINVAL for anything else. */
export function readSmallAt(
  directory: number,
  name: string,
  target: Uint8Array,
): SmallFile | number {
  const fd = openAt(directory, name, O_RDONLY);
  if (fd < 0) return fd;
  try {
    if (nStatx(fd, emptyName, AT_EMPTY_PATH, STATX_ALL, statBuffer) < 0) return -errnoView[0]!;
    const mode = statView.getUint16(0x1c, true);
    if ((mode & S_IFMT) !== S_IFREG) return -Errno.EINVAL;
    const length = Number(statView.getBigUint64(0x28, true));
    if (length > target.byteLength) return -Errno.EFBIG;
    const uid = statView.getUint32(0x14, true);
    const gid = statView.getUint32(0x18, true);
    let size = 0;
    while (size < length) {
      const count = read(fd, target, size, length - size);
      if (count < 0) return count;
      if (count === 0) break;
      size += count;
    }
    return { mode, uid, gid, size, stat: decodeStat };
  } finally {
    close(fd);
  }
}

/** An O_PATH descriptor of an entry of any kind. */
export function pathAt(directory: number, name: string): number {
  const bad = putName(nameBuffer, name);
  if (bad < 0) return bad;
  return checked(nOpenat(directory, nameBuffer, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0));
}

/** An O_PATH descriptor of a directory by its path on the host, which the host's user chose. */
export function openRoot(path: string): number {
  if (path.includes("\0")) return -Errno.EINVAL;
  const bytes = cString(path);
  return checked(nOpenat(AT_FDCWD, bytes, O_PATH | O_DIRECTORY | O_CLOEXEC, 0));
}

let beneathWorks = true;

/**
 * An O_PATH descriptor of a directory some levels below `root`, without following
 * any link and without leaving `root`: openat2(2), or a walk of one component at
 * a time where that is missing or forbidden.
 */
export function openBeneath(root: number, path: string): number {
  if (beneathWorks) {
    howBuffer.fill(0);
    howBuffer.writeBigUInt64LE(BigInt(O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), 0);
    howBuffer.writeBigUInt64LE(RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS, 16);
    const text = cText(path);
    const result = Number(nSyscall(SYS_OPENAT2, BigInt(root), text, howBuffer, 24n));
    if (result >= 0) return result;
    const errno = errnoView[0]!;
    if (errno !== Errno.ENOSYS && errno !== Errno.EPERM) return -errno;
    beneathWorks = false;
  }
  return openStepwise(root, path);
}

/** As `openBeneath`, with calls that every Linux has. */
export function openStepwise(root: number, path: string): number {
  let at = root;
  for (const name of path.split("/")) {
    const bad = putName(nameBuffer, name);
    const next =
      bad < 0
        ? bad
        : checked(nOpenat(at, nameBuffer, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0));
    if (at !== root) close(at);
    if (next < 0) return next;
    at = next;
  }
  return at === root ? -Errno.EINVAL : at;
}

export function closeFd(fd: number): void {
  close(fd);
}

export interface HostEntry {
  name: string;
  /** DT_*; 0 when the file system does not say. */
  type: number;
}

/** All entries of a directory but "." and "..", some at a time; answers 0 or -errno. A descriptor is open from the first until the last, or `return`. */
export function* batchesOf(directory: number): Generator<HostEntry[], number, void> {
  const fd = checked(nOpenat(directory, dotName, O_DIRECTORY | O_CLOEXEC, 0));
  if (fd < 0) return fd;
  try {
    for (;;) {
      const size = Number(
        nGetdents(SYS_GETDENTS64, BigInt(fd), direntBuffer, BigInt(DIRENTS_BYTES)),
      );
      if (size < 0) return -errnoView[0]!;
      if (size === 0) return 0;
      const entries: HostEntry[] = [];
      for (let at = 0; at < size;) {
        const length = direntBuffer.readUInt16LE(at + 16);
        const end = direntBuffer.indexOf(0, at + 19);
        const name = decodeText(direntBuffer.subarray(at + 19, end));
        if (name !== "." && name !== "..") entries.push({ name, type: direntBuffer[at + 18]! });
        at += length;
      }
      yield entries;
    }
  } finally {
    close(fd);
  }
}

export function readlinkAt(directory: number, name: string): string | number {
  const bad = putName(nameBuffer, name);
  if (bad < 0) return bad;
  const size = nReadlinkat(directory, nameBuffer, linkBuffer, BigInt(LINK_BYTES));
  return size < 0 ? -errnoView[0]! : decodeText(linkBuffer.subarray(0, size));
}

export function mkdirAt(directory: number, name: string, mode: number): number {
  return putName(nameBuffer, name) || checked(nMkdirat(directory, nameBuffer, mode));
}

export function unlinkAt(directory: number, name: string): number {
  return putName(nameBuffer, name) || checked(nUnlinkat(directory, nameBuffer, 0));
}

export function rmdirAt(directory: number, name: string): number {
  return putName(nameBuffer, name) || checked(nUnlinkat(directory, nameBuffer, AT_REMOVEDIR));
}

export function renameAt(from: number, oldName: string, to: number, newName: string): number {
  const bad = putName(nameBuffer, oldName) || putName(otherNameBuffer, newName);
  return bad || checked(nRenameat(from, nameBuffer, to, otherNameBuffer));
}

/** A link that is the source is linked itself. */
export function linkAt(from: number, oldName: string, to: number, newName: string): number {
  const bad = putName(nameBuffer, oldName) || putName(otherNameBuffer, newName);
  return bad || checked(nLinkat(from, nameBuffer, to, otherNameBuffer, 0));
}

export function symlinkAt(target: string, directory: number, name: string): number {
  if (target.includes("\0")) return -Errno.EINVAL;
  const text = cText(target);
  return putName(nameBuffer, name) || checked(nSymlinkat(text, directory, nameBuffer));
}

function putTime(offset: number, ms: number): void {
  let seconds = Math.floor(ms / 1000);
  let nanoseconds = Math.round((ms - seconds * 1000) * 1e6);
  if (nanoseconds >= 1e9) {
    seconds += 1;
    nanoseconds -= 1e9;
  }
  timesBuffer.writeBigInt64LE(BigInt(seconds), offset);
  timesBuffer.writeBigInt64LE(BigInt(nanoseconds), offset + 8);
}

export function utimesAt(
  directory: number,
  name: string,
  atimeMs: number,
  mtimeMs: number,
): number {
  const bad = putName(nameBuffer, name);
  if (bad < 0) return bad;
  putTime(0, atimeMs);
  putTime(16, mtimeMs);
  return checked(nUtimensat(directory, nameBuffer, timesBuffer, AT_SYMLINK_NOFOLLOW));
}

/** chmod(2) of what an O_PATH descriptor refers to, which must not be a link. */
export function chmodOf(fd: number, mode: number): number {
  return checked(nChmod(cString(`/proc/self/fd/${fd}`), mode));
}
