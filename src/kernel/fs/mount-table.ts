/**
 * What is mounted where in one VM.
 *
 * Owns: the mounts, their device numbers, and the translation of links that
 * package managers make between directories of the host.
 * Invariants: a mount point is an inode in memory whose `covered` is the root of
 * the mount; that root's parent is the parent of the mount point, so that ".." and
 * paths need no table. No mount lies inside another.
 * Untrusted: link targets on the host, which are only ever turned into guest paths.
 */
import { hostCredentials, rootOwner } from "./credentials.js";
import { realpathSync, statSync } from "node:fs";
import { posix, resolve as resolveHost } from "node:path";
import { Errno, type Failure } from "../../abi/errno.js";
import { create, inMemory, walkToNew } from "./dentry.js";
import type { FileSystem } from "./file-system.js";
import { HostMount } from "./host-mount.js";
import { Directory, type Inode, MEMORY_DEVICE, MemoryDirectory } from "./inode.js";
import type { FileSystemStat } from "./file-stat.js";
import { Overlay } from "./overlay.js";
import { isFailure, Last, walk } from "./path-walk.js";
import { ProviderMount } from "./provider-mount.js";
import type { ProviderPlace } from "./provider-mount.js";
import type { SuperBlock } from "./superblock.js";
import { mkdirTree } from "./tree.js";

export interface MountRequest {
  /** Absolute and normal. */
  guestPath: string;
  /** Absolute path of a directory or regular file of the host. */
  hostPath?: string;
  /** That path is what lies below an overlay: changes stay in memory. */
  overlay?: boolean;
  /** What is mounted where there is no such path. */
  provided?: ProviderSource;
  /** In a clone: the file system in which the same is mounted, of whose overlay it has the changes. */
  source?: FileSystem;
  readOnly: boolean;
  /** Shows every file as executable. */
  executable?: boolean;
  /** Owner of what the mount shows as the guest's own, and of directories made to reach it. */
  uid: number;
  gid: number;
}

export interface MountEntry {
  readonly guestPath: string;
  readonly readOnly: boolean;
  /** As the third column of /proc/mounts. */
  readonly type: string;
  readonly device: number;
}

type ProviderSource = Pick<ProviderPlace, "provider" | "ask">;

/** What a mount of the host's can do beside being looked at. */
interface Mounted {
  readonly overlay?: Overlay;
  readonly mount: { readonly root: Inode; statfs(): FileSystemStat | Failure; close(): void };
  /** Of a mount of the host's files: the path as given, and without links. */
  readonly hostPaths: readonly string[];
  readonly type: string;
}

interface HostEntry extends MountEntry, Mounted {
  /** What it hides. */
  readonly point: Inode;
}

function isBelow(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory === "/" ? "/" : `${directory}/`);
}

export class MountTable {
  #hosts: HostEntry[] = [];
  readonly #others: MountEntry[] = [];
  #lastDevice = MEMORY_DEVICE;

  get entries(): readonly MountEntry[] {
    return [...this.#others, ...this.#hosts];
  }

  /** A device number for one more file system. */
  nextDevice(): number {
    return ++this.#lastDevice;
  }

  /** What was mounted as an overlay, and where. */
  get overlays(): { overlay: Overlay; guestPath: string }[] {
    return this.#hosts.flatMap(({ overlay, guestPath }) =>
      overlay === undefined ? [] : [{ overlay, guestPath }],
    );
  }

  /** `source`: the mounts of the file system that this one was cloned from. */
  add(sb: SuperBlock, request: MountRequest, source?: MountTable): 0 | Failure {
    const { guestPath, hostPath, readOnly, uid, gid } = request;
    if (
      this.entries.some(
        (one) => isBelow(guestPath, one.guestPath) || isBelow(one.guestPath, guestPath),
      )
    )
      return -Errno.EBUSY;
    const original = source?.overlays.find((one) => one.guestPath === guestPath)?.overlay;
    // Inodes that a clone has in common with its source have the device of that.
    const device = original?.device ?? this.nextDevice();
    this.#lastDevice = Math.max(this.#lastDevice, device);
    const mounted =
      hostPath === undefined
        ? provided(sb, request, device)
        : this.#host(sb, hostPath, request, device, original);
    if (isFailure(mounted)) return mounted;
    const point = cover(sb, guestPath, mounted.mount.root, { uid, gid });
    if (isFailure(point)) {
      mounted.mount.close();
      return point;
    }
    this.#hosts.push({ ...mounted, point, guestPath, readOnly, device });
    return 0;
  }

  #host(
    sb: SuperBlock,
    path: string,
    request: MountRequest,
    device: number,
    original?: Overlay,
  ): Mounted | Failure {
    const { executable = false, overlay: isOverlay = false, uid, gid } = request;
    const readOnly = isOverlay || request.readOnly;
    const given = resolveHost(path);
    let hostPath: string;
    let isDirectory: boolean;
    try {
      hostPath = realpathSync.native(given);
      const stat = statSync(hostPath);
      isDirectory = stat.isDirectory();
      if (!isDirectory && (isOverlay || !stat.isFile())) return -Errno.EINVAL;
    } catch (error) {
      return (error as NodeJS.ErrnoException).errno ?? -Errno.EIO;
    }
    const linkTarget = (directory: string, target: string): string =>
      this.#linkTarget(hostPath, directory, target);
    const options = {
      hostPath,
      readOnly,
      shownAsOwn: isOverlay || !readOnly,
      executable,
      device,
      uid,
      gid,
      linkTarget,
      superblock: sb,
    };
    const mount = HostMount.open(options, isDirectory);
    if (isFailure(mount)) return mount;
    const hostPaths = [...new Set([hostPath, given])];
    if (!isOverlay) return { mount, type: "host", hostPaths };
    const overlay = new Overlay(mount, device, sb, original?.root);
    return { mount: overlay, overlay, type: "overlay", hostPaths };
  }

  /**
   * Takes a mount of the host's away, in use or not: its open files stay open, everything else that
   * was reached through it answers EIO from then on. EINVAL when nothing is mounted there.
   */
  remove(guestPath: string): 0 | Failure {
    const entry = this.#hosts.find((one) => one.guestPath === guestPath);
    if (entry === undefined) return -Errno.EINVAL;
    this.#hosts = this.#hosts.filter((one) => one !== entry);
    entry.point.covered = undefined;
    entry.mount.close();
    return 0;
  }

  /** Mounts a file system of the kernel's own. */
  addInternal(
    sb: SuperBlock,
    guestPath: string,
    type: string,
    make: (device: number) => Directory,
  ): 0 | Failure {
    const device = this.nextDevice();
    const directory = make(device);
    directory.mountRoot = true;
    const point = cover(sb, guestPath, directory, rootOwner);
    if (isFailure(point)) return point;
    this.#others.push({ guestPath, readOnly: true, type, device });
    return 0;
  }

  statfs(device: number): FileSystemStat | Failure | undefined {
    if (device === MEMORY_DEVICE) return undefined;
    const host = this.#hosts.find((one) => one.device === device);
    if (host !== undefined) return host.mount.statfs();
    return { type: 0x9fa0, bsize: 4096, blocks: 0, bfree: 0, bavail: 0, files: 0, ffree: 0 };
  }

  close(): void {
    for (const { mount } of this.#hosts) mount.close();
  }

  /**
   * The guest's text for a link of the host in `directory`. A relative one that stays inside its
   * mount is kept; any other that ends inside a mount becomes that guest path; the rest is kept as
   * text, which the guest's path walk reads in the guest's own tree.
   */
  #linkTarget(ownRoot: string, directory: string, target: string): string {
    const absolute = posix.normalize(target.startsWith("/") ? target : `${directory}/${target}`);
    if (!target.startsWith("/") && isBelow(absolute, ownRoot)) return target;
    for (const { guestPath, hostPaths } of this.#hosts) {
      for (const hostPath of hostPaths) {
        if (isBelow(absolute, hostPath)) return guestPath + absolute.slice(hostPath.length);
      }
    }
    return target;
  }
}

function provided(
  sb: SuperBlock,
  { provided: source, readOnly, uid, gid }: MountRequest,
  device: number,
): Mounted | Failure {
  if (source === undefined) return -Errno.ENODEV;
  const place = { ...source, readOnly, device, uid, gid, superblock: sb };
  return { mount: new ProviderMount(place), type: "provider", hostPaths: [] };
}

/** Puts `covering` at `path`, making the mount point and, as `owner`, what leads to it; answers the point. */
function cover(
  sb: SuperBlock,
  path: string,
  covering: Inode,
  owner: { uid: number; gid: number },
): Inode | Failure {
  const slash = path.lastIndexOf("/");
  const made = mkdirTree(sb, hostCredentials, path.slice(0, slash) || "/", 0o755);
  if (isFailure(made) && made !== 0) return made;
  if (typeof made === "string") own(sb, made, path, owner);
  const present = walk(sb, hostCredentials, path, Last.Follow);
  if (isFailure(present)) return present;
  if (present.inode === undefined) {
    const at = walkToNew(sb, hostCredentials, path, false);
    if (isFailure(at)) return at;
    const parent = inMemory(at.parent);
    const point = create<Inode>(sb, parent, at.name, () =>
      covering instanceof Directory
        ? sb.makeDirectory(owner, parent, 0o755)
        : sb.makeFile(owner, parent, 0o644),
    );
    if (isFailure(point)) return point;
    return attach(point, parent, at.name, covering);
  }
  if (present.kind !== "name") return -Errno.EBUSY;
  const point = present.inode;
  if (point instanceof Directory !== covering instanceof Directory)
    return covering instanceof Directory ? -Errno.ENOTDIR : -Errno.EISDIR;
  if (point.device !== MEMORY_DEVICE) return -Errno.EBUSY;
  return attach(point, present.parent, present.name, covering);
}

function attach(point: Inode, parent: Directory, name: string, covering: Inode): Inode {
  point.covered = covering;
  if (covering instanceof Directory) {
    covering.parent = parent;
    covering.name = name;
  }
  return point;
}

/** Gives the directories from `first` on, but not `path` itself, to the guest's user. */
function own(
  sb: SuperBlock,
  first: string,
  path: string,
  owner: { uid: number; gid: number },
): void {
  for (let end = first.length; end !== -1 && end < path.length; end = path.indexOf("/", end + 1)) {
    const at = walk(sb, hostCredentials, path.slice(0, end), Last.Follow);
    if (isFailure(at) || !(at.inode instanceof MemoryDirectory)) return;
    at.inode.uid = owner.uid;
    at.inode.gid = owner.gid;
  }
}
