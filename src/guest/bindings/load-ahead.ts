/**
 * Owns what the kernel has told the module loaders before they asked: what lies beside a path, the content of the
 * module that was found, and, of a directory of which several modules were loaded, all that is in it.
 *
 * Invariants: nothing here is older than what the program has heard since. It is forgotten before any call that is not a
 * loader's, before the program is told anything by the event loop, when the kernel says that something has changed, and
 * after a second. A process with a second thread, which may hear of changes in another way, is told nothing of directories.
 * Of what is not a directory, each answer serves once. Only the host can change what a read-only mount shows meanwhile.
 */
import { Errno } from "../../abi/errno.js";
import { AheadKind, ModuleKind, nearModulePaths } from "../../protocol/fs-calls.js";
import type { CallResult } from "../../protocol/table.js";
import type { GuestCalls, GuestEnvironment } from "../environment.js";

/** Calls that a loader makes between its questions, and that change nothing. */
const loaderCalls = new Set<string>([
  "moduleStat",
  "directoryAhead",
  "packageScope",
  "readPackage",
  "realpath",
  "readFile",
]);
/** Those of them whose answers say whether something has changed. */
const datedCalls = new Set<string>(["moduleStat", "directoryAhead", "packageScope", "readPackage"]);

const longestNs = 1_000_000_000n;
/** Modules of one directory that are asked for one by one before all the others are. */
const singleModules = 2;
/** Files that may have been told of for nothing before as many as a quarter of them have to be of use. */
const freeFiles = 8192;
const mostBytes = 8 * 1024 * 1024;
/** Paths remembered. */
const mostPaths = 16_384;
/** As a size: the answer was full before. */
const notReached = -2;

const { bigint: nanoseconds } = process.hrtime;
const { apply } = Reflect;
const NativeUint8Array = Uint8Array;
/** Of every buffer of Node's, and the fastest way to text; an answer's bytes are one. */
const { utf8Slice } = Buffer.prototype as unknown as { utf8Slice: Function };

interface Entry {
  readonly kind: number;
  /** Where its content is, -1 when it has none or has given it away. */
  start: number;
  readonly size: number;
}

interface Directory {
  readonly real: string;
  readonly fixed: boolean;
  readonly entries: ReadonlyMap<string, Entry>;
  readonly data: Uint8Array;
  readonly scope: string;
  readonly scopeData: Uint8Array;
}

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
  readonly #directories = new Map<string, Directory>();
  /** How many modules were found in each directory, one by one; Infinity where it is not told. */
  readonly #loaded = new Map<string, number>();
  /** Paths that were loaded, for which no content is asked again. */
  readonly #seen = new Set<string>();
  /** What the last answer found. */
  #found: Found | undefined;
  #foundAt = 0n;
  readonly #enqueueMicrotask: (run: () => void) => void;
  #changes = 0;
  #toldAt = 0n;
  /** Of content that is here. */
  #bytes = 0;
  #toldFiles = 0;
  #usedFiles = 0;
  #alone: boolean;
  /** The call that comes is one of a loader, for what it knows of a directory that nobody changes. */
  #reading = false;

  constructor(env: GuestEnvironment) {
    this.#alone = env.internalBinding("worker").isMainThread === true;
    this.#enqueueMicrotask = env.internalBinding("task_queue").enqueueMicrotask;
    env.kernel.onCall((name) => this.#calls(name));
  }

  clear(): void {
    this.#near.clear();
    this.#directories.clear();
    this.#found = undefined;
    this.#bytes = 0;
  }

  #calls(name: string | undefined): void {
    if (name === "threadSocket") this.#alone = false;
    if (name === undefined || !loaderCalls.has(name)) return this.clear();
    if (!datedCalls.has(name) && !this.#reading) this.#directories.clear();
    this.#reading = false;
  }

  /** Whether everything told so far is as it was; otherwise it is forgotten. */
  dated(changes: number): void {
    if (changes === this.#changes) return;
    this.#changes = changes;
    this.#directories.clear();
    this.#found = undefined;
  }

  #directory(path: string): Directory | undefined {
    if (this.#directories.size === 0) return undefined;
    const known = this.#directories.get(path);
    if (known === undefined || nanoseconds() - this.#toldAt <= longestNs) return known;
    this.clear();
    return undefined;
  }

  #lately(): Found | undefined {
    return nanoseconds() - this.#foundAt <= longestNs ? this.#found : undefined;
  }

  /** What `moduleStat` would say of `path`, if it is known. */
  kind(path: string): number | undefined {
    const slash = path.lastIndexOf("/");
    const directory = this.#directory(path.slice(0, slash));
    if (directory !== undefined) {
      const entry = directory.entries.get(path.slice(slash + 1));
      if (entry === undefined) return slash === path.length - 1 ? undefined : -Errno.ENOENT;
      if (entry.kind !== AheadKind.unknown) return entry.kind;
    }
    const kind = this.#near.get(path);
    if (kind !== undefined && kind !== ModuleKind.directory) this.#near.delete(path);
    return kind;
  }

  /** The real path of a file. */
  real(path: string): string | undefined {
    if (this.#found?.path === path) return this.#lately()?.real;
    const slash = path.lastIndexOf("/");
    const directory = this.#directory(path.slice(0, slash));
    if (directory?.entries.get(path.slice(slash + 1))?.kind !== AheadKind.file) return undefined;
    return (directory.real === "/" ? "" : directory.real) + path.slice(slash);
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
    const slash = path.lastIndexOf("/");
    const directory = this.#directory(path.slice(0, slash));
    const entry = directory?.entries.get(path.slice(slash + 1));
    if (entry === undefined || entry.start < 0) return undefined;
    const { start, size } = entry;
    entry.start = -1;
    this.#usedFiles++;
    return { data: directory!.data, start, end: start + size };
  }

  /** The package.json nearest to a directory, `undefined` where that is not known. */
  scope(directory: string): PackageFile | undefined {
    const known = this.#directory(directory);
    return known && { path: known.scope, data: known.scopeData };
  }

  /** The directory of `path`, if it is time to ask for all that is in it. */
  wanted(path: string): string | undefined {
    if (!this.#alone || this.#loaded.size === 0) return undefined;
    const directory = path.slice(0, path.lastIndexOf("/"));
    const loaded = this.#loaded.get(directory);
    if (loaded === undefined || loaded < singleModules || loaded === Infinity) return undefined;
    return this.#isUseful ? directory : undefined;
  }

  /** All that is in `directory`, or that it is not told. */
  tell(directory: string, answer: CallResult<GuestCalls, "directoryAhead"> | number): void {
    if (typeof answer === "number") return void this.#loaded.set(directory, Infinity);
    this.dated(answer.changes);
    if (this.#directories.size === 0) this.#toldAt = nanoseconds();
    const { kinds, places, data } = answer;
    const names = answer.names.split("/");
    const numbers = new DataView(places.buffer, places.byteOffset, places.byteLength);
    const entries = new Map<string, Entry>();
    for (let at = 0; at < kinds.length; at++) {
      const size = numbers.getInt32(8 * at + 4, true);
      const start = size < 0 ? -1 : numbers.getInt32(8 * at, true);
      entries.set(names[at]!, { kind: kinds[at]!, start, size });
      if (size >= 0) this.#toldFiles++;
    }
    this.#bytes += data.byteLength;
    const told = { ...answer, entries };
    this.#directories.set(directory, told);
    // By this name its files are read.
    this.#directories.set(answer.real, told);
  }

  /** The answer to `moduleStat`. */
  put(path: string, answer: CallResult<GuestCalls, "moduleStat">): void {
    const { kind, near, real, found, data } = answer;
    this.dated(answer.changes);
    if (this.#near.size === 0) this.#enqueueMicrotask(() => this.#near.clear());
    if (kind === ModuleKind.directory) this.#near.set(path, kind);
    const paths = nearModulePaths(path, kind);
    let file = kind === ModuleKind.file ? path : undefined;
    for (let at = 0; at < near.length; at++) {
      const is = near[at]!;
      if (is === ModuleKind.file) file ??= paths[at]!;
      this.#near.set(paths[at]!, is === ModuleKind.absent ? -Errno.ENOENT : is);
    }
    this.#found = undefined;
    if (file === undefined || real === "") return;
    this.#foundAt = nanoseconds();
    this.#found = { path: file, real, data: found ? data : undefined };
    if (!found) return;
    if (this.#seen.size >= mostPaths) this.#seen.clear();
    this.#seen.add(path);
    const directory = file.slice(0, file.lastIndexOf("/"));
    if (this.#loaded.size >= mostPaths) this.#loaded.clear();
    this.#loaded.set(directory, (this.#loaded.get(directory) ?? 0) + 1);
  }

  /** Whether the content of what `path` leads to is asked for. */
  wantsContent(path: string): boolean {
    return !this.#seen.has(path);
  }

  /** Before a file is read: the directory in which it is that has to be asked for again, its content from there on. */
  continued(path: string): string | undefined {
    const slash = path.lastIndexOf("/");
    const directory = path.slice(0, slash);
    const known = this.#directory(directory);
    const entry = known?.entries.get(path.slice(slash + 1));
    this.#reading = entry !== undefined && known!.fixed;
    return entry?.size === notReached && this.#isUseful ? directory : undefined;
  }

  get #isUseful(): boolean {
    return this.#toldFiles <= freeFiles + 4 * this.#usedFiles && this.#bytes < mostBytes;
  }
}
