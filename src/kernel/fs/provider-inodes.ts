/**
 * Owns directories, files and links of a file system that code of the host serves: each name is asked for anew.
 *
 * Invariant: what an inode shows is what the provider said last. Untrusted: names, targets, modes and times of guests;
 * answers of the provider, which provider-answers.ts has checked.
 */
import { Errno, type Failure } from "../../abi/errno.js";
import {
  O_ACCMODE,
  O_RDONLY,
  O_TRUNC,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
} from "../../abi/fcntl.js";
import { type Directory, type Inode } from "./inode.js";
import { SymbolicLink } from "./special-files.js";
import {
  ExternalDirectory,
  ExternalFile,
  type ExternalChanges,
  type OpenContent,
  unknownAttributes,
} from "./external-file.js";
import type { DirectoryEntry } from "./file-stat.js";
import { attributesOf, entriesOf, targetOf } from "./provider-answers.js";
import type { Attributes, Provided } from "./provider-answers.js";
import { ProvidedContent, RangedContent, SharedContent } from "./provider-content.js";
import type { ProviderMount } from "./provider-mount.js";

/** Files larger than that are read in ranges where the provider can. */
const rangedBytes = 1024 * 1024;

/** One number per path, and hardly ever the same for two: inode numbers have to tell files apart. cyrb53. */
function inodeOf(path: string): number {
  let [high, low] = [0xdeadbeef, 0x41c6ce57];
  for (let at = 0; at < path.length; at++) {
    const code = path.charCodeAt(at);
    high = Math.imul(high ^ code, 2654435761);
    low = Math.imul(low ^ code, 1597334677);
  }
  high = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909);
  low = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(high ^ (high >>> 13), 3266489909);
  return 4294967296 * (0x1fffff & low) + (high >>> 0);
}

/** Shows attributes; what the provider does not say is as for files that anybody may read. */
function present(inode: Inode, mount: ProviderMount, path: string, given: Attributes): void {
  const isDirectory = given.format === S_IFDIR;
  const { uid, gid } = mount.place;
  inode.ino = inodeOf(path);
  inode.mode = given.format | (given.permissions ?? (isDirectory ? 0o755 : 0o644));
  inode.uid = uid;
  inode.gid = gid;
  inode.nlink = isDirectory ? 2 : 1;
  inode.atimeMs = given.atimeMs;
  inode.mtimeMs = given.mtimeMs;
  inode.ctimeMs = given.ctimeMs;
  inode.birthtimeMs = given.birthtimeMs;
}

/** A path in the mount, and what can be changed of what is there. */
class ProviderName implements ExternalChanges {
  readonly mount: ProviderMount;
  readonly path: string;
  readonly #inode: Inode;

  constructor(mount: ProviderMount, path: string, inode: Inode) {
    this.mount = mount;
    this.path = path;
    this.#inode = inode;
  }

  setMode(permissions: number): 0 | Failure {
    const { mount, path } = this;
    // What changes nothing is granted: copies are given the modes that they have.
    if ((permissions & 0o1777) === (this.#inode.mode & 0o1777)) return 0;
    // It has to be there before something of it is changed.
    const failed = mount.lacks("setMode") || mount.storeBelow(path);
    if (failed !== 0) return failed;
    return done(mount.ask({ op: "setMode", path, mode: permissions & 0o1777 }));
  }

  /** Everything is the guest's; what changes nothing is granted. */
  setOwner(uid: number | undefined, gid: number | undefined): 0 | Failure {
    const { place } = this.mount;
    return (uid ?? place.uid) === place.uid && (gid ?? place.gid) === place.gid ? 0 : -Errno.EPERM;
  }

  setTimes(atimeMs: number, mtimeMs: number): 0 | Failure {
    const { mount, path } = this;
    const failed = mount.lacks("setTimes") || mount.storeBelow(path);
    if (failed !== 0) return failed;
    return done(mount.ask({ op: "setTimes", path, atimeMs, mtimeMs }));
  }
}

function done(answer: Provided | Failure): 0 | Failure {
  return typeof answer === "number" ? answer : 0;
}

export class ProviderDirectory extends ExternalDirectory {
  readonly mount: ProviderMount;
  readonly path: string;

  constructor(
    mount: ProviderMount,
    parent: ProviderDirectory | undefined,
    name: string,
    given: Attributes,
  ) {
    super(unknownAttributes);
    this.mount = mount;
    this.name = name;
    this.path = parent === undefined ? "/" : parent.pathOf(name);
    if (parent !== undefined) {
      this.parent = parent;
      this.external = new ProviderName(mount, this.path, this);
    }
    present(this, mount, this.path, given);
  }

  override get device(): number {
    return this.mount.place.device;
  }

  override get readOnly(): boolean {
    return this.mount.readOnly;
  }

  /** Times of a directory are the provider's to keep. */
  override accessed(): void {}

  pathOf(name: string): string {
    return this.path === "/" ? `/${name}` : `${this.path}/${name}`;
  }

  lookup(name: string): Inode | undefined | Failure {
    const { mount } = this;
    const path = this.pathOf(name);
    const content = mount.contentAt(path);
    if (content !== undefined) return new ProviderFile(mount, path, attributesOfContent(content));
    const answer = mount.ask({ op: "stat", path });
    if (answer === -Errno.ENOENT) return undefined;
    if (typeof answer === "number") return answer;
    const given = attributesOf(answer.json);
    if (typeof given === "number") return given;
    if (given.format === S_IFDIR) return new ProviderDirectory(mount, this, name, given);
    if (given.format !== S_IFLNK) return new ProviderFile(mount, path, given);
    const link = mount.ask({ op: "readLink", path });
    const target = typeof link === "number" ? link : targetOf(link.json);
    return typeof target === "number" ? target : new ProviderLink(mount, path, given, target);
  }

  list(): DirectoryEntry[] | Failure {
    const answer = this.mount.ask({ op: "list", path: this.path });
    const entries = typeof answer === "number" ? answer : entriesOf(answer.json);
    if (typeof entries === "number") return entries;
    const names = new Set(entries.map(({ name }) => name));
    for (const name of this.mount.unstoredIn(this.path))
      if (!names.has(name)) entries.push({ name, type: S_IFREG >>> 12 });
    for (const entry of entries) {
      if (entry.type !== 0) continue;
      const inode = this.lookup(entry.name);
      if (typeof inode === "object") entry.type = inode.type;
    }
    return entries;
  }

  override createFile(
    name: string,
    _flags: number,
    permissions: number,
  ): { inode: Inode; content: OpenContent } | Failure {
    const { mount } = this;
    const lacking = mount.lacks("write");
    if (lacking !== 0) return lacking;
    const path = this.pathOf(name);
    const content = mount.newContent(path, { mode: permissions & 0o777, mtimeMs: mount.now() });
    if (typeof content === "number") return content;
    const inode = new ProviderFile(mount, path, attributesOfContent(content));
    return { inode, content: new ProvidedContent(inode, content, true) };
  }

  override createDirectory(name: string, permissions: number): Directory | Failure {
    const path = this.pathOf(name);
    const mode = permissions & 0o777;
    const made = this.mount.ask({ op: "makeDirectory", path, mode });
    if (typeof made === "number") return made;
    const nowMs = this.mount.now();
    const times = { atimeMs: nowMs, mtimeMs: nowMs, ctimeMs: nowMs, birthtimeMs: nowMs };
    const given = { format: S_IFDIR, size: 0, permissions: mode, ...times };
    return new ProviderDirectory(this.mount, this, name, given);
  }

  override createSymbolicLink(name: string, target: string): 0 | Failure {
    return done(this.mount.ask({ op: "symlink", path: this.pathOf(name), target }));
  }

  override addLink(name: string, inode: Inode): 0 | Failure {
    const { external } = inode;
    if (!(external instanceof ProviderName) || external.mount !== this.mount) return -Errno.EXDEV;
    const { path } = external;
    const failed = this.mount.lacks("link") || this.mount.storeBelow(path);
    if (failed !== 0) return failed;
    return done(this.mount.ask({ op: "link", path, to: this.pathOf(name) }));
  }

  override removeEntry(name: string, asDirectory: boolean): 0 | Failure {
    const { mount } = this;
    const path = this.pathOf(name);
    if (asDirectory) return done(mount.ask({ op: "removeDirectory", path }));
    const failed = mount.lacks("unlink") || mount.storeBelow(path);
    if (failed !== 0) return failed;
    const removed = done(mount.ask({ op: "unlink", path }));
    if (removed === 0) mount.removed(path);
    return removed;
  }

  override moveEntry(name: string, to: Directory, newName: string): 0 | Failure {
    const { mount } = this;
    if (!(to instanceof ProviderDirectory) || to.mount !== mount) return -Errno.EXDEV;
    const [path, target] = [this.pathOf(name), to.pathOf(newName)];
    const failed = mount.lacks("rename") || mount.storeBelow(path);
    if (failed !== 0) return failed;
    const renamed = done(mount.ask({ op: "rename", path, to: target }));
    if (renamed === 0) mount.moved(path, target);
    return renamed;
  }
}

class ProviderLink extends SymbolicLink {
  readonly #mount: ProviderMount;

  constructor(mount: ProviderMount, path: string, given: Attributes, target: string) {
    super(unknownAttributes, target);
    this.#mount = mount;
    this.external = new ProviderName(mount, path, this);
    present(this, mount, path, { ...given, permissions: 0o777 });
  }

  override get device(): number {
    return this.#mount.place.device;
  }

  override get readOnly(): boolean {
    return this.#mount.readOnly;
  }

  override accessed(): void {}
}

function attributesOfContent({ mode, mtimeMs, size }: SharedContent): Attributes {
  const times = { atimeMs: mtimeMs, mtimeMs, ctimeMs: mtimeMs, birthtimeMs: mtimeMs };
  return { format: S_IFREG, size, permissions: mode, ...times };
}

/** Anything that is neither directory nor link; only regular files can be opened. */
export class ProviderFile extends ExternalFile {
  readonly #mount: ProviderMount;
  readonly #path: string;
  #size: number;

  constructor(mount: ProviderMount, path: string, given: Attributes) {
    super(given.format, unknownAttributes);
    this.#mount = mount;
    this.#path = path;
    this.#size = given.size;
    this.external = new ProviderName(mount, path, this);
    present(this, mount, path, given);
  }

  override get device(): number {
    return this.#mount.place.device;
  }

  override get readOnly(): boolean {
    return this.#mount.readOnly;
  }

  get size(): number {
    return this.#size;
  }

  override get stored(): number {
    return this.#size;
  }

  override accessed(): void {}

  open(flags: number): OpenContent | Failure {
    if ((this.mode & S_IFMT) !== S_IFREG) return -Errno.ENXIO;
    const mount = this.#mount;
    const path = this.#path;
    const reads = (flags & O_ACCMODE) === O_RDONLY;
    const empties = (flags & O_TRUNC) !== 0;
    const lacking = reads && !empties ? 0 : mount.lacks("write");
    if (lacking !== 0) return lacking;
    let content = mount.contentAt(path);
    if (content === undefined) {
      if (reads && this.#size > rangedBytes && mount.lacks("readRange") === 0)
        return RangedContent.open(this, mount, path);
      const data = empties ? undefined : this.#load();
      if (typeof data === "number") return data;
      const mode = this.mode & 0o1777;
      const made = mount.newContent(path, { mode, mtimeMs: this.mtimeMs, ...(data && { data }) });
      if (typeof made === "number") return made;
      content = made;
    } else if (empties) content.truncate(0);
    return new ProvidedContent(this, content, !reads || empties);
  }

  #load(): Buffer | Failure {
    const { maxFileBytes } = this.#mount;
    if (this.#size > maxFileBytes) return -Errno.EFBIG;
    const answer = this.#mount.ask({ op: "read", path: this.#path });
    if (typeof answer === "number") return answer;
    return answer.data.length > maxFileBytes ? -Errno.EFBIG : answer.data;
  }
}
