/**
 * Owns the calls of Linux about pages, and their numbers. Everything here runs in the zygote, except what a
 * `PageList` needs, which is the first thing a child does.
 */
import { bind, openLibrary } from "../native.js";

const library = openLibrary();
export const nMmap = bind<[bigint, bigint, number, number, number, bigint], bigint>(
  library,
  "mmap",
  ["u64", "u64", "i32", "i32", "i32", "i64"],
  "i64",
);
export const nMunmap = bind<[bigint, bigint], number>(library, "munmap", ["u64", "u64"], "i32");
export const nMprotect = bind<[bigint, bigint, number], number>(
  library,
  "mprotect",
  ["u64", "u64", "i32"],
  "i32",
);
export const nMremap = bind<[bigint, bigint, bigint, number, bigint], bigint>(
  library,
  "mremap",
  ["u64", "u64", "u64", "i32", "u64"],
  "i64",
);
export const nMadvise = bind<[bigint, bigint, number], number>(
  library,
  "madvise",
  ["u64", "u64", "i32"],
  "i32",
);
/** `process_madvise(2)` by its number, as a libc may be older than the call; its ranges are struct iovec. */
export const nAdviseAll = bind<[bigint, number, BigUint64Array, bigint, number, bigint], bigint>(
  library,
  "syscall",
  ["i64", "i32", "buffer", "u64", "i32", "u64"],
  "i64",
);
export const nMemcpy = bind<[bigint, bigint, bigint], bigint>(
  library,
  "memcpy",
  ["u64", "u64", "u64"],
  "u64",
);
export const nPread = bind<[number, Uint8Array, bigint, bigint], bigint>(
  library,
  "pread64",
  ["i32", "buffer", "u64", "i64"],
  "i64",
);

/** include/uapi/asm-generic/mman-common.h, include/uapi/linux/mman.h */
export const PROT_NONE = 0;
export const PROT_READ = 1;
export const PROT_READ_WRITE = 3;
export const PROT_READ_EXEC = 5;
export const MAP_PRIVATE_ANONYMOUS = 0x22;
export const MAP_NORESERVE = 0x4000;
export const MAP_FIXED_NOREPLACE = 0x10_0000;
export const MREMAP_MAYMOVE_FIXED = 3;
export const MADV_DONTNEED = 4;
export const MADV_HUGEPAGE = 14;
export const MADV_POPULATE_WRITE = 23;
export const MADV_COLLAPSE = 25;

export const SYS_PROCESS_MADVISE = 440n;
/** This process, from Linux 6.15 on; include/uapi/linux/pidfd.h. */
export const PIDFD_SELF_THREAD_GROUP = -10001;
/** Of a call; include/uapi/linux/uio.h. */
export const UIO_MAXIOV = 1024;

export const pageBytes = 4096n;
export const hugeBytes = 2n * 1024n * 1024n;
