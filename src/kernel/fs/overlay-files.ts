/**
 * Owns files and links of the host under an overlay, until somebody changes them: what they show, and how they are
 * copied up.
 *
 * Invariants: a copy takes its name at once, and only while the name is still what was copied; who has the file open
 * goes on with the copy. Untrusted: what guests write; names were walked before.
 */
import { Errno, type Failure } from "../../abi/errno.js";
import { S_IFMT, S_IFREG } from "../../abi/fcntl.js";
import { ask } from "../io/attempt.js";
import { inSteps } from "../io/steps.js";
import type { Steps } from "../io/steps.js";
import { kernelCredentials } from "./credentials.js";
import type { Credentials } from "./credentials.js";
import { HostFile } from "./host-inodes.js";
import { type Inode, RegularFile } from "./inode.js";
import { SymbolicLink } from "./special-files.js";
import { ExternalFile, type OpenContent, unknownAttributes } from "./external-file.js";
import type { DirectoryEntry, FileStat } from "./file-stat.js";
import { ReadOnlyContent } from "./read-only-content.js";
import type { SuperBlock } from "./superblock.js";
import type { Overlay, OverlayDirectory } from "./overlay.js";

/** Larger files are copied up in steps, beside other work. */
const atOnceBytes = 1024 * 1024;
const chunkBytes = 256 * 1024;
const chunk = Buffer.allocUnsafeSlow(chunkBytes);
/** Inode numbers of the host's begin here, so that they are nobody's in memory. */
const firstLowerInode = 2 ** 48;

export function lowerInode({ ino }: Pick<Inode, "ino">): number {
  return firstLowerInode + (ino % firstLowerInode);
}

export function copyTimes(from: Inode, to: Inode): void {
  to.atimeMs = from.atimeMs;
  to.mtimeMs = from.mtimeMs;
  to.ctimeMs = from.ctimeMs;
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

export class LowerLink extends SymbolicLink {
  readonly #at: LowerName;
  readonly #below: SymbolicLink;

  constructor(directory: OverlayDirectory, name: string, below: SymbolicLink) {
    super(unknownAttributes, below.target);
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
    super(below.mode & S_IFMT, unknownAttributes);
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
export function* nothing(): Steps<DirectoryEntry[]> {
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
  const content = below.open(0, kernelCredentials);
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
export class LowerContent extends ReadOnlyContent {
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
