/**
 * System calls about descriptors whatever is behind them: decode → call → encode.
 * Untrusted: every field of `args`.
 */
import { SEEK_CUR, SEEK_END, SEEK_SET } from "../../abi/fcntl.js";
import { Errno } from "../../abi/errno.js";
import { fsLimits } from "../../protocol/fs-calls.js";
import { Deferred, mapAnswer } from "../io/deferred.js";
import { createSocketPair } from "../io/conduit.js";
import { createPipe } from "../io/pipe.js";
import { readWhenReady } from "../io/stream.js";
import type { Stream } from "../io/stream.js";
import type { OpenFile } from "../fs/index.js";
import { describe } from "../process/describe.js";
import type { Process } from "../process/process.js";
import type { Handlers } from "./dispatch.js";

/** setTimeout takes no more. */
const longestTimerMs = 2 ** 31 - 1;
const linePieceBytes = 4096;
const newline = 10;

/** Two new descriptors, or the errno when only one could be had. */
function addPair(process: Process, first: Stream, second: Stream): [number, number] | number {
  const one = process.descriptors.add(first);
  const two = process.descriptors.add(second);
  if (one >= 0 && two >= 0) return [one, two];
  if (one >= 0) process.descriptors.close(one);
  return -Errno.EMFILE;
}

/** Reads a piece and puts the position behind the newline in it, when there is one. */
function readFileLine(file: OpenFile, length: number): Uint8Array | number {
  const buffer = Buffer.allocUnsafeSlow(Math.min(length, linePieceBytes));
  const before = file.position;
  const size = file.read(buffer, -1);
  if (size < 0) return size;
  const end = buffer.subarray(0, size).indexOf(newline);
  if (end < 0) return buffer.subarray(0, size);
  file.position = before + end + 1;
  return buffer.subarray(0, end + 1);
}

function readLineOf(
  process: Process,
  stream: Stream,
  most: number,
): ReturnType<typeof readWhenReady> {
  return readWhenReady(stream, most, "readLine", () => process.mayRead(stream));
}

export const descriptorHandlers = {
  pipe(process) {
    const made = createPipe(process.vm.transit);
    if (typeof made === "number") return made;
    const fds = addPair(process, made.reader, made.writer);
    return typeof fds === "number" ? fds : { reader: fds[0], writer: fds[1] };
  },

  socketpair(process) {
    const made = createSocketPair(process.vm.transit);
    if (typeof made === "number") return made;
    const fds = addPair(process, ...made);
    return typeof fds === "number" ? fds : { first: fds[0], second: fds[1] };
  },

  dup(process, { fd, to }) {
    const description = process.descriptors.get(fd);
    if (description === undefined) return -Errno.EBADF;
    if (to === fd) return { fd };
    description.ref();
    const result =
      to === -1 ? process.descriptors.add(description) : process.descriptors.put(to, description);
    return result < 0 ? result : { fd: result };
  },

  shutdown(process, { fd }) {
    if (process.descriptors.get(fd) === undefined) return -Errno.EBADF;
    const stream = process.descriptors.stream(fd);
    if (stream === undefined) return -Errno.ENOTSOCK;
    const result = stream.shutdown();
    return result < 0 ? result : {};
  },

  describe(process, { fd }) {
    const description = process.descriptors.get(fd);
    return description === undefined ? -Errno.EBADF : { kind: describe(description) };
  },

  seek(process, { fd, offset, whence }) {
    const description = process.descriptors.get(fd);
    if (description === undefined) return -Errno.EBADF;
    const file = process.descriptors.file(fd);
    if (file === undefined) return -Errno.ESPIPE;
    const from = whence === SEEK_SET ? 0 : whence === SEEK_CUR ? file.position : file.stat().size;
    if (whence > SEEK_END) return -Errno.EINVAL;
    const position = from + offset;
    if (!Number.isSafeInteger(position) || position < 0) return -Errno.EINVAL;
    file.position = position;
    return { position };
  },

  readLine(process, { fd, length }) {
    if (process.descriptors.get(fd) === undefined) return -Errno.EBADF;
    const most = Math.min(length, fsLimits.transferBytes);
    const file = process.descriptors.file(fd);
    const answer =
      file === undefined
        ? readLineOf(process, process.descriptors.stream(fd)!, most)
        : readFileLine(file, most);
    return mapAnswer(answer, (data) => ({ data }));
  },

  waitReadable(process, { fd, timeoutMs }) {
    if (process.descriptors.get(fd) === undefined) return -Errno.EBADF;
    const stream = process.descriptors.stream(fd);
    if (stream === undefined || stream.hasInput()) return { ready: true };
    if (timeoutMs === 0) return { ready: false };
    const deferred = new Deferred<{ ready: boolean }>();
    let stop = (): void => undefined;
    const timer = setTimeout(
      () => {
        stop();
        deferred.settle({ ready: false });
      },
      Math.min(timeoutMs, longestTimerMs),
    );
    const look = (): void => {
      if (!stream.hasInput()) {
        stop = stream.readable.add(look);
        return;
      }
      clearTimeout(timer);
      deferred.settle({ ready: true });
    };
    look();
    deferred.onCancel(() => {
      clearTimeout(timer);
      stop();
    });
    return deferred;
  },
} satisfies Partial<Handlers>;
