/**
 * Serves host_process: descriptors beyond preview 1, and processes where the
 * system has them.
 *
 * A child inherits the descriptors that are not marked close-on-exec, under their
 * numbers, after the file actions of posix_spawn were applied (file-actions.ts).
 * Untrusted: every argument.
 */
import { FileType, Right, WasiErrno, WasiError, allRights } from "./abi.js";
import type { Import, ImportTable, WasiContext } from "./context.js";
import { OpenFile } from "./descriptors.js";
import { applyFileActions, closed } from "./file-actions.js";
import { wasiLimits } from "./limits.js";
import type { WasiProcesses, WasiSpawn, WasiSystem } from "./system.js";

const SpawnFlag = Object.freeze({ setProcessGroup: 2 });
const closeOnExec = 1;
const noHang = 1;
const MaskChange = Object.freeze({ block: 0, unblock: 1, set: 2, query: 3 });

export function hostProcess(context: WasiContext): ImportTable {
  /** Numbers of the descriptors that are marked close-on-exec. */
  const closing = new Set<number>();
  return {
    ...childImports(context, closing),
    ...selfImports(context),
    ...descriptorImports(context, closing),
  };
}

function processesOf(system: WasiSystem): WasiProcesses {
  if (system.processes === undefined) throw new WasiError(WasiErrno.ENOSYS);
  return system.processes;
}

/** The child's descriptors by number, as descriptors of this process. */
function inherited({ descriptors }: WasiContext, closing: ReadonlySet<number>): number[] {
  const fds: number[] = [];
  for (const [number, file] of descriptors.entries()) {
    if (file.fd < 0 || number >= wasiLimits.descriptors || closing.has(number)) continue;
    while (fds.length <= number) fds.push(closed);
    fds[number] = file.fd;
  }
  return fds;
}

function closeFrom({ descriptors }: WasiContext, low: number): void {
  const numbers = [...descriptors.entries()].map(([number]) => number);
  for (const number of numbers) if (number >= low) descriptors.close(number);
}

function childImports(context: WasiContext, closing: ReadonlySet<number>): ImportTable {
  const { memory, system } = context;
  const { fs } = system;
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
      const { spawn } = processesOf(system);
      memory.u32(result);
      const joins = (attributes & SpawnFlag.setProcessGroup) !== 0;
      // Joining the group of somebody else is not offered.
      if (joins && group !== 0) throw new WasiError(WasiErrno.ENOTSUP);
      const request: WasiSpawn = {
        file: memory.path(file, fileSize),
        argv: memory.texts(argv, argvSize),
        env: memory.texts(env, envSize),
        cwd: memory.path(cwd, cwdSize),
        fds: inherited(context, closing),
        newProcessGroup: joins,
      };
      const opened = applyFileActions(context, request, actions, actionsSize);
      try {
        memory.setU32(result, spawn(request));
      } finally {
        for (const fd of opened) fs.closeSync(fd);
      }
    },

    proc_exec: execImport(context, closing),
    proc_waitpid_v2(
      pid: number,
      options: number,
      code: number,
      signal: number,
      waited: number,
      core: number,
    ) {
      const { wait } = processesOf(system);
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
  };
}

/** The child takes the place of this process, except for its pid. */
function execImport(context: WasiContext, closing: ReadonlySet<number>): Import {
  const { memory, system } = context;
  return (
    file: number,
    fileSize: number,
    argv: number,
    argvSize: number,
    env: number,
    envSize: number,
    closingFds: number,
    closingCount: number,
  ): void => {
    const { spawn, wait } = processesOf(system);
    if (closingCount >>> 0 > wasiLimits.descriptors) throw new WasiError(WasiErrno.EINVAL);
    const alsoClosing = new Set(closing);
    for (let index = 0; index < closingCount; index++)
      alsoClosing.add(memory.u32((closingFds >>> 0) + index * 4));
    const pid = spawn({
      file: memory.path(file, fileSize),
      argv: memory.texts(argv, argvSize),
      env: memory.texts(env, envSize),
      cwd: "",
      fds: inherited(context, alsoClosing),
      newProcessGroup: false,
    });
    // Held ends of pipes would keep their readers from seeing the end.
    closeFrom(context, 0);
    const end = wait(pid, true)!;
    if (end.signal !== 0) system.raise(end.signal);
    system.exit(end.signal !== 0 ? 128 + end.signal : end.code);
  };
}

/** The process itself. */
function selfImports({ memory, system }: WasiContext): ImportTable {
  let mask = 0n;
  const setMask = (how: number, wanted: bigint): void => {
    if (how === MaskChange.block) mask |= wanted;
    else if (how === MaskChange.unblock) mask &= ~wanted;
    else if (how === MaskChange.set) mask = wanted;
    else if (how !== MaskChange.query) throw new WasiError(WasiErrno.EINVAL);
  };
  return {
    proc_kill: (pid: number, signal: number) => system.kill(pid | 0, signal),
    proc_getpid: (result: number) => memory.setU32(result, system.identity.pid),
    proc_umask(wanted: number, result: number) {
      memory.u32(result);
      memory.setU32(result, system.umask(wanted & 0o777));
    },
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
  };
}

function descriptorImports(context: WasiContext, closing: Set<number>): ImportTable {
  const { memory, descriptors, system } = context;
  const addStream = (fd: number): number => {
    const rights = allRights & ~(Right.fdSeek | Right.fdTell);
    return descriptors.add(
      new OpenFile(fd, FileType.unknown, "", rights, allRights, 0, undefined, undefined),
    );
  };
  return {
    fd_pipe(readerResult: number, writerResult: number) {
      const { pipe } = processesOf(system);
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
    proc_closefrom: (low: number) => closeFrom(context, low >>> 0),
  };
}
