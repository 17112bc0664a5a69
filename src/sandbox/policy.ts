/**
 * The system calls a guest has, as reviewed data. `seccomp.ts` compiles this
 * table; nothing else decides. First rule that fits wins, a call that fits no
 * rule gets the default of the mode.
 *
 * Everything a guest does natively ends here, so the file trusts nothing: not
 * the engine, not the bindings, not the arguments. Pointers cannot be followed
 * by a filter, so a rule may only speak of argument words.
 */

export type Arch = "x64" | "arm64";

/** One number for both architectures, or one for each. */
export type PerArch = number | Readonly<Record<Arch, number>>;

/**
 * A condition on one argument. `int` arguments are 32 bits in the kernel, which
 * ignores the upper half of the register; of a `long` the upper half must be 0.
 */
export type Matcher = {
  readonly arg: number;
  readonly width: "int" | "long";
} & (
  | { readonly test: "oneOf"; readonly values: readonly number[]; readonly mask?: number }
  | { readonly test: "within"; readonly mask: PerArch }
  | { readonly test: "contains"; readonly mask: number }
  | { readonly test: "excludes"; readonly mask: number }
  | { readonly test: "ownPid" }
);

/**
 * `{ errno: 0 }` answers success without running the call. "ask": the holder of the filter's listener
 * answers, see template-policy.ts. "signal": the caller answers itself, by its handler of SIGSYS; the
 * call is not made, see addon-policy.ts.
 */
export type Action = "allow" | "ask" | "signal" | { readonly errno: number };

export interface Rule {
  readonly name: string;
  /** Absent: the architecture does not have the call. */
  readonly nr: Readonly<Partial<Record<Arch, number>>>;
  /** All of them must fit. */
  readonly args?: readonly Matcher[];
  readonly action: Action;
  readonly why: string;
  /** Checked before the search tree: called often, and argument rules defeat the kernel's cache. */
  readonly hot?: true;
}

export interface Policy {
  readonly rules: readonly Rule[];
  /** Foreign calling conventions (i386, x32) are killed, not allowed. */
  readonly nativeOnly: boolean;
  readonly otherwise: "allow" | "deny";
}

/** EPERM for what is not in the table, or death. */
export type Mode = "compat" | "strict";

const EPERM = 1;
const ENOENT = 2;
const EBADF = 9;
const EACCES = 13;
const EINVAL = 22;
const ENOTTY = 25;
const ENOSYS = 38;

const fail = (errno: number): Action => ({ errno });

function both(nr: number): Readonly<Record<Arch, number>> {
  return { x64: nr, arm64: nr };
}

function int(arg: number, ...values: number[]): Matcher {
  return { arg, width: "int", test: "oneOf", values };
}

function long(arg: number, ...values: number[]): Matcher {
  return { arg, width: "long", test: "oneOf", values };
}

// --- argument words ------------------------------------------------------------------------------

const PROT_READ_WRITE = 0x3;
const PROT_READ_WRITE_EXEC = 0x7;
/** V8 on arm64 may ask for PROT_BTI (0x10) and PROT_MTE (0x20). */
const PROT_PROTECT = { x64: PROT_READ_WRITE_EXEC, arm64: PROT_READ_WRITE_EXEC | 0x30 };

const MAP_PRIVATE_ANONYMOUS = 0x22;
/** PRIVATE | FIXED | ANONYMOUS | NORESERVE | STACK | FIXED_NOREPLACE */
const MAP_ALLOWED = 0x2 | 0x10 | 0x20 | 0x4000 | 0x20000 | 0x100000;

/** VM | FS | FILES | SIGHAND | THREAD | SYSVSEM | SETTLS | PARENT_SETTID | CHILD_CLEARTID */
const CLONE_PTHREAD = 0x3d0f00;

/** DONTNEED, FREE, DONTFORK, DOFORK, HUGEPAGE, NOHUGEPAGE, DONTDUMP, DODUMP, COLD, PAGEOUT */
const MADVISE = [4, 8, 10, 11, 14, 15, 16, 17, 20, 21];
const MADV_DONTFORK = 10;

/** WAIT, WAKE, REQUEUE, CMP_REQUEUE, WAKE_OP, WAIT_BITSET, WAKE_BITSET: no PI operation. */
const FUTEX = [0, 1, 3, 4, 5, 9, 10];
/** All but PRIVATE and CLOCK_REALTIME, which only qualify an operation. */
const FUTEX_COMMAND = ~(0x80 | 0x100);

const SIGABRT = 6;
const SIGSEGV = 11;
const SIGPROF = 27;

const PR_SET_NAME = 15;
const PR_SET_VMA = 0x53564d41;

const F_GETFD = 1;
const F_SETFD = 2;
const F_GETFL = 3;
const F_SETFL = 4;
const O_ASYNC = 0x2000;
const O_CLOEXEC_NONBLOCK = 0x80800;
const FIONBIO = 0x5421;
const AT_EMPTY_PATH = 0x1000;

const MSG_CMSG_CLOEXEC = 0x4000_0000;

/** The kernel reads a negative clock id as the CPU clock of any process. */
const clockId: Matcher = { arg: 0, width: "int", test: "excludes", mask: 0x8000_0000 };

// --- stage 1 -------------------------------------------------------------------------------------

/**
 * Inherited by a zygote from before it boots. The process that installs it on
 * itself may hold a ring already, so only making one is refused.
 */
export const STAGE1: Policy = {
  nativeOnly: false,
  otherwise: "allow",
  rules: [
    {
      name: "io_uring_setup",
      nr: both(425),
      action: fail(ENOSYS),
      why: "libuv opens a ring in every loop; what a ring does passes no filter, and a ring that stage 2 cuts off aborts the engine",
    },
    {
      name: "madvise",
      nr: { x64: 28, arm64: 233 },
      args: [int(2, MADV_DONTFORK)],
      action: fail(0),
      why: "V8 marks its heap DONTFORK; a forked child without a heap crashes",
    },
  ],
};

// --- stage 2 -------------------------------------------------------------------------------------

const channel: readonly Rule[] = [
  {
    name: "read",
    nr: { x64: 0, arm64: 63 },
    action: "allow",
    why: "kernel socket, eventfd and pipes of the loop",
  },
  {
    name: "write",
    nr: { x64: 1, arm64: 64 },
    action: "allow",
    why: "kernel socket, wake-ups of the thread pool",
  },
  { name: "writev", nr: { x64: 20, arm64: 66 }, action: "allow", why: "corked stream writes" },
  {
    name: "poll",
    nr: { x64: 7 },
    action: "allow",
    why: "a blocking call waits for its answer on the kernel socket",
  },
  {
    name: "ppoll",
    nr: { x64: 271, arm64: 73 },
    action: "allow",
    why: "what poll() is where the call of that name does not exist",
  },
  {
    name: "recvmsg",
    nr: { x64: 47, arm64: 212 },
    args: [int(2, MSG_CMSG_CLOEXEC)],
    action: "allow",
    why: "takes the socket of a new worker: every socket here leads to the kernel process, which sends nothing but those; no PEEK",
  },
  { name: "epoll_ctl", nr: { x64: 233, arm64: 21 }, action: "allow", why: "libuv loop" },
  { name: "epoll_pwait", nr: { x64: 281, arm64: 22 }, action: "allow", why: "libuv loop" },
  {
    name: "epoll_wait",
    nr: { x64: 232 },
    action: "allow",
    why: "libuv loop on libcs that prefer it",
  },
  { name: "close", nr: { x64: 3, arm64: 57 }, action: "allow", why: "loops of ended workers" },
  { name: "epoll_create1", nr: { x64: 291, arm64: 20 }, action: "allow", why: "loop of a worker" },
  { name: "eventfd2", nr: { x64: 290, arm64: 19 }, action: "allow", why: "wake-up of a worker" },
  {
    name: "pipe2",
    nr: { x64: 293, arm64: 59 },
    args: [{ arg: 1, width: "int", test: "within", mask: O_CLOEXEC_NONBLOCK }],
    action: "allow",
    why: "signal pipe of a worker's loop; no notification pipes",
  },
];

const memory: readonly Rule[] = [
  {
    name: "mmap",
    nr: { x64: 9, arm64: 222 },
    args: [
      { arg: 2, width: "long", test: "within", mask: PROT_READ_WRITE },
      { arg: 3, width: "long", test: "within", mask: MAP_ALLOWED },
      { arg: 3, width: "long", test: "contains", mask: MAP_PRIVATE_ANONYMOUS },
    ],
    action: "allow",
    hot: true,
    why: "heap and stacks; shared memory would escape RLIMIT_DATA, files are not the guest's",
  },
  { name: "munmap", nr: { x64: 11, arm64: 215 }, action: "allow", why: "heap" },
  { name: "brk", nr: { x64: 12, arm64: 214 }, action: "allow", why: "malloc" },
  {
    name: "mprotect",
    nr: { x64: 10, arm64: 226 },
    args: [{ arg: 2, width: "long", test: "within", mask: PROT_PROTECT }],
    action: "allow",
    hot: true,
    why: "compiled code and wasm need X; the code range is writable and executable from the start, so W^X is no line to hold",
  },
  {
    name: "pkey_mprotect",
    nr: { x64: 329, arm64: 288 },
    args: [{ arg: 2, width: "long", test: "within", mask: PROT_PROTECT }],
    action: "allow",
    why: "V8 on CPUs with protection keys",
  },
  {
    name: "mremap",
    nr: { x64: 25, arm64: 216 },
    args: [{ arg: 3, width: "long", test: "within", mask: 1 }],
    action: "allow",
    why: "realloc of a large block; MAYMOVE only",
  },
  {
    name: "madvise",
    nr: { x64: 28, arm64: 233 },
    args: [int(2, ...MADVISE)],
    action: "allow",
    hot: true,
    why: "heap; no MERGEABLE (side channel), HWPOISON, WIPEONFORK",
  },
];

const threads: readonly Rule[] = [
  {
    name: "futex",
    nr: { x64: 202, arm64: 98 },
    args: [{ arg: 1, width: "int", test: "oneOf", values: FUTEX, mask: FUTEX_COMMAND }],
    action: "allow",
    hot: true,
    why: "locks; priority inheritance has had the kernel bugs",
  },
  {
    name: "clone",
    nr: { x64: 56, arm64: 220 },
    args: [long(0, CLONE_PTHREAD)],
    action: "allow",
    why: "a thread as glibc makes it, never a process or a namespace",
  },
  {
    name: "clone3",
    nr: both(435),
    action: fail(ENOSYS),
    why: "its flags are in memory; glibc falls back to clone",
  },
  { name: "rseq", nr: { x64: 334, arm64: 293 }, action: "allow", why: "thread start" },
  {
    name: "prctl",
    nr: { x64: 157, arm64: 167 },
    args: [int(0, PR_SET_NAME)],
    action: "allow",
    why: "thread names",
  },
  {
    name: "prctl",
    nr: { x64: 157, arm64: 167 },
    args: [int(0, PR_SET_VMA)],
    action: fail(EINVAL),
    why: "names of mappings; a kernel without them says this",
  },
  {
    name: "set_robust_list",
    nr: { x64: 273, arm64: 99 },
    action: fail(EPERM),
    why: "thread start; nothing here uses robust locks",
  },
  { name: "gettid", nr: { x64: 186, arm64: 178 }, action: "allow", why: "thread start" },
  { name: "exit", nr: { x64: 60, arm64: 93 }, action: "allow", why: "thread end" },
  { name: "sched_yield", nr: { x64: 24, arm64: 124 }, action: "allow", why: "spin locks" },
  {
    name: "sched_getparam",
    nr: { x64: 143, arm64: 121 },
    action: fail(0),
    why: "thread attributes; the real call tells which pids exist",
  },
  {
    name: "sched_getscheduler",
    nr: { x64: 145, arm64: 120 },
    action: fail(0),
    why: "thread attributes; the real call tells which pids exist",
  },
  {
    name: "sched_getaffinity",
    nr: { x64: 204, arm64: 123 },
    action: fail(ENOSYS),
    why: "the real call tells which pids exist",
  },
];

const signals: readonly Rule[] = [
  { name: "rt_sigreturn", nr: { x64: 15, arm64: 139 }, action: "allow", why: "wasm traps" },
  { name: "rt_sigprocmask", nr: { x64: 14, arm64: 135 }, action: "allow", why: "wasm traps" },
  {
    name: "rt_sigaction",
    nr: { x64: 13, arm64: 134 },
    args: [int(0, SIGABRT, SIGSEGV)],
    action: "allow",
    why: "a pretended handler of SIGSEGV would make a native crash loop for ever",
  },
  {
    name: "rt_sigaction",
    nr: { x64: 13, arm64: 134 },
    args: [int(0, SIGPROF)],
    action: "allow",
    why: "V8's CPU profiler; nobody else sends it, and no limit is enforced by it",
  },
  {
    name: "rt_sigaction",
    nr: { x64: 13, arm64: 134 },
    action: fail(0),
    why: "Node insists on success; doing nothing keeps SIGTERM and SIGXCPU fatal",
  },
  {
    name: "tgkill",
    nr: { x64: 234, arm64: 131 },
    args: [{ arg: 0, width: "int", test: "ownPid" }, int(2, SIGABRT, SIGSEGV)],
    action: "allow",
    why: "abort()",
  },
  {
    name: "tgkill",
    nr: { x64: 234, arm64: 131 },
    args: [{ arg: 0, width: "int", test: "ownPid" }, int(2, SIGPROF)],
    action: "allow",
    why: "V8's CPU profiler samples the threads of its own process",
  },
  {
    name: "restart_syscall",
    nr: { x64: 219, arm64: 128 },
    action: "allow",
    why: "the kernel's own continuation of an interrupted sleep",
  },
];

const facts: readonly Rule[] = [
  {
    name: "getpid",
    nr: { x64: 39, arm64: 172 },
    action: "allow",
    why: "OpenSSL notices a fork by it; it must be real",
  },
  { name: "getuid", nr: { x64: 102, arm64: 174 }, action: "allow", why: "boot of a worker" },
  { name: "geteuid", nr: { x64: 107, arm64: 175 }, action: "allow", why: "boot of a worker" },
  { name: "getgid", nr: { x64: 104, arm64: 176 }, action: "allow", why: "boot of a worker" },
  { name: "getegid", nr: { x64: 108, arm64: 177 }, action: "allow", why: "boot of a worker" },
  {
    name: "getrandom",
    nr: { x64: 318, arm64: 278 },
    args: [{ arg: 2, width: "int", test: "within", mask: 1 }],
    action: "allow",
    why: "entropy; NONBLOCK only",
  },
  {
    name: "clock_gettime",
    nr: { x64: 228, arm64: 113 },
    args: [clockId],
    action: "allow",
    hot: true,
    why: "clocks without vDSO",
  },
  {
    name: "clock_getres",
    nr: { x64: 229, arm64: 114 },
    args: [clockId],
    action: "allow",
    why: "coarse clock of the loop",
  },
  {
    name: "clock_nanosleep",
    nr: { x64: 230, arm64: 115 },
    args: [clockId],
    action: "allow",
    why: "sleep",
  },
  { name: "nanosleep", nr: { x64: 35, arm64: 101 }, action: "allow", why: "sleep" },
  {
    name: "gettimeofday",
    nr: { x64: 96, arm64: 169 },
    action: "allow",
    why: "clocks without vDSO",
  },
  { name: "time", nr: { x64: 201 }, action: "allow", why: "clocks without vDSO" },
  {
    name: "getrusage",
    nr: { x64: 98, arm64: 165 },
    args: [int(0, 0, 1)],
    action: "allow",
    why: "process.cpuUsage of this process and thread",
  },
  {
    name: "prlimit64",
    nr: { x64: 302, arm64: 261 },
    args: [int(0, 0), long(2, 0)],
    action: "allow",
    why: "stack size of a thread: own limits, read only",
  },
  {
    name: "getcwd",
    nr: { x64: 79, arm64: 17 },
    action: "allow",
    why: "boot of a worker, before its own directory is virtual; it is / in every guest",
  },
  { name: "exit_group", nr: { x64: 231, arm64: 94 }, action: "allow", why: "the end" },
];

/** Asked by code that copes with the answer; death or another errno would not be coped with. */
const soft: readonly Rule[] = [
  ...(
    [
      ["open", { x64: 2 }],
      ["openat", { x64: 257, arm64: 56 }],
      ["stat", { x64: 4 }],
      ["lstat", { x64: 6 }],
      ["statx", { x64: 332, arm64: 291 }],
      ["access", { x64: 21 }],
      ["faccessat", { x64: 269, arm64: 48 }],
      ["faccessat2", both(439)],
      ["readlink", { x64: 89 }],
      ["readlinkat", { x64: 267, arm64: 78 }],
    ] as const
  ).map(([name, nr]) => ({ name, nr, action: fail(ENOENT), why: "there are no files" })),
  {
    name: "newfstatat",
    nr: { x64: 262, arm64: 79 },
    args: [{ arg: 3, width: "int", test: "contains", mask: AT_EMPTY_PATH }],
    action: fail(EBADF),
    why: "fstat as some glibcs make it: see fstat",
  },
  {
    name: "newfstatat",
    nr: { x64: 262, arm64: 79 },
    action: fail(ENOENT),
    why: "there are no files",
  },
  {
    name: "openat2",
    nr: both(437),
    action: fail(ENOSYS),
    why: "callers fall back to openat",
  },
  {
    name: "fstat",
    nr: { x64: 5, arm64: 80 },
    action: fail(EBADF),
    why: "Node asserts this errno when it resets its stdio",
  },
  {
    name: "getdents64",
    nr: { x64: 217, arm64: 61 },
    action: fail(EBADF),
    why: "there are no directories",
  },
  {
    name: "ioctl",
    nr: { x64: 16, arm64: 29 },
    args: [int(1, FIONBIO)],
    action: "allow",
    why: "libuv's way to non-blocking",
  },
  {
    name: "ioctl",
    nr: { x64: 16, arm64: 29 },
    action: fail(ENOTTY),
    why: "isatty; nothing here is a device",
  },
  {
    name: "fcntl",
    nr: { x64: 72, arm64: 25 },
    args: [int(1, F_GETFD, F_SETFD, F_GETFL)],
    action: "allow",
    why: "descriptor flags; never SETOWN or SETSIG, which aim signals at other processes",
  },
  {
    name: "fcntl",
    nr: { x64: 72, arm64: 25 },
    args: [int(1, F_SETFL), { arg: 2, width: "int", test: "excludes", mask: O_ASYNC }],
    action: "allow",
    why: "non-blocking mode",
  },
  ...(
    [
      ["uname", { x64: 63, arm64: 160 }],
      ["sysinfo", { x64: 99, arm64: 179 }],
      ["capget", { x64: 125, arm64: 90 }],
      ["shutdown", { x64: 48, arm64: 210 }],
      ["sendmsg", { x64: 46, arm64: 211 }],
      ["recvmsg", { x64: 47, arm64: 212 }],
      ["getsockname", { x64: 51, arm64: 204 }],
      ["getpeername", { x64: 52, arm64: 205 }],
      ["getsockopt", { x64: 55, arm64: 209 }],
      ["kill", { x64: 62, arm64: 129 }],
      ["lseek", { x64: 8, arm64: 62 }],
      ["sigaltstack", { x64: 131, arm64: 132 }],
    ] as const
  ).map(([name, nr]) => ({
    name,
    nr,
    action: fail(EPERM),
    why: "engine and libc ask and cope with a refusal",
  })),
  {
    name: "socket",
    nr: { x64: 41, arm64: 198 },
    action: fail(EACCES),
    why: "the network is the kernel process's",
  },
  ...(
    [
      ["membarrier", { x64: 324, arm64: 283 }],
      ["io_uring_setup", both(425)],
      ["io_uring_enter", both(426)],
      ["io_uring_register", both(427)],
    ] as const
  ).map(([name, nr]) => ({
    name,
    nr,
    action: fail(ENOSYS),
    why: "an older kernel; callers know those",
  })),
];

/** Installed in a forked guest before it reads its first byte. */
export const STAGE2: Policy = {
  nativeOnly: true,
  otherwise: "deny",
  rules: [...channel, ...memory, ...threads, ...signals, ...facts, ...soft],
};
