/**
 * Owns what each file-system call asks for: a row per call of the table, so that
 * a new call does not compile before somebody has said what it needs.
 *
 * Untrusted: the arguments.
 */
import {
  O_ACCMODE,
  O_CREAT,
  O_EXCL,
  O_NOFOLLOW,
  O_RDONLY,
  O_TRUNC,
  O_WRONLY,
} from "../../abi/fcntl.js";
import type { fsCalls } from "../../protocol/fs-calls.js";
import type { Operation } from "../../protocol/permissions.js";
import type { CallArgs } from "../../protocol/table.js";

/** One operation on one path, or on the file that a descriptor stands for. */
export interface Demand {
  readonly operation: Operation<"fs">;
  readonly on: { readonly path: string; readonly follow: boolean } | { readonly fd: number };
  /** The other path of the same call. */
  readonly to?: string;
  /**
   * "tree": everything below counts, too. "missing": and every directory above that does not
   * exist. "moved": the first of two demands, whose content gets the name of the second.
   */
  readonly also?: "tree" | "missing" | "moved";
}

type Calls = typeof fsCalls;
/** Calls on descriptors, which were judged when they were opened, need nothing. */
type Demands = {
  readonly [K in keyof Calls]: ((args: CallArgs<Calls, K>) => Demand[]) | "opened";
};

function at(operation: Operation<"fs">, path: string, follow = true): Demand {
  return { operation, on: { path, follow } };
}

function opening(path: string, flags: number): Demand[] {
  const access = flags & O_ACCMODE;
  const follow = (flags & O_NOFOLLOW) === 0 && (flags & (O_CREAT | O_EXCL)) !== (O_CREAT | O_EXCL);
  const demands: Demand[] = [];
  if (access !== O_WRONLY) demands.push(at("read", path, follow));
  if (access !== O_RDONLY || (flags & (O_CREAT | O_TRUNC)) !== 0)
    demands.push(at("write", path, follow));
  return demands;
}

export const fsDemands: Demands = {
  open: ({ path, flags }) => opening(path, flags),
  close: "opened",
  read: "opened",
  write: "opened",
  fstat: "opened",
  lock: "opened",
  locked: "opened",
  fchmod: ({ fd }) => [{ operation: "chmod", on: { fd } }],
  fchown: ({ fd }) => [{ operation: "chown", on: { fd } }],
  futimes: ({ fd }) => [{ operation: "utimes", on: { fd } }],
  ftruncate: ({ fd }) => [{ operation: "truncate", on: { fd } }],
  fsync: "opened",
  readFd: "opened",
  readFile: ({ path, flags }) => opening(path, flags),
  writeFile: ({ path, flags }) => opening(path, flags),
  copyFile: ({ from, to }) => [at("read", from), at("write", to)],
  stat: ({ path, follow }) => [at("stat", path, follow)],
  access: ({ path }) => [at("exists", path)],
  mkdir: ({ path, recursive }) => [
    { ...at("mkdir", path, recursive), ...(recursive && { also: "missing" as const }) },
  ],
  rmdir: ({ path }) => [at("rm", path, false)],
  unlink: ({ path }) => [at("rm", path, false)],
  rm: ({ path, recursive }) => [
    { ...at("rm", path, false), ...(recursive && { also: "tree" as const }) },
  ],
  rename: ({ from, to }) => [
    { ...at("rename", from, false), to, also: "moved" },
    at("rename", to, false),
  ],
  link: ({ from, to }) => [
    { ...at("link", from, false), to, also: "moved" },
    at("link", to, false),
  ],
  symlink: ({ target, path }) => [{ ...at("symlink", path, false), to: target }],
  readlink: ({ path }) => [at("readlink", path, false)],
  realpath: ({ path }) => [at("stat", path)],
  readdir: ({ path }) => [at("readdir", path)],
  chmod: ({ path }) => [at("chmod", path)],
  chown: ({ path, follow }) => [at("chown", path, follow)],
  utimes: ({ path, follow }) => [at("utimes", path, follow)],
  mkdtemp: ({ prefix }) => [at("mkdir", `${prefix}XXXXXX`, false)],
  statfs: ({ path }) => [at("stat", path)],
  // Of a directory it tells the names.
  watch: ({ path }) => [at("stat", path), at("readdir", path)],
  unwatch: "opened",
  moduleStat: ({ path }) => [at("stat", path)],
  // What it found is judged afterwards; see admission.ts.
  packageScope: "opened",
  readPackage: ({ path }) => [at("read", path)],
};
