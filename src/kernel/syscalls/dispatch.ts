/**
 * The dispatch of the system-call table: name → handler, nothing else. A handler
 * gets decoded arguments and answers a result or -errno, synchronously.
 */
import { Errno } from "../../abi/errno.js";
import type { guestCalls } from "../../protocol/guest-calls.js";
import type { CallArgs } from "../../protocol/table.js";
import { S_IFDIR, S_IFMT, X_OK } from "../../abi/fcntl.js";
import { admit } from "../policy/admission.js";
import type { Answer } from "../policy/admission.js";
import type { Process } from "../process/process.js";
import { afterwards } from "../policy/decision.js";
import { fsHandlers } from "./fs.js";
import { toolHandlers } from "./tools.js";

type Calls = typeof guestCalls;
type Handlers = {
  [K in keyof Calls]: (process: Process, args: CallArgs<Calls, K>) => Answer<K>;
};

const handlers: Handlers = {
  ...fsHandlers,
  ...toolHandlers,
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
  kill(process, { pid, signal }) {
    if (pid === 1) return -Errno.EPERM;
    const target = process.vm.processes.get(pid === 0 ? process.pid : pid);
    if (target === undefined) return -Errno.ESRCH;
    const send = (): Answer<"kill"> => {
      const result = target.signal(signal);
      return result < 0 ? result : {};
    };
    // A process may always signal itself.
    if (target === process) return send();
    return afterwards(
      process.policy.judge({ scope: "process", operation: "kill", pid: target.pid, signal }),
      send,
    );
  },
  usage() {
    return -Errno.ENOSYS;
  },
};

export function dispatch<K extends keyof Calls>(
  process: Process,
  name: K,
  args: CallArgs<Calls, K>,
): Answer<K> {
  return admit(process, name, args, (admitted) => handlers[name](process, admitted));
}
