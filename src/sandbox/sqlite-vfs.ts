/**
 * Gives the engine's built-in SQLite a file system made of JavaScript: the structures
 * sqlite3_vfs and sqlite3_io_methods of sqlite3.h (3.53), their functions native callbacks
 * into this thread. It adds no authority: whatever the functions do they do by system calls
 * of the machine, and the filter of the process stands as it did.
 *
 * Invariants: the structures are never freed, because SQLite keeps them in a list; nothing
 * is thrown through a native frame; callbacks run only inside a call that this thread made
 * into SQLite, never while V8 collects garbage (the owner of the databases sees to that).
 */
import * as ffi from "node:ffi";
import { bind, openEngine, openLibrary } from "./native.js";

/** Result codes of sqlite3.h that this file answers itself. */
const SQLITE_OK = 0;
const SQLITE_IOERR = 10;
const SQLITE_NOTFOUND = 12;
const SQLITE_CANTOPEN = 14;
const SQLITE_IOERR_SHORT_READ = 522;

/** One open file. Numbers answered are SQLite's result codes, unless said otherwise. */
export interface SqliteFile {
  /** Fills the front of `target` from `offset` on: how many bytes, or a negated result code. */
  read(target: Buffer, offset: number): number;
  write(source: Buffer, offset: number): number;
  truncate(length: number): number;
  sync(): number;
  /** Bytes, or a negated result code. */
  size(): number;
  /** To a SQLITE_LOCK_* level. */
  lock(level: number): number;
  unlock(level: number): number;
  /** Whether some connection holds more than a shared lock. */
  reserved(): boolean;
  close(): number;
}

export interface SqliteFiles {
  /** `path` undefined is a temporary file; `flags` are SQLITE_OPEN_*. A number is a result code. */
  open(path: string | undefined, flags: number): { file: SqliteFile; flags: number } | number;
  remove(path: string): number;
  /** `mode` is SQLITE_ACCESS_*. */
  access(path: string, mode: number): boolean;
  /** The absolute form of a name, or undefined when it has none. */
  fullPath(path: string): string | undefined;
  /** Fresh bytes of the machine. */
  random(length: number): Buffer;
  sleep(microseconds: number): void;
}

/** struct sqlite3_vfs, version 2: offsets of its members on 64-bit machines. */
const vfs = {
  bytes: 144,
  iVersion: 0,
  szOsFile: 4,
  mxPathname: 8,
  zName: 24,
  xOpen: 40,
  xDelete: 48,
  xAccess: 56,
  xFullPathname: 64,
  xDlOpen: 72,
  xDlError: 80,
  xDlSym: 88,
  xDlClose: 96,
  xRandomness: 104,
  xSleep: 112,
  xGetLastError: 128,
  xCurrentTimeInt64: 136,
} as const;

/** struct sqlite3_io_methods, version 1: no shared memory, so WAL needs an exclusive connection. */
const methods = {
  bytes: 104,
  iVersion: 0,
  xClose: 8,
  xRead: 16,
  xWrite: 24,
  xTruncate: 32,
  xSync: 40,
  xFileSize: 48,
  xLock: 56,
  xUnlock: 64,
  xCheckReservedLock: 72,
  xFileControl: 80,
  xSectorSize: 88,
  xDeviceCharacteristics: 96,
} as const;

/** struct sqlite3_file is one pointer to its methods; nothing of ours follows. */
const fileBytes = 8;
/** PATH_MAX of linux/limits.h. */
const pathBytes = 4096;
const sectorBytes = 4096;
/** SQLITE_IOCAP_POWERSAFE_OVERWRITE */
const characteristics = 0x1000;
/** Milliseconds from the Julian epoch to 1970. */
const julianEpochMs = 210_866_760_000_000n;
const noExtensions = "native extensions cannot be loaded in this virtual machine\0";

const engine = openEngine();
const library = openLibrary();
/** Calls `compare(key, base)` for one element: the way to an address that has no exported name. */
const bsearch = bind<[bigint, bigint, bigint, bigint, bigint], bigint>(
  library,
  "bsearch",
  ["pointer", "pointer", "u64", "u64", "pointer"],
  "pointer",
);
const malloc = bind<[bigint], bigint>(library, "malloc", ["u64"], "pointer");

function allocate(length: number): bigint {
  const pointer = malloc(BigInt(length));
  if (pointer === 0n) throw new Error("no memory for SQLite's file system");
  ffi.exportBuffer(Buffer.alloc(length), pointer, length);
  return pointer;
}

function allocateText(text: string): bigint {
  const bytes = Buffer.from(`${text}\0`);
  const pointer = allocate(bytes.length);
  ffi.exportBuffer(bytes, pointer, bytes.length);
  return pointer;
}

type Scalar = ffi.ScalarType;
const P: Scalar = "pointer";
const I: Scalar = "i32";
const L: Scalar = "i64";

/** Hears of callbacks that run. */
export interface CallbackWatch {
  callbackBegins(): void;
  callbackEnds(): void;
}

/** Of this thread. */
let watch: CallbackWatch | undefined;

/** A native function of SQLite's kind: an `int` that is `failed` when `run` throws. `args` says what it is called with. */
function callback(
  args: readonly Scalar[],
  run: (...args: never[]) => number,
  failed = SQLITE_IOERR,
): bigint {
  return library.registerCallback({ arguments: args, return: "i32" }, (...given) => {
    watch?.callbackBegins();
    try {
      return run(...given);
    } catch {
      return failed;
    } finally {
      watch?.callbackEnds();
    }
  });
}

const textAt = (pointer: bigint): string | undefined =>
  pointer === 0n ? undefined : ffi.toString(pointer);

/** Where the structures of a thread are. */
export interface RegisteredFiles {
  structure: bigint;
  table: bigint;
}

/** A function of the engine that answers no SQLITE_OK, and one of libc that does nothing and answers it. */
const failing = engine.getSymbol("uv_version");
const nothing = library.getSymbol("pthread_condattr_destroy");

/**
 * For the files of a thread that is about to be stopped: closing them does nothing, all else
 * fails, and none of it calls JavaScript. SQLite then leaves a journal as after a crash.
 */
export function retireSqliteFiles({ structure, table }: RegisteredFiles): void {
  for (const member of ["xOpen", "xDelete", "xAccess", "xFullPathname"] as const)
    ffi.setUint64(structure, vfs[member], failing);
  for (const [member, offset] of Object.entries(methods)) {
    if (!member.startsWith("x")) continue;
    const harmless = member === "xClose" || member === "xUnlock";
    ffi.setUint64(table, offset, harmless ? nothing : failing);
  }
}

/**
 * Registers `files` under `name`, as the default when `isDefault`. `distance` leads from the engine's
 * uv_loop_fork to its sqlite3_vfs_register. Throws when SQLite does not take it.
 */
export function registerSqliteFiles(
  name: string,
  isDefault: boolean,
  distance: number,
  files: SqliteFiles,
  watchedBy: CallbackWatch | undefined,
): RegisteredFiles {
  watch = watchedBy;
  const structure = allocate(vfs.bytes);
  ffi.setInt32(structure, vfs.iVersion, 2);
  ffi.setInt32(structure, vfs.szOsFile, fileBytes);
  ffi.setInt32(structure, vfs.mxPathname, pathBytes);
  ffi.setUint64(structure, vfs.zName, allocateText(name));
  const open = new Map<bigint, SqliteFile>();
  const table = methodTable(open);
  for (const [member, pointer] of Object.entries(vfsFunctions(files, open, table)))
    ffi.setUint64(structure, vfs[member as keyof typeof vfs], pointer);
  const register = engine.getSymbol("uv_loop_fork") + BigInt(distance);
  // The element's address is the second argument: makeDflt, true when its lower half is not 0.
  const element = isDefault ? 1n : 1n << 32n;
  if (bsearch(structure, element, 1n, 1n, register) === 0n)
    throw new Error("SQLite did not take the machine's file system");
  return { structure, table };
}

function vfsFunctions(
  files: SqliteFiles,
  open: Map<bigint, SqliteFile>,
  table: bigint,
): Partial<Record<keyof typeof vfs, bigint>> {
  const xOpen = (_: bigint, path: bigint, file: bigint, flags: number, out: bigint): number => {
    // Without methods SQLite does not close what was not opened.
    ffi.setUint64(file, 0, 0n);
    const opened = files.open(textAt(path), flags);
    if (typeof opened === "number") return opened;
    open.set(file, opened.file);
    ffi.setUint64(file, 0, table);
    if (out !== 0n) ffi.setInt32(out, 0, opened.flags);
    return SQLITE_OK;
  };
  const xFullPathname = (_: bigint, path: bigint, length: number, out: bigint): number => {
    const full = files.fullPath(textAt(path) ?? "");
    const bytes = Buffer.from(`${full ?? ""}\0`);
    if (full === undefined || bytes.length > length) return SQLITE_CANTOPEN;
    ffi.exportBuffer(bytes, out, bytes.length);
    return SQLITE_OK;
  };
  return {
    xOpen: callback([P, P, P, I, P], xOpen, SQLITE_CANTOPEN),
    xDelete: callback([P, P, I], (_, path: bigint) => files.remove(textAt(path) ?? "")),
    xAccess: callback([P, P, I, P], (_, path: bigint, mode: number, out: bigint) => {
      ffi.setInt32(out, 0, files.access(textAt(path) ?? "", mode) ? 1 : 0);
      return SQLITE_OK;
    }),
    xFullPathname: callback([P, P, I, P], xFullPathname, SQLITE_CANTOPEN),
    xDlOpen: library.registerCallback({ arguments: [P, P], return: P }, () => 0n),
    xDlError: callback([P, I, P], (_, length: number, out: bigint) => {
      const bytes = Buffer.from(noExtensions).subarray(0, Math.max(0, length));
      if (bytes.length > 0) ffi.exportBuffer(bytes, out, bytes.length);
      return SQLITE_OK;
    }),
    xDlSym: library.registerCallback({ arguments: [P, P, P], return: P }, () => 0n),
    xDlClose: callback([P, P], () => SQLITE_OK),
    xRandomness: callback(
      [P, I, P],
      (_, length: number, out: bigint) => {
        const bytes = files.random(length);
        ffi.exportBuffer(bytes, out, bytes.length);
        return bytes.length;
      },
      0,
    ),
    xSleep: callback([P, I], (_, microseconds: number) => {
      files.sleep(microseconds);
      return microseconds;
    }),
    xGetLastError: callback([P, I, P], () => 0, 0),
    xCurrentTimeInt64: callback([P, P], (_, out: bigint) => {
      ffi.setInt64(out, 0, BigInt(Date.now()) + julianEpochMs);
      return SQLITE_OK;
    }),
  };
}

function methodTable(open: Map<bigint, SqliteFile>): bigint {
  const table = allocate(methods.bytes);
  ffi.setInt32(table, methods.iVersion, 1);
  const put = (
    member: keyof typeof methods,
    args: readonly Scalar[],
    run: (file: SqliteFile, ...args: never[]) => number,
  ): void => {
    const pointer = callback([P, ...args], (file: bigint, ...rest: never[]) =>
      run(open.get(file)!, ...rest),
    );
    ffi.setUint64(table, methods[member], pointer);
  };
  ffi.setUint64(
    table,
    methods.xClose,
    callback([P], (pointer: bigint) => {
      const file = open.get(pointer);
      open.delete(pointer);
      return file?.close() ?? SQLITE_OK;
    }),
  );
  put("xRead", [P, I, L], (file, out: bigint, length: number, offset: bigint) => {
    const bytes = Buffer.alloc(length);
    const size = file.read(bytes, Number(offset));
    if (size < 0) return -size;
    // What the file does not have reads as zeros.
    ffi.exportBuffer(bytes, out, length);
    return size < length ? SQLITE_IOERR_SHORT_READ : SQLITE_OK;
  });
  put("xWrite", [P, I, L], (file, from: bigint, length: number, offset: bigint) =>
    file.write(ffi.toBuffer(from, length, true), Number(offset)),
  );
  put("xTruncate", [L], (file, length: bigint) => file.truncate(Number(length)));
  put("xSync", [I], (file) => file.sync());
  put("xFileSize", [P], (file, out: bigint) => {
    const size = file.size();
    if (size < 0) return -size;
    ffi.setInt64(out, 0, BigInt(size));
    return SQLITE_OK;
  });
  put("xLock", [I], (file, level: number) => file.lock(level));
  put("xUnlock", [I], (file, level: number) => file.unlock(level));
  put("xCheckReservedLock", [P], (file, out: bigint) => {
    ffi.setInt32(out, 0, file.reserved() ? 1 : 0);
    return SQLITE_OK;
  });
  put("xFileControl", [I, P], () => SQLITE_NOTFOUND);
  put("xSectorSize", [], () => sectorBytes);
  put("xDeviceCharacteristics", [], () => characteristics);
  return table;
}
