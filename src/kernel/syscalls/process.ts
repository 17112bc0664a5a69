/**
 * System calls about processes: decode → call → encode. Untrusted: every field of `args`.
 */
import { Errno } from "../../abi/errno.js";
import * as engineSymbols from "../../launcher/engine-symbols.js";
import { enter, spawn } from "../process/launch.js";
import { afterwards } from "../policy/decision.js";
import type { Handlers } from "./dispatch.js";

type ProcessCalls =
  | "chdir"
  | "getcwd"
  | "umask"
  | "kill"
  | "spawn"
  | "wait"
  | "setProcessGroup"
  | "priority"
  | "sqliteEntry"
  | "usage";

export const processHandlers: Pick<Handlers, ProcessCalls> = {
  chdir(process, { path }) {
    const who = process.credentials;
    const cwd = enter(process.vm, who, path);
    if (typeof cwd === "number") return cwd;
    who.cwd = cwd;
    return { cwd };
  },

  getcwd(process) {
    return { cwd: process.credentials.cwd };
  },

  umask(process, { mask }) {
    const previous = process.credentials.umask;
    if (mask >= 0) process.credentials.umask = mask & 0o777;
    return { previous };
  },

  kill(process, { pid, signal }) {
    const { processes } = process.vm;
    // A process may always signal itself.
    const others = processes.targets(process, pid).filter((target) => target !== process);
    const requests = others.map((target) => ({
      scope: "process" as const,
      operation: "kill" as const,
      pid: target.pid,
      signal,
      command: target.argv.join(" "),
    }));
    return afterwards(process.policy.judgeAll(requests), () => {
      const result = processes.kill(process, pid, signal);
      return result < 0 ? result : {};
    });
  },

  spawn(process, args) {
    return spawn(process, args);
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
};
