// What native code in a guest would try, one forked and filtered child each. The
// expectations stand beside the calls; hostile.test.mjs compares. x86-64 numbers.
import * as libc from "../../../dist/sandbox/libc.js";
import { address, inGuest, int80, syscall, thread, withoutInt80, words } from "./native.mjs";

libc.setParentDeathSignal(libc.SIGKILL);
const strict = process.argv[2] === "strict";
const parent = libc.getpid();
const [sock, peer] = libc.socketpair(libc.SOCK_STREAM, libc.SOCK_CLOEXEC);
libc.write(peer, Buffer.from("x"), 0, 1);
const dir = syscall(2, address("/"), 0x10000).result;
const devNull = syscall(2, address("/dev/null"), 2).result;
const buffer = Buffer.alloc(4096);
const buf = address(buffer);
const page = Number((address(Buffer.alloc(3 * 4096)) + 4095n) & ~4095n);
const iovec = words(buf, 8);
const msghdr = words(0, 0, iovec, 1, 0, 0, 0);
const passwd = address("/etc/passwd");
const relative = address("etc/passwd");
const binTrue = address("/bin/true");
const root = address("/");
const self = () => libc.getpid();
const PTHREAD = 0x3d0f00;

const [EPERM, ENOENT, EBADF, EACCES, EINVAL, ENOTTY, ENOSYS] = [1, 2, 9, 13, 22, 25, 38];
const cases = [];
const add = (name, expected, nr, ...args) =>
  cases.push({ name, expected, run: typeof nr === "function" ? nr : () => syscall(nr, ...args) });
/** Outside the table: EPERM, and death in strict mode. */
const denied = (name, nr, ...args) => add(name, "denied", nr, ...args);
const soft = (errno, name, nr, ...args) => add(name, { errno }, nr, ...args);
/** Succeeds for real. */
const allowed = (name, nr, ...args) => add(name, "allowed", nr, ...args);
/** Answers exactly this without doing anything. */
const ignored = (name, nr, ...args) => add(name, { result: 0 }, nr, ...args);
const killed = (name, nr, ...args) => add(name, { signal: 31 }, nr, ...args);

// processes
denied("fork", 57);
denied("vfork", 58);
denied("clone(SIGCHLD)", 56, 17);
denied("clone(NEWUSER)", 56, 0x10000000 | 17);
denied("clone(VM|VFORK)", 56, 0x4111);
denied("clone thread flags + NEWUSER", 56, PTHREAD | 0x10000000);
denied("clone thread flags + PARENT", 56, PTHREAD | 0x8000);
denied("clone thread flags without THREAD", 56, PTHREAD & ~0x10000);
denied("clone flags in high word", 56, 0x1003d0f00n);
soft(ENOSYS, "clone3", 435, 0, 0);
soft(ENOSYS, "clone3 with arguments", 435, buf, 88);
denied("execve", 59, binTrue, 0, 0);
denied("execveat", 322, dir, address("bin/true"), 0, 0, 0);
denied("wait4", 61, -1, 0, 1, 0);
denied("waitid", 247, 0, 0, buf, 5, 0);

// files
soft(ENOENT, "open", 2, passwd, 0);
soft(ENOENT, "openat dirfd", 257, dir, relative, 0);
soft(ENOENT, "openat absolute", 257, -100, passwd, 0);
soft(ENOSYS, "openat2", 437, dir, relative, buf, 24);
soft(ENOENT, "stat", 4, passwd, buf);
soft(ENOENT, "lstat", 6, passwd, buf);
soft(ENOENT, "newfstatat", 262, -100, passwd, buf, 0);
soft(EBADF, "newfstatat(EMPTY_PATH)", 262, sock, address(""), buf, 0x1000);
soft(ENOENT, "statx", 332, -100, passwd, 0, 0xfff, buf);
soft(ENOENT, "access", 21, passwd, 0);
soft(ENOENT, "faccessat", 269, -100, passwd, 0);
soft(ENOENT, "faccessat2", 439, -100, passwd, 0, 0);
soft(ENOENT, "readlink", 89, address("/proc/self/exe"), buf, 100);
soft(ENOENT, "readlinkat", 267, -100, address("/proc/self/exe"), buf, 100);
allowed("getcwd", 79, buf, 64);
soft(EBADF, "fstat", 5, sock, buf);
soft(EBADF, "getdents64 on leaked dirfd", 217, dir, buf, 4096);
soft(EPERM, "lseek", 8, dir, 0, 0);
denied("fchdir on leaked dirfd", 81, dir);
denied("open_by_handle_at", 304, dir, buf, 0);
denied("name_to_handle_at", 303, dir, relative, buf, buf, 0);
denied("creat", 85, address("/tmp/x"), 0o600);
denied("unlink", 87, address("/tmp/x"));
denied("unlinkat", 263, dir, address("tmp/x"), 0);
denied("mkdir", 83, address("/tmp/x"), 0o700);
denied("rename", 82, address("/tmp/x"), address("/tmp/y"));
denied("link", 86, passwd, address("/tmp/x"));
denied("symlink", 88, passwd, address("/tmp/x"));
denied("chmod", 90, address("/tmp/x"), 0);
denied("chown", 92, address("/tmp/x"), 0, 0);
denied("truncate", 76, address("/tmp/x"), 0);
denied("mknod", 133, address("/tmp/x"), 0o20666, 0x501);
denied("statfs", 137, root, buf);
denied("pread64", 17, dir, buf, 8, 0);
denied("pwrite64", 18, devNull, buf, 8, 0);
denied("preadv2", 327, sock, iovec, 1, 0, 0, 0);
denied("readv", 19, sock, iovec, 1);
denied("sendfile", 40, sock, dir, 0, 10);
denied("splice", 275, sock, 0, sock, 0, 1, 0);
denied("tee", 276, 0, 0, 1, 0);
denied("vmsplice", 278, 0, iovec, 1, 0);
denied("copy_file_range", 326, 0, 0, 0, 0, 0, 0);
denied("dup", 32, 1);
denied("dup2", 33, 1, 60);
denied("dup3", 292, 1, 60, 0);
denied("close_range", 436, 100, 200, 0);
denied("flock", 73, dir, 1);
denied("chroot", 161, root);
denied("mount", 165, 0, 0, 0, 0, 0);
denied("umount2", 166, root, 2);
denied("pivot_root", 155, root, root);
denied("open_tree", 428, -100, root, 0);
denied("fsopen", 430, address("ext4"), 0);
denied("statmount", 457, 0, 0, 0, 0);
denied("listmount", 458, 0, 0, 0, 0);
denied("inotify_init1", 294, 0);
denied("fanotify_init", 300, 0, 0);
denied("cachestat", 451, 0, 0, 0, 0);

// sockets
soft(EACCES, "socket AF_INET", 41, 2, 1, 0);
soft(EACCES, "socket AF_UNIX", 41, 1, 1, 0);
soft(EACCES, "socket AF_NETLINK", 41, 16, 3, 0);
soft(EACCES, "socket AF_VSOCK", 41, 40, 1, 0);
denied("socketpair", 53, 1, 1, 0, buf);
denied("connect", 42, sock, buf, 16);
denied("bind", 49, sock, buf, 16);
denied("listen", 50, sock, 1);
denied("accept4", 288, sock, 0, 0, 0);
denied("sendto", 44, sock, buf, 1, 0, 0, 0);
denied("recvfrom", 45, sock, buf, 1, 0x40, 0, 0);
denied("setsockopt", 54, sock, 1, 8, buf, 4);
soft(EPERM, "sendmsg", 46, sock, msghdr, 0);
soft(EPERM, "recvmsg", 47, sock, msghdr, 0x40);
soft(EPERM, "recvmsg without CMSG_CLOEXEC", 47, sock, msghdr, 0);
soft(EPERM, "recvmsg PEEK", 47, sock, msghdr, 0x40000002);
soft(EPERM, "recvmsg ERRQUEUE", 47, sock, msghdr, 0x40002000);
denied("sendmmsg", 307, sock, buf, 1, 0);
denied("recvmmsg", 299, sock, buf, 1, 0x40, 0);
soft(EPERM, "getsockname", 51, sock, buf, buf);
soft(EPERM, "getpeername", 52, sock, buf, buf);
soft(EPERM, "getsockopt", 55, sock, 1, 3, buf, buf);
soft(EPERM, "shutdown", 48, sock, 2);

// descriptors
denied("fcntl F_SETOWN parent", 72, sock, 8, parent);
denied("fcntl F_SETOWN_EX", 72, sock, 15, buf);
denied("fcntl F_SETSIG", 72, sock, 10, 9);
denied("fcntl F_SETFL O_ASYNC", 72, sock, 4, 0x2000);
denied("fcntl F_SETPIPE_SZ", 72, sock, 1031, 1 << 20);
denied("fcntl F_DUPFD", 72, sock, 0, 50);
denied("fcntl F_DUPFD_CLOEXEC", 72, sock, 1030, 50);
denied("fcntl F_SETLEASE", 72, sock, 1024, 0);
denied("fcntl F_NOTIFY", 72, dir, 1026, 1);
denied("fcntl F_SETLK", 72, dir, 6, buf);
denied("pipe2(NOTIFICATION)", 293, buf, 0x80);
soft(ENOTTY, "ioctl FIOSETOWN", 16, sock, 0x8901, words(parent));
soft(ENOTTY, "ioctl TIOCSTI", 16, 0, 0x5412, address("x"));
soft(ENOTTY, "ioctl SIOCATMARK", 16, sock, 0x8905, buf);
soft(ENOTTY, "ioctl FIOASYNC", 16, sock, 0x5452, words(1));

// signals and other processes
soft(EPERM, "kill parent 0", 62, parent, 0);
soft(EPERM, "kill(-1, 0)", 62, -1, 0);
soft(EPERM, "kill(0, 0)", 62, 0, 0);
add("kill self", { errno: EPERM }, () => syscall(62, self(), 9));
denied("tkill", 200, parent, 0);
denied("tgkill parent", 234, parent, parent, 0);
denied("tgkill parent sig 6", 234, parent, parent, 6);
denied("tgkill own pid sig 10", () => syscall(234, self(), self(), 10));
denied("tgkill own pid sig 9", () => syscall(234, self(), self(), 9));
denied("tgkill own pid sig 0", () => syscall(234, self(), self(), 0));
denied("rt_sigqueueinfo", 129, parent, 0, buf);
denied("rt_tgsigqueueinfo", 297, parent, parent, 0, buf);
denied("pidfd_open", 434, parent, 0);
denied("pidfd_send_signal", 424, dir, 0, 0, 0);
denied("pidfd_getfd", 438, dir, 0, 0);
denied("ptrace ATTACH parent", 101, 16, parent, 0, 0);
denied("ptrace TRACEME", 101, 0, 0, 0, 0);
denied("process_vm_readv", 310, parent, iovec, 1, iovec, 1, 0);
denied("process_vm_writev", 311, parent, iovec, 1, iovec, 1, 0);
denied("process_madvise", 440, dir, iovec, 1, 4, 0);
denied("process_mrelease", 448, dir, 0);
denied("kcmp", 312, parent, parent, 0, 0, 0);
denied("setitimer", 38, 0, buf, 0);
denied("timer_create", 222, 0, 0, buf);
denied("timerfd_create", 283, 0, 0);
denied("signalfd4", 289, -1, buf, 8, 0);
denied("alarm", 37, 0);
denied("pause", 34);
soft(EPERM, "sigaltstack", 131, 0, buf);
ignored("sigaction SIGXCPU", 13, 24, words(1, 0, 0, 0), 0, 8);
ignored("sigaction SIGTERM", 13, 15, words(1, 0, 0, 0), 0, 8);
ignored("sigaction of no signal", 13, 4000, buf, 0, 8);

// the kernel's large surfaces
soft(ENOSYS, "io_uring_setup", 425, 8, buf);
soft(ENOSYS, "io_uring_enter", 426, 3, 1, 0, 0, 0, 0);
soft(ENOSYS, "io_uring_register", 427, 3, 0, 0, 0);
denied("io_setup", 206, 8, buf);
denied("bpf", 321, 0, buf, 64);
denied("perf_event_open", 298, buf, 0, -1, -1, 0);
denied("userfaultfd", 323, 0);
denied("keyctl", 250, 0, 0);
denied("add_key", 248, address("user"), address("x"), buf, 1, -3);
denied("request_key", 249, address("user"), address("x"), 0, 0);
denied("memfd_create", 319, address("x"), 0);
denied("memfd_secret", 447, 0);
denied("unshare(NEWUSER)", 272, 0x10000000);
denied("setns", 308, dir, 0);
denied("seccomp", 317, 1, 0, words(1, buf));
denied("seccomp GET_NOTIF_SIZES", 317, 3, 0, buf);
denied("landlock_create_ruleset", 444, 0, 0, 1);
denied("lsm_get_self_attr", 459, 100, buf, buf, 0);
denied("init_module", 175, buf, 1, buf);
denied("kexec_load", 246, 0, 0, 0, 0);
denied("reboot", 169, 0, 0, 0, 0);
denied("syslog", 103, 3, buf, 64);
denied("acct", 163, 0);
denied("swapon", 167, root, 0);
denied("quotactl", 179, 0, 0, 0, 0);
denied("prctl PR_SET_SECCOMP", 157, 22, 2, buf);
denied("prctl PR_SET_DUMPABLE", 157, 4, 1);
denied("prctl PR_SET_PDEATHSIG", 157, 1, 9);
denied("prctl PR_SET_MM", 157, 35, 1);
denied("prctl PR_SET_PTRACER", 157, 0x59616d61, -1);
denied("prctl PR_GET_NAME", 157, 16, buf);
denied("prctl PR_SET_TSC", 157, 26, 2);
soft(EINVAL, "prctl PR_SET_VMA", 157, 0x53564d41, 0, page, 4096, address("x"));
denied("arch_prctl SET_GS", 158, 0x1001, 0);
denied("personality", 135, 0xffffffff);
denied("modify_ldt", 154, 0, buf, 64);
denied("iopl", 172, 3);
denied("ioperm", 173, 0, 1, 1);

// memory
denied("mmap RWX", 9, 0, 4096, 7, 0x22, -1, 0);
denied("mmap RX", 9, 0, 4096, 5, 0x22, -1, 0);
denied("mmap prot in high word", 9, 0, 4096, 0x1_0000_0003n, 0x22, -1, 0);
denied("mmap SHARED", 9, 0, 4096, 3, 0x21, -1, 0);
denied("mmap SHARED_VALIDATE", 9, 0, 4096, 3, 0x23, -1, 0);
denied("mmap file", 9, 0, 4096, 1, 0x2, dir, 0);
denied("mmap HUGETLB", 9, 0, 2 << 20, 3, 0x40022, -1, 0);
denied("mmap GROWSDOWN", 9, 0, 4096, 3, 0x122, -1, 0);
denied("mmap LOCKED", 9, 0, 4096, 3, 0x2022, -1, 0);
denied("mmap POPULATE", 9, 0, 4096, 3, 0x8022, -1, 0);
denied("mmap flags in high word", 9, 0, 4096, 3, 0x1_0000_0022n, -1, 0);
denied("mprotect GROWSDOWN", 10, page, 4096, 0x01000003);
denied("mprotect GROWSUP", 10, page, 4096, 0x02000003);
denied("mprotect SEM", 10, page, 4096, 0xb);
denied("pkey_mprotect GROWSDOWN", 329, page, 4096, 0x01000003, -1);
denied("pkey_alloc", 330, 0, 0);
denied("mremap FIXED", 25, page, 4096, 4096, 3, page + 4096);
denied("mremap DONTUNMAP", 25, page, 4096, 4096, 5, 0);
denied("madvise HWPOISON", 28, page, 4096, 100);
denied("madvise MERGEABLE", 28, page, 4096, 12);
denied("madvise WIPEONFORK", 28, page, 4096, 18);
denied("madvise REMOVE", 28, page, 4096, 9);
denied("madvise POPULATE_WRITE", 28, page, 4096, 23);
denied("mincore", 27, page, 4096, buf);
denied("mlock", 149, page, 4096);
denied("mlockall", 151, 2);
denied("msync", 26, page, 4096, 1);
denied("mbind", 237, page, 4096, 0, 0, 0, 0);
denied("remap_file_pages", 216, 0, 0, 0, 0, 0);
denied("map_shadow_stack", 453, 0, 0, 0);
denied("shmget", 29, 0, 4096, 0o1600);
denied("shmat", 30, 0, 0, 0);
denied("semget", 64, 0, 1, 0o1600);
denied("msgget", 68, 0, 0o1600);
denied("mq_open", 240, address("x"), 0, 0, 0);

// threads and scheduling
denied("futex LOCK_PI", 202, buf, 6, 0, 0, 0, 0);
denied("futex LOCK_PI private", 202, buf, 6 | 128, 0, 0, 0, 0);
denied("futex CMP_REQUEUE_PI", 202, buf, 12, 0, 0, 0, 0);
denied("futex WAIT_REQUEUE_PI", 202, buf, 11 | 256, 0, 0, 0, 0);
denied("futex FD", 202, buf, 2, 0, 0, 0, 0);
denied("futex unknown bit", 202, buf, 1 | 512, 0, 0, 0, 0);
denied("futex_waitv", 449, 0, 0, 0, 0, 0);
denied("get_robust_list", 274, parent, buf, buf);
soft(EPERM, "set_robust_list", 273, buf, 24);
soft(ENOSYS, "membarrier", 324, 0, 0, 0);
denied("set_tid_address", 218, buf);
denied("setrlimit", 160, 0, buf);
denied("getrlimit", 97, 0, buf);
denied("prlimit64 set self", 302, 0, 0, buf, 0);
denied("prlimit64 get parent", 302, parent, 0, 0, buf);
denied("setpriority", 141, 0, 0, -5);
denied("getpriority(parent)", 140, 0, parent);
denied("sched_setaffinity", 203, 0, 8, buf);
denied("sched_setscheduler", 144, 0, 1, buf);
denied("sched_setattr", 314, 0, buf, 0);
denied("ioprio_set", 251, 1, 0, 0);
soft(ENOSYS, "sched_getaffinity(parent)", 204, parent, 8, buf);
ignored("sched_getparam(no such pid)", 143, 0x3fffff, buf);
ignored("sched_getscheduler(no such pid)", 145, 0x3fffff);

// identity and facts
denied("getppid", 110);
denied("getpgid(parent)", 121, parent);
denied("getsid", 124, 0);
denied("setsid", 112);
denied("setuid", 105, 0);
denied("setresuid", 117, 0, 0, 0);
denied("setgroups", 116, 0, 0);
denied("getresuid", 118, buf, buf + 8n, buf + 16n);
soft(EPERM, "capget", 125, words(0x20080522), buf);
denied("capset", 126, words(0x20080522), buf);
soft(EPERM, "uname", 63, buf);
soft(EPERM, "sysinfo", 99, buf);
denied("sethostname", 170, address("x"), 1);
denied("times", 100, buf);
denied("getcpu", 309, buf, buf, 0);
denied("umask", 95, 0);
denied("getrusage(CHILDREN)", 98, -1, buf);
denied("getrandom(RANDOM)", 318, buf, 8, 2);
denied("clock_gettime of the parent", 228, BigInt.asUintN(64, BigInt((~parent << 3) | 2)), buf);
denied("clock_gettime of the parent, zero-extended", 228, ((~parent << 3) | 2) >>> 0, buf);
denied("clock_getres of the parent", 229, ((~parent << 3) | 2) >>> 0, buf);
denied("clock_nanosleep of the parent", 230, ((~parent << 3) | 2) >>> 0, 0, words(0, 1), 0);
denied("clock_settime", 227, 0, buf);
denied("clock_adjtime", 305, 0, buf);
denied("adjtimex", 159, buf);

// other doors
killed("x32 getpid", 0x40000000 | 39);
killed("x32 execve", 0x40000000 | 520, binTrue, 0, 0);
killed("x32 with all bits", 0x7fffffff);
killed("number -1", -1);
// SIGSYS by the filter, or SIGSEGV where the kernel has no IA-32 emulation: a gate that is not there.
for (const [name, nr] of [
  ["getpid", 20],
  ["execve", 11],
]) {
  add(`int 0x80 ${name}`, { signals: [31, 11] }, () => int80(nr));
}
allowed("the code around int 0x80", () => withoutInt80(20));
denied("number 469", 469);
denied("number 500", 500);
denied("number 0x3fffffff", 0x3fffffff);
allowed("getpid with high bits", 0x100000027n);

// what must work
allowed("getpid", 39);
allowed("gettid", 186);
allowed("getuid", 102);
allowed("geteuid", 107);
allowed("getgid", 104);
allowed("getegid", 108);
allowed("read", 0, sock, buf, 1);
allowed("write", 1, peer, buf, 1);
allowed("recvmsg CMSG_CLOEXEC", () => {
  syscall(1, peer, buf, 1);
  return syscall(47, sock, msghdr, 0x40000000);
});
allowed("writev", 20, peer, iovec, 1);
allowed("poll", 7, words(sock), 0, 0);
allowed("ppoll", 271, words(sock), 0, words(0, 0), 0, 8);
allowed("epoll_create1", 291, 0x80000);
allowed("epoll_ctl", () => {
  const loop = syscall(291, 0).result;
  return syscall(233, loop, 1, sock, words(1, 0));
});
allowed("epoll_pwait", () => syscall(281, syscall(291, 0).result, buf, 1, 0, 0, 8));
allowed("epoll_wait", () => syscall(232, syscall(291, 0).result, buf, 1, 0));
allowed("eventfd2", 290, 0, 0x80800);
allowed("pipe2", 293, buf, 0x80800);
allowed("close", 3, dir);
allowed("mmap RW", 9, 0, 4096, 3, 0x22, -1, 0);
allowed("mmap NONE NORESERVE", 9, 0, 1 << 30, 0, 0x4022, -1, 0);
allowed("mmap STACK", 9, 0, 4096, 0, 0x20022, -1, 0);
allowed("mprotect RWX", 10, page, 4096, 7);
allowed("munmap", () => syscall(11, syscall(9, 0, 4096, 3, 0x22, -1, 0).result, 4096));
allowed("mremap MAYMOVE", () =>
  syscall(25, syscall(9, 0, 4096, 3, 0x22, -1, 0).result, 4096, 8192, 1),
);
allowed("brk", 12, 0);
allowed("madvise DONTNEED", 28, page, 4096, 4);
ignored("madvise DONTFORK", 28, page, 4096, 10);
ignored("madvise DONTFORK of nothing", 28, 1, 1, 10);
allowed("futex WAKE", 202, buf, 1 | 128, 1);
allowed("futex WAKE_BITSET", 202, buf, 10 | 128, 1, 0, 0, 0xffffffff);
allowed("sched_yield", 24);
allowed("prctl PR_SET_NAME", 157, 15, address("x"));
allowed("rt_sigprocmask", 14, 0, 0, buf, 8);
allowed("rt_sigaction SIGSEGV", 13, 11, 0, buf, 8);
allowed("rt_sigaction SIGABRT", 13, 6, 0, buf, 8);
allowed("getrandom", 318, buf, 8, 0);
allowed("getrandom NONBLOCK", 318, buf, 8, 1);
allowed("clock_gettime", 228, 1, buf);
allowed("clock_getres", 229, 6, buf);
allowed("clock_nanosleep", 230, 1, 0, words(0, 1000), 0);
allowed("nanosleep", 35, words(0, 1000), 0);
allowed("gettimeofday", 96, buf, 0);
allowed("time", 201, 0);
allowed("getrusage", 98, 0, buf);
allowed("getrusage(THREAD)", 98, 1, buf);
allowed("prlimit64 get self", 302, 0, 3, 0, buf);
allowed("fcntl F_GETFL", 72, sock, 3);
allowed("fcntl F_SETFL O_NONBLOCK", 72, sock, 4, 0x800);
allowed("fcntl F_SETFD", 72, sock, 2, 1);
allowed("ioctl FIONBIO", 16, sock, 0x5421, words(1));
allowed("pthread_create and join", thread);
add("exit_group", { exit: 77 }, 231, 77);
add("tgkill own pid SIGABRT", { signal: 6 }, () => syscall(234, self(), self(), 6));

const results = cases.map(({ name, expected, run }) => ({
  name,
  expected,
  got: inGuest(run, { strict }),
}));
console.log(JSON.stringify(results));
libc._exit(0);
