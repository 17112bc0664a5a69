/**
 * Owns the table of import modules beside preview 1 that some C libraries use to
 * offer more of POSIX: host_fs, host_user and host_process, each in a file of its
 * name, and host_tty, host_net and host_sleep_ms. Functions answer an errno unless
 * their name says a value. What exists elsewhere and not here answers ENOSYS.
 * Untrusted: every argument.
 */
import { Right, WasiErrno } from "./abi.js";
import type { ImportTable, WasiContext } from "./context.js";
import { hostFs } from "./host-fs.js";
import { hostProcess } from "./host-process.js";
import { hostUser } from "./host-user.js";

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
    host_user: {
      ...hostUser(context),
      isatty(fd: number, result: number) {
        context.memory.setU32(result, Number(isTerminal(context, fd)));
      },
    },
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
