/**
 * Owns `copyFile`: content from file to file in steps, sparse where the source is.
 *
 * Invariant: nothing is kept in the buffer of all copies from one step to the next. Untrusted: both paths.
 */
import { Errno } from "../../abi/errno.js";
import { O_CREAT, O_EXCL, O_RDONLY, O_WRONLY } from "../../abi/fcntl.js";
import { PAGE_BYTES } from "../fs/index.js";
import type { OpenFile } from "../fs/index.js";
import { settled, step } from "../io/steps.js";
import type { Steps } from "../io/steps.js";
import { truncateWithin, writeAllWithin } from "./fs-limit.js";
import { type FsProcess, modeBits, isRegular, isDirectory } from "./fs-checks.js";

const copyChunkBytes = 256 * 1024;
/** Of all copies: none keeps anything in it from one step to the next. */
const copyBuffer = Buffer.allocUnsafeSlow(copyChunkBytes);

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
function* copyContent(
  process: FsProcess,
  source: OpenFile,
  target: OpenFile,
  size: number,
): Steps<0> {
  if (size === 0) return 0;
  if (target.isDevice) return Math.min(0, target.write(copyBuffer.subarray(0, size), -1));
  for (const [at, bytes] of piecesOf(source, size)) {
    const moved = yield* step(() => {
      const read = source.read(copyBuffer.subarray(0, bytes), at);
      const failure =
        read > 0 ? writeAllWithin(process, target, copyBuffer.subarray(0, read), at) : 0;
      return failure < 0 ? failure : read;
    });
    if (moved < 0) return moved;
    // It has become shorter meanwhile.
    if (moved === 0) break;
    yield undefined;
  }
  const end = Math.min(size, source.stat().size);
  return target.stat().size < end ? truncateWithin(process, target, end) : 0;
}

export function* copyFile(
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
      const copied = yield* copyContent(process, source, target, before.size);
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
