/**
 * What this host offers for isolation, for `secure-exec doctor`. It only reads:
 * no namespace is made, no attribute set, no filter installed.
 */
import { accessSync, constants } from "node:fs";
import { cgroupVariable } from "../abi/cgroup.js";
import { guestCgroup, textAt } from "./cgroup.js";
import {
  geteuid,
  getNoNewPrivs,
  getSeccompMode,
  landlockAbi,
  seccompActionAvailable,
} from "./libc.js";
import { SECCOMP_RET_ERRNO, SECCOMP_RET_KILL_PROCESS } from "./seccomp.js";

export type LayerName =
  | "seccomp"
  | "no_new_privs"
  | "landlock"
  | "user_namespaces"
  | "uid_drop"
  | "cgroup";

export interface Layer {
  readonly layer: LayerName;
  /** Without a required layer no guest is served. */
  readonly required: boolean;
  readonly available: boolean;
  readonly why: string;
}

const CAP_SETGID = 6n;
const CAP_SETUID = 7n;

function number(path: string): number | undefined {
  const value = Number.parseInt(textAt(path) ?? "", 10);
  return Number.isNaN(value) ? undefined : value;
}

function writable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function seccomp(): Omit<Layer, "layer" | "required"> {
  const arch = process.arch;
  if (arch !== "x64" && arch !== "arm64") return { available: false, why: `no policy for ${arch}` };
  const mode = getSeccompMode();
  if (mode < 0) return { available: false, why: `prctl(PR_GET_SECCOMP): errno ${-mode}` };
  for (const [name, action] of [
    ["KILL_PROCESS", SECCOMP_RET_KILL_PROCESS],
    ["ERRNO", SECCOMP_RET_ERRNO],
  ] as const) {
    const result = seccompActionAvailable(action);
    if (result !== 0) return { available: false, why: `action ${name}: errno ${-result}` };
  }
  const nested = mode === 2 ? "; this process is under a filter already, filters add up" : "";
  return { available: true, why: `filters with KILL_PROCESS and ERRNO${nested}` };
}

function noNewPrivs(): Omit<Layer, "layer" | "required"> {
  const value = getNoNewPrivs();
  if (value < 0) return { available: false, why: `prctl: errno ${-value}` };
  return { available: true, why: value === 1 ? "already set here" : "can be set" };
}

function landlock(): Omit<Layer, "layer" | "required"> {
  const abi = landlockAbi();
  return abi > 0
    ? { available: true, why: `ABI ${abi}` }
    : { available: false, why: `landlock_create_ruleset: errno ${-abi}` };
}

function effectiveCapabilities(): bigint {
  const hex = /^CapEff:\s+([0-9a-f]+)$/m.exec(textAt("/proc/self/status") ?? "")?.[1];
  return hex === undefined ? 0n : BigInt(`0x${hex}`);
}

function userNamespaces(): Omit<Layer, "layer" | "required"> {
  const most = number("/proc/sys/user/max_user_namespaces");
  if (most === undefined) return { available: false, why: "the kernel has none" };
  if (most === 0) return { available: false, why: "user.max_user_namespaces is 0" };
  if (geteuid() !== 0) {
    if (number("/proc/sys/kernel/unprivileged_userns_clone") === 0) {
      return { available: false, why: "kernel.unprivileged_userns_clone is 0" };
    }
    if (number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") === 1) {
      return { available: false, why: "kernel.apparmor_restrict_unprivileged_userns is 1" };
    }
  }
  const filtered = getSeccompMode() === 2 ? ", unless the filter of this container forbids it" : "";
  return { available: true, why: `up to ${most}${filtered}` };
}

function uidDrop(): Omit<Layer, "layer" | "required"> {
  const needed = (1n << CAP_SETUID) | (1n << CAP_SETGID);
  const available = (effectiveCapabilities() & needed) === needed;
  return available
    ? { available, why: "CAP_SETUID and CAP_SETGID are held" }
    : { available, why: "without CAP_SETUID and CAP_SETGID guests share this process's uid" };
}

function cgroup(named: string | undefined): Omit<Layer, "layer" | "required"> {
  const found = guestCgroup(named);
  if ("why" in found) return { available: false, why: found.why };
  const { directory } = found;
  const available = writable(directory) && writable(`${directory}/cgroup.procs`);
  return { available, why: `v2 at ${directory} is ${available ? "writable" : "not writable"}` };
}

/** In the order in which they matter. */
export function probeIsolation(): Layer[] {
  return [
    { layer: "seccomp", required: true, ...seccomp() },
    { layer: "no_new_privs", required: true, ...noNewPrivs() },
    { layer: "landlock", required: false, ...landlock() },
    { layer: "user_namespaces", required: false, ...userNamespaces() },
    { layer: "uid_drop", required: false, ...uidDrop() },
    { layer: "cgroup", required: false, ...cgroup(process.env[cgroupVariable]) },
  ];
}
