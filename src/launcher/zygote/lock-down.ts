/**
 * Owns the order of the outer wall's installation. What can be done once is done
 * in the zygote; the rest in each child, before it reads the first byte that a
 * guest could have chosen. A required step that fails ends the process; of the
 * others it is noted why they are not there.
 */
import { Errno } from "../../abi/errno.js";
import { isolationLayers } from "../../protocol/isolation.js";
import type { IsolationLayer, IsolationReport } from "../../protocol/isolation.js";
import { dropCapabilities } from "../../sandbox/capabilities.js";
import { engineFiles, fillEngineRoot, filesInRoot } from "../../sandbox/engine-root.js";
import type { EngineFiles } from "../../sandbox/engine-root.js";
import { canLoadImages, installImageLoader } from "../../sandbox/image-loader.js";
import { landlockEverything } from "../../sandbox/landlock.js";
import * as libc from "../../sandbox/libc.js";
import {
  mapOwnIds,
  otherNamespaces,
  replaceRoot,
  startFirstProcess,
  unshare,
} from "../../sandbox/namespaces.js";
import type { OtherNamespace } from "../../sandbox/namespaces.js";
import { applyFixedRlimits, dataBytes, limitData, openStatus } from "../../sandbox/rlimits.js";
import {
  buildStage2,
  buildTemplateStage2,
  buildZygoteFilter,
  install,
  installQuestions,
  prepareStage2,
} from "../../sandbox/seccomp.js";
import { prepareSiblings } from "../../sandbox/sibling.js";
import { attemptAll, selfTest } from "../../sandbox/self-test.js";
import type { Reap } from "../../sandbox/self-test.js";
import { endOtherThreads } from "../../sandbox/threads.js";
import { IsolationUnavailable } from "../../sandbox/unavailable.js";
import { guestMemoryBytes } from "./control.js";

/** The overflow uid and gid, which own nothing; Documentation/admin-guide/sysctl/fs.rst. */
const nobody = 65534;
/** Each zygote that root starts gets an id of its own from here on; nobody else's should be that high. */
const firstOwnId = 0x6000_0000;
/** A range of descriptors that holds none. */
const noDescriptor = 0xffff_ffff;
/** The OOM killer's strongest preference. */
const oomScore = 1000;

function must(step: string, result: number): void {
  if (result < 0) throw new IsolationUnavailable(step, `errno ${-result}`);
}

/** What the zygote has in use, which a guest's budget comes on top of. */
let baseBytes = 0;
/** Its own /proc/self/status. */
let status = -1;
/** Whether a guest could make a copy of itself. */
let siblings = false;

/**
 * What a guest of a zygote that is not warm has to collect its garbage in. Its young generation is what the last step left,
 * small or full, where a warm zygote's is empty and whole; V8 ends a process at its limit that has no room to collect.
 */
const collectingBytes = 6 * 1024 * 1024;

/** In the zygote, whenever it has grown. */
export function measureBase(warm: boolean): void {
  baseBytes = dataBytes(status) + (warm ? 0 : collectingBytes);
}

/** What became of each layer. */
class Layers {
  readonly #reports = new Map<IsolationLayer, IsolationReport>();

  note(layer: IsolationLayer, active: boolean, why: string): void {
    this.#reports.set(layer, { layer, active, why });
  }

  has(layer: IsolationLayer): boolean {
    return this.#reports.get(layer)?.active === true;
  }

  get all(): IsolationReport[] {
    return isolationLayers.flatMap((layer) => this.#reports.get(layer) ?? []);
  }
}

const contents: Readonly<Record<OtherNamespace, string>> = {
  mountns: "its root is empty and read-only",
  pidns: "guests see no process but guests",
  netns: "no network device, no abstract socket of the host",
  ipcns: "no System V or POSIX queue of the host",
  utsns: "a host name of its own",
};

/** What a process has for its guests in place of the host's files. */
interface Root {
  /** Fills it, as for `replaceRoot`. */
  readonly fill?: Parameters<typeof replaceRoot>[0];
  readonly holds: string;
}
const nothing: Root = { holds: contents.mountns };

/** Enters those namespaces that are missing. Needs root's rights or those in a user namespace of our own. */
function enterNamespaces(layers: Layers, root: Root): void {
  for (const name of otherNamespaces) {
    if (layers.has(name)) continue;
    // Its first process must be able to let go of this one's descriptors.
    const able = name === "pidns" ? libc.closeRange(noDescriptor, noDescriptor) : 0;
    if (able < 0) {
      layers.note(name, false, `close_range: errno ${-able}`);
      continue;
    }
    const result = unshare(name);
    const failed =
      result < 0
        ? `unshare: errno ${-result}`
        : name === "mountns"
          ? replaceRoot(root.fill)
          : undefined;
    const holds = name === "mountns" ? root.holds : contents[name];
    layers.note(name, failed === undefined, failed ?? holds);
  }
}

/** Gives up root, if this is root, and whatever the host has beside this process's own descriptors. */
function leaveHost(layers: Layers, root = nothing): void {
  const busy = endOtherThreads();
  const [uid, gid] = [libc.geteuid(), libc.getegid()];
  if (uid === 0) enterNamespaces(layers, root);
  if (uid === 0) dropRoot(layers);
  else layers.note("uid", false, `started by uid ${uid}, not by root`);
  const alone = unshare("userns");
  const why = busy ?? `unshare: errno ${-alone}`;
  const needsIds = root.fill !== undefined && !layers.has("mountns");
  layers.note("userns", alone === 0, alone === 0 ? "in which nobody is mapped" : why);
  if (alone === 0 && needsIds && mapOwnIds(uid, gid) === 0)
    layers.note("userns", true, "in which only its own ids are mapped");
  if (alone === 0) enterNamespaces(layers, root);
  must("chdir", libc.chdir("/"));
  must("capset", dropCapabilities());
}

/** Takes an id of its own, or nobody's where the machine has no such id. */
function dropRoot(layers: Layers): void {
  const groups = libc.setgroups([]);
  if (groups < 0) {
    // Root in name only: without the right to change ids there is little else to give up.
    layers.note("uid", false, `setgroups: errno ${-groups}`);
    return;
  }
  const own = firstOwnId + libc.getpid();
  const id = libc.setresgid(own, own, own) === 0 ? own : nobody;
  if (id === nobody) must("setresgid", libc.setresgid(nobody, nobody, nobody));
  if (libc.setresuid(id, id, id) < 0) must("setresuid", libc.setresuid(nobody, nobody, nobody));
  layers.note("uid", true, `uid ${libc.geteuid()}, no groups`);
}

export interface Prepared {
  layers: IsolationReport[];
  /** The first process of the guests' PID namespace, a child of the kernel process; 0 without one. */
  firstPid: number;
  /** Its lifeline, or -1. */
  lifeline: number;
  /** Takes the end of the child that has proven the lock-down: before there is any other. */
  reap: Reap;
}

export interface LockDownOptions {
  /** Budget for heap, buffers and WebAssembly together, on top of what the zygote has. */
  memoryBytes: number;
  /** What the zygote may raise it to afterwards; nothing in the guest can. */
  mostMemoryBytes: number;
  /** Whether the guest may load native addons. */
  addons?: boolean;
}

/** What every process that serves has for itself and those that it makes. */
function confine(layers: Layers, root?: Root): void {
  const oom = libc.setOomScoreAdj(oomScore);
  layers.note("oomScore", oom === 0, oom === 0 ? "guests go first" : `errno ${-oom}`);
  leaveHost(layers, root);
  must("no_new_privs", libc.setNoNewPrivs());
  layers.note("noNewPrivs", true, "nothing executed gains a right");
  must("dumpable", libc.setDumpable(false));
  layers.note("nonDumpable", true, "closed to others of the same user");
  must("pdeathsig", libc.setParentDeathSignal(libc.SIGKILL));
}

function firstProcess(layers: Layers): Pick<Prepared, "firstPid" | "lifeline"> {
  const first = layers.has("pidns") ? startFirstProcess() : undefined;
  if (typeof first === "number") throw new IsolationUnavailable("pidns", `clone: errno ${-first}`);
  return { firstPid: first?.pid ?? 0, lifeline: first?.lifeline ?? -1 };
}

/**
 * In the zygote, once it needs no file any more: leaves the host, sets what every child inherits and
 * proves that a guest will be locked in. Throws otherwise.
 */
export function prepareLockDown(options: LockDownOptions): Prepared {
  const layers = new Layers();
  status = openStatus();
  confine(layers);
  const landlock = landlockEverything();
  if (typeof landlock === "string") layers.note("landlock", false, landlock);
  else layers.note("landlock", true, `ABI ${landlock.abi}: ${landlock.covers}`);
  prepareStage2();
  siblings = prepareSiblings();
  applyFixedRlimits();
  layers.note("rlimits", true, "memory, CPU time, descriptors, files, locks, queues");
  measureBase(false);
  install(buildZygoteFilter());
  const first = firstProcess(layers);
  layers.note("zygoteSeccomp", true, "forks, waits, kills; opens, connects and executes nothing");
  const proven = selfTest(() => lockDown(options));
  // Beside the proof.
  if (canLoadImages) prepareStage2("compat", true);
  const reap = proven();
  layers.note("seccomp", true, "default deny, proven by a process that tried");
  return { layers: layers.all, ...first, reap };
}

/** As `prepareLockDown` for a process whose children execute engines of their own; answers what those see of files. */
export function prepareStarter(): { prepared: Prepared; files: EngineFiles } {
  const layers = new Layers();
  const files = engineFiles();
  status = openStatus();
  measureBase(true);
  const holds = "its root holds the engine and its libraries, read-only";
  confine(layers, { fill: (bind) => fillEngineRoot(files, bind), holds });
  const abi = libc.landlockAbi();
  const why = abi > 0 ? `ABI ${abi}: but the engine's own files` : `errno ${-abi}`;
  layers.note("landlock", abi > 0, why);
  applyFixedRlimits();
  layers.note("rlimits", true, "as a forked guest's");
  const first = firstProcess(layers);
  const lockGuestDown = (): void =>
    lockDown({ memoryBytes: guestMemoryBytes, mostMemoryBytes: guestMemoryBytes });
  const reap = selfTest(lockGuestDown)();
  layers.note("seccomp", true, "on every thread, tried by each engine itself");
  const prepared = { layers: layers.all, ...first, reap };
  return { prepared, files: layers.has("mountns") ? filesInRoot(files) : files };
}

/** In the child. Afterwards only memory, threads, clocks and the guest's socket are left. */
export function lockDown(options: LockDownOptions): void {
  limit(options);
  const { addons = false } = options;
  install(buildStage2({ pid: libc.getpid(), addons }));
  // The zygote's proof is of guests without.
  if (addons) proveByTrying();
}

function proveByTrying(): void {
  const failed = attemptAll();
  if (failed !== undefined) throw new IsolationUnavailable("seccomp", failed);
}

/** What is done before the filter is there. */
function limit({ memoryBytes, mostMemoryBytes, addons = false }: LockDownOptions): void {
  limitData(memoryBytes, baseBytes, mostMemoryBytes);
  if (addons) installImageLoader();
}

/**
 * In an engine of a guest's own, on all of its threads. `statusFd` is its /proc/self/status, which is
 * closed; the budget comes on top of what it has in use now. Proves the lock-down by trying.
 */
export function lockDownEngine(memoryBytes: number, addons: boolean, statusFd: number): void {
  prepareStage2("compat", addons);
  baseBytes = dataBytes(statusFd);
  libc.close(statusFd);
  lockDown({ memoryBytes, mostMemoryBytes: memoryBytes, addons });
  if (!addons) proveByTrying();
}

/**
 * The same for a guest that may become a template, which is asked about its forks: over `handover` goes the
 * listener of its questions, or the reason why there is none, as text.
 */
export function lockDownTemplate(options: LockDownOptions, handover: number): void {
  limit(options);
  const listener = siblings ? installQuestions() : -Errno.ENOSYS;
  const why = listener < 0 ? `seccomp user notification: errno ${-listener}` : "";
  libc.sendFds(handover, Buffer.from(`${why}\n`), listener < 0 ? [] : [listener]);
  if (listener >= 0) libc.close(listener);
  libc.close(handover);
  install(buildTemplateStage2(options.addons));
}
