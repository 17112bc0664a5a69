/**
 * System calls about processes and the descriptors they share: decode → call →
 * encode. Untrusted: every field of `args`.
 */
import { Errno } from "../../abi/errno.js";
import { S_IFDIR, S_IFMT, X_OK } from "../../abi/fcntl.js";
import { createPipe, createSocketPair } from "../io/pipe.js";
import type { Stream } from "../io/stream.js";
import { describe } from "../process/describe.js";
import { spawn } from "../process/launch.js";
import { afterwards } from "../policy/decision.js";
import type { Process } from "../process/process.js";
import type { Handlers } from "./dispatch.js";

type ProcessCalls =
  | "chdir"
  | "getcwd"
  | "umask"
  | "kill"
  | "pipe"
  | "socketpair"
  | "dup"
  | "shutdown"
  | "describe"
  | "spawn"
  | "wait"
  | "setProcessGroup"
  | "usage";

/** Two new descriptors, or the errno when only one could be had. */
function addPair(process: Process, first: Stream, second: Stream): [number, number] | number {
  const one = process.descriptors.add(first);
  const two = process.descriptors.add(second);
  if (one >= 0 && two >= 0) return [one, two];
  if (one >= 0) process.descriptors.close(one);
  return -Errno.EMFILE;
}

export const processHandlers: Pick<Handlers, ProcessCalls> = {
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

  pipe(process) {
    const { reader, writer } = createPipe();
    const fds = addPair(process, reader, writer);
    return typeof fds === "number" ? fds : { reader: fds[0], writer: fds[1] };
  },

  socketpair(process) {
    const [first, second] = createSocketPair();
    const fds = addPair(process, first, second);
    return typeof fds === "number" ? fds : { first: fds[0], second: fds[1] };
  },

  dup(process, { fd, to }) {
    const description = process.descriptors.get(fd);
    if (description === undefined) return -Errno.EBADF;
    if (to === fd) return { fd };
    description.ref();
    const result =
      to === -1 ? process.descriptors.add(description) : process.descriptors.put(to, description);
    return result < 0 ? result : { fd: result };
  },

  shutdown(process, { fd }) {
    if (process.descriptors.get(fd) === undefined) return -Errno.EBADF;
    const stream = process.descriptors.stream(fd);
    if (stream === undefined) return -Errno.ENOTSOCK;
    const result = stream.shutdown();
    return result < 0 ? result : {};
  },

  describe(process, { fd }) {
    const description = process.descriptors.get(fd);
    return description === undefined ? -Errno.EBADF : { kind: describe(description) };
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

  usage() {
    return -Errno.ENOSYS;
  },
};
