/**
 * Owns what a module loader is told of a directory before it asks: all names in it, what each is, and
 * the content of the small files that are modules.
 *
 * Invariants: only of directories whose changes the kernel sees, or that take none from any process: in memory,
 * and of the host under a read-only mount; every file is one that `who` may read, and no link; the work is
 * bounded by `fsLimits`, whatever is in the directory; reading ahead is no access that a file remembers.
 * Untrusted: the path and the name to begin with, and what lies in the directory.
 */
import { Errno, type Failure } from "../../abi/errno.js";
import { R_OK, X_OK } from "../../abi/fcntl.js";
import { AheadKind, fsLimits } from "../../protocol/fs-calls.js";
import { type Credentials, permits } from "./credentials.js";
import { byName } from "./directory-list.js";
import { HostDirectory } from "./host-inodes.js";
import { type Inode, MemoryDirectory, RegularFile } from "./inode.js";
import type { DirectoryEntry } from "./file-stat.js";
import { pathOf, walkToInode } from "./path-walk.js";
import type { SuperBlock } from "./superblock.js";

export interface DirectoryAhead {
  /** Absolute, without links. */
  readonly real: string;
  /** Whether no process can change what is in it. */
  readonly fixed: boolean;
  /** With slashes between. */
  readonly names: string;
  /** `AheadKind` of each. */
  readonly kinds: Uint8Array;
  /** Of each: where in `data` its content is and how long that is, -1 where it is not told, -2 where there was no room. */
  readonly places: Uint8Array;
  readonly data: Uint8Array;
}

/** Linux' DT_*. */
const [directoryType, fileType] = [4, 8];
const moduleName = /\.(?:[cm]?[jt]s|json)$/;

/** Of all directories: an answer is made of it before the next call runs. */
let memory: Buffer | undefined;

/** What lies in `path`, content from the name `first` on and round. */
export function directoryAhead(
  sb: SuperBlock,
  who: Credentials,
  path: string,
  first: string,
): DirectoryAhead | Failure {
  const directory = walkToInode(sb, who, path, true);
  if (typeof directory === "number") return directory;
  const fixed = directory instanceof HostDirectory && directory.readOnly;
  // An overlay's shows what others may change on the host; a provider's has to be asked.
  if (!fixed && directory.constructor !== MemoryDirectory) return -Errno.EOPNOTSUPP;
  const at = directory as HostDirectory | MemoryDirectory;
  if (!permits(at, who, R_OK | X_OK)) return -Errno.EACCES;
  const real = pathOf(at);
  if (typeof real === "number") return real;
  const entries = entriesOf(at);
  if (typeof entries === "number") return entries;
  entries.sort(byName);
  const kinds = Uint8Array.from(entries, ({ type }) => kindOf(type));
  const places = new Int32Array(entries.length * 2).fill(-1);
  const content = new Content();
  const start = entries.findIndex(({ name }) => name >= first);
  for (let step = 0; step < entries.length; step++) {
    const index = (Math.max(0, start) + step) % entries.length;
    const { name } = entries[index]!;
    if (kinds[index] !== AheadKind.file || !moduleName.test(name)) continue;
    places[2 * index] = content.length;
    places[2 * index + 1] = content.isFull ? -2 : content.add(at, name, who);
  }
  const names = entries.map(({ name }) => name).join("/");
  return { real, fixed, names, kinds, places: new Uint8Array(places.buffer), data: content.bytes };
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
  length = 0;
  #files = 0;

  get isFull(): boolean {
    const left = fsLimits.aheadBytes - this.length;
    return this.#files >= fsLimits.aheadFiles || left < fsLimits.aheadFileBytes;
  }

  get bytes(): Buffer {
    return this.#memory.subarray(0, this.length);
  }

  /** Answers how long the file is that is here now, or -1. */
  add(directory: HostDirectory | MemoryDirectory, name: string, who: Credentials): number {
    this.#files++;
    const room = this.#memory.subarray(this.length, this.length + fsLimits.aheadFileBytes);
    const size =
      directory instanceof HostDirectory
        ? directory.readAhead(name, who, room)
        : readInMemory(directory.lookup(name), who, room);
    if (size < 0) return -1;
    this.length += size;
    return size;
  }
}

function readInMemory(inode: Inode | undefined, who: Credentials, room: Buffer): number {
  if (!(inode instanceof RegularFile) || inode.covered !== undefined) return -1;
  if (inode.size > room.length || !permits(inode, who, R_OK)) return -1;
  return inode.pages.read(room.subarray(0, inode.size), 0);
}
