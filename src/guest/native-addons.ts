/**
 * Owns how a program loads a native addon: from the machine's files, into its own process, by the engine's own
 * dynamic linker. In a machine without the option it owns what the program reads then: which package does the same
 * work there. It protects nothing: the process's filter maps no file in either case, and what an addon
 * does is what any native code in a guest can do.
 *
 * What an addon needs is loaded before it, so that the linker finds it in the process by name: from where the addon
 * says (DT_RPATH, DT_RUNPATH, with $ORIGIN), LD_LIBRARY_PATH, the machine's /lib and /usr/lib, or the libc.
 */
import { posix } from "node:path";
import { Errno } from "../abi/errno.js";
import { isLoaded, loadLibrary, whileServing } from "../sandbox/image-loader.js";
import type { GuestEnvironment } from "./environment.js";
import { sharedObject } from "./shared-object.js";
import type { SharedObject } from "./shared-object.js";

/** A package's native part, as its path or name has it, and what to use in its place. */
const instead: readonly (readonly [native: RegExp, alternative: string])[] = [
  [/@rollup\/rollup-/, "@rollup/wasm-node"],
  [/lightningcss/, "lightningcss-wasm"],
  [/@swc\/core/, "@swc/wasm"],
  [/@img\/sharp-|\/sharp\//, "@img/sharp-wasm32"],
  [/@esbuild\//, "esbuild-wasm"],
  [/better-sqlite3|\/sqlite3\//, "node:sqlite"],
  [/tree-sitter/, "web-tree-sitter"],
  [/\/bcrypt\//, "bcryptjs"],
  [/\/argon2\//, "hash-wasm"],
  [/@parcel\/watcher/, "@parcel/watcher-wasm"],
  [/@oxc-|oxc-parser/, "@oxc-parser/binding-wasm32-wasi"],
  [/@tailwindcss\/oxide/, "@tailwindcss/oxide-wasm32-wasi"],
  [/@node-rs\//, "the package's wasm32-wasi build"],
];

/** What one load may bring with it; more is no addon of anybody's. */
const mostLibraries = 256;
/** Where ld.so(8) looks last, for x64. */
const multiarch = "/x86_64-linux-gnu";
const systemFolders = [
  `/lib${multiarch}`,
  `/usr/lib${multiarch}`,
  "/lib64",
  "/usr/lib64",
  "/lib",
  "/usr/lib",
];

export type Dlopen = (module: unknown, filename: unknown, ...flags: unknown[]) => unknown;

const failure = (message: string): Error =>
  Object.assign(new Error(message), { code: "ERR_DLOPEN_FAILED" });

/** In a machine whose programs load none. */
export function refuseAddon(path: unknown): never {
  const name = String(path);
  const alternative = instead.find(([native]) => native.test(name))?.[1];
  const option = "make the machine with the option nativeAddons";
  const hint = alternative === undefined ? option : `use ${alternative} in its place, or ${option}`;
  throw failure(`Native addons are not supported in this virtual machine: ${name}; ${hint}`);
}

/** With `--no-addons`; src/node_binding.cc. */
export const addonsDisabled = (): Error =>
  Object.assign(new Error("Cannot load native addon because loading addons is disabled."), {
    code: "ERR_DLOPEN_DISABLED",
  });

/** A file of the machine's that the process has open. */
interface Opened {
  readonly path: string;
  readonly fd: number;
}

type Machine = Pick<GuestEnvironment, "kernel" | "openImage">;

/** One load: what it needs is found by one thread, one after the other. */
export class AddonLoader {
  readonly #machine: Machine;
  /** Of `process.dlopen`, as the engine has it. */
  readonly #engine: Dlopen;
  #left = mostLibraries;

  constructor(machine: Machine, engine: Dlopen) {
    this.#machine = machine;
    this.#engine = engine;
  }

  /** In the place of `process.dlopen`. */
  load(module: unknown, filename: unknown, ...flags: unknown[]): unknown {
    // As C reads it.
    const [name = ""] = String(filename).split("\0", 1);
    // Without a directory it is looked for as what others need is.
    const path = name.includes("/") ? posix.resolve(process.cwd(), name) : name;
    const engine = (at: string): unknown => this.#engine(module, at, ...flags);
    if (isLoaded(path)) return engine(path);
    const folders = path === name ? [...environmentFolders(), ...systemFolders] : [];
    const file = this.#find(path, folders);
    if (typeof file !== "number") return this.#serve(file, [], () => engine(file.path));
    return whileServing({ fd: file }, () => engine(path));
  }

  /** Runs `load`, for which the file is what the linker opens, and which finds in the process what that needs. */
  #serve<T>({ fd, path }: Opened, rpath: readonly string[], load: () => T): T {
    try {
      const object = sharedObject((position, length) => this.#read(fd, position, length));
      this.#loadNeeded(object, path, rpath);
      // The last question before the linker comes: the next one would empty it.
      const image = this.#machine.openImage(fd, "");
      return whileServing({ fd: image, firstBytes: object.firstBytes }, load);
    } finally {
      this.#machine.kernel.call("close", { fd });
    }
  }

  /** `rpath` is that of whoever needs this one. */
  #loadNeeded(object: SharedObject, path: string, rpath: readonly string[]): void {
    const origin = posix.dirname(path);
    const here = (folders: readonly string[]): string[] =>
      folders
        .filter((folder) => folder !== "")
        .map((folder) => folder.replace(/\$(ORIGIN\b|\{ORIGIN\})/g, () => origin));
    // DT_RUNPATH switches every DT_RPATH off; ld.so(8).
    const before = object.runpath.length > 0 ? [] : [...here(object.rpath), ...rpath];
    const folders = [...before, ...environmentFolders(), ...here(object.runpath), ...systemFolders];
    for (const name of object.needed) {
      if (this.#left-- <= 0) throw failure(`${path}: needs more than ${mostLibraries} libraries`);
      if (isLoaded(name)) continue;
      const failed = this.#loadLibrary(name, folders, before);
      if (failed !== undefined) throw failure(failed);
    }
  }

  /** The linker's words for what is wrong with it; that it is missing, it says later. */
  #loadLibrary(
    name: string,
    folders: readonly string[],
    rpath: readonly string[],
  ): string | undefined {
    const file = this.#find(
      name.includes("/") ? posix.resolve(process.cwd(), name) : name,
      folders,
    );
    if (typeof file !== "number") return this.#serve(file, rpath, () => loadLibrary(file.path));
    const image = this.#machine.openImage(-1, name);
    if (image < 0) return undefined;
    return whileServing({ fd: image }, () => loadLibrary(`${systemFolders[0]!}/${name}`));
  }

  /** A path itself, or the first of the folders' files of that name: opened, or the errno of the last. */
  #find(name: string, folders: readonly string[]): Opened | number {
    const paths = name.includes("/") ? [name] : folders.map((folder) => posix.join(folder, name));
    let last = -Errno.ENOENT;
    for (const path of paths) {
      const opened = this.#machine.kernel.call("open", { path, flags: 0, mode: 0 });
      if (typeof opened !== "number") return { path, fd: opened.fd };
      last = opened;
    }
    return last;
  }

  #read(fd: number, position: number, length: number): Buffer {
    const read = this.#machine.kernel.call("read", { fd, length, position });
    return typeof read === "number" ? Buffer.alloc(0) : Buffer.from(read.data);
  }
}

function environmentFolders(): string[] {
  const { LD_LIBRARY_PATH: folders = "" } = process.env;
  return folders.split(/[:;]/).filter((folder) => folder !== "");
}
