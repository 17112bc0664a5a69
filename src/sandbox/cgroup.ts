/**
 * Owns where the cgroups of guests may be made: in a directory of cgroup v2 that the host names, or in one
 * that was given into this service's hands. It only reads.
 *
 * Invariants: nothing that was not handed over is taken. A writable directory is not enough: to root all are,
 * and a group beside the service's own would be outside of the bounds that its owner has set for the service. So
 * it is the parent of our own group where systemd has marked that as delegated, or the root of all groups
 * where we are in that ourselves, and nobody's bounds hold for us.
 * Untrusted: nothing; the paths are the machine's and the host's.
 */
import { readFileSync } from "node:fs";
import { dirname, isAbsolute, resolve } from "node:path";
import { cgroupVariable } from "../abi/cgroup.js";
import { addressOf, cString, syscall } from "./libc.js";

const SYS_GETXATTR = process.arch === "x64" ? 191 : 8;
/** What systemd puts on a group with Delegate=yes; systemd.resource-control(5), CGROUP_DELEGATION. */
const delegationMarks = ["user.delegate", "trusted.delegate"];

export const controllers = ["memory", "pids"] as const;

/** What is looked at; tests have a machine of their own. */
export interface CgroupView {
  read(path: string): string | undefined;
  /** Whether systemd has handed the group to whoever runs in it. */
  isDelegated(path: string): boolean;
}

/** A file of the machine; undefined where it cannot be read. */
export function textAt(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function isDelegated(path: string): boolean {
  const value = Buffer.alloc(8);
  return delegationMarks.some((name) => {
    const [file, attribute] = [cString(path), cString(name)];
    const size = syscall(
      SYS_GETXATTR,
      addressOf(file),
      addressOf(attribute),
      addressOf(value),
      value.length,
    );
    return size > 0 && value.toString("latin1", 0, size) === "1";
  });
}

const machine: CgroupView = { read: textAt, isDelegated };

export type CgroupPlace = { directory: string } | { why: string };

/** Where cgroup v2 is mounted, and the directory of a process's group there. */
function groupOf(
  view: CgroupView,
  pid: number | "self",
): { root: string; directory: string } | undefined {
  const line = (view.read(`/proc/${pid}/cgroup`) ?? "")
    .split("\n")
    .find((one) => one.startsWith("0::"));
  const own = line?.slice("0::".length);
  if (own === undefined) return undefined;
  for (const mount of (view.read("/proc/self/mountinfo") ?? "").split("\n")) {
    const [left = "", right = ""] = mount.split(" - ");
    if (!right.startsWith("cgroup2 ")) continue;
    const [, , , from = "/", point = ""] = left.split(" ");
    const base = from === "/" ? "" : from;
    // What lies above the namespace or the mount is named, but not there.
    if (own !== base && !own.startsWith(`${base}/`)) continue;
    return { root: point, directory: `${point}${own.slice(base.length)}`.replace(/\/$/, "") };
  }
  return undefined;
}

export function groupDirectoryOf(pid: number): string | undefined {
  return groupOf(machine, pid)?.directory;
}

/** Why guests cannot be bounded below this directory, as far as reading tells. */
function lack(directory: string, view: CgroupView): string | undefined {
  const offered = view.read(`${directory}/cgroup.controllers`);
  if (offered === undefined) return `${directory} is no directory of cgroup v2`;
  const words = offered.trim().split(/\s+/);
  const missing = controllers.filter((name) => !words.includes(name));
  if (missing.length === 0) return undefined;
  return `no ${missing.join(" and ")} controller at ${directory}`;
}

/** `named` is the variable's value. */
export function guestCgroup(named: string | undefined, view = machine): CgroupPlace {
  if (named === "off") return { why: `not used: ${cgroupVariable} is off` };
  if (named !== undefined && named !== "") {
    if (!isAbsolute(named)) return { why: `${cgroupVariable} is no absolute path: ${named}` };
    const directory = resolve(named);
    const why = lack(directory, view);
    return why === undefined ? { directory } : { why };
  }
  const own = groupOf(view, "self");
  if (own === undefined) return { why: "no cgroup v2 in sight" };
  // The root of all groups has no type; the root of a namespace has.
  const isRoot =
    own.directory === own.root && view.read(`${own.directory}/cgroup.type`) === undefined;
  const parent = dirname(own.directory);
  const isInside = own.directory !== own.root;
  if (!isRoot && !(isInside && view.isDelegated(parent)))
    return { why: `no delegated cgroup v2: ${cgroupVariable} may name one (docs/deployment.md)` };
  const directory = isRoot ? own.directory : parent;
  const why = lack(directory, view);
  return why === undefined ? { directory } : { why };
}
