/**
 * Directory entries: adding, removing and replacing names.
 *
 * Owns: link counts, entry quota, directory times, and who may change entries.
 * Invariant: an entry and the counts it implies (nlink of the inode, nlink of the
 * parent for "..", the name quota) change together or not at all.
 * Untrusted: names, which the path walk has bounded; they are only Map keys.
 */
import { Errno, type Failure } from "../../abi/errno.js";
import {
  type Credentials,
  type Identity,
  permitsEntryChange,
  stickyForbids,
} from "./credentials.js";
import { Directory, type Inode, MemoryDirectory } from "./inode.js";
import type { SymbolicLink } from "./special-files.js";
import { ExternalDirectory } from "./external-file.js";
import { isFailure, Last, type Location, walk } from "./path-walk.js";
import { detached, type SuperBlock } from "./superblock.js";

/** Walks to where a new entry is to be made (filename_create): it must not exist yet. */
export function walkToNew(
  sb: SuperBlock,
  who: Credentials,
  path: string,
  directory: boolean,
): Location | Failure {
  const at = walk(sb, who, path, Last.Entry);
  if (isFailure(at)) return at;
  if (at.kind !== "name" || at.inode !== undefined) return -Errno.EEXIST;
  if (at.slash && !directory) return -Errno.ENOENT;
  return at;
}

export function mayCreate(directory: Directory, who: Identity): 0 | Failure {
  if (directory.readOnly) return -Errno.EROFS;
  if (directory.removed) return -Errno.ENOENT;
  return permitsEntryChange(directory, who) ? 0 : -Errno.EACCES;
}

/** Whether `who` may take `victim` out of `parent`, expecting a directory or anything else. */
export function mayDelete(
  parent: Directory,
  victim: Inode,
  who: Identity,
  asDirectory: boolean,
): 0 | Failure {
  if (parent.readOnly) return -Errno.EROFS;
  if (!permitsEntryChange(parent, who)) return -Errno.EACCES;
  if (stickyForbids(parent, victim, who)) return -Errno.EPERM;
  if (asDirectory) return victim instanceof Directory ? 0 : -Errno.ENOTDIR;
  return victim instanceof Directory ? -Errno.EISDIR : 0;
}

/** Makes an inode in memory and its first name; the room for both is taken first. */
export function create<T extends Inode>(
  sb: SuperBlock,
  parent: MemoryDirectory,
  name: string,
  make: () => T | undefined,
): T | Failure {
  const unready = parent.prepare();
  if (unready !== 0) return unready;
  if (!sb.quota.takeName()) return -Errno.ENOSPC;
  const inode = make();
  if (inode === undefined) {
    sb.quota.giveName();
    return -Errno.ENOSPC;
  }
  attach(sb, parent, name, inode);
  return inode;
}

/** A directory in memory, by what it is rather than by what is asked of it. */
export function inMemory(directory: Directory): MemoryDirectory {
  if (directory instanceof MemoryDirectory) return directory;
  throw new TypeError(`directory ${directory.name} of device ${directory.device} is not in memory`);
}

export function createDirectory(
  sb: SuperBlock,
  who: Identity,
  parent: Directory,
  name: string,
  permissions: number,
): Directory | Failure {
  if (parent instanceof ExternalDirectory) return parent.createDirectory(name, permissions);
  return create(sb, inMemory(parent), name, () => sb.makeDirectory(who, parent, permissions));
}

export function createSymbolicLink(
  sb: SuperBlock,
  who: Identity,
  parent: Directory,
  name: string,
  target: string,
): SymbolicLink | 0 | Failure {
  if (parent instanceof ExternalDirectory) return parent.createSymbolicLink(name, target);
  return create(sb, inMemory(parent), name, () => sb.makeSymbolicLink(who, parent, target));
}

/** Another name for an inode that is no directory. */
export function addLink(
  sb: SuperBlock,
  parent: Directory,
  name: string,
  found: Inode,
): 0 | Failure {
  if (parent instanceof ExternalDirectory) return parent.addLink(name, found);
  const unready = inMemory(parent).prepare();
  if (unready !== 0) return unready;
  const inode = found.forChange();
  if (typeof inode === "number") return inode;
  if (inode.nlink >= sb.limits.links) return -Errno.EMLINK;
  if (!sb.quota.takeName()) return -Errno.ENOSPC;
  attach(sb, inMemory(parent), name, inode);
  inode.changed(sb.now());
  return 0;
}

/** Enters a name whose quota has been taken. */
function attach(sb: SuperBlock, parent: MemoryDirectory, name: string, inode: Inode): void {
  const key = detached(name);
  parent.enter(key, inode);
  if (inode instanceof Directory) {
    inode.parent = parent;
    inode.name = key;
    parent.nlink++;
  } else inode.nlink++;
  parent.modified(sb.now());
  sb.watches.renamed(parent, key);
}

/** Takes a name away; a directory must be empty. Evicts what nothing refers to any more. */
export function remove(sb: SuperBlock, parent: Directory, name: string, inode: Inode): 0 | Failure {
  if (inode.mountRoot) return -Errno.EBUSY;
  if (parent instanceof ExternalDirectory)
    return parent.removeEntry(name, inode instanceof Directory);
  const directory = inMemory(parent);
  const unready = directory.prepare() || directory.hide(name);
  if (unready !== 0) return unready;
  const isOwn = directory.holds(name);
  if (isOwn) {
    directory.drop(name);
    sb.quota.giveName();
  }
  if (inode instanceof Directory) {
    inode.nlink = 0;
    if (isOwn) parent.nlink--;
  } else if (isOwn) inode.nlink--;
  const now = sb.now();
  inode.changed(now);
  parent.modified(now);
  sb.watches.renamed(parent, name);
  if (inode.nlink === 0) sb.watches.moved(inode);
  if (isOwn) sb.evictIfUnused(inode);
  return 0;
}

/** Moves an entry to a free place of the same file system, keeping its inode and its quota. */
export function move(
  sb: SuperBlock,
  from: MemoryDirectory,
  oldName: string,
  to: MemoryDirectory,
  newName: string,
  inode: Inode,
): void {
  from.drop(oldName);
  if (inode instanceof Directory) from.nlink--;
  else inode.nlink--;
  sb.watches.renamed(from, oldName);
  attach(sb, to, newName, inode);
  const now = sb.now();
  from.modified(now);
  inode.changed(now);
  sb.watches.moved(inode);
}

export function removeDirectoryAt(
  sb: SuperBlock,
  who: Identity,
  parent: Directory,
  name: string,
  victim: Inode,
): 0 | Failure {
  const refused = mayDelete(parent, victim, who, true);
  if (refused !== 0) return refused;
  if (victim.mountRoot) return -Errno.EBUSY;
  if (victim instanceof MemoryDirectory && !victim.isEmpty) return -Errno.ENOTEMPTY;
  return remove(sb, parent, name, victim);
}
