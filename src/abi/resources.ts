/** Owns what getrlimit(2) tells: a limit of a process, which values may be one, and the numbers of include/uapi/asm-generic/resource.h. */

export interface ResourceLimit {
  /** What binds. `Infinity` is no limit. */
  readonly soft: number;
  /** How far the process may raise that. */
  readonly hard: number;
}

export const noLimit: ResourceLimit = Object.freeze({ soft: Infinity, hard: Infinity });

/** Whether it is a limit: whole bytes, or none. */
export function isFileBytes(value: number): boolean {
  return value === Infinity || (Number.isInteger(value) && value >= 0);
}

export const RLIMIT_FSIZE = 1;
export const RLIMIT_DATA = 2;
export const RLIMIT_CORE = 4;
export const RLIMIT_NPROC = 6;
export const RLIMIT_NOFILE = 7;
