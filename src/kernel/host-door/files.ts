/**
 * File calls of the host on a VM: read, write, list, stat, make, remove, rename.
 *
 * Owns: files the host has in transfer, which one message cannot carry.
 * Invariants: the host acts as root and what it makes belongs to the guest's user;
 * a guest's link leads such a call out of its directory only when the host asked for it;
 * a transfer ends with its last part, with its first failure or with the VM.
 * Untrusted: nothing but file content; the host's SDK is trusted.
 */
import { Errno, type Failure, errnoName } from "../../abi/errno.js";
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
import { FileChange, changeNames } from "../../protocol/host-calls.js";
import type { hostFileCalls } from "../../protocol/host-calls.js";
import type { CallArgs, CallResult } from "../../protocol/table.js";
import { type Credentials, type OpenFile, type OverlayChange, writeAll } from "../fs/index.js";
import { listedFrom, statValues, uvDirentOf } from "../syscalls/fs.js";
import { readRest } from "../syscalls/fs-transfer.js";
import { attemptedForHost } from "../io/attempt.js";
import { Deferred } from "../io/deferred.js";
import { inSteps } from "../io/steps.js";
import { HostError } from "./error.js";
import type { Vm } from "../machine/vm.js";
import { hostCaller, identity } from "../machine/identity.js";

type Calls = typeof hostFileCalls;
type Later<R> = R | Promise<R>;
export type HostFileHandlers = {
  [K in keyof Calls]: (args: CallArgs<Calls, K>) => Later<CallResult<Calls, K>>;
};

interface Transfer {
  vm: Vm;
  file: OpenFile;
  path: string;
}

export function fileError(operation: string, path: string, errno: number): HostError {
  const name = errnoName(-errno) ?? `errno ${-errno}`;
  return new HostError("ERR_SECURE_EXEC_FILE", `${name}: ${operation} '${path}'`);
}

/** Why a call by `who` failed, which may be a link that was not followed. */
function refusal(who: Credentials, operation: string, path: string, errno: number): HostError {
  const link = who.links?.refused;
  if (link === undefined) return fileError(operation, path, errno);
  return new HostError(
    "ERR_SECURE_EXEC_LINK_LEADS_OUT",
    `${operation} '${path}': the link ${link} leads out of its directory; pass followLinks: true to follow it`,
  );
}

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

/** The handlers, for the VMs that `vmOf` finds. */
export function createHostFiles(vmOf: (handle: number) => Vm): {
  handlers: HostFileHandlers;
  /** Ends what is in transfer with a VM that is going. */
  release(vm: Vm): void;
} {
  const transfers = new Map<number, Transfer>();
  let lastTransfer = 0;

  const checked = <T>(
    result: T | number,
    operation: string,
    path: string,
    who: Credentials = hostCaller(false),
  ): T => {
    if (typeof result === "number" && result < 0) throw refusal(who, operation, path, result);
    return result as T;
  };
  const begin = (transfer: Transfer): number => {
    do lastTransfer = (lastTransfer + 1) >>> 0;
    while (lastTransfer === 0 || transfers.has(lastTransfer));
    transfers.set(lastTransfer, transfer);
    return lastTransfer;
  };
  const end = (id: number): void => {
    transfers.get(id)?.file.unref();
    transfers.delete(id);
  };
  const transferOf = (id: number, vm: number): Transfer => {
    const transfer = transfers.get(id);
    if (transfer === undefined || transfer.vm !== vmOf(vm))
      throw new HostError("ERR_SECURE_EXEC_INTERNAL", "the file is not in transfer");
    return transfer;
  };
  /** What is stored elsewhere is waited for. */
  const answeredWith = <S, R>(
    answer: S | number | Deferred<S>,
    operation: string,
    path: string,
    result: (answer: S) => R,
    who?: Credentials,
  ): Later<R> => {
    const finish = (late: S | number): R => result(checked(late, operation, path, who) as S);
    if (!(answer instanceof Deferred)) return finish(answer);
    return new Promise<S | number>((resolve) => answer.whenSettled(resolve)).then(finish);
  };
  const storedThen = <R>(
    stored: number | Deferred<0>,
    operation: string,
    path: string,
    result: () => R,
    who?: Credentials,
  ): Later<R> => answeredWith(stored, operation, path, result, who);
  const close = ({ file }: Transfer, id: number): number | Deferred<0> => {
    const stored = file.flush();
    if (id === 0) file.unref();
    else end(id);
    return stored;
  };
  /** The next part of a file; the transfer ends with the last one. */
  const nextPart = (
    transfer: Transfer,
    id: number,
  ): { data: Buffer; more: boolean; file: number } => {
    let part: ReturnType<typeof readRest>;
    try {
      part = readRest(transfer.file);
    } catch (error) {
      // It is opened again when the call is run again.
      if (id === 0) transfer.file.unref();
      throw error;
    }
    const more = typeof part !== "number" && part.more;
    if (!more) {
      if (id === 0) transfer.file.unref();
      else end(id);
    }
    const { data } = checked(part, "read", transfer.path);
    return { data, more, file: more ? id || begin(transfer) : 0 };
  };
  const writePart = (
    transfer: Transfer,
    id: number,
    data: Uint8Array,
    more: boolean,
  ): Later<{ file: number }> => {
    const failure = writeAll(transfer.file, data);
    if (failure === 0 && more) return { file: id || begin(transfer) };
    const stored = close(transfer, id);
    return storedThen(failure || stored, "write", transfer.path, () => ({ file: 0 }));
  };

  const handlers: HostFileHandlers = {
    readFile({ vm: handle, path, followLinks }) {
      const vm = vmOf(handle);
      const who = hostCaller(followLinks);
      const file = checked(vm.fs.open(who, path, O_RDONLY, 0), "open", path, who);
      const refused = unbounded(file, vm.fs.limits.bytes);
      if (refused !== 0) file.unref();
      checked(refused, "read", path);
      return nextPart({ vm, file, path }, 0);
    },
    readMore({ vm, file }) {
      return nextPart(transferOf(file, vm), file);
    },
    writeFile({ vm: handle, path, data, more, followLinks }) {
      const vm = vmOf(handle);
      const who = hostCaller(followLinks);
      const file = checked(vm.openHostFile(who, path), "write", path, who);
      return writePart({ vm, file, path }, 0, data, more);
    },
    writeMore({ vm, file, data, more }) {
      return writePart(transferOf(file, vm), file, data, more);
    },
    abandon({ vm, file }) {
      if (transfers.get(file)?.vm === vmOf(vm)) end(file);
      return {};
    },
    readDir({ vm, path, start, followLinks }) {
      const who = hostCaller(followLinks);
      const { account, fs } = vmOf(vm);
      const listed = inSteps(account, fs.readdirInSteps(who, path));
      return answeredWith(listed, "scandir", path, (entries) => listedFrom(entries, start), who);
    },
    stat({ vm, path, follow, followLinks }) {
      const who = hostCaller(followLinks);
      return statValues(checked(vmOf(vm).fs.stat(who, path, follow), "stat", path, who));
    },
    mkdir({ vm: handle, path, recursive, followLinks }) {
      const vm = vmOf(handle);
      const who = hostCaller(followLinks);
      const made = recursive ? vm.makeHostDirectories(who, path) : vm.makeHostDirectory(who, path);
      checked(made, "mkdir", path, who);
      return {};
    },
    rm({ vm, path, recursive, force, followLinks }) {
      const { account, fs } = vmOf(vm);
      const who = hostCaller(followLinks);
      const stat = fs.stat(who, path, false);
      if (stat === -Errno.ENOENT && force) return {};
      const isDirectory = (checked(stat, "rm", path, who).mode & S_IFMT) === S_IFDIR;
      const result =
        isDirectory && recursive
          ? inSteps(account, fs.removeTreeInSteps(who, path))
          : fs.unlink(who, path);
      return storedThen(result, "rm", path, () => ({}), who);
    },
    readlink({ vm, path, followLinks }) {
      const who = hostCaller(followLinks);
      return { target: checked(vmOf(vm).fs.readlink(who, path), "readlink", path, who) };
    },
    symlink({ vm, target, path, followLinks }) {
      const { fs } = vmOf(vm);
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
    setAttributes({ vm, path, mode, mtimeMs, followLinks }) {
      const { fs } = vmOf(vm);
      const who = hostCaller(followLinks);
      checked(fs.chmod(who, path, mode), "chmod", path, who);
      checked(fs.utimes(who, path, mtimeMs, mtimeMs, true), "utimes", path, who);
      return {};
    },
    rename({ vm, from, to, followLinks }) {
      const who = hostCaller(followLinks);
      checked(vmOf(vm).fs.rename(who, from, to), "rename", from, who);
      return {};
    },
    openWrite({ vm: handle, path, flags, mode, data, more, followLinks }) {
      const vm = vmOf(handle);
      const who = hostCaller(followLinks);
      const isNew = vm.fs.stat(who, path, true) === -Errno.ENOENT;
      const file = checked(
        vm.fs.open(who, path, O_WRONLY | (flags & openFlags), mode & 0o7777),
        "open",
        path,
        who,
      );
      if (isNew) file.chown(identity.uid, identity.gid, who);
      return writePart({ vm, file, path }, 0, data, more);
    },
    changeFile({ vm, path, change, first, second, followLinks }) {
      const { fs } = vmOf(vm);
      const who = hostCaller(followLinks);
      const operation = Object.entries(FileChange).find(([, number]) => number === change)?.[0];
      const result = changed(fs, who, path, change, first, second);
      return storedThen(result, operation ?? "change", path, () => ({}), who);
    },
    link({ vm, from, to, followLinks }) {
      const who = hostCaller(followLinks);
      checked(vmOf(vm).fs.link(who, from, to), "link", from, who);
      return {};
    },
    diff({ vm, guestPath, start }) {
      const { account, fs } = vmOf(vm);
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
    realpath({ vm, path, followLinks }) {
      const who = hostCaller(followLinks);
      return { path: checked(vmOf(vm).fs.realpath(who, path), "realpath", path, who) };
    },
  };

  return {
    handlers: restartable(handlers),
    release(vm) {
      for (const [id, transfer] of transfers) if (transfer.vm === vm) end(id);
    },
  };
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
function restartable(handlers: HostFileHandlers): HostFileHandlers {
  return Object.fromEntries(
    // Name and arguments are of one row; the type cannot say so for all rows at once.
    Object.entries(handlers as Record<string, (args: object) => Later<object>>).map(
      ([name, run]) => [name, (args: object) => attemptedForHost(() => run(args))],
    ),
  ) as unknown as HostFileHandlers;
}
