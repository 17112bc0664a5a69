/**
 * The recursive copies that Node does in C++ behind `fs.cpSync` and `fs.cp`.
 * Paths here are text; every check is one for the user's sake, none for safety.
 */
import { Errno } from "../../abi/errno.js";
import { S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK } from "../../abi/fcntl.js";
import { StatSlot, UvDirent } from "../../protocol/fs-calls.js";
import { ask, codedError, failure } from "./fs-runner.js";
import type { Operation } from "./fs-runner.js";
import * as entries from "./fs-entries.js";
import { toPath } from "./fs-values.js";
import type { PathArgument } from "./fs-values.js";
import type { EngineTools } from "../environment.js";

export interface CopyOptions {
  force: boolean;
  dereference: boolean;
  errorOnExist: boolean;
  verbatimSymlinks: boolean;
  preserveTimestamps: boolean;
  mode: number;
}

/** A socket, FIFO or unknown entry that ends a copy, for callers that word the error themselves. */
export interface SpecialFile {
  kind: "socket" | "fifo" | "unknown";
  path: string;
}

interface PathModule {
  resolve(...parts: string[]): string;
  dirname(path: string): string;
  isAbsolute(path: string): boolean;
}

const { dev: DEV, mode: MODE, ino: INO, atime: ATIME, mtime: MTIME } = StatSlot;

type Values = readonly number[];

function isType(stat: Values, type: number): boolean {
  return (stat[MODE]! & S_IFMT) === type;
}

function same(a: Values, b: Values): boolean {
  return a[INO] === b[INO] && a[DEV] === b[DEV];
}

function specialKind(stat: Values): SpecialFile["kind"] {
  if (isType(stat, S_IFSOCK)) return "socket";
  return isType(stat, S_IFIFO) ? "fifo" : "unknown";
}

/** Node's own. */
let path: PathModule;

export function installCopies({ requireBuiltin }: EngineTools): void {
  path = requireBuiltin("path");
}

function* stat(name: string, follow: boolean): Operation<Values | undefined> {
  const result = yield* ask("stat", { path: name, follow });
  if (typeof result !== "number") return result.values;
  if (result === -Errno.ENOENT || result === -Errno.ENOTDIR) return undefined;
  throw yield* failure(result, follow ? "stat" : "lstat", name);
}

function isInside(parent: string, child: string): boolean {
  const from = path.resolve(parent);
  const to = path.resolve(child);
  return to === from || to.startsWith(from === "/" ? from : `${from}/`);
}

export function* checkPaths(
  sourceArgument: PathArgument,
  targetArgument: PathArgument,
  dereference: boolean,
  recursive: boolean,
): Operation<undefined> {
  const source = toPath(sourceArgument);
  const target = toPath(targetArgument);
  const before = yield* stat(source, dereference);
  if (before === undefined)
    throw yield* failure(-Errno.ENOENT, dereference ? "stat" : "lstat", source);
  const after = yield* stat(target, dereference);
  const directory = isType(before, S_IFDIR);
  if (after !== undefined) {
    if (same(before, after))
      throw codedError("ERR_FS_CP_EINVAL", `src and dest cannot be the same ${target}`);
    if (directory && !isType(after, S_IFDIR)) {
      throw codedError(
        "ERR_FS_CP_DIR_TO_NON_DIR",
        `Cannot overwrite non-directory ${target} with directory ${source}`,
      );
    }
    if (!directory && isType(after, S_IFDIR)) {
      throw codedError(
        "ERR_FS_CP_NON_DIR_TO_DIR",
        `Cannot overwrite directory ${target} with non-directory ${source}`,
      );
    }
  }
  // Node words these with the separator.
  const withSlash = source.endsWith("/") ? source : `${source}/`;
  const intoItself = () =>
    codedError("ERR_FS_CP_EINVAL", `Cannot copy ${withSlash} to a subdirectory of self ${target}`);
  if (directory && isInside(source, target)) throw intoItself();
  const sourceParent = path.dirname(path.resolve(source));
  let parent = path.dirname(path.resolve(target));
  const targetParent = parent;
  while (parent !== sourceParent && parent !== "/") {
    const parentStat = yield* stat(parent, true);
    if (parentStat !== undefined && same(before, parentStat)) throw intoItself();
    parent = path.dirname(parent);
  }
  if (directory && !recursive) {
    throw codedError(
      "ERR_FS_EISDIR",
      `Recursive option not enabled, cannot copy a directory: ${withSlash}`,
    );
  }
  if (!directory && !isType(before, S_IFREG) && !isType(before, S_IFLNK)) {
    const kind = specialKind(before);
    if (kind === "socket")
      throw codedError("ERR_FS_CP_SOCKET", `Cannot copy a socket file: ${target}`);
    if (kind === "fifo")
      throw codedError("ERR_FS_CP_FIFO_PIPE", `Cannot copy a FIFO pipe: ${target}`);
  }
  if ((yield* stat(targetParent, true)) === undefined)
    yield* entries.mkdir(targetParent, 0o777, true);
  return undefined;
}

function* copyTimes(source: string, target: string): Operation<undefined> {
  const values = yield* stat(source, true);
  if (values === undefined) throw yield* failure(-Errno.ENOENT, "stat", source);
  const atime = values[ATIME]! + values[ATIME + 1]! / 1e9;
  const mtime = values[MTIME]! + values[MTIME + 1]! / 1e9;
  return yield* entries.utimes(target, atime, mtime, true);
}

export function* overrideFile(
  sourceArgument: PathArgument,
  targetArgument: PathArgument,
  mode: number,
  preserveTimestamps: boolean,
): Operation<undefined> {
  const source = toPath(sourceArgument);
  const target = toPath(targetArgument);
  yield* entries.onePath("unlink", target);
  yield* entries.copyFile(source, target, mode);
  if (preserveTimestamps) yield* copyTimes(source, target);
  return undefined;
}

function* copyLink(source: string, target: string, options: CopyOptions): Operation<undefined> {
  let link = (yield* entries.readlink(source, "utf8")) as string;
  if (!options.verbatimSymlinks && !path.isAbsolute(link))
    link = path.resolve(path.dirname(source), link);
  const existing = yield* stat(target, false);
  if (existing !== undefined) {
    if (isType(existing, S_IFLNK)) {
      const old = (yield* entries.readlink(target, "utf8")) as string;
      const oldTarget = path.resolve(path.dirname(target), old);
      const newTarget = path.resolve(path.dirname(source), link);
      if ((yield* entries.moduleStat(source)) === 1 && isInside(newTarget, oldTarget)) {
        throw codedError(
          "ERR_FS_CP_EINVAL",
          `Cannot copy ${newTarget} to a subdirectory of self ${oldTarget}`,
        );
      }
      if ((yield* entries.moduleStat(target)) === 1 && isInside(oldTarget, newTarget)) {
        throw codedError(
          "ERR_FS_CP_SYMLINK_TO_SUBDIRECTORY",
          `cannot overwrite ${oldTarget} with ${newTarget}`,
        );
      }
      yield* entries.onePath("unlink", target);
    } else if (!options.force) {
      if (options.errorOnExist) throw alreadyThere(target);
      return undefined;
    }
    // Anything else that is there stays, and making the link says so.
  }
  return yield* entries.symlink(link, target);
}

function alreadyThere(target: string): Error {
  return codedError(
    "ERR_FS_CP_EEXIST",
    `[ERR_FS_CP_EEXIST]: Target already exists: cp returned EEXIST (${target} already exists)`,
  );
}

function* copyRegular(source: string, target: string, options: CopyOptions): Operation<undefined> {
  const existing = yield* stat(target, false);
  if (existing !== undefined) {
    if (!options.force) {
      if (options.errorOnExist) throw alreadyThere(target);
      return undefined;
    }
    if (!isType(existing, S_IFDIR)) yield* entries.onePath("unlink", target);
  }
  yield* entries.copyFile(source, target, options.mode);
  if (options.preserveTimestamps) yield* copyTimes(source, target);
  return undefined;
}

/** Copies what is in `source` into `target`, which is made when missing. Answers what could not be copied. */
export function* copyDirectory(
  sourceArgument: PathArgument,
  targetArgument: PathArgument,
  options: CopyOptions,
): Operation<SpecialFile | undefined> {
  const source = toPath(sourceArgument);
  const target = toPath(targetArgument);
  const before = yield* stat(source, true);
  if (before === undefined) throw yield* failure(-Errno.ENOENT, "cp", source);
  const made = (yield* stat(target, true)) === undefined;
  if (made) yield* entries.mkdir(target, 0o777, true);
  const { names, types } = yield* entries.list(source, "opendir");
  for (let at = 0; at < names.length; at++) {
    const from = `${source}/${names[at]!}`;
    const to = `${target}/${names[at]!}`;
    let type = types[at]!;
    if (type === UvDirent.link && options.dereference) {
      const followed = yield* stat(from, true);
      if (followed === undefined) throw yield* failure(-Errno.ENOENT, "stat", from);
      if (isType(followed, S_IFDIR)) type = UvDirent.directory;
      else if (isType(followed, S_IFREG)) type = UvDirent.file;
    }
    if (type === UvDirent.directory) {
      const special: SpecialFile | undefined = yield* copyDirectory(from, to, options);
      if (special !== undefined) return special;
    } else if (type === UvDirent.link) {
      yield* copyLink(from, to, options);
    } else if (type === UvDirent.file || type === UvDirent.char || type === UvDirent.block) {
      yield* copyRegular(from, to, options);
    } else {
      const kind =
        type === UvDirent.socket ? "socket" : type === UvDirent.fifo ? "fifo" : "unknown";
      return { kind, path: to };
    }
  }
  if (options.preserveTimestamps) yield* copyTimes(source, target);
  if (made) yield* entries.chmod(target, before[MODE]! & 0o7777);
  return undefined;
}
