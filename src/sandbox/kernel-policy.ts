/**
 * The system calls that the kernel process gives up once it is up, as reviewed data beside policy.ts.
 * It serves files, sockets and timers for every machine, so this table says what it has no use for,
 * and everything else is allowed: what would reach into other processes, into Linux itself or
 * another program. Zygotes are started by the spawner, which is under stage 1 alone.
 *
 * It is for the day on which somebody runs code in the kernel process; nothing of ours meets a row.
 */
import { memfdFlags } from "./sealed-file.js";
import type { Action, Arch, Matcher, Policy, Rule } from "./policy.js";

const EPERM = 1;
const ENOSYS = 38;
const refusal: Action = { errno: EPERM };

/** include/uapi/linux/sched.h */
const CLONE_THREAD = 0x1_0000;
const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const AF_NETLINK = 16;
const NETLINK_ROUTE = 0;
const SOCK_TYPE_MASK = 0xf;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_SEQPACKET = 5;
const TIOCSTI = 0x5412;
const TIOCLINUX = 0x541c;

/** x64 and arm64; one that the architecture does not have is left out. */
type Numbers = readonly [x64: number | undefined, arm64: number | undefined];

function rule(name: string, [x64, arm64]: Numbers, rest: Omit<Rule, "name" | "nr">): Rule {
  const nr: Partial<Record<Arch, number>> = {
    ...(x64 !== undefined && { x64 }),
    ...(arm64 !== undefined && { arm64 }),
  };
  return { name, nr, ...rest };
}

function refused(why: string, calls: Readonly<Record<string, Numbers>>): Rule[] {
  return Object.entries(calls).map(([name, numbers]) =>
    rule(name, numbers, { action: refusal, why }),
  );
}

const int = (arg: number, ...values: number[]): Matcher => ({
  arg,
  width: "int",
  test: "oneOf",
  values,
});

const programs: readonly Rule[] = [
  ...refused("no program is started here but by the spawner, and that starts zygotes", {
    execve: [59, 221],
    execveat: [322, 281],
    fork: [57, undefined],
    vfork: [58, undefined],
  }),
  rule("clone", [56, 220], {
    args: [{ arg: 0, width: "int", test: "contains", mask: CLONE_THREAD }],
    action: "allow",
    why: "threads of the engine; no process",
  }),
  rule("clone", [56, 220], { action: refusal, why: "a process, or a namespace of one's own" }),
  rule("clone3", [435, 435], {
    action: { errno: ENOSYS },
    why: "its flags are out of a filter's sight; libc falls back to clone",
  }),
  rule("memfd_create", [319, 279], {
    args: [int(1, memfdFlags.notExecutable, memfdFlags.sealing)],
    action: "allow",
    why: "a sealed copy of what a native addon is loaded from; nothing is executed here",
  }),
  ...refused("a file without a name, to execute", {
    memfd_create: [319, 279],
    memfd_secret: [447, 447],
  }),
];

const otherProcesses: readonly Rule[] = refused("memory, descriptors and registers of others", {
  ptrace: [101, 117],
  process_vm_readv: [310, 270],
  process_vm_writev: [311, 271],
  process_madvise: [440, 440],
  pidfd_getfd: [438, 438],
  kcmp: [312, 272],
  move_pages: [279, 239],
  migrate_pages: [256, 238],
});

const identity: readonly Rule[] = refused("it is who it was started as, with the rights it has", {
  setuid: [105, 146],
  setgid: [106, 144],
  setreuid: [113, 145],
  setregid: [114, 143],
  setresuid: [117, 147],
  setresgid: [119, 149],
  setgroups: [116, 159],
  setfsuid: [122, 151],
  setfsgid: [123, 152],
  capset: [126, 91],
  personality: [135, 92],
});

const fileSystems: readonly Rule[] = [
  ...refused("the machine's file systems and namespaces", {
    mount: [165, 40],
    umount2: [166, 39],
    pivot_root: [155, 41],
    chroot: [161, 51],
    unshare: [272, 97],
    setns: [308, 268],
    open_tree: [428, 428],
    open_tree_attr: [467, 467],
    move_mount: [429, 429],
    fsopen: [430, 430],
    fsconfig: [431, 431],
    fsmount: [432, 432],
    fspick: [433, 433],
    mount_setattr: [442, 442],
    swapon: [167, 224],
    swapoff: [168, 225],
    quotactl: [179, 60],
    quotactl_fd: [443, 443],
  }),
  ...refused("files by number, past every directory that a mount names", {
    name_to_handle_at: [303, 264],
    open_by_handle_at: [304, 265],
  }),
  ...refused("devices and pipes as files; machines have none on mounts", {
    mknod: [133, undefined],
    mknodat: [259, 33],
  }),
  ...refused("what everybody on the machine does with files", { fanotify_init: [300, 262] }),
];

const machine: readonly Rule[] = [
  ...refused("code in Linux itself", {
    bpf: [321, 280],
    init_module: [175, 105],
    finit_module: [313, 273],
    delete_module: [176, 106],
    kexec_load: [246, 104],
    kexec_file_load: [320, 294],
  }),
  ...refused("known ways to bring defects of Linux about", {
    userfaultfd: [323, 282],
    perf_event_open: [298, 241],
    io_uring_setup: [425, 425],
    add_key: [248, 217],
    request_key: [249, 218],
    keyctl: [250, 219],
    modify_ldt: [154, undefined],
    uselib: [134, undefined],
  }),
  ...refused("clock, name, ports, log and power of the machine", {
    settimeofday: [164, 170],
    clock_settime: [227, 112],
    adjtimex: [159, 171],
    clock_adjtime: [305, 266],
    sethostname: [170, 161],
    setdomainname: [171, 162],
    iopl: [172, undefined],
    ioperm: [173, undefined],
    syslog: [103, 116],
    acct: [163, 89],
    vhangup: [153, 58],
    reboot: [169, 142],
  }),
];

const sockets: readonly Rule[] = [
  rule("socket", [41, 198], {
    args: [
      int(0, AF_UNIX, AF_INET, AF_INET6),
      {
        arg: 1,
        width: "int",
        test: "oneOf",
        values: [SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET],
        mask: SOCK_TYPE_MASK,
      },
    ],
    action: "allow",
    why: "what egress and published ports need",
  }),
  rule("socket", [41, 198], {
    args: [int(0, AF_NETLINK), int(2, NETLINK_ROUTE)],
    action: "allow",
    why: "the machine's own addresses, which programs must not reach by default",
  }),
  rule("socket", [41, 198], {
    action: refusal,
    why: "raw packets, other families: to hear or forge what is others'",
  }),
  rule("ioctl", [16, 29], {
    args: [int(1, TIOCSTI, TIOCLINUX)],
    action: refusal,
    why: "input typed into a terminal of the host",
  }),
];

/** Installed on every thread of the kernel process before the first machine exists. */
export const KERNEL: Policy = {
  nativeOnly: true,
  otherwise: "allow",
  rules: [...programs, ...otherProcesses, ...identity, ...fileSystems, ...machine, ...sockets],
};
