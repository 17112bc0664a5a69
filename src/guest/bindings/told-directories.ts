/**
 * Owns what the kernel has told this thread of whole directories before anybody asked: all names in one, what each is, and
 * the content and attributes of some.
 *
 * Invariants: nothing here is older than what the program has heard since. It is forgotten before any call whose answer does
 * not say whether something has changed, before the program is told anything by the event loop, when an answer says that
 * something has changed or does not come to say so, and after a second. A process with a second thread, which may hear of
 * changes in another way, is told nothing. Only the host can change what a read-only mount shows meanwhile.
 */
import { statSlots } from "../../protocol/fs-calls.js";
import type { CallResult } from "../../protocol/table.js";
import type { GuestCalls, GuestEnvironment } from "../environment.js";

/** Calls of loaders, between which what was told beside an answer is kept. */
export const loaderCalls: ReadonlySet<string> = new Set([
  "moduleStat",
  "directoryAhead",
  "packageScope",
  "readPackage",
  "realpath",
  "readFile",
]);
/** Calls that change nothing, and whose answers say whether something has changed: to `dated`, or all is forgotten. */
const datedCalls: ReadonlySet<string> = new Set([...loaderCalls, "look", "exists"]);

export const longestNs = 1_000_000_000n;
/** Files that may have been told of for nothing before as many as a quarter of them have to be of use. */
const freeFiles = 8192;
/** Names alone cost as much as one file for so many of them. */
const namesPerFile = 16;
const mostBytes = 8 * 1024 * 1024;
/** Longer names and paths are left to the kernel, which may have other words for them than that they are not there. */
const mostNameChars = 80;
const mostPathChars = 1300;
/** Paths remembered. */
export const mostPaths = 16_384;
/** How far above a path a directory is looked for in which its beginning is not. */
const mostSteps = 8;

const { bigint: nanoseconds } = process.hrtime;
const NativeFloat64Array = Float64Array;
const { apply } = Reflect;
const { slice: sliceMemory } = ArrayBuffer.prototype;
const { isWellFormed } = String.prototype as unknown as { isWellFormed: Function };

export interface Entry {
  readonly kind: number;
  /** Where its content is, -1 when it has none or has given it away. */
  start: number;
  readonly size: number;
  /** Where its attributes are, or -1. */
  readonly stat: number;
}

export interface ToldDirectory {
  readonly real: string;
  /** Nobody judges or notes what is asked of it. */
  readonly open: boolean;
  readonly entries: ReadonlyMap<string, Entry>;
  readonly data: Uint8Array;
  readonly stats: Float64Array;
  readonly scope: string;
  readonly scopeData: Uint8Array;
  /** `undefined` where the scope was not asked for. */
  readonly hasScope: boolean;
  readonly toldAt: bigint;
  /** So many contents of it were of use. */
  readonly taken: { count: number };
  /** What the program has asked itself, and was answered from here. */
  readonly answered: Set<string>;
}

/** What is known of a path: `entry` is undefined where it is not there. */
export interface FoundEntry {
  readonly directory: ToldDirectory;
  readonly entry: Entry | undefined;
}

/** In memory of their own: eight bytes may not begin anywhere. */
function slice({ buffer, byteOffset, byteLength }: Uint8Array): ArrayBuffer {
  return apply(sliceMemory, buffer, [byteOffset, byteOffset + byteLength]) as ArrayBuffer;
}

/** The real path of `path`, which is told of in `directory` and no link. */
export function realOf({ real }: ToldDirectory, path: string): string {
  return (real === "/" ? "" : real) + path.slice(path.lastIndexOf("/"));
}

export class ToldDirectories {
  readonly #directories = new Map<string, ToldDirectory>();
  /** Directories above those. */
  readonly #above = new Set<string>();
  /** What was looked for last, and found. */
  #lastPath = "";
  #last: FoundEntry | undefined;
  readonly #taken = new Map<string, { readonly count: number }>();
  /** Directories that are not there, and since when that is known. */
  readonly #absent = new Map<string, bigint>();
  #changes = 0;
  /** A call was sent, and its answer has not said yet whether something has changed. */
  #awaits = false;
  #alone: boolean;
  /** Of content that is here. */
  #bytes = 0;
  #aboveAt = 0n;
  #toldFiles = 0;
  #usedFiles = 0;

  constructor(env: GuestEnvironment) {
    this.#alone = env.internalBinding("worker").isMainThread === true;
    env.kernel.onCall((name) => this.#calls(name));
  }

  clear(): void {
    this.#awaits = false;
    if (this.#absent.size > 0) this.#absent.clear();
    if (this.#directories.size === 0) return;
    this.#last = undefined;
    this.#directories.clear();
    this.#above.clear();
    this.#aboveAt = 0n;
    this.#bytes = 0;
  }

  #calls(name: string | undefined): void {
    if (name === "threadSocket") this.#alone = false;
    if (name === undefined || !datedCalls.has(name)) this.clear();
    else this.#awaits = true;
  }

  /** An answer says how many changes there were: if they are others than before, all is forgotten. */
  dated(changes: number): boolean {
    this.#awaits = false;
    if (changes === this.#changes) return true;
    this.#changes = changes;
    this.clear();
    return false;
  }

  /** Whether directories are told, and were of use. */
  get isUseful(): boolean {
    return (
      this.#alone && this.#toldFiles <= freeFiles + 4 * this.#usedFiles && this.#bytes < mostBytes
    );
  }

  /** How many contents were of use when `directory` was told last. */
  taken(directory: string): number {
    return this.#taken.get(directory)?.count ?? 0;
  }

  /** What was told was of use. */
  used(): void {
    this.#usedFiles++;
  }

  directory(path: string): ToldDirectory | undefined {
    if (this.#directories.size === 0) return undefined;
    if (this.#awaits) {
      this.clear();
      return undefined;
    }
    const known = this.#directories.get(path);
    if (known === undefined || nanoseconds() - known.toldAt <= longestNs) return known;
    this.#directories.delete(path);
    return undefined;
  }

  /** Whether `path` is known to be a directory. */
  isDirectory(path: string): boolean {
    if (this.directory(path) !== undefined) return true;
    if (!this.#above.has(path)) return false;
    return nanoseconds() - this.#aboveAt <= longestNs;
  }

  /** A loader was told that there is no directory `path`, for which it asks again with each module. */
  lacks(path: string): void {
    if (this.#absent.size >= mostPaths) this.#absent.clear();
    if (this.#alone) this.#absent.set(path, nanoseconds());
  }

  isAbsent(path: string): boolean {
    if (this.#absent.size === 0) return false;
    if (this.#awaits) this.clear();
    const since = this.#absent.get(path);
    return since !== undefined && nanoseconds() - since <= longestNs;
  }

  /** What is known of `path`, an absolute one without anything that leads up or nowhere. */
  find(path: string): FoundEntry | undefined {
    if (this.#directories.size === 0 || path.length > mostPathChars) return undefined;
    // A loader asks several things about one path.
    if (path === this.#lastPath && !this.#awaits && this.#last !== undefined) {
      if (nanoseconds() - this.#last.directory.toldAt <= longestNs) return this.#last;
    }
    this.#last = this.#look(path);
    this.#lastPath = path;
    return this.#last;
  }

  #look(path: string): FoundEntry | undefined {
    let end = path.length;
    for (let step = 0; step < mostSteps; step++) {
      const slash = path.lastIndexOf("/", end - 1);
      const name = path.slice(slash + 1, end);
      if (slash <= 0 || name === "" || name === "." || name === "..") return undefined;
      const directory = this.directory(path.slice(0, slash));
      if (directory !== undefined) {
        const entry = directory.entries.get(name);
        if (entry !== undefined) return end === path.length ? { directory, entry } : undefined;
        const isPlain = name.length <= mostNameChars && (apply(isWellFormed, path, []) as boolean);
        return isPlain ? { directory, entry } : undefined;
      }
      end = slash;
    }
    return undefined;
  }

  /** All that is in `directory`. */
  tell(
    directory: string,
    answer: CallResult<GuestCalls, "directoryAhead">,
    hasScope: boolean,
  ): void {
    this.dated(answer.changes);
    this.#last = undefined;
    const { kinds, places, data, stats } = answer;
    const names = answer.names.split("/");
    const numbers = new DataView(places.buffer, places.byteOffset, places.byteLength);
    const entries = new Map<string, Entry>();
    const hasStats = stats.byteLength > 0;
    let told = 0;
    for (let at = 0; at < kinds.length; at++) {
      const size = numbers.getInt32(8 * at + 4, true);
      const start = size < 0 ? -1 : numbers.getInt32(8 * at, true);
      const stat = hasStats && size >= 0 ? told * statSlots : -1;
      entries.set(names[at]!, { kind: kinds[at]!, start, size, stat });
      if (size >= 0) told++;
    }
    this.#toldFiles += told + Math.ceil(kinds.length / namesPerFile);
    this.#bytes += data.byteLength;
    const known: ToldDirectory = {
      real: answer.real,
      open: answer.open,
      entries,
      data,
      stats: new NativeFloat64Array(slice(stats), 0, stats.byteLength / 8),
      scope: answer.scope,
      scopeData: answer.scopeData,
      hasScope,
      toldAt: nanoseconds(),
      taken: { count: 0 },
      answered: new Set(),
    };
    if (this.#taken.size >= mostPaths) this.#taken.clear();
    this.#taken.set(directory, known.taken);
    this.#taken.set(answer.real, known.taken);
    this.#directories.set(directory, known);
    // By this name its files are read.
    this.#directories.set(answer.real, known);
    if (known.toldAt - this.#aboveAt > longestNs) {
      this.#above.clear();
      this.#aboveAt = known.toldAt;
    }
    for (
      let end = answer.real.lastIndexOf("/");
      end > 0;
      end = answer.real.lastIndexOf("/", end - 1)
    )
      this.#above.add(answer.real.slice(0, end));
  }
}
