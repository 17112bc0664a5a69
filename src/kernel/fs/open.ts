/**
 * open(2), in the order of checks of path_openat(), do_open() and may_open().
 *
 * Owns: the meaning of the open flags.
 * Invariants: a file made by this call is opened whatever its own mode says; an open file is on
 * the account until its last reference is gone.
 * Untrusted: path, flags and mode. Flags without meaning here are kept and ignored,
 * as Linux does; O_TMPFILE and O_PATH are refused.
 */
import { Errno, type Failure } from "../../abi/errno.js";
import {
  O_ACCMODE,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_RDONLY,
  O_TRUNC,
  O_WRONLY,
  R_OK,
  W_OK,
} from "../../abi/fcntl.js";
import { changeLength, isUnsigned } from "./attributes.js";
import { type Credentials, owns, permits } from "./credentials.js";
import { CharacterDevice } from "./device.js";
import { create, inMemory, mayCreate } from "./dentry.js";
import { Directory, type Inode, RegularFile } from "./inode.js";
import { SocketFile, SymbolicLink } from "./special-files.js";
import { ExternalDirectory, ExternalFile } from "./external-file.js";
import { OpenFile } from "./open-file.js";
import { isFailure, Last, walk } from "./path-walk.js";
import type { SuperBlock } from "./superblock.js";

const O_NOATIME = 0o1000000;
const O_PATH = 0o10000000;
const O_TMPFILE_BIT = 0o20000000;

/** How open(2) takes the last component. */
export function lastOf(flags: number): Last {
  const creating = (flags & O_CREAT) !== 0;
  const noFollow = (flags & O_NOFOLLOW) !== 0 || (creating && (flags & O_EXCL) !== 0);
  if (noFollow) return creating ? Last.CreateNoFollow : Last.NoFollow;
  return creating ? Last.Create : Last.Follow;
}

export function open(
  sb: SuperBlock,
  who: Credentials,
  path: string,
  flags: number,
  mode: number,
): OpenFile | Failure {
  // As Linux has it: the file before the walk.
  if (!sb.admit(who, "file")) return -Errno.ENFILE;
  let opened: OpenFile | Failure = -Errno.EIO;
  try {
    opened = openCounted(sb, who, path, flags, mode);
  } finally {
    // Suspended, too.
    if (isFailure(opened)) sb.account.give("file");
  }
  return opened;
}

function openCounted(
  sb: SuperBlock,
  who: Credentials,
  path: string,
  flags: number,
  mode: number,
): OpenFile | Failure {
  if (!isUnsigned(flags) || !isUnsigned(mode)) return -Errno.EINVAL;
  const has = (flag: number): boolean => (flags & flag) !== 0;
  if (has(O_PATH)) return -Errno.EINVAL;
  if (has(O_TMPFILE_BIT)) return -Errno.EOPNOTSUPP;
  const creating = has(O_CREAT);
  if (creating && has(O_DIRECTORY)) return -Errno.EINVAL;

  const at = walk(sb, who, path, lastOf(flags));
  if (isFailure(at)) return at;

  if (at.inode === undefined) {
    if (!creating) return -Errno.ENOENT;
    const refused = mayCreate(at.parent, who);
    if (refused !== 0) return refused;
    const permissions = mode & 0o7777 & ~who.umask;
    if (at.parent instanceof ExternalDirectory) {
      const made = at.parent.createFile(at.name, flags, permissions, who);
      return isFailure(made) ? made : new OpenFile(sb, made.inode, flags, who, at, made.content);
    }
    const parent = inMemory(at.parent);
    const made = create(sb, parent, at.name, () => sb.makeFile(who, parent, permissions));
    return isFailure(made) ? made : new OpenFile(sb, made, flags, who, at);
  }

  if (creating && has(O_EXCL)) return -Errno.EEXIST;
  if (creating && at.inode instanceof Directory) return -Errno.EISDIR;
  if (has(O_DIRECTORY) && !(at.inode instanceof Directory)) return -Errno.ENOTDIR;
  const refused = mayOpen(at.inode, who, flags);
  if (refused !== 0) return refused;
  const writes = (flags & O_ACCMODE) !== O_RDONLY || has(O_TRUNC);
  const inode = writes ? at.inode.forChange(has(O_TRUNC)) : at.inode;
  if (isFailure(inode)) return inode;
  if (inode instanceof ExternalFile) {
    const content = inode.open(flags, who);
    return isFailure(content) ? content : new OpenFile(sb, inode, flags, who, at, content);
  }
  if (has(O_TRUNC) && inode instanceof RegularFile) {
    changeLength(sb, inode, who, 0);
    sb.watches.changed(inode, at);
  }
  return new OpenFile(sb, inode, flags, who, at);
}

function mayOpen(inode: Inode, who: Credentials, flags: number): 0 | Failure {
  const accessMode = flags & O_ACCMODE;
  let wanted = accessMode === O_RDONLY ? R_OK : accessMode === O_WRONLY ? W_OK : R_OK | W_OK;
  if ((flags & O_TRUNC) !== 0) wanted |= W_OK;
  if (inode instanceof SymbolicLink) return -Errno.ELOOP;
  if (inode instanceof Directory && (wanted & W_OK) !== 0) return -Errno.EISDIR;
  if (inode.readOnly && (wanted & W_OK) !== 0) return -Errno.EROFS;
  if (!permits(inode, who, wanted)) return -Errno.EACCES;
  if (inode instanceof SocketFile) return -Errno.ENXIO;
  if (inode instanceof CharacterDevice && inode.unopenable !== 0) return inode.unopenable;
  if ((flags & O_NOATIME) !== 0 && !owns(inode, who)) return -Errno.EPERM;
  return 0;
}
