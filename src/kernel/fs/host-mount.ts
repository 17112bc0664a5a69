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
 * its name leads to now; within a call, a directory that was found is not looked at again
 * until the call changes something. Files that are neither regular, directory nor link are
 * shown and never opened.
 * Untrusted: guests choose names, link targets, modes and times; the host's files
 * may have been put there by anybody.
 */
import { rootOwner } from "./credentials.js";
import { statfsSync, watch } from "node:fs";
import type { FSWatcher } from "node:fs";
import { decodeText } from "../../abi/byte-text.js";
import { Errno, type Failure } from "../../abi/errno.js";
import * as dirfd from "../../sandbox/dirfd.js";
import type { HostStat } from "../../sandbox/dirfd.js";
import type { Inode } from "./inode.js";
import type { FileSystemStat } from "./file-stat.js";
import type { Credentials } from "./credentials.js";
import type { SuperBlock } from "./superblock.js";
import type { WatchListener } from "./watch.js";
import { failureOf } from "./host-content.js";
import { HostDirectory, HostFile } from "./host-inodes.js";

/** Directories of one mount that are kept open. */
const OPEN_DIRECTORIES = 64;
/** Directories of one mount that one call remembers: more than a path has. */
const FOUND_DIRECTORIES = 64;

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
  superblock: Pick<SuperBlock, "account" | "admit" | "call">;
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
  /** By path, what the call `#foundBy` has found. */
  readonly #found = new Map<string, HostDirectory>();
  #foundBy = 0;

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

  /** A directory that the call in hand has come by. */
  found(path: string): HostDirectory | undefined {
    const { call } = this.options.superblock;
    return call !== 0 && call === this.#foundBy ? this.#found.get(path) : undefined;
  }

  /** Keeps it for the rest of the call, and answers it. */
  finds(directory: HostDirectory): HostDirectory {
    const { call } = this.options.superblock;
    if (call !== this.#foundBy) {
      this.#found.clear();
      this.#foundBy = call;
    }
    if (call !== 0 && this.#found.size < FOUND_DIRECTORIES)
      this.#found.set(directory.path, directory);
    return directory;
  }

  /** Names may lead elsewhere, or to other attributes, from now on. */
  changes(): void {
    this.#found.clear();
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
      const watcher = watch(`/proc/self/fd/${fd}`, { persistent: false, encoding: "buffer" });
      watcher.on("change", (type, entry) => {
        listener(
          type === "rename",
          isDirectory && entry instanceof Uint8Array ? decodeText(entry) : name,
        );
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
