/**
 * The classes of Node's `fs` and `fs_dir` bindings that own something: file
 * handles, directory handles, the one-shot jobs, the (refused) stat watcher.
 */
import type { GuestEnvironment } from "../environment.js";
import { createCopies } from "./fs-copy.js";
import type { CopyOptions, SpecialFile } from "./fs-copy.js";
import { encodeName, toPath } from "./fs-operations.js";
import type { DirectoryListing, Operations, PathArgument } from "./fs-operations.js";
import { trimStack } from "./fs-runner.js";
import type { Operation, Request, Runner } from "./fs-runner.js";

const { defineProperty } = Object;
const NativePromise = Promise;
/** Bytes a piped file handle reads at once; what libuv streams take. */
const pieceBytes = 64 * 1024;

export function createHandles(
  env: GuestEnvironment,
  operations: Operations,
  runner: Runner,
  copies: ReturnType<typeof createCopies>,
) {
  const { JSStream } = env.internalBinding("js_stream") as { JSStream: new () => any };

  /**
   * A descriptor with an owner. It is a native stream so that HTTP/2 can pipe it
   * (`respondWithFile`), `offset` and `length` bound what the stream delivers.
   */
  class FileHandle extends JSStream {
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
        this.#closing =
          fd < 0 ? NativePromise.resolve(undefined) : runner.promise(operations.close(fd));
      }
      return this.#closing;
    }

    closeSync(): void {
      const { fd } = this;
      this.fd = -1;
      if (fd >= 0) runner.sync(operations.close(fd));
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

    #pump(): void {
      if (!this.#flowing || this.#reading || this.fd < 0) return;
      this.#reading = true;
      const length = Math.min(pieceBytes, this.#left);
      runner.async(operations.piece(this.fd, length, this.#offset), this, (error, bytes) => {
        this.#reading = false;
        if (this.fd < 0) return;
        if (error !== null || bytes === null || bytes === undefined) {
          this.#flowing = false;
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
  class DirHandle {
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
        entries[entries.length] = encodeName(names[this.#at]!, encoding);
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
    return new DirHandle(yield* operations.list(path, "opendir", named));
  }

  function opendir(
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

  function opendirSync(path: PathArgument): DirHandle {
    try {
      // Node's own error carries no path here.
      return runner.sync(openDirectory(toPath(path), false));
    } catch (error) {
      trimStack(error, opendirSync);
      throw error;
    }
  }

  /** A whole file in one call. `ondone(error, buffer, fd, size, closeError)`, with `fd` -1 as nothing stays open. */
  class ReadFileJob {
    declare ondone: (...args: unknown[]) => void;
    readonly #flags: number;

    constructor(_path: PathArgument, flags: number) {
      this.#flags = flags;
    }

    run(path: PathArgument): undefined {
      startRead(this, path, this.#flags);
    }
  }

  class WriteFileJob {
    declare ondone: (...args: unknown[]) => void;
    readonly #path: PathArgument;
    readonly #flags: number;
    readonly #mode: number;
    readonly #data: ArrayBufferView;

    constructor(path: PathArgument, flags: number, mode: number, data: ArrayBufferView) {
      this.#path = path;
      this.#flags = flags;
      this.#mode = mode;
      this.#data = data;
    }

    run(): undefined {
      startWrite(this, this.#path, this.#flags, this.#mode, this.#data);
    }
  }

  type Job = { ondone(...args: unknown[]): void };

  function startRead(job: Job, path: PathArgument, flags: number): void {
    runner.async(operations.readFile(path, flags, true), job, (error, data) => {
      if (error !== null) job.ondone(error);
      else job.ondone(null, data, -1, data?.byteLength, undefined);
    });
  }

  function startWrite(
    job: Job,
    path: PathArgument,
    flags: number,
    mode: number,
    data: ArrayBufferView,
  ): void {
    const bytes = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
    runner.async(operations.writeFile(path, bytes, flags, mode), job, (error) => job.ondone(error));
  }

  /** `ondone(error, specialKind, specialPath)`. */
  class CpDirJob {
    declare ondone: (...args: unknown[]) => void;
    readonly #operation: () => Operation<SpecialFile | undefined>;

    constructor(
      source: PathArgument,
      target: PathArgument,
      force: boolean,
      dereference: boolean,
      errorOnExist: boolean,
      verbatimSymlinks: boolean,
      preserveTimestamps: boolean,
      mode?: number,
    ) {
      const options: CopyOptions = {
        force,
        dereference,
        errorOnExist,
        verbatimSymlinks,
        preserveTimestamps,
        mode: mode ?? 0,
      };
      this.#operation = () => copies.copyDirectory(source, target, options);
    }

    run(): undefined {
      runner.async(this.#operation(), this, (error, special) => {
        if (error !== null) this.ondone(error);
        else this.ondone(null, special?.kind, special?.path);
      });
    }
  }

  return {
    FileHandle,
    DirHandle,
    opendir,
    opendirSync,
    ReadFileJob,
    WriteFileJob,
    CpDirJob,
    startRead,
    startWrite,
  };
}
