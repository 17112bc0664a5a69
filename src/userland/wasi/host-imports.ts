/**
 * Serves the import modules beside preview 1 that some C libraries use to offer
 * more of POSIX: host_fs, host_user, host_tty, host_net, host_sleep_ms; and
 * host_process, which is in host-process.ts. Functions answer an errno unless
 * their name says a value. What exists elsewhere and not here answers ENOSYS.
 * Untrusted: every argument.
 */
import type { ImportTable, WasiContext } from "./context.js";
import { Right, WasiErrno, WasiError } from "./abi.js";
import { ownerOf } from "./files.js";
import { encodeText } from "./memory.js";
import { hostProcess } from "./host-process.js";
import { join } from "./paths.js";

const atWorkingDirectory = -1;

const unserved: Readonly<Record<string, string>> = {
  host_fs: `open_tmpfile fd_link remount path_mknod path_renameat2 path_statfs fd_fiemap fd_punch_hole
    fd_zero_range fd_insert_range fd_collapse_range path_getxattr path_listxattr path_setxattr
    path_removexattr fd_getxattr fd_listxattr fd_setxattr fd_removexattr`,
  host_net: `net_socket net_set_nonblock net_connect net_getaddrinfo net_dns_query_rr_v1 net_bind net_listen
    net_accept net_validate_socket net_validate_accept net_getsockname net_getpeername net_sendto
    net_recvfrom net_setsockopt net_getsockopt net_poll net_close net_tls_connect`,
  host_process: `proc_spawn proc_spawn_v2 proc_spawn_v4 proc_fexec proc_waitpid proc_waitpid_v3 proc_getrlimit
    proc_setrlimit proc_itimer_real proc_getpgid proc_setpgid fd_flock fd_record_lock fd_socketpair
    fd_sendmsg_rights fd_recvmsg_rights pty_open proc_sigaction proc_ppoll_v1`,
  host_tty: "get_size set_size get_attr set_attr get_pgrp set_pgrp get_sid read set_raw_mode",
};

function notServed(names: string): ImportTable {
  const refuse = (): number => WasiErrno.ENOSYS;
  return Object.fromEntries(names.split(/\s+/).map((name) => [name, refuse]));
}

export function hostImports(context: WasiContext): Record<string, ImportTable> {
  const table: Record<string, ImportTable> = {
    host_fs: hostFs(context),
    host_user: hostUser(context),
    host_tty: { isatty: (fd: number) => Number(isTerminal(context, fd)) },
    host_net: hostNet(context),
    host_process: hostProcess(context),
  };
  const sleep = (milliseconds: number): void => context.system.sleep(milliseconds >>> 0);
  table["host_sleep_ms"] = { sleep_ms: sleep, host_sleep_ms: sleep };
  for (const [name, names] of Object.entries(unserved))
    table[name] = { ...notServed(names), ...table[name] };
  return table;
}

function isTerminal({ descriptors, system }: WasiContext, fd: number): boolean {
  const file = descriptors.find(fd);
  return file !== undefined && file.fd >= 0 && system.kindOf(file.fd) === "tty";
}

function hostFs(context: WasiContext): ImportTable {
  const { memory, descriptors, paths, system } = context;
  const { fs } = system;
  /**
   * C libraries pass names as their caller gave them, relative to the working directory,
   * with the number of a preopened directory or -1; and those that they made relative to it.
   */
  const path = (fd: number, pointer: number, size: number, follow: number): string => {
    const name = memory.path(pointer, size);
    const directory = fd === atWorkingDirectory ? undefined : descriptors.directory(fd, Right.none);
    if (directory === undefined || directory.preopen !== undefined) {
      const here = name.startsWith("/") ? name : join(system.cwd(), name);
      if (directory === undefined || paths.exists(here)) return here;
    }
    return paths.resolve(directory, name, follow !== 0);
  };
  const stat = (fd: number, pointer: number, size: number, follow: number) => {
    const at = path(fd, pointer, size, follow);
    return follow !== 0 ? fs.statSync(at) : fs.lstatSync(at);
  };
  const fstat = (fd: number) => {
    const file = descriptors.get(fd, Right.none);
    return file.fd < 0 ? fs.statSync(file.path) : fs.fstatSync(file.fd);
  };
  /** These answer a value; 0 is what they say about a file that is not there. */
  const valueOr0 =
    <T extends any[]>(value: (...args: T) => number) =>
    (...args: T): number => {
      try {
        return value(...args);
      } catch {
        return 0;
      }
    };
  const bigOr0 =
    <T extends any[]>(value: (...args: T) => number) =>
    (...args: T): bigint =>
      BigInt(valueOr0(value)(...args));
  const chown = (
    fd: number,
    pointer: number,
    size: number,
    uid: number,
    gid: number,
    follow: number,
  ): void => {
    const at = path(fd, pointer, size, follow);
    if (follow !== 0) fs.chownSync(at, ownerOf(uid), ownerOf(gid));
    else fs.lchownSync(at, ownerOf(uid), ownerOf(gid));
  };
  const fchown = (fd: number, uid: number, gid: number): void => {
    const file = descriptors.get(fd, Right.none);
    if (file.fd < 0) fs.chownSync(file.path, ownerOf(uid), ownerOf(gid));
    else fs.fchownSync(file.fd, ownerOf(uid), ownerOf(gid));
  };
  const owner = (stats: { uid: number; gid: number }, uid: number, gid: number): void => {
    memory.setU32(uid, stats.uid);
    memory.setU32(gid, stats.gid);
  };
  return {
    set_open_mode(mode: number) {
      context.createMode = mode & 0o7777;
    },
    set_open_direct: () => undefined,
    path_mode: valueOr0((...at: [number, number, number, number]) => stat(...at).mode),
    path_size: bigOr0((...at: [number, number, number, number]) => stat(...at).size),
    path_blocks: bigOr0((...at: [number, number, number, number]) => stat(...at).blocks),
    path_rdev: bigOr0((...at: [number, number, number, number]) => stat(...at).rdev),
    fd_mode: valueOr0((fd: number) => fstat(fd).mode),
    fd_size: bigOr0((fd: number) => fstat(fd).size),
    fd_blocks: bigOr0((fd: number) => fstat(fd).blocks),
    path_owner(
      fd: number,
      pointer: number,
      size: number,
      follow: number,
      uid: number,
      gid: number,
    ) {
      owner(stat(fd, pointer, size, follow), uid, gid);
    },
    fd_owner: (fd: number, uid: number, gid: number) => owner(fstat(fd), uid, gid),
    path_access(fd: number, pointer: number, size: number, mode: number, _flags: number) {
      fs.accessSync(path(fd, pointer, size, 1), mode);
    },
    chown,
    path_chown: chown,
    fchown,
    fd_chown: fchown,
    chmod(fd: number, pointer: number, size: number, mode: number) {
      fs.chmodSync(path(fd, pointer, size, 1), mode & 0o7777);
    },
    fchmod(fd: number, mode: number) {
      const file = descriptors.get(fd, Right.none);
      if (file.fd < 0) fs.chmodSync(file.path, mode & 0o7777);
      else fs.fchmodSync(file.fd, mode & 0o7777);
    },
    ftruncate(fd: number, size: bigint) {
      if (size < 0n) throw new WasiError(WasiErrno.EINVAL);
      fs.ftruncateSync(descriptors.get(fd, Right.fdFilestatSetSize).fd, Number(size));
    },
  };
}

function hostUser(context: WasiContext): ImportTable {
  const { memory, system } = context;
  const { uid, gid } = system.identity;
  const give = (value: number) => (pointer: number) => memory.setU32(pointer, value);
  const giveThree = (value: number) => (a: number, b: number, c: number) => {
    for (const pointer of [a, b, c]) memory.setU32(pointer, value);
  };
  /** One may only become who one is. */
  const become = (own: number) => {
    return (...ids: number[]): void => {
      if (ids.some((id) => id >>> 0 !== own && id >>> 0 !== 0xffffffff))
        throw new WasiError(WasiErrno.EPERM);
    };
  };
  const entries = (file: string): string[] =>
    system.fs
      .readFileSync(file, "utf8")
      .split("\n")
      .filter((line) => line !== "");
  const answer = (
    line: string | undefined,
    buffer: number,
    size: number,
    length: number,
  ): number | void => {
    if (line === undefined) return WasiErrno.ENOENT;
    const bytes = encodeText(line);
    memory.setU32(length, bytes.byteLength);
    if (bytes.byteLength > size >>> 0) return WasiErrno.ERANGE;
    memory.set(buffer, bytes);
  };
  const byId = (file: string) => (id: number, buffer: number, size: number, length: number) =>
    answer(
      entries(file).find((line) => line.split(":")[2] === String(id >>> 0)),
      buffer,
      size,
      length,
    );
  const byName =
    (file: string) =>
    (pointer: number, nameSize: number, buffer: number, size: number, length: number) => {
      const name = memory.path(pointer, nameSize);
      return answer(
        entries(file).find((line) => line.split(":")[0] === name),
        buffer,
        size,
        length,
      );
    };
  const byIndex = (file: string) => (index: number, buffer: number, size: number, length: number) =>
    answer(entries(file)[index >>> 0], buffer, size, length);

  return {
    getuid: give(uid),
    geteuid: give(uid),
    getgid: give(gid),
    getegid: give(gid),
    getresuid: giveThree(uid),
    getresgid: giveThree(gid),
    ...Object.fromEntries(
      ["setuid", "seteuid", "setreuid", "setresuid"].map((name) => [name, become(uid)]),
    ),
    ...Object.fromEntries(
      ["setgid", "setegid", "setregid", "setresgid"].map((name) => [name, become(gid)]),
    ),
    getgroups(size: number, pointer: number, count: number) {
      if (size >>> 0 >= 1) memory.setU32(pointer, gid);
      else if (size !== 0) return WasiErrno.EINVAL;
      memory.setU32(count, 1);
      return 0;
    },
    setgroups: () => WasiErrno.EPERM,
    getpwuid: byId("/etc/passwd"),
    getpwnam: byName("/etc/passwd"),
    getpwent: byIndex("/etc/passwd"),
    getgrgid: byId("/etc/group"),
    getgrnam: byName("/etc/group"),
    getgrent: byIndex("/etc/group"),
    isatty(fd: number, result: number) {
      memory.setU32(result, Number(isTerminal(context, fd)));
    },
  };
}

/** The two functions that C libraries call for descriptors which are sockets; there are none, but streams are close enough. */
function hostNet({ memory, descriptors, system }: WasiContext): ImportTable {
  const { fs } = system;
  return {
    net_send(fd: number, pointer: number, size: number, _flags: number, result: number) {
      const file = descriptors.get(fd, Right.fdWrite);
      const bytes = memory.bytes(pointer, size);
      memory.setU32(result, fs.writeSync(file.fd, bytes, 0, bytes.byteLength, null));
    },
    net_recv(fd: number, pointer: number, size: number, _flags: number, result: number) {
      const file = descriptors.get(fd, Right.fdRead);
      const bytes = memory.bytes(pointer, size);
      memory.setU32(result, fs.readSync(file.fd, bytes, 0, bytes.byteLength, null));
    },
  };
}
