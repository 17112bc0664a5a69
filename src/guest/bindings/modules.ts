/**
 * Puts the virtual file system under Node's module loaders: the functions of the
 * `modules` binding that look for package.json, and those of the compile cache. Parsing stays
 * native, so that what counts as a valid package is what this engine says.
 *
 * Invariant: everything remembered here is filled by a guest process, never in
 * the zygote; the zygote makes no kernel call.
 */
import type * as CompileCacheModule from "../compile-cache/index.js";
import type * as Compilers from "../compile-cache/compilers.js";
import type { CachedCode, Entry } from "../compile-cache/files.js";
import type { GuestEnvironment } from "../environment.js";
import type { LoadAhead } from "./load-ahead.js";

/** name, main, type, imports, exports, path of the file. */
type PackageTuple = [unknown, unknown, string, unknown, unknown, string];

const { captureStackTrace } = Error;
const { toString: decode } = Buffer.prototype;
const { apply } = Reflect;
/** What the native parser sees of a directory's search, once known. */
const notFound = "";

function textOf(data: Uint8Array): string {
  return apply(decode, Buffer.from(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength), [
    "utf8",
  ]);
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

export function installModules(env: GuestEnvironment, ahead: LoadAhead): void {
  const binding = env.internalBinding("modules");
  const { kernel } = env;
  const parse: (...args: unknown[]) => PackageTuple = binding.parsePackageJSON;
  const { fileURLToPath } = env.requireBuiltin("internal/url");
  const { ERR_INVALID_URL } = env.requireBuiltin("internal/errors").codes;
  const { URL } = env.requireBuiltin("internal/url");
  /** By path of the package.json; missing ones are asked for again, as C++ does. */
  const packages = new Map<string, PackageTuple>();
  /** Directory → path of its package.json. Only hits: what is missing may be written later. */
  const scopes = new Map<string, string>();

  function parsed(
    path: string,
    data: Uint8Array,
    isESM?: unknown,
    base?: unknown,
    specifier?: unknown,
  ): PackageTuple {
    const known = packages.get(path);
    if (known !== undefined) return known;
    const tuple = parse(textOf(data), path, isESM, base, specifier);
    packages.set(path, tuple);
    return tuple;
  }

  function search(directory: string, root: boolean): PackageTuple | undefined {
    const scope = scopes.get(directory);
    if (scope !== undefined && (root || scope !== "/package.json")) {
      const known = packages.get(scope);
      if (known !== undefined) return known;
    }
    const told = ahead.scope(directory === "" ? "/" : directory);
    if (told !== undefined) {
      if (told.path === notFound || (!root && told.path === "/package.json")) return undefined;
      const tuple = parsed(told.path, told.data);
      scopes.set(directory, told.path);
      return tuple;
    }
    const result = kernel.call("packageScope", {
      directory: directory === "" ? "/" : directory,
      root,
    });
    if (typeof result === "number") return undefined;
    ahead.dated(result.changes);
    if (result.path === notFound) return undefined;
    const tuple = parsed(result.path, result.data);
    scopes.set(directory, result.path);
    return tuple;
  }

  function readPackageJSON(
    path: string,
    isESM?: unknown,
    base?: unknown,
    specifier?: unknown,
  ): PackageTuple | undefined {
    const known = packages.get(path);
    if (known !== undefined) return known;
    const result = kernel.call("readPackage", { path });
    if (typeof result === "number") return undefined;
    ahead.dated(result.changes);
    if (!result.found) return undefined;
    return parsed(path, result.data, isESM, base, specifier);
  }

  function getNearestParentPackageJSON(checkPath: string): PackageTuple | undefined {
    return search(parentOf(checkPath), false);
  }

  function getNearestParentPackageJSONType(checkPath: string): string | undefined {
    return search(parentOf(checkPath), false)?.[2];
  }

  /** The directory whose package.json is tried first for a module's URL. */
  function directoryOf(resolved: string): string {
    if (!URL.canParse(resolved)) throw new ERR_INVALID_URL(resolved);
    return parentOf(fileURLToPath(new URL("./package.json", resolved)));
  }

  /** The tuple, or the path at which the search ended. */
  function getPackageScopeConfig(resolved: string): PackageTuple | string {
    const directory = directoryOf(resolved);
    const found = search(directory, true);
    if (found !== undefined) return found;
    for (let at = directory; at !== ""; at = parentOf(at)) {
      if (at.endsWith("/node_modules")) return `${at}/package.json`;
    }
    return "/package.json";
  }

  function getPackageType(resolved: string): string | undefined {
    const type = search(directoryOf(resolved), true)?.[2];
    return type === "none" ? undefined : type;
  }

  /** Lets an error of the native parser point where C++ would have thrown it. */
  function put(name: string, run: (...args: any[]) => unknown): void {
    if (typeof binding[name] !== "function")
      throw new Error(`modules binding has no function ${name} in this engine`);
    const replacement = (...args: unknown[]): unknown => {
      try {
        return run(...args);
      } catch (error) {
        if (error instanceof Error) captureStackTrace(error, replacement);
        throw error;
      }
    };
    binding[name] = replacement;
  }

  put("readPackageJSON", readPackageJSON);
  put("getNearestParentPackageJSON", getNearestParentPackageJSON);
  put("getNearestParentPackageJSONType", getNearestParentPackageJSONType);
  put("getPackageScopeConfig", getPackageScopeConfig);
  put("getPackageType", getPackageType);
  installCompileCache(env, binding, put);
}

/** What this thread has compiled and keeps; made by whoever asks first, never in the zygote. */
let cache: CompileCacheModule.CompileCache | undefined;
let prepare: (() => void) | undefined;
let makeCache: (() => CompileCacheModule.CompileCache) | undefined;

/** What a cache needs of the thread's loaders, done before anybody has one. */
export function prepareCompileCache(): void {
  prepare?.();
}

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
function installCompileCache(
  env: GuestEnvironment,
  binding: any,
  put: (name: string, run: (...args: any[]) => unknown) => void,
): void {
  prepare = () =>
    (require("../compile-cache/compilers.js") as typeof Compilers).placeCompilers(env);
  makeCache = () => {
    const { CompileCache } = require("../compile-cache/index.js") as typeof CompileCacheModule;
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
