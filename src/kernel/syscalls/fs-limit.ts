/**
 * Owns RLIMIT_FSIZE: how long a process may make a file by what it writes or asks for, as write(2) and setrlimit(2) say it.
 *
 * Invariants: what begins below the limit is written up to it; what begins at or beyond it is EFBIG, and the process is sent
 * SIGXFSZ; only regular files have it. The host, which writes for nobody, has none. Untrusted: positions, lengths, the limit itself.
 */
import { Errno } from "../../abi/errno.js";
import { O_ACCMODE, O_APPEND, O_RDONLY } from "../../abi/fcntl.js";
import type { OpenFile } from "../fs/index.js";
import { type FsProcess, isRegular } from "./fs-checks.js";

type Limited = Pick<FsProcess, "fileBytes" | "fileTooLong">;

/** How many of `length` bytes at `position`, -1 for the current one, the limit leaves; -errno for none of them. */
function allowed(process: Limited, file: OpenFile, position: number, length: number): number {
  const limit = process.fileBytes.soft;
  // What may not be written at all has an error of its own.
  if (limit === Infinity || length === 0 || (file.flags & O_ACCMODE) === O_RDONLY) return length;
  const stat = file.stat();
  if (!isRegular(stat) || !file.mayStillWrite) return length;
  const given = position === -1 ? file.position : position;
  const at = (file.flags & O_APPEND) !== 0 ? stat.size : given;
  if (at < limit) return Math.min(length, limit - at);
  process.fileTooLong();
  return -Errno.EFBIG;
}

/** As `file.write`. */
export function writeWithin(
  process: Limited,
  file: OpenFile,
  data: Uint8Array,
  position: number,
): number {
  const room = allowed(process, file, position, data.byteLength);
  if (room < 0) return room;
  return file.write(room < data.byteLength ? data.subarray(0, room) : data, position);
}

/** Writes all of `data` at `position`, the current one by default, or says why not. */
export function writeAllWithin(
  process: Limited,
  file: OpenFile,
  data: Uint8Array,
  position = -1,
): number {
  for (let at = 0; at < data.byteLength;) {
    const rest = data.subarray(at);
    const written = writeWithin(process, file, rest, position < 0 ? position : position + at);
    if (written < 0) return written;
    if (written === 0) return -Errno.EIO;
    at += written;
  }
  return 0;
}

/** As `file.truncate`: a file that is too long already may be made shorter, and stay too long. */
export function truncateWithin(process: Limited, file: OpenFile, length: number): number {
  const { soft } = process.fileBytes;
  if (length > soft && (file.flags & O_ACCMODE) !== O_RDONLY) {
    const stat = file.stat();
    if (isRegular(stat) && length > stat.size) {
      process.fileTooLong();
      return -Errno.EFBIG;
    }
  }
  return file.truncate(length);
}

/** How many of `bytes` at the current position may be promised. */
export function promisedWithin({ fileBytes }: Limited, file: OpenFile, bytes: number): number {
  return Math.max(0, Math.min(bytes, fileBytes.soft - file.position));
}
