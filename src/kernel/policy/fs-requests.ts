/**
 * Owns the way from what a call asks of the file system to requests of the policy: each path is
 * walked as the call will walk it, and judged is the entry that this found.
 *
 * Invariant: the walks made here are the ones that the call uses, so that what was judged is
 * what is touched.
 * Untrusted: every path, and what lies on the way.
 */
import type { Request } from "../../protocol/permissions.js";
import { OpenFile } from "../fs/index.js";
import type { Credentials, FileSystem, Located, Walks } from "../fs/index.js";
import { Stream } from "../io/stream.js";
import { Denial, denial } from "./decision.js";
import type { Decision } from "./decision.js";
import type { Demand } from "./demand.js";
import type { Policy } from "./policy.js";

/** What this needs to know of a process. */
export interface FsCaller {
  readonly pid: number;
  readonly argv: readonly string[];
  readonly fs: FileSystem;
  readonly credentials: Credentials;
  readonly descriptors: { get(fd: number): object | undefined };
  readonly policy: Policy;
}

type FsRequest = Extract<Request, { scope: "fs" }>;

export interface FsQuestion {
  readonly requests: FsRequest[];
  /** How the guest called each path. */
  readonly resources: string[];
  /** What of it looks at other processes. */
  readonly inspections: Request[];
  readonly walks: Walks;
}

/** Entries looked at for one call on a whole tree; more is denied. */
const treeLimit = 20_000;

/** Paths below tell about a process. */
const processPath = /^\/proc\/(\d+)(?:\/|$)/;

/** The requests that `demands` come to, or why they cannot be told. */
export function questionOf(caller: FsCaller, demands: readonly Demand[]): FsQuestion | Denial {
  const { fs, credentials } = caller;
  const requests: FsRequest[] = [];
  const resources: string[] = [];
  const inspections: Request[] = [];
  const walks: { path: string; last: number; found: Located["found"]; located: Located }[] = [];
  const ask = ({ operation, to }: Demand, path: string, resource: string): void => {
    const pid = path.startsWith("/proc/") ? Number(processPath.exec(path)?.[1] ?? caller.pid) : -1;
    if (pid >= 0 && pid !== caller.pid)
      inspections.push({ scope: "process", operation: "inspect", pid });
    requests.push(
      to === undefined ? { scope: "fs", operation, path } : { scope: "fs", operation, path, to },
    );
    resources.push(resource);
  };
  for (const demand of demands) {
    const { on, operation, also } = demand;
    if ("fd" in on) {
      // Anything else than a file has nothing to change; the handler says so.
      const description = caller.descriptors.get(on.fd);
      const file = description instanceof Stream ? description.file : description;
      if (!(file instanceof OpenFile)) continue;
      const path = file.openedAt;
      if (typeof path === "number")
        return denial({ scope: "fs", operation, path: `descriptor ${on.fd}` });
      ask(demand, path, path);
      continue;
    }
    const { path, last } = on;
    const known =
      walks.length === 0
        ? undefined
        : walks.find((walk) => walk.path === path && walk.last === last);
    const located = known?.located ?? fs.locate(credentials, path, last);
    // No path at all; the handler says so before it touches anything.
    if (typeof located === "number") continue;
    if (known === undefined) walks.push({ path, last, found: located.found, located });
    const resource = path.startsWith("/") ? path : `${credentials.cwd}/${path}`;
    if (also === "missing") {
      const plan = fs.planTree(credentials, path);
      if (typeof plan === "number") ask(demand, located.path, resource);
      else for (const directory of plan) ask(demand, directory, resource);
      continue;
    }
    ask(demand, located.path, resource);
    if (also === undefined) continue;
    const below = fs.pathsBelow(credentials, located, treeLimit);
    if (below === undefined) return denial({ scope: "fs", operation, path: resource });
    for (const entry of below) ask({ operation, on }, entry, entry);
  }
  return { requests, resources, inspections, walks };
}

/**
 * For a policy that denies nothing, but whose every decision is wanted: what is asked for is noted by the name that it was
 * asked by, and no walk is made for it. False where that would not be all: of trees, of files behind
 * descriptors, and of what tells about other processes.
 */
export function notes(caller: FsCaller, demands: readonly Demand[] | undefined): boolean {
  const { policy, credentials } = caller;
  if (demands === undefined) return false;
  for (const { on, also } of demands)
    if ("fd" in on || also !== undefined || !mayBeNoted(on.path)) return false;
  for (const demand of demands) {
    const { on } = demand;
    if ("fd" in on) continue;
    const { path } = on;
    const resource = path.startsWith("/") ? path : `${credentials.cwd}/${path}`;
    policy.note(demand, "fs", resource, caller);
  }
  return true;
}

/** Not where a look decides whether there is anything to note, or more of it. */
function mayBeNoted(path: string): boolean {
  return path !== "" && !path.startsWith("/proc") && !path.includes("\0");
}

/** Whether two looks at the same call found the same. */
export function sameQuestion(one: FsQuestion, other: FsQuestion): boolean {
  return (
    one.requests.length === other.requests.length &&
    one.requests.every(({ path }, at) => path === other.requests[at]!.path)
  );
}

/**
 * A second name must not open what the first one closes: with rules, whatever may be read or
 * written under the new name has to be readable or writable under the old one.
 */
export function laundering(
  { policy }: FsCaller,
  demands: readonly Demand[],
  { requests }: FsQuestion,
): Decision {
  if (demands[0]?.also !== "moved" || !policy.hasRules("fs")) return 0;
  const [from] = requests;
  const to = requests.at(-1);
  if (from === undefined || to === undefined) return 0;
  for (const { path } of requests.slice(0, -1)) {
    const moved = to.path + path.slice(from.path.length);
    for (const operation of ["read", "write"] as const) {
      const before: Request = { scope: "fs", operation, path };
      if (!policy.permits(before) && policy.permits({ ...before, path: moved }))
        return denial(before);
    }
  }
  return 0;
}
