/**
 * Owns what a system call may demand of the fs scope: an operation on a path, walked
 * as the call itself will walk it, or on the file behind a descriptor.
 *
 * Untrusted: paths and flags.
 */
import { O_ACCMODE, O_CREAT, O_RDONLY, O_TRUNC, O_WRONLY } from "../../abi/fcntl.js";
import type { Operation } from "../../protocol/permissions.js";
import { Last, lastOf } from "../fs/index.js";

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

export function at(operation: Operation<"fs">, path: string, last: Last): Demand {
  return { operation, on: { path, last } };
}

/** Of a call that acts on what a path names, following a link at its end or not. */
export function object(follow: boolean): Last {
  return follow ? Last.Follow : Last.NoFollow;
}

/** What open(2) demands; creating and emptying are writing. */
export function opening(path: string, flags: number): Demand[] {
  const access = flags & O_ACCMODE;
  const demands: Demand[] = [];
  if (access !== O_WRONLY) demands.push(at("read", path, lastOf(flags)));
  if (access !== O_RDONLY || (flags & (O_CREAT | O_TRUNC)) !== 0)
    demands.push(at("write", path, lastOf(flags)));
  return demands;
}
