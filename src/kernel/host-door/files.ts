/**
 * File calls of the host on a VM: read, write, list, stat, make, remove, rename.
 *
 * Owns: files the host has in transfer, which one message cannot carry.
 * Invariants: the host acts as root and what it makes belongs to the guest's user;
 * a transfer ends with its last part, with its first failure or with the VM.
 * Untrusted: nothing but file content; the host's SDK is trusted.
 */
import { Errno, type Failure, errnoName } from "../../abi/errno.js";
import { O_CREAT, O_RDONLY, O_TRUNC, O_WRONLY, S_IFCHR, S_IFDIR, S_IFMT } from "../../abi/fcntl.js";
import { fsLimits } from "../../protocol/fs-calls.js";
import type { hostFileCalls } from "../../protocol/host-calls.js";
import type { CallArgs, CallResult } from "../../protocol/table.js";
import { MEMORY_DEVICE, type OpenFile } from "../fs/index.js";
import { readRest, statValues, uvDirentOf, writeAll } from "../syscalls/fs.js";
import { HostError } from "./error.js";
import type { Vm } from "../machine/vm.js";
import { hostCredentials } from "../machine/identity.js";

type Calls = typeof hostFileCalls;
export type HostFileHandlers = {
  [K in keyof Calls]: (args: CallArgs<Calls, K>) => CallResult<Calls, K>;
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

/** More than any Buffer of a supported Node can hold. */
const READ_FILE_BYTES = 0x7fff_ffff;

/**
 * EFBIG for content that a guest can make as long as it likes without paying for it: a sparse file
 * over the quota, a device that never ends. It must not decide how much the host allocates.
 */
function unbounded(file: OpenFile, quotaBytes: number): 0 | Failure {
  const { mode, size, dev } = file.stat();
  const format = mode & S_IFMT;
  if (format === S_IFCHR) return file.read(Buffer.alloc(1), -1) === 0 ? 0 : -Errno.EFBIG;
  const limit = dev === MEMORY_DEVICE ? Math.min(quotaBytes, READ_FILE_BYTES) : READ_FILE_BYTES;
  return size > limit ? -Errno.EFBIG : 0;
}

/** The handlers, for the VMs that `vmOf` finds. */
export function createHostFiles(vmOf: (handle: number) => Vm): {
  handlers: HostFileHandlers;
  /** Ends what is in transfer with a VM that is going. */
  release(vm: Vm): void;
} {
  const transfers = new Map<number, Transfer>();
  let lastTransfer = 0;

  const checked = <T>(result: T | number, operation: string, path: string): T => {
    if (typeof result === "number" && result < 0) throw fileError(operation, path, result);
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
  /** The next part of a file; the transfer ends with the last one. */
  const nextPart = (
    transfer: Transfer,
    id: number,
  ): { data: Buffer; more: boolean; file: number } => {
    const part = readRest(transfer.file);
    const more = typeof part !== "number" && part.more;
    if (!more) {
      if (id === 0) transfer.file.unref();
      else end(id);
    }
    const { data } = checked(part, "read", transfer.path);
    return { data, more, file: more ? id || begin(transfer) : 0 };
  };
  const writePart = (transfer: Transfer, id: number, data: Uint8Array, more: boolean): number => {
    const failure = writeAll(transfer.file, data);
    if (failure === 0 && more) return id || begin(transfer);
    if (id === 0) transfer.file.unref();
    else end(id);
    checked(failure, "write", transfer.path);
    return 0;
  };

  const handlers: HostFileHandlers = {
    readFile({ vm: handle, path }) {
      const vm = vmOf(handle);
      const file = checked(vm.fs.open(hostCredentials, path, O_RDONLY, 0), "open", path);
      const refused = unbounded(file, vm.fs.limits.bytes);
      if (refused !== 0) file.unref();
      checked(refused, "read", path);
      return nextPart({ vm, file, path }, 0);
    },
    readMore({ vm, file }) {
      return nextPart(transferOf(file, vm), file);
    },
    writeFile({ vm: handle, path, data, more }) {
      const vm = vmOf(handle);
      checked(vm.makeHostFile(path), "write", path);
      const flags = O_WRONLY | O_CREAT | O_TRUNC;
      const file = checked(vm.fs.open(hostCredentials, path, flags, 0o644), "write", path);
      return { file: writePart({ vm, file, path }, 0, data, more) };
    },
    writeMore({ vm, file, data, more }) {
      return { file: writePart(transferOf(file, vm), file, data, more) };
    },
    abandon({ vm, file }) {
      if (transfers.get(file)?.vm === vmOf(vm)) end(file);
      return {};
    },
    readDir({ vm, path, start }) {
      const entries = checked(vmOf(vm).fs.readdir(hostCredentials, path), "scandir", path);
      entries.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
      const part = entries.slice(start, start + fsLimits.entries);
      return {
        names: part.map(({ name }) => name),
        types: Uint8Array.from(part, ({ type }) => uvDirentOf(type)),
        more: start + part.length < entries.length,
      };
    },
    stat({ vm, path, follow }) {
      return statValues(checked(vmOf(vm).fs.stat(hostCredentials, path, follow), "stat", path));
    },
    mkdir({ vm: handle, path, recursive }) {
      const vm = vmOf(handle);
      checked(recursive ? vm.makeHostDirectories(path) : vm.makeHostDirectory(path), "mkdir", path);
      return {};
    },
    rm({ vm, path, recursive, force }) {
      const { fs } = vmOf(vm);
      const stat = fs.stat(hostCredentials, path, false);
      if (stat === -Errno.ENOENT && force) return {};
      const isDirectory = (checked(stat, "rm", path).mode & S_IFMT) === S_IFDIR;
      const result =
        isDirectory && recursive
          ? fs.removeTree(hostCredentials, path)
          : fs.unlink(hostCredentials, path);
      checked(result, "rm", path);
      return {};
    },
    rename({ vm, from, to }) {
      checked(vmOf(vm).fs.rename(hostCredentials, from, to), "rename", from);
      return {};
    },
  };

  return {
    handlers,
    release(vm) {
      for (const [id, transfer] of transfers) if (transfer.vm === vm) end(id);
    },
  };
}
