/**
 * Owns one virtual machine: its file system, its processes and its defaults.
 * Nothing in it is shared with another VM.
 */
import { machine } from "../abi/machine.js";
import { FileSystem, bootLayout, mountLines } from "./fs/index.js";
import type { Credentials, MachineView, ProcessView } from "./fs/index.js";
import { errnoName } from "../abi/errno.js";
import type { VmMount, VmOptions } from "../protocol/host-calls.js";
import { limits } from "./limits.js";
import type { Process } from "./process/process.js";

export const identity = Object.freeze({
  uid: 1000,
  gid: 1000,
  user: "user",
  home: "/home/user",
  hostname: "secure-exec",
});

/** Environment of every process before the host's own entries; behaviour reference §6.2. */
export const baseEnvironment: Readonly<Record<string, string>> = Object.freeze({
  CHARSET: "UTF-8",
  LANG: "C.UTF-8",
  LC_COLLATE: "C",
  PAGER: "less",
  SHELL: "/bin/sh",
  HOSTNAME: identity.hostname,
  HOME: identity.home,
  USER: identity.user,
  LOGNAME: identity.user,
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
});

/** The machine cannot be made as asked. */
export class VmOptionError extends Error {}

export class Vm {
  readonly fs: FileSystem;
  readonly processes = new Map<number, Process>();
  readonly env: Record<string, string>;
  readonly cwd: string;
  readonly startedAtMs = Date.now();
  disposed = false;
  #nextPid = 2;
  #nextProgram = 1;

  constructor(options: VmOptions) {
    this.fs = new FileSystem({ bytes: limits.fileSystemBytes, inodes: limits.inodes });
    bootLayout(this.fs, identity);
    this.fs.mountProc(this.#machineView());
    for (const mount of options.mounts) this.#mount(mount);
    this.env = { ...baseEnvironment, ...options.env };
    this.cwd = options.cwd || identity.home;
  }

  #machineView(): MachineView {
    const { fs, processes, startedAtMs } = this;
    return {
      hostname: identity.hostname,
      startedAtMs,
      memoryBytes: limits.memoryBytes,
      process: (pid) => {
        const process = processes.get(pid);
        return process && viewOf(process);
      },
      processes: () => Array.from(processes.values(), viewOf),
      mounts: () => mountLines(fs.mounts),
    };
  }

  #mount({ option, guestPath, hostPath, readOnly }: VmMount): void {
    const { uid, gid } = identity;
    const result = this.fs.mount({ guestPath, hostPath, readOnly, uid, gid });
    if (result === 0) return;
    this.fs.dispose();
    const why = errnoName(-result) ?? `errno ${-result}`;
    throw new VmOptionError(`${option} cannot be mounted at ${guestPath}: ${why}`);
  }

  /** Lets go of what the machine holds on the host; calls of its last guests fail with EIO. */
  dispose(): void {
    this.disposed = true;
    this.fs.dispose();
  }

  /** What the host acts as: the guest's user cannot be in its way. */
  hostCredentials(): Credentials {
    return { uid: 0, gid: 0, umask: 0o022, cwd: "/" };
  }

  allocatePid(): number {
    return this.#nextPid++;
  }

  allocateProgramName(extension: string): string {
    return `/tmp/secure-exec-program-${this.#nextProgram++}${extension}`;
  }

  /** Writes a file for the host and gives it, and parents it made, to the guest's user. */
  writeHostFile(path: string, data: Uint8Array): number {
    const who = this.hostCredentials();
    const guest: Credentials = { uid: identity.uid, gid: identity.gid, umask: 0o022, cwd: "/" };
    const slash = path.lastIndexOf("/");
    if (slash > 0) {
      const parents = path.slice(0, slash).split("/").slice(1);
      let at = "";
      for (const name of parents) {
        at += `/${name}`;
        const made = this.fs.mkdir(who, at, 0o755);
        if (made === 0) this.fs.chown(who, at, guest.uid, guest.gid, false);
      }
    }
    const existed = typeof this.fs.stat(who, path, true) !== "number";
    const flags = 0o1 | 0o100 | 0o1000;
    const result = this.fs.writeFile(who, path, data, flags, 0o644);
    if (result === 0 && !existed) this.fs.chown(who, path, guest.uid, guest.gid, true);
    return result;
  }
}

/** A process as /proc shows it. */
function viewOf(process: Process): ProcessView {
  const { pid, ppid, credentials, openFiles, startOptions } = process;
  return {
    pid,
    ppid,
    argv: startOptions === undefined ? [] : [machine.nodePath, ...startOptions.argv],
    env: startOptions?.env ?? {},
    cwd: credentials.cwd,
    exe: machine.nodePath,
    state: "S",
    startedAtMs: startOptions?.startedAtMs ?? Date.now(),
    uid: credentials.uid,
    gid: credentials.gid,
    umask: credentials.umask,
    descriptors: () => [
      ...[0, 1, 2].map((fd) => ({ fd, target: `pipe:[${pid * 4 + fd}]` })),
      ...Array.from(openFiles, ([fd, file]) => ({ fd, target: file.path })),
    ],
  };
}
