/**
 * The dispatch of the system-call table: name → handler, nothing else. A handler
 * gets decoded arguments and answers a result or -errno, synchronously.
 */
import { Errno } from "../../abi/errno.js";
import type { guestCalls } from "../../protocol/guest-calls.js";
import type { CallArgs, CallResult } from "../../protocol/table.js";
import { S_IFDIR, S_IFMT, X_OK } from "../../abi/fcntl.js";
import type { Process } from "../process/process.js";
import { fsHandlers } from "./fs.js";

type Calls = typeof guestCalls;
/** Answered by the process itself: its reply carries a descriptor. */
type Special = "threadSocket";
type Handlers = {
  [K in Exclude<keyof Calls, Special>]: (
    process: Process,
    args: CallArgs<Calls, K>,
  ) => CallResult<Calls, K> | number;
};

const handlers: Handlers = {
  ...fsHandlers,
  chdir(process, { path }) {
    const who = process.credentials;
    const stat = process.fs.stat(who, path, true);
    if (typeof stat === "number") return stat;
    if ((stat.mode & S_IFMT) !== S_IFDIR) return -Errno.ENOTDIR;
    const allowed = process.fs.access(who, path, X_OK);
    if (allowed < 0) return allowed;
    const cwd = process.fs.realpath(who, path);
    if (typeof cwd === "number") return cwd;
    who.cwd = cwd;
    return { cwd };
  },
  umask(process, { mask }) {
    const previous = process.credentials.umask;
    if (mask >= 0) process.credentials.umask = mask & 0o777;
    return { previous };
  },
  getcwd(process) {
    return { cwd: process.credentials.cwd };
  },
  kill(process, { pid, signal }) {
    if (pid === 1) return -Errno.EPERM;
    const target = process.vm.processes.get(pid === 0 ? process.pid : pid);
    if (target === undefined) return -Errno.ESRCH;
    const result = target.signal(signal);
    return result < 0 ? result : {};
  },
  usage() {
    return -Errno.ENOSYS;
  },
};

export function dispatch<K extends keyof Handlers>(
  process: Process,
  name: K,
  args: CallArgs<Calls, K>,
): CallResult<Calls, K> | number {
  return handlers[name](process, args);
}
