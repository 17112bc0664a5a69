/**
 * Owns what a module loader, or a program that looks at many files, is told of a directory before it asks: all names in
 * it, what each is, and the content of the small files that are modules, with their attributes where they are wanted.
 *
 * Invariants: only of directories whose changes the kernel sees, or that take none from any process: in memory,
 * and of the host under a read-only mount; every file is one that `who` may read, and no link; the work is
 * bounded by `fsLimits`, whatever is in the directory; reading ahead is no access that a file remembers.
 * Untrusted: the path and the name to begin with, and what lies in the directory.
 */
import { Errno, type Failure } from "../../abi/errno.js";
import { R_OK, X_OK } from "../../abi/fcntl.js";
import {
  AheadKind,
  AheadWants,
  fsLimits,
  packageEntries,
  statSlots,
} from "../../protocol/fs-calls.js";
import { type Credentials, permits } from "./credentials.js";
import { byName } from "./directory-list.js";
import { HostDirectory } from "./host-inodes.js";
import { type Inode, MemoryDirectory, RegularFile } from "./inode.js";
import { type DirectoryEntry, type FileStat, statNumbers } from "./file-stat.js";
import { pathOf, walkToInode } from "./path-walk.js";
import type { SuperBlock } from "./superblock.js";

export interface DirectoryAhead {
  /** Absolute, without links. */
  readonly real: string;
  /** With slashes between. */
  readonly names: string;
  /** `AheadKind` of each. */
  readonly kinds: Uint8Array;
  /** Of each: where in `data` its content is and how long that is, -1 where it is not told, -2 where there was no room. */
  readonly places: Uint8Array;
  readonly data: Uint8Array;
  /** As `stat` answers, of each file whose content is told. */
  readonly stats: Uint8Array;
}

/** A file that was read, all `size` bytes of it. */
export interface SmallFile {
  readonly size: number;
  /** As it was when it was read; to be asked for before the next file is. */
  stat(): FileStat;
}

/** Linux' DT_*. */
const [directoryType, fileType] = [4, 8];
const moduleName = /\.(?:[cm]?[jt]s|json)$/;

/** Of all directories: an answer is made of it before the next call runs. */
let memory: Buffer | undefined;

/** What lies in `path`, content from the name `first` on and round, unless names are enough. */
export function directoryAhead(
  sb: SuperBlock,
  who: Credentials,
  path: string,
  first: string,
  wants: number,
): DirectoryAhead | Failure {
  const directory = walkToInode(sb, who, path, true);
  if (typeof directory === "number") return directory;
  const isFixed = directory instanceof HostDirectory && directory.readOnly;
  // An overlay's shows what others may change on the host; a provider's has to be asked.
  if (!isFixed && directory.constructor !== MemoryDirectory) return -Errno.EOPNOTSUPP;
  const at = directory as HostDirectory | MemoryDirectory;
  if (!permits(at, who, R_OK | X_OK)) return -Errno.EACCES;
  const real = pathOf(at);
  if (typeof real === "number") return real;
  const entries = entriesOf(at);
  if (typeof entries === "number") return entries;
  entries.sort(byName);
  const kinds = Uint8Array.from(entries, ({ type }) => kindOf(type));
  const places = new Int32Array(entries.length * 2).fill(-1);
  const content = new Content(wants === AheadWants.attributes);
  const start = entries.findIndex(({ name }) => name >= first);
  for (let step = 0; wants !== AheadWants.names && step < entries.length; step++) {
    const index = (Math.max(0, start) + step) % entries.length;
    const { name } = entries[index]!;
    const isWanted =
      wants === AheadWants.package ? packageEntries.includes(name) : moduleName.test(name);
    if (kinds[index] !== AheadKind.file || !isWanted) continue;
    places[2 * index] = content.length;
    places[2 * index + 1] = content.isFull ? -2 : content.add(at, name, who, index);
  }
  const names = entries.map(({ name }) => name).join("/");
  const { bytes: data, stats } = content;
  return { real, names, kinds, places: new Uint8Array(places.buffer), data, stats };
}

/** -E2BIG where there are too many, before all of them are listed. */
function entriesOf(directory: HostDirectory | MemoryDirectory): DirectoryEntry[] | Failure {
  const most = fsLimits.aheadEntries;
  if (directory instanceof MemoryDirectory)
    return directory.count > most ? -Errno.E2BIG : directory.list();
  const entries = directory.list(most);
  return typeof entries !== "number" && entries.length > most ? -Errno.E2BIG : entries;
}

function kindOf(type: number): number {
  if (type === fileType) return AheadKind.file;
  return type === directoryType ? AheadKind.directory : AheadKind.unknown;
}

class Content {
  readonly #memory = (memory ??= Buffer.allocUnsafeSlow(fsLimits.aheadBytes));
  /** By the place of the name among all. */
  readonly #stats: Map<number, readonly number[]> | undefined;
  length = 0;
  #files = 0;

  constructor(wantsStats: boolean) {
    if (wantsStats) this.#stats = new Map();
  }

  get isFull(): boolean {
    const left = fsLimits.aheadBytes - this.length;
    return this.#files >= fsLimits.aheadFiles || left < fsLimits.aheadFileBytes;
  }

  get bytes(): Buffer {
    return this.#memory.subarray(0, this.length);
  }

  /** In the order of the names. */
  get stats(): Uint8Array {
    const inOrder = Array.from(this.#stats ?? []).sort(([a], [b]) => a - b);
    const numbers = new Float64Array(inOrder.length * statSlots);
    for (const [at, [, values]] of inOrder.entries()) numbers.set(values, statSlots * at);
    return new Uint8Array(numbers.buffer);
  }

  /** Answers how long the file is that is here now, or -1. */
  add(
    directory: HostDirectory | MemoryDirectory,
    name: string,
    who: Credentials,
    place: number,
  ): number {
    this.#files++;
    const room = this.#memory.subarray(this.length, this.length + fsLimits.aheadFileBytes);
    const file =
      directory instanceof HostDirectory
        ? directory.readAhead(name, who, room)
        : readInMemory(directory.lookup(name), who, room);
    if (typeof file === "number") return -1;
    this.length += file.size;
    this.#stats?.set(place, statNumbers(file.stat()));
    return file.size;
  }
}

function readInMemory(
  inode: Inode | undefined,
  who: Credentials,
  room: Buffer,
): SmallFile | Failure {
  if (!(inode instanceof RegularFile) || inode.covered !== undefined) return -Errno.EINVAL;
  if (inode.size > room.length || !permits(inode, who, R_OK)) return -Errno.EACCES;
  const size = inode.pages.read(room.subarray(0, inode.size), 0);
  return { size, stat: () => inode.stat() };
}
