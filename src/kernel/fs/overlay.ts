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
import { S_IFMT, S_IFREG } from "../../abi/fcntl.js";
import { ask } from "../io/attempt.js";
import { inSteps } from "../io/steps.js";
import type { Steps } from "../io/steps.js";
import type { Credentials } from "./credentials.js";
import { HostDirectory, HostFile, type HostMount } from "./host-mount.js";
import {
  type DirectoryEntry,
  type RoomForEntries,
  stepEntries,
  ExternalFile,
  type FileStat,
  type FileSystemStat,
  type Inode,
  type InodeAttributes,
  MemoryDirectory,
  type OpenContent,
  RegularFile,
  SymbolicLink,
} from "./inode.js";
import { ReadOnlyContent } from "./read-only-content.js";
import type { SuperBlock } from "./superblock.js";

/** include/uapi/linux/magic.h */
const OVERLAYFS_SUPER_MAGIC = 0x794c_7630;
/** Larger files are copied up in steps, beside other work. */
const atOnceBytes = 1024 * 1024;
const chunkBytes = 256 * 1024;
const chunk = Buffer.allocUnsafeSlow(chunkBytes);
/** Inode numbers of the host's begin here, so that they are nobody's in memory. */
const firstLowerInode = 2 ** 48;

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

function lowerInode({ ino }: Pick<Inode, "ino">): number {
  return firstLowerInode + (ino % firstLowerInode);
}

function copyTimes(from: Inode, to: Inode): void {
  to.atimeMs = from.atimeMs;
  to.mtimeMs = from.mtimeMs;
  to.ctimeMs = from.ctimeMs;
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

/** The name of something of the host's that is no directory. */
interface LowerName {
  readonly directory: OverlayDirectory;
  readonly name: string;
}

/** Shows what the host has under the attributes of an inode here. */
function present(inode: Inode, below: Inode): void {
  inode.ino = lowerInode(below);
  inode.mode = below.mode;
  inode.uid = below.uid;
  inode.gid = below.gid;
  inode.nlink = below.nlink;
  inode.atimeMs = below.atimeMs;
  inode.mtimeMs = below.mtimeMs;
  inode.ctimeMs = below.ctimeMs;
  inode.birthtimeMs = below.birthtimeMs;
}

/** Enters a copy of what is below in its place, which has to be free. */
function enterCopy(
  sb: SuperBlock,
  { directory, name }: LowerName,
  copy: Inode,
  below: Inode,
): void {
  copy.uid = below.uid;
  copy.gid = below.gid;
  copy.mode = below.mode;
  copy.ino = lowerInode(below);
  copyTimes(below, copy);
  copy.birthtimeMs = below.birthtimeMs;
  directory.enter(name, copy);
  copy.nlink++;
  if (copy instanceof RegularFile) directory.overlay.copied(lowerPathOf({ directory, name }), copy);
  sb.watches.renamed(directory, name);
}

function lowerPathOf({ directory, name }: LowerName): string {
  return `${directory.lowerPath ?? ""}/${name}`;
}

/** Copies something up, if nobody has; `make` takes from the quota what it makes. */
function copyUp(
  at: LowerName,
  below: Inode,
  make: (sb: SuperBlock) => Inode | Failure,
): Inode | Failure {
  const { directory, name } = at;
  const failed = directory.prepare();
  if (failed !== 0) return failed;
  const present = directory.own(name);
  if (present !== undefined) return present;
  // Taken away meanwhile.
  if (directory.below(name) === undefined) return -Errno.ENOENT;
  const { sb } = directory.overlay;
  if (!sb.quota.takeName()) return -Errno.ENOSPC;
  const made = make(sb);
  if (typeof made === "number") {
    sb.quota.giveName();
    return made;
  }
  enterCopy(sb, at, made, below);
  return made;
}

class LowerLink extends SymbolicLink {
  readonly #at: LowerName;
  readonly #below: SymbolicLink;

  constructor(directory: OverlayDirectory, name: string, below: SymbolicLink) {
    super({ ino: 0, permissions: 0, uid: 0, gid: 0, now: 0 }, below.target);
    this.#at = { directory, name };
    this.#below = below;
    present(this, below);
  }

  override get device(): number {
    return this.#at.directory.device;
  }

  override accessed(): void {}

  override forChange(): Inode | Failure {
    const { directory } = this.#at;
    return copyUp(this.#at, this.#below, (sb) => {
      const made = sb.makeSymbolicLink(this.#below, directory, this.target);
      return made ?? -Errno.ENOSPC;
    });
  }
}

/** A file of the host as long as nobody changes it. */
export class LowerFile extends ExternalFile {
  readonly #at: LowerName;
  readonly #below: HostFile;

  constructor(directory: OverlayDirectory, name: string, below: HostFile) {
    super(below.mode & S_IFMT, { ino: 0, permissions: 0, uid: 0, gid: 0, now: 0 });
    this.#at = { directory, name };
    this.#below = below;
    present(this, below);
  }

  override get device(): number {
    return this.#at.directory.device;
  }

  get size(): number {
    return this.#below.size;
  }

  override get stored(): number {
    return this.#below.stored;
  }

  override accessed(): void {}

  open(flags: number, who: Credentials): OpenContent | Failure {
    const content = this.#below.open(flags, who);
    if (typeof content === "number") return content;
    return new LowerContent(this.#at, this, content);
  }

  /** Content that is about to be emptied is not copied. */
  override forChange(empties = false): Inode | Failure {
    const at = this.#at;
    const below = this.#below;
    if ((below.mode & S_IFMT) !== S_IFREG) return -Errno.EPERM;
    const { directory, name } = at;
    if (!empties && below.size > atOnceBytes && directory.own(name) === undefined) {
      const failed = directory.prepare();
      if (failed !== 0) return failed;
      const { account } = directory.overlay.sb;
      const key = `copy up ${below.ino} ${name}`;
      const copied = ask<0>(key, false, () => inSteps<0>(account, copyUpInSteps(at, below)));
      if (copied !== 0) return copied;
    }
    return copyUp(at, below, (sb) => {
      const made = sb.makeFile(below, directory, 0o600);
      if (made === undefined) return -Errno.ENOSPC;
      const steps = empties ? noContent() : contentOf(below, made);
      for (let one = steps.next(); ; one = steps.next()) {
        if (one.done !== true) continue;
        if (one.value === 0) return made;
        abandon(sb, made);
        return one.value;
      }
    });
  }
}

// eslint-disable-next-line require-yield
function* nothing(): Steps<DirectoryEntry[]> {
  return [];
}

// eslint-disable-next-line require-yield
function* noContent(): Steps<0> {
  return 0;
}

function abandon(sb: SuperBlock, made: RegularFile): void {
  made.nlink = 0;
  sb.evictIfUnused(made);
}

/** Fills `to` with what the host's file holds. */
function* contentOf(below: HostFile, to: RegularFile): Steps<0> {
  const content = below.open(0, { uid: 0, gid: 0, umask: 0, cwd: "/" });
  if (typeof content === "number") return content;
  try {
    for (let at = 0; ;) {
      const read = content.read(chunk, at);
      if (read <= 0) return read as 0;
      if (to.write(chunk.subarray(0, read), at) < read) return -Errno.ENOSPC;
      at += read;
      yield undefined;
    }
  } finally {
    content.close();
  }
}

function* copyUpInSteps(at: LowerName, below: HostFile): Steps<0> {
  const { directory, name } = at;
  const { sb } = directory.overlay;
  const made = sb.makeFile(below, directory, 0o600);
  if (made === undefined) return -Errno.ENOSPC;
  let entered = false;
  try {
    const failed = yield* contentOf(below, made);
    if (failed !== 0) return failed;
    // Somebody may have been quicker, or have taken it away.
    if (directory.own(name) !== undefined) return 0;
    if (directory.removed || directory.below(name) === undefined) return -Errno.ENOENT;
    if (!sb.quota.takeName()) return -Errno.ENOSPC;
    enterCopy(sb, at, made, below);
    entered = true;
    return 0;
  } finally {
    if (!entered) abandon(sb, made);
  }
}

/** An open file of the host, until it has a copy; then that. */
class LowerContent extends ReadOnlyContent {
  readonly #overlay: Overlay;
  readonly #path: string;
  readonly #inode: LowerFile;
  readonly #content: OpenContent;
  #copy: RegularFile | undefined;

  constructor(at: LowerName, inode: LowerFile, content: OpenContent) {
    super();
    this.#overlay = at.directory.overlay;
    this.#path = lowerPathOf(at);
    this.#inode = inode;
    this.#content = content;
    this.#overlay.opened(this.#path, this);
  }

  goOnWith(copy: RegularFile): void {
    this.#copy = copy;
    copy.opens++;
    this.#content.close();
  }

  read(target: Uint8Array, position: number): number | Failure {
    return this.#copy?.pages.read(target, position) ?? this.#content.read(target, position);
  }

  stat(): FileStat {
    if (this.#copy !== undefined) return this.#copy.stat();
    const { device: dev, ino } = this.#inode;
    return { ...this.#content.stat(), dev, ino };
  }

  close(): void {
    const copy = this.#copy;
    if (copy === undefined) {
      this.#overlay.closed(this.#path, this);
      return this.#content.close();
    }
    copy.opens--;
    this.#overlay.sb.evictIfUnused(copy);
  }
}
