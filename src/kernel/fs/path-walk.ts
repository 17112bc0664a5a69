/**
 * Path walking: from text to directory and last component, as namei.c in Linux.
 *
 * Owns: component parsing, "." and "..", symbolic links, search permission, and
 * the limits on names, paths and links.
 * Invariants: iterative, so depth costs no stack; work per walk is bounded by
 * `pathBytes * symlinkDepth`, and all walks of one system call together by `walkSteps`, after
 * which they answer ELOOP; no path leaves the root; for a caller
 * with a `LinkGuard`, no link of a guest's leads out of its own directory.
 * Untrusted: the path and every link target met on the way.
 */
import { posix } from "node:path";
import { canonicalText, textBytes } from "../../abi/byte-text.js";
import { Errno, type Failure } from "../../abi/errno.js";
import { type Credentials, type LinkGuard, type Walks, permitsSearch } from "./credentials.js";
import { Directory, type Inode } from "./inode.js";
import { SymbolicLink } from "./special-files.js";
import type { SuperBlock } from "./superblock.js";

/** What to do with the last component. */
export const enum Last {
  /** The object named: follow a link, even a dangling one, to its end. */
  Follow,
  /** The object named, not following a link unless a slash comes after it. */
  NoFollow,
  /** The entry itself, to be made, removed or renamed: never followed. */
  Entry,
  /** As Follow, for open(O_CREAT): no trailing slash allowed. */
  Create,
  /** As NoFollow, for open(O_CREAT) with O_EXCL or O_NOFOLLOW. */
  CreateNoFollow,
}

export type LastKind = "name" | "dot" | "dotdot" | "root";

export interface Location {
  /** Directory of the last component; meaningful as such for kind "name" only. */
  readonly parent: Directory;
  readonly name: string;
  readonly kind: LastKind;
  /** Whether slashes came after the last component. */
  readonly slash: boolean;
  /** `undefined` when the last component does not exist. */
  readonly inode: Inode | undefined;
}

const { normalize } = posix;
const SLASH = 47;

/** The checks of getname(): 0, or why no kernel would take this text as a path. */
export function checkPath(path: unknown, pathBytes: number): 0 | Failure {
  if (typeof path !== "string" || path.includes("\0")) return -Errno.EINVAL;
  if (path === "") return -Errno.ENOENT;
  if (path.length * 3 >= pathBytes && textBytes(path) >= pathBytes) return -Errno.ENAMETOOLONG;
  return 0;
}

export function isFailure(result: unknown): result is Failure {
  return typeof result === "number";
}

/** Where a relative path of `who` starts. */
export function startOf(sb: SuperBlock, who: Credentials, path: string): Directory | Failure {
  if (path.startsWith("/") || who.cwd === "/") return sb.root;
  const at = walkFrom(sb, who, sb.root, who.cwd, Last.Follow);
  if (isFailure(at)) return at;
  if (at.inode === undefined) return -Errno.ENOENT;
  return at.inode instanceof Directory ? at.inode : -Errno.ENOTDIR;
}

export function walk(
  sb: SuperBlock,
  who: Credentials,
  path: string,
  last: Last,
): Location | Failure {
  if (who.walks !== undefined) return walked(who.walks, path, last);
  const bad = checkPath(path, sb.limits.pathBytes);
  if (bad !== 0) return bad;
  const start = startOf(sb, who, path);
  return isFailure(start) ? start : walkFrom(sb, who, start, canonicalText(path), last);
}

/** A walk that was judged; one that was not is refused, whatever it would find. */
function walked(walks: Walks, path: string, last: Last): Location | Failure {
  for (const one of walks) if (one.last === last && one.path === path) return one.found;
  return -Errno.EACCES;
}

/** As `walk`, for an object that has to exist. */
export function walkToInode(
  sb: SuperBlock,
  who: Credentials,
  path: string,
  follow: boolean,
): Inode | Failure {
  const at = walk(sb, who, path, follow ? Last.Follow : Last.NoFollow);
  if (isFailure(at)) return at;
  return at.inode ?? -Errno.ENOENT;
}

/** What a call on a path touches. */
export interface Located {
  /** Absolute, without links, "." and "..". Where the walk fails, it goes on from there as written. */
  readonly path: string;
  /** What `walk` answers. */
  readonly found: Location | Failure;
}

/** Walks as a call on `path` does, and says in one where that leads; a failure when it is no path at all. */
export function locate(
  sb: SuperBlock,
  who: Credentials,
  path: string,
  last: Last,
): Located | Failure {
  const bad = checkPath(path, sb.limits.pathBytes);
  if (bad !== 0) return bad;
  const text = canonicalText(path);
  const start = startOf(sb, who, path);
  if (isFailure(start)) return { path: asWritten(who.cwd, text), found: start };
  const stopped: Stopped = { path: "" };
  const found = walkFrom(sb, who, start, text, last, stopped);
  if (isFailure(found)) return isFailure(stopped.path) ? found : { path: stopped.path, found };
  const where =
    found.kind === "name" ? childPath(found.parent, found.name) : pathOf(found.inode as Directory);
  return isFailure(where) ? where : { path: where, found };
}

/** Where a walk came to its end without having arrived. */
interface Stopped {
  path: string | Failure;
}

function asWritten(directory: string, rest: string): string {
  return normalize(`${directory}/${rest}`).replace(/(.)\/$/, "$1");
}

export function childPath(parent: Directory, name: string): string | Failure {
  const path = pathOf(parent);
  if (isFailure(path)) return path;
  return path === "/" ? `/${name}` : `${path}/${name}`;
}

/** Collects the directories that the beginnings of a path lead to. */
class Along {
  readonly directories: { end: number; directory: Directory }[] = [];
  #left = Infinity;

  constructor(private readonly pathLength: number) {}

  /** The walk is at `directory`, with `left` to go. */
  passes(directory: Directory, left: number): void {
    // What is left is an end of the path itself only if it is shorter than ever: else it is a link's.
    if (left >= this.#left) return;
    this.#left = left;
    this.directories.push({ end: this.pathLength - left, directory });
  }
}

/**
 * The directories above the last component of an absolute path, each with how much of the path
 * leads there, from the root on: what a walk for every beginning would find, in one.
 */
export function directoriesAlong(
  sb: SuperBlock,
  who: Credentials,
  path: string,
): readonly { end: number; directory: Directory }[] {
  const text = canonicalText(path);
  const along = new Along(text.length);
  walkFrom(sb, who, sb.root, text, Last.Entry, undefined, along);
  return along.directories;
}

/** Walks `path`, already checked, from `start`, or from the root when it begins with a slash. */
export function walkFrom(
  sb: SuperBlock,
  who: Credentials,
  start: Directory,
  path: string,
  last: Last,
  stopped?: Stopped,
  along?: Along,
): Location | Failure {
  const { nameBytes, symlinkDepth } = sb.limits;
  let text = path;
  let directory = text.charCodeAt(0) === SLASH ? sb.root : start;
  let at = afterSlashes(text, 0);
  let followed = 0;
  const fail = (errno: Failure): Failure => {
    if (stopped === undefined) return errno;
    const above = pathOf(directory);
    stopped.path = isFailure(above) ? above : asWritten(above, text.slice(at));
    return errno;
  };
  const fence = who.links && new Fence(who.links);
  const arrived = (location: Location): Location | Failure =>
    fence === undefined || fence.contains(location) ? location : fail(-Errno.ELOOP);
  if (at === text.length) return rootItself(directory);

  for (;;) {
    if (--sb.stepsLeft < 0) return fail(-Errno.ELOOP);
    if (fence?.passes(directory, text.length - at) === false) return fail(-Errno.ELOOP);
    if (!permitsSearch(directory, who)) return fail(-Errno.EACCES);
    along?.passes(directory, text.length - at);
    const slash = text.indexOf("/", at);
    const end = slash === -1 ? text.length : slash;
    const name = text.slice(at, end);
    const next = afterSlashes(text, end);
    const final = next === text.length;
    const trailing = final && end < text.length;

    if (name === "." || name === "..") {
      const target = name === "." ? directory : directory.parent;
      if (final) {
        const kind = name === "." ? "dot" : "dotdot";
        return arrived({ parent: directory, name, kind, slash: trailing, inode: target });
      }
      directory = target;
      at = next;
      continue;
    }

    if (trailing && (last === Last.Create || last === Last.CreateNoFollow))
      return fail(-Errno.EISDIR);
    if (name.length * 3 > nameBytes && textBytes(name) > nameBytes)
      return fail(-Errno.ENAMETOOLONG);
    const entry = directory.lookup(name, who);
    const inode = typeof entry === "object" && entry.covered !== undefined ? entry.top : entry;
    if (typeof inode === "number") return fail(inode);

    if (inode instanceof SymbolicLink && (!final || followsLast(last, trailing))) {
      if (++followed > symlinkDepth) return fail(-Errno.ELOOP);
      fence?.follow(inode, directory, name, text.length - end);
      text = inode.target + text.slice(end);
      inode.accessed(sb.now());
      if (text.charCodeAt(0) === SLASH) directory = sb.root;
      at = afterSlashes(text, 0);
      if (at === text.length) return arrived(rootItself(directory));
      continue;
    }

    if (final) {
      const needsDirectory = trailing && last !== Last.Entry && inode !== undefined;
      if (needsDirectory && !(inode instanceof Directory)) return fail(-Errno.ENOTDIR);
      return arrived({ parent: directory, name, kind: "name", slash: trailing, inode });
    }
    if (inode === undefined) return fail(-Errno.ENOENT);
    if (!(inode instanceof Directory)) return fail(-Errno.ENOTDIR);
    directory = inode;
    at = next;
  }
}

/** Nothing but slashes. */
function rootItself(root: Directory): Location {
  return { parent: root, name: "", kind: "root", slash: false, inode: root };
}

/** What the links met on a guarded walk may lead to. */
class Fence {
  readonly #guard: LinkGuard;
  /** Links whose text is still being walked; `rest` is how much of the path comes after it. */
  readonly #links: { path: string; below: string | Failure; rest: number }[] = [];

  constructor(guard: LinkGuard) {
    this.#guard = guard;
  }

  follow(link: SymbolicLink, directory: Directory, name: string, rest: number): void {
    // Nobody in the machine makes links of root's, or any on a mount that takes no change.
    if (link.uid === 0 || link.readOnly) return;
    const below = pathOf(directory);
    const path = isFailure(below) ? name : `${below === "/" ? "" : below}/${name}`;
    this.#links.push({ path, below, rest });
  }

  /** Whether the links whose text ends at `directory`, with `left` to go, have led below theirs. */
  passes(directory: Directory, left: number): boolean {
    for (let link = this.#links.at(-1); link !== undefined; link = this.#links.at(-1)) {
      // With its last component to come, the end of the walk decides.
      if (left > link.rest) return true;
      if (!isWithin(pathOf(directory), link.below)) return this.#refuse(link.path);
      this.#links.pop();
    }
    return true;
  }

  /** Whether the links that end with the path have led below their directories. */
  contains({ kind, parent, inode }: Location): boolean {
    const end = kind === "name" ? parent : (inode as Directory);
    const path = this.#links.length === 0 ? "" : pathOf(end);
    const out = this.#links.findLast(({ below }) => !isWithin(path, below));
    return out === undefined || this.#refuse(out.path);
  }

  #refuse(path: string): false {
    this.#guard.refused = path;
    return false;
  }
}

function isWithin(path: string | Failure, directory: string | Failure): boolean {
  // Deeper than any path may be: nobody can tell, so it is not.
  if (isFailure(path) || isFailure(directory)) return false;
  return path === directory || directory === "/" || path.startsWith(`${directory}/`);
}

function followsLast(last: Last, trailing: boolean): boolean {
  return last === Last.Follow || last === Last.Create || (last === Last.NoFollow && trailing);
}

function afterSlashes(text: string, from: number): number {
  let at = from;
  while (text.charCodeAt(at) === SLASH) at++;
  return at;
}

/** Trees may be deeper than any path; who asks for the path of such a directory gets no more than this. */
const longestPathChars = 128 * 1024;

/** The absolute path of a directory still in the tree, or -ENAMETOOLONG. */
export function pathOf(directory: Directory): string | Failure {
  let path = "";
  for (let at = directory; at !== at.parent; at = at.parent) {
    path = `/${at.name}${path}`;
    if (path.length > longestPathChars) return -Errno.ENAMETOOLONG;
  }
  return path === "" ? "/" : path;
}
