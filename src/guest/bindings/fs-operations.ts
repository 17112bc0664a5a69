/**
 * What each function of Node's `fs` binding does, as operations over kernel
 * calls (see fs-runner.ts). Values have the shapes that Node's own JavaScript
 * expects from C++. Descriptors 0–2 are the process's standard streams and are
 * served here; all others are the kernel's.
 */
import { Errno } from "../../abi/errno.js";
import { O_RDONLY } from "../../abi/fcntl.js";
import {
  ModuleKind,
  UvDirent,
  fsLimits,
  nearModulePaths,
  statSlots,
} from "../../protocol/fs-calls.js";
import type { GuestEnvironment } from "../environment.js";
import { ask, codedError, failure } from "./fs-runner.js";
import type { Operation } from "./fs-runner.js";

export type PathArgument = string | Uint8Array;

const { from, alloc, allocUnsafe, concat } = Buffer;
const { toString: decode } = Buffer.prototype;
const { apply } = Reflect;
const NativeNumber = Number;
const { isSafeInteger } = Number;
const NativeBigInt = BigInt;

/** One read of stdin asks for no more than this at once. */
const wasmMagic = 0x6d736100;

const openSyscall = "open";

export function text(bytes: Uint8Array, encoding?: string): string {
  const buffer = from(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength);
  return apply(decode, buffer, [encoding ?? "utf8"]);
}

export function toPath(path: PathArgument): string {
  return typeof path === "string" ? path : text(path);
}

/** A name for the guest in the encoding it asked for. */
export function encodeName(name: string, encoding: unknown): string | Buffer {
  if (encoding === undefined || encoding === null || encoding === "utf8" || encoding === "utf-8")
    return name;
  const bytes = from(name, "utf8");
  return encoding === "buffer" ? bytes : text(bytes, encoding as string);
}

function toPosition(position: unknown): number {
  // As C++ reads it: what is no position means the current one.
  const at = typeof position === "bigint" ? NativeNumber(position) : position;
  return typeof at === "number" && at >= 0 && (typeof position === "bigint" || isSafeInteger(at))
    ? at
    : -1;
}

/** The bytes of a view, `offset` and `length` cut to it. */
function bytesOf(view: ArrayBufferView, offset = 0, length = view.byteLength - offset): Uint8Array {
  if (
    !(offset >= 0) ||
    offset > view.byteLength ||
    !(length >= 0) ||
    length > view.byteLength - offset
  ) {
    throw codedError("ERR_OUT_OF_RANGE", "The buffer does not hold the requested range");
  }
  return new Uint8Array(view.buffer as ArrayBuffer, view.byteOffset + offset, length);
}

export type StatArray = Float64Array | BigInt64Array;

/** Writes kernel stat values into `target`, or a fresh array of the right kind. */
export function toStats(values: readonly number[], bigint: boolean, target?: StatArray): StatArray {
  const stats = target ?? (bigint ? new BigInt64Array(statSlots) : new Float64Array(statSlots));
  for (let at = 0; at < statSlots; at++) {
    const value = values[at] ?? 0;
    (stats as any)[at] = bigint ? NativeBigInt(value) : value;
  }
  return stats;
}

export interface DirectoryListing {
  names: string[];
  types: number[];
}

/** Calls that a loader makes between its questions, and that change nothing. */
const loaderCalls = new Set<string>([
  "moduleStat",
  "packageScope",
  "readPackage",
  "realpath",
  "readFile",
]);

/**
 * Answers that came along with others. Each serves once, but for directories, which a loader asks for with
 * every module in them; and none outlives the run of JavaScript that asked, or any call that could change a
 * file: a stale one can only be as old as an answer that had been asked for just before.
 */
function createLookahead(env: GuestEnvironment) {
  const answers = new Map<string, number>();
  const { enqueueMicrotask } = env.internalBinding("task_queue") as {
    enqueueMicrotask(run: () => void): void;
  };
  const clear = (): void => answers.clear();
  env.kernel.onCall((name) => {
    if (answers.size > 0 && !loaderCalls.has(name)) answers.clear();
  });
  return {
    take(path: string): number | undefined {
      const kind = answers.get(path);
      if (kind !== undefined && kind !== ModuleKind.directory) answers.delete(path);
      return kind;
    },
    put(path: string, kind: number, near: Uint8Array): void {
      if (answers.size === 0) enqueueMicrotask(clear);
      if (kind === ModuleKind.directory) answers.set(path, kind);
      const paths = nearModulePaths(path, kind);
      for (let at = 0; at < near.length; at++) {
        const found = near[at]!;
        answers.set(paths[at]!, found === ModuleKind.absent ? -Errno.ENOENT : found);
      }
    },
  };
}

export interface Operations extends ReturnType<typeof createOperations> {}

export function createOperations(env: GuestEnvironment) {
  const ahead = createLookahead(env);
  /** Runs a call that answers nothing of interest. */
  function* simple(
    call: Parameters<typeof ask>[0],
    args: any,
    syscall: string,
    path?: string,
    dest?: string,
  ): Operation<undefined> {
    const result = yield* ask(call, args);
    if (typeof result === "number") throw yield* failure(result, syscall, path, dest);
    return undefined;
  }

  function* open(pathArgument: PathArgument, flags: number, mode: number): Operation<number> {
    const path = toPath(pathArgument);
    const result = yield* ask("open", { path, flags, mode });
    if (typeof result === "number") throw yield* failure(result, openSyscall, path);
    return result.fd;
  }

  function* close(fd: number): Operation<undefined> {
    env.forgetOutput(fd);
    return yield* simple("close", { fd }, "close");
  }

  /** Fills as much of `target` as the file has; fewer bytes mean its end. */
  function* readInto(fd: number, target: Uint8Array, position: number): Operation<number> {
    let total = 0;
    do {
      const length = Math.min(target.byteLength - total, fsLimits.transferBytes);
      const result = yield* ask("read", {
        fd,
        length,
        position: position < 0 ? -1 : position + total,
      });
      if (typeof result === "number") {
        if (total > 0) return total;
        throw yield* failure(result, "read");
      }
      target.set(result.data, total);
      total += result.data.byteLength;
      if (result.data.byteLength < length) break;
    } while (total < target.byteLength);
    return total;
  }

  function* read(
    fd: number,
    buffer: ArrayBufferView,
    offset: number,
    length: number,
    position: unknown,
  ): Operation<number> {
    return yield* readInto(fd, bytesOf(buffer, offset, length), toPosition(position));
  }

  function* readBuffers(
    fd: number,
    buffers: ArrayBufferView[],
    position: unknown,
  ): Operation<number> {
    let at = toPosition(position);
    let total = 0;
    for (let index = 0; index < buffers.length; index++) {
      const target = bytesOf(buffers[index]!);
      if (target.byteLength === 0) continue;
      const size = yield* readInto(fd, target, at);
      total += size;
      if (at >= 0) at += size;
      if (size < target.byteLength) break;
    }
    return total;
  }

  function* writeBytes(fd: number, data: Uint8Array, position: number): Operation<number> {
    if (env.isHostOutput(fd)) {
      env.writeOutput(fd, data);
      return data.byteLength;
    }
    let total = 0;
    do {
      const part = data.subarray(total, total + fsLimits.transferBytes);
      const result = yield* ask("write", {
        fd,
        data: part,
        position: position < 0 ? -1 : position + total,
      });
      if (typeof result === "number") {
        if (total > 0) return total;
        throw yield* failure(result, "write");
      }
      total += result.written;
      if (result.written < part.byteLength) break;
    } while (total < data.byteLength);
    return total;
  }

  function* writeBuffer(
    fd: number,
    buffer: ArrayBufferView,
    offset: number,
    length: number,
    position: unknown,
  ): Operation<number> {
    return yield* writeBytes(fd, bytesOf(buffer, offset, length), toPosition(position));
  }

  function* writeBuffers(
    fd: number,
    buffers: ArrayBufferView[],
    position: unknown,
  ): Operation<number> {
    const at = toPosition(position);
    const parts: Uint8Array[] = [];
    let size = 0;
    for (let index = 0; index < buffers.length; index++) {
      parts[index] = bytesOf(buffers[index]!);
      size += parts[index]!.byteLength;
    }
    if (size <= fsLimits.transferBytes) return yield* writeBytes(fd, concat(parts, size), at);
    let total = 0;
    for (let index = 0; index < parts.length; index++) {
      const written = yield* writeBytes(fd, parts[index]!, at < 0 ? -1 : at + total);
      total += written;
      if (written < parts[index]!.byteLength) break;
    }
    return total;
  }

  function* writeString(
    fd: number,
    value: string,
    position: unknown,
    encoding?: string,
  ): Operation<number> {
    return yield* writeBytes(
      fd,
      from(value, (encoding ?? "utf8") as BufferEncoding),
      toPosition(position),
    );
  }

  /** All that is left of an open file. */
  function* readRest(
    fd: number,
    start: Uint8Array[],
    syscall: string,
    path?: string,
  ): Operation<Buffer> {
    const parts = start;
    for (;;) {
      const result = yield* ask("readFd", { fd });
      if (typeof result === "number") throw yield* failure(result, syscall, path);
      parts[parts.length] = result.data;
      if (!result.more) break;
    }
    return concat(parts);
  }

  /** Opens, reads all, closes. `named` puts the path into errors of reading, too, as the one-shot jobs do. */
  function* readFile(pathArgument: PathArgument, flags: number, named: boolean): Operation<Buffer> {
    const path = toPath(pathArgument);
    const result = yield* ask("readFile", { path, flags });
    if (typeof result === "number") {
      if (result === -Errno.EISDIR) throw yield* failure(result, "read", named ? path : undefined);
      throw yield* failure(result, openSyscall, path);
    }
    if (!result.more) return result.data as Buffer;
    try {
      return yield* readRest(result.fd, [result.data], "read", named ? path : undefined);
    } finally {
      yield* ask("close", { fd: result.fd });
    }
  }

  function* readFileUtf8(target: PathArgument | number, flags: number): Operation<string> {
    return text(
      typeof target === "number"
        ? yield* readRest(target, [], "read")
        : yield* readFile(target, flags, false),
    );
  }

  /** Opens, writes all, closes. */
  function* writeFile(
    pathArgument: PathArgument,
    data: Uint8Array,
    flags: number,
    mode: number,
  ): Operation<undefined> {
    const path = toPath(pathArgument);
    const limit = fsLimits.transferBytes;
    const more = data.byteLength > limit;
    const result = yield* ask("writeFile", {
      path,
      data: more ? data.subarray(0, limit) : data,
      flags,
      mode,
      more,
    });
    if (typeof result === "number") {
      const full = result === -Errno.ENOSPC || result === -Errno.EFBIG || result === -Errno.EBADF;
      throw yield* failure(result, full ? "write" : openSyscall, full ? undefined : path);
    }
    if (!more) return undefined;
    try {
      yield* writeFully(result.fd, data.subarray(limit));
    } finally {
      yield* ask("close", { fd: result.fd });
    }
    return undefined;
  }

  function* writeFully(fd: number, data: Uint8Array): Operation<undefined> {
    for (let at = 0; at < data.byteLength;) at += yield* writeBytes(fd, data.subarray(at), -1);
    return undefined;
  }

  function* writeFileUtf8(
    target: PathArgument | number,
    value: string,
    flags: number,
    mode: number,
  ): Operation<undefined> {
    const data = from(value, "utf8");
    if (typeof target === "number") return yield* writeFully(target, data);
    return yield* writeFile(target, data, flags, mode);
  }

  function* existsSync(path: PathArgument): Operation<boolean> {
    const result = yield* ask("access", { path: toPath(path), mode: 0 });
    return typeof result !== "number";
  }

  function* access(pathArgument: PathArgument, mode: number): Operation<undefined> {
    const path = toPath(pathArgument);
    return yield* simple("access", { path, mode }, "access", path);
  }

  /** `undefined` for a missing file unless `mustExist`. */
  function* statPath(
    pathArgument: PathArgument,
    follow: boolean,
    bigint: boolean,
    mustExist: boolean,
    target?: StatArray,
  ): Operation<StatArray | undefined> {
    const path = toPath(pathArgument);
    const result = yield* ask("stat", { path, follow });
    if (typeof result === "number") {
      if (!mustExist && (result === -Errno.ENOENT || result === -Errno.ENOTDIR)) return undefined;
      throw yield* failure(result, follow ? "stat" : "lstat", path);
    }
    return toStats(result.values, bigint, target);
  }

  function* fstat(fd: number, bigint: boolean, target?: StatArray): Operation<StatArray> {
    const result = yield* ask("fstat", { fd });
    if (typeof result === "number") throw yield* failure(result, "fstat");
    return toStats(result.values, bigint, target);
  }

  function* statfs(
    pathArgument: PathArgument,
    bigint: boolean,
  ): Operation<Float64Array | BigInt64Array> {
    const path = toPath(pathArgument);
    const result = yield* ask("statfs", { path });
    if (typeof result === "number") throw yield* failure(result, "statfs", path);
    const [type = 0, bsize = 0, ...rest] = result.values;
    // Node tells fragment and block size apart; ours are one.
    const values = [type, bsize, bsize, ...rest];
    return bigint
      ? BigInt64Array.from(values, (value) => NativeBigInt(value))
      : Float64Array.from(values);
  }

  function* list(path: string, syscall: string, named = true): Operation<DirectoryListing> {
    const names: string[] = [];
    const types: number[] = [];
    for (;;) {
      const result = yield* ask("readdir", { path, start: names.length });
      if (typeof result === "number")
        throw yield* failure(result, syscall, named ? path : undefined);
      for (let at = 0; at < result.names.length; at++) {
        names[names.length] = result.names[at]!;
        types[types.length] = result.types[at]!;
      }
      if (!result.more || result.names.length === 0) return { names, types };
    }
  }

  function* readdir(path: PathArgument, encoding: unknown, withTypes: boolean): Operation<unknown> {
    const { names, types } = yield* list(toPath(path), "scandir");
    const encoded = names.map((name) => encodeName(name, encoding));
    return withTypes ? [encoded, types] : encoded;
  }

  function* moduleStat(path: PathArgument): Operation<number> {
    const result = yield* ask("moduleStat", { path: toPath(path) });
    return typeof result === "number" ? result : result.kind;
  }

  /** As `moduleStat`, for the loaders, whose next questions the kernel answers in advance. */
  function* loaderStat(pathArgument: PathArgument): Operation<number> {
    const path = toPath(pathArgument);
    const known = ahead.take(path);
    if (known !== undefined) return known;
    const result = yield* ask("moduleStat", { path });
    if (typeof result === "number") return result;
    ahead.put(path, result.kind, result.near);
    return result.kind;
  }

  /** Breadth first, directories in name order, links to directories entered. */
  function* readdirRecursive(
    pathArgument: PathArgument,
    encoding: unknown,
    withTypes: boolean,
  ): Operation<unknown> {
    const base = toPath(pathArgument);
    const directories = [""];
    const counts: number[] = [];
    const names: (string | Buffer)[] = [];
    const types: number[] = [];
    for (let index = 0; index < directories.length; index++) {
      const relative = directories[index]!;
      const directory = relative === "" ? base : `${base}/${relative}`;
      const listing = yield* list(directory, "scandir");
      counts[index] = listing.names.length;
      for (let at = 0; at < listing.names.length; at++) {
        const name = listing.names[at]!;
        const type = listing.types[at]!;
        const inner = relative === "" ? name : `${relative}/${name}`;
        names[names.length] = encodeName(withTypes ? name : inner, encoding);
        types[types.length] = type;
        const enter =
          type === UvDirent.directory ||
          (type === UvDirent.link && (yield* moduleStat(`${directory}/${name}`)) === 1);
        if (enter) directories[directories.length] = inner;
      }
    }
    if (!withTypes) return names;
    const encoded = directories.map((directory) => encodeName(directory, encoding));
    return [names, Uint8Array.from(types), Uint32Array.from(counts), encoded];
  }

  function* mkdir(
    pathArgument: PathArgument,
    mode: number,
    recursive: boolean,
  ): Operation<string | undefined> {
    const path = toPath(pathArgument);
    const result = yield* ask("mkdir", { path, mode, recursive: recursive === true });
    if (typeof result === "number") throw yield* failure(result, "mkdir", path);
    return result.first === "" ? undefined : result.first;
  }

  function* rmSync(pathArgument: PathArgument, recursive: boolean): Operation<undefined> {
    const path = toPath(pathArgument);
    const result = yield* ask("rm", { path, recursive, force: true });
    if (typeof result !== "number") return undefined;
    if (result === -Errno.EISDIR && !recursive)
      throw codedError("ERR_FS_EISDIR", `Path is a directory: ${path}`);
    throw yield* failure(result, "rm", path);
  }

  function* onePath(call: "rmdir" | "unlink", pathArgument: PathArgument): Operation<undefined> {
    const path = toPath(pathArgument);
    return yield* simple(call, { path }, call, path);
  }

  function* twoPaths(
    call: "rename" | "link",
    first: PathArgument,
    second: PathArgument,
  ): Operation<undefined> {
    const source = toPath(first);
    const target = toPath(second);
    return yield* simple(call, { from: source, to: target }, call, source, target);
  }

  function* symlink(
    targetArgument: PathArgument,
    pathArgument: PathArgument,
  ): Operation<undefined> {
    const target = toPath(targetArgument);
    const path = toPath(pathArgument);
    return yield* simple("symlink", { target, path }, "symlink", target, path);
  }

  function* readlink(pathArgument: PathArgument, encoding: unknown): Operation<string | Buffer> {
    const path = toPath(pathArgument);
    const result = yield* ask("readlink", { path });
    if (typeof result === "number") throw yield* failure(result, "readlink", path);
    return encodeName(result.target, encoding);
  }

  function* realpath(pathArgument: PathArgument, encoding: unknown): Operation<string | Buffer> {
    const path = toPath(pathArgument);
    const result = yield* ask("realpath", { path });
    if (typeof result === "number") throw yield* failure(result, "realpath", path);
    return encodeName(result.path, encoding);
  }

  function* copyFile(
    fromArgument: PathArgument,
    toArgument: PathArgument,
    mode: number,
  ): Operation<undefined> {
    const source = toPath(fromArgument);
    const target = toPath(toArgument);
    return yield* simple(
      "copyFile",
      { from: source, to: target, mode },
      "copyfile",
      source,
      target,
    );
  }

  function* chmod(pathArgument: PathArgument, mode: number): Operation<undefined> {
    const path = toPath(pathArgument);
    return yield* simple("chmod", { path, mode }, "chmod", path);
  }

  function* chown(
    pathArgument: PathArgument,
    uid: number,
    gid: number,
    follow: boolean,
  ): Operation<undefined> {
    const path = toPath(pathArgument);
    return yield* simple("chown", { path, uid, gid, follow }, follow ? "chown" : "lchown", path);
  }

  function* utimes(
    pathArgument: PathArgument,
    atime: number,
    mtime: number,
    follow: boolean,
  ): Operation<undefined> {
    const path = toPath(pathArgument);
    const args = { path, atimeMs: atime * 1000, mtimeMs: mtime * 1000, follow };
    return yield* simple("utimes", args, follow ? "utime" : "lutime", path);
  }

  function* mkdtemp(prefixArgument: PathArgument, encoding: unknown): Operation<string | Buffer> {
    const prefix = toPath(prefixArgument);
    const result = yield* ask("mkdtemp", { prefix });
    if (typeof result === "number") throw yield* failure(result, "mkdtemp", `${prefix}XXXXXX`);
    return encodeName(result.path, encoding);
  }

  /** 1 for WebAssembly, 0 for anything else, missing files included. */
  function* extensionlessFormat(path: PathArgument): Operation<number> {
    const opened = yield* ask("open", { path: toPath(path), flags: O_RDONLY, mode: 0 });
    if (typeof opened === "number") return 0;
    const magic = alloc(4);
    const result = yield* ask("read", { fd: opened.fd, length: 4, position: 0 });
    yield* ask("close", { fd: opened.fd });
    if (typeof result === "number") return 0;
    magic.set(result.data);
    return magic.readUInt32LE(0) === wasmMagic ? 1 : 0;
  }

  return {
    simple,
    open,
    close,
    read,
    readInto,
    readBuffers,
    writeBuffer,
    writeBuffers,
    writeString,
    readFile,
    readFileUtf8,
    writeFile,
    writeFileUtf8,
    existsSync,
    access,
    statPath,
    fstat,
    statfs,
    list,
    readdir,
    readdirRecursive,
    moduleStat,
    loaderStat,
    mkdir,
    rmSync,
    onePath,
    twoPaths,
    symlink,
    readlink,
    realpath,
    copyFile,
    chmod,
    chown,
    utimes,
    mkdtemp,
    extensionlessFormat,
    /** Reads one piece of an open file for a stream; `null` at the end. */
    *piece(fd: number, length: number, position: number): Operation<Uint8Array | null> {
      const target = allocUnsafe(length);
      const size = yield* readInto(fd, target, position);
      return size === 0 ? null : target.subarray(0, size);
    },
  };
}
