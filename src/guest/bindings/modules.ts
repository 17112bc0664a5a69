/**
 * Puts the virtual file system under Node's module loaders: the functions of the
 * `modules` binding that look for package.json. Parsing stays native, so that what counts as a valid
 * package is what this engine says. The rest of the binding is ../compile-cache/binding.ts.
 *
 * Invariant: everything remembered here is filled by a guest process, never in
 * the zygote; the zygote makes no kernel call.
 */
import { installCompileCache } from "../compile-cache/binding.js";
import type { Put } from "../compile-cache/binding.js";
import { AheadWants } from "../../protocol/fs-calls.js";
import type { EngineModule } from "../engine-types.js";
import type { EngineTools, GuestEnvironment, KernelClient } from "../environment.js";
import { ahead } from "./fs-loading.js";
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

/** The file beside a module's URL; Node's error for what is none. */
function packageJsonOf({ requireBuiltin }: EngineTools): (resolved: string) => string {
  const { fileURLToPath, URL } = requireBuiltin("internal/url");
  const { ERR_INVALID_URL } = requireBuiltin("internal/errors").codes;
  return (resolved) => {
    if (!URL.canParse(resolved)) throw new ERR_INVALID_URL(resolved);
    return fileURLToPath(new URL("./package.json", resolved));
  };
}

/** The package.json files that this thread has read. */
class PackageFiles {
  readonly #kernel: KernelClient;
  readonly #ahead: LoadAhead;
  readonly #parse: (...args: unknown[]) => PackageTuple;
  readonly #packageJsonOf: (resolved: string) => string;
  /** By path of the package.json; missing ones are asked for again, as C++ does. */
  readonly #packages = new Map<string, PackageTuple>();
  /** Directory → path of its package.json. Only hits: what is missing may be written later. */
  readonly #scopes = new Map<string, string>();

  constructor(
    env: GuestEnvironment,
    ahead: LoadAhead,
    parse: (...args: unknown[]) => PackageTuple,
  ) {
    this.#kernel = env.kernel;
    this.#ahead = ahead;
    this.#parse = parse;
    this.#packageJsonOf = packageJsonOf(env);
  }

  #parsed(
    path: string,
    data: Uint8Array,
    isESM?: unknown,
    base?: unknown,
    specifier?: unknown,
  ): PackageTuple {
    const known = this.#packages.get(path);
    if (known !== undefined) return known;
    const tuple = this.#parse(textOf(data), path, isESM, base, specifier);
    this.#packages.set(path, tuple);
    return tuple;
  }

  #search(directory: string, root: boolean): PackageTuple | undefined {
    const scope = this.#scopes.get(directory);
    if (scope !== undefined && (root || scope !== "/package.json")) {
      const known = this.#packages.get(scope);
      if (known !== undefined) return known;
    }
    const told = this.#ahead.scope(directory === "" ? "/" : directory);
    if (told !== undefined) {
      if (told.path === notFound || (!root && told.path === "/package.json")) return undefined;
      const tuple = this.#parsed(told.path, told.data);
      this.#scopes.set(directory, told.path);
      return tuple;
    }
    const path = this.#ahead.scopePath(directory);
    const read =
      path === undefined || (!root && path === "/package.json")
        ? undefined
        : this.#packages.get(path);
    if (read !== undefined) {
      this.#scopes.set(directory, path!);
      return read;
    }
    const result = this.#kernel.call("packageScope", {
      directory: directory === "" ? "/" : directory,
      root,
    });
    if (typeof result === "number") return undefined;
    this.#ahead.dated(result.changes);
    if (result.path === notFound) return undefined;
    const tuple = this.#parsed(result.path, result.data);
    this.#scopes.set(directory, result.path);
    return tuple;
  }

  readPackageJSON(
    path: string,
    isESM?: unknown,
    base?: unknown,
    specifier?: unknown,
  ): PackageTuple | undefined {
    const known = this.#packages.get(path);
    if (known !== undefined) return known;
    const data = this.#read(path);
    return data && this.#parsed(path, data, isESM, base, specifier);
  }

  #read(path: string): Uint8Array | undefined {
    let told = this.#ahead.packageFile(path);
    const directory = told === undefined ? this.#ahead.packageAt(path) : undefined;
    if (directory !== undefined) {
      const wants = AheadWants.package;
      const answer = this.#kernel.call("directoryAhead", { directory, first: "", wants });
      told = this.#ahead.tellPackage(path, directory, answer);
    }
    if (told !== undefined) return told?.data;
    const result = this.#kernel.call("readPackage", { path });
    if (typeof result === "number") return undefined;
    this.#ahead.dated(result.changes);
    return result.found ? result.data : undefined;
  }

  getNearestParentPackageJSON(checkPath: string): PackageTuple | undefined {
    return this.#search(parentOf(checkPath), false);
  }

  getNearestParentPackageJSONType(checkPath: string): string | undefined {
    return this.#search(parentOf(checkPath), false)?.[2];
  }

  /** The directory whose package.json is tried first for a module's URL. */
  #directoryOf(resolved: string): string {
    return parentOf(this.#packageJsonOf(resolved));
  }

  /** The tuple, or the path at which the search ended. */
  getPackageScopeConfig(resolved: string): PackageTuple | string {
    const directory = this.#directoryOf(resolved);
    const found = this.#search(directory, true);
    if (found !== undefined) return found;
    for (let at = directory; at !== ""; at = parentOf(at)) {
      if (at.endsWith("/node_modules")) return `${at}/package.json`;
    }
    return "/package.json";
  }

  getPackageType(resolved: string): string | undefined {
    const type = this.#search(this.#directoryOf(resolved), true)?.[2];
    return type === "none" ? undefined : type;
  }
}

/** Puts functions into a binding. An error of the native parser points where C++ would have thrown it. */
function putInto(binding: EngineModule): Put {
  return (name, run) => {
    if (typeof binding[name] !== "function")
      throw new Error(`modules binding has no function ${name} in this engine`);
    const replacement = (...args: unknown[]): unknown => {
      try {
        return apply(run, undefined, args);
      } catch (error) {
        if (error instanceof Error) captureStackTrace(error, replacement);
        throw error;
      }
    };
    binding[name] = replacement;
  };
}

/** After the binding of files, whose loader it shares. */
export function installModules(env: GuestEnvironment): void {
  const binding = env.internalBinding("modules");
  const files = new PackageFiles(env, ahead, binding.parsePackageJSON);
  const put = putInto(binding);
  put("readPackageJSON", (...args: unknown[]) => apply(files.readPackageJSON, files, args));
  put("getNearestParentPackageJSON", (path: string) => files.getNearestParentPackageJSON(path));
  put("getNearestParentPackageJSONType", (path: string) =>
    files.getNearestParentPackageJSONType(path),
  );
  put("getPackageScopeConfig", (resolved: string) => files.getPackageScopeConfig(resolved));
  put("getPackageType", (resolved: string) => files.getPackageType(resolved));
  installCompileCache(env, binding, put);
}
