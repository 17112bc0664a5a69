/**
 * Owns the functions of the `modules` binding that the compile cache is behind, and whether this thread has a
 * cache. C++ would look for the files on the host.
 */
import type { EngineModule } from "../engine-types.js";
import type { GuestEnvironment } from "../environment.js";
import type { CachedCode, Entry } from "./files.js";
import type * as CompileCacheModule from "./index.js";

/** Puts a function in the place of a binding's. */
export type Put = (name: string, run: (...args: never[]) => unknown) => void;

/** What this thread has compiled and keeps; made by whoever asks first, never in the zygote. */
let cache: CompileCacheModule.CompileCache | undefined;
let makeCache: (() => CompileCacheModule.CompileCache) | undefined;

/** InitializeCompileCache of src/env.cc: what the environment asks for, before a program runs in the thread. */
export function startCompileCache(): void {
  const directory = process.env["NODE_COMPILE_CACHE"];
  if (directory === undefined || directory === "" || makeCache === undefined) return;
  cache ??= makeCache();
  cache.enable(
    directory,
    process.env["NODE_COMPILE_CACHE_PORTABLE"] === "1",
    process.env["NODE_COMPILE_CACHE_READONLY"] === "1",
  );
}

/**
 * C++ would look for the files on the host. helpers.js took these functions out of the
 * binding before this code ran, so the public ones are replaced, too.
 */
export function installCompileCache(env: GuestEnvironment, binding: EngineModule, put: Put): void {
  makeCache = () => {
    const { CompileCache } = require("./index.js") as typeof CompileCacheModule;
    return new CompileCache(env, (text) => writeError(env, text));
  };
  const enable = (directory: unknown, portable: unknown, readOnly: unknown) => {
    if (typeof directory !== "string") throw invalidDirectory();
    cache ??= makeCache!();
    return cache.enable(directory, portable === true, readOnly === true);
  };
  put("enableCompileCache", enable);
  put("getCompileCacheDir", () => cache?.directory);
  put("flushCompileCache", () => cache?.flushNow());
  put("getCompileCacheEntry", (source: string, file: string, type: number) =>
    cache?.entryOf(source, file, type as CachedCode),
  );
  put("saveCompileCacheEntry", (entry: Entry, transpiled: string) =>
    cache?.save(entry, transpiled),
  );
  const Module = env.requireBuiltin("module");
  Module.enableCompileCache = function enableCompileCache(options?: unknown) {
    const { directory, portable, readOnly } = settingsOf(env, options);
    const [status, message, base] = binding.enableCompileCache(directory, portable, readOnly);
    return { status, ...(message && { message }), ...(base && { directory: base }) };
  };
  Module.getCompileCacheDir = function getCompileCacheDir() {
    return cache?.directory;
  };
  Module.flushCompileCache = binding.flushCompileCache;
  Object.defineProperty(Module.flushCompileCache, "name", {
    value: "flushCompileCache",
    configurable: true,
  });
  Module.syncBuiltinESMExports();
}

/** enableCompileCache of internal/modules/helpers. */
function settingsOf(env: GuestEnvironment, options: unknown) {
  const given = (
    typeof options === "object" && options !== null ? options : { directory: options }
  ) as { directory?: unknown; portable?: unknown; readOnly?: unknown };
  const variables = process.env;
  const standard = (): string =>
    variables["NODE_COMPILE_CACHE"] ||
    env.requireBuiltin("path").join(env.requireBuiltin("os").tmpdir(), "node-compile-cache");
  return {
    directory: given.directory === undefined ? standard() : given.directory,
    portable: given.portable ?? variables["NODE_COMPILE_CACHE_PORTABLE"] === "1",
    readOnly: given.readOnly ?? variables["NODE_COMPILE_CACHE_READONLY"] === "1",
  };
}

/** src/node_modules.cc, EnableCompileCache. */
function invalidDirectory(): Error {
  return Object.assign(new TypeError("cacheDir should be a string"), {
    code: "ERR_INVALID_ARG_TYPE",
  });
}

/** As C++ writes to stderr: past the process's streams. */
function writeError(env: GuestEnvironment, text: string): void {
  const data = Buffer.from(text, "utf8");
  if (env.isHostOutput(2)) env.writeOutput(2, data);
  else env.kernel.call("write", { fd: 2, data, position: -1 });
}
