/**
 * Owns one virtual machine: its file system, its processes and its defaults.
 * Nothing in it is shared with another VM.
 */
import { FileSystem, bootLayout } from "./fs/index.js";
import type { Credentials } from "./fs/index.js";
import type { VmOptions } from "../protocol/host-calls.js";
import { limits } from "./limits.js";
import { installPrograms } from "./process/programs.js";
import type { Process } from "./process/process.js";
import { ProcessTable } from "./process/table.js";
import type { Guest } from "../launcher/fork.js";

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

/** Hands over a locked-down blank guest, now or later, or `undefined` and the reason. */
export type TakeGuest = (waiter: (guest: Guest | undefined, reason: string) => void) => void;

export class Vm {
  readonly fs: FileSystem;
  readonly processes = new ProcessTable();
  /** Where the OS processes come from. */
  readonly takeGuest: TakeGuest;
  readonly env: Record<string, string>;
  readonly cwd: string;
  readonly startedAtMs = Date.now();
  disposed = false;
  #nextProgram = 1;

  constructor(options: VmOptions, takeGuest: TakeGuest) {
    this.takeGuest = takeGuest;
    this.fs = new FileSystem({ bytes: limits.fileSystemBytes, inodes: limits.inodes });
    bootLayout(this.fs, identity);
    installPrograms(this.fs);
    this.env = { ...baseEnvironment, ...options.env };
    this.cwd = options.cwd || identity.home;
  }

  /** What the host acts as: the guest's user cannot be in its way. */
  hostCredentials(): Credentials {
    return { uid: 0, gid: 0, umask: 0o022, cwd: "/" };
  }

  /** Called by a process that has ended, once. */
  processEnded(process: Process): void {
    this.processes.ended(process);
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
