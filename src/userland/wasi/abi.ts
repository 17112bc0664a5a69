/**
 * Owns the numbers of WASI preview 1 (wasi_snapshot_preview1.witx): error codes,
 * file types, rights and flags; and how an errno of Node becomes one of WASI.
 */

/** Error codes by name, in the order of the specification: the index is the number. */
const errnoNames =
  `SUCCESS E2BIG EACCES EADDRINUSE EADDRNOTAVAIL EAFNOSUPPORT EAGAIN EALREADY EBADF EBADMSG EBUSY
  ECANCELED ECHILD ECONNABORTED ECONNREFUSED ECONNRESET EDEADLK EDESTADDRREQ EDOM EDQUOT EEXIST EFAULT EFBIG
  EHOSTUNREACH EIDRM EILSEQ EINPROGRESS EINTR EINVAL EIO EISCONN EISDIR ELOOP EMFILE EMLINK EMSGSIZE
  EMULTIHOP ENAMETOOLONG ENETDOWN ENETRESET ENETUNREACH ENFILE ENOBUFS ENODEV ENOENT ENOEXEC ENOLCK ENOLINK
  ENOMEM ENOMSG ENOPROTOOPT ENOSPC ENOSYS ENOTCONN ENOTDIR ENOTEMPTY ENOTRECOVERABLE ENOTSOCK ENOTSUP ENOTTY
  ENXIO EOVERFLOW EOWNERDEAD EPERM EPIPE EPROTO EPROTONOSUPPORT EPROTOTYPE ERANGE EROFS ESPIPE ESRCH ESTALE
  ETIMEDOUT ETXTBSY EXDEV ENOTCAPABLE`.split(/\s+/);

const errnoNumbers: ReadonlyMap<string, number> = new Map(
  errnoNames.map((name, number) => [name, number]),
);

const numberOf = (name: string): number => {
  const number = errnoNumbers.get(name);
  if (number === undefined) throw new Error(`WASI has no ${name}`);
  return number;
};

export const WasiErrno = Object.freeze({
  SUCCESS: 0,
  EAGAIN: numberOf("EAGAIN"),
  E2BIG: numberOf("E2BIG"),
  EBADF: numberOf("EBADF"),
  ECHILD: numberOf("ECHILD"),
  EEXIST: numberOf("EEXIST"),
  EFAULT: numberOf("EFAULT"),
  EILSEQ: numberOf("EILSEQ"),
  EINVAL: numberOf("EINVAL"),
  EIO: numberOf("EIO"),
  EISDIR: numberOf("EISDIR"),
  ELOOP: numberOf("ELOOP"),
  EMFILE: numberOf("EMFILE"),
  ENAMETOOLONG: numberOf("ENAMETOOLONG"),
  ENOENT: numberOf("ENOENT"),
  ENOSYS: numberOf("ENOSYS"),
  ENOTCAPABLE: numberOf("ENOTCAPABLE"),
  ENOTDIR: numberOf("ENOTDIR"),
  ENOTSOCK: numberOf("ENOTSOCK"),
  ENOTSUP: numberOf("ENOTSUP"),
  EOVERFLOW: numberOf("EOVERFLOW"),
  EPERM: numberOf("EPERM"),
  ERANGE: numberOf("ERANGE"),
  ESPIPE: numberOf("ESPIPE"),
});

/** Thrown by what serves an import; becomes its return value. */
export class WasiError extends Error {
  constructor(readonly wasiErrno: number) {
    super(errnoNames[wasiErrno] ?? String(wasiErrno));
  }
}

/** The number for whatever a served import threw; undefined when it is a defect, not an answer. */
export function errnoOf(error: unknown): number | undefined {
  if (error instanceof WasiError) return error.wasiErrno;
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  if (typeof code !== "string") return undefined;
  if (code === "EOPNOTSUPP") return WasiErrno.ENOTSUP;
  // Node refuses paths with a NUL, and values out of range, before any system call.
  if (code === "ERR_INVALID_ARG_VALUE" || code === "ERR_OUT_OF_RANGE") return WasiErrno.EINVAL;
  const number = errnoNumbers.get(code);
  // What WASI has no number for; UNKNOWN is what libuv has no name for.
  return number ?? (/^(E[A-Z0-9]+|UNKNOWN)$/.test(code) ? WasiErrno.EIO : undefined);
}

export const FileType = Object.freeze({
  unknown: 0,
  block: 1,
  character: 2,
  directory: 3,
  file: 4,
  socketDatagram: 5,
  socketStream: 6,
  link: 7,
} as const);

const right = (bit: number): bigint => 1n << BigInt(bit);

export const Right = Object.freeze({
  none: 0n,
  fdDatasync: right(0),
  fdRead: right(1),
  fdSeek: right(2),
  fdFdstatSetFlags: right(3),
  fdSync: right(4),
  fdTell: right(5),
  fdWrite: right(6),
  fdAdvise: right(7),
  fdAllocate: right(8),
  pathCreateDirectory: right(9),
  pathCreateFile: right(10),
  pathLinkSource: right(11),
  pathLinkTarget: right(12),
  pathOpen: right(13),
  fdReaddir: right(14),
  pathReadlink: right(15),
  pathRenameSource: right(16),
  pathRenameTarget: right(17),
  pathFilestatGet: right(18),
  pathFilestatSetSize: right(19),
  pathFilestatSetTimes: right(20),
  fdFilestatGet: right(21),
  fdFilestatSetSize: right(22),
  fdFilestatSetTimes: right(23),
  pathSymlink: right(24),
  pathRemoveDirectory: right(25),
  pathUnlinkFile: right(26),
  pollFdReadwrite: right(27),
  sockShutdown: right(28),
  sockAccept: right(29),
});

export const allRights = right(30) - 1n;
/** What has no meaning on a directory. */
const fileOnly = Right.fdSeek | Right.fdTell | Right.fdRead | Right.fdWrite | Right.fdAllocate;
export const directoryRights = allRights & ~(fileOnly | Right.fdFilestatSetSize);
/** What needs the file to be open for writing. */
export const writeRights =
  Right.fdWrite | Right.fdDatasync | Right.fdAllocate | Right.fdFilestatSetSize;

export const FdFlag = Object.freeze({ append: 1, dsync: 2, nonblock: 4, rsync: 8, sync: 16 });
export const OpenFlag = Object.freeze({ create: 1, directory: 2, exclusive: 4, truncate: 8 });
export const LookupFlag = Object.freeze({ symlinkFollow: 1 });
export const TimeFlag = Object.freeze({ atime: 1, atimeNow: 2, mtime: 4, mtimeNow: 8 });
export const Whence = Object.freeze({ set: 0, current: 1, end: 2 });
export const Clock = Object.freeze({ realtime: 0, monotonic: 1, processCpu: 2, threadCpu: 3 });
export const EventType = Object.freeze({ clock: 0, fdRead: 1, fdWrite: 2 });
