/**
 * Which operation stands behind each function of Node's `fs` binding, and where the function has its
 * request: data for fs.ts.
 */
import type { EngineModule } from "../engine-types.js";
import { checkPaths, copyDirectory, overrideFile } from "./fs-copy.js";
import * as contents from "./fs-contents.js";
import * as entries from "./fs-entries.js";
import * as loading from "./fs-loading.js";
import * as looking from "./fs-looking.js";
import { codedError } from "./fs-runner.js";
import type { Operation } from "./fs-runner.js";
import type { StatArray } from "./fs-values.js";

/** What JavaScript passes to the binding: fs.js has checked it, or nobody has. */
export type BindingArguments = EngineModule[];

/** Binding function → index of its request argument and what it does. */
export interface Entry {
  readonly request: number;
  /** What C++ checks before it asks the system: the first argument is a descriptor, the last one a mode. */
  readonly checks?: "fd" | "mode";
  run(args: BindingArguments, blocking: boolean): Operation<unknown>;
}

/** The arrays that the binding shares with fs.js. */
interface SharedStats {
  statValues: StatArray;
  bigintStatValues: StatArray;
}
let shared: SharedStats;

export function shareStats(binding: SharedStats): void {
  shared = binding;
}

/** Like C++, the blocking forms of `stat` answer in the array that the binding shares with fs.js. */
function stats(bigint: boolean, blocking: boolean): StatArray | undefined {
  if (!blocking) return undefined;
  return bigint ? shared.bigintStatValues : shared.statValues;
}

function statOf(
  path: BindingArguments[number],
  follow: boolean,
  bigint: boolean,
  mustExist: boolean,
  blocking: boolean,
): Operation<StatArray | undefined> {
  const run = blocking ? looking.statAtOnce : entries.statPath;
  return run(path, follow, bigint, mustExist, stats(bigint, blocking));
}

export const table: Readonly<Record<string, Entry>> = {
  access: { request: 2, checks: "mode", run: ([path, mode]) => entries.access(path, mode) },
  open: { request: 3, run: ([path, flags, mode]) => contents.openByNumber(path, flags, mode) },
  close: { request: 1, checks: "fd", run: ([fd]) => contents.closeByNumber(fd) },
  read: {
    request: 5,
    checks: "fd",
    run: ([fd, buffer, offset, length, position], blocking) =>
      contents.read(fd, buffer, offset, length, position, blocking),
  },
  readBuffers: {
    request: 3,
    checks: "fd",
    run: ([fd, buffers, position]) => contents.readBuffers(fd, buffers, position),
  },
  writeBuffers: {
    request: 3,
    checks: "fd",
    run: ([fd, buffers, position]) => contents.writeBuffers(fd, buffers, position),
  },
  rename: { request: 2, run: ([from, to]) => entries.twoPaths("rename", from, to) },
  link: { request: 2, run: ([from, to]) => entries.twoPaths("link", from, to) },
  symlink: { request: 3, run: ([target, path]) => entries.symlink(target, path) },
  readlink: { request: 2, run: ([path, encoding]) => entries.readlink(path, encoding) },
  realpath: {
    request: 2,
    run: ([path, encoding], blocking) =>
      blocking ? looking.realpathAtOnce(path, encoding) : entries.realpath(path, encoding),
  },
  ftruncate: {
    request: 2,
    checks: "fd",
    run: ([fd, length]) => entries.simple("ftruncate", { fd, length: length ?? 0 }, "ftruncate"),
  },
  fsync: { request: 1, checks: "fd", run: ([fd]) => entries.simple("fsync", { fd }, "fsync") },
  fdatasync: {
    request: 1,
    checks: "fd",
    run: ([fd]) => entries.simple("fsync", { fd }, "fdatasync"),
  },
  rmdir: { request: 1, run: ([path]) => entries.onePath("rmdir", path) },
  unlink: { request: 1, run: ([path]) => entries.onePath("unlink", path) },
  mkdir: { request: 3, run: ([path, mode, recursive]) => entries.mkdir(path, mode, recursive) },
  mkdtemp: { request: 2, run: ([prefix, encoding]) => entries.mkdtemp(prefix, encoding) },
  readdir: {
    request: 3,
    run: ([path, encoding, types]) => entries.readdir(path, encoding, types),
  },
  readdirRecursive: {
    request: 3,
    run: ([path, encoding, types]) => entries.readdirRecursive(path, encoding, types),
  },
  stat: {
    request: 2,
    run: ([path, bigint, , mustExist], blocking) =>
      statOf(path, true, bigint, mustExist !== false, blocking),
  },
  lstat: {
    request: 2,
    run: ([path, bigint, , mustExist], blocking) =>
      statOf(path, false, bigint, mustExist !== false, blocking),
  },
  fstat: {
    request: 2,
    checks: "fd",
    run: ([fd, bigint], blocking) => entries.fstat(fd, bigint, stats(bigint, blocking)),
  },
  statfs: { request: 2, run: ([path, bigint]) => entries.statfs(path, bigint) },
  copyFile: {
    request: 3,
    checks: "mode",
    run: ([from, to, mode]) => entries.copyFile(from, to, mode),
  },
  chmod: { request: 2, run: ([path, mode]) => entries.chmod(path, mode) },
  fchmod: {
    request: 2,
    checks: "fd",
    run: ([fd, mode]) => entries.simple("fchmod", { fd, mode }, "fchmod"),
  },
  chown: { request: 3, run: ([path, uid, gid]) => entries.chown(path, uid, gid, true) },
  lchown: { request: 3, run: ([path, uid, gid]) => entries.chown(path, uid, gid, false) },
  fchown: {
    request: 3,
    checks: "fd",
    run: ([fd, uid, gid]) => entries.simple("fchown", { fd, uid, gid }, "fchown"),
  },
  utimes: {
    request: 3,
    run: ([path, atime, mtime]) => entries.utimes(path, atime, mtime, true),
  },
  lutimes: {
    request: 3,
    run: ([path, atime, mtime]) => entries.utimes(path, atime, mtime, false),
  },
  futimes: {
    request: 3,
    checks: "fd",
    run: ([fd, atime, mtime]) =>
      entries.simple("futimes", { fd, atimeMs: atime * 1000, mtimeMs: mtime * 1000 }, "futime"),
  },
};

/** What is answered without an operation where the loaders were told it before. */
export const knownTable: Readonly<
  Record<string, ((...args: BindingArguments) => unknown) | undefined>
> = {
  internalModuleStat: (path) => loading.knownKind(path),
  readFileUtf8: (path, flags) => loading.knownText(path, flags),
};

/** Functions that only exist in a blocking form. */
export const blockingTable: Readonly<
  Record<string, (...args: BindingArguments) => Operation<unknown>>
> = {
  existsSync: (path) => looking.existsAtOnce(path),
  readFileUtf8: (target, flags) => loading.readTextAtOnce(target, flags),
  writeFileUtf8: (target, data, flags, mode) => contents.writeFileUtf8(target, data, flags, mode),
  rmSync: (path, _retries, recursive) => entries.rmSync(path, recursive === true),
  internalModuleStat: (path) => loading.loaderStat(path),
  getFormatOfExtensionlessFile: (path) => loading.extensionlessFormat(path),
  cpSyncCheckPaths: (source, target, dereference, recursive) =>
    checkPaths(source, target, dereference === true, recursive === true),
  cpSyncOverrideFile: (source, target, mode, preserveTimestamps) =>
    overrideFile(source, target, mode ?? 0, preserveTimestamps === true),
  *cpSyncCopyDir(
    source,
    target,
    force,
    dereference,
    errorOnExist,
    verbatimSymlinks,
    preserveTimestamps,
  ) {
    const options = {
      force,
      dereference,
      errorOnExist,
      verbatimSymlinks,
      preserveTimestamps,
      mode: 0,
    };
    const special = yield* copyDirectory(source, target, options);
    if (special === undefined) return;
    if (special.kind === "socket")
      throw codedError("ERR_FS_CP_SOCKET", `Cannot copy a socket file: ${special.path}`);
    if (special.kind === "fifo")
      throw codedError("ERR_FS_CP_FIFO_PIPE", `Cannot copy a FIFO pipe: ${special.path}`);
    throw codedError("ERR_FS_CP_UNKNOWN", `Cannot copy an unknown file type: ${special.path}`);
  },
};
