/**
 * Owns directories, files and links of a mounted directory of the host: how a name of the mount becomes calls about
 * an open directory.
 *
 * Invariant: the last component of a path is all that a call of the host is given. Untrusted: names, targets, modes
 * and times of guests.
 */
import { permits } from "./credentials.js";
import { Errno, type Failure } from "../../abi/errno.js";
import { O_CREAT, O_EXCL, R_OK, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from "../../abi/fcntl.js";
import * as dirfd from "../../sandbox/dirfd.js";
import type { HostStat } from "../../sandbox/dirfd.js";
import { type Directory, type RoomForEntries, type Inode } from "./inode.js";
import { SymbolicLink } from "./special-files.js";
import {
  ExternalDirectory,
  ExternalFile,
  type ExternalChanges,
  type OpenContent,
  unknownAttributes,
} from "./external-file.js";
import type { SmallFile } from "./ahead.js";
import type { DirectoryEntry } from "./file-stat.js";
import type { Steps } from "../io/steps.js";
import type { Credentials } from "./credentials.js";
import type { WatchListener } from "./watch.js";
import { hostFlags, HostContent } from "./host-content.js";
import type { HostMount } from "./host-mount.js";

/** Shows what the host says about a file in the attributes of its inode. */
function present(inode: Inode, mount: HostMount, stat: HostStat): void {
  inode.mode = (stat.mode & S_IFMT) | mount.permissions(stat);
  const { uid, gid } = mount.owner(stat);
  inode.uid = uid;
  inode.gid = gid;
  inode.nlink = stat.nlink;
  inode.atimeMs = stat.atimeMs;
  inode.mtimeMs = stat.mtimeMs;
  inode.ctimeMs = stat.ctimeMs;
  inode.birthtimeMs = stat.birthtimeMs;
}

/** A name in a host directory, and what can be done to what it names. */
class HostName implements ExternalChanges {
  readonly mount: HostMount;
  readonly directory: HostDirectory;
  readonly name: string;

  constructor(mount: HostMount, directory: HostDirectory, name: string) {
    this.mount = mount;
    this.directory = directory;
    this.name = name;
  }

  stat(): HostStat | Failure {
    const fd = this.mount.descriptor(this.directory);
    return fd < 0 ? fd : dirfd.statAt(fd, this.name);
  }

  setMode(permissions: number): 0 | Failure {
    this.mount.changes();
    const directory = this.mount.descriptor(this.directory);
    if (directory < 0) return directory;
    const fd = dirfd.pathAt(directory, this.name);
    if (fd < 0) return fd;
    try {
      const stat = dirfd.statOf(fd);
      if (typeof stat === "number") return stat;
      if ((stat.mode & S_IFMT) === S_IFLNK) return -Errno.EOPNOTSUPP;
      // Set-id bits would be the host user's.
      return dirfd.chmodOf(fd, permissions & 0o1777);
    } finally {
      dirfd.closeFd(fd);
    }
  }

  /** Owners on the host are not the guest's to change; what changes nothing is granted. */
  setOwner(uid: number | undefined, gid: number | undefined): 0 | Failure {
    const stat = this.stat();
    if (typeof stat === "number") return stat;
    const owner = this.mount.owner(stat);
    const same = (uid ?? owner.uid) === owner.uid && (gid ?? owner.gid) === owner.gid;
    return same ? 0 : -Errno.EPERM;
  }

  setTimes(atimeMs: number, mtimeMs: number): 0 | Failure {
    this.mount.changes();
    const fd = this.mount.descriptor(this.directory);
    return fd < 0 ? fd : dirfd.utimesAt(fd, this.name, atimeMs, mtimeMs);
  }

  /** An O_PATH descriptor, the caller's to close. */
  openPath(): number {
    const fd = this.mount.descriptor(this.directory);
    return fd < 0 ? fd : dirfd.pathAt(fd, this.name);
  }

  open(flags: number, mode = 0): number {
    const fd = this.mount.descriptor(this.directory);
    return fd < 0 ? fd : dirfd.openAt(fd, this.name, flags, mode);
  }
}

/** An entry with the type that its file system did not say. */
function withType(directory: number, entry: DirectoryEntry): DirectoryEntry {
  if (entry.type !== 0 || directory < 0) return entry;
  const stat = dirfd.statAt(directory, entry.name);
  if (typeof stat !== "number") entry.type = (stat.mode & S_IFMT) >>> 12;
  return entry;
}

export class HostDirectory extends ExternalDirectory {
  readonly mount: HostMount;
  /** Below the root of the mount, without a leading slash; "" for the root. */
  readonly path: string;
  hostDevice = 0;

  constructor(mount: HostMount, parent: HostDirectory | undefined, name: string, stat?: HostStat) {
    super(unknownAttributes);
    this.mount = mount;
    this.name = name;
    if (parent === undefined) {
      this.path = "";
    } else {
      this.parent = parent;
      this.path = parent.#pathOf(name);
      this.external = new HostName(mount, parent, name);
    }
    if (stat !== undefined) this.#show(stat);
  }

  #pathOf(name: string): string {
    return this.path === "" ? name : `${this.path}/${name}`;
  }

  override get device(): number {
    return this.mount.options.device;
  }

  override get readOnly(): boolean {
    return this.mount.options.readOnly;
  }

  /** Only the root of a mount outlives a call. */
  override refresh(): 0 | Failure {
    const stat = this.mount.rootStat();
    if (typeof stat === "number") return stat;
    this.#show(stat);
    return 0;
  }

  #show(stat: HostStat): void {
    present(this, this.mount, stat);
    this.ino = stat.ino;
    this.hostDevice = stat.dev;
  }

  watch(name: string, listener: WatchListener): (() => void) | Failure {
    const fd = this.mount.descriptor(this);
    return fd < 0 ? fd : this.mount.watch(fd, name, true, listener);
  }

  lookup(name: string): Inode | undefined | Failure {
    const found = this.mount.found(this.#pathOf(name));
    if (found !== undefined) return found;
    const fd = this.mount.descriptor(this);
    if (fd < 0) return fd === -Errno.ENOENT ? undefined : fd;
    const stat = dirfd.statAt(fd, name);
    if (typeof stat === "number") return stat === -Errno.ENOENT ? undefined : stat;
    return this.#inode(fd, name, stat);
  }

  #inode(fd: number, name: string, stat: HostStat): Inode | Failure {
    switch (stat.mode & S_IFMT) {
      case S_IFDIR:
        return this.mount.finds(new HostDirectory(this.mount, this, name, stat));
      case S_IFLNK: {
        const target = dirfd.readlinkAt(fd, name);
        // EINVAL: it is no link any more.
        if (typeof target === "number") return target === -Errno.EINVAL ? -Errno.ENOENT : target;
        return new HostLink(this.mount, this, name, stat, target);
      }
      default:
        return new HostFile(this.mount, this, name, stat);
    }
  }

  /** More than `most` are not told to their end. */
  list(most?: number): DirectoryEntry[] | Failure {
    const fd = this.mount.descriptor(this);
    if (fd < 0) return fd;
    const all: DirectoryEntry[] = [];
    const batches = dirfd.batchesOf(fd);
    for (let next = batches.next(); ; next = batches.next()) {
      if (next.done === true) return next.value < 0 ? next.value : all;
      const isMore = all.length + next.value.length > (most ?? Infinity);
      for (const entry of next.value) all.push(isMore ? entry : withType(fd, entry));
      if (!isMore) continue;
      batches.return(0);
      return all;
    }
  }

  override *listing(who: Credentials, room: RoomForEntries): Steps<DirectoryEntry[]> {
    const first = this.mount.descriptor(this);
    if (first < 0) return first;
    const { superblock } = this.mount.options;
    if (!superblock.admit(who, "hostFile")) return -Errno.ENFILE;
    const batches = dirfd.batchesOf(first);
    const all: DirectoryEntry[] = [];
    try {
      for (let next = batches.next(); ; next = batches.next()) {
        if (next.done === true) return next.value < 0 ? next.value : all;
        if (!room(next.value.length)) return -Errno.ENOMEM;
        // Others may have used the mount meanwhile.
        const fd = this.mount.descriptor(this);
        for (const entry of next.value) all.push(withType(fd, entry));
        yield undefined;
      }
    } finally {
      batches.return(0);
      superblock.account.give("hostFile");
    }
  }

  /** Reads a regular file that `who` may read and that fits into `target`. */
  readAhead(name: string, who: Credentials, target: Uint8Array): SmallFile | Failure {
    const { mount } = this;
    const directory = mount.descriptor(this);
    if (directory < 0) return directory;
    const file = dirfd.readSmallAt(directory, name, target);
    if (typeof file === "number") return file;
    const attributes = { mode: mount.permissions(file), ...mount.owner(file) };
    if (!permits(attributes, who, R_OK)) return -Errno.EACCES;
    return { size: file.size, stat: () => new HostFile(mount, this, name, file.stat()).stat() };
  }

  override createFile(
    name: string,
    flags: number,
    permissions: number,
    who: Credentials,
  ): { inode: Inode; content: OpenContent } | Failure {
    this.mount.changes();
    const fd = this.mount.descriptor(this);
    if (fd < 0) return fd;
    const open = this.mount.openCounted(who, () =>
      dirfd.openAt(fd, name, hostFlags(flags) | O_CREAT | O_EXCL, permissions & 0o777),
    );
    if (open < 0) return open;
    // Exactly as asked: the guest's umask has been applied, the host's is not its own.
    dirfd.chmodOf(open, permissions & 0o777);
    const inode = new HostFile(this.mount, this, name);
    return { inode, content: new HostContent(inode, open) };
  }

  override createDirectory(name: string, permissions: number): Directory | Failure {
    this.mount.changes();
    const fd = this.mount.descriptor(this);
    if (fd < 0) return fd;
    const made = dirfd.mkdirAt(fd, name, permissions & 0o777);
    if (made < 0) return made;
    const inode = this.lookup(name);
    if (typeof inode === "number") return inode;
    if (!(inode instanceof HostDirectory)) return -Errno.ENOENT;
    inode.external?.setMode(permissions);
    return inode;
  }

  override createSymbolicLink(name: string, target: string): 0 | Failure {
    this.mount.changes();
    const fd = this.mount.descriptor(this);
    return fd < 0 ? fd : dirfd.symlinkAt(target, fd, name);
  }

  override addLink(name: string, inode: Inode): 0 | Failure {
    this.mount.changes();
    const { external } = inode;
    if (!(external instanceof HostName) || external.mount !== this.mount) return -Errno.EXDEV;
    const to = this.mount.descriptor(this);
    if (to < 0) return to;
    const from = this.mount.descriptor(external.directory);
    return from < 0 ? from : dirfd.linkAt(from, external.name, to, name);
  }

  override removeEntry(name: string, asDirectory: boolean): 0 | Failure {
    this.mount.changes();
    const fd = this.mount.descriptor(this);
    if (fd < 0) return fd;
    return asDirectory ? dirfd.rmdirAt(fd, name) : dirfd.unlinkAt(fd, name);
  }

  override moveEntry(name: string, to: Directory, newName: string): 0 | Failure {
    this.mount.changes();
    if (!(to instanceof HostDirectory) || to.mount !== this.mount) return -Errno.EXDEV;
    const target = this.mount.descriptor(to);
    if (target < 0) return target;
    const source = this.mount.descriptor(this);
    return source < 0 ? source : dirfd.renameAt(source, name, target, newName);
  }
}

/** A link of the host, its target translated into the guest's paths where it has one. */
class HostLink extends SymbolicLink {
  readonly #mount: HostMount;

  constructor(
    mount: HostMount,
    parent: HostDirectory,
    name: string,
    stat: HostStat,
    target: string,
  ) {
    const { hostPath } = mount.options;
    const directory = parent.path === "" ? hostPath : `${hostPath}/${parent.path}`;
    super({ ...unknownAttributes, ino: stat.ino }, mount.options.linkTarget(directory, target));
    this.#mount = mount;
    this.external = new HostName(mount, parent, name);
    present(this, mount, stat);
    this.mode = S_IFLNK | 0o777;
  }

  override get device(): number {
    return this.#mount.options.device;
  }

  override get readOnly(): boolean {
    return this.#mount.options.readOnly;
  }

  /** Following a link leaves no trace on the host. */
  override accessed(): void {}
}

/** Anything that is neither directory nor link; only regular files can be opened. */
export class HostFile extends ExternalFile {
  readonly mount: HostMount;
  readonly #name: HostName;
  #size = 0;
  #blocks = 0;

  constructor(mount: HostMount, directory: HostDirectory, name: string, stat?: HostStat) {
    super(S_IFREG, unknownAttributes);
    this.mount = mount;
    this.#name = new HostName(mount, directory, name);
    this.external = this.#name;
    if (stat !== undefined) this.show(stat);
  }

  override get device(): number {
    return this.mount.options.device;
  }

  override get readOnly(): boolean {
    return this.mount.options.readOnly;
  }

  get size(): number {
    return this.#size;
  }

  override get stored(): number {
    return this.#blocks * 512;
  }

  /** For the root of a mount of one file. */
  override refresh(): 0 | Failure {
    const stat = this.#name.stat();
    if (typeof stat === "number") return stat;
    // The mount was made of a regular file; a link or directory put in its place is none of ours.
    if ((stat.mode & S_IFMT) !== S_IFREG) return -Errno.ENOENT;
    this.show(stat);
    return 0;
  }

  show(stat: HostStat): void {
    present(this, this.mount, stat);
    this.ino = stat.ino;
    this.#size = stat.size;
    this.#blocks = stat.blocks;
  }

  watch(name: string, listener: WatchListener): (() => void) | Failure {
    const fd = this.#name.openPath();
    if (fd < 0) return fd;
    const stop = this.mount.watch(fd, name, false, listener);
    dirfd.closeFd(fd);
    return stop;
  }

  open(flags: number, who: Credentials): OpenContent | Failure {
    if ((this.mode & S_IFMT) !== S_IFREG) return -Errno.ENXIO;
    const fd = this.mount.openCounted(who, () => this.#name.open(hostFlags(flags)));
    if (fd < 0) return fd;
    const content = new HostContent(this, fd);
    if ((this.mode & S_IFMT) === S_IFREG) return content;
    content.close();
    return -Errno.ENXIO;
  }
}
