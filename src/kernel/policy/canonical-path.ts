/**
 * Owns the path a policy judges: absolute, without links, "." and "..", through
 * mounts, also for names that do not exist yet.
 *
 * Invariants: iterative; at most `lookupLimit` look-ups; when the path cannot be
 * followed to its end for another reason than absence, there is no answer, and
 * the caller must deny.
 * Untrusted: the path and every link target met on the way.
 */
import { Errno } from "../../abi/errno.js";
import type { Credentials, FileSystem } from "../fs/index.js";

const linkLimit = 40;
const lookupLimit = 4096;

/** Where `path` leads for `who`; with `follow` also past a link at its end. */
export function canonicalPath(
  fs: Pick<FileSystem, "readlink">,
  who: Credentials,
  path: string,
  follow: boolean,
): string | undefined {
  // Permission bits are judged by the call itself; here only names count.
  const root: Credentials = { ...who, uid: 0, gid: 0 };
  const full = path.startsWith("/") ? path : `${who.cwd}/${path}`;
  const todo = full.split("/").reverse();
  let resolved: string[] = [];
  let links = 0;
  let lookups = 0;
  /** Length of `resolved` at which the path stopped existing. */
  let absentAt = Infinity;
  // A slash at the end asks for the directory behind a link.
  const followLast = follow || path.endsWith("/") || /(?:^|\/)\.\.?$/.test(path);
  while (todo.length > 0) {
    const name = todo.pop()!;
    if (name === "" || name === ".") continue;
    if (name === "..") {
      resolved.pop();
      // `mkdir -p` makes what is missing and comes back from there.
      if (resolved.length <= absentAt) absentAt = Infinity;
      continue;
    }
    const last = todo.every((part) => part === "");
    if (absentAt === Infinity && (!last || followLast)) {
      if (++lookups > lookupLimit) return undefined;
      const target = fs.readlink(root, `/${[...resolved, name].join("/")}`);
      if (typeof target === "string") {
        if (++links > linkLimit) return undefined;
        if (target.startsWith("/")) resolved = [];
        for (const part of target.split("/").reverse()) todo.push(part);
        continue;
      }
      if (target === -Errno.ENOENT || target === -Errno.ENOTDIR) absentAt = resolved.length;
      else if (target !== -Errno.EINVAL) return undefined;
    }
    resolved.push(name);
  }
  // As it survives UTF-8: a lone surrogate reaches no file system.
  return Buffer.from(`/${resolved.join("/")}`).toString();
}
