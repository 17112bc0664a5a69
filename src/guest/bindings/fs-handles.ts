/**
 * The classes of Node's `fs` and `fs_dir` bindings that stand for something open: file handles and
 * directory handles.
 */
import { Errno } from "../../abi/errno.js";
import { EngineStream } from "../engine-stream.js";
import { streamState } from "./stream-handle.js";
import { close, piece } from "./fs-contents.js";
import { list } from "./fs-entries.js";
import type { DirectoryListing } from "./fs-entries.js";
import { runner, trimStack } from "./fs-runner.js";
import type { Operation, Request } from "./fs-runner.js";
import { encodedName } from "../names.js";
import { toPath } from "./fs-values.js";
import type { PathArgument } from "./fs-values.js";

const { defineProperty } = Object;
const NativePromise = Promise;
/** Bytes a piped file handle reads at once; what libuv streams take. */
const pieceBytes = 64 * 1024;

/**
 * A descriptor with an owner. It is a native stream so that HTTP/2 can pipe it
 * (`respondWithFile`), `offset` and `length` bound what the stream delivers.
 */
export class FileHandle extends EngineStream {
  declare fd: number;
  #closing: Promise<undefined> | undefined;
  #flowing = false;
  #reading = false;
  #offset: number;
  #left: number;

  constructor(fd: number, offset?: number, length?: number) {
    super();
    defineProperty(this, "fd", {
      value: fd,
      writable: true,
      configurable: true,
      enumerable: false,
    });
    this.#offset = typeof offset === "number" ? offset : -1;
    this.#left = typeof length === "number" && length >= 0 ? length : Infinity;
  }

  close(): Promise<undefined> {
    if (this.#closing === undefined) {
      const { fd } = this;
      this.fd = -1;
      this.#closing = fd < 0 ? NativePromise.resolve(undefined) : runner.promise(close(fd));
    }
    return this.#closing;
  }

  closeSync(): void {
    const { fd } = this;
    this.fd = -1;
    if (fd >= 0) runner.sync(close(fd));
  }

  /** Gives the descriptor away. */
  releaseFD(): number {
    const { fd } = this;
    this.fd = -1;
    return fd;
  }

  isclosing(): boolean {
    return this.fd < 0;
  }

  onreadstart(): number {
    this.#flowing = true;
    this.#pump();
    return 0;
  }

  onreadstop(): number {
    this.#flowing = false;
    return 0;
  }

  /** A JSStream has no word for a failed read: who pipes it hears of that in front of the end, as from C++ (src/stream_pipe.cc). */
  #fails(error: unknown): void {
    const { errno } = error as NodeJS.ErrnoException;
    streamState.state[streamState.readBytesOrError] = errno ?? -Errno.EIO;
    streamState.state[streamState.arrayBufferOffset] = 0;
    this.onread?.(undefined);
  }

  #pump(): void {
    if (!this.#flowing || this.#reading || this.fd < 0) return;
    this.#reading = true;
    const length = Math.min(pieceBytes, this.#left);
    runner.async(piece(this.fd, length, this.#offset), this, (error, bytes) => {
      this.#reading = false;
      if (this.fd < 0) return;
      if (error !== null || bytes === null || bytes === undefined) {
        this.#flowing = false;
        if (error !== null) this.#fails(error);
        super.emitEOF();
        return;
      }
      this.#left -= bytes.byteLength;
      if (this.#offset >= 0) this.#offset += bytes.byteLength;
      super.readBuffer(bytes);
      this.#pump();
    });
  }
}

/** The entries of a directory as they were when it was opened. */
export class DirHandle {
  readonly #listing: DirectoryListing;
  #at = 0;

  constructor(listing: DirectoryListing) {
    this.#listing = listing;
  }

  /** Name and type by turns; `null` at the end. */
  #next(encoding: unknown, count: number): unknown[] | null {
    const { names, types } = this.#listing;
    if (this.#at >= names.length) return null;
    const entries: unknown[] = [];
    const end = Math.min(names.length, this.#at + Math.max(1, count));
    for (; this.#at < end; this.#at++) {
      entries[entries.length] = encodedName(names[this.#at]!, encoding);
      entries[entries.length] = types[this.#at];
    }
    return entries;
  }

  read(encoding: unknown, count: number, request?: Request): unknown {
    if (request === undefined) return this.#next(encoding, count);
    runner.request(
      immediately(() => this.#next(encoding, count)),
      request,
    );
    return undefined;
  }

  close(request?: Request): void {
    if (request !== undefined)
      runner.request(
        immediately(() => undefined),
        request,
      );
  }
}

// eslint-disable-next-line require-yield -- an operation that needs no kernel call
function* immediately<T>(make: () => T): Operation<T> {
  return make();
}

function* openDirectory(path: string, named: boolean): Operation<DirHandle> {
  return new DirHandle(yield* list(path, "opendir", named));
}

export function opendir(
  pathArgument: PathArgument,
  _encoding: unknown,
  request?: Request,
): DirHandle | undefined {
  const operation = openDirectory(toPath(pathArgument), true);
  if (request !== undefined) {
    runner.request(operation, request);
    return undefined;
  }
  try {
    return runner.sync(operation);
  } catch (error) {
    trimStack(error, opendir);
    throw error;
  }
}

export function opendirSync(path: PathArgument): DirHandle {
  try {
    // Node's own error carries no path here.
    return runner.sync(openDirectory(toPath(path), false));
  } catch (error) {
    trimStack(error, opendirSync);
    throw error;
  }
}
