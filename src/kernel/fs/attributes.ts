/**
 * Changing attributes of an inode, by path or by open file alike (notify_change in Linux).
 *
 * Owns: validation and permission rules of chmod, chown, utimes and truncate.
 * Invariant: a refused change leaves the inode as it was.
 * Untrusted: every number; anything but what Linux could be passed is EINVAL.
 */
import { Errno, type Failure } from "../../abi/errno.js";
import { S_IFMT, S_ISGID, S_ISUID } from "../../abi/fcntl.js";
import { type Identity, owns } from "./credentials.js";
import { Directory, type Inode, RegularFile } from "./inode.js";
import type { SuperBlock } from "./superblock.js";

const UNCHANGED = 0xffff_ffff;
/** Farthest time a Date can hold, in either direction. */
const TIME_LIMIT_MS = 8.64e15;

/** Whether `value` could be a C unsigned int. */
export function isUnsigned(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 0xffff_ffff;
}

export function changeMode(sb: SuperBlock, found: Inode, who: Identity, mode: number): 0 | Failure {
  if (!isUnsigned(mode)) return -Errno.EINVAL;
  if (found.readOnly) return -Errno.EROFS;
  if (!owns(found, who)) return -Errno.EPERM;
  const inode = found.forChange();
  if (typeof inode === "number") return inode;
  if (inode.external !== undefined) return inode.external.setMode(mode & 0o7777);
  const outsider = who.uid !== 0 && who.gid !== inode.gid;
  const permissions = mode & 0o7777 & (outsider ? ~S_ISGID : ~0);
  inode.mode = (inode.mode & S_IFMT) | permissions;
  inode.changed(sb.now());
  return 0;
}

/** -1, also written as 0xffffffff, leaves an id as it is. */
export function changeOwner(
  sb: SuperBlock,
  found: Inode,
  who: Identity,
  uid: number,
  gid: number,
): 0 | Failure {
  if (!(uid === -1 || isUnsigned(uid)) || !(gid === -1 || isUnsigned(gid))) return -Errno.EINVAL;
  if (found.readOnly) return -Errno.EROFS;
  const newUid = uid === -1 || uid === UNCHANGED ? undefined : uid;
  const newGid = gid === -1 || gid === UNCHANGED ? undefined : gid;
  if (who.uid !== 0) {
    const isOwner = who.uid === found.uid;
    if (newUid !== undefined && !(isOwner && newUid === found.uid)) return -Errno.EPERM;
    const member = newGid === found.gid || newGid === who.gid;
    if (newGid !== undefined && !(isOwner && member)) return -Errno.EPERM;
  }
  const inode = found.forChange();
  if (typeof inode === "number") return inode;
  if (inode.external !== undefined) return inode.external.setOwner(newUid, newGid);
  if (!(inode instanceof Directory)) dropPrivileges(inode, who);
  inode.uid = newUid ?? inode.uid;
  inode.gid = newGid ?? inode.gid;
  inode.changed(sb.now());
  return 0;
}

/** Clears the set-id bits a change of owner or content by `who` must not keep. */
export function dropPrivileges(inode: Inode, who: Identity): void {
  if ((inode.mode & (S_ISUID | S_ISGID)) === 0) return;
  const outsider = who.uid !== 0 && who.gid !== inode.gid;
  const dropsGroup = (inode.mode & 0o010) !== 0 || outsider;
  inode.mode &= ~(dropsGroup ? S_ISUID | S_ISGID : S_ISUID);
}

export function changeTimes(
  sb: SuperBlock,
  found: Inode,
  who: Identity,
  atimeMs: number,
  mtimeMs: number,
): 0 | Failure {
  if (!isTime(atimeMs) || !isTime(mtimeMs)) return -Errno.EINVAL;
  if (found.readOnly) return -Errno.EROFS;
  if (!owns(found, who)) return -Errno.EPERM;
  const inode = found.forChange();
  if (typeof inode === "number") return inode;
  if (inode.external !== undefined) return inode.external.setTimes(atimeMs, mtimeMs);
  inode.atimeMs = atimeMs;
  inode.mtimeMs = mtimeMs;
  inode.changed(sb.now());
  return 0;
}

function isTime(value: unknown): boolean {
  return typeof value === "number" && Math.abs(value) <= TIME_LIMIT_MS;
}

/** Sets the length of a file the caller may write. */
export function changeLength(
  sb: SuperBlock,
  inode: Inode,
  who: Identity,
  length: number,
): 0 | Failure {
  if (!Number.isInteger(length) || length < 0) return -Errno.EINVAL;
  if (!(inode instanceof RegularFile)) return -Errno.EINVAL;
  if (length > sb.limits.fileBytes) return -Errno.EFBIG;
  inode.resize(length);
  if (who.uid !== 0) dropPrivileges(inode, who);
  inode.modified(sb.now());
  return 0;
}
