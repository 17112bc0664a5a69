/**
 * Owns the door between a guest's system call and its handler: the fs and
 * process scopes are judged here, before the handler runs.
 *
 * Invariants: a path is judged where it really leads, and when the answer took
 * time it is looked at again before the call runs; a denied call has no effect.
 * Untrusted: every argument.
 */
import { Errno } from "../../abi/errno.js";
import type { fsCalls } from "../../protocol/fs-calls.js";
import { fsLimits } from "../../protocol/fs-calls.js";
import type { guestCalls } from "../../protocol/guest-calls.js";
import type { Request } from "../../protocol/permissions.js";
import type { CallArgs, CallResult } from "../../protocol/table.js";
import { Deferred } from "../io/deferred.js";
import type { Credentials, FileSystem } from "../fs/index.js";
import type { Answer as HandlerAnswer } from "../syscalls/dispatch.js";
import { canonicalPath } from "./canonical-path.js";
import { Denial, afterwards, denial } from "./decision.js";
import type { Decision } from "./decision.js";
import { fsDemands } from "./fs-demands.js";
import type { Demand } from "./fs-demands.js";
import type { Policy } from "./policy.js";

type Calls = typeof guestCalls;
type Name = keyof Calls;
type FsName = keyof typeof fsCalls;
type Answer<K extends Name> = HandlerAnswer<CallResult<Calls, K>>;

/** What the door needs to know of a process. */
export interface Caller {
  readonly pid: number;
  readonly fs: FileSystem;
  readonly credentials: Credentials;
  readonly descriptors: { get(fd: number): object | undefined };
  readonly policy: Policy;
}

/** Entries looked at for one call on a whole tree; more is denied. */
const treeLimit = 20_000;
const detourLimit = 16;
/** How often a path may change while its judgement is awaited. */
const attempts = 3;

/** Where open files were when they were opened, for calls that change them by descriptor. */
const openedAt = new WeakMap<object, string>();

interface Judged {
  requests: Request[];
  /** How the guest called each path. */
  resources: string[];
  /** What of it looks at other processes. */
  inspections: Request[];
}

/** Paths below tell about a process. */
const processPath = /^\/proc\/(\d+)(?:\/|$)/;

/** Requests that the call's demands come to, or why they cannot be told. */
function requestsOf(caller: Caller, demands: readonly Demand[]): Judged | number | Denial {
  const judged: Judged = { requests: [], resources: [], inspections: [] };
  const add = (operation: Demand["operation"], path: string, resource: string, to?: string) => {
    const pid = Number(processPath.exec(path)?.[1] ?? caller.pid);
    if (pid !== caller.pid)
      judged.inspections.push({ scope: "process", operation: "inspect", pid });
    judged.requests.push({ scope: "fs", operation, path, ...(to !== undefined && { to }) });
    judged.resources.push(resource);
  };
  const refuse = ({ operation }: Demand, resource: string): Denial =>
    denial({ scope: "fs", operation, path: resource });
  for (const demand of demands) {
    const { on, operation } = demand;
    if ("fd" in on) {
      const file = caller.descriptors.get(on.fd);
      if (file === undefined) continue;
      const path = openedAt.get(file);
      if (path === undefined) return refuse(demand, `descriptor ${on.fd}`);
      add(operation, path, path);
      continue;
    }
    // No such name exists; the handler says so.
    if (on.path === "") continue;
    if (on.path.includes("\0")) return -Errno.EINVAL;
    if (on.path.length >= fsLimits.pathBytes) return -Errno.ENAMETOOLONG;
    const { fs, credentials } = caller;
    const path = canonicalPath(fs, credentials, on.path, on.follow);
    const resource = on.path.startsWith("/") ? on.path : `${credentials.cwd}/${on.path}`;
    if (path === undefined) return refuse(demand, resource);
    add(operation, path, resource, demand.to);
    if (demand.also === "missing") {
      for (const above of missingAbove(caller, path)) add(operation, above, resource);
      const detours = detoursOf(on.path);
      if (detours === undefined) return refuse(demand, resource);
      for (const detour of detours) {
        const made = canonicalPath(fs, credentials, detour, true);
        if (made === undefined) return refuse(demand, resource);
        for (const above of missingAbove(caller, `${made}/`)) add(operation, above, resource);
      }
    } else if (demand.also === "tree" || demand.also === "moved") {
      const below = entriesBelow(caller, path);
      if (below === undefined) return refuse(demand, resource);
      for (const entry of below) add(operation, entry, entry);
    }
  }
  return judged;
}

/** Directories above `path` that `mkdir -p` would make. */
function missingAbove(caller: Caller, path: string): string[] {
  const root: Credentials = { ...caller.credentials, uid: 0, gid: 0 };
  const missing: string[] = [];
  for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1)) {
    const above = path.slice(0, at);
    if (typeof caller.fs.stat(root, above, true) !== "number") break;
    missing.push(above);
  }
  return missing;
}

/** The beginnings of a path that a ".." leaves again; undefined when there are too many to judge. */
function detoursOf(path: string): string[] | undefined {
  const detours: string[] = [];
  for (const { index } of path.matchAll(/\/\.\.(?=\/|$)/g)) {
    detours.push(path.slice(0, index));
    if (detours.length > detourLimit) return undefined;
  }
  return detours.filter((detour) => detour !== "");
}

/** Every path below a directory, links unfollowed; undefined when there are too many to judge. */
function entriesBelow(caller: Caller, path: string): string[] | undefined {
  const root: Credentials = { ...caller.credentials, uid: 0, gid: 0 };
  const found: string[] = [];
  const todo: string[] = [];
  const enter = (directory: string): boolean => {
    const entries = caller.fs.readdir(root, directory);
    if (typeof entries === "number") return true;
    for (const { name, type } of entries) {
      const entry = `${directory === "/" ? "" : directory}/${name}`;
      found.push(entry);
      if (type === directoryType) todo.push(entry);
    }
    return found.length <= treeLimit;
  };
  // A link is not entered: the call is about its own name.
  if (typeof caller.fs.readlink(root, path) === "string") return found;
  if (!enter(path)) return undefined;
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    if (!enter(next)) return undefined;
  }
  return found;
}

/** DT_DIR of readdir(3). */
const directoryType = 4;

/**
 * A second name must not open what the first one closes: with rules, whatever may be read or
 * written under the new name has to be readable or writable under the old one.
 */
function laundering(caller: Caller, demands: readonly Demand[], judged: Judged): Decision {
  const { policy } = caller;
  if (demands[0]?.also !== "moved" || !policy.hasRules("fs")) return 0;
  const from = judged.requests[0] as { path: string };
  const to = judged.requests.at(-1) as { path: string };
  for (const { path } of judged.requests.slice(0, -1) as { path: string }[]) {
    const moved = to.path + path.slice(from.path.length);
    for (const operation of ["read", "write"] as const) {
      const before: Request = { scope: "fs", operation, path };
      if (!policy.permits(before) && policy.permits({ ...before, path: moved }))
        return denial(before);
    }
  }
  return 0;
}

function samePaths(a: Judged, b: Judged): boolean {
  return (
    a.requests.length === b.requests.length &&
    a.requests.every(
      (request, at) =>
        (request as { path: string }).path === (b.requests[at] as { path: string }).path,
    )
  );
}

/** Judges until the paths judged are the paths there are. */
function judge(
  caller: Caller,
  demands: readonly Demand[],
  done: (decision: Decision | number) => void,
  pending: { onCancel(cleanUp: () => void): void },
  left = attempts,
): void {
  const judged = requestsOf(caller, demands);
  if (typeof judged === "number" || judged instanceof Denial) return done(judged);
  const laundered = laundering(caller, demands, judged);
  if (laundered !== 0) return done(laundered);
  const { policy } = caller;
  const decision = afterwards(policy.judgeAll(judged.requests, judged.resources), () =>
    policy.judgeAll(judged.inspections),
  ) as Decision | Deferred<Decision>;
  if (!(decision instanceof Deferred)) return done(decision);
  pending.onCancel(() => decision.cancel());
  decision.whenSettled((late) => {
    if (late !== 0) return done(late);
    const now = requestsOf(caller, demands);
    if (typeof now === "number" || now instanceof Denial) return done(now);
    if (samePaths(judged, now)) return done(0);
    if (left === 0) return done(denial(judged.requests[0]!, judged.resources[0]));
    judge(caller, demands, done, pending, left - 1);
  });
}

const nothing = new Uint8Array(0);

/** What a denied call answers where an error would be no answer. */
const quiet: { [K in Name]?: () => CallResult<Calls, K> } = {
  moduleStat: () => ({ kind: -Errno.EACCES, near: nothing }),
  readPackage: () => ({ found: false, data: new Uint8Array(0) }),
};

function noteOpened(caller: Caller, name: Name, args: object, result: unknown): void {
  if (name !== "open" && name !== "readFile" && name !== "writeFile") return;
  const { fd } = result as { fd: number };
  const file = fd === -1 ? undefined : caller.descriptors.get(fd);
  const path =
    file &&
    canonicalPath(caller.fs, caller.credentials, (args as unknown as { path: string }).path, true);
  if (file !== undefined && path !== undefined) openedAt.set(file, path);
}

/** Runs `handle` if the policy admits the call, and answers what the guest is to be told. */
export function admit<K extends Name>(
  caller: Caller,
  name: K,
  args: CallArgs<Calls, K>,
  handle: (args: CallArgs<Calls, K>) => Answer<K>,
): Answer<K> {
  const { policy } = caller;
  if (policy.allowsAll("fs") && policy.allowsAll("process")) return handle(args);
  const demand = demandsOf(name, args);
  if (demand === undefined) return handle(args);

  const run = (): Answer<K> => {
    const result = handle(kept);
    // Only the path itself was judged, not its neighbours.
    if (name === "moduleStat" && typeof result === "object" && "near" in result)
      return { ...result, near: nothing } as unknown as Answer<K>;
    if (name === "packageScope")
      return judgeFound(caller, result as Answer<"packageScope">) as Answer<K>;
    if (typeof result === "object" && !(result instanceof Denial) && !(result instanceof Deferred))
      noteOpened(caller, name, args, result);
    return result;
  };
  const refused = (decision: Denial | number): Answer<K> =>
    quiet[name] === undefined ? decision : (quiet[name]() as CallResult<Calls, K>);

  let kept = args;
  let now: Decision | number | undefined;
  const later = new Deferred<CallResult<Calls, K> | Denial>();
  let waiting = false;
  judge(
    caller,
    demand,
    (decision) => {
      if (!waiting) {
        now = decision;
        return;
      }
      later.follow(decision === 0 ? run() : refused(decision));
    },
    later,
  );
  if (now !== undefined) return now === 0 ? run() : refused(now);
  waiting = true;
  // Bytes are views of the frame, which does not last until the answer.
  kept = Object.fromEntries(
    Object.entries(args).map(([key, value]) => [
      key,
      (value as unknown) instanceof Uint8Array
        ? Buffer.from(value as unknown as Uint8Array)
        : value,
    ]),
  ) as CallArgs<Calls, K>;
  return later;
}

function demandsOf<K extends Name>(name: K, args: CallArgs<Calls, K>): Demand[] | undefined {
  if (name === "chdir")
    return [
      { operation: "stat", on: { path: (args as CallArgs<Calls, "chdir">).path, follow: true } },
    ];
  if (name === "packageScope") return [];
  if (name === "spawn") {
    const { cwd, file } = args as unknown as CallArgs<Calls, "spawn">;
    const paths = [cwd, file.includes("/") ? file : ""].filter((path) => path !== "");
    return paths.map((path) => ({ operation: "stat", on: { path, follow: true } }));
  }
  if (!Object.hasOwn(fsDemands, name)) return undefined;
  const row = fsDemands[name as FsName];
  return row === "opened" ? undefined : (row as (args: unknown) => Demand[])(args);
}

/** A package.json that may not be read is as good as none. */
function judgeFound(caller: Caller, result: Answer<"packageScope">): Answer<"packageScope"> {
  if (typeof result === "number" || result instanceof Denial || result instanceof Deferred)
    return result;
  if (result.path === "") return result;
  const none = { path: "", data: new Uint8Array(0) };
  const path = canonicalPath(caller.fs, caller.credentials, result.path, true);
  if (path === undefined) return none;
  const decision = caller.policy.judge({ scope: "fs", operation: "read", path });
  if (!(decision instanceof Deferred)) return decision === 0 ? result : none;
  const later = new Deferred<CallResult<Calls, "packageScope"> | Denial>();
  later.onCancel(() => decision.cancel());
  decision.whenSettled((late) => later.settle(late === 0 ? result : none));
  return later;
}
