/**
 * Owns what each file-system call asks for: a row per call of the table, so that
 * a new call does not compile before somebody has said what it needs.
 *
 * Untrusted: the arguments.
 */
import { O_ACCMODE, O_CREAT, O_EXCL, O_RDONLY, O_TRUNC, O_WRONLY } from "../../abi/fcntl.js";
import { COPYFILE_EXCL } from "../../protocol/fs-calls.js";
import type { fsCalls } from "../../protocol/fs-calls.js";
import type { Operation } from "../../protocol/permissions.js";
import type { CallArgs } from "../../protocol/table.js";
import { Last, lastOf, temporaryName } from "../fs/index.js";

/** One operation on one path, or on the file that a descriptor stands for. */
export interface Demand {
  readonly operation: Operation<"fs">;
  /** `last`: how the call takes the end of the path, so that what is judged is what it touches. */
  readonly on: { readonly path: string; readonly last: Last } | { readonly fd: number };
  /** The other path of the same call. */
  readonly to?: string;
  /**
   * "tree": everything below counts, too. "missing": and every directory above that would be made.
   * "moved": the first of two demands, whose content gets the name of the second.
   */
  readonly also?: "tree" | "missing" | "moved";
}

type Calls = typeof fsCalls;
/** Calls on descriptors, which were judged when they were opened, need nothing. */
type Demands = {
  readonly [K in keyof Calls]: ((args: CallArgs<Calls, K>) => Demand[]) | "opened";
};

function at(operation: Operation<"fs">, path: string, last: Last): Demand {
  return { operation, on: { path, last } };
}

function object(follow: boolean): Last {
  return follow ? Last.Follow : Last.NoFollow;
}

function opening(path: string, flags: number): Demand[] {
  const access = flags & O_ACCMODE;
  const demands: Demand[] = [];
  if (access !== O_WRONLY) demands.push(at("read", path, lastOf(flags)));
  if (access !== O_RDONLY || (flags & (O_CREAT | O_TRUNC)) !== 0)
    demands.push(at("write", path, lastOf(flags)));
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
  copyFile: ({ from, to, mode }) => [
    at("read", from, Last.Follow),
    at("write", to, lastOf(O_WRONLY | O_CREAT | ((mode & COPYFILE_EXCL) !== 0 ? O_EXCL : 0))),
  ],
  stat: ({ path, follow }) => [at("stat", path, object(follow))],
  access: ({ path }) => [at("exists", path, Last.Follow)],
  mkdir: ({ path, recursive }) => [
    { ...at("mkdir", path, Last.Entry), ...(recursive && { also: "missing" as const }) },
  ],
  rmdir: ({ path }) => [at("rm", path, Last.Entry)],
  unlink: ({ path }) => [at("rm", path, Last.Entry)],
  rm: ({ path, recursive }) => [
    { ...at("rm", path, Last.Entry), ...(recursive && { also: "tree" as const }) },
    // What it is, which the call asks first.
    at("rm", path, Last.NoFollow),
  ],
  rename: ({ from, to }) => [
    { ...at("rename", from, Last.Entry), to, also: "moved" },
    at("rename", to, Last.Entry),
  ],
  link: ({ from, to }) => [
    { ...at("link", from, Last.NoFollow), to, also: "moved" },
    at("link", to, Last.Entry),
  ],
  symlink: ({ target, path }) => [{ ...at("symlink", path, Last.Entry), to: target }],
  readlink: ({ path }) => [at("readlink", path, Last.NoFollow)],
  realpath: ({ path }) => [at("stat", path, Last.Follow)],
  readdir: ({ path }) => [at("readdir", path, Last.Follow)],
  chmod: ({ path }) => [at("chmod", path, Last.Follow)],
  chown: ({ path, follow }) => [at("chown", path, object(follow))],
  utimes: ({ path, follow }) => [at("utimes", path, object(follow))],
  mkdtemp: ({ prefix }) => [at("mkdir", prefix && temporaryName(prefix), Last.Entry)],
  statfs: ({ path }) => [at("stat", path, Last.Follow)],
  // Of a directory it tells the names.
  watch: ({ path }) => [at("stat", path, Last.Follow), at("readdir", path, Last.Follow)],
  unwatch: "opened",
  moduleStat: ({ path }) => [at("stat", path, Last.Follow)],
  // What it found is judged afterwards; see admission.ts.
  packageScope: "opened",
  readPackage: ({ path }) => [at("read", path, Last.Follow)],
};
