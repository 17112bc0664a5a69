/**
 * Native calls of every process; dirfd.ts binds those of the kernel process alone.
 *
 * Linux convention throughout: a negative result is `-errno`, anything else is
 * the result; nothing is retried and nothing throws, except on a caller's own
 * mistake (a range outside its buffer). How symbols are resolved: native.ts. The
 * scratch memory below is static and used by one call at a time; each worker
 * thread that loads the module has its own.
 *
 * Sizes travel as `u64`: a 32-bit argument leaves the upper half of a
 * `size_t` register to chance.
 */
import * as ffi from "node:ffi";
import { bind, openEngine, openLibrary } from "./native.js";

const library = openLibrary();
const libraryAgain = openLibrary();
const engine = openEngine();

const nFork = bind<[], number>(library, "fork", [], "i32");
const nExit = bind<[number], void>(library, "_exit", ["i32"], "void");
const nWaitpid = bind<[number, bigint, number], number>(
  library,
  "waitpid",
  ["i32", "pointer", "i32"],
  "i32",
);
const nPoll = bind<[bigint, bigint, number], number>(
  library,
  "poll",
  ["pointer", "u64", "i32"],
  "i32",
);
const nRead = bind<[number, Uint8Array, bigint], number>(
  library,
  "read",
  ["i32", "buffer", "u64"],
  "i32",
);
const nPread = bind<[number, Uint8Array, bigint, bigint], number>(
  library,
  "pread64",
  ["i32", "buffer", "u64", "i64"],
  "i32",
);
const nIoctl = bind<[number, bigint, bigint], number>(
  library,
  "ioctl",
  ["i32", "u64", "pointer"],
  "i32",
);
const nSignal = bind<[number, bigint], bigint>(library, "signal", ["i32", "pointer"], "pointer");
const nReadAt = bind<[number, bigint, bigint], number>(
  libraryAgain,
  "read",
  ["i32", "pointer", "u64"],
  "i32",
);
const nWrite = bind<[number, Uint8Array, bigint], number>(
  library,
  "write",
  ["i32", "buffer", "u64"],
  "i32",
);
const nWriteAt = bind<[number, bigint, bigint], number>(
  libraryAgain,
  "write",
  ["i32", "pointer", "u64"],
  "i32",
);
const nWritev = bind<[number, bigint, number], number>(
  library,
  "writev",
  ["i32", "pointer", "i32"],
  "i32",
);
const nClose = bind<[number], number>(library, "close", ["i32"], "i32");
const nPipe2 = bind<[bigint, number], number>(library, "pipe2", ["pointer", "i32"], "i32");
const nSocketpair = bind<[number, number, number, bigint], number>(
  library,
  "socketpair",
  ["i32", "i32", "i32", "pointer"],
  "i32",
);
const nDup2 = bind<[number, number], number>(library, "dup2", ["i32", "i32"], "i32");
const nFcntl = bind<[number, number, bigint], number>(
  library,
  "fcntl",
  ["i32", "i32", "u64"],
  "i32",
);
const nSendmsg = bind<[number, bigint, number], number>(
  library,
  "sendmsg",
  ["i32", "pointer", "i32"],
  "i32",
);
const nRecvmsg = bind<[number, bigint, number], number>(
  library,
  "recvmsg",
  ["i32", "pointer", "i32"],
  "i32",
);
const nPrctl = bind<[number, bigint, bigint, bigint, bigint], number>(
  library,
  "prctl",
  ["i32", "u64", "u64", "u64", "u64"],
  "i32",
);
const nKill = bind<[number, number], number>(library, "kill", ["i32", "i32"], "i32");
const nPrlimit = bind<[number, number, bigint, bigint], number>(
  library,
  "prlimit64",
  ["i32", "i32", "pointer", "pointer"],
  "i32",
);
const nClockGettime = bind<[number, bigint], number>(
  library,
  "clock_gettime",
  ["i32", "pointer"],
  "i32",
);
const nSetgroups = bind<[bigint, bigint], number>(library, "setgroups", ["u64", "pointer"], "i32");
const nSetresuid = bind<[number, number, number], number>(
  library,
  "setresuid",
  ["u32", "u32", "u32"],
  "i32",
);
const nSetresgid = bind<[number, number, number], number>(
  library,
  "setresgid",
  ["u32", "u32", "u32"],
  "i32",
);
const nMmap = bind<[bigint, bigint, number, number, number, bigint], bigint>(
  library,
  "mmap",
  ["u64", "u64", "i32", "i32", "i32", "i64"],
  "i64",
);
const nMprotect = bind<[bigint, bigint, number], number>(
  library,
  "mprotect",
  ["u64", "u64", "i32"],
  "i32",
);
const nChdir = bind<[Uint8Array], number>(library, "chdir", ["buffer"], "i32");
const nUmask = bind<[number], number>(library, "umask", ["u32"], "u32");
const nGetpid = bind<[], number>(library, "getpid", [], "i32");
const nGetppid = bind<[], number>(library, "getppid", [], "i32");
const nGeteuid = bind<[], number>(library, "geteuid", [], "u32");
const nGetegid = bind<[], number>(library, "getegid", [], "u32");
const nOpen = bind<[Uint8Array, number, number], number>(
  library,
  "open",
  ["buffer", "i32", "u32"],
  "i32",
);
const nGetrandom = bind<[Uint8Array, bigint, number], number>(
  library,
  "getrandom",
  ["buffer", "u64", "u32"],
  "i32",
);
const nSyscall = bind<[bigint, bigint, bigint, bigint, bigint, bigint, bigint], bigint>(
  library,
  "syscall",
  ["i64", "u64", "u64", "u64", "u64", "u64", "u64"],
  "i64",
);
const nMalloc = bind<[bigint], bigint>(library, "malloc", ["u64"], "u64");
const nFree = bind<[bigint], void>(library, "free", ["u64"], "void");
const nMallocTrim = bind<[bigint], number>(library, "malloc_trim", ["u64"], "i32");
const nSbrk = bind<[bigint], bigint>(library, "sbrk", ["i64"], "u64");
const nErrnoLocation = bind<[], bigint>(library, "__errno_location", [], "pointer");
const nLoopFork = bind<[bigint], number>(engine, "uv_loop_fork", ["pointer"], "i32");
const nRandPoll = bind<[], number>(engine, "RAND_poll", [], "i32");
const nRandFetch = bind<[bigint, Uint8Array, bigint], bigint>(
  engine,
  "EVP_RAND_fetch",
  ["u64", "buffer", "u64"],
  "u64",
);
const nCipherFetch = bind<[bigint, Uint8Array, bigint], bigint>(
  engine,
  "EVP_CIPHER_fetch",
  ["u64", "buffer", "u64"],
  "u64",
);

const x64 = process.arch === "x64";

/** Numbers of the few calls libc has no wrapper for everywhere. */
const SYS_SECCOMP = x64 ? 317n : 277n;
const SYS_OPENAT = x64 ? 257 : 56;
const SYS_MUNMAP = x64 ? 11 : 215;
const SYS_CLOSE_RANGE = 436n;
/** include/uapi/linux/close_range.h; since Linux 5.11. */
const CLOSE_RANGE_CLOEXEC = 4n;
const SYS_LANDLOCK_CREATE_RULESET = 444n;

/** The calling thread's errno: the same address before and after a fork. */
export const errnoView = new Int32Array(ffi.toArrayBuffer(nErrnoLocation(), 4, false));

/** A result, or `-errno` where C says -1. */
export function checked(result: number): number {
  return result < 0 ? -errnoView[0]! : result;
}

// --- scratch memory ------------------------------------------------------------------------------

const MAX_FDS_PER_MESSAGE = 64;
const MAX_POLL = 1024;

/** Ints and rlimits of the calls in hand. */
const scratch = Buffer.alloc(64);
const scratchPointer = ffi.getRawPointer(scratch);
const scratch32 = new Int32Array(scratch.buffer, scratch.byteOffset, 16);
const scratch64 = new BigUint64Array(scratch.buffer, scratch.byteOffset, 8);

/** `struct pollfd { int fd; short events; short revents }`, one for the hot path, many for `poll`. */
const pollOne = new Int32Array(2);
const pollOnePointer = ffi.getRawPointer(pollOne);
const pollMany = new Int32Array(2 * MAX_POLL);
const pollManyPointer = ffi.getRawPointer(pollMany);

/** msghdr (56 bytes), iovec (16), control block: one allocation, fixed offsets, 64-bit ABI. */
const IOVEC_AT = 56;
const CONTROL_AT = 72;
const CMSG_HEADER = 16;
/** `struct iovec { void *iov_base; size_t iov_len }` of the pieces of one frame. */
const MAX_PARTS = 3;
const iovecs = new BigUint64Array(2 * MAX_PARTS);
const iovecsPointer = ffi.getRawPointer(iovecs);

const message = Buffer.alloc(CONTROL_AT + CMSG_HEADER + 4 * MAX_FDS_PER_MESSAGE);
const messagePointer = ffi.getRawPointer(message);

// --- constants -----------------------------------------------------------------------------------

export const POLLIN = 0x1;
export const POLLOUT = 0x4;
export const POLLERR = 0x8;
export const POLLHUP = 0x10;
export const POLLNVAL = 0x20;

export const WNOHANG = 1;

export const SOCK_STREAM = 1;
export const SOCK_SEQPACKET = 5;
export const SOCK_NONBLOCK = 0x800;
export const SOCK_CLOEXEC = 0x80000;

export const O_NONBLOCK = 0x800;
export const O_CLOEXEC = 0x80000;

export const SIGINT = 2;
export const SIGKILL = 9;
export const SIGCONT = 18;
export const SIGSTOP = 19;
export const SIGTERM = 15;

const AF_UNIX = 1;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_CTRUNC = 0x8;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x4000_0000;

const EMSGSIZE = 90;
const EINVAL = 22;
const EIO = 5;

/** include/uapi/linux/sockios.h */
const SIOCOUTQ = 0x5411n;

const F_DUPFD_CLOEXEC = 1030;
const F_GETFD = 1;
const F_SETFD = 2;
const F_GETFL = 3;
const F_SETFL = 4;

export const PROT_NONE = 0;
export const PROT_READ_WRITE = 3;
const MAP_PRIVATE_ANONYMOUS_NORESERVE = 0x4022;

/** include/uapi/linux/time.h */
const CLOCK_THREAD_CPUTIME_ID = 3;

const PR_SET_PDEATHSIG = 1;
const PR_SET_DUMPABLE = 4;
const PR_GET_SECCOMP = 21;
const PR_SET_NO_NEW_PRIVS = 38;
const PR_GET_NO_NEW_PRIVS = 39;

const SECCOMP_SET_MODE_FILTER = 1n;
const SECCOMP_GET_ACTION_AVAIL = 2n;
const SECCOMP_FILTER_FLAG_TSYNC = 1n;
const SECCOMP_FILTER_FLAG_NEW_LISTENER = 8n;
const LANDLOCK_CREATE_RULESET_VERSION = 1n;

function checkRange(buffer: Uint8Array, offset: number, length: number): void {
  if (
    !Number.isInteger(offset) ||
    !Number.isInteger(length) ||
    offset < 0 ||
    length < 0 ||
    length > 0x7fff_f000 ||
    offset + length > buffer.byteLength
  ) {
    throw new RangeError("range outside the buffer");
  }
}

// --- processes -----------------------------------------------------------------------------------

/** 0 in the child, the child's pid in the parent. The child leaves with `_exit` only. */
export function fork(): number {
  return checked(nFork());
}

export function _exit(code: number): never {
  nExit(code);
  throw new Error("unreachable");
}

export interface Waited {
  readonly pid: number;
  /** As the kernel reports it: see `exitCodeOf` and `signalOf`. */
  readonly status: number;
}

/** `Waited`, 0 when nothing has ended (`WNOHANG`), or `-errno`. */
export function waitpid(pid: number, flags: number): Waited | number {
  const got = nWaitpid(pid, scratchPointer, flags);
  if (got <= 0) return got < 0 ? -errnoView[0]! : 0;
  return { pid: got, status: scratch32[0]! };
}

/** The exit code in a wait status, or undefined after a signal. */
export function exitCodeOf(status: number): number | undefined {
  return (status & 0x7f) === 0 ? (status >> 8) & 0xff : undefined;
}

/** The fatal signal in a wait status, or undefined after an exit. */
export function signalOf(status: number): number | undefined {
  const signal = status & 0x7f;
  return signal === 0 || signal === 0x7f ? undefined : signal;
}

export function kill(pid: number, signal: number): number {
  return checked(nKill(pid, signal));
}

/** Runs native code at `handler` when the signal arrives; 0n is the default. Answers what ran until now. */
export function setSignalHandler(signal: number, handler: bigint): bigint {
  return nSignal(signal, handler);
}

export function getpid(): number {
  return nGetpid();
}

export function getppid(): number {
  return nGetppid();
}

export function geteuid(): number {
  return nGeteuid();
}

export function getegid(): number {
  return nGetegid();
}

// --- descriptors ---------------------------------------------------------------------------------

export interface PollRequest {
  readonly fd: number;
  readonly events: number;
}

/** The `revents` of each request in order (all zero on a time-out), or `-errno`. */
export function poll(requests: readonly PollRequest[], timeoutMs: number): number[] | number {
  const count = requests.length;
  if (count > MAX_POLL) return -EINVAL;
  for (let i = 0; i < count; i++) {
    pollMany[2 * i] = requests[i]!.fd;
    pollMany[2 * i + 1] = requests[i]!.events & 0xffff;
  }
  const ready = nPoll(pollManyPointer, BigInt(count), timeoutMs);
  if (ready < 0) return -errnoView[0]!;
  const revents: number[] = [];
  for (let i = 0; i < count; i++) revents.push(pollMany[2 * i + 1]! >>> 16);
  return revents;
}

/** Waits for input on one descriptor: its `revents`, 0 on a time-out, or `-errno`. */
export function pollReadable(fd: number, timeoutMs: number): number {
  pollOne[0] = fd;
  pollOne[1] = POLLIN;
  const ready = nPoll(pollOnePointer, 1n, timeoutMs);
  return ready < 0 ? -errnoView[0]! : pollOne[1]! >>> 16;
}

/** Waits for room on one descriptor: its `revents`, 0 on a time-out, or `-errno`. */
export function pollWritable(fd: number, timeoutMs: number): number {
  pollOne[0] = fd;
  pollOne[1] = POLLOUT;
  const ready = nPoll(pollOnePointer, 1n, timeoutMs);
  return ready < 0 ? -errnoView[0]! : pollOne[1]! >>> 16;
}

export function read(fd: number, buffer: Uint8Array, offset: number, length: number): number {
  checkRange(buffer, offset, length);
  const got =
    offset === 0
      ? nRead(fd, buffer, BigInt(length))
      : nReadAt(fd, ffi.getRawPointer(buffer) + BigInt(offset), BigInt(length));
  return got < 0 ? -errnoView[0]! : got;
}

export function write(fd: number, buffer: Uint8Array, offset: number, length: number): number {
  checkRange(buffer, offset, length);
  const put =
    offset === 0
      ? nWrite(fd, buffer, BigInt(length))
      : nWriteAt(fd, ffi.getRawPointer(buffer) + BigInt(offset), BigInt(length));
  return put < 0 ? -errnoView[0]! : put;
}

/** Writes `parts`, of which there are three at most, one behind the other, without their first `skip` bytes. */
export function writeParts(fd: number, parts: readonly Uint8Array[], skip: number): number {
  let count = 0;
  let left = skip;
  for (let at = 0; at < Math.min(parts.length, MAX_PARTS); at++) {
    const { byteLength } = parts[at]!;
    if (left < byteLength) {
      iovecs[2 * count] = ffi.getRawPointer(parts[at]!) + BigInt(left);
      iovecs[2 * count + 1] = BigInt(byteLength - left);
      count++;
    }
    left = Math.max(0, left - byteLength);
  }
  const put = nWritev(fd, iovecsPointer, count);
  return put < 0 ? -errnoView[0]! : put;
}

export function close(fd: number): number {
  return checked(nClose(fd));
}

/** Any system call with up to six integer arguments: its result, or `-errno`. */
export function syscall(number: number, ...args: readonly (number | bigint)[]): number {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = args;
  const word = (value: number | bigint): bigint => BigInt.asUintN(64, BigInt(value));
  const result = nSyscall(BigInt(number), word(a), word(b), word(c), word(d), word(e), word(f));
  return result < 0n ? -errnoView[0]! : Number(result);
}

/** The memory at an address, for as long as it is mapped. */
export function memoryAt(address: bigint, bytes: number): Buffer {
  return Buffer.from(ffi.toArrayBuffer(address, bytes, false));
}

/** Where the bytes of `memory` are, for an argument of `syscall`; the caller keeps it alive. */
export function addressOf(memory: ArrayBufferView): bigint {
  return ffi.getRawPointer(memory as Uint8Array);
}

/**
 * Closes every descriptor from `first` to `last` inclusive; `last` defaults to all the rest.
 * With `onExec` they are closed by the next exec instead. ENOSYS before Linux 5.9.
 */
export function closeRange(first: number, last = 0xffff_ffff, onExec = false): number {
  const flags = onExec ? CLOSE_RANGE_CLOEXEC : 0n;
  const result = nSyscall(SYS_CLOSE_RANGE, BigInt(first), BigInt(last), flags, 0n, 0n, 0n);
  return checked(Number(result));
}

/** `[read end, write end]`, or `-errno`. */
export function pipe2(flags: number): [number, number] | number {
  if (nPipe2(scratchPointer, flags) < 0) return -errnoView[0]!;
  return [scratch32[0]!, scratch32[1]!];
}

/** A pair of AF_UNIX sockets, or `-errno`. */
export function socketpair(type: number, flags: number): [number, number] | number {
  if (nSocketpair(AF_UNIX, type | flags, 0, scratchPointer) < 0) return -errnoView[0]!;
  return [scratch32[0]!, scratch32[1]!];
}

/** A copy with the lowest free number from `least` on, closed by exec. */
export function duplicateFrom(fd: number, least: number): number {
  return checked(nFcntl(fd, F_DUPFD_CLOEXEC, BigInt(least)));
}

/** The copy has no close-on-exec flag. */
export function dup2(from: number, to: number): number {
  return checked(nDup2(from, to));
}

export function setNonBlocking(fd: number, on: boolean): number {
  const flags = nFcntl(fd, F_GETFL, 0n);
  if (flags < 0) return -errnoView[0]!;
  return checked(nFcntl(fd, F_SETFL, BigInt(on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK)));
}

/** Whether the next exec closes it, or `-errno`. */
export function closesOnExec(fd: number): boolean | number {
  const flags = nFcntl(fd, F_GETFD, 0n);
  return flags < 0 ? -errnoView[0]! : (flags & 1) !== 0;
}

export function setCloseOnExec(fd: number, on: boolean): number {
  const flags = nFcntl(fd, F_GETFD, 0n);
  if (flags < 0) return -errnoView[0]!;
  return checked(nFcntl(fd, F_SETFD, on ? 1n : 0n));
}

/** For files of our own choosing under /proc: `path` is never a guest's. */
export function openReadOnly(path: string): number {
  return checked(nOpen(cString(path), O_CLOEXEC, 0));
}

/** `path` below an open directory; likewise never a guest's. */
export function openReadOnlyAt(directory: number, path: string): number {
  const name = cString(path);
  return syscall(SYS_OPENAT, directory, ffi.getRawPointer(name), O_CLOEXEC, 0);
}

export function openReadWrite(path: string): number {
  return checked(nOpen(cString(path), O_CLOEXEC | 2, 0));
}

/** Bytes of an open file from its start, or `-errno`. */
export function readFromStart(fd: number, buffer: Uint8Array): number {
  return checked(nPread(fd, buffer, BigInt(buffer.byteLength), 0n));
}

/** Bytes of an open file from `position` on, or `-errno`. */
export function readAt(fd: number, buffer: Uint8Array, position: number): number {
  return checked(nPread(fd, buffer, BigInt(buffer.byteLength), BigInt(position)));
}

/** What the other end of a socket has not taken yet, as memory, or `-errno`. */
export function unreadBytes(socket: number): number {
  if (nIoctl(socket, SIOCOUTQ, scratchPointer) < 0) return -errnoView[0]!;
  return scratch32[0]!;
}

/** NUL-terminated, for a native call; throws on a NUL inside. */
export function cString(text: string): Buffer {
  if (text.includes("\0")) throw new TypeError("a path holds no NUL");
  return Buffer.from(`${text}\0`, "utf8");
}

// --- descriptors as messages ---------------------------------------------------------------------

function prepareMessage(data: bigint, length: number, controlLength: number): void {
  message.fill(0);
  message.writeBigUInt64LE(messagePointer + BigInt(IOVEC_AT), 16);
  message.writeBigUInt64LE(1n, 24);
  message.writeBigUInt64LE(data, IOVEC_AT);
  message.writeBigUInt64LE(BigInt(length), IOVEC_AT + 8);
  if (controlLength > 0) {
    message.writeBigUInt64LE(messagePointer + BigInt(CONTROL_AT), 32);
    message.writeBigUInt64LE(BigInt(controlLength), 40);
  }
}

/** Bytes sent, or `-errno`. A stream socket carries descriptors only with at least one byte. */
export function sendFds(socket: number, data: Uint8Array, fds: readonly number[]): number {
  if (fds.length > MAX_FDS_PER_MESSAGE) return -EINVAL;
  const length = CMSG_HEADER + 4 * fds.length;
  // The control length is rounded up to eight (CMSG_SPACE), the header's own is not (CMSG_LEN).
  prepareMessage(
    data.byteLength === 0 ? 0n : ffi.getRawPointer(data),
    data.byteLength,
    fds.length === 0 ? 0 : (length + 7) & ~7,
  );
  if (fds.length > 0) {
    message.writeBigUInt64LE(BigInt(length), CONTROL_AT);
    message.writeInt32LE(SOL_SOCKET, CONTROL_AT + 8);
    message.writeInt32LE(SCM_RIGHTS, CONTROL_AT + 12);
    fds.forEach((fd, i) => message.writeInt32LE(fd, CONTROL_AT + CMSG_HEADER + 4 * i));
  }
  return checked(nSendmsg(socket, messagePointer, MSG_NOSIGNAL));
}

export interface Received {
  readonly bytes: number;
  /** All close-on-exec, all the caller's to close. */
  readonly fds: number[];
}

/** One message, or `-errno`; a message with more descriptors than fit is refused whole. */
export function recvFds(socket: number, buffer: Uint8Array): Received | number {
  const space = CMSG_HEADER + 4 * MAX_FDS_PER_MESSAGE;
  prepareMessage(ffi.getRawPointer(buffer), buffer.byteLength, space);
  const bytes = nRecvmsg(socket, messagePointer, MSG_CMSG_CLOEXEC);
  if (bytes < 0) return -errnoView[0]!;
  const controlLength = Number(message.readBigUInt64LE(40));
  const fds: number[] = [];
  let at = CONTROL_AT;
  while (at + CMSG_HEADER <= CONTROL_AT + controlLength) {
    const length = Number(message.readBigUInt64LE(at));
    if (length < CMSG_HEADER || at + length > CONTROL_AT + controlLength) break;
    const rights =
      message.readInt32LE(at + 8) === SOL_SOCKET && message.readInt32LE(at + 12) === SCM_RIGHTS;
    for (let fd = at + CMSG_HEADER; rights && fd + 4 <= at + length; fd += 4) {
      fds.push(message.readInt32LE(fd));
    }
    at += (length + 7) & ~7;
  }
  if ((message.readInt32LE(48) & MSG_CTRUNC) !== 0) {
    for (const fd of fds) nClose(fd);
    return -EMSGSIZE;
  }
  return { bytes, fds };
}

// --- process attributes --------------------------------------------------------------------------

export function setNoNewPrivs(): number {
  return checked(nPrctl(PR_SET_NO_NEW_PRIVS, 1n, 0n, 0n, 0n));
}

/** 1 when set, 0 when not, `-errno` where the kernel does not know it. */
export function getNoNewPrivs(): number {
  return checked(nPrctl(PR_GET_NO_NEW_PRIVS, 0n, 0n, 0n, 0n));
}

/** The signal this process gets when the thread that forked it ends. Cleared by a change of uid. */
export function setParentDeathSignal(signal: number): number {
  return checked(nPrctl(PR_SET_PDEATHSIG, BigInt(signal), 0n, 0n, 0n));
}

/** Off closes /proc/<pid>/{mem,environ,fd} to processes of the same uid, and core dumps. */
export function setDumpable(on: boolean): number {
  return checked(nPrctl(PR_SET_DUMPABLE, on ? 1n : 0n, 0n, 0n, 0n));
}

export function setgroups(groups: readonly number[]): number {
  const list = Uint32Array.from(groups.length === 0 ? [0] : groups);
  return checked(nSetgroups(BigInt(groups.length), ffi.getRawPointer(list)));
}

export function setresuid(real: number, effective: number, saved: number): number {
  return checked(nSetresuid(real, effective, saved));
}

export function setresgid(real: number, effective: number, saved: number): number {
  return checked(nSetresgid(real, effective, saved));
}

export function chdir(path: string): number {
  return checked(nChdir(cString(path)));
}

/** The former mask. */
export function umask(mask: number): number {
  return nUmask(mask);
}

const RLIM_INFINITY = 0xffff_ffff_ffff_ffffn;

export interface ResourceLimit {
  /** `Infinity` is no limit. */
  readonly soft: number;
  readonly hard: number;
}

function toLimit(value: bigint): number {
  return value === RLIM_INFINITY ? Infinity : Number(value);
}

function fromLimit(value: number): bigint {
  return value === Infinity ? RLIM_INFINITY : BigInt(Math.floor(value));
}

/** The limit of this process or of another one of the same user, or `-errno`. */
export function getrlimit(resource: number, pid = 0): ResourceLimit | number {
  if (nPrlimit(pid, resource, 0n, scratchPointer) < 0) return -errnoView[0]!;
  return { soft: toLimit(scratch64[0]!), hard: toLimit(scratch64[1]!) };
}

export function setrlimit(resource: number, limit: ResourceLimit, pid = 0): number {
  scratch64[0] = fromLimit(limit.soft);
  scratch64[1] = fromLimit(limit.hard);
  return checked(nPrlimit(pid, resource, scratchPointer, 0n));
}

/** CPU time of all threads of a process that is not reaped yet, in milliseconds, or `-errno`. */
export function processCpuTimeMs(pid: number): number {
  // clock_getcpuclockid(3): the pid inverted, and CPUCLOCK_SCHED.
  if (nClockGettime((~pid << 3) | 2, scratchPointer) < 0) return -errnoView[0]!;
  return Number(scratch64[0]!) * 1000 + Number(scratch64[1]!) / 1e6;
}

/** How long the calling thread has had a processor, to this moment: getrusage(2) says what it was at the last tick. */
export function threadCpuMs(): number {
  nClockGettime(CLOCK_THREAD_CPUTIME_ID, scratchPointer);
  return Number(scratch64[0]!) * 1e3 + Number(scratch64[1]!) / 1e6;
}

/** 1000 asks the kernel to end this process first when memory runs out. Opens /proc. */
export function setOomScoreAdj(score: number): number {
  const fd = openReadWrite("/proc/self/oom_score_adj");
  if (fd < 0) return fd;
  const text = Buffer.from(`${score}\n`, "latin1");
  const put = write(fd, text, 0, text.length);
  nClose(fd);
  return put < 0 ? put : 0;
}

// --- memory --------------------------------------------------------------------------------------

/** Private writable memory that costs no page until it is touched: its address, or `-errno`. */
export function reserveMemory(bytes: number): bigint | number {
  const address = nMmap(
    0n,
    BigInt(bytes),
    PROT_READ_WRITE,
    MAP_PRIVATE_ANONYMOUS_NORESERVE,
    -1,
    0n,
  );
  return address === -1n ? -errnoView[0]! : address;
}

/** Copies `content` to writable memory of this process's own. */
export function fillMemory(address: bigint, content: Uint8Array): void {
  new Uint8Array(ffi.toArrayBuffer(address, content.byteLength, false)).set(content);
}

/** A page that begins with `code`, writable until it is protected: its address, or `-errno`. */
export function mapCode(code: Uint8Array, bytes: number): bigint | number {
  const address = reserveMemory(bytes);
  if (typeof address === "number") return address;
  fillMemory(address, code);
  return address;
}

export function unmapMemory(address: bigint, bytes: number): number {
  return syscall(SYS_MUNMAP, address, bytes);
}

/** RLIMIT_DATA counts what is writable, touched or not. */
export function protectMemory(address: bigint, bytes: number, protection: number): number {
  return checked(nMprotect(address, BigInt(bytes), protection));
}

const heapRoomBytes = 2 * 1024 * 1024;
/** Below the size of which malloc makes mappings of their own; DEFAULT_MMAP_THRESHOLD_MIN of glibc's malloc.c. */
const roomBlockBytes = 64 * 1024;

/**
 * Takes every free block out of the C heap for good, so that what a forked child
 * allocates lies together behind the heap's end instead of in holes all over it,
 * each of which would cost the child a copy of a page. The blocks are never touched.
 */
export function sealHeap(): void {
  // Pages that nothing lies in would be copied as page tables.
  nMallocTrim(0n);
  const end = nSbrk(0n);
  for (let size = 128 * 1024; size >= 16; size = size > 1024 ? size / 2 : size - 16) {
    // A block beyond the old end means that no hole of this size is left.
    for (;;) {
      const block = nMalloc(BigInt(size - 8));
      if (block === 0n || block >= end) break;
    }
  }
  makeHeapRoom();
}

/**
 * Some room stays at the heap's end, as in any process, and is never touched here: a child at its limit of memory fails in
 * its buffers, not in the first small block, which is the end of an engine.
 */
export function makeHeapRoom(): void {
  const blocks = Array.from({ length: heapRoomBytes / roomBlockBytes }, () =>
    nMalloc(BigInt(roomBlockBytes)),
  );
  for (const block of blocks) nFree(block);
}

/** Gives memory that is free in the C library's heap back to Linux, also from its middle. */
export function trimHeap(): void {
  nMallocTrim(BigInt(heapRoomBytes));
}

// --- the engine after a fork ---------------------------------------------------------------------

/** Gives the child an epoll of its own; a libuv error code (negative errno) on failure. */
export function uvLoopFork(): number {
  return nLoopFork(ffi.getCurrentEventLoop());
}

/** Of uv_loop_t in uv.h: `data`, `active_handles`, `handle_queue`, then `active_reqs`. */
const activeRequestsOffset = 32n;

/** Requests that the event loop waits for; of guests, work that the engine's threads do. */
export function uvActiveRequests(): number {
  return wordAt(ffi.getCurrentEventLoop() + activeRequestsOffset)[0]!;
}

/** A variable of 32 bits in memory of this process's own. */
export function wordAt(address: bigint): Uint32Array {
  return new Uint32Array(ffi.toArrayBuffer(address, 4, false));
}

/** Reseeds OpenSSL from the kernel: 1 on success. */
export function randPoll(): number {
  return nRandPoll();
}

/**
 * Looks up the algorithms behind `randPoll`, which OpenSSL does once per process
 * and at length. No generator is made and nothing is drawn.
 */
export function prepareRandPoll(): void {
  for (const name of ["SEED-SRC", "CTR-DRBG"]) nRandFetch(0n, cString(name), 0n);
  nCipherFetch(0n, cString("AES-256-CTR"), 0n);
}

/** Fresh bytes of the kernel; throws rather than return fewer. */
export function getrandom(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  if (length > 256) throw new RangeError("at most 256 bytes in one call");
  if (length > 0 && nGetrandom(bytes, BigInt(length), 0) !== length) {
    throw new Error(`getrandom: errno ${errnoView[0]}`);
  }
  return bytes;
}

// --- seccomp and landlock ------------------------------------------------------------------------

/**
 * Installs a filter on this thread, or with `everyThread` on all. Returns what
 * the kernel said: 0 is the only success, positive is the thread that could
 * not be synchronised.
 */
export function seccompSetFilter(program: Uint8Array, everyThread: boolean): number {
  if (program.byteLength === 0 || program.byteLength % 8 !== 0) return -EINVAL;
  // struct sock_fprog { unsigned short len; struct sock_filter *filter }
  scratch64[0] = BigInt(program.byteLength / 8);
  scratch64[1] = ffi.getRawPointer(program);
  const flags = everyThread ? SECCOMP_FILTER_FLAG_TSYNC : 0n;
  const result = nSyscall(SYS_SECCOMP, SECCOMP_SET_MODE_FILTER, flags, scratchPointer, 0n, 0n, 0n);
  return result < 0n ? -(errnoView[0] || EIO) : Number(result);
}

/** Installs a filter on this thread and answers the descriptor that its questions come to, or `-errno`. */
export function seccompListen(program: Uint8Array): number {
  scratch64[0] = BigInt(program.byteLength / 8);
  scratch64[1] = ffi.getRawPointer(program);
  const flags = SECCOMP_FILTER_FLAG_NEW_LISTENER;
  const result = nSyscall(SYS_SECCOMP, SECCOMP_SET_MODE_FILTER, flags, scratchPointer, 0n, 0n, 0n);
  return result < 0n ? -(errnoView[0] || EIO) : Number(result);
}

/** 0 when the kernel knows the filter action. */
export function seccompActionAvailable(action: number): number {
  scratch32[0] = action | 0;
  const result = nSyscall(SYS_SECCOMP, SECCOMP_GET_ACTION_AVAIL, 0n, scratchPointer, 0n, 0n, 0n);
  return checked(Number(result));
}

/** 0 unfiltered, 2 filtered, `-errno` where the kernel has no seccomp. */
export function getSeccompMode(): number {
  return checked(nPrctl(PR_GET_SECCOMP, 0n, 0n, 0n, 0n));
}

/** The kernel's landlock ABI, or `-errno`. */
export function landlockAbi(): number {
  const result = nSyscall(
    SYS_LANDLOCK_CREATE_RULESET,
    0n,
    0n,
    LANDLOCK_CREATE_RULESET_VERSION,
    0n,
    0n,
    0n,
  );
  return checked(Number(result));
}
