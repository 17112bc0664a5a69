/**
 * Owns file calls of the host on a VM: read, write, list, stat, make, remove, rename. What takes several messages is in
 * file-transfers.ts.
 *
 * Invariants: the host acts as root and what it makes belongs to the guest's user;
 * a guest's link leads such a call out of its directory only when the host asked for it.
 * Untrusted: nothing but file content; the host's SDK is trusted.
 */
import { Errno, type Failure } from "../../abi/errno.js";
import {
  O_APPEND,
  O_CREAT,
  O_EXCL,
  O_RDONLY,
  O_TRUNC,
  O_WRONLY,
  S_IFCHR,
  S_IFDIR,
  S_IFMT,
} from "../../abi/fcntl.js";
import { identity } from "../../abi/identity.js";
import { FileChange, changeNames } from "../../protocol/host-calls.js";
import type { hostFileCalls } from "../../protocol/host-calls.js";
import type { CallArgs, CallResult } from "../../protocol/table.js";
import { type Credentials, type OpenFile, type OverlayChange } from "../fs/index.js";
import { listedFrom, statValues, uvDirentOf } from "../syscalls/fs.js";
import { attemptedForHost } from "../io/attempt.js";
import { Deferred } from "../io/deferred.js";
import { inSteps } from "../io/steps.js";
import { answeredWith, checked, fileError } from "./file-answers.js";
import { FileTransfers } from "./file-transfers.js";
import type { Vm } from "../machine/vm.js";
import { hostCaller } from "../machine/host-caller.js";

type Calls = typeof hostFileCalls;
type Later<R> = R | Promise<R>;
type Row<K extends keyof Calls> = (
  transfers: FileTransfers,
  args: CallArgs<Calls, K>,
) => Later<CallResult<Calls, K>>;
export type HostFileHandlers = {
  [K in keyof Calls]: (args: CallArgs<Calls, K>) => Later<CallResult<Calls, K>>;
};

/** More than any Buffer of a supported Node can hold. */
const READ_FILE_BYTES = 0x7fff_ffff;

/**
 * EFBIG for content that a guest can make as long as it likes without paying for it: a sparse file
 * over the quota, a device that never ends. It must not decide how much the host allocates.
 */
function unbounded(file: OpenFile, quotaBytes: number): 0 | Failure {
  const { mode, size } = file.stat();
  const format = mode & S_IFMT;
  if (format === S_IFCHR) return file.read(Buffer.alloc(1), -1) === 0 ? 0 : -Errno.EFBIG;
  const limit = file.isStored ? Math.min(quotaBytes, READ_FILE_BYTES) : READ_FILE_BYTES;
  return size > limit ? -Errno.EFBIG : 0;
}

/** What the host may ask of `openWrite` beside writing. */
const openFlags = O_CREAT | O_TRUNC | O_EXCL | O_APPEND;

function changed(
  fs: Vm["fs"],
  who: Credentials,
  path: string,
  change: number,
  first: number,
  second: number,
): 0 | Failure | Deferred<0> {
  // A caller over a fleet may send any.
  if (!Number.isFinite(first) || !Number.isFinite(second)) return -Errno.EINVAL;
  switch (change) {
    case FileChange.mode:
      return fs.chmod(who, path, first & 0o7777);
    case FileChange.times:
      return fs.utimes(who, path, first, second, true);
    case FileChange.length:
      return Number.isSafeInteger(first) && first >= 0
        ? fs.truncate(who, path, first)
        : -Errno.EINVAL;
    case FileChange.removeDirectory:
      return fs.rmdir(who, path);
    default:
      return -Errno.EINVAL;
  }
}

const rows: { readonly [K in keyof Calls]: Row<K> } = {
  readFile(transfers, { vm: handle, path, followLinks }) {
    const vm = transfers.vmOf(handle);
    const who = hostCaller(followLinks);
    const file = checked(vm.fs.open(who, path, O_RDONLY, 0), "open", path, who);
    const refused = unbounded(file, vm.fs.limits.bytes);
    if (refused !== 0) file.unref();
    checked(refused, "read", path);
    return transfers.nextPart({ vm, file, path }, 0);
  },
  readMore(transfers, { vm, file }) {
    return transfers.nextPart(transfers.of(file, vm), file);
  },
  writeFile(transfers, { vm: handle, path, data, more, followLinks }) {
    const vm = transfers.vmOf(handle);
    const who = hostCaller(followLinks);
    const file = checked(vm.openHostFile(who, path), "write", path, who);
    return transfers.writePart({ vm, file, path }, 0, data, more);
  },
  writeMore(transfers, { vm, file, data, more }) {
    return transfers.writePart(transfers.of(file, vm), file, data, more);
  },
  abandon(transfers, { vm, file }) {
    transfers.abandon(file, vm);
    return {};
  },
  readDir(transfers, { vm, path, start, followLinks }) {
    const who = hostCaller(followLinks);
    const { account, fs } = transfers.vmOf(vm);
    const listed = inSteps(account, fs.readdirInSteps(who, path));
    return answeredWith(listed, "scandir", path, (entries) => listedFrom(entries, start), who);
  },
  stat(transfers, { vm, path, follow, followLinks }) {
    const who = hostCaller(followLinks);
    return statValues(checked(transfers.vmOf(vm).fs.stat(who, path, follow), "stat", path, who));
  },
  mkdir(transfers, { vm: handle, path, recursive, followLinks }) {
    const vm = transfers.vmOf(handle);
    const who = hostCaller(followLinks);
    const made = recursive ? vm.makeHostDirectories(who, path) : vm.makeHostDirectory(who, path);
    checked(made, "mkdir", path, who);
    return {};
  },
  rm(transfers, { vm, path, recursive, force, followLinks }) {
    const { account, fs } = transfers.vmOf(vm);
    const who = hostCaller(followLinks);
    const stat = fs.stat(who, path, false);
    if (stat === -Errno.ENOENT && force) return {};
    const isDirectory = (checked(stat, "rm", path, who).mode & S_IFMT) === S_IFDIR;
    const result =
      isDirectory && recursive
        ? inSteps(account, fs.removeTreeInSteps(who, path))
        : fs.unlink(who, path);
    return answeredWith(result, "rm", path, () => ({}), who);
  },
  readlink(transfers, { vm, path, followLinks }) {
    const who = hostCaller(followLinks);
    return { target: checked(transfers.vmOf(vm).fs.readlink(who, path), "readlink", path, who) };
  },
  symlink(transfers, { vm, target, path, followLinks }) {
    const { fs } = transfers.vmOf(vm);
    const who = hostCaller(followLinks);
    let made = fs.symlink(who, target, path);
    if (made === -Errno.EEXIST && typeof fs.readlink(who, path) === "string") {
      checked(fs.unlink(who, path), "symlink", path, who);
      made = fs.symlink(who, target, path);
    }
    checked(made, "symlink", path, who);
    fs.chown(who, path, identity.uid, identity.gid, false);
    return {};
  },
  setAttributes(transfers, { vm, path, mode, mtimeMs, followLinks }) {
    const { fs } = transfers.vmOf(vm);
    const who = hostCaller(followLinks);
    checked(fs.chmod(who, path, mode), "chmod", path, who);
    checked(fs.utimes(who, path, mtimeMs, mtimeMs, true), "utimes", path, who);
    return {};
  },
  rename(transfers, { vm, from, to, followLinks }) {
    const who = hostCaller(followLinks);
    checked(transfers.vmOf(vm).fs.rename(who, from, to), "rename", from, who);
    return {};
  },
  openWrite(transfers, { vm: handle, path, flags, mode, data, more, followLinks }) {
    const vm = transfers.vmOf(handle);
    const who = hostCaller(followLinks);
    const isNew = vm.fs.stat(who, path, true) === -Errno.ENOENT;
    const file = checked(
      vm.fs.open(who, path, O_WRONLY | (flags & openFlags), mode & 0o7777),
      "open",
      path,
      who,
    );
    if (isNew) file.chown(identity.uid, identity.gid, who);
    return transfers.writePart({ vm, file, path }, 0, data, more);
  },
  changeFile(transfers, { vm, path, change, first, second, followLinks }) {
    const { fs } = transfers.vmOf(vm);
    const who = hostCaller(followLinks);
    const operation = Object.entries(FileChange).find(([, number]) => number === change)?.[0];
    const result = changed(fs, who, path, change, first, second);
    return answeredWith(result, operation ?? "change", path, () => ({}), who);
  },
  link(transfers, { vm, from, to, followLinks }) {
    const who = hostCaller(followLinks);
    checked(transfers.vmOf(vm).fs.link(who, from, to), "link", from, who);
    return {};
  },
  diff(transfers, { vm, guestPath, start }) {
    const { account, fs } = transfers.vmOf(vm);
    const steps = fs.changes(guestPath === "" ? undefined : guestPath);
    if (steps === undefined) throw fileError("diff", guestPath, -Errno.EINVAL);
    const found = inSteps(account, steps);
    const page = (all: OverlayChange[] | number): CallResult<Calls, "diff"> =>
      pageOf(checked(all, "diff", guestPath) as OverlayChange[], start);
    if (!(found instanceof Deferred)) return page(found);
    return new Promise<OverlayChange[] | number>((resolve) => found.whenSettled(resolve)).then(
      page,
    );
  },
  realpath(transfers, { vm, path, followLinks }) {
    const who = hostCaller(followLinks);
    return { path: checked(transfers.vmOf(vm).fs.realpath(who, path), "realpath", path, who) };
  },
};

/** The handlers, for the VMs that `vmOf` finds. */
export function createHostFiles(vmOf: (handle: number) => Vm): {
  handlers: HostFileHandlers;
  /** Ends what is in transfer with a VM that is going. */
  release(vm: Vm): void;
} {
  const transfers = new FileTransfers(vmOf);
  return { handlers: restartable(transfers), release: (vm) => transfers.release(vm) };
}

/** Text of paths in one answer. */
const pageChars = 1024 * 1024;

function pageOf(all: readonly OverlayChange[], start: number): CallResult<Calls, "diff"> {
  let chars = 0;
  let end = start;
  for (; end < all.length && chars < pageChars; end++) chars += all[end]!.path.length + 16;
  const page = all.slice(start, end);
  return {
    paths: page.map(({ path }) => path),
    changes: Uint8Array.from(page, ({ change }) => changeNames.indexOf(change)),
    types: Uint8Array.from(page, ({ type }) => uvDirentOf(type)),
    more: end < all.length,
  };
}

/** The handlers, run again where they have to ask outside of the kernel process. */
function restartable(transfers: FileTransfers): HostFileHandlers {
  return Object.fromEntries(
    // Name and arguments are of one row; the type cannot say so for all rows at once.
    Object.entries(
      rows as Record<string, (transfers: FileTransfers, args: object) => Later<object>>,
    ).map(([name, run]) => [name, (args: object) => attemptedForHost(() => run(transfers, args))]),
  ) as unknown as HostFileHandlers;
}
