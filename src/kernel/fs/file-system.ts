/**
 * The file system as the kernel calls it: one method per system call.
 *
 * Owns: one superblock, and nothing else; the rules live in the files beside.
 * Invariants: synchronous; no method throws on what a guest can pass; `-errno` on
 * failure; a failed single-entry operation changes nothing.
 * Untrusted: paths, flags, modes, owners, times, lengths and data. Trusted: credentials.
 */
import { Errno, type Failure } from "../../abi/errno.js";
import { O_RDONLY, O_WRONLY, R_OK, S_IFMT, S_IFREG, W_OK, X_OK } from "../../abi/fcntl.js";
import type { Deferred } from "../io/deferred.js";
import { atOnce } from "../io/steps.js";
import type { Steps } from "../io/steps.js";
import { Account } from "../machine/account.js";
import { type DirectoryAhead, directoryAhead } from "./ahead.js";
import { changeLength, changeMode, changeOwner, changeTimes, isUnsigned } from "./attributes.js";
import { type Credentials, permits, permitsLink } from "./credentials.js";
import {
  addLink,
  create,
  createSymbolicLink,
  inMemory,
  mayCreate,
  mayDelete,
  remove,
  removeDirectoryAt,
  walkToNew,
} from "./dentry.js";
import { CharacterDevice, type DeviceName } from "./device.js";
import { Directory, type Inode, MemoryDirectory, RegularFile } from "./inode.js";
import { SymbolicLink } from "./special-files.js";
import { ExternalDirectory, ExternalFile } from "./external-file.js";
import type { DirectoryEntry, FileStat, FileSystemStat } from "./file-stat.js";
import { open } from "./open.js";
import { type Overlay } from "./overlay.js";
import { LowerFile } from "./overlay-files.js";
import { listingOf } from "./directory-list.js";
import { changesOf, type OverlayChange } from "./overlay-changes.js";
import type { OpenFile } from "./open-file.js";
import { HostDirectory, HostFile } from "./host-inodes.js";
import { ProviderDirectory, ProviderFile } from "./provider-inodes.js";
import { type MountEntry, type MountRequest, MountTable } from "./mount-table.js";
import {
  checkPath,
  childPath,
  directoriesAlong,
  isFailure,
  Last,
  locate,
  type Located,
  pathOf,
  walk,
  walkFrom,
  walkToInode,
} from "./path-walk.js";
import { type Amounts, completeLimits, type FileSystemLimits } from "./quota.js";
import { type MachineView, makeProc } from "./proc.js";
import { rename } from "./rename.js";
import type { WatchListener } from "./watch.js";
import { SuperBlock } from "./superblock.js";
import { exportTree, TreeImport } from "./tree-archive.js";
import { makeDirectoryIn, mkdirTree, mkdtemp, pathsBelow, planTree, removeTree } from "./tree.js";

const SLASH = 47;
const TMPFS_MAGIC = 0x0102_1994;
/** More than any Buffer of a supported Node can be asked for in one read. */
const READ_FILE_BYTES = 0x7fff_ffff;

export class FileSystem {
  #calls = 0;
  readonly #sb: SuperBlock;
  readonly #mounts = new MountTable();

  constructor(
    limits: Partial<FileSystemLimits> = {},
    now: () => number = Date.now,
    account: Account = new Account(),
    source?: FileSystem,
    recall?: () => void,
  ) {
    this.#sb = new SuperBlock(completeLimits(limits), now, account, source && source.#sb, recall);
  }

  /**
   * A second file system with the same names, neither mounted nor open anything: what is written in one
   * is not seen in the other. Costs the same for any number of files.
   */
  clone(account: Account = new Account(), now = this.#sb.now): FileSystem {
    return new FileSystem(this.#sb.limits, now, account, this);
  }

  /**
   * A clone that is only cloned and looked at: what it alone has of this file system counts in this one's quota. `recall`
   * is called when that needs the room: it has to be disposed of then.
   */
  keep(recall: () => void): FileSystem {
    return new FileSystem(this.#sb.limits, this.#sb.now, new Account(), this, recall);
  }

  /** In a clone: what `file` has open in the file system that this one was cloned from, or from which that was. */
  reopen(file: OpenFile): OpenFile | undefined {
    return file.inClone(this.#sb);
  }

  /**
   * Everything in memory as a tar archive, without its end. Of the moment at which it is begun:
   * what changes meanwhile is not in it. `return` it if it is not read to its end.
   */
  *archive(): Generator<Uint8Array> {
    const still = this.clone();
    try {
      yield* exportTree(still.#sb.root, this.limits.pathBytes);
    } finally {
      still.dispose();
    }
  }

  /** Fills a file system in which there is nothing yet. */
  beginImport(): TreeImport {
    return new TreeImport(this.#sb);
  }

  get limits(): FileSystemLimits {
    return this.#sb.limits;
  }

  /** Runs one system call, or a part of one, whose walks share a budget of steps. */
  bounded<R>(call: () => R): R {
    const isWhole = this.#sb.call === 0;
    if (isWhole) this.#sb.call = ++this.#calls;
    this.#sb.stepsLeft = this.#sb.limits.walkSteps;
    try {
      return call();
    } finally {
      this.#sb.stepsLeft = Infinity;
      if (isWhole) this.#sb.call = 0;
    }
  }

  /**
   * The beginnings of the absolute `path`, from all of it to "", in which `name` leads to a regular file,
   * without a slash at their ends. One walk, however many there are.
   */
  beginningsWith(who: Credentials, path: string, name: string): string[] {
    const found: string[] = [];
    for (const { end, directory } of directoriesAlong(this.#sb, who, `${path}/${name}`)) {
      const entry = directory.lookup(name, who);
      const inode = typeof entry === "object" ? entry.top : undefined;
      if (inode === undefined || isFailure(inode)) continue;
      const file =
        inode instanceof SymbolicLink
          ? walkFrom(this.#sb, who, directory, name, Last.Follow)
          : { inode };
      if (isFailure(file) || file.inode === undefined) continue;
      if ((file.inode.mode & S_IFMT) !== S_IFREG) continue;
      let length = end;
      while (path.charCodeAt(length - 1) === SLASH) length--;
      found.push(path.slice(0, length));
    }
    return found.reverse();
  }

  open(who: Credentials, path: string, flags: number, mode: number): OpenFile | Failure {
    return open(this.#sb, who, path, flags, mode);
  }

  stat(who: Credentials, path: string, follow: boolean): FileStat | Failure {
    const inode = walkToInode(this.#sb, who, path, follow);
    return isFailure(inode) ? inode : inode.stat();
  }

  /** The types (S_IF*) that the names in one directory lead to, 0 for what is not there or not to be seen; undefined where each has to be asked for. */
  typesIn(who: Credentials, path: string, names: readonly string[]): number[] | undefined {
    const directory = walkToInode(this.#sb, who, path, true);
    if (directory instanceof ProviderDirectory) return undefined;
    if (!(directory instanceof Directory) || !permits(directory, who, X_OK))
      return names.map(() => 0);
    return names.map((name) => {
      const entry = directory.lookup(name, who);
      const inode = typeof entry === "object" ? entry.top : undefined;
      if (inode === undefined || isFailure(inode)) return 0;
      if (!(inode instanceof SymbolicLink)) return inode.mode & S_IFMT;
      const stat = this.stat(who, `${path}/${name}`, true);
      return isFailure(stat) ? 0 : stat.mode & S_IFMT;
    });
  }

  /** What a module loader may be told of a directory before it asks; see ahead.ts. */
  directoryAhead(
    who: Credentials,
    path: string,
    first: string,
    wants: number,
  ): DirectoryAhead | Failure {
    return directoryAhead(this.#sb, who, path, first, wants);
  }

  /** The process, other than the one that walked, whose directory a walk last came by; 0 before. */
  get inspected(): number {
    return this.#sb.inspected;
  }

  set inspected(pid: number) {
    this.#sb.inspected = pid;
  }

  /** Another number after every change of what is in memory, or of what is mounted. */
  get changeCount(): number {
    return this.#sb.watches.changes;
  }

  access(who: Credentials, path: string, mode: number): 0 | Failure {
    if (!isUnsigned(mode) || mode > 7) return -Errno.EINVAL;
    const inode = walkToInode(this.#sb, who, path, true);
    if (isFailure(inode)) return inode;
    if ((mode & W_OK) !== 0 && inode.readOnly && !(inode instanceof CharacterDevice))
      return -Errno.EROFS;
    return permits(inode, who, mode) ? 0 : -Errno.EACCES;
  }

  /** All entries, in the order they were made, without "." and "..". */
  readdir(who: Credentials, path: string): DirectoryEntry[] | Failure {
    const inode = walkToInode(this.#sb, who, path, true);
    if (isFailure(inode)) return inode;
    if (!(inode instanceof Directory)) return -Errno.ENOTDIR;
    if (!permits(inode, who, R_OK)) return -Errno.EACCES;
    inode.accessed(this.#sb.now());
    return inode.list();
  }

  /** All entries by name, in steps; ENOMEM when the machine has no room for them. */
  *readdirInSteps(who: Credentials, path: string): Steps<DirectoryEntry[]> {
    const inode = walkToInode(this.#sb, who, path, true);
    if (isFailure(inode)) return inode;
    if (!(inode instanceof Directory)) return -Errno.ENOTDIR;
    if (!permits(inode, who, R_OK)) return -Errno.EACCES;
    inode.accessed(this.#sb.now());
    return yield* listingOf(this.#sb, inode, who);
  }

  mkdir(who: Credentials, path: string, mode: number): 0 | Failure {
    if (!isUnsigned(mode)) return -Errno.EINVAL;
    const at = walkToNew(this.#sb, who, path, true);
    if (isFailure(at)) return at;
    return zero(makeDirectoryIn(this.#sb, who, at.parent, at.name, mode));
  }

  rmdir(who: Credentials, path: string): 0 | Failure {
    const at = walk(this.#sb, who, path, Last.Entry);
    if (isFailure(at)) return at;
    if (at.kind === "root") return -Errno.EBUSY;
    if (at.kind === "dot") return -Errno.EINVAL;
    if (at.kind === "dotdot") return -Errno.ENOTEMPTY;
    if (at.inode === undefined) return -Errno.ENOENT;
    return removeDirectoryAt(this.#sb, who, at.parent, at.name, at.inode);
  }

  unlink(who: Credentials, path: string): 0 | Failure {
    const at = walk(this.#sb, who, path, Last.Entry);
    if (isFailure(at)) return at;
    if (at.kind !== "name") return -Errno.EISDIR;
    if (at.inode === undefined) return -Errno.ENOENT;
    if (at.slash) return at.inode instanceof Directory ? -Errno.EISDIR : -Errno.ENOTDIR;
    const refused = mayDelete(at.parent, at.inode, who, false);
    return refused === 0 ? remove(this.#sb, at.parent, at.name, at.inode) : refused;
  }

  rename(who: Credentials, from: string, to: string): 0 | Failure {
    return rename(this.#sb, who, from, to);
  }

  link(who: Credentials, from: string, to: string): 0 | Failure {
    const inode = walkToInode(this.#sb, who, from, false);
    if (isFailure(inode)) return inode;
    const at = walkToNew(this.#sb, who, to, false);
    if (isFailure(at)) return at;
    if (inode.device !== at.parent.device || inode.mountRoot) return -Errno.EXDEV;
    if (at.parent.readOnly) return -Errno.EROFS;
    if (!permitsLink(inode, who)) return -Errno.EPERM;
    const refused = mayCreate(at.parent, who);
    if (refused !== 0) return refused;
    if (inode instanceof Directory) return -Errno.EPERM;
    return addLink(this.#sb, at.parent, at.name, inode);
  }

  symlink(who: Credentials, target: string, path: string): 0 | Failure {
    const bad = checkPath(target, this.#sb.limits.pathBytes);
    if (bad !== 0) return bad;
    const at = walkToNew(this.#sb, who, path, false);
    if (isFailure(at)) return at;
    const refused = mayCreate(at.parent, who);
    if (refused !== 0) return refused;
    return zero(createSymbolicLink(this.#sb, who, at.parent, at.name, target));
  }

  readlink(who: Credentials, path: string): string | Failure {
    const inode = walkToInode(this.#sb, who, path, false);
    if (isFailure(inode)) return inode;
    if (!(inode instanceof SymbolicLink)) return -Errno.EINVAL;
    inode.accessed(this.#sb.now());
    return inode.target;
  }

  chmod(who: Credentials, path: string, mode: number): 0 | Failure {
    return this.#change(who, path, true, (inode) => changeMode(this.#sb, inode, who, mode));
  }

  chown(who: Credentials, path: string, uid: number, gid: number, follow: boolean): 0 | Failure {
    return this.#change(who, path, follow, (inode) => changeOwner(this.#sb, inode, who, uid, gid));
  }

  utimes(
    who: Credentials,
    path: string,
    atimeMs: number,
    mtimeMs: number,
    follow: boolean,
  ): 0 | Failure {
    return this.#change(who, path, follow, (inode) =>
      changeTimes(this.#sb, inode, who, atimeMs, mtimeMs),
    );
  }

  truncate(who: Credentials, path: string, length: number): 0 | Failure | Deferred<0> {
    if (!Number.isInteger(length) || length < 0) return -Errno.EINVAL;
    const inode = walkToInode(this.#sb, who, path, true);
    if (isFailure(inode)) return inode;
    if (inode instanceof Directory) return -Errno.EISDIR;
    if (inode instanceof ExternalFile) {
      const file = this.open(who, path, O_WRONLY, 0);
      if (isFailure(file)) return file;
      const result = file.truncate(length);
      const stored = result === 0 ? file.flush() : result;
      file.unref();
      return stored;
    }
    if (!(inode instanceof RegularFile)) return -Errno.EINVAL;
    if (!permits(inode, who, W_OK)) return -Errno.EACCES;
    return this.#change(who, path, true, () => changeLength(this.#sb, inode, who, length));
  }

  #change(
    who: Credentials,
    path: string,
    follow: boolean,
    change: (inode: Inode) => 0 | Failure,
  ): 0 | Failure {
    const at = walk(this.#sb, who, path, follow ? Last.Follow : Last.NoFollow);
    if (isFailure(at)) return at;
    if (at.inode === undefined) return -Errno.ENOENT;
    const result = change(at.inode);
    if (result === 0) this.#sb.watches.changed(at.inode, at);
    return result;
  }

  /** Tells `listener` of changes to a file, or to the entries of a directory; answers how to stop. */
  watch(who: Credentials, path: string, listener: WatchListener): (() => void) | Failure {
    const at = walk(this.#sb, who, path, Last.Follow);
    if (isFailure(at)) return at;
    const { inode } = at;
    if (inode === undefined) return -Errno.ENOENT;
    if (!permits(inode, who, R_OK)) return -Errno.EACCES;
    if (inode instanceof ProviderDirectory || inode instanceof ProviderFile) return -Errno.ENOSYS;
    if (inode instanceof LowerFile) return -Errno.ENOSYS;
    // It has to stay the same one.
    const failed = inode instanceof MemoryDirectory ? inode.prepare() : 0;
    if (failed !== 0) return failed;
    const name = at.kind === "name" ? at.name : "";
    if (inode instanceof HostDirectory || inode instanceof HostFile)
      return inode.watch(name, listener);
    return this.#sb.watches.add(inode, name, listener);
  }

  /** The path without links, "." and "..", which may be longer than a path may be, up to 128 KiB. */
  realpath(who: Credentials, path: string): string | Failure {
    const at = walk(this.#sb, who, path, Last.Follow);
    if (isFailure(at)) return at;
    if (at.inode === undefined) return -Errno.ENOENT;
    return at.inode instanceof Directory ? pathOf(at.inode) : childPath(at.parent, at.name);
  }

  /** Where a call on `path` leads, whether that exists or not; see `Located`. */
  locate(who: Credentials, path: string, last: Last): Located | Failure {
    return locate(this.#sb, who, path, last);
  }

  /** The paths of the directories that mkdirTree would make, and where it would end. */
  planTree(who: Credentials, path: string): string[] | Failure {
    return planTree(this.#sb, who, path);
  }

  /** The paths below a located directory, links unfollowed; undefined when there are more than `most`. */
  pathsBelow(who: Credentials, { path, found }: Located, most: number): string[] | undefined {
    const inode = isFailure(found) ? undefined : found.inode;
    return inode instanceof Directory ? pathsBelow(who, inode, path, most) : [];
  }

  /** Shows a directory or file of the host, or a provider's files, at an absolute path; makes the place for it. */
  mount(options: MountRequest): 0 | Failure {
    const { source } = options;
    this.#sb.watches.changes++;
    return this.#mounts.add(this.#sb, options, source && source.#mounts);
  }

  /** Takes such a mount away; see `MountTable.remove`. */
  unmount(guestPath: string): 0 | Failure {
    this.#sb.watches.changes++;
    return this.#mounts.remove(guestPath);
  }

  /** What was changed in overlays: in that at `guestPath`, or in all; undefined where there is none. */
  changes(guestPath?: string): Steps<OverlayChange[]> | undefined {
    const overlays = this.#mounts.overlays.filter(
      (one) => guestPath === undefined || one.guestPath === guestPath,
    );
    return overlays.length === 0 ? undefined : allChanges(overlays);
  }

  /** Mounts /proc, which shows `view`. */
  mountProc(view: MachineView): 0 | Failure {
    return this.#mounts.addInternal(this.#sb, "/proc", "proc", (device) =>
      makeProc(view, device, this.#sb),
    );
  }

  get mounts(): readonly MountEntry[] {
    return this.#mounts.entries;
  }

  /** Lets go of what the file system holds on the host, and of the file systems it was cloned from and to. */
  dispose(): void {
    this.#mounts.close();
    this.#sb.dispose();
  }

  /** rm -r, at once. */
  removeTree(who: Credentials, path: string): 0 | Failure {
    return atOnce(this.removeTreeInSteps(who, path)) as 0 | Failure;
  }

  /** rm -r, in steps of one entry. */
  removeTreeInSteps(who: Credentials, path: string): Steps<0> {
    return removeTree(this.#sb, who, path);
  }

  /** mkdir -p: the first directory made, as a beginning of `path`, or 0 if none was needed. */
  mkdirTree(who: Credentials, path: string, mode: number): string | 0 | Failure {
    return mkdirTree(this.#sb, who, path, mode);
  }

  mkdtemp(who: Credentials, prefix: string): string | Failure {
    return mkdtemp(this.#sb, who, prefix);
  }

  /** The file that binding a Unix socket makes: its stat, or why not. */
  makeSocket(who: Credentials, path: string): FileStat | Failure {
    const at = walkToNew(this.#sb, who, path, false);
    if (isFailure(at)) return at === -Errno.EEXIST ? -Errno.EADDRINUSE : at;
    const refused = mayCreate(at.parent, who);
    if (refused !== 0) return refused;
    // mknod(2): the file system has no such nodes.
    if (at.parent instanceof ExternalDirectory) return -Errno.EPERM;
    const permissions = 0o777 & ~who.umask;
    const parent = inMemory(at.parent);
    const made = create(this.#sb, parent, at.name, () =>
      this.#sb.makeSocket(who, parent, permissions),
    );
    return isFailure(made) ? made : made.stat();
  }

  /** mknod(2) of a fifo. `mode`: permissions, from which the mask is taken. */
  makeFifo(who: Credentials, path: string, mode: number): 0 | Failure {
    const at = walkToNew(this.#sb, who, path, false);
    if (isFailure(at)) return at;
    const refused = mayCreate(at.parent, who);
    if (refused !== 0) return refused;
    // mknod(2): the file system has no such nodes.
    if (at.parent instanceof ExternalDirectory) return -Errno.EPERM;
    const parent = inMemory(at.parent);
    const permissions = mode & 0o7777 & ~who.umask;
    return zero(
      create(this.#sb, parent, at.name, () => this.#sb.makeFifo(who, parent, permissions)),
    );
  }

  /** For the boot layout: a device node of mode 0666, owned by root. */
  makeDevice(who: Credentials, path: string, device: DeviceName): 0 | Failure {
    const at = walkToNew(this.#sb, who, path, false);
    if (isFailure(at)) return at;
    if (who.uid !== 0) return -Errno.EPERM;
    const parent = inMemory(at.parent);
    return zero(create(this.#sb, parent, at.name, () => this.#sb.makeDevice(parent, device)));
  }

  statfs(who: Credentials, path: string): FileSystemStat | Failure {
    const inode = walkToInode(this.#sb, who, path, true);
    if (isFailure(inode)) return inode;
    return this.#mounts.statfs(inode.device) ?? this.#sb.statfs(TMPFS_MAGIC);
  }

  usage(): { bytes: number; inodes: number } {
    return { bytes: this.#sb.quota.bytes, inodes: this.#sb.quota.inodes };
  }

  /** What is kept of it beside that: see `keep`. */
  lent(): Amounts {
    return this.#sb.quota.lentAmounts;
  }

  /**
   * All of a file. EFBIG for one larger than the byte quota, which only a sparse file can
   * be, and for a device that never ends: neither may decide how much the host allocates.
   */
  readFile(who: Credentials, path: string): Buffer | Failure {
    const file = this.open(who, path, O_RDONLY, 0);
    if (isFailure(file)) return file;
    try {
      const { size } = file.stat();
      if (size > Math.min(this.#sb.limits.bytes, READ_FILE_BYTES)) return -Errno.EFBIG;
      const content = Buffer.alloc(size);
      const count = file.read(size === 0 ? Buffer.alloc(1) : content, -1);
      if (count < 0) return count;
      return count > size ? -Errno.EFBIG : content;
    } finally {
      file.unref();
    }
  }

  /** Opens with `flags` and writes all of `data`; what was written before a failure stays. */
  writeFile(
    who: Credentials,
    path: string,
    data: Uint8Array | string,
    flags: number,
    mode: number,
  ): 0 | Failure {
    const bytes = typeof data === "string" ? Buffer.from(data) : data;
    const file = this.open(who, path, flags, mode);
    if (isFailure(file)) return file;
    try {
      let done = 0;
      do {
        const count = file.write(done === 0 ? bytes : bytes.subarray(done), -1);
        if (count < 0) return count;
        done += count;
      } while (done < bytes.length);
      return 0;
    } finally {
      file.unref();
    }
  }
}

function* allChanges(
  overlays: readonly { overlay: Overlay; guestPath: string }[],
): Steps<OverlayChange[]> {
  const all: OverlayChange[] = [];
  for (const { overlay, guestPath } of overlays) {
    const changes = yield* changesOf(overlay, guestPath);
    if (typeof changes === "number") return changes;
    all.push(...changes);
  }
  return all;
}

function zero(made: Inode | 0 | Failure): 0 | Failure {
  return isFailure(made) ? made : 0;
}
