/**
 * File-system calls of the system-call table, numbers 100–199. Paths are
 * relative to the caller's working directory; a negative errno is the failure.
 *
 * Sizes: no call carries more than `fsLimits.transferBytes` of file content,
 * so both sides loop over bigger ones. Lists are cut at `fsLimits.entries`.
 */
export const fsLimits = Object.freeze({
  /** File content in one call, either direction; leaves room for a path and a header in a row's frame. */
  transferBytes: 960 * 1024,
  /** Names in one `readdir` answer. */
  entries: 16_384,
  /** Bytes of names in one `readdir` answer. */
  entryBytes: 4 * 1024 * 1024,
  /** What a loader is told of a directory ahead: names, files with content, bytes of one file and of all. */
  aheadEntries: 2048,
  aheadFiles: 128,
  aheadFileBytes: 64 * 1024,
  aheadBytes: 512 * 1024,
  /** A path or link target; Linux' PATH_MAX. Longer ones answer ENAMETOOLONG. */
  pathBytes: 4096,
});

/** Bits of copyFile's mode; uv.h UV_FS_COPYFILE_*. */
export const COPYFILE_EXCL = 1;
export const COPYFILE_FICLONE = 2;
export const COPYFILE_FICLONE_FORCE = 4;

/** A flag of `open` that Linux has no meaning for: where it would wait for a fifo's other side, it answers EAGAIN. */
export const openWithoutWait = 1 << 30;

/** How many values `stat` and `fstat` answer. */
export const statSlots = 18;
/** Which is where, as FsStatsOffset of src/node_file.h; times are in seconds, and their nanoseconds follow. */
export const StatSlot = Object.freeze({
  dev: 0,
  mode: 1,
  uid: 3,
  gid: 4,
  rdev: 5,
  ino: 7,
  size: 8,
  atime: 10,
  atimeNs: 11,
  mtime: 12,
  mtimeNs: 13,
} as const);

export const fsCalls = {
  // Open files. `fd` numbers belong to the calling process and start at 3.
  open: { nr: 100, args: { path: "text", flags: "i32", mode: "u32" }, result: { fd: "i32" } },
  close: { nr: 101, args: { fd: "i32" }, result: {} },
  /** `position` -1 reads at, and moves, the current position. Empty data is end of file. */
  read: { nr: 102, args: { fd: "i32", length: "u32", position: "f64" }, result: { data: "bytes" } },
  /** `position` -1 writes at the current position; O_APPEND overrides both. */
  write: {
    nr: 103,
    args: { fd: "i32", data: "bytes", position: "f64" },
    result: { written: "u32" },
  },
  /**
   * Stat values, here and in `stat`, in this order: dev, mode, nlink, uid, gid, rdev,
   * blksize, ino, size, blocks, then seconds and nanoseconds of atime, mtime, ctime, birthtime.
   */
  fstat: { nr: 104, args: { fd: "i32" }, result: { values: "numbers" } },
  fchmod: { nr: 105, args: { fd: "i32", mode: "u32" }, result: {} },
  /** Owner ids: 0xffffffff leaves one unchanged. */
  fchown: { nr: 106, args: { fd: "i32", uid: "u32", gid: "u32" }, result: {} },
  futimes: { nr: 107, args: { fd: "i32", atimeMs: "f64", mtimeMs: "f64" }, result: {} },
  ftruncate: { nr: 108, args: { fd: "i32", length: "f64" }, result: {} },
  /** Also fdatasync. */
  fsync: { nr: 109, args: { fd: "i32" }, result: {} },
  /** What is left from the current position on; `more` asks for another call. */
  readFd: { nr: 110, args: { fd: "i32" }, result: { data: "bytes", more: "bool" } },
  /**
   * As `read` at the current position, which it moves by what of `length` there is; up to `ahead` bytes more may come behind
   * that. `position` is where `data` begins: `readTo` says how far the rest of it was used. EOPNOTSUPP where nothing is told ahead.
   */
  readAhead: {
    nr: 111,
    args: { fd: "i32", length: "u32", ahead: "u32" },
    result: { data: "bytes", position: "f64" },
  },
  /**
   * As `write` at the current position. So much of the `more` bytes that the process wants to write behind that is `promised`
   * to fit: it comes in events `writeOn`, until the next call.
   * 0 where nothing is promised; EOPNOTSUPP where it never is.
   */
  writeFirst: {
    nr: 112,
    args: { fd: "i32", data: "bytes", more: "u32" },
    result: { written: "u32", promised: "u32" },
  },
  /**
   * As `write` at the current position, for a part of the process that may make no file longer than `fileBytes`: a shell's
   * environments have RLIMIT_FSIZE each, and are one process.
   */
  writeWithin: {
    nr: 113,
    args: { fd: "i32", data: "bytes", fileBytes: "f64" },
    result: { written: "u32" },
  },

  // Whole files in one round trip.
  /**
   * Opens, reads and closes. When the file is larger than one transfer, `more` is true and
   * the file stays open as `fd`, positioned behind `data`: go on with `readFd`, then `close`. `changes`: see `look`.
   */
  readFile: {
    nr: 120,
    args: { path: "text", flags: "i32" },
    result: { data: "bytes", more: "bool", fd: "i32", changes: "f64" },
  },
  /**
   * Opens with `flags`, writes and closes. Data over one transfer: pass the first part with `more`,
   * the file stays open as `fd` for `write` at position -1 and `close`.
   */
  writeFile: {
    nr: 121,
    args: { path: "text", data: "bytes", flags: "i32", mode: "u32", more: "bool" },
    result: { fd: "i32" },
  },
  /** `mode` is of COPYFILE_EXCL (1), COPYFILE_FICLONE (2), COPYFILE_FICLONE_FORCE (4). */
  copyFile: { nr: 122, args: { from: "text", to: "text", mode: "u32" }, result: {} },

  // Names.
  stat: { nr: 130, args: { path: "text", follow: "bool" }, result: { values: "numbers" } },
  access: { nr: 131, args: { path: "text", mode: "u32" }, result: {} },
  /** `access` for those who take every error for no: a denial is no error of theirs either. */
  exists: { nr: 152, args: { path: "text" }, result: { found: "bool", changes: "f64" } },
  /** `first` is the topmost directory made, or empty: none was needed, or not `recursive`. */
  mkdir: {
    nr: 132,
    args: { path: "text", mode: "u32", recursive: "bool" },
    result: { first: "text" },
  },
  rmdir: { nr: 133, args: { path: "text" }, result: {} },
  unlink: { nr: 134, args: { path: "text" }, result: {} },
  /** Removes any kind of file; directories only when `recursive` (EISDIR otherwise). `force`: a missing path is fine. */
  rm: { nr: 135, args: { path: "text", recursive: "bool", force: "bool" }, result: {} },
  rename: { nr: 136, args: { from: "text", to: "text" }, result: {} },
  link: { nr: 137, args: { from: "text", to: "text" }, result: {} },
  symlink: { nr: 138, args: { target: "text", path: "text" }, result: {} },
  readlink: { nr: 139, args: { path: "text" }, result: { target: "text" } },
  realpath: { nr: 140, args: { path: "text" }, result: { path: "text", changes: "f64" } },
  /**
   * Entries from index `start` on; `more` says that a call with `start` moved on is needed.
   * `types` holds one byte of `UvDirent` per name.
   */
  readdir: {
    nr: 141,
    args: { path: "text", start: "u32" },
    result: { names: "texts", types: "bytes", more: "bool" },
  },
  chmod: { nr: 142, args: { path: "text", mode: "u32" }, result: {} },
  chown: { nr: 143, args: { path: "text", uid: "u32", gid: "u32", follow: "bool" }, result: {} },
  utimes: {
    nr: 144,
    args: { path: "text", atimeMs: "f64", mtimeMs: "f64", follow: "bool" },
    result: {},
  },
  /** `prefix` is completed with six random characters. */
  mkdtemp: { nr: 145, args: { prefix: "text" }, result: { path: "text" } },
  /** type, bsize, blocks, bfree, bavail, files, ffree. */
  statfs: { nr: 146, args: { path: "text" }, result: { values: "numbers" } },

  /** Begins `fileEvent`s about a file or the entries of a directory. */
  watch: { nr: 147, args: { path: "text" }, result: { watch: "u32" } },
  unwatch: { nr: 148, args: { watch: "u32" }, result: {} },

  /**
   * Byte-range locks of the open file description, as fcntl(2) F_OFD_SETLK, in order: `steps` holds
   * kind (0 unlock, 1 shared, 2 exclusive), start and length of each. Answers how many were taken; the
   * first that somebody else's lock is in the way of ends the call. Anything else is an errno.
   */
  lock: { nr: 149, args: { fd: "i32", steps: "numbers" }, result: { taken: "u32" } },
  /** Whether another description holds a lock in the range; F_OFD_GETLK. */
  locked: {
    nr: 150,
    args: { fd: "i32", start: "f64", length: "f64" },
    result: { locked: "bool" },
  },

  /** mkfifo(3). */
  makeFifo: { nr: 151, args: { path: "text", mode: "u32" }, result: {} },

  // What the module loaders ask.
  // `changes` in answers is another number after every change of what the machine has in memory or mounted; -1: not known.
  /** As `stat`, for who asks for many: a failure is an `errno`, negative, beside `changes`. */
  look: {
    nr: 164,
    args: { path: "text", follow: "bool" },
    result: { errno: "i32", values: "numbers", changes: "f64" },
  },
  /** 0 for a file, 1 for a directory, negative for neither. Never fails. */
  moduleStat: {
    nr: 160,
    /** `content`: whether the loader is going to read what it finds. */
    args: { path: "text", content: "bool" },
    /**
     * `near`: one byte of `ModuleKind` for each of the paths that `nearModulePaths` names, in order. `real` is the
     * real path of the first of them, or of `path` itself, that is a file, and `data` its content where `found` says so.
     * Then `scope` may be the path of the package.json that is nearest to it, as long as that can be read.
     */
    result: {
      kind: "i32",
      near: "bytes",
      real: "text",
      found: "bool",
      data: "bytes",
      scope: "text",
      changes: "f64",
    },
  },
  /**
   * All that is in a directory, of which a loader has asked for some, or the program: its `names` with slashes between, `kinds` (`AheadKind`) of
   * each, and in `places` for each two 32-bit numbers, little-endian: where in `data` its content begins, and how long it
   * is; -1 where it is not there, -2 where there was no room. Content begins with that of the name `first`. `scope`
   * is the path of the package.json that `packageScope` finds there, or empty. `wants` is of `AheadWants`; `stats` are 18 64-bit
   * floating-point numbers, little-endian, as `stat` answers, of each file whose content is there. Of a package,
   * `near` is what lies beside it, as in `moduleStat`. A failure is an `errno`, negative, beside `changes`: EOPNOTSUPP where each file has to be asked for,
   * and where what is read has to be known; for anybody but the loaders also where it is noted. `open`: it is neither.
   */
  directoryAhead: {
    nr: 163,
    args: { directory: "text", first: "text", wants: "u32" },
    result: {
      errno: "i32",
      real: "text",
      near: "bytes",
      open: "bool",
      names: "text",
      kinds: "bytes",
      places: "bytes",
      data: "bytes",
      stats: "bytes",
      scope: "text",
      scopeData: "bytes",
      changes: "f64",
    },
  },
  /**
   * The package.json nearest to the absolute `directory`, which is looked at first. The walk ends, without
   * an answer, in a directory called node_modules; "/" counts only with `root`. `path` is empty when there is none.
   */
  packageScope: {
    nr: 161,
    args: { directory: "text", root: "bool" },
    result: { path: "text", data: "bytes", changes: "f64" },
  },
  /** One package.json by its own path. Anything unreadable, or over one transfer, is not `found`. */
  readPackage: {
    nr: 162,
    args: { path: "text" },
    result: { found: "bool", data: "bytes", changes: "f64" },
  },
} as const;

/** What a neighbour of a path is, in the answer to `moduleStat`. */
export const ModuleKind = Object.freeze({ file: 0, directory: 1, absent: 2 } as const);

/**
 * What `directoryAhead` is to tell: a loader wants content, of a package that of two files; the program names alone, or content
 * with attributes.
 */
export const AheadWants = Object.freeze({
  content: 0,
  names: 1,
  attributes: 2,
  package: 3,
} as const);
/** Those two. */
export const packageEntries: readonly string[] = Object.freeze(["index.js", "package.json"]);

/** What a name is, in the answer to `directoryAhead`; `unknown` has to be asked for. */
export const AheadKind = Object.freeze({ file: 0, directory: 1, unknown: 2 } as const);

const moduleEndings = [".js", ".json", ".node"] as const;
const indexEndings = ["/index.js", "/index.json", "/index.node"] as const;
/** The paths a loader asks for besides that of a package. */
export const nearPackagePaths = (path: string): string[] =>
  moduleEndings.map((ending) => path + ending);

const nodeModules = "/node_modules";
/** Directories above a node_modules that are answered for, too. */
const answeredAncestors = 16;

/**
 * The paths a loader asks for next when it asked for `path` and that was of `kind`: the same with
 * an ending, an index in it, or the node_modules of the directories above.
 */
export function nearModulePaths(path: string, kind: number): string[] {
  if (kind === ModuleKind.file) return [];
  if (!path.endsWith(nodeModules)) {
    const endings =
      kind === ModuleKind.directory ? [...moduleEndings, ...indexEndings] : moduleEndings;
    return path.endsWith("/") ? [] : endings.map((ending) => path + ending);
  }
  const paths: string[] = [];
  let directory = path.slice(0, -nodeModules.length);
  while (directory !== "" && paths.length < answeredAncestors) {
    directory = directory.slice(0, directory.lastIndexOf("/"));
    if (!directory.endsWith(nodeModules)) paths.push(directory + nodeModules);
  }
  return paths;
}

/** Directory entry types as libuv numbers them. */
export const UvDirent = Object.freeze({
  unknown: 0,
  file: 1,
  directory: 2,
  link: 3,
  fifo: 4,
  socket: 5,
  char: 6,
  block: 7,
} as const);
