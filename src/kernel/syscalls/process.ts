/**
 * System calls about processes: decode → call → encode. Untrusted: every field of `args`.
 */
import { Errno } from "../../abi/errno.js";
import * as engineSymbols from "../../launcher/engine-symbols.js";
import { Deferred } from "../io/deferred.js";
import { enter, mayRestartInEngine, restartInEngine } from "../process/launch.js";
import { spawn } from "../process/spawn.js";
import { replace, replaceAnew } from "../process/replace.js";
import type { Request } from "../../protocol/permissions.js";
import type { Process } from "../process/process.js";
import type { Handlers } from "./dispatch.js";

/** A process may always signal itself; of all others it has to be allowed. */
export function killRequests(process: Process, pid: number, signal: number): Request[] {
  return process.vm.processes
    .targets(process, pid)
    .filter((target) => target !== process)
    .map((target) => ({
      scope: "process",
      operation: "kill",
      pid: target.pid,
      signal,
      command: target.argv.join(" "),
    }));
}

/** Looking at, or changing, the nice value of somebody else. */
export function priorityRequests(process: Process, pid: number, nice: number): Request[] {
  const target = process.vm.processes.get(pid === 0 ? process.pid : pid);
  if (target === undefined || target === process) return [];
  const operation = nice >= -20 && nice <= 19 ? "kill" : "inspect";
  return [{ scope: "process", operation, pid: target.pid, command: target.argv.join(" ") }];
}

export const processHandlers = {
  chdir(process, { path }) {
    const who = process.credentials;
    const cwd = enter(process.vm, who, path);
    if (typeof cwd === "number") return cwd;
    who.cwd = cwd;
    return { cwd };
  },

  valuePart(process, { first, data }) {
    return process.sendValue(first, data);
  },

  getcwd(process) {
    const { cwd } = process.credentials;
    const stat = process.vm.fs.stat(process.credentials, cwd, true);
    return typeof stat === "number" && stat === -Errno.ENOENT ? stat : { cwd };
  },

  umask(process, { mask }) {
    const previous = process.credentials.umask;
    if (mask >= 0) process.credentials.umask = mask & 0o777;
    return { previous };
  },

  interruptible(process, { on }) {
    return { interrupted: process.interruptible(on) };
  },

  kill(process, { pid, signal }) {
    const result = process.vm.processes.kill(process, pid, signal);
    return result < 0 ? result : {};
  },

  spawn(process, args) {
    return spawn(process, args);
  },

  exec(process, args) {
    return replace(process, args);
  },

  execve(process, args) {
    return replaceAnew(process, args);
  },

  ownEngine(process, { flags }) {
    const result = mayRestartInEngine(process, flags);
    if (result < 0) return result;
    // Not while the guest that goes is heard; the call ends with it.
    setImmediate(() => restartInEngine(process, flags));
    return new Deferred();
  },

  wait(process, { pid }) {
    return process.vm.processes.wait(process, pid);
  },

  setProcessGroup(process, { pid, group }) {
    const result = process.vm.processes.setProcessGroup(process, pid, group);
    return result < 0 ? result : {};
  },

  priority(process, { pid, nice }) {
    const target = pid === 0 ? process : process.vm.processes.get(pid);
    if (target === undefined || target.ended) return -Errno.ESRCH;
    if (nice < -20 || nice > 19) return { nice: target.nice };
    const { uid } = process.credentials;
    if (uid !== 0 && uid !== target.credentials.uid) return -Errno.EPERM;
    // Without CAP_SYS_NICE one can only become nicer.
    if (uid !== 0 && nice < target.nice) return -Errno.EACCES;
    target.nice = nice;
    return { nice };
  },

  sqliteEntry() {
    const distance = engineSymbols.distance("uv_loop_fork", "sqlite3_vfs_register");
    return distance === undefined ? -Errno.ENOSYS : { distance };
  },

  usage(process) {
    const { userUs: childUserUs, systemUs: childSystemUs } = process.childTime;
    return { ...process.usage(), childUserUs, childSystemUs };
  },
} satisfies Partial<Handlers>;
