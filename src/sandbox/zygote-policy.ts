/**
 * The system calls of a zygote that serves, as reviewed data beside policy.ts: what it forks, reaps
 * and limits guests with, and everything that stage 2 leaves a guest, because a child runs under
 * both filters. Nothing in it opens, connects or executes.
 *
 * Arguments that stage 2 checks for every guest are not checked here a second time where the call is
 * frequent: the kernel remembers calls that are allowed whatever their arguments.
 */
import { STAGE2, type Policy, type Rule } from "./policy.js";

/** include/uapi/linux/prctl.h */
const PR_SET_PDEATHSIG = 1;
const PR_SET_NO_NEW_PRIVS = 38;
const SECCOMP_SET_MODE_FILTER = 1;
/** What glibc's fork() asks of clone: SIGCHLD, CLONE_CHILD_SETTID, CLONE_CHILD_CLEARTID. */
const CLONE_FORK = 0x0120_0011;
/** The same beside whoever asks: CLONE_PARENT; sandbox/template-policy.ts. */
const CLONE_SIBLING = 0x0120_8011;
/** CLONE_VM | CLONE_PARENT | SIGCHLD; namespaces.ts. */
const CLONE_FIRST_PROCESS = 0x8111;
/** include/uapi/linux/pidfd.h: -10001, as a filter sees it. */
const PIDFD_SELF_THREAD_GROUP = 0xffff_d8ef;
/** include/uapi/asm-generic/mman-common.h */
const MADV_POPULATE_WRITE = 23;
const AF_UNIX = 1;
const SIGABRT = 6;
const SIGKILL = 9;
const SIGINT = 2;
const SIGCONT = 18;
const SIGSTOP = 19;
const SIGSEGV = 11;
const SIGSYS = 31;
const SIGPROF = 27;
const RLIMIT_CPU = 0;
const RLIMIT_DATA = 2;

const serving: readonly Rule[] = [
  {
    name: "clone",
    nr: { x64: 56, arm64: 220 },
    args: [
      {
        arg: 0,
        width: "long",
        test: "oneOf",
        values: [CLONE_FORK, CLONE_SIBLING, CLONE_FIRST_PROCESS],
      },
    ],
    action: "allow",
    why: "forks a guest, or the first process of the guests' PID namespace; a template's copies, which another filter asks about; no namespace can be asked for",
  },
  { name: "wait4", nr: { x64: 61, arm64: 260 }, action: "allow", why: "reaps guests" },
  {
    name: "kill",
    nr: { x64: 62, arm64: 129 },
    args: [
      { arg: 0, width: "int", test: "excludes", mask: 0x8000_0000 },
      { arg: 1, width: "int", test: "oneOf", values: [SIGINT, SIGKILL, SIGCONT, SIGSTOP] },
    ],
    action: "allow",
    why: "ends, stops, continues or interrupts a guest; no other signal",
  },
  {
    name: "prlimit64",
    nr: { x64: 302, arm64: 261 },
    args: [{ arg: 1, width: "int", test: "oneOf", values: [RLIMIT_CPU, RLIMIT_DATA] }],
    action: "allow",
    why: "memory and CPU time of a guest",
  },
  {
    name: "recvmsg",
    nr: { x64: 47, arm64: 212 },
    action: "allow",
    hot: true,
    why: "requests of the kernel process, with a guest's descriptors",
  },
  {
    name: "sendmsg",
    nr: { x64: 46, arm64: 211 },
    action: "allow",
    why: "hands the kernel process the listener of a guest that may become a template; stage 2 refuses it",
  },
  {
    name: "pread64",
    nr: { x64: 17, arm64: 67 },
    action: "allow",
    why: "its own /proc/self/status, opened before: how much memory guests start with",
  },
  {
    name: "mremap",
    nr: { x64: 25, arm64: 216 },
    action: "allow",
    why: "puts the engine's text on huge pages",
  },
  {
    name: "process_madvise",
    nr: { x64: 440, arm64: 440 },
    args: [
      { arg: 0, width: "int", test: "oneOf", values: [PIDFD_SELF_THREAD_GROUP] },
      { arg: 3, width: "int", test: "oneOf", values: [MADV_POPULATE_WRITE] },
    ],
    action: "allow",
    why: "a guest makes pages its own at once that it will write; of no process but itself",
  },
  {
    name: "socketpair",
    nr: { x64: 53, arm64: 199 },
    args: [{ arg: 0, width: "int", test: "oneOf", values: [AF_UNIX] }],
    action: "allow",
    why: "to a child that rehearses a guest's life; leads nowhere else",
  },
  {
    name: "dup2",
    nr: { x64: 33 },
    action: "allow",
    why: "puts a guest's descriptors where they belong",
  },
  {
    name: "dup3",
    nr: { x64: 292, arm64: 24 },
    action: "allow",
    why: "what dup2() is where the call of that name does not exist",
  },
  {
    name: "close_range",
    nr: { x64: 436, arm64: 436 },
    args: [{ arg: 2, width: "int", test: "oneOf", values: [0] }],
    action: "allow",
    why: "a guest closes what it was not given",
  },
  {
    name: "prctl",
    nr: { x64: 157, arm64: 167 },
    args: [
      { arg: 0, width: "int", test: "oneOf", values: [PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS] },
    ],
    action: "allow",
    why: "a guest dies with its zygote and gains no privilege",
  },
  {
    name: "seccomp",
    nr: { x64: 317, arm64: 277 },
    args: [{ arg: 0, width: "int", test: "oneOf", values: [SECCOMP_SET_MODE_FILTER] }],
    action: "allow",
    why: "a guest installs stage 2",
  },
  {
    name: "tgkill",
    nr: { x64: 234, arm64: 131 },
    args: [{ arg: 2, width: "int", test: "oneOf", values: [SIGABRT, SIGSEGV, SIGPROF] }],
    action: "allow",
    why: "abort() and the profiler of a guest, whose pid is not known yet; stage 2 checks it",
  },
  {
    name: "rt_sigaction",
    nr: { x64: 13, arm64: 134 },
    args: [{ arg: 0, width: "int", test: "oneOf", values: [SIGSYS] }],
    action: "allow",
    why: "a guest that may load native addons answers its own dynamic linker; see Native addons",
  },
];

const own = new Set(serving.filter(({ args }) => args === undefined).map(({ name }) => name));

/** Stage 2's rows without those that say less than the ones above, and without arguments that it checks itself. */
const inherited: readonly Rule[] = STAGE2.rules.flatMap((rule): Rule[] => {
  if (own.has(rule.name)) return [];
  if (rule.args?.some(({ test }) => test === "ownPid") === true) return [];
  if (rule.hot !== true || rule.action !== "allow") return [rule];
  const { args: _checkedByStage2, ...whole } = rule;
  return [whole];
});

/** Installed in a zygote before its first guest, on all of its threads. */
export const ZYGOTE: Policy = {
  nativeOnly: true,
  otherwise: "deny",
  rules: [...serving, ...inherited],
};
