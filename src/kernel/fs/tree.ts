/**
 * Whole-tree conveniences: rm -r, mkdir -p, mkdtemp.
 *
 * Owns: nothing; each is a loop over single-entry operations and obeys the same checks.
 * Invariants: no recursion and no repeated walk from the root, so guest-chosen depth
 * costs neither stack nor quadratic time. They are not atomic: what was done before
 * a failure stays done, as with the commands.
 * Untrusted: paths and everything found in the tree.
 */
import { canonicalText } from "../../abi/byte-text.js";
import { randomInt } from "node:crypto";
import { Errno, type Failure } from "../../abi/errno.js";
import { R_OK } from "../../abi/fcntl.js";
import { step } from "../io/steps.js";
import type { Steps } from "../io/steps.js";
import { isUnsigned } from "./attributes.js";
import { type Credentials, permits } from "./credentials.js";
import {
  createDirectory,
  mayCreate,
  mayDelete,
  remove,
  removeDirectoryAt,
  walkToNew,
} from "./dentry.js";
import { Directory, type Inode } from "./inode.js";
import type { DirectoryEntry } from "./file-stat.js";
import { checkPath, isFailure, Last, pathOf, startOf, walk, walkFrom } from "./path-walk.js";
import type { SuperBlock } from "./superblock.js";

/** A directory being emptied, where it was, and where to continue once it is gone. */
interface Level {
  directory: Directory;
  parent: Directory;
  name: string;
  rest: Iterator<DirectoryEntry>;
}

/**
 * Removes what `path` names, links unfollowed, with everything below. Stops at the first failure.
 * Others work between two steps: a directory that has been moved meanwhile is left where it is.
 */
export function* removeTree(sb: SuperBlock, who: Credentials, path: string): Steps<0> {
  const at = walk(sb, who, path, Last.Entry);
  if (isFailure(at)) return at;
  if (at.kind === "root") return -Errno.EBUSY;
  if (at.kind === "dot") return -Errno.EINVAL;
  if (at.kind === "dotdot") return -Errno.ENOTEMPTY;
  if (at.inode === undefined) return -Errno.ENOENT;
  if (!(at.inode instanceof Directory)) {
    if (at.slash) return -Errno.ENOTDIR;
    return removeEntry(sb, who, at.parent, at.name, at.inode);
  }

  const levels: Level[] = [];
  const descend = function* (directory: Directory): Steps<0> {
    if (directory.mountRoot) return -Errno.EBUSY;
    const entries = yield* directory.listing(who, () => true);
    if (isFailure(entries)) return entries;
    if (entries.length > 0 && !permits(directory, who, R_OK)) return -Errno.EACCES;
    const { parent, name } = directory;
    levels.push({ directory, parent, name, rest: entries.values() });
    return 0;
  };
  let failure = yield* descend(at.inode);
  while (failure === 0) {
    yield undefined;
    const level = levels.at(-1);
    if (level === undefined) return 0;
    const { directory, parent, name: own } = level;
    if (directory.parent !== parent || directory.name !== own || directory.removed)
      return -Errno.ENOENT;
    const entry = level.rest.next();
    if (entry.done === true) {
      levels.pop();
      failure = yield* step(() => removeDirectoryAt(sb, who, parent, own, directory));
      continue;
    }
    const { name } = entry.value;
    const inode = yield* step(() => directory.lookup(name, who));
    // Gone meanwhile, which only something outside can have done.
    if (inode === undefined) continue;
    if (isFailure(inode)) return inode;
    if (inode.covered !== undefined) return -Errno.EBUSY;
    if (inode instanceof Directory) failure = yield* descend(inode);
    else failure = yield* step(() => removeEntry(sb, who, directory, name, inode));
  }
  return failure;
}

function removeEntry(
  sb: SuperBlock,
  who: Credentials,
  parent: Directory,
  name: string,
  inode: Inode,
): 0 | Failure {
  const refused = mayDelete(parent, inode, who, false);
  return refused === 0 ? remove(sb, parent, name, inode) : refused;
}

/** Makes a directory and its missing parents; returns the first one made, or 0 if all were there. */
export function mkdirTree(
  sb: SuperBlock,
  who: Credentials,
  path: string,
  mode: number,
): string | 0 | Failure {
  if (!isUnsigned(mode)) return -Errno.EINVAL;
  const bad = checkPath(path, sb.limits.pathBytes);
  if (bad !== 0) return bad;
  const start = startOf(sb, who, path);
  if (isFailure(start)) return start;

  const text = canonicalText(path);
  let directory = start;
  let first: string | 0 = 0;
  for (const { 0: component, index } of text.matchAll(/[^/]+/g)) {
    const end = index + component.length;
    // The slash says that this component has to be a directory, or a link to one.
    const at = walkFrom(sb, who, directory, `${component}/`, Last.Follow);
    if (isFailure(at)) {
      const isLast = /^\/*$/.test(text.slice(end));
      return at === -Errno.ENOTDIR && isLast ? -Errno.EEXIST : at;
    }
    if (at.inode instanceof Directory) {
      directory = at.inode;
      continue;
    }
    // Absent, unless it is a link that dangles.
    if (directory.lookup(component, who) !== undefined) return -Errno.ENOENT;
    const made = makeDirectoryIn(sb, who, directory, component, mode);
    if (isFailure(made)) return made;
    if (first === 0) first = text.slice(0, end);
    directory = made;
  }
  return first;
}

/**
 * What mkdirTree would make, as far as it would come: the paths of the directories, last the one that
 * `path` leads to. Below a missing directory there is nothing but what is written.
 */
export function planTree(sb: SuperBlock, who: Credentials, path: string): string[] | Failure {
  const bad = checkPath(path, sb.limits.pathBytes);
  if (bad !== 0) return bad;
  const start = startOf(sb, who, path);
  if (isFailure(start)) return start;
  const made = new Set<string>();
  let directory = start;
  let missing: string[] = [];
  const here = (): string | Failure => {
    const above = pathOf(directory);
    if (isFailure(above)) return above;
    return missing.length === 0 ? above : `${above === "/" ? "" : above}/${missing.join("/")}`;
  };
  for (const [component] of canonicalText(path).matchAll(/[^/]+/g)) {
    if (component === ".") continue;
    if (missing.length > 0 && component === "..") {
      missing.pop();
      continue;
    }
    const at =
      missing.length > 0 ? undefined : walkFrom(sb, who, directory, `${component}/`, Last.Follow);
    if (at !== undefined && !isFailure(at) && at.inode instanceof Directory) {
      directory = at.inode;
      continue;
    }
    missing = [...missing, component];
    const where = here();
    if (isFailure(where)) return where;
    made.add(where);
  }
  const end = here();
  if (isFailure(end)) return end;
  made.delete(end);
  return [...made, end];
}

/** Every path below `top`, which is at `path`. */
export function pathsBelow(
  who: Credentials,
  top: Directory,
  path: string,
  most: number,
): string[] | undefined {
  const found: string[] = [];
  const todo = [{ directory: top, path: path === "/" ? "" : path }];
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    const { directory } = next;
    const entries = directory.list();
    if (isFailure(entries)) continue;
    for (const { name } of entries) {
      const below = `${next.path}/${name}`;
      found.push(below);
      if (found.length > most) return undefined;
      const entry = directory.lookup(name, who);
      const inode = typeof entry === "object" ? entry.top : undefined;
      if (inode instanceof Directory) todo.push({ directory: inode, path: below });
    }
  }
  return found;
}

export function makeDirectoryIn(
  sb: SuperBlock,
  who: Credentials,
  parent: Directory,
  name: string,
  mode: number,
): Directory | Failure {
  const refused = mayCreate(parent, who);
  if (refused !== 0) return refused;
  const permissions = mode & 0o1777 & ~who.umask;
  return createDirectory(sb, who, parent, name, permissions);
}

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const ATTEMPTS = 100;

/** `prefix` with six random characters: the name that mkdtemp makes. */
export function temporaryName(prefix: string): string {
  let name = prefix;
  for (let at = 0; at < 6; at++) name += ALPHABET[randomInt(ALPHABET.length)]!;
  return name;
}

/** Makes a directory of mode 0700 named `prefix` and six random characters; returns its path. */
export function mkdtemp(sb: SuperBlock, who: Credentials, prefix: string): string | Failure {
  if (typeof prefix !== "string") return -Errno.EINVAL;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    // The name that was judged is the only one there is.
    const path = who.walks?.[0]?.path ?? temporaryName(prefix);
    const at = walkToNew(sb, who, path, true);
    if (at === -Errno.EEXIST) continue;
    if (isFailure(at)) return at;
    const made = makeDirectoryIn(sb, who, at.parent, at.name, 0o700);
    return isFailure(made) ? made : path;
  }
  return -Errno.EEXIST;
}
