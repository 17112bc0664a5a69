/**
 * Owns the namespaces of a zygote and what they contain: nothing. No file, no network device, no
 * other process can be named in them, by whatever defect of the filter.
 *
 * None needs root: an ordinary user gets the others with a user namespace of its own, in which nobody
 * is mapped. Where that is refused and root started us, root's own right is used. Each may
 * be missing; the answers say why.
 *
 * Invariant: a process that enters a PID namespace must give it a first process that outlives the
 * guests; when that ends, Linux ends all the others and forks no more.
 */
import { Errno } from "../abi/errno.js";
import * as libc from "./libc.js";
import { bind, openLibrary } from "./native.js";

/** include/uapi/linux/sched.h */
const flags = {
  userns: 0x1000_0000,
  mountns: 0x0002_0000,
  pidns: 0x2000_0000,
  netns: 0x4000_0000,
  ipcns: 0x0800_0000,
  utsns: 0x0400_0000,
} as const;

export type Namespace = keyof typeof flags;
export type OtherNamespace = Exclude<Namespace, "userns">;
export const otherNamespaces = ["mountns", "pidns", "netns", "ipcns", "utsns"] as const;

const x64 = process.arch === "x64";
const SYS_UNSHARE = x64 ? 272 : 97;
const SYS_MOUNT = x64 ? 165 : 40;
const SYS_UMOUNT2 = x64 ? 166 : 39;
const SYS_PIVOT_ROOT = x64 ? 155 : 41;

/** include/uapi/linux/mount.h */
const MS_RDONLY = 1;
const MS_NOSUID = 2;
const MS_NODEV = 4;
const MS_NOEXEC = 8;
const MS_REMOUNT = 0x20;
const MS_BIND = 0x1000;
const MS_REC = 0x4000;
const MS_PRIVATE = 0x4_0000;
const MNT_DETACH = 2;

/** The root's own, and what an engine's root has beside it. */
const mostInodes = 64;

/** CLONE_VM | CLONE_PARENT | SIGCHLD; zygote-policy.ts lets a zygote ask for it. */
const CLONE_FIRST_PROCESS = 0x8111;

/** 0 or `-errno`. */
export function unshare(namespace: Namespace): number {
  return libc.syscall(SYS_UNSHARE, flags[namespace]);
}

/**
 * Makes the root a small, read-only file system with what `fill` makes in it, and lets go of every other
 * mount. `fill` runs in the new root's directory, and may bind files of the old one. Needs a mount namespace
 * of this process's own. Answers the step that failed, or undefined.
 */
export function replaceRoot(
  fill: (bind: (from: string, to: string) => number) => string | undefined = () => undefined,
): string | undefined {
  const text = (value: string): bigint => {
    const bytes = libc.cString(value);
    kept.push(bytes);
    return libc.addressOf(bytes);
  };
  const kept: Buffer[] = [];
  const quiet = MS_NOSUID | MS_NODEV | MS_NOEXEC;
  const mount = (source: bigint, target: string, type: bigint, how: number, data: bigint): number =>
    libc.syscall(SYS_MOUNT, source, text(target), type, how, data);
  // Any directory that is certainly there.
  const at = "/proc";
  const content = text(`size=64k,nr_inodes=${mostInodes},mode=555`);
  // A file that is shown as it is, and cannot be changed through here: one call binds, another says how.
  const bind = (from: string, to: string): number => {
    const bound = mount(text(from), to, 0n, MS_BIND, 0n);
    return bound < 0
      ? bound
      : mount(0n, to, 0n, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, 0n);
  };
  let unfilled: string | undefined;
  const steps: readonly (readonly [string, () => number])[] = [
    ["make private", () => mount(0n, "/", 0n, MS_REC | MS_PRIVATE, 0n)],
    ["mount", () => mount(text("none"), at, text("tmpfs"), quiet, content)],
    ["chdir", () => libc.chdir(at)],
    ["fill", () => ((unfilled = fill(bind)) === undefined ? 0 : -Errno.EIO)],
    // Onto each other: the old root lies on top of the new one and is taken off (pivot_root(2)).
    ["pivot_root", () => libc.syscall(SYS_PIVOT_ROOT, text("."), text("."))],
    ["umount", () => libc.syscall(SYS_UMOUNT2, text("."), MNT_DETACH)],
    ["chdir", () => libc.chdir("/")],
    ["remount", () => mount(0n, "/", 0n, MS_REMOUNT | MS_BIND | MS_RDONLY | quiet, 0n)],
  ];
  for (const [name, step] of steps) {
    const result = step();
    if (result < 0) return unfilled ?? `${name}: errno ${-result}`;
  }
  return undefined;
}

/**
 * Has this process's user and group exist in the user namespace that it just made, under their own
 * numbers: nobody else could own a file of a mount there. Answers 0 or -errno.
 */
export function mapOwnIds(uid: number, gid: number): number {
  const put = (file: string, content: string): number => {
    const fd = libc.openReadWrite(`/proc/self/${file}`);
    if (fd < 0) return fd;
    const bytes = Buffer.from(content, "latin1");
    const result = libc.write(fd, bytes, 0, bytes.length);
    libc.close(fd);
    return Math.min(result, 0);
  };
  const result = put("uid_map", `${uid} ${uid} 1\n`);
  if (result < 0) return result;
  put("setgroups", "deny\n");
  return put("gid_map", `${gid} ${gid} 1\n`);
}

/** The first process of a PID namespace. */
export interface FirstProcess {
  readonly pid: number;
  /** It ends when this descriptor is closed; this descriptor reports POLLERR when it has ended. */
  readonly lifeline: number;
}

/**
 * What it runs, given the end of a pipe: keeps that descriptor alone, waits until the other end is
 * closed, and leaves. As machine code, because it shares this process's memory, where it must
 * neither run JavaScript nor count as a second owner of each page.
 */
const waitForTheEnd: Readonly<Record<string, readonly (readonly number[])[]>> = {
  x64: [
    [0x31, 0xf6, 0xb8, 0x21, 0, 0, 0, 0x0f, 0x05], // dup2(edi, 0)
    [0xbf, 1, 0, 0, 0, 0xbe, 0xff, 0xff, 0xff, 0xff, 0x31, 0xd2], // 1, ~0, 0
    [0xb8, 0xb4, 1, 0, 0, 0x0f, 0x05], // close_range
    [0x31, 0xff, 0x31, 0xc0, 0x48, 0x89, 0xe6, 0xba, 1, 0, 0, 0, 0x0f, 0x05], // again: read(0, rsp, 1)
    [0x83, 0xf8, 0xfc, 0x74, 0xed], // EINTR: again
    [0x31, 0xff, 0xb8, 0xe7, 0, 0, 0, 0x0f, 0x05], // exit_group(0)
  ],
  arm64: [
    [0x01, 0, 0x80, 0xd2, 0x02, 0, 0x80, 0xd2], // x1 = 0, x2 = 0
    [0x08, 0x03, 0x80, 0xd2, 0x01, 0, 0, 0xd4], // dup3(x0, 0, 0)
    [0x20, 0, 0x80, 0xd2, 0x01, 0, 0x80, 0x12, 0x02, 0, 0x80, 0xd2], // 1, ~0, 0
    [0x88, 0x36, 0x80, 0xd2, 0x01, 0, 0, 0xd4], // close_range
    [0, 0, 0x80, 0xd2, 0xe1, 0x03, 0, 0x91, 0x22, 0, 0x80, 0xd2], // again: 0, sp, 1
    [0xe8, 0x07, 0x80, 0xd2, 0x01, 0, 0, 0xd4], // read
    [0x1f, 0x10, 0, 0xb1, 0x40, 0xff, 0xff, 0x54], // EINTR: again
    [0, 0, 0x80, 0xd2, 0xc8, 0x0b, 0x80, 0xd2, 0x01, 0, 0, 0xd4], // exit_group(0)
  ],
};
/** A page of code, and one as the stack that the one byte goes to. */
const codeBytes = 4096;
const stackBytes = 4096;
const PROT_READ_EXEC = 5;
/** A range that holds none. */
const noDescriptor = 0xffff_ffff;

/**
 * Starts the first process of the PID namespace that this process's children are in. Its parent is
 * this process's parent, who must reap it. It is confined as this process is now.
 */
export function startFirstProcess(): FirstProcess | number {
  const code = waitForTheEnd[process.arch];
  if (code === undefined) return -Errno.ENOSYS;
  // It must let go of its copy of the lifeline.
  const closes = libc.closeRange(noDescriptor, noDescriptor);
  if (closes < 0) return closes;
  const text = libc.mapCode(Buffer.from(code.flat()), codeBytes);
  const stack = libc.reserveMemory(stackBytes);
  if (typeof text === "number") return text;
  if (typeof stack === "number") return stack;
  const executable = libc.protectMemory(text, codeBytes, PROT_READ_EXEC);
  if (executable < 0) return executable;
  const pipe = libc.pipe2(libc.O_CLOEXEC);
  if (typeof pipe === "number") return pipe;
  const [end, lifeline] = pipe;
  const clone = bind<[bigint, bigint, number, bigint], number>(
    openLibrary(),
    "clone",
    ["u64", "u64", "i32", "u64"],
    "i32",
  );
  const pid = libc.checked(
    clone(text, stack + BigInt(stackBytes), CLONE_FIRST_PROCESS, BigInt(end)),
  );
  libc.close(end);
  if (pid < 0) {
    libc.close(lifeline);
    return pid;
  }
  return { pid, lifeline };
}
