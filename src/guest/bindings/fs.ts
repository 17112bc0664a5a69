/**
 * Puts the virtual file system under Node's `fs`: replaces the functions and
 * classes of the `fs` and `fs_dir` bindings with ones that ask the kernel.
 *
 * Runs once, in the zygote, before any guest exists, and makes no kernel call
 * then. It protects nothing: seccomp stands behind every native function that
 * stays reachable.
 */
import type { GuestEnvironment } from "../environment.js";
import { createCopies } from "./fs-copy.js";
import { FSEvent, StatWatcher, installWatchers } from "./fs-watch.js";
import { createHandles } from "./fs-handles.js";
import { createOperations } from "./fs-operations.js";
import type { Operations, PathArgument } from "./fs-operations.js";
import { codedError, createRunner, trimStack } from "./fs-runner.js";
import type { Operation, Runner } from "./fs-runner.js";

/** Binding function → index of its request argument and what it does. */
interface Entry {
  readonly request: number;
  /** What C++ checks before it asks the system: the first argument is a descriptor, the last one a mode. */
  readonly checks?: "fd" | "mode";
  run(args: any[], blocking: boolean): Operation<unknown>;
}

const { apply, ownKeys, defineProperty } = Reflect;

/** File name endings that a package's main is tried with; the index is what the loader expects back. */
const mainEndings = [
  "",
  ".js",
  ".json",
  ".node",
  "/index.js",
  "/index.json",
  "/index.node",
] as const;
const indexEndings = ["index.js", "index.json", "index.node"] as const;

function createTable(o: Operations, binding: any): Record<string, Entry> {
  const stats = (bigint: boolean, blocking: boolean) =>
    // Like C++, the blocking forms answer in the array that the binding shares with fs.js.
    blocking ? (bigint ? binding.bigintStatValues : binding.statValues) : undefined;
  return {
    access: { request: 2, checks: "mode", run: ([path, mode]) => o.access(path, mode) },
    open: { request: 3, run: ([path, flags, mode]) => o.open(path, flags, mode) },
    close: { request: 1, checks: "fd", run: ([fd]) => o.close(fd) },
    read: {
      request: 5,
      checks: "fd",
      run: ([fd, buffer, offset, length, position]) => o.read(fd, buffer, offset, length, position),
    },
    readBuffers: {
      request: 3,
      checks: "fd",
      run: ([fd, buffers, position]) => o.readBuffers(fd, buffers, position),
    },
    writeBuffers: {
      request: 3,
      checks: "fd",
      run: ([fd, buffers, position]) => o.writeBuffers(fd, buffers, position),
    },
    rename: { request: 2, run: ([from, to]) => o.twoPaths("rename", from, to) },
    link: { request: 2, run: ([from, to]) => o.twoPaths("link", from, to) },
    symlink: { request: 3, run: ([target, path]) => o.symlink(target, path) },
    readlink: { request: 2, run: ([path, encoding]) => o.readlink(path, encoding) },
    realpath: { request: 2, run: ([path, encoding]) => o.realpath(path, encoding) },
    ftruncate: {
      request: 2,
      checks: "fd",
      run: ([fd, length]) => o.simple("ftruncate", { fd, length: length ?? 0 }, "ftruncate"),
    },
    fsync: { request: 1, checks: "fd", run: ([fd]) => o.simple("fsync", { fd }, "fsync") },
    fdatasync: { request: 1, checks: "fd", run: ([fd]) => o.simple("fsync", { fd }, "fdatasync") },
    rmdir: { request: 1, run: ([path]) => o.onePath("rmdir", path) },
    unlink: { request: 1, run: ([path]) => o.onePath("unlink", path) },
    mkdir: { request: 3, run: ([path, mode, recursive]) => o.mkdir(path, mode, recursive) },
    mkdtemp: { request: 2, run: ([prefix, encoding]) => o.mkdtemp(prefix, encoding) },
    readdir: { request: 3, run: ([path, encoding, types]) => o.readdir(path, encoding, types) },
    readdirRecursive: {
      request: 3,
      run: ([path, encoding, types]) => o.readdirRecursive(path, encoding, types),
    },
    stat: {
      request: 2,
      run: ([path, bigint, , mustExist], blocking) =>
        o.statPath(path, true, bigint, mustExist !== false, stats(bigint, blocking)),
    },
    lstat: {
      request: 2,
      run: ([path, bigint, , mustExist], blocking) =>
        o.statPath(path, false, bigint, mustExist !== false, stats(bigint, blocking)),
    },
    fstat: {
      request: 2,
      checks: "fd",
      run: ([fd, bigint], blocking) => o.fstat(fd, bigint, stats(bigint, blocking)),
    },
    statfs: { request: 2, run: ([path, bigint]) => o.statfs(path, bigint) },
    copyFile: {
      request: 3,
      checks: "mode",
      run: ([from, to, mode]) => o.copyFile(from, to, mode),
    },
    chmod: { request: 2, run: ([path, mode]) => o.chmod(path, mode) },
    fchmod: {
      request: 2,
      checks: "fd",
      run: ([fd, mode]) => o.simple("fchmod", { fd, mode }, "fchmod"),
    },
    chown: { request: 3, run: ([path, uid, gid]) => o.chown(path, uid, gid, true) },
    lchown: { request: 3, run: ([path, uid, gid]) => o.chown(path, uid, gid, false) },
    fchown: {
      request: 3,
      checks: "fd",
      run: ([fd, uid, gid]) => o.simple("fchown", { fd, uid, gid }, "fchown"),
    },
    utimes: { request: 3, run: ([path, atime, mtime]) => o.utimes(path, atime, mtime, true) },
    lutimes: { request: 3, run: ([path, atime, mtime]) => o.utimes(path, atime, mtime, false) },
    futimes: {
      request: 3,
      checks: "fd",
      run: ([fd, atime, mtime]) =>
        o.simple("futimes", { fd, atimeMs: atime * 1000, mtimeMs: mtime * 1000 }, "futime"),
    },
  };
}

/** Functions that only exist in a blocking form. */
function createBlocking(
  o: Operations,
  copies: ReturnType<typeof createCopies>,
): Record<string, (...args: any[]) => Operation<unknown>> {
  return {
    existsSync: (path) => o.existsSync(path),
    readFileUtf8: (target, flags) => o.readFileUtf8(target, flags),
    writeFileUtf8: (target, data, flags, mode) => o.writeFileUtf8(target, data, flags, mode),
    rmSync: (path, _retries, recursive) => o.rmSync(path, recursive === true),
    internalModuleStat: (path) => o.loaderStat(path),
    getFormatOfExtensionlessFile: (path) => o.extensionlessFormat(path),
    cpSyncCheckPaths: (source, target, dereference, recursive) =>
      copies.checkPaths(source, target, dereference === true, recursive === true),
    cpSyncOverrideFile: (source, target, mode, preserveTimestamps) =>
      copies.overrideFile(source, target, mode ?? 0, preserveTimestamps === true),
    *cpSyncCopyDir(
      source,
      target,
      force,
      dereference,
      errorOnExist,
      verbatimSymlinks,
      preserveTimestamps,
    ) {
      const options = {
        force,
        dereference,
        errorOnExist,
        verbatimSymlinks,
        preserveTimestamps,
        mode: 0,
      };
      const special = yield* copies.copyDirectory(source, target, options);
      if (special === undefined) return;
      if (special.kind === "socket")
        throw codedError("ERR_FS_CP_SOCKET", `Cannot copy a socket file: ${special.path}`);
      if (special.kind === "fifo")
        throw codedError("ERR_FS_CP_FIFO_PIPE", `Cannot copy a FIFO pipe: ${special.path}`);
      throw codedError("ERR_FS_CP_UNKNOWN", `Cannot copy an unknown file type: ${special.path}`);
    },
  };
}

/** Gives `run` the name and the place of the native function it replaces. */
function replace(binding: any, name: string, run: Function): void {
  if (typeof binding[name] !== "function")
    throw new Error(`fs binding has no function ${name} in this engine`);
  defineProperty(run, "name", { value: name, configurable: true });
  binding[name] = run;
}

export function installFs(env: GuestEnvironment): void {
  const binding = env.internalBinding("fs");
  const directoryBinding = env.internalBinding("fs_dir");
  const natives = new Set<string>(
    (ownKeys(binding) as string[]).filter((name) => typeof binding[name] === "function"),
  );
  // Kept: it is how requests are recognised, and completing one touches nothing outside the process.
  natives.delete("FSReqCallback");

  const { kUsePromises } = binding;
  const runner = createRunner(env);
  const operations = createOperations(env);
  const copies = createCopies(operations, env.requireBuiltin("path"));
  const nativeJobs = { ReadFileJob: binding.ReadFileJob, WriteFileJob: binding.WriteFileJob };
  const handles = createHandles(env, operations, runner, copies);
  const put = (name: string, run: Function): void => {
    replace(binding, name, run);
    natives.delete(name);
  };

  const table = createTable(operations, binding);
  const { getValidatedFd } = env.requireBuiltin("internal/fs/utils");
  const { validateInteger } = env.requireBuiltin("internal/validators");
  for (const name in table) {
    const { request, run, checks } = table[name]!;
    const replacement = (...args: any[]): unknown => {
      const req = args[request];
      if (checks === "fd") args[0] = getValidatedFd(args[0]);
      else if (checks === "mode") {
        const mode = args[request - 1] ?? 0;
        validateInteger(mode, "mode", 0, 7);
        args[request - 1] = mode;
      }
      if (req === undefined) {
        try {
          return runner.sync(run(args, true));
        } catch (error) {
          trimStack(error, replacement);
          throw error;
        }
      }
      if (req === kUsePromises) return runner.promise(run(args, false));
      runner.request(run(args, false), req);
      return undefined;
    };
    put(name, replacement);
  }

  const blocking = createBlocking(operations, copies);
  for (const name in blocking) {
    const start = blocking[name]!;
    const replacement = (...args: any[]): unknown => {
      try {
        return runner.sync(apply(start, undefined, args));
      } catch (error) {
        trimStack(error, replacement);
        throw error;
      }
    };
    put(name, replacement);
  }

  installWrites(put, operations, runner, kUsePromises);
  put("openFileHandle", (path: PathArgument, flags: number, mode: number) =>
    runner.promise(
      (function* () {
        return new handles.FileHandle(yield* operations.open(path, flags, mode));
      })(),
    ),
  );
  const legacyMainResolve = (packagePath: string, main: unknown, base: unknown): number => {
    try {
      return runner.sync(resolveMain(env, operations, packagePath, main, base));
    } catch (error) {
      trimStack(error, legacyMainResolve);
      throw error;
    }
  };
  put("legacyMainResolve", legacyMainResolve);

  for (const name of ["FileHandle", "ReadFileJob", "WriteFileJob", "CpDirJob"] as const) {
    put(name, handles[name]);
  }
  installWatchers(env);
  put("StatWatcher", StatWatcher);
  replace(env.internalBinding("fs_event_wrap"), "FSEvent", FSEvent);
  replace(directoryBinding, "opendir", handles.opendir);
  replace(directoryBinding, "opendirSync", handles.opendirSync);
  replace(directoryBinding, "DirHandle", handles.DirHandle);
  patchLoadedModules(env, operations, runner, handles, nativeJobs);

  if (natives.size > 0)
    throw new Error(`fs binding functions left native: ${[...natives].join(", ")}`);
}

/** `writeBuffer` and `writeString` report to a context object in their blocking form. */
function installWrites(
  put: (name: string, run: Function) => void,
  operations: Operations,
  runner: Runner,
  kUsePromises: symbol,
): void {
  const dispatch = (
    operation: Operation<number>,
    request: any,
    context: any,
    below: Function,
  ): unknown => {
    if (request === kUsePromises) return runner.promise(operation);
    if (request !== undefined) {
      runner.request(operation, request);
      return undefined;
    }
    try {
      return runner.sync(operation);
    } catch (error) {
      const { errno, syscall } = error as NodeJS.ErrnoException;
      if (context === undefined || errno === undefined) {
        trimStack(error, below);
        throw error;
      }
      context.errno = errno;
      context.syscall = syscall;
      return undefined;
    }
  };
  const writeBuffer = (
    fd: number,
    buffer: ArrayBufferView,
    offset: number,
    length: number,
    position: unknown,
    request: unknown,
    context: unknown,
  ): unknown =>
    dispatch(
      operations.writeBuffer(fd, buffer, offset, length, position),
      request,
      context,
      writeBuffer,
    );
  const writeString = (
    fd: number,
    value: string,
    position: unknown,
    encoding: string | undefined,
    request: unknown,
    context: unknown,
  ): unknown =>
    dispatch(operations.writeString(fd, value, position, encoding), request, context, writeString);
  put("writeBuffer", writeBuffer);
  put("writeString", writeString);
}

/** Which of a package's possible main files exists, as an index the ES module loader knows. */
function* resolveMain(
  env: GuestEnvironment,
  operations: Operations,
  packagePath: string,
  main: unknown,
  base: unknown,
): Operation<number> {
  const path = env.requireBuiltin("path");
  let initial: string | undefined;
  if (typeof main === "string") {
    initial = path.resolve(packagePath, main) as string;
    for (let index = 0; index < mainEndings.length; index++) {
      if ((yield* operations.loaderStat(`${initial}${mainEndings[index]!}`)) === 0) return index;
    }
  }
  for (let index = 0; index < indexEndings.length; index++) {
    const candidate = path.resolve(packagePath, indexEndings[index]!) as string;
    if ((yield* operations.loaderStat(candidate)) === 0) return mainEndings.length + index;
  }
  if (typeof base !== "string") {
    const { ERR_INVALID_ARG_TYPE } = env.requireBuiltin("internal/errors").codes;
    throw new ERR_INVALID_ARG_TYPE("base", ["string", "URL"], base);
  }
  const importer = base.startsWith("file:")
    ? (env.requireBuiltin("internal/url").fileURLToPath(base) as string)
    : base;
  const missing = initial ?? (path.resolve(packagePath, "index.js") as string);
  throw codedError(
    "ERR_MODULE_NOT_FOUND",
    `Cannot find package '${missing}' imported from ${importer}`,
  );
}

/**
 * fs.js took the two job classes out of the binding before this code ran. Their
 * `run` is replaced on the prototype; what their constructor was given stays in
 * C++, so `fs.readFile` and `fs.writeFile` note it on the way in.
 */
function patchLoadedModules(
  env: GuestEnvironment,
  operations: Operations,
  runner: Runner,
  handles: ReturnType<typeof createHandles>,
  native: any,
): void {
  const fs = env.requireBuiltin("fs");
  const { stringToFlags } = env.requireBuiltin("internal/fs/utils");
  const { parseFileMode } = env.requireBuiltin("internal/validators");
  const { from } = Buffer;
  type Options = { flag?: unknown; mode?: unknown; encoding?: string } | undefined;
  let readOptions: Options;
  let writeOptions: Options;
  let writeData: any;
  const optionsOf = (value: unknown): Options => {
    if (typeof value === "string") return { encoding: value };
    return typeof value === "object" && value !== null ? (value as Options) : undefined;
  };

  native.ReadFileJob.prototype.run = function run(path: PathArgument): undefined {
    handles.startRead(this, path, stringToFlags(readOptions?.flag || "r"));
  };
  native.WriteFileJob.prototype.run = function run(path: PathArgument): undefined {
    const data = ArrayBuffer.isView(writeData)
      ? writeData
      : from(writeData, (writeOptions?.encoding || "utf8") as BufferEncoding);
    const flags = stringToFlags(writeOptions?.flag || "w");
    handles.startWrite(this, path, flags, parseFileMode(writeOptions?.mode, "mode", 0o666), data);
  };

  const nativeReadFile = fs.readFile;
  const nativeWriteFile = fs.writeFile;
  fs.readFile = function readFile(path: unknown, options: unknown, callback: unknown): void {
    const outer = readOptions;
    readOptions = optionsOf(options);
    try {
      apply(nativeReadFile, this, [path, options, callback]);
    } finally {
      readOptions = outer;
    }
  };
  fs.writeFile = function writeFile(
    path: unknown,
    data: unknown,
    options: unknown,
    callback: unknown,
  ): void {
    const outerOptions = writeOptions;
    const outerData = writeData;
    writeOptions = optionsOf(options);
    writeData = data;
    try {
      apply(nativeWriteFile, this, [path, data, options, callback]);
    } finally {
      writeOptions = outerOptions;
      writeData = outerData;
    }
  };

  // The loaders resolve links component by component; the kernel does it in one call.
  const { realpathCacheKey } = env.requireBuiltin("internal/fs/utils");
  const binding = env.internalBinding("fs");
  const nativeRealpath = fs.realpathSync;
  const realpathSync = function realpathSync(this: unknown, path: unknown, options: any): unknown {
    const cache =
      typeof path === "string" && options !== null && typeof options === "object"
        ? options[realpathCacheKey]
        : undefined;
    if (cache === undefined) return apply(nativeRealpath, this, [path, options]);
    const known = cache.get(path);
    if (known !== undefined) return known;
    try {
      const real = binding.realpath(path, undefined);
      cache.set(path, real);
      return real;
    } catch {
      // For the error as fs.js words it.
      return apply(nativeRealpath, undefined, [path, options]);
    }
  } as unknown as typeof nativeRealpath;
  realpathSync.native = nativeRealpath.native;
  fs.realpathSync = realpathSync;

  // Without an encoding fs.js opens, stats, reads and closes; one call does, for every module that is imported.
  const { getOptions, getValidatedPath, vfsState } = env.requireBuiltin("internal/fs/utils");
  const nativeReadFileSync = fs.readFileSync;
  const readFileSync = function (this: unknown, path: unknown, options: any): unknown {
    const plain =
      options === undefined ||
      options === null ||
      (typeof options === "object" && ownKeys(options).length === 0);
    if (!plain || typeof path === "number" || vfsState.handlers !== null) {
      return apply(nativeReadFileSync, this, [path, options]);
    }
    const { flag } = getOptions(options, { flag: "r" });
    const file = getValidatedPath(path);
    try {
      return runner.sync(operations.readFile(file, stringToFlags(flag), false));
    } catch {
      // It fails again, at the step and with the stack that Node's own has.
      return apply(nativeReadFileSync, this, [path, options]);
    }
  };
  defineProperty(readFileSync, "name", { value: "readFileSync", configurable: true });
  fs.readFileSync = readFileSync;

  // A blob over a file is native; here it holds what the file held when it was made. fs.js asks for this late.
  const { Blob } = env.requireBuiltin("buffer");
  const { lazyDOMException } = env.requireBuiltin("internal/util");
  const { kClone } = env.requireBuiltin("internal/worker/js_transferable");
  const { ERR_INVALID_STATE } = env.requireBuiltin("internal/errors").codes;
  const refuseClone = (): never => {
    throw new ERR_INVALID_STATE("File-backed Blobs are not cloneable");
  };
  env.requireBuiltin("internal/blob").createBlobFromFilePath = (
    path: PathArgument,
    options?: { type?: string },
  ): unknown => {
    try {
      const blob = new Blob([runner.sync(operations.readFile(path, 0, true))], options);
      return Object.defineProperty(blob, kClone, { value: refuseClone });
    } catch {
      return lazyDOMException("The blob could not be read", "NotReadableError");
    }
  };

  // internal/net took `writeBuffer` early as well, for a code path that only Windows has.
  env.requireBuiltin("module").syncBuiltinESMExports();
}
