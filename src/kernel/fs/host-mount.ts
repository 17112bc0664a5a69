/**
 * A directory or file of the host, shown at a place of the guest's tree.
 *
 * Owns: the descriptor of the mount's root, a bounded number of descriptors of
 * directories below it, and how host attributes are presented.
 * Invariants: the host is only ever reached through the root's descriptor, one
 * component at a time or by openat2 below it, and never through a link: links are
 * text for the guest's own path walk. Whatever the host's user renames or swaps
 * meanwhile, a name reaches something that was below the root or fails. Nothing is
 * kept from one call to the next but directory descriptors, each compared with what
 * its name leads to now. Files that are neither regular, directory nor link are
 * shown and never opened.
 * Untrusted: guests choose names, link targets, modes and times; the host's files
 * may have been put there by anybody.
 */
import { permits, rootOwner } from "./credentials.js";
import {
  fstatSync,
  fsyncSync,
  ftruncateSync,
  readSync,
  statfsSync,
  watch,
  writeSync,
} from "node:fs";
import type { FSWatcher } from "node:fs";
import { Errno, type Failure } from "../../abi/errno.js";
import {
  O_ACCMODE,
  O_CREAT,
  O_EXCL,
  O_RDWR,
  O_TRUNC,
  O_WRONLY,
  R_OK,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
} from "../../abi/fcntl.js";
import * as dirfd from "../../sandbox/dirfd.js";
import type { HostStat } from "../../sandbox/dirfd.js";
import {
  type Directory,
  type DirectoryEntry,
  type RoomForEntries,
  ExternalDirectory,
  ExternalFile,
  type ExternalChanges,
  type FileStat,
  type FileSystemStat,
  type Inode,
  type OpenContent,
  SymbolicLink,
} from "./inode.js";
import type { Steps } from "../io/steps.js";
import type { Credentials } from "./credentials.js";
import type { SuperBlock } from "./superblock.js";
import type { WatchListener } from "./watch.js";

/** Directories of one mount that are kept open. */
const OPEN_DIRECTORIES = 64;
const BLOCK_BYTES = 4096;
const APPEND = -1;

export interface HostMountOptions {
  /** An absolute path of the host without links, of a directory or a regular file. */
  hostPath: string;
  readOnly: boolean;
  /** Whether the host user's files are shown as the guest's own, with their modes; default: where it is writable. */
  shownAsOwn?: boolean;
  /** Everything is shown readable and executable, whatever its mode on the host; only if read-only. */
  executable: boolean;
  /** Device number, of its own. */
  device: number;
  /** Whom files of the kernel's user belong to in a writable mount; in a read-only one all are root's. */
  uid: number;
  gid: number;
  /** Counts its open files and watches. */
  superblock: Pick<SuperBlock, "account" | "admit">;
  /** Where in the guest a link leads that is absolute or leaves the mount: see mount-table.ts. */
  linkTarget(hostDirectory: string, target: string): string;
}

interface OpenDirectory {
  fd: number;
  dev: number;
  ino: number;
}

const kernelUid = process.geteuid?.() ?? 0;
const kernelGroups = new Set([process.getegid?.() ?? 0, ...(process.getgroups?.() ?? [])]);

export class HostMount {
  readonly options: HostMountOptions;
  readonly root: Inode;
  /** Of the root directory, or of the directory that holds the one file. */
  #rootFd: number;
  readonly #open = new Map<string, OpenDirectory>();
  readonly #watchers = new Set<FSWatcher>();

  private constructor(options: HostMountOptions, rootFd: number, fileName: string | undefined) {
    this.options = options;
    this.#rootFd = rootFd;
    if (fileName === undefined) {
      this.root = new HostDirectory(this, undefined, "");
    } else {
      const holder = new HostDirectory(this, undefined, "");
      this.root = new HostFile(this, holder, fileName);
    }
    this.root.mountRoot = true;
  }

  /** Opens the root, or answers why the host does not let us. */
  static open(options: HostMountOptions, isDirectory: boolean): HostMount | Failure {
    const { hostPath } = options;
    const slash = hostPath.lastIndexOf("/");
    const fileName = isDirectory ? undefined : hostPath.slice(slash + 1);
    const path = isDirectory ? hostPath : hostPath.slice(0, slash) || "/";
    const fd = dirfd.openRoot(path);
    if (fd < 0) return fd;
    const mount = new HostMount(options, fd, fileName);
    const failed = mount.root.refresh();
    if (failed !== 0) mount.close();
    return failed === 0 ? mount : failed;
  }

  close(): void {
    if (this.#rootFd < 0) return;
    for (const watcher of this.#watchers) watcher.close();
    this.#watchers.clear();
    for (const { fd } of this.#open.values()) dirfd.closeFd(fd);
    this.#open.clear();
    dirfd.closeFd(this.#rootFd);
    this.#rootFd = -1;
  }

  statfs(): FileSystemStat | Failure {
    if (this.#rootFd < 0) return -Errno.EIO;
    try {
      return statfsSync(`/proc/self/fd/${this.#rootFd}`);
    } catch (error) {
      return failureOf(error);
    }
  }

  /** An O_PATH descriptor of the directory, this object's to close, or `-errno`. */
  descriptor(directory: HostDirectory): number {
    if (this.#rootFd < 0) return -Errno.EIO;
    const { path } = directory;
    if (path === "") return this.#rootFd;
    const known = this.#open.get(path);
    if (known !== undefined) {
      this.#open.delete(path);
      if (known.ino === directory.ino && known.dev === directory.hostDevice) {
        this.#open.set(path, known);
        return known.fd;
      }
      dirfd.closeFd(known.fd);
    }
    const fd = dirfd.openBeneath(this.#rootFd, path);
    if (fd < 0) return fd;
    const stat = dirfd.statOf(fd);
    if (typeof stat === "number" || stat.ino !== directory.ino) {
      dirfd.closeFd(fd);
      return typeof stat === "number" ? stat : -Errno.ENOENT;
    }
    this.#open.set(path, { fd, dev: stat.dev, ino: stat.ino });
    if (this.#open.size > OPEN_DIRECTORIES) {
      const [oldest, { fd: oldestFd }] = this.#open.entries().next().value!;
      this.#open.delete(oldest);
      dirfd.closeFd(oldestFd);
    }
    return fd;
  }

  /** Opens a file that stays open, and counts it. */
  openCounted(who: Credentials, open: () => number): number {
    const { superblock } = this.options;
    if (!superblock.admit(who, "hostFile")) return -Errno.ENFILE;
    const fd = open();
    if (fd < 0) superblock.account.give("hostFile");
    return fd;
  }

  /** inotify on what a descriptor refers to, which may be closed afterwards. */
  watch(
    fd: number,
    name: string,
    isDirectory: boolean,
    listener: WatchListener,
  ): (() => void) | Failure {
    const { account } = this.options.superblock;
    if (!account.take("hostWatch")) return -Errno.ENOSPC;
    try {
      const watcher = watch(`/proc/self/fd/${fd}`, { persistent: false });
      watcher.on("change", (type, entry) => {
        listener(type === "rename", isDirectory && entry !== null ? String(entry) : name);
      });
      watcher.on("error", () => watcher.close());
      this.#watchers.add(watcher);
      return () => {
        this.#watchers.delete(watcher);
        watcher.close();
        account.give("hostWatch");
      };
    } catch (error) {
      account.give("hostWatch");
      return failureOf(error);
    }
  }

  rootStat(): HostStat | Failure {
    return this.#rootFd < 0 ? -Errno.EIO : dirfd.statOf(this.#rootFd);
  }

  /** Rights the kernel's process has, shown to every class: what it may read, guests may. */
  permissions(stat: Pick<HostStat, "mode" | "uid" | "gid">): number {
    if (this.options.executable) return 0o755;
    const mode = stat.mode & 0o1777;
    const shift =
      kernelUid === 0 || stat.uid === kernelUid ? 6 : kernelGroups.has(stat.gid) ? 3 : 0;
    const usable = (mode >> shift) & 0o7;
    if (!this.#showsOwn) return mode | ((usable & 0o5) * 0o111);
    return this.#isOurs(stat) ? mode : (mode & 0o1077) | (usable << 6) | usable;
  }

  owner(stat: Pick<HostStat, "uid">): { uid: number; gid: number } {
    const { uid, gid } = this.options;
    return this.#showsOwn && this.#isOurs(stat) ? { uid, gid } : rootOwner;
  }

  get #showsOwn(): boolean {
    return this.options.shownAsOwn ?? !this.options.readOnly;
  }

  #isOurs(stat: Pick<HostStat, "uid">): boolean {
    return stat.uid === kernelUid;
  }
}

function failureOf(error: unknown): Failure {
  const { errno } = error as NodeJS.ErrnoException;
  return typeof errno === "number" && errno < 0 ? errno : -Errno.EIO;
}

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

const blank = { ino: 0, permissions: 0, uid: 0, gid: 0, now: 0 };

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
    super(blank);
    this.mount = mount;
    this.name = name;
    if (parent === undefined) {
      this.path = "";
    } else {
      this.parent = parent;
      this.path = parent.path === "" ? name : `${parent.path}/${name}`;
      this.external = new HostName(mount, parent, name);
    }
    if (stat !== undefined) this.#show(stat);
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
    const fd = this.mount.descriptor(this);
    if (fd < 0) return fd === -Errno.ENOENT ? undefined : fd;
    const stat = dirfd.statAt(fd, name);
    if (typeof stat === "number") return stat === -Errno.ENOENT ? undefined : stat;
    return this.#inode(fd, name, stat);
  }

  #inode(fd: number, name: string, stat: HostStat): Inode | Failure {
    switch (stat.mode & S_IFMT) {
      case S_IFDIR:
        return new HostDirectory(this.mount, this, name, stat);
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

  /** Reads a regular file that `who` may read and that fits into `target`: its length, or -errno. */
  readAhead(name: string, who: Credentials, target: Uint8Array): number {
    const { mount } = this;
    const directory = mount.descriptor(this);
    if (directory < 0) return directory;
    const file = dirfd.readSmallAt(directory, name, target);
    if (typeof file === "number") return file;
    const attributes = { mode: mount.permissions(file), ...mount.owner(file) };
    return permits(attributes, who, R_OK) ? file.size : -Errno.EACCES;
  }

  override createFile(
    name: string,
    flags: number,
    permissions: number,
    who: Credentials,
  ): { inode: Inode; content: OpenContent } | Failure {
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
    const fd = this.mount.descriptor(this);
    return fd < 0 ? fd : dirfd.symlinkAt(target, fd, name);
  }

  override addLink(name: string, inode: Inode): 0 | Failure {
    const { external } = inode;
    if (!(external instanceof HostName) || external.mount !== this.mount) return -Errno.EXDEV;
    const to = this.mount.descriptor(this);
    if (to < 0) return to;
    const from = this.mount.descriptor(external.directory);
    return from < 0 ? from : dirfd.linkAt(from, external.name, to, name);
  }

  override removeEntry(name: string, asDirectory: boolean): 0 | Failure {
    const fd = this.mount.descriptor(this);
    if (fd < 0) return fd;
    return asDirectory ? dirfd.rmdirAt(fd, name) : dirfd.unlinkAt(fd, name);
  }

  override moveEntry(name: string, to: Directory, newName: string): 0 | Failure {
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
    super({ ...blank, ino: stat.ino }, mount.options.linkTarget(directory, target));
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
    super(S_IFREG, blank);
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

/** What of a guest's open flags the host sees; appending is done by position. */
function hostFlags(flags: number): number {
  const writes = (flags & O_ACCMODE) === O_WRONLY || (flags & O_ACCMODE) === O_RDWR;
  return (flags & O_ACCMODE) | (writes ? flags & O_TRUNC : 0);
}

class HostContent implements OpenContent {
  readonly #inode: HostFile;
  #fd: number;

  constructor(inode: HostFile, fd: number) {
    this.#inode = inode;
    this.#fd = fd;
    const stat = dirfd.statOf(fd);
    if (typeof stat !== "number") inode.show(stat);
  }

  read(target: Uint8Array, position: number): number | Failure {
    try {
      return readSync(this.#fd, target, 0, target.byteLength, position);
    } catch (error) {
      return failureOf(error);
    }
  }

  write(source: Uint8Array, position: number): number | Failure {
    try {
      const at = position === APPEND ? fstatSync(this.#fd).size : position;
      return writeSync(this.#fd, source, 0, source.byteLength, at);
    } catch (error) {
      return failureOf(error);
    }
  }

  truncate(length: number): 0 | Failure {
    try {
      ftruncateSync(this.#fd, length);
      return 0;
    } catch (error) {
      return failureOf(error);
    }
  }

  sync(): 0 | Failure {
    try {
      fsyncSync(this.#fd);
      return 0;
    } catch (error) {
      return failureOf(error);
    }
  }

  stat(): FileStat {
    const stat = this.#fd < 0 ? -Errno.EBADF : dirfd.statOf(this.#fd);
    if (typeof stat !== "number") this.#inode.show(stat);
    return { ...this.#inode.stat(), blksize: BLOCK_BYTES };
  }

  close(): void {
    if (this.#fd < 0) return;
    dirfd.closeFd(this.#fd);
    this.#fd = -1;
    this.#inode.mount.options.superblock.account.give("hostFile");
  }
}
