/**
 * Puts the virtual file system under Node's module loaders: the functions of the
 * `modules` binding that look for package.json. Parsing stays native, so that
 * what counts as a valid package is what this engine says.
 *
 * Invariant: everything remembered here is filled by a guest process, never in
 * the zygote; the zygote makes no kernel call.
 */
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

/**
 * There is no on-disk compile cache. helpers.js took these functions out of the
 * binding before this code ran, so the public ones are replaced, too.
 */
function installCompileCache(
  env: GuestEnvironment,
  binding: any,
  put: (name: string, run: (...args: any[]) => unknown) => void,
): void {
  const disabled = (binding.compileCacheStatus as string[]).indexOf("DISABLED");
  put("enableCompileCache", () => [disabled]);
  put("getCompileCacheDir", () => undefined);
  put("flushCompileCache", () => undefined);
  put("getCompileCacheEntry", () => undefined);
  put("saveCompileCacheEntry", () => undefined);
  const Module = env.requireBuiltin("module");
  Module.enableCompileCache = function enableCompileCache() {
    return { __proto__: null, status: disabled };
  };
  Module.getCompileCacheDir = function getCompileCacheDir() {
    return undefined;
  };
  Module.flushCompileCache = function flushCompileCache() {};
  Module.syncBuiltinESMExports();
}
