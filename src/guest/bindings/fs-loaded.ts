/**
 * Replaces what fs.js took out of its binding before that became virtual, and the functions of `fs` that
 * make several calls where the kernel has one.
 */
import type { EngineModule } from "../engine-types.js";
import type { GuestEnvironment } from "../environment.js";
import { installFileBlobs } from "./file-blob.js";
import { ahead, readAtOnce } from "./fs-loading.js";
import { startRead, startWrite } from "./fs-jobs.js";
import type { Job } from "./fs-jobs.js";
import { runner } from "./fs-runner.js";
import type { PathArgument } from "./fs-values.js";

const { apply, ownKeys, defineProperty } = Reflect;
const { from } = Buffer;
const NativeBuffer = Buffer;

interface JobClass {
  prototype: Job & { run(path: PathArgument): undefined };
}
/** The engine's own classes. */
export interface NativeJobs {
  ReadFileJob: JobClass;
  WriteFileJob: JobClass;
}

type Options = { flag?: unknown; mode?: unknown; encoding?: string } | undefined;

const optionsOf = (value: unknown): Options => {
  if (typeof value === "string") return { encoding: value };
  return typeof value === "object" && value !== null ? (value as Options) : undefined;
};

export function patchLoadedModules(env: GuestEnvironment, native: NativeJobs): void {
  const fs = env.requireBuiltin("fs");
  patchJobs(env, fs, native);
  patchRealpath(env, fs);
  patchReadFile(env, fs);
  installFileBlobs(env);
  // internal/net took `writeBuffer` early as well, for a code path that only Windows has.
  env.requireBuiltin("module").syncBuiltinESMExports();
}

/**
 * `run` of the two classes is replaced on the prototype; what their constructor was given stays in
 * C++, so `fs.readFile` and `fs.writeFile` note it on the way in.
 */
function patchJobs(env: GuestEnvironment, fs: EngineModule, native: NativeJobs): void {
  const { stringToFlags } = env.requireBuiltin("internal/fs/utils");
  const { parseFileMode } = env.requireBuiltin("internal/validators");
  let readOptions: Options;
  let writeOptions: Options;
  let writeData: unknown;

  native.ReadFileJob.prototype.run = function run(path: PathArgument): undefined {
    startRead(this, path, stringToFlags(readOptions?.flag || "r"));
  };
  native.WriteFileJob.prototype.run = function run(path: PathArgument): undefined {
    const data = ArrayBuffer.isView(writeData)
      ? writeData
      : from(writeData as string, (writeOptions?.encoding || "utf8") as BufferEncoding);
    const flags = stringToFlags(writeOptions?.flag || "w");
    startWrite(this, path, flags, parseFileMode(writeOptions?.mode, "mode", 0o666), data);
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
}

/** With the cache that a loader passes, under a key of Node's own. */
type RealpathOptions = Record<PropertyKey, Map<unknown, unknown>> | null | undefined;

/** The loaders resolve links component by component; the kernel does it in one call. */
function patchRealpath(env: GuestEnvironment, fs: EngineModule): void {
  const { realpathCacheKey } = env.requireBuiltin("internal/fs/utils");
  const binding = env.internalBinding("fs");
  const nativeRealpath = fs.realpathSync;
  const realpathSync = function realpathSync(
    this: unknown,
    path: unknown,
    options: RealpathOptions,
  ): unknown {
    const cache =
      typeof path === "string" && options !== null && typeof options === "object"
        ? options[realpathCacheKey]
        : undefined;
    if (cache === undefined) return apply(nativeRealpath, this, [path, options]);
    const known = cache.get(path);
    if (known !== undefined) return known;
    try {
      const real = ahead.real(path as string) ?? binding.realpath(path, undefined);
      cache.set(path, real);
      return real;
    } catch {
      // For the error as fs.js words it.
      return apply(nativeRealpath, undefined, [path, options]);
    }
  } as unknown as typeof nativeRealpath;
  realpathSync.native = nativeRealpath.native;
  fs.realpathSync = realpathSync;
}

/** Without an encoding fs.js opens, stats, reads and closes; one call does, for every module that is imported. */
function patchReadFile(env: GuestEnvironment, fs: EngineModule): void {
  const { stringToFlags } = env.requireBuiltin("internal/fs/utils");
  const { getOptions, getValidatedPath, vfsState } = env.requireBuiltin("internal/fs/utils");
  const nativeReadFileSync = fs.readFileSync;
  const readFileSync = function (this: unknown, path: unknown, options: unknown): unknown {
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
      const data = runner.sync(readAtOnce(file, stringToFlags(flag)));
      // A part of what was told ahead is no caller's to write to.
      return data instanceof NativeBuffer ? data : from(data);
    } catch {
      // It fails again, at the step and with the stack that Node's own has.
      return apply(nativeReadFileSync, this, [path, options]);
    }
  };
  defineProperty(readFileSync, "name", { value: "readFileSync", configurable: true });
  fs.readFileSync = readFileSync;
}
