/**
 * What a guest that may become a template, and each process forked from it, may do beyond stage 2, as
 * reviewed data. Such a process may ask for a copy of itself, and the kernel process answers: every copy
 * is one that it ordered, see launcher/template.ts.
 *
 * Two filters: `QUESTIONS` asks and lets everything else through, `TEMPLATE` is stage 2 with what was asked
 * about let through. A call passes both, and the stricter answer holds. Both are inherited by the copies.
 *
 * Questions are about argument words alone. Those cannot change while the kernel process looks at them,
 * which is what makes it safe to let the call go on (seccomp_unotify(2)).
 */
import { STAGE2, type Policy, type Rule } from "./policy.js";

/** What glibc's fork() asks of clone: SIGCHLD, CLONE_CHILD_SETTID, CLONE_CHILD_CLEARTID. */
const CLONE_FORK = 0x0120_0011;
/** The same with CLONE_PARENT: the zygote is the parent of the copy, and reaps it. */
export const cloneSibling = 0x0120_8011;
/** include/uapi/linux/prctl.h */
export const prSetParentDeathSignal = 1;
/** include/uapi/asm-generic/mman-common.h */
const MADV_POPULATE_WRITE = 23;
const SIGABRT = 6;
export const sigkill = 9;
const SIGSEGV = 11;
const SIGPROF = 27;

export const clone = { x64: 56, arm64: 220 } as const;
export const prctl = { x64: 157, arm64: 167 } as const;
export const tgkill = { x64: 234, arm64: 131 } as const;

const copy: Rule = {
  name: "clone",
  nr: clone,
  args: [
    { arg: 0, width: "long", test: "oneOf", values: [cloneSibling] },
    // On the same stack: what a fork is, and no thread.
    { arg: 1, width: "long", test: "oneOf", values: [0] },
  ],
  action: "ask",
  why: "a copy of this process, beside it; only the one that was ordered",
};

const arrival: Rule = {
  name: "prctl",
  nr: prctl,
  args: [
    { arg: 0, width: "int", test: "oneOf", values: [prSetParentDeathSignal] },
    { arg: 1, width: "long", test: "oneOf", values: [sigkill] },
  ],
  action: "ask",
  why: "a new copy says that it is there, and dies with the zygote from then on; only one that is awaited",
};

const abort: Rule = {
  name: "tgkill",
  nr: tgkill,
  args: [{ arg: 2, width: "int", test: "oneOf", values: [SIGABRT, SIGSEGV, SIGPROF] }],
  action: "ask",
  why: "abort() and the profiler; only to threads of the caller's own process, whose pid a filter does not know",
};

/** Installed with a listener, before stage 2. */
export const QUESTIONS: Policy = {
  nativeOnly: false,
  otherwise: "allow",
  rules: [copy, arrival, abort],
};

const answered = (rule: Rule): Rule => ({ ...rule, action: "allow" });

const becoming: readonly Rule[] = [
  answered(copy),
  {
    name: "clone",
    nr: clone,
    args: [{ arg: 0, width: "long", test: "oneOf", values: [CLONE_FORK] }],
    action: { errno: 0 },
    why: "forks nothing: a copy calls fork() and believes to be its child, so that libc and libuv put themselves in order",
  },
  answered(arrival),
  answered(abort),
  {
    name: "dup2",
    nr: { x64: 33 },
    action: "allow",
    why: "a copy puts its own descriptors where those of the template were",
  },
  {
    name: "dup3",
    nr: { x64: 292, arm64: 24 },
    action: "allow",
    why: "what dup2() is where the call of that name does not exist",
  },
  {
    name: "madvise",
    nr: { x64: 28, arm64: 233 },
    args: [{ arg: 2, width: "int", test: "oneOf", values: [MADV_POPULATE_WRITE] }],
    action: "allow",
    why: "a copy makes pages its own at once that it will write; no other memory than by writing",
  },
  {
    name: "close_range",
    nr: { x64: 436, arm64: 436 },
    args: [{ arg: 2, width: "int", test: "oneOf", values: [0] }],
    action: "allow",
    why: "a copy closes what it was not given",
  },
];

/** In the place of stage 2. */
export const TEMPLATE: Policy = {
  ...STAGE2,
  rules: [
    ...becoming,
    ...STAGE2.rules.filter(({ args }) => args?.some(({ test }) => test === "ownPid") !== true),
  ],
};
