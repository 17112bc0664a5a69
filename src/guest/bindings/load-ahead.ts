/**
 * Owns what the kernel has told the module loaders before they asked: what lies beside a path, the content of the
 * module that was found, and, of a directory of which several modules were loaded, all that is in it.
 *
 * Invariants: nothing here is older than what the program has heard since. It is forgotten before any call that is not a
 * loader's, before the program is told anything by the event loop, when the kernel says that something has changed, and
 * after a second; of directories, as told-directories.ts says. Of what is not a directory, each answer serves once.
 */
import { Errno } from "../../abi/errno.js";
import {
  AheadKind,
  ModuleKind,
  nearModulePaths,
  nearPackagePaths,
} from "../../protocol/fs-calls.js";
import type { CallResult } from "../../protocol/table.js";
import type { GuestCalls, GuestEnvironment } from "../environment.js";
import {
  type ToldDirectories,
  loaderCalls,
  longestNs,
  mostPaths,
  realOf,
} from "./told-directories.js";

/** Modules of one directory that are asked for one by one before all the others are. */
const singleModules = 2;
const nodeModules = "/node_modules";
const packageName = "/package.json";
/** As a size: the answer was full before. */
const notReached = -2;

const { bigint: nanoseconds } = process.hrtime;
const { apply } = Reflect;
const NativeUint8Array = Uint8Array;
/** Of every buffer of Node's, and the fastest way to text; an answer's bytes are one. */
const { utf8Slice } = Buffer.prototype as unknown as { utf8Slice: Function };

export interface PackageFile {
  readonly path: string;
  readonly data: Uint8Array;
}

interface Found {
  readonly path: string;
  readonly real: string;
  readonly data: Uint8Array | undefined;
}

export class LoadAhead {
  /** What was told beside an answer, by path. */
  readonly #near = new Map<string, number>();
  readonly #directories: ToldDirectories;
  /** How many modules were found in each directory, one by one; Infinity where it is not told. */
  readonly #loaded = new Map<string, number>();
  /** Paths that were loaded, for which no content is asked again. */
  readonly #seen = new Set<string>();
  /** What the last answer found. */
  #found: Found | undefined;
  #foundAt = 0n;
  /** Where a package.json is, for the files of a directory. */
  #scope: { readonly of: string; readonly path: string } | undefined;
  /** Of packages nothing is told ahead. */
  #refusesPackages = false;
  readonly #enqueueMicrotask: (run: () => void) => void;

  constructor(env: GuestEnvironment, directories: ToldDirectories) {
    this.#directories = directories;
    this.#enqueueMicrotask = env.internalBinding("task_queue").enqueueMicrotask;
    env.kernel.onCall((name) => this.#calls(name));
  }

  #calls(name: string | undefined): void {
    if (name !== undefined && loaderCalls.has(name)) return;
    this.#near.clear();
    this.#found = this.#scope = undefined;
  }

  /** Whether everything told so far is as it was; otherwise it is forgotten. */
  dated(changes: number): void {
    if (this.#directories.dated(changes)) return;
    this.#near.clear();
    this.#found = this.#scope = undefined;
  }

  #lately(): Found | undefined {
    return nanoseconds() - this.#foundAt <= longestNs ? this.#found : undefined;
  }

  /** What `moduleStat` would say of `path`, if it is known. */
  kind(path: string): number | undefined {
    const known = this.#directories.find(path);
    if (known !== undefined) {
      if (known.entry === undefined) return -Errno.ENOENT;
      if (known.entry.kind !== AheadKind.unknown) return known.entry.kind;
    }
    const kind = this.#near.get(path);
    if (kind !== undefined && kind !== ModuleKind.directory) {
      this.#near.delete(path);
      return kind;
    }
    // Of others the answer tells what lies beside them, for which there would be a call each.
    const isModules = path.endsWith(nodeModules);
    if (isModules && this.#directories.isAbsent(path)) return -Errno.ENOENT;
    const isEnough = isModules || this.#near.has(`${path}.js`);
    if (!isEnough) return undefined;
    return kind ?? (this.#directories.isDirectory(path) ? ModuleKind.directory : undefined);
  }

  /** The real path of a file. */
  real(path: string): string | undefined {
    if (this.#found?.path === path) return this.#lately()?.real;
    const known = this.#directories.find(path);
    if (known?.entry?.kind !== AheadKind.file) return undefined;
    return realOf(known.directory, path);
  }

  /** The content of a file, once. */
  content(path: string): Uint8Array | undefined {
    const part = this.#take(path);
    if (part === undefined) return undefined;
    const { data, start, end } = part;
    return new NativeUint8Array(data.buffer, data.byteOffset + start, end - start);
  }

  /** The same as text. */
  text(path: string): string | undefined {
    const part = this.#take(path);
    return part && (apply(utf8Slice, part.data, [part.start, part.end]) as string);
  }

  #take(path: string): { data: Uint8Array; start: number; end: number } | undefined {
    const found = this.#found?.real === path ? this.#lately()?.data : undefined;
    if (found !== undefined) {
      this.#found = undefined;
      return { data: found, start: 0, end: found.byteLength };
    }
    const known = this.#directories.find(path);
    if (known?.entry === undefined || known.entry.start < 0) return undefined;
    const { start, size } = known.entry;
    known.entry.start = -1;
    known.directory.taken.count++;
    this.#directories.used();
    return { data: known.directory.data, start, end: start + size };
  }

  /** Where the package.json is that is nearest to the directory of the module that was found last. */
  scopePath(directory: string): string | undefined {
    return this.#scope?.of === directory ? this.#scope.path : undefined;
  }

  /** The package.json at `path`, `null` where it is not there, `undefined` where that is not known. */
  packageFile(path: string): PackageFile | null | undefined {
    const known = this.#directories.find(path);
    if (known === undefined) return undefined;
    if (known.entry === undefined) return null;
    const { hasScope, scope, scopeData } = known.directory;
    return hasScope && scope === path ? { path, data: scopeData } : undefined;
  }

  /** Before it is read: the directory to ask for instead, for what a loader asks about a package next. */
  packageAt(path: string): string | undefined {
    const end = path.length - packageName.length;
    if (this.#refusesPackages || end <= 0 || !path.endsWith(packageName)) return undefined;
    if (path.endsWith(nodeModules, end) || !this.#directories.isUseful) return undefined;
    return path.slice(0, end);
  }

  /** The answer: as `packageFile`. */
  tellPackage(
    path: string,
    directory: string,
    answer: CallResult<GuestCalls, "directoryAhead"> | number,
  ): PackageFile | null | undefined {
    if (typeof answer === "number") return undefined;
    this.dated(answer.changes);
    const { errno, near, scope, scopeData } = answer;
    if (errno === -Errno.ENOENT || errno === -Errno.ENOTDIR) return null;
    if (errno === -Errno.EOPNOTSUPP) this.#refusesPackages = true;
    if (errno !== 0) return undefined;
    this.#directories.tell(directory, answer, true);
    this.#putNear(nearPackagePaths(directory), near);
    return scope === path ? { path, data: scopeData } : null;
  }

  /** The package.json nearest to a directory, `undefined` where that is not known. */
  scope(directory: string): PackageFile | undefined {
    const known = this.#directories.directory(directory);
    return known?.hasScope === true ? { path: known.scope, data: known.scopeData } : undefined;
  }

  /** The directory of `path`, if it is time to ask for all that is in it. */
  wanted(path: string): string | undefined {
    if (this.#loaded.size === 0) return undefined;
    const directory = path.slice(0, path.lastIndexOf("/"));
    const loaded = this.#loaded.get(directory);
    if (loaded === undefined || loaded < singleModules || loaded === Infinity) return undefined;
    return this.#directories.isUseful ? directory : undefined;
  }

  /** All that is in `directory`, or that it is not told. */
  tell(directory: string, answer: CallResult<GuestCalls, "directoryAhead"> | number): void {
    if (typeof answer !== "number") this.dated(answer.changes);
    if (typeof answer === "number" || answer.errno !== 0)
      return void this.#loaded.set(directory, Infinity);
    this.#directories.tell(directory, answer, true);
  }

  /** The answer to `moduleStat`. */
  put(path: string, answer: CallResult<GuestCalls, "moduleStat">): void {
    const { kind, near, real, found, data, scope } = answer;
    this.dated(answer.changes);
    const paths = nearModulePaths(path, kind);
    this.#putNear(paths, near);
    if (kind < 0 && path.endsWith(nodeModules)) this.#directories.lacks(path);
    if (kind === ModuleKind.directory) this.#near.set(path, kind);
    let file = kind === ModuleKind.file ? path : undefined;
    for (let at = 0; at < near.length; at++) if (near[at] === ModuleKind.file) file ??= paths[at]!;
    this.#found = this.#scope = undefined;
    if (file === undefined || real === "") return;
    this.#foundAt = nanoseconds();
    this.#found = { path: file, real, data: found ? data : undefined };
    this.#scope =
      scope === "" ? undefined : { of: real.slice(0, real.lastIndexOf("/")), path: scope };
    if (!found) return;
    if (this.#seen.size >= mostPaths) this.#seen.clear();
    this.#seen.add(path);
    const directory = file.slice(0, file.lastIndexOf("/"));
    if (this.#loaded.size >= mostPaths) this.#loaded.clear();
    this.#loaded.set(directory, (this.#loaded.get(directory) ?? 0) + 1);
  }

  #putNear(paths: readonly string[], kinds: Uint8Array): void {
    if (this.#near.size === 0) this.#enqueueMicrotask(() => this.#near.clear());
    for (let at = 0; at < kinds.length; at++) {
      const is = kinds[at]!;
      const path = paths[at]!;
      this.#near.set(path, is === ModuleKind.absent ? -Errno.ENOENT : is);
      if (is === ModuleKind.absent && path.endsWith(nodeModules)) this.#directories.lacks(path);
    }
  }

  /** Whether the content of what `path` leads to is asked for. */
  wantsContent(path: string): boolean {
    return !this.#seen.has(path);
  }

  /** Before a file is read: the directory in which it is that has to be asked for again, its content from there on. */
  continued(path: string): string | undefined {
    const size = this.#directories.find(path)?.entry?.size;
    if (size !== notReached || !this.#directories.isUseful) return undefined;
    return path.slice(0, path.lastIndexOf("/"));
  }
}
