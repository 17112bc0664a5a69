// The policy as data and its compiled programs, both architectures, in a BPF
// interpreter: the only check arm64 gets on an x86-64 machine.
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { runPlain } from "./engine.mjs";

const KILL = 0x80000000;
const ALLOW = 0x7fff0000;
const ERRNO = 0x00050000;
const ARCH = { x64: 0xc000003e, arm64: 0xc00000b7 };

// From include/uapi/asm-generic/unistd.h, not from the policy.
const ARM64 = {
  getcwd: 17,
  eventfd2: 19,
  epoll_create1: 20,
  epoll_ctl: 21,
  epoll_pwait: 22,
  fcntl: 25,
  ioctl: 29,
  faccessat: 48,
  openat: 56,
  close: 57,
  pipe2: 59,
  getdents64: 61,
  lseek: 62,
  read: 63,
  write: 64,
  writev: 66,
  ppoll: 73,
  readlinkat: 78,
  newfstatat: 79,
  fstat: 80,
  capget: 90,
  exit: 93,
  exit_group: 94,
  futex: 98,
  set_robust_list: 99,
  nanosleep: 101,
  clock_gettime: 113,
  clock_getres: 114,
  clock_nanosleep: 115,
  sched_getscheduler: 120,
  sched_getparam: 121,
  sched_getaffinity: 123,
  sched_yield: 124,
  restart_syscall: 128,
  kill: 129,
  tgkill: 131,
  sigaltstack: 132,
  rt_sigaction: 134,
  rt_sigprocmask: 135,
  rt_sigreturn: 139,
  uname: 160,
  getrusage: 165,
  prctl: 167,
  gettimeofday: 169,
  getpid: 172,
  getuid: 174,
  geteuid: 175,
  getgid: 176,
  getegid: 177,
  gettid: 178,
  sysinfo: 179,
  socket: 198,
  getsockname: 204,
  getpeername: 205,
  getsockopt: 209,
  shutdown: 210,
  sendmsg: 211,
  recvmsg: 212,
  brk: 214,
  munmap: 215,
  mremap: 216,
  clone: 220,
  mmap: 222,
  mprotect: 226,
  madvise: 233,
  prlimit64: 261,
  getrandom: 278,
  membarrier: 283,
  pkey_mprotect: 288,
  statx: 291,
  rseq: 293,
  io_uring_setup: 425,
  io_uring_enter: 426,
  io_uring_register: 427,
  clone3: 435,
  openat2: 437,
  faccessat2: 439,
};
const X64_ONLY = ["access", "epoll_wait", "lstat", "open", "poll", "readlink", "stat", "time"];

function evaluate(base64, arch, nr, args = []) {
  const program = Buffer.from(base64, "base64");
  const data = Buffer.alloc(64);
  data.writeUInt32LE(nr >>> 0, 0);
  data.writeUInt32LE(arch, 4);
  args.forEach((arg, i) => data.writeBigUInt64LE(BigInt.asUintN(64, BigInt(arg)), 16 + 8 * i));
  let a = 0;
  let steps = 0;
  for (let pc = 0; ; pc++, steps++) {
    const code = program.readUInt16LE(8 * pc);
    const yes = program[8 * pc + 2];
    const no = program[8 * pc + 3];
    const k = program.readUInt32LE(8 * pc + 4);
    if (code === 0x20) a = data.readUInt32LE(k);
    else if (code === 0x54) a = (a & k) >>> 0;
    else if (code === 0x05) pc += k;
    else if (code === 0x15) pc += a === k ? yes : no;
    else if (code === 0x35) pc += a >= k ? yes : no;
    else if (code === 0x45) pc += (a & k) !== 0 ? yes : no;
    else if (code === 0x06) return { action: k, steps };
    else assert.fail(`code ${code}`);
  }
}

let data;
before(async () => {
  data = await runPlain("policy-data.mjs");
});

test("every rule has a reason, and the arm64 numbers are the kernel's", () => {
  const names = new Set(data.stage2.map(({ name }) => name));
  for (const rule of data.stage2) {
    assert.ok(rule.why.length > 3, rule.name);
    assert.equal(typeof rule.nr.x64, "number", rule.name);
    assert.equal(rule.nr.arm64, ARM64[rule.name], rule.name);
  }
  const without = [...names].filter((name) => ARM64[name] === undefined).sort();
  assert.deepEqual(without, X64_ONLY);
  assert.deepEqual(
    [...names].filter((name) => ARM64[name] !== undefined).length,
    Object.keys(ARM64).length,
  );
});

for (const arch of ["x64", "arm64"]) {
  test(`${arch}: only numbers of the table pass, all others get the default`, () => {
    const rules = new Map();
    for (const rule of data.stage2) {
      if (rule.nr[arch] === undefined) continue;
      rules.set(rule.nr[arch], [...(rules.get(rule.nr[arch]) ?? []), rule]);
    }
    for (const [mode, otherwise] of [
      ["compat", ERRNO | 1],
      ["strict", KILL],
    ]) {
      const program = data.programs[`${arch} ${mode}`];
      for (let nr = 0; nr < 600; nr++) {
        const plain = rules.get(nr)?.find((rule) => rule.args === undefined);
        const first = rules.get(nr)?.[0];
        const { action, steps } = evaluate(program, ARCH[arch], nr);
        assert.ok(steps < 60, `${nr}: ${steps} steps`);
        if (first === undefined) assert.equal(action, otherwise, `${nr}`);
        else if (first === plain) {
          const { errno } = plain.action;
          assert.equal(action, errno === undefined ? ALLOW : ERRNO | errno, plain.name);
        }
      }
    }
  });

  test(`${arch}: foreign architectures die`, () => {
    const program = data.programs[`${arch} compat`];
    const getpid = data.stage2.find(({ name }) => name === "getpid").nr[arch];
    assert.equal(evaluate(program, ARCH[arch], getpid).action, ALLOW);
    for (const foreign of [0x40000003, 0x40000028, 0, ARCH[arch === "x64" ? "arm64" : "x64"]]) {
      assert.equal(evaluate(program, foreign, getpid).action, KILL);
    }
    for (const nr of [0x40000000, 0x40000000 + getpid, 0x7fffffff, -1]) {
      assert.equal(evaluate(program, ARCH[arch], nr).action, KILL);
    }
  });

  test(`${arch}: argument rules`, () => {
    const program = data.programs[`${arch} compat`];
    const nr = (name) => data.stage2.find((rule) => rule.name === name).nr[arch];
    const is = (expected, name, ...args) =>
      assert.equal(
        evaluate(program, ARCH[arch], nr(name), args).action,
        expected,
        `${name}(${args})`,
      );
    const DENY = ERRNO | 1;
    is(ALLOW, "mmap", 0, 4096, 3, 0x22);
    is(ALLOW, "mmap", 0, 4096, 0, 0x124032);
    is(DENY, "mmap", 0, 4096, 7, 0x22);
    is(DENY, "mmap", 0, 4096, 3, 0x20);
    is(DENY, "mmap", 0, 4096, 3, 0x21);
    is(DENY, "mmap", 0, 4096, 3, 0x1_0000_0022n);
    is(ALLOW, "mprotect", 0, 4096, 7);
    is(arch === "arm64" ? ALLOW : DENY, "mprotect", 0, 4096, 0x15);
    is(arch === "arm64" ? ALLOW : DENY, "mprotect", 0, 4096, 0x23);
    is(DENY, "mprotect", 0, 4096, 0x01000003);
    for (const advice of [4, 8, 10, 11, 14, 15, 16, 17, 20, 21]) is(ALLOW, "madvise", 0, 0, advice);
    for (const advice of [0, 9, 12, 18, 22, 100, 101]) is(DENY, "madvise", 0, 0, advice);
    for (const op of [0, 1, 3, 4, 5, 9, 10]) {
      for (const flags of [0, 128, 256, 384]) is(ALLOW, "futex", 0, op | flags);
    }
    for (const op of [2, 6, 7, 8, 11, 12, 13, 0x200]) is(DENY, "futex", 0, op | 128);
    is(ALLOW, "clone", 0x3d0f00);
    for (const flags of [17, 0x3d0f01, 0x103d0f00, 0x1003d0f00n, 0]) is(DENY, "clone", flags);
    is(ALLOW, "prctl", 15);
    is(ERRNO | 22, "prctl", 0x53564d41);
    is(DENY, "prctl", 4);
    is(ALLOW, "rt_sigaction", 6);
    is(ALLOW, "rt_sigaction", 11);
    is(ERRNO, "rt_sigaction", 24);
    is(ALLOW, "fcntl", 0, 4, 0x800);
    is(DENY, "fcntl", 0, 4, 0x2800);
    for (const command of [0, 5, 6, 8, 9, 10, 15, 1030]) is(DENY, "fcntl", 0, command, 0);
    is(ALLOW, "clock_gettime", 1);
    is(DENY, "clock_gettime", -6);
    is(ALLOW, "prlimit64", 0, 3, 0, 1);
    is(DENY, "prlimit64", 0, 3, 1, 0);
    is(DENY, "prlimit64", 0, 3, 0x1_0000_0000n, 0);
    is(DENY, "prlimit64", 1, 3, 0, 1);
    is(ALLOW, "ioctl", 0, 0x5421);
    is(ERRNO | 25, "ioctl", 0, 0x8901);
    is(DENY, "tgkill", 4242, 4242, 6);
    is(ALLOW, "recvmsg", 3, 0, 0x40000000);
    for (const flags of [0, 2, 0x40, 0x2000, 0x40000002, 0x40002000])
      is(DENY, "recvmsg", 3, 0, flags);
  });

  test(`${arch}: stage 1 changes two things`, () => {
    const program = data.programs[`${arch} stage1`];
    const madvise = arch === "x64" ? 28 : 233;
    for (let nr = 0; nr < 600; nr++) {
      assert.equal(
        evaluate(program, ARCH[arch], nr).action,
        nr === 425 ? ERRNO | 38 : ALLOW,
        `${nr}`,
      );
    }
    assert.equal(evaluate(program, ARCH[arch], madvise, [0, 0, 10]).action, ERRNO);
    assert.equal(evaluate(program, ARCH[arch], madvise, [0, 0, 4]).action, ALLOW);
  });
}

test("native addons: the linker's calls signal, one may read at a position, and the rest is stage 2", () => {
  const SIGNAL = 0x00030000;
  const AT_FDCWD = -100;
  const { "x64 addons": addons, "x64 compat": stage2 } = data.programs;
  const words = [0, 1, 2, 3, 4, 5, 7, 0x22, 0x32, 0x802, 0x812, 0x1000, 0x80000, 0x3d0f00, -1];
  const answers = (nr, args) =>
    [addons, stage2].map((program) => evaluate(program, ARCH.x64, nr, args).action);
  const differs = new Set();
  let random = 1;
  const word = () => words[(random = (random * 48_271) % 2_147_483_647) % words.length];
  for (let nr = 0; nr < 600; nr++)
    for (let round = 0; round < 60; round++) {
      const [one, other] = answers(nr, Array.from({ length: 6 }, word));
      if (one === other) continue;
      differs.add(nr);
      // Nothing that was refused is allowed, but for the one.
      assert.equal(one === ALLOW, nr === 17, `${nr}`);
    }
  // fstat, mmap, pread64, newfstatat; openat and getrandom want certain words.
  assert.deepEqual(
    [...differs].filter((nr) => nr !== 318),
    [5, 9, 17, 262],
  );
  const is = (expected, nr, ...args) => assert.equal(answers(nr, args)[0], expected, `${nr}`);
  is(SIGNAL, 257, AT_FDCWD, 0, 0x80000, 0);
  is(ERRNO | 2, 257, AT_FDCWD, 0, 0, 0);
  is(ERRNO | 2, 257, AT_FDCWD, 0, 0x80002, 0);
  is(ERRNO | 2, 257, 3, 0, 0x80000, 0);
  is(SIGNAL, 262, 3, 0, 0, 0x1000);
  is(ERRNO | 2, 262, 3, 0, 0, 0);
  for (const flags of [0x1, 0x2, 0x12, 0x802, 0x812]) is(SIGNAL, 9, 0, 4096, 5, flags, 3, 0);
  for (const flags of [0x21, 0x20]) is(ERRNO | 1, 9, 0, 4096, 3, flags, -1, 0);
  is(ERRNO | 1, 9, 0, 4096, 7, 0x22, -1, 0);
  is(ERRNO | 22, 318, 0, 16, 4);
  for (const flags of [0, 1]) is(ALLOW, 318, 0, 16, flags);
  is(ERRNO | 1, 318, 0, 16, 2);
});

test(
  "only the own pid is patched, and nonsense pids are refused",
  { skip: process.arch !== "x64" },
  () => {
    for (const [program, own] of [
      [data.patched, 4242],
      [data.again, 4243],
    ]) {
      for (const pid of [4242, 4243, -1, 0, 1]) {
        const { action } = evaluate(program, ARCH.x64, 234, [pid, pid, 6]);
        assert.equal(action, pid === own ? ALLOW : ERRNO | 1);
      }
      assert.equal(evaluate(program, ARCH.x64, 234, [own, own, 9]).action, ERRNO | 1);
    }
    assert.deepEqual(data.refused, [true, true, true, true]);
  },
);
