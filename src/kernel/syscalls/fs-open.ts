/**
 * Owns what a path or a descriptor means to a call: a file that is opened for it, a stream that has a name, the file
 * behind a number.
 *
 * Invariant: who opens a file for one call closes it, also where the call has to be run again. Untrusted: paths, flags.
 */
import { Errno } from "../../abi/errno.js";
import { openWithoutWait } from "../../protocol/fs-calls.js";
import type { OpenFile } from "../fs/index.js";
import { Deferred, mapAnswer } from "../io/deferred.js";
import { openFifo } from "../io/fifo.js";
import { Stream } from "../io/stream.js";
import { type FsProcess, modeBits, checkPath } from "./fs-checks.js";

/** /dev/stdin and its like: names of the caller's own descriptors. */
const ownDescriptor =
  /^\/(?:dev\/(?:fd\/([0-9]{1,4})|std(in|out|err))|proc\/(self|[0-9]{1,10})\/fd\/([0-9]{1,4}))$/;
const standardDescriptors: Readonly<Record<string, number>> = { in: 0, out: 1, err: 2 };

/** The stream that `path` names: streams have no other name, so that one is opened by sharing it. */
export function namedStream(process: FsProcess, path: string): Stream | undefined {
  if (!path.startsWith("/dev/") && !path.startsWith("/proc/")) return undefined;
  const match = ownDescriptor.exec(path);
  if (match === null) return undefined;
  const [, device, standard, owner, link] = match;
  if (owner !== undefined && owner !== "self" && owner !== String(process.credentials.pid))
    return undefined;
  const number = standard === undefined ? Number(device ?? link) : standardDescriptors[standard]!;
  return process.descriptors.stream(number);
}

/** What a path names, opened, with one reference; -errno, or a wait for a fifo's other side. */
export function opened(
  process: FsProcess,
  path: string,
  flags: number,
  mode: number,
): OpenFile | Stream | number | Deferred<Stream> {
  const bad = checkPath(path);
  if (bad < 0) return bad;
  if (process.descriptors.isFull) return -Errno.EMFILE;
  const stream = namedStream(process, path);
  if (stream !== undefined) {
    stream.ref();
    return stream;
  }
  const terminal = process.openTerminal(path, flags);
  if (terminal !== undefined) return terminal;
  const file = process.fs.open(
    process.credentials,
    path,
    flags & ~openWithoutWait,
    mode & modeBits,
  );
  if (typeof file === "number") return file;
  const { fifo } = file;
  if (fifo === undefined) return file;
  return openFifo(file, fifo, process.account, (flags & openWithoutWait) !== 0);
}

/** The descriptor, -errno, or a wait. */
export function openFd(
  process: FsProcess,
  path: string,
  flags: number,
  mode: number,
): { fd: number } | number | Deferred<{ fd: number }> {
  return mapAnswer<OpenFile | Stream, { fd: number }>(
    opened(process, path, flags, mode) as OpenFile | number | Deferred<OpenFile | Stream>,
    (description) => {
      const fd = process.descriptors.add(description);
      return fd < 0 ? fd : { fd };
    },
  );
}

/** Stores what a file has to store, and closes it whatever comes of that. */
export function closeFile(file: OpenFile): number | Deferred<0> {
  const stored = file.flush();
  file.unref();
  return stored;
}

/** The result, once what it needs to be true is stored, or why that failed. */
export function onceStored<R>(
  stored: number | Deferred<0>,
  result: () => R | number,
): R | number | Deferred<R> {
  if (typeof stored === "number") return stored < 0 ? stored : result();
  return stored.chain((late) => (late < 0 ? late : result()));
}

/** Work with an open file that is closed if the call has to be run again. */
export function holding<R>(file: OpenFile, work: () => R): R {
  try {
    return work();
  } catch (error) {
    file.unref();
    throw error;
  }
}

/** The file behind a descriptor, or why it is none. */
export function fileOf(process: FsProcess, fd: number): OpenFile | number {
  const description = process.descriptors.get(fd);
  if (description === undefined) return -Errno.EBADF;
  return description instanceof Stream ? -Errno.EINVAL : description;
}

/** As `fileOf`, for what may be done to a fifo as well: it has a name, an owner and a mode. */
export function namedFileOf(process: FsProcess, fd: number): OpenFile | number {
  return process.descriptors.stream(fd)?.file ?? fileOf(process, fd);
}
