/**
 * Serves the path_* imports: opening, making, removing, linking and asking about
 * names under a directory. Where a name leads is decided in paths.ts.
 * Untrusted: every argument.
 */
import {
  FdFlag,
  FileType,
  LookupFlag,
  OpenFlag,
  Right,
  WasiErrno,
  WasiError,
  allRights,
  directoryRights,
  writeRights,
} from "./abi.js";
import type { Import, ImportTable, WasiContext } from "./context.js";
import { OpenFile, typeOfMode } from "./descriptors.js";
import { times, writeFilestat } from "./files.js";
import { encodeText } from "./memory.js";

export function nameImports(context: WasiContext): ImportTable {
  return {
    path_open: openImport(context),
    ...entryImports(context),
    ...attributeImports(context),
    ...linkImports(context),
  };
}

function follows(lookup: number): boolean {
  return (lookup & LookupFlag.symlinkFollow) !== 0;
}

/** The absolute path of a name that the module gives with a directory. */
type Resolve = (
  fd: number,
  right: bigint,
  pointer: number,
  size: number,
  follow: boolean,
  creates?: boolean,
) => string;

function resolver({ memory, descriptors, paths }: WasiContext): Resolve {
  return (fd, right, pointer, size, follow, creates = false) =>
    paths.resolve(descriptors.directory(fd, right), memory.path(pointer, size), follow, creates);
}

/** What open(2) is given for the rights and flags of a path_open. */
function openMode(
  { system }: WasiContext,
  lookup: number,
  oflags: number,
  wanted: bigint,
  flags: number,
): number {
  const { constants } = system.fs;
  const has = (flag: number) => (oflags & flag) !== 0;
  const reads = (wanted & (Right.fdRead | Right.fdReaddir)) !== 0n;
  const writes = (wanted & writeRights) !== 0n && !has(OpenFlag.directory);
  let mode = writes ? (reads ? constants.O_RDWR : constants.O_WRONLY) : constants.O_RDONLY;
  if (has(OpenFlag.create)) mode |= constants.O_CREAT;
  if (has(OpenFlag.exclusive)) mode |= constants.O_EXCL;
  if (has(OpenFlag.truncate)) mode |= constants.O_TRUNC;
  if (has(OpenFlag.directory)) mode |= constants.O_DIRECTORY;
  if ((flags & FdFlag.append) !== 0) mode |= constants.O_APPEND;
  if (!follows(lookup)) mode |= constants.O_NOFOLLOW;
  if ((flags & (FdFlag.dsync | FdFlag.rsync | FdFlag.sync)) !== 0) mode |= constants.O_SYNC;
  return mode;
}

function openImport(context: WasiContext): Import {
  const { memory, descriptors, paths, system } = context;
  const { fs } = system;
  return (
    fd: number,
    lookup: number,
    pointer: number,
    size: number,
    oflags: number,
    rights: bigint,
    inheriting: bigint,
    flags: number,
    result: number,
  ): void => {
    const creates = (oflags & OpenFlag.create) !== 0;
    const needed =
      Right.pathOpen |
      (creates ? Right.pathCreateFile : 0n) |
      ((oflags & OpenFlag.truncate) !== 0 ? Right.pathFilestatSetSize : 0n);
    const parent = descriptors.directory(fd, needed);
    const path = paths.resolve(parent, memory.path(pointer, size), follows(lookup), creates);
    memory.u32(result);
    const wanted = BigInt.asUintN(64, rights) & allRights & parent.inheriting;
    const mode = openMode(context, lookup, oflags, wanted, flags);
    const opened = fs.openSync(path, mode, context.createMode);
    try {
      const type = typeOfMode(fs.fstatSync(opened).mode);
      const isDirectory = type === FileType.directory;
      const file = new OpenFile(
        opened,
        type,
        isDirectory ? path : "",
        isDirectory ? wanted & directoryRights : wanted,
        BigInt.asUintN(64, inheriting) & allRights & parent.inheriting,
        flags,
        isDirectory ? { ...parent.root!, ambiguous: false } : undefined,
        undefined,
      );
      file.append = (flags & FdFlag.append) !== 0;
      memory.setU32(result, descriptors.add(file));
    } catch (error) {
      fs.closeSync(opened);
      throw error;
    }
  };
}

/** Names that are made, removed and changed. */
function entryImports(context: WasiContext): ImportTable {
  const { fs } = context.system;
  const resolve = resolver(context);
  return {
    path_create_directory(fd: number, pointer: number, size: number) {
      fs.mkdirSync(resolve(fd, Right.pathCreateDirectory, pointer, size, false, true));
    },
    path_remove_directory(fd: number, pointer: number, size: number) {
      fs.rmdirSync(resolve(fd, Right.pathRemoveDirectory, pointer, size, false));
    },
    path_unlink_file(fd: number, pointer: number, size: number) {
      fs.unlinkSync(resolve(fd, Right.pathUnlinkFile, pointer, size, false));
    },
    path_rename(
      fromFd: number,
      fromPointer: number,
      fromSize: number,
      toFd: number,
      toPointer: number,
      toSize: number,
    ) {
      const from = resolve(fromFd, Right.pathRenameSource, fromPointer, fromSize, false);
      fs.renameSync(from, resolve(toFd, Right.pathRenameTarget, toPointer, toSize, false, true));
    },
  };
}

function attributeImports(context: WasiContext): ImportTable {
  const { fs } = context.system;
  const resolve = resolver(context);
  const stat = (path: string, lookup: number) =>
    follows(lookup) ? fs.statSync(path, { bigint: true }) : fs.lstatSync(path, { bigint: true });
  return {
    path_filestat_get(fd: number, lookup: number, pointer: number, size: number, result: number) {
      const path = resolve(fd, Right.pathFilestatGet, pointer, size, follows(lookup));
      writeFilestat(context, result, stat(path, lookup));
    },
    path_filestat_set_times(
      fd: number,
      lookup: number,
      pointer: number,
      size: number,
      atimeNs: bigint,
      mtimeNs: bigint,
      flags: number,
    ) {
      const path = resolve(fd, Right.pathFilestatSetTimes, pointer, size, follows(lookup));
      const [atime, mtime] = times(context, flags, atimeNs, mtimeNs, () => stat(path, lookup));
      if (follows(lookup)) fs.utimesSync(path, atime, mtime);
      else fs.lutimesSync(path, atime, mtime);
    },
  };
}

function linkImports(context: WasiContext): ImportTable {
  const { memory, descriptors, paths, system } = context;
  const { fs } = system;
  const resolve = resolver(context);
  return {
    path_link(
      fromFd: number,
      lookup: number,
      fromPointer: number,
      fromSize: number,
      toFd: number,
      toPointer: number,
      toSize: number,
    ) {
      let from = resolve(fromFd, Right.pathLinkSource, fromPointer, fromSize, follows(lookup));
      const to = resolve(toFd, Right.pathLinkTarget, toPointer, toSize, false, true);
      // link(2) links the link itself.
      if (follows(lookup)) from = fs.realpathSync.native(from);
      fs.linkSync(from, to);
    },
    path_symlink(
      targetPointer: number,
      targetSize: number,
      fd: number,
      pointer: number,
      size: number,
    ) {
      const target = memory.path(targetPointer, targetSize);
      const directory = descriptors.directory(fd, Right.pathSymlink);
      const path = paths.resolve(directory, memory.path(pointer, size), false, true);
      if (target === "") throw new WasiError(WasiErrno.ENOENT);
      if (directory.root?.confinedTo !== undefined && target.startsWith("/"))
        throw new WasiError(WasiErrno.EPERM);
      fs.symlinkSync(target, path);
    },
    path_readlink(
      fd: number,
      pointer: number,
      size: number,
      buffer: number,
      bufferSize: number,
      result: number,
    ) {
      const path = resolve(fd, Right.pathReadlink, pointer, size, false);
      const into = memory.bytes(buffer, bufferSize);
      const target = encodeText(fs.readlinkSync(path)).subarray(0, into.byteLength);
      into.set(target);
      memory.setU32(result, target.byteLength);
    },
  };
}
