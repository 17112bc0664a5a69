/**
 * Owns what a shell knows of the limits of its process, and what the kernel is told of those of a child. Untrusted: nothing; the
 * kernel judges what is asked for.
 */
import {
  RLIMIT_CORE,
  RLIMIT_DATA,
  RLIMIT_FSIZE,
  RLIMIT_NOFILE,
  RLIMIT_NPROC,
  noLimit,
} from "../../abi/resources.js";
import type { ResourceLimit } from "../../abi/resources.js";
import type { StartOptions } from "../../protocol/guest-calls.js";
import type { SpawnRequest } from "../../userland/system.js";

/** By the numbers of RLIMIT_…; all others are none. */
export function limitsOf(start: StartOptions): Map<number, ResourceLimit> {
  const { soft, hard = Infinity } = start.fileBytesLimit ?? noLimit;
  const same = (limit: number): ResourceLimit => ({ soft: limit, hard: limit });
  return new Map([
    [RLIMIT_FSIZE, { soft, hard }],
    [RLIMIT_DATA, same(start.memoryLimitBytes)],
    [RLIMIT_CORE, { soft: 0, hard: Infinity }],
    [RLIMIT_NPROC, same(start.processesLimit)],
    [RLIMIT_NOFILE, same(start.openFilesLimit)],
  ]);
}

/** The kernel knows one limit of open files; the soft one is what binds. */
export function openFilesOf({ resourceLimits }: SpawnRequest, start: StartOptions): number {
  const soft = resourceLimits.get(RLIMIT_NOFILE)?.soft ?? -1;
  return Math.min(soft, start.openFilesLimit);
}

export function fileBytesOf({ resourceLimits }: SpawnRequest): number[] {
  const limit = resourceLimits.get(RLIMIT_FSIZE);
  return limit === undefined ? [] : [limit.soft, limit.hard];
}
