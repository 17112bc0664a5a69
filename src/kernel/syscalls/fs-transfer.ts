/**
 * Owns how content gets from files and streams to a call and back, in pieces of one transfer.
 *
 * Invariants: memory is taken for what is there, not for what was asked for; what large reads are read into is used up
 * before the next call runs. Untrusted: lengths.
 */
import { Errno } from "../../abi/errno.js";
import { fsLimits } from "../../protocol/fs-calls.js";
import type { OpenFile } from "../fs/index.js";
import { Deferred, mapAnswer } from "../io/deferred.js";
import { Stream, readWhenReady, writeFully } from "../io/stream.js";
import { type FsProcess, isRegular, isDirectory } from "./fs-checks.js";

/** Reads of less have memory of their own. */
const smallTransferBytes = 4 * 1024;
/** Reads up to this size are allocated as announced; larger ones are measured against the file first. */
export const smallReadBytes = 64 * 1024;

/** `writeFile` to what has just been opened and is no file. */
export function writeToStream(
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

export function readStream(
  process: FsProcess,
  stream: Stream,
  length: number,
): Uint8Array | number | Deferred<Uint8Array> {
  if (length === 0) return new Uint8Array(0);
  return readWhenReady(stream, length, "read", () => process.mayRead(stream));
}

export function writeStream(
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

export function transferBuffer(bytes: number): Buffer {
  if (bytes < smallTransferBytes) return Buffer.allocUnsafeSlow(bytes);
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
