/**
 * Who calls, and what the permission bits allow them.
 *
 * Owns: the discretionary access checks, as inode_permission() and friends in Linux.
 * Invariant: uid 0 passes every check except executing what nobody may execute.
 * Untrusted: the guest chooses paths and modes, never credentials; those are the
 * kernel's record of the calling process. There are no supplementary groups.
 */
import type { Failure } from "../../abi/errno.js";
import { R_OK, S_IFDIR, S_IFMT, S_ISVTX, W_OK, X_OK } from "../../abi/fcntl.js";
import type { Directory, Inode } from "./inode.js";
import type { Location } from "./path-walk.js";

export interface Credentials {
  uid: number;
  gid: number;
  umask: number;
  /** Absolute path; relative paths start here. */
  cwd: string;
  /** The calling process, which /proc/self leads to. */
  readonly pid?: number;
  /** Set where somebody stronger than the guest acts on paths in which the guest may have put links. */
  readonly links?: LinkGuard;
  /** Set while a judged call runs: it goes where these lead, and nowhere else. */
  walks?: Walks | undefined;
}

/** The kernel itself: what it does for no process. */
export const rootOwner = Object.freeze({ uid: 0, gid: 0 });
/** The host, who sets up what a machine has and may not have: no guest's user is in its way. */
export const hostCredentials: Credentials = Object.freeze({ ...rootOwner, umask: 0o022, cwd: "/" });
export const kernelCredentials: Credentials = Object.freeze({ ...rootOwner, umask: 0, cwd: "/" });

/** The walks of one system call, made before the policy was asked about where they lead. */
export type Walks = readonly {
  readonly path: string;
  readonly last: number;
  readonly found: Location | Failure;
}[];

/**
 * Links that a guest may have made lead only to what lies below their own directory; another one
 * ends the walk with ELOOP and is named here.
 */
export interface LinkGuard {
  refused?: string;
}

/** Only the identity, for calls that walk no path. */
export type Identity = Pick<Credentials, "uid" | "gid">;

/** Whether `who` has all the R_OK | W_OK | X_OK rights in `wanted`. */
export function permits(
  inode: Pick<Inode, "mode" | "uid" | "gid">,
  who: Identity,
  wanted: number,
): boolean {
  if (who.uid === 0) {
    const executable = (inode.mode & S_IFMT) === S_IFDIR || (inode.mode & 0o111) !== 0;
    return (wanted & X_OK) === 0 || executable;
  }
  const shift = who.uid === inode.uid ? 6 : who.gid === inode.gid ? 3 : 0;
  return ((inode.mode >> shift) & wanted & 7) === wanted;
}

export function permitsSearch(directory: Directory, who: Identity): boolean {
  return permits(directory, who, X_OK);
}

export function permitsEntryChange(directory: Directory, who: Identity): boolean {
  return permits(directory, who, W_OK | X_OK);
}

export function owns(inode: Inode, who: Identity): boolean {
  return who.uid === 0 || who.uid === inode.uid;
}

/** In a sticky directory only the owner of the entry or of the directory removes it. */
export function stickyForbids(directory: Directory, victim: Inode, who: Identity): boolean {
  return (directory.mode & S_ISVTX) !== 0 && !owns(directory, who) && !owns(victim, who);
}

/** protected_hardlinks: a link keeps a file alive, so strangers need full access to make one. */
export function permitsLink(inode: Inode, who: Identity): boolean {
  if (owns(inode, who)) return true;
  const plain = inode.type === 8 && (inode.mode & 0o4000) === 0 && (inode.mode & 0o2010) !== 0o2010;
  return plain && permits(inode, who, R_OK | W_OK);
}
