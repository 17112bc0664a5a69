/**
 * rename(2), in the order of checks of do_renameat2() and vfs_rename().
 *
 * Owns: nothing beyond the rules.
 * Invariants: no name moves from one file system to another; the tree stays a tree (no directory moves below itself); a refused
 * rename changes nothing; a replaced inode lives on while it is open.
 * Untrusted: both paths.
 */
import { Errno, type Failure } from "../../abi/errno.js";
import { W_OK } from "../../abi/fcntl.js";
import { type Credentials, permits } from "./credentials.js";
import { inMemory, mayCreate, mayDelete, move, remove } from "./dentry.js";
import { Directory, MemoryDirectory } from "./inode.js";
import { ExternalDirectory } from "./external-file.js";
import { isFailure, Last, walk } from "./path-walk.js";
import type { SuperBlock } from "./superblock.js";

export function rename(sb: SuperBlock, who: Credentials, from: string, to: string): 0 | Failure {
  const source = walk(sb, who, from, Last.Entry);
  if (isFailure(source)) return source;
  const target = walk(sb, who, to, Last.Entry);
  if (isFailure(target)) return target;
  if (source.parent.device !== target.parent.device) return -Errno.EXDEV;
  if (source.kind !== "name" || target.kind !== "name") return -Errno.EBUSY;

  const moved = source.inode;
  const replaced = target.inode;
  if (source.parent.readOnly) return -Errno.EROFS;
  if (moved === undefined) return -Errno.ENOENT;
  const isDirectory = moved instanceof Directory;
  if (!isDirectory && (source.slash || target.slash)) return -Errno.ENOTDIR;
  if (isDirectory && isInside(target.parent, moved)) return -Errno.EINVAL;
  if (replaced instanceof Directory && isInside(source.parent, replaced)) return -Errno.ENOTEMPTY;
  if (moved === replaced) return 0;

  const refused =
    mayDelete(source.parent, moved, who, isDirectory) ||
    (replaced === undefined
      ? mayCreate(target.parent, who)
      : mayDelete(target.parent, replaced, who, isDirectory));
  if (refused !== 0) return refused;
  if (moved.mountRoot || replaced?.mountRoot === true) return -Errno.EBUSY;
  // Moving a directory rewrites its "..".
  if (isDirectory && source.parent !== target.parent && !permits(moved, who, W_OK))
    return -Errno.EACCES;
  if (source.parent instanceof ExternalDirectory)
    return source.parent.moveEntry(source.name, target.parent, target.name);
  if (replaced instanceof MemoryDirectory && !replaced.isEmpty) return -Errno.ENOTEMPTY;

  const [oldParent, newParent] = [inMemory(source.parent), inMemory(target.parent)];
  const unready = oldParent.prepare() || newParent.prepare();
  if (unready !== 0) return unready;
  const inode = moved.forChange();
  if (isFailure(inode)) return inode;
  const failed = replaced === undefined ? 0 : remove(sb, target.parent, target.name, replaced);
  // From here on its name is only moved: something below it would show.
  const shown = failed || oldParent.hide(source.name);
  if (shown !== 0) return shown;
  move(sb, oldParent, source.name, newParent, target.name, inode);
  return 0;
}

/** Whether `directory` is `ancestor` or somewhere below it. */
function isInside(directory: Directory, ancestor: Directory): boolean {
  let at = directory;
  while (at !== ancestor && at !== at.parent) at = at.parent;
  return at === ancestor;
}
