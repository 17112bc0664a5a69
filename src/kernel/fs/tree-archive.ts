/**
 * A file system as a tar archive, and back.
 *
 * Owns: which entry stands for which inode, and the checks of an archive that is read.
 * Invariants: sockets, what is mounted and what has no name are not in an archive; reading one follows
 * no link, makes nothing outside the tree and is charged to the quota as a guest's writes are; directories
 * get their times last.
 * Untrusted: everything in an archive that is read.
 */
import { textBytes } from "../../abi/byte-text.js";
import { rootOwner } from "./credentials.js";
import { Errno, errnoName, type Failure } from "../../abi/errno.js";
import { filesPrefix, recordKeys } from "../../protocol/snapshot.js";
import { wholeNumber } from "../../protocol/archive-parser.js";
import { ArchiveError, blockBytes, headerBlocks, paddingOf } from "../../protocol/tar.js";
import type { Entry } from "../../protocol/tar.js";
import { addLink, create } from "./dentry.js";
import { CharacterDevice, deviceOf } from "./device.js";
import { type Directory, type Inode, MemoryDirectory, RegularFile } from "./inode.js";
import { Fifo, SocketFile, SymbolicLink } from "./special-files.js";
import type { SuperBlock } from "./superblock.js";

const farthestMs = 8.64e15;
const mostId = 0xffff_fffe;

/** A path is longer than an archive may have it: nobody could restore it. */
export class PathTooLong extends Error {}

/**
 * The archive of the tree below `top`, without its end, piece by piece. The tree must not change meanwhile; pieces of
 * content are its own memory.
 */
export function* exportTree(top: MemoryDirectory, pathBytes: number): Generator<Uint8Array> {
  const names = new Map<Inode, string>();
  yield headerBlocks(entryOf(top, `${filesPrefix}/`, "5"));
  const levels = [{ directory: top, path: filesPrefix, rest: top.list().values() }];
  for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
    const { done, value: next } = level.rest.next();
    if (done === true) {
      levels.pop();
      continue;
    }
    const inode = level.directory.lookup(next.name);
    if (inode === undefined || inode instanceof SocketFile) continue;
    const path = `${level.path}/${next.name}`;
    if (textBytes(path) >= pathBytes) throw new PathTooLong(path.slice(filesPrefix.length));
    if (inode instanceof MemoryDirectory) {
      yield headerBlocks(entryOf(inode, `${path}/`, "5"));
      levels.push({ directory: inode, path, rest: inode.list().values() });
      continue;
    }
    const first = names.get(inode);
    if (first !== undefined) {
      yield headerBlocks({ ...entryOf(inode, path, "1"), link: first });
      continue;
    }
    if (inode.nlink > 1) names.set(inode, path);
    if (inode instanceof RegularFile) yield* exportFile(inode, path);
    else if (inode instanceof SymbolicLink)
      yield headerBlocks({ ...entryOf(inode, path, "2"), link: inode.target });
    else if (inode instanceof Fifo) yield headerBlocks(entryOf(inode, path, "6"));
    else if (inode instanceof CharacterDevice)
      yield headerBlocks({
        ...entryOf(inode, path, "3"),
        device: [inode.rdev >>> 8, inode.rdev & 0xff],
      });
  }
}

/** What an archive ends with. */
export const archiveEnd = Buffer.alloc(2 * blockBytes);

function* exportFile(inode: RegularFile, path: string): Generator<Uint8Array> {
  const { pages } = inode;
  const extents = [...pages.extents()];
  let size = 0;
  for (const [start, end] of extents) size += end - start;
  const entry = entryOf(inode, path, "0");
  // Without holes there is nothing to say that tar does not say itself.
  const records =
    size === pages.size
      ? entry.records!
      : {
          ...entry.records,
          [recordKeys.extents]: `${pages.size};${extents.map(([from, to]) => `${from}-${to}`).join(",")}`,
        };
  yield headerBlocks({ ...entry, size, records });
  for (const [start, end] of extents) yield* pages.pieces(start, end);
  const missing = paddingOf(size);
  if (missing > 0) yield padding.subarray(0, missing);
}

const padding = Buffer.alloc(blockBytes);

function entryOf(inode: Inode, name: string, type: string): Entry {
  const { atimeMs, mtimeMs, ctimeMs, birthtimeMs } = inode;
  return {
    name,
    mode: inode.mode & 0o7777,
    uid: inode.uid,
    gid: inode.gid,
    size: 0,
    mtimeSeconds: mtimeMs / 1000,
    type,
    link: "",
    user: "",
    group: "",
    records: {
      ...(Math.max(inode.uid, inode.gid) > 0o7777777 && {
        uid: String(inode.uid),
        gid: String(inode.gid),
      }),
      [recordKeys.times]: [atimeMs, mtimeMs, ctimeMs, birthtimeMs].join(" "),
    },
  };
}

type Extent = readonly [start: number, end: number];

/** A file whose content is coming. */
interface Open {
  inode: RegularFile;
  name: string;
  extents: readonly Extent[];
  at: number;
  /** In the extent in hand. */
  done: number;
  size: number;
  times: Times;
}

type Times = readonly [atimeMs: number, mtimeMs: number, ctimeMs: number, birthtimeMs: number];

/** Fills an empty file system with what an archive holds. Every method throws `ArchiveError`. */
export class TreeImport {
  readonly #sb: SuperBlock;
  readonly #top: MemoryDirectory;
  readonly #directories: { inode: MemoryDirectory; times: Times }[] = [];
  /** Where the last entry was: the next one mostly is there too. */
  #last: { path: string; directory: MemoryDirectory };
  #hasTop = false;
  #file: Open | undefined;

  constructor(sb: SuperBlock) {
    this.#sb = sb;
    this.#top = sb.root;
    this.#last = { path: filesPrefix, directory: this.#top };
  }

  entry(entry: Entry, records: ReadonlyMap<string, string>): void {
    this.#closeFile();
    const { name } = entry;
    const uid = idOf(records.get("uid"), entry.uid);
    const gid = idOf(records.get("gid"), entry.gid);
    if (entry.mode > 0o7777) throw new ArchiveError(`${name} has a mode that is none`);
    const components = componentsOf(name, this.#sb.limits);
    if (components.length === 0) {
      if (this.#hasTop || entry.type !== "5") throw new ArchiveError(`${name} is there twice`);
      this.#hasTop = true;
      const times = timesOf(records, name);
      this.#directories.push({ inode: this.#top, times });
      return own(this.#top, entry.mode, uid, gid);
    }
    if (!this.#hasTop) throw new ArchiveError(`${name} comes before its directory`);
    const last = components.pop()!;
    const parent = this.#directory(components, name);
    if (parent.lookup(last) !== undefined) throw new ArchiveError(`${name} is there twice`);
    const times = timesOf(records, name);
    if (entry.type === "1") {
      const inode = this.#linked(entry);
      const failed = addLink(this.#sb, parent, last, inode);
      if (failed !== 0) throw refused(name, failed);
      return setTimes(inode, times);
    }
    const inode = this.#make(entry, parent, last);
    own(inode, entry.mode, uid, gid);
    if (inode instanceof MemoryDirectory) this.#directories.push({ inode, times });
    else if (inode instanceof RegularFile) this.#openFile(inode, entry, records, times);
    else setTimes(inode, times);
  }

  content(data: Buffer): void {
    const file = this.#file;
    if (file === undefined) throw new ArchiveError("content of no file");
    for (let rest = data; rest.length > 0;) {
      const extent = file.extents[file.at];
      if (extent === undefined) throw new ArchiveError(`${file.name} has more than it says`);
      const [start, end] = extent;
      const part = rest.subarray(0, end - start - file.done);
      if (file.inode.write(part, start + file.done) < part.length)
        throw refused(file.name, -Errno.ENOSPC);
      file.done += part.length;
      rest = rest.subarray(part.length);
      if (start + file.done === end) {
        file.at++;
        file.done = 0;
      }
    }
  }

  /** All of it has come. */
  finish(): void {
    this.#closeFile();
    if (!this.#hasTop) throw new ArchiveError("it holds no files");
    for (const { inode, times } of this.#directories.reverse()) setTimes(inode, times);
  }

  #make(entry: Entry, parent: MemoryDirectory, name: string): Inode {
    const sb = this.#sb;
    const make = (): Inode | undefined => {
      if (entry.type === "5") return sb.makeDirectory(rootOwner, parent, 0o755);
      if (entry.type === "0") return sb.makeFile(rootOwner, parent, 0o644);
      if (entry.type === "2") {
        const bytes = textBytes(entry.link);
        if (bytes === 0 || bytes >= sb.limits.pathBytes || entry.link.includes("\0"))
          throw new ArchiveError(`${entry.name} leads to no path`);
        return sb.makeSymbolicLink(rootOwner, parent, entry.link);
      }
      if (entry.type === "6") return sb.makeFifo(rootOwner, parent, 0o644);
      const device = deviceOf(...(entry.device ?? [0, 0]));
      if (device === undefined) throw new ArchiveError(`${entry.name} is no device of a machine`);
      return sb.makeDevice(parent, device);
    };
    const made = create(sb, parent, name, make);
    if (typeof made === "number") throw refused(entry.name, made);
    return made;
  }

  #openFile(
    inode: RegularFile,
    entry: Entry,
    records: ReadonlyMap<string, string>,
    times: Times,
  ): void {
    const { size, extents } = extentsOf(records.get(recordKeys.extents), entry);
    if (size > this.#sb.limits.fileBytes) throw refused(entry.name, -Errno.EFBIG);
    this.#file = { inode, name: entry.name, extents, at: 0, done: 0, size, times };
  }

  #closeFile(): void {
    const file = this.#file;
    if (file === undefined) return;
    this.#file = undefined;
    if (file.at < file.extents.length) throw new ArchiveError(`${file.name} has less than it says`);
    if (file.size !== file.inode.size) file.inode.resize(file.size);
    setTimes(file.inode, file.times);
  }

  /** Through directories alone: a link in an archive leads nowhere. */
  #directory(components: readonly string[], name: string): MemoryDirectory {
    const path = [filesPrefix, ...components].join("/");
    if (path === this.#last.path) return this.#last.directory;
    let directory = this.#top;
    for (const component of components) {
      const inode = directory.lookup(component);
      if (!(inode instanceof MemoryDirectory))
        throw new ArchiveError(`${name} comes before its directory`);
      directory = inode;
    }
    this.#last = { path, directory };
    return directory;
  }

  #linked({ name, link }: Entry): Inode {
    const components = componentsOf(link, this.#sb.limits);
    const last = components.pop();
    const inode = last === undefined ? undefined : this.#directory(components, name).lookup(last);
    if (inode === undefined || inode instanceof MemoryDirectory)
      throw new ArchiveError(`${name} is a name of nothing`);
    return inode;
  }
}

function refused(name: string, errno: Failure): ArchiveError {
  return new ArchiveError(`${errnoName(-errno) ?? errno}: ${name}`);
}

function own(inode: Inode | Directory, mode: number, uid: number, gid: number): void {
  inode.mode = (inode.mode & ~0o7777) | mode;
  inode.uid = uid;
  inode.gid = gid;
}

function setTimes(inode: Inode, [atimeMs, mtimeMs, ctimeMs, birthtimeMs]: Times): void {
  inode.atimeMs = atimeMs;
  inode.mtimeMs = mtimeMs;
  inode.ctimeMs = ctimeMs;
  inode.birthtimeMs = birthtimeMs;
}

function idOf(record: string | undefined, value: number): number {
  const id = record === undefined ? value : wholeNumber(record);
  if (id > mostId) throw new ArchiveError(`${id} is no user or group`);
  return id;
}

/** The names on the way, none for the tree itself; refused when they could mean anything else. */
function componentsOf(name: string, limits: SuperBlock["limits"]): string[] {
  const [first, ...components] = name.split("/");
  if (components.at(-1) === "") components.pop();
  const bad = (component: string): boolean =>
    component === "" ||
    component === "." ||
    component === ".." ||
    component.includes("\0") ||
    textBytes(component) > limits.nameBytes;
  if (first !== filesPrefix || components.some(bad) || textBytes(name) > limits.pathBytes)
    throw new ArchiveError(`${JSON.stringify(name.slice(0, 200))} is no path of a machine`);
  return components;
}

function timesOf(records: ReadonlyMap<string, string>, name: string): Times {
  const times = (records.get(recordKeys.times) ?? "").split(" ").map(Number);
  if (times.length !== 4 || !times.every((time) => Math.abs(time) <= farthestMs))
    throw new ArchiveError(`${name} has no times`);
  return times as unknown as Times;
}

function extentsOf(
  record: string | undefined,
  { name, size: contentBytes }: Entry,
): { size: number; extents: Extent[] } {
  if (record === undefined)
    return { size: contentBytes, extents: contentBytes === 0 ? [] : [[0, contentBytes]] };
  const [sizeText = "", listText = ""] = record.split(";");
  const size = wholeNumber(sizeText);
  let bytes = 0;
  let least = 0;
  const extents = (listText === "" ? [] : listText.split(",")).map((text): Extent => {
    const [start = "", end = ""] = text.split("-");
    const extent = [wholeNumber(start), wholeNumber(end)] as const;
    if (extent[0] < least || extent[1] <= extent[0] || extent[1] > size)
      throw new ArchiveError(`${name} has holes that are none`);
    least = extent[1];
    bytes += extent[1] - extent[0];
    return extent;
  });
  if (bytes !== contentBytes) throw new ArchiveError(`${name} has another length than it says`);
  return { size, extents };
}
