/**
 * Serves host_process: descriptors beyond preview 1, and processes where the
 * system has them.
 *
 * A child inherits the descriptors that are not marked close-on-exec, under their
 * numbers, after the file actions of posix_spawn were applied.
 * Untrusted: every argument; file actions are a byte stream of the module's.
 */
import { FileType, Right, WasiErrno, WasiError, allRights } from "./abi.js";
import type { ImportTable, WasiContext } from "./context.js";
import { wasiLimits } from "./limits.js";
import { OpenFile } from "./descriptors.js";
import { join } from "./paths.js";
import type { WasiProcesses, WasiSpawn } from "./system.js";

/** One record of the file actions: six u32 and the bytes of a path. */
const actionBytes = 24;
const Action = Object.freeze({ close: 1, dup2: 2, open: 3, chdir: 4 });
/** open(2) flags as wasi-libc numbers them. */
const LibcOpen = Object.freeze({
  read: 0x04000000,
  write: 0x10000000,
  create: 1 << 12,
  directory: 2 << 12,
  exclusive: 4 << 12,
  truncate: 8 << 12,
  append: 1,
});
const SpawnFlag = Object.freeze({ setProcessGroup: 2 });
const closeOnExec = 1;
const noHang = 1;
const queryMask = 3;
const closed = -1;

export function hostProcess(context: WasiContext): ImportTable {
  const { memory, descriptors, system } = context;
  const { fs } = system;
  const { constants } = fs;
  const closing = new Set<number>();
  let mask = 0n;

  const processes = (): WasiProcesses => {
    if (system.processes === undefined) throw new WasiError(WasiErrno.ENOSYS);
    return system.processes;
  };

  const openFlags = (flags: number): number => {
    if ((flags & (LibcOpen.read | LibcOpen.write)) === 0) return flags;
    let result: number = constants.O_RDONLY;
    if ((flags & LibcOpen.write) !== 0)
      result = (flags & LibcOpen.read) !== 0 ? constants.O_RDWR : constants.O_WRONLY;
    if ((flags & LibcOpen.create) !== 0) result |= constants.O_CREAT;
    if ((flags & LibcOpen.directory) !== 0) result |= constants.O_DIRECTORY;
    if ((flags & LibcOpen.exclusive) !== 0) result |= constants.O_EXCL;
    if ((flags & LibcOpen.truncate) !== 0) result |= constants.O_TRUNC;
    if ((flags & LibcOpen.append) !== 0) result |= constants.O_APPEND;
    return result;
  };

  /** The child's descriptors by number, as descriptors of this process. */
  const inherited = (alsoClosing: ReadonlySet<number>): number[] => {
    const fds: number[] = [];
    for (const [number, file] of descriptors.entries()) {
      if (file.fd < 0 || number >= wasiLimits.descriptors) continue;
      if (closing.has(number) || alsoClosing.has(number)) continue;
      while (fds.length <= number) fds.push(closed);
      fds[number] = file.fd;
    }
    return fds;
  };

  /** Applies the file actions to `request`; answers what was opened for it and is to be closed here. */
  const applyActions = (request: WasiSpawn, pointer: number, size: number): number[] => {
    if (size >>> 0 > wasiLimits.argumentBytes) throw new WasiError(WasiErrno.E2BIG);
    const end = (pointer >>> 0) + (size >>> 0);
    memory.bytes(pointer, size);
    const opened: number[] = [];
    const put = (number: number, fd: number): void => {
      if (number >>> 0 >= wasiLimits.descriptors) throw new WasiError(WasiErrno.EBADF);
      while (request.fds.length <= number) request.fds.push(closed);
      request.fds[number] = fd;
    };
    try {
      for (let at = pointer >>> 0; at < end;) {
        if (at + actionBytes > end) throw new WasiError(WasiErrno.EINVAL);
        const [action, target, source, flags, mode, length] = [0, 4, 8, 12, 16, 20].map((offset) =>
          memory.u32(at + offset),
        ) as [number, number, number, number, number, number];
        at += actionBytes;
        if (length > end - at) throw new WasiError(WasiErrno.EINVAL);
        const path = length > 0 ? memory.path(at, length) : "";
        at += length;
        if (action === Action.close) {
          if (target < request.fds.length) request.fds[target] = closed;
        } else if (action === Action.dup2) {
          const given = request.fds[source] ?? closed;
          // A descriptor may be close-on-exec here and still be what the child gets.
          const fd = given >= 0 ? given : (descriptors.find(source)?.fd ?? closed);
          if (fd < 0) throw new WasiError(WasiErrno.EBADF);
          put(target, fd);
        } else if (action === Action.open) {
          const full = absolute(request.cwd, path);
          const fd = fs.openSync(full, openFlags(flags), mode === 0 ? 0o666 : mode & 0o7777);
          opened.push(fd);
          put(target, fd);
        } else if (action === Action.chdir) {
          request.cwd = absolute(request.cwd, path);
        } else {
          throw new WasiError(WasiErrno.ENOTSUP);
        }
      }
    } catch (error) {
      for (const fd of opened) fs.closeSync(fd);
      throw error;
    }
    return opened;
  };

  const absolute = (cwd: string, path: string): string =>
    path.startsWith("/") ? path : join(cwd === "" ? system.cwd() : cwd, path);

  const addStream = (fd: number): number => {
    const rights = allRights & ~(Right.fdSeek | Right.fdTell);
    return descriptors.add(
      new OpenFile(fd, FileType.unknown, "", rights, allRights, 0, undefined, undefined),
    );
  };

  const setMask = (how: number, wanted: bigint): void => {
    if (how === 0) mask |= wanted;
    else if (how === 1) mask &= ~wanted;
    else if (how === 2) mask = wanted;
    else if (how !== queryMask) throw new WasiError(WasiErrno.EINVAL);
  };
  const umask = (wanted: number, result: number): void => {
    memory.u32(result);
    memory.setU32(result, system.umask(wanted & 0o777));
  };

  return {
    proc_spawn_v3(
      file: number,
      fileSize: number,
      argv: number,
      argvSize: number,
      env: number,
      envSize: number,
      actions: number,
      actionsSize: number,
      cwd: number,
      cwdSize: number,
      attributes: number,
      _defaultLow: number,
      _defaultHigh: number,
      _maskLow: number,
      _maskHigh: number,
      group: number,
      result: number,
    ) {
      const { spawn } = processes();
      memory.u32(result);
      const joins = (attributes & SpawnFlag.setProcessGroup) !== 0;
      // Joining the group of somebody else is not offered.
      if (joins && group !== 0) throw new WasiError(WasiErrno.ENOTSUP);
      const request: WasiSpawn = {
        file: memory.path(file, fileSize),
        argv: memory.texts(argv, argvSize),
        env: memory.texts(env, envSize),
        cwd: memory.path(cwd, cwdSize),
        fds: inherited(new Set()),
        newProcessGroup: joins,
      };
      const opened = applyActions(request, actions, actionsSize);
      try {
        memory.setU32(result, spawn(request));
      } finally {
        for (const fd of opened) fs.closeSync(fd);
      }
    },

    /** The child takes the place of this process, except for its pid. */
    proc_exec(
      file: number,
      fileSize: number,
      argv: number,
      argvSize: number,
      env: number,
      envSize: number,
      closingFds: number,
      closingCount: number,
    ) {
      const { spawn, wait } = processes();
      if (closingCount >>> 0 > wasiLimits.descriptors) throw new WasiError(WasiErrno.EINVAL);
      const also = new Set<number>();
      for (let index = 0; index < closingCount; index++)
        also.add(memory.u32((closingFds >>> 0) + index * 4));
      const pid = spawn({
        file: memory.path(file, fileSize),
        argv: memory.texts(argv, argvSize),
        env: memory.texts(env, envSize),
        cwd: "",
        fds: inherited(also),
        newProcessGroup: false,
      });
      // Held ends of pipes would keep their readers from seeing the end.
      for (const number of [...descriptors.entries()].map(([key]) => key))
        descriptors.close(number);
      const end = wait(pid, true)!;
      if (end.signal !== 0) system.raise(end.signal);
      system.exit(end.signal !== 0 ? 128 + end.signal : end.code);
    },

    proc_waitpid_v2(
      pid: number,
      options: number,
      code: number,
      signal: number,
      waited: number,
      core: number,
    ) {
      const { wait } = processes();
      for (const pointer of [code, signal, waited, core]) memory.u32(pointer);
      const child = pid | 0;
      // Process groups of children are not waited for by name.
      if (child < -1 || child === 0) throw new WasiError(WasiErrno.ENOTSUP);
      const end = wait(child, (options & noHang) === 0);
      memory.setU32(code, end?.code ?? 0);
      memory.setU32(signal, end?.signal ?? 0);
      memory.setU32(waited, end?.pid ?? 0);
      memory.setU32(core, 0);
    },

    proc_kill: (pid: number, signal: number) => system.kill(pid | 0, signal),
    proc_getpid: (result: number) => memory.setU32(result, system.identity.pid),
    proc_umask: umask,
    umask(wanted: number, change: number, result: number) {
      const previous = system.umask(wanted & 0o777);
      if (change === 0) system.umask(previous);
      memory.setU32(result, previous);
    },
    /** Kept, and given back; no signal reaches a module, so none is held back. */
    proc_signal_mask_v2(how: number, low: number, high: number, oldLow: number, oldHigh: number) {
      const old = mask;
      memory.u32(oldLow);
      memory.u32(oldHigh);
      setMask(how, (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0));
      memory.setU32(oldLow, Number(old & 0xffffffffn));
      memory.setU32(oldHigh, Number(old >> 32n));
    },
    sleep_ms: (milliseconds: number) => system.sleep(milliseconds >>> 0),

    fd_pipe(readerResult: number, writerResult: number) {
      const { pipe } = processes();
      memory.u32(readerResult);
      memory.u32(writerResult);
      const [reader, writer] = pipe();
      memory.setU32(readerResult, addStream(reader));
      memory.setU32(writerResult, addStream(writer));
    },
    fd_dup: (fd: number, result: number) => {
      memory.u32(result);
      memory.setU32(result, descriptors.duplicate(fd));
    },
    fd_dup_min: (fd: number, from: number, result: number) => {
      memory.u32(result);
      memory.setU32(
        result,
        descriptors.duplicate(fd, Math.min(from >>> 0, wasiLimits.descriptors)),
      );
    },
    fd_dup2(from: number, to: number) {
      descriptors.replace(from, to);
      closing.delete(to);
    },
    fd_getfd(fd: number, result: number) {
      descriptors.get(fd, Right.none);
      memory.setU32(result, closing.has(fd) ? closeOnExec : 0);
    },
    fd_setfd(fd: number, flags: number) {
      descriptors.get(fd, Right.none);
      if ((flags & closeOnExec) !== 0) closing.add(fd);
      else closing.delete(fd);
    },
    proc_closefrom(low: number) {
      for (const number of [...descriptors.entries()].map(([key]) => key))
        if (number >= low >>> 0) descriptors.close(number);
    },
  };
}
