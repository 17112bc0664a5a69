/**
 * Owns what the program itself, and not a module loader, is answered about files from what the kernel has told of whole
 * directories, and when a directory is asked for because of it: tools look at many files of one, and at many that are not there.
 *
 * Invariants: as in told-directories.ts. Each question is answered from there once: who asks it again wants to know whether it has
 * changed, and asks the kernel. A directory is asked for after questions about several of its names between which the program has
 * heard of nothing, and its content only where files of it are read. Nothing is answered from there where the policy is asked.
 */
import { Errno } from "../../abi/errno.js";
import { AheadKind, AheadWants } from "../../protocol/fs-calls.js";
import { statSlots } from "../../protocol/fs-calls.js";
import type { CallResult } from "../../protocol/table.js";
import type { GuestCalls, GuestEnvironment } from "../environment.js";
import { type FoundEntry, type ToldDirectories, realOf } from "./told-directories.js";

/** Names of one directory that are asked for one by one before all the others are. */
const singleNames = 2;
/** Directories remembered. */
const mostDirectories = 1024;

interface Asked {
  readonly names: Set<string>;
  /** Content was read. */
  reads: boolean;
  /** It is not told. */
  refused: boolean;
}

export class LookAhead {
  readonly #directories: ToldDirectories;
  /** What the kernel was asked, by directory. */
  readonly #asked = new Map<string, Asked>();

  constructor(env: GuestEnvironment, directories: ToldDirectories) {
    this.#directories = directories;
    env.kernel.onCall((name) => {
      // Who looks now and then is told each time what he asks.
      if (name === undefined) this.#asked.clear();
    });
  }

  #answers(question: string, path: string): FoundEntry | undefined {
    const known = this.#directories.find(path);
    if (known?.directory.open !== true) return undefined;
    const { answered } = known.directory;
    const words = question + path;
    if (answered.has(words)) return undefined;
    answered.add(words);
    return known;
  }

  /** What `stat` or, for what is no link, `lstat` would answer: the values, a negative errno, or `undefined` for not known. */
  stat(path: string): Float64Array | number | undefined {
    const known = this.#answers("stat ", path);
    if (known === undefined) return undefined;
    const { directory, entry } = known;
    if (entry !== undefined && entry.stat < 0) return undefined;
    this.#directories.used();
    return entry === undefined
      ? -Errno.ENOENT
      : directory.stats.subarray(entry.stat, entry.stat + statSlots);
  }

  exists(path: string): boolean | undefined {
    const entry = this.#answers("exists ", path);
    if (entry === undefined || entry.entry?.kind === AheadKind.unknown) return undefined;
    this.#directories.used();
    return entry.entry !== undefined;
  }

  real(path: string): string | undefined {
    const at = this.#directories.directory(path);
    if (at?.open === true && !at.answered.has("real")) {
      at.answered.add("real");
      return at.real;
    }
    const known = this.#answers("real ", path);
    if (known?.entry === undefined || known.entry.kind === AheadKind.unknown) return undefined;
    this.#directories.used();
    return realOf(known.directory, path);
  }

  /** Before the kernel is asked about `path`: the directory that it is time to ask for, and `AheadWants` of it. */
  wanted(path: string, reads: boolean): { directory: string; wants: number } | undefined {
    const slash = path.lastIndexOf("/");
    if (slash <= 0 || path[0] !== "/") return undefined;
    const directory = path.slice(0, slash);
    if (!this.#directories.isUseful) return undefined;
    const again = reads && this.#directories.taken(directory) > singleNames;
    if (again) return { directory, wants: AheadWants.attributes };
    const asked = this.#asked.get(directory);
    if (asked === undefined || asked.refused || asked.names.size < singleNames) return undefined;
    if (asked.names.has(path.slice(slash + 1))) return undefined;
    if (asked.reads || reads) return { directory, wants: AheadWants.attributes };
    // Names alone would say nothing new.
    if (this.#directories.directory(directory) !== undefined) return undefined;
    return { directory, wants: AheadWants.names };
  }

  /** All that is in `directory`; answers whether it is told. */
  tell(
    directory: string,
    wants: number,
    answer: CallResult<GuestCalls, "directoryAhead"> | number,
  ): boolean {
    const asked = this.#asked.get(directory);
    if (typeof answer !== "number") this.#directories.dated(answer.changes);
    if (typeof answer === "number" || answer.errno !== 0) {
      if (asked !== undefined) asked.refused = true;
      return false;
    }
    asked?.names.clear();
    this.#directories.tell(directory, answer, wants !== AheadWants.names);
    return true;
  }

  /** The kernel was asked about `path`. */
  asked(path: string, reads: boolean): void {
    const slash = path.lastIndexOf("/");
    if (slash <= 0 || path[0] !== "/") return;
    const directory = path.slice(0, slash);
    let asked = this.#asked.get(directory);
    if (asked === undefined) {
      if (this.#asked.size >= mostDirectories) this.#asked.clear();
      asked = { names: new Set(), reads: false, refused: false };
      this.#asked.set(directory, asked);
    }
    if (asked.names.size < singleNames) asked.names.add(path.slice(slash + 1));
    if (reads) asked.reads = true;
  }
}
