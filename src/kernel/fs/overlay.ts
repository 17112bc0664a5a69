/**
 * A directory of the host whose changes stay in the machine, shown at a place of the guest's tree: what is below is
 * only read, what is changed is copied up into memory, and what is removed is hidden.
 *
 * Owns: which names of the lower directory are hidden, and the way of a file or directory into memory.
 * Invariants: nothing of the host is changed; a directory of the lower one has at most one inode here at a time,
 * and that one is in its parent's entries as soon as something in it or of it was changed; what is copied
 * up, and each hidden name, is charged to the quota; what of a name lies below shows only while the name was
 * never changed.
 * Untrusted: names, and what the host has below, as for host-mount.ts.
 */
import { Errno, type Failure } from "../../abi/errno.js";
import type { Steps } from "../io/steps.js";
import type { Credentials } from "./credentials.js";
import { type HostMount } from "./host-mount.js";
import { HostDirectory, HostFile } from "./host-inodes.js";
import {
  type RoomForEntries,
  stepEntries,
  type Inode,
  type InodeAttributes,
  MemoryDirectory,
  RegularFile,
} from "./inode.js";
import { SymbolicLink } from "./special-files.js";
import type { DirectoryEntry, FileSystemStat } from "./file-stat.js";
import type { SuperBlock } from "./superblock.js";
import {
  lowerInode,
  copyTimes,
  LowerLink,
  LowerFile,
  nothing,
  LowerContent,
} from "./overlay-files.js";

/** include/uapi/linux/magic.h */
const OVERLAYFS_SUPER_MAGIC = 0x794c_7630;
/** One such mount. */
export class Overlay {
  readonly lower: HostMount;
  readonly device: number;
  readonly sb: SuperBlock;
  readonly root: OverlayDirectory;
  /** The inodes of lower directories, as long as somebody has them, by path. */
  readonly #directories = new Map<string, WeakRef<OverlayDirectory>>();
  /** Lower files that are open, by path. */
  readonly #open = new Map<string, Set<LowerContent>>();
  readonly #forgotten = new FinalizationRegistry<string>((path) => {
    if (this.#directories.get(path)?.deref() === undefined) this.#directories.delete(path);
  });

  /** With `source`, the root of one in the file system that this one was cloned from: what was changed there is so here. */
  constructor(lower: HostMount, device: number, sb: SuperBlock, source?: OverlayDirectory) {
    this.lower = lower;
    this.device = device;
    this.sb = sb;
    const below = lower.root as HostDirectory;
    this.root =
      source === undefined
        ? new OverlayDirectory(attributesOf(sb, below), { overlay: this, lowerPath: "" })
        : (sb.copyOf(source) as OverlayDirectory);
    this.root.become(this);
    if (source === undefined) copyTimes(below, this.root);
    this.root.mountRoot = true;
  }

  /** The inode of a lower directory that is called `name` in `parent`. */
  directoryOf(parent: OverlayDirectory, name: string, below: HostDirectory): OverlayDirectory {
    const { path } = below;
    const known = this.#directories.get(path)?.deref();
    if (known !== undefined && known.isOf(below)) return known;
    const made = new OverlayDirectory(attributesOf(this.sb, below), {
      overlay: this,
      lowerPath: path,
      lower: below,
    });
    copyTimes(below, made);
    made.parent = parent;
    made.name = name;
    this.#directories.set(path, new WeakRef(made));
    this.#forgotten.register(made, path);
    return made;
  }

  opened(path: string, content: LowerContent): void {
    const known = this.#open.get(path);
    if (known === undefined) this.#open.set(path, new Set([content]));
    else known.add(content);
  }

  closed(path: string, content: LowerContent): void {
    const known = this.#open.get(path);
    if (known?.delete(content) === true && known.size === 0) this.#open.delete(path);
  }

  /** A lower file has its copy: whoever has it open goes on with that. */
  copied(path: string, copy: RegularFile): void {
    for (const content of this.#open.get(path) ?? []) content.goOnWith(copy);
    this.#open.delete(path);
  }

  statfs(): FileSystemStat | Failure {
    return this.sb.statfs(OVERLAYFS_SUPER_MAGIC);
  }

  /** Gives back what is in memory, but for files that are open. */
  close(): void {
    this.lower.close();
    const todo = [this.root];
    for (let next = todo.pop(); next !== undefined; next = todo.pop())
      for (const directory of next.release()) todo.push(directory);
  }
}

function attributesOf(sb: SuperBlock, below: Inode): InodeAttributes {
  const { mode, uid, gid, birthtimeMs } = below;
  const ino = lowerInode(below);
  return { ino, permissions: mode, uid, gid, now: birthtimeMs, lineage: sb.lineage };
}

interface Below {
  overlay?: Overlay;
  /** In the lower directory, "" for itself; undefined where nothing is below. */
  lowerPath?: string | undefined;
  lower?: HostDirectory;
}

export class OverlayDirectory extends MemoryDirectory {
  #overlay: Overlay | undefined;
  readonly #lowerPath: string | undefined;
  #lower: HostDirectory | undefined;
  /** Names below that are not shown. */
  #hidden: Set<string> | undefined;
  /** Whether it is in its parent's entries. */
  #entered: boolean;

  constructor(attributes: InodeAttributes, { overlay, lowerPath, lower }: Below = {}) {
    super(attributes);
    this.#overlay = overlay;
    this.#lowerPath = lowerPath;
    this.#lower = lower;
    // One without anything below is made to be entered.
    this.#entered = lower === undefined;
  }

  /** It is the root of `overlay`. */
  become(overlay: Overlay): void {
    this.#overlay = overlay;
  }

  get overlay(): Overlay {
    this.#overlay ??= (this.parent as OverlayDirectory).overlay;
    return this.#overlay;
  }

  override get device(): number {
    return this.overlay.device;
  }

  get lowerPath(): string | undefined {
    return this.#lowerPath;
  }

  isOf(below: HostDirectory): boolean {
    return !this.removed && this.#lower?.ino === below.ino;
  }

  /** The host's directory below, unless it is gone. */
  get lower(): HostDirectory | undefined {
    if (this.#lowerPath === undefined) return undefined;
    const { lower: mount } = this.overlay;
    if (this.#lower?.mount === mount) return this.#lower;
    let at = mount.root as HostDirectory;
    for (const name of this.#lowerPath === "" ? [] : this.#lowerPath.split("/")) {
      const next = at.lookup(name);
      if (!(next instanceof HostDirectory)) return undefined;
      at = next;
    }
    this.#lower = at;
    return at;
  }

  /** What the host has of that name, if it is to be seen. */
  below(name: string): Inode | undefined | Failure {
    return this.#hidden?.has(name) === true ? undefined : this.lower?.lookup(name);
  }

  hiddenNames(): Iterable<string> {
    return this.#hidden ?? [];
  }

  override lookup(name: string): Inode | undefined {
    const own = super.lookup(name);
    if (own !== undefined) return own;
    const below = this.below(name);
    if (below === undefined) return undefined;
    // What the host does not let be seen is not there.
    if (typeof below === "number") return undefined;
    if (below instanceof HostDirectory) return this.overlay.directoryOf(this, name, below);
    if (below instanceof HostFile) return new LowerFile(this, name, below);
    return below instanceof SymbolicLink ? new LowerLink(this, name, below) : undefined;
  }

  /** What was made or changed here. */
  own(name: string): Inode | undefined {
    return super.lookup(name);
  }

  ownEntries(): DirectoryEntry[] {
    return super.list();
  }

  override list(): DirectoryEntry[] {
    const own = super.list();
    const below = this.lower?.list() ?? [];
    if (typeof below === "number") return own;
    const known = new Set(own.map(({ name }) => name));
    const seen = below.filter(({ name }) => !known.has(name) && this.#hidden?.has(name) !== true);
    return [...own, ...seen];
  }

  override *listing(who: Credentials, room: RoomForEntries): Steps<DirectoryEntry[]> {
    const below = yield* this.lower?.listing(who, room) ?? nothing();
    const own = yield* super.listing(who, room);
    if (typeof own === "number" || typeof below === "number") return own;
    const known = new Set<string>();
    for (const { name } of own) known.add(name);
    for (let at = 0; at < below.length; at++) {
      if (at % stepEntries === stepEntries - 1) yield undefined;
      const { name } = below[at]!;
      if (!known.has(name) && this.#hidden?.has(name) !== true) own.push(below[at]!);
    }
    return own;
  }

  override get isEmpty(): boolean {
    if (!super.isEmpty) return false;
    const below = this.lower?.list() ?? [];
    return typeof below !== "number" && below.every(({ name }) => this.#hidden?.has(name));
  }

  override holds(name: string): boolean {
    return super.lookup(name) !== undefined;
  }

  override prepare(): 0 | Failure {
    if (this.removed) return -Errno.ENOENT;
    if (this.#entered) return 0;
    const parent = this.parent as OverlayDirectory;
    const failed = parent.prepare();
    if (failed !== 0) return failed;
    const { quota } = this.overlay.sb;
    if (!quota.takeName()) return -Errno.ENOSPC;
    if (!quota.takeInode()) {
      quota.giveName();
      return -Errno.ENOSPC;
    }
    parent.enter(this.name, this);
    parent.nlink++;
    this.#entered = true;
    return 0;
  }

  override hide(name: string): 0 | Failure {
    const below = this.below(name);
    if (below === undefined) return 0;
    if (!this.overlay.sb.quota.takeName()) return -Errno.ENOSPC;
    this.keep();
    (this.#hidden ??= new Set()).add(name);
    return 0;
  }

  override forChange(): Inode | Failure {
    const failed = this.prepare();
    return failed === 0 ? this : failed;
  }

  override newDirectory(attributes: InodeAttributes): MemoryDirectory {
    return new OverlayDirectory(attributes);
  }

  protected override twin(attributes: InodeAttributes): MemoryDirectory {
    const made = new OverlayDirectory(attributes, { lowerPath: this.#lowerPath });
    if (this.#hidden !== undefined) made.#hidden = new Set(this.#hidden);
    return made;
  }

  /** Lets go of what is in it; answers the directories among that. */
  release(): OverlayDirectory[] {
    const { sb } = this.overlay;
    for (const _ of this.hiddenNames()) sb.quota.giveName();
    this.#hidden = undefined;
    const directories: OverlayDirectory[] = [];
    for (const { name } of this.ownEntries()) {
      const inode = this.own(name)!;
      this.drop(name);
      sb.quota.giveName();
      if (inode instanceof OverlayDirectory) {
        // It finds its mount by its parent otherwise.
        inode.become(this.overlay);
        directories.push(inode);
        inode.nlink = 0;
      } else inode.nlink--;
      sb.evictIfUnused(inode);
    }
    return directories;
  }
}
