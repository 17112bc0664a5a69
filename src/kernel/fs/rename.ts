/**
 * rename(2), in the order of checks of do_renameat2() and vfs_rename().
 *
 * Owns: nothing beyond the rules.
 * Invariants: the tree stays a tree (no directory moves below itself); a refused
 * rename changes nothing; a replaced inode lives on while it is open.
 * Untrusted: both paths.
 */
import { Errno, type Failure } from "../../abi/errno.js";
import { W_OK } from "../../abi/fcntl.js";
import { type Credentials, permits } from "./credentials.js";
import { mayCreate, mayDelete, move, remove } from "./dentry.js";
import { Directory, isInside } from "./inode.js";
import { isFailure, Last, walk } from "./path-walk.js";
import type { SuperBlock } from "./superblock.js";

export function rename(sb: SuperBlock, who: Credentials, from: string, to: string): 0 | Failure {
  const source = walk(sb, who, from, Last.Entry);
  if (isFailure(source)) return source;
  const target = walk(sb, who, to, Last.Entry);
  if (isFailure(target)) return target;
  if (source.kind !== "name" || target.kind !== "name") return -Errno.EBUSY;

  const moved = source.inode;
  const replaced = target.inode;
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
  // Moving a directory rewrites its "..".
  if (isDirectory && source.parent !== target.parent && !permits(moved, who, W_OK))
    return -Errno.EACCES;
  if (replaced instanceof Directory && replaced.entries.size > 0) return -Errno.ENOTEMPTY;

  if (replaced !== undefined) remove(sb, target.parent, target.name, replaced);
  move(sb, source.parent, source.name, target.parent, target.name, moved);
  return 0;
}
