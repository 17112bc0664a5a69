/**
 * Owns the kernel's rehearsal: a machine is made, a program is begun in it as far as that goes without a process, and all of it is
 * disposed. What the first machine of the host runs is compiled then, at a time when the kernel process would wait
 * for its zygote's engine.
 *
 * Invariants: nothing of the rehearsal is left, nobody hears of it, and no process is used. Untrusted: nothing.
 */
import { auditDefaults } from "../../protocol/decisions.js";
import type { VmOptions } from "../../protocol/host-calls.js";
import { completeVmLimits } from "../../protocol/limits.js";
import { scopeNames } from "../../protocol/permissions.js";
import type { Policies } from "../../protocol/permissions.js";
import { usualStart } from "../../protocol/usual-start.js";
import { Vm } from "../machine/vm.js";
import type { VmServices } from "../machine/vm.js";
import { HostProgram, ownProgram } from "./program.js";
import type { HostListener } from "./program.js";

/** The SDK counts machines from 1. */
const nobodysMachine = 0;

const machine: VmOptions = {
  env: {},
  cwd: "",
  mounts: [],
  permissions: Object.fromEntries(scopeNames.map((scope) => [scope, "allow"])) as Policies,
  permissionTimeoutMs: 1,
  policyMode: "enforce",
  audit: { entries: auditDefaults.entries, all: false, stream: false },
  tools: [],
  jsRuntime: usualStart.jsRuntime,
  engine: "forked",
  nativeAddons: false,
  limits: completeVmLimits(),
  warnsOfLimits: false,
};

const nobody: HostListener = {
  output: () => undefined,
  stdinTaken: () => undefined,
  value: () => undefined,
  residentDone: () => undefined,
  templateReady: () => undefined,
  ended: () => undefined,
};

/** `services` are the kernel's; its guests and engines are not asked for. */
export function rehearse(services: VmServices): void {
  const waitsForNothing = (): void => undefined;
  const guests = {
    take: () => waitsForNothing,
    takeForTemplate: () => waitsForNothing,
    expectAddons: () => waitsForNothing,
    othersWait: () => false,
  };
  const vm = new Vm(nobodysMachine, machine, { ...services, guests });
  const program = { ...ownProgram, stdoutLimitBytes: 0, stderrLimitBytes: 0 };
  HostProgram.start(vm, program, Buffer.from("0"), nobody);
  vm.dispose();
}
