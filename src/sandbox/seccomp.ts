/**
 * Compiles the policy to seccomp programs and installs them. The compiled
 * stage 2 is kept; for each guest only its own pid is written into a copy.
 */
import { ADDONS, TEMPLATE_ADDONS } from "./addon-policy.js";
import { Assembler, type Label, NEXT, type Program } from "./bpf.js";
import { seccompListen, seccompSetFilter, setNoNewPrivs } from "./libc.js";
import {
  type Action,
  type Arch,
  type Matcher,
  type Mode,
  type PerArch,
  type Policy,
  type Rule,
  STAGE1,
  STAGE2,
} from "./policy.js";
import { QUESTIONS, TEMPLATE } from "./template-policy.js";
import { KERNEL } from "./kernel-policy.js";
import { IsolationUnavailable } from "./unavailable.js";
import { ZYGOTE } from "./zygote-policy.js";

export const SECCOMP_RET_KILL_PROCESS = 0x8000_0000;
const SECCOMP_RET_TRAP = 0x0003_0000;
export const SECCOMP_RET_ERRNO = 0x0005_0000;
const SECCOMP_RET_USER_NOTIF = 0x7fc0_0000;
export const SECCOMP_RET_ALLOW = 0x7fff_0000;

const AUDIT_ARCH: Readonly<Record<Arch, number>> = { x64: 0xc000003e, arm64: 0xc00000b7 };

/** Offsets in struct seccomp_data; both architectures are little-endian. */
const NR_AT = 0;
const ARCH_AT = 4;
const ARGS_AT = 16;

/** Numbers from here on are the x32 calling convention. */
const X32_BIT = 0x4000_0000;

const EPERM = 1;
const OWN_PID = "own pid";

/** No pid: a program whose mark was left unpatched allows no tgkill. */
const NO_PID = 0xffff_ffff;

function nativeArch(): Arch {
  const arch = process.arch;
  if (arch !== "x64" && arch !== "arm64") throw new Error(`no system-call policy for ${arch}`);
  return arch;
}

function resultOf(action: Action): number {
  if (action === "allow") return SECCOMP_RET_ALLOW;
  if (action === "ask") return SECCOMP_RET_USER_NOTIF;
  return action === "signal" ? SECCOMP_RET_TRAP : SECCOMP_RET_ERRNO | action.errno;
}

function forArch(value: PerArch, arch: Arch): number {
  return typeof value === "number" ? value : value[arch];
}

function emitMatcher(asm: Assembler, matcher: Matcher, arch: Arch, miss: Label): void {
  const low = ARGS_AT + 8 * matcher.arg;
  if (matcher.width === "long") {
    asm.load(low + 4);
    asm.ifEqual(0, NEXT, miss);
  }
  asm.load(low);
  switch (matcher.test) {
    case "oneOf": {
      if (matcher.mask !== undefined) asm.and(matcher.mask);
      const hit = asm.label("hit");
      matcher.values.forEach((value, i) => {
        const last = i === matcher.values.length - 1;
        asm.ifEqual(value, last ? NEXT : hit, last ? miss : NEXT);
      });
      asm.place(hit);
      return;
    }
    case "within":
      asm.ifAnyBit(~forArch(matcher.mask, arch), miss, NEXT);
      return;
    case "contains":
      asm.and(matcher.mask);
      asm.ifEqual(matcher.mask, NEXT, miss);
      return;
    case "excludes":
      asm.ifAnyBit(matcher.mask, miss, NEXT);
      return;
    case "ownPid":
      asm.ifEqual(NO_PID, NEXT, miss, OWN_PID);
      return;
  }
}

/** The rules of one call; every path returns. */
function emitRules(asm: Assembler, rules: readonly Rule[], arch: Arch, otherwise: number): void {
  for (const rule of rules) {
    const miss = asm.label(`after ${rule.name}`);
    for (const matcher of rule.args ?? []) emitMatcher(asm, matcher, arch, miss);
    asm.ret(resultOf(rule.action));
    if (rule.args === undefined) return;
    asm.place(miss);
  }
  asm.ret(otherwise);
}

interface Call {
  readonly nr: number;
  readonly rules: readonly Rule[];
}

/** A holds the number. Halves `calls` by it; every path returns. */
function emitTree(asm: Assembler, calls: readonly Call[], arch: Arch, otherwise: number): void {
  const only = calls[0];
  if (only === undefined) {
    asm.ret(otherwise);
    return;
  }
  if (calls.length === 1) {
    const other = asm.label("other");
    asm.ifEqual(only.nr, NEXT, other);
    emitRules(asm, only.rules, arch, otherwise);
    asm.place(other);
    asm.ret(otherwise);
    return;
  }
  const middle = calls.length >> 1;
  const upper = asm.label("upper");
  const lower = asm.label("lower");
  // The upper half may be out of reach of a conditional jump.
  asm.ifAtLeast(calls[middle]!.nr, NEXT, lower);
  asm.jump(upper);
  asm.place(lower);
  emitTree(asm, calls.slice(0, middle), arch, otherwise);
  asm.place(upper);
  emitTree(asm, calls.slice(middle), arch, otherwise);
}

/** Exported for tests, which compile the other architecture too. */
export function compile(policy: Policy, arch: Arch, mode: Mode): Program {
  const byNumber = new Map<number, Rule[]>();
  for (const rule of policy.rules) {
    const nr = rule.nr[arch];
    if (nr === undefined) continue;
    const rules = byNumber.get(nr) ?? [];
    if (rules.some((earlier) => earlier.name !== rule.name || earlier.args === undefined)) {
      throw new Error(`policy: number ${nr} (${rule.name}) is taken or the rule unreachable`);
    }
    rules.push(rule);
    byNumber.set(nr, rules);
  }
  const calls = [...byNumber].map(([nr, rules]) => ({ nr, rules })).sort((a, b) => a.nr - b.nr);
  const isHot = (call: Call) => call.rules.some((rule) => rule.hot === true);
  const otherwise =
    policy.otherwise === "allow"
      ? SECCOMP_RET_ALLOW
      : mode === "strict"
        ? SECCOMP_RET_KILL_PROCESS
        : SECCOMP_RET_ERRNO | EPERM;

  const asm = new Assembler();
  asm.load(ARCH_AT);
  const native = asm.label("native");
  asm.ifEqual(AUDIT_ARCH[arch], native, NEXT);
  asm.ret(policy.nativeOnly ? SECCOMP_RET_KILL_PROCESS : SECCOMP_RET_ALLOW);
  asm.place(native);
  asm.load(NR_AT);
  if (policy.nativeOnly) {
    const known = asm.label("known");
    asm.ifAtLeast(X32_BIT, NEXT, known);
    asm.ret(SECCOMP_RET_KILL_PROCESS);
    asm.place(known);
  }
  for (const call of calls.filter(isHot)) {
    const next = asm.label("next");
    asm.ifEqual(call.nr, NEXT, next);
    emitRules(asm, call.rules, arch, otherwise);
    asm.place(next);
  }
  emitTree(
    asm,
    calls.filter((call) => !isHot(call)),
    arch,
    otherwise,
  );
  return asm.finish();
}

const compiled = new Map<string, Program>();

/** Compiles ahead of the first fork, so that a child only copies. */
export function prepareStage2(mode: Mode = "compat", addons = false): Program {
  const key = `${mode} ${addons}`;
  let program = compiled.get(key);
  if (program === undefined) {
    program = compile(addons ? ADDONS : STAGE2, nativeArch(), mode);
    compiled.set(key, program);
  }
  return program;
}

/** For the process that spawns zygotes; they inherit it. */
export function buildStage1(): Buffer {
  return compile(STAGE1, nativeArch(), "compat").bytes;
}

/** For a zygote; its guests are under it as well. */
export function buildZygoteFilter(): Buffer {
  return compile(ZYGOTE, nativeArch(), "compat").bytes;
}

/** For a guest that may become a template, and what is forked from it. */
export function buildTemplateStage2(addons = false): Buffer {
  return compile(addons ? TEMPLATE_ADDONS : TEMPLATE, nativeArch(), "compat").bytes;
}

/** Puts the filter that asks on this thread, the only one: its listener, or `-errno`. */
export function installQuestions(): number {
  return seccompListen(compile(QUESTIONS, nativeArch(), "compat").bytes);
}

/** For the kernel process, once it has its spawner. */
export function buildKernelFilter(): Buffer {
  return compile(KERNEL, nativeArch(), "compat").bytes;
}

export interface Stage2Options {
  /** The guest's pid as the guest itself sees it. */
  readonly pid: number;
  /** Death instead of EPERM for calls outside the table. */
  readonly strict?: boolean;
  /** Whether the guest may load native addons. */
  readonly addons?: boolean;
}

export function buildStage2({ pid, strict = false, addons = false }: Stage2Options): Buffer {
  if (!Number.isInteger(pid) || pid <= 0) throw new RangeError(`pid ${pid}`);
  const program = prepareStage2(strict ? "strict" : "compat", addons);
  const bytes = Buffer.from(program.bytes);
  for (const offset of program.marks.get(OWN_PID) ?? []) bytes.writeUInt32LE(pid, offset);
  return bytes;
}

/**
 * Puts the filter on every thread of this process, irrevocably, and with it
 * no_new_privs. Throws unless the kernel said exactly 0: with TSYNC a positive
 * answer names a thread that did not follow.
 */
export function install(program: Uint8Array): void {
  const attribute = setNoNewPrivs();
  if (attribute !== 0) throw new IsolationUnavailable("no_new_privs", `errno ${-attribute}`);
  const result = seccompSetFilter(program, true);
  if (result !== 0) {
    throw new IsolationUnavailable(
      "seccomp",
      result < 0 ? `errno ${-result}` : `thread ${result} not synchronised`,
    );
  }
}
