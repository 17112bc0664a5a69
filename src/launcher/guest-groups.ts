/**
 * Owns the cgroups of guests: one directory of this process's own below the one that was handed over, in it
 * a group for zygotes and one for each guest, with bounds on memory and tasks that Linux holds.
 *
 *     <handed over>/secure-exec.<pid namespace>.<pid>.<start>/     what all guests may have together
 *         zygotes/                                                  zygotes, templates, guests not placed yet
 *         g<n>/                                                     one guest
 *
 * Invariants: nobody waits for a group: a guest is put into its own while it waits for a program, and one that is
 * not there yet is bounded with all others, and looked at (native-watch.ts). One move at a time: it takes a lock of the whole
 * machine and may wait for an RCU period, on a thread of libuv's. A pid is moved only if it is our zygote's child,
 * before and after. What cannot be had is said in `report`, and ends nobody.
 * Untrusted: nothing is read that a guest can write; no descriptor of it is given to a zygote.
 */
import { mkdirSync, readdirSync, readlinkSync, rmdirSync, writeFileSync } from "node:fs";
import { mkdir, rmdir, writeFile } from "node:fs/promises";
import { totalmem } from "node:os";
import { join } from "node:path";
import type { IsolationReport } from "../protocol/isolation.js";
import { groupDirectoryOf, textAt } from "../sandbox/cgroup.js";

/** What Linux holds a guest to. */
export interface GroupBounds {
  readonly memoryBytes: number;
  /** Threads, and processes where it had any. */
  readonly tasks: number;
}

/** Why Linux ended a process for want of memory: it was over its own bound, or there was none left for more than it. */
export type OutOfMemory = "own" | "shared";

/** A count of memory.events, as Documentation/admin-guide/cgroup-v2.rst names them. */
function eventsOf(directory: string, name: "oom" | "oom_kill"): number {
  const events = textAt(join(directory, "memory.events")) ?? "";
  return Number(new RegExp(`^${name} (\\d+)$`, "m").exec(events)?.[1] ?? 0);
}

/** Of memory that there is, for all guests together: the host and the kernel process go on where they take it. */
const memoryShare = 7 / 8;
/** The same of processes and threads. */
const taskShare = 3 / 4;

/** How long the end of this process waits for guests to be gone. */
const removalMs = 3000;
const removalPauseMs = 5;
/** What a former kernel process left has to be gone by then. */
const secondSweepMs = 1000;

const ownName = /^secure-exec\.(\d+)\.(\d+)\.(\d+)$/;

/** A whole number in a file; Infinity where it says `max`, or nothing. */
function bound(path: string): number {
  const value = Number.parseInt(textAt(path) ?? "", 10);
  return Number.isNaN(value) ? Infinity : value;
}

/** The parent and the start of a process, as proc(5) numbers them; undefined when there is none. */
function identityOf(pid: number): { parent: number; start: string } | undefined {
  const stat = textAt(`/proc/${pid}/stat`);
  if (stat === undefined) return undefined;
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return { parent: Number(fields[1]), start: fields[19] ?? "" };
}

const pidNamespace = (): string => /\d+/.exec(readlinkSync("/proc/self/ns/pid"))?.[0] ?? "0";

function why(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Removes a group and those below it; false when somebody is left in one. */
function remove(directory: string): boolean {
  let names: string[];
  try {
    names = readdirSync(directory, { withFileTypes: true }).flatMap((entry) =>
      entry.isDirectory() ? [entry.name] : [],
    );
  } catch {
    return true;
  }
  const below = names.map((name) => remove(join(directory, name)));
  try {
    if (below.every(Boolean)) rmdirSync(directory);
    return below.every(Boolean);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT";
  }
}

/** Ends everybody in a group, where Linux can (5.14). */
function killAll(directory: string): void {
  try {
    writeFileSync(join(directory, "cgroup.kill"), "1", { flag: "r+" });
  } catch {
    // Its processes end with their parent, by themselves.
  }
}

/** Removes what kernel processes that are gone have left; false when some of it is in use still. */
function sweep(directory: string): boolean {
  const namespace = pidNamespace();
  return readdirSync(directory)
    .map((name) => {
      const [, where, pid, start] = ownName.exec(name) ?? [];
      if (where !== namespace || identityOf(Number(pid))?.start === start) return true;
      killAll(join(directory, name));
      return remove(join(directory, name));
    })
    .every(Boolean);
}

/** What all guests together may have: less than there is. */
function sharedBounds(directory: string): GroupBounds {
  const memory = [
    totalmem(),
    process.constrainedMemory() || Infinity,
    bound(join(directory, "memory.max")),
  ];
  const tasks = [
    bound("/proc/sys/kernel/pid_max"),
    bound("/proc/sys/kernel/threads-max"),
    bound(join(directory, "pids.max")),
  ];
  return {
    memoryBytes: Math.floor(Math.min(...memory) * memoryShare),
    tasks: Math.floor(Math.min(...tasks) * taskShare),
  };
}

const boundFiles = ({ memoryBytes, tasks }: GroupBounds): [string, string][] => [
  ["memory.max", String(memoryBytes)],
  ["pids.max", String(tasks)],
];

/** One guest's. Its steps are taken in turn with those of all others. */
export class GuestGroup {
  readonly #groups: GuestGroups;
  readonly #directory: string;
  readonly #pid: number;
  #bounds: GroupBounds;
  #set: GroupBounds | undefined;
  #over = false;
  #made = false;

  constructor(groups: GuestGroups, directory: string, pid: number, bounds: GroupBounds) {
    this.#groups = groups;
    this.#directory = directory;
    this.#pid = pid;
    this.#bounds = bounds;
  }

  /** Makes the group and puts the guest there, unless it has ended meanwhile. */
  async fill(parent: number): Promise<void> {
    if (this.#over) return;
    await mkdir(this.#directory);
    this.#made = true;
    await this.#hold();
    if (!this.#over) await this.#groups.move(this.#pid, parent, this.#directory);
  }

  async #hold(): Promise<void> {
    const bounds = this.#bounds;
    const before = this.#set === undefined ? [] : boundFiles(this.#set);
    this.#set = bounds;
    for (const [index, [file, value]] of boundFiles(bounds).entries())
      if (before[index]?.[1] !== value) await writeFile(join(this.#directory, file), value);
  }

  /** What its program may have, once that is known. */
  bound(bounds: GroupBounds): void {
    const { memoryBytes, tasks } = this.#bounds;
    if (memoryBytes === bounds.memoryBytes && tasks === bounds.tasks) return;
    this.#bounds = bounds;
    void this.#groups.later(async () => {
      if (this.#made && !this.#over) await this.#hold();
    });
  }

  /** It makes copies of itself now: what they write before they have groups of their own is not its to answer for. */
  leave(parent: number): void {
    void this.#groups.later(async () => {
      if (this.#over) return;
      await this.#groups.move(this.#pid, parent, this.#groups.common);
      await this.#remove();
    });
  }

  /** Its process is gone. */
  ended(): void {
    this.#over = true;
    void this.#groups.later(() => this.#remove());
  }

  async #remove(): Promise<void> {
    if (!this.#made) return;
    this.#made = false;
    await this.#groups.remove(this.#directory);
  }

  /** Whether Linux ended its process for want of memory. Asked before `ended`. */
  get outOfMemory(): OutOfMemory | undefined {
    // What was written before it came here counts there, and so does its end.
    if (!this.#made || eventsOf(this.#directory, "oom_kill") === 0)
      return this.#groups.killedOne ? "shared" : undefined;
    return eventsOf(this.#directory, "oom") > 0 ? "own" : "shared";
  }
}

export class GuestGroups {
  readonly #directory: string;
  readonly #usual: GroupBounds;
  readonly #shared: GroupBounds;
  #queue: Promise<void> = Promise.resolve();
  #next = 1;
  /** Who was ended for want of memory without a group of its own, as far as that was told. */
  #killed = 0;
  /** Groups that could not be removed yet. */
  readonly #left = new Set<string>();
  #problem: string | undefined;
  #closed = false;

  private constructor(directory: string, usual: GroupBounds, shared: GroupBounds) {
    this.#directory = directory;
    this.#usual = usual;
    this.#shared = shared;
  }

  /** Below `directory`; `usual` is what most guests may have. Answers why it cannot be had as text. */
  static open(directory: string, usual: GroupBounds): GuestGroups | string {
    let own: string | undefined;
    try {
      if (!sweep(directory)) setTimeout(() => void sweep(directory), secondSweepMs).unref();
      give(directory);
      const { start } = identityOf(process.pid) ?? { start: "0" };
      own = join(directory, `secure-exec.${pidNamespace()}.${process.pid}.${start}`);
      mkdirSync(own);
      give(own);
      const groups = new GuestGroups(own, usual, sharedBounds(directory));
      for (const [file, value] of boundFiles(groups.#shared)) writeFileSync(join(own, file), value);
      mkdirSync(groups.common);
      process.on("exit", () => groups.close());
      return groups;
    } catch (error) {
      if (own !== undefined) remove(own);
      return why(error);
    }
  }

  /** Where those are that have no group of their own. */
  get common(): string {
    return join(this.#directory, "zygotes");
  }

  get report(): Pick<IsolationReport, "active" | "why"> {
    if (this.#problem !== undefined) return { active: false, why: this.#problem };
    const { memoryBytes, tasks } = this.#shared;
    return {
      active: true,
      why: `v2 at ${this.#directory}: memory and tasks of each guest; ${memoryBytes} bytes and ${tasks} tasks of all together`,
    };
  }

  /** Resolves when the zygote, and so whoever it forks from then on, is there, or cannot be. */
  adopt(pid: number): Promise<void> {
    this.#killed = eventsOf(this.common, "oom_kill");
    return this.later(() => this.move(pid, process.pid, this.common));
  }

  /** Whether Linux has ended one of those without a group of their own, since the last that was told. */
  get killedOne(): boolean {
    if (eventsOf(this.common, "oom_kill") <= this.#killed) return false;
    this.#killed++;
    return true;
  }

  /** A group of its own for a child of `parent`. */
  place(pid: number, parent: number): GuestGroup {
    const directory = join(this.#directory, `g${this.#next++}`);
    const group = new GuestGroup(this, directory, pid, this.#usual);
    void this.later(() => group.fill(parent));
    return group;
  }

  /** Runs one step behind all others. What goes wrong with a process that is gone is nobody's problem. */
  later(step: () => Promise<void>): Promise<void> {
    this.#queue = this.#queue.then(step).catch((error: unknown) => {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "ESRCH" && !this.#closed) this.#problem ??= why(error);
    });
    return this.#queue;
  }

  async move(pid: number, parent: number, directory: string): Promise<void> {
    const before = identityOf(pid);
    if (before?.parent !== parent) return;
    await writeFile(join(directory, "cgroup.procs"), String(pid));
    const after = identityOf(pid);
    if (after === undefined || after.start === before.start) return;
    // It ended, and in that moment somebody else came to have its number: back to where that one was born.
    const home = groupDirectoryOf(after.parent);
    if (home !== undefined) await writeFile(join(home, "cgroup.procs"), String(pid));
  }

  /** Removes a group that is empty, or will be: a copy that its process has made may be there for a moment. */
  async remove(directory: string): Promise<void> {
    this.#left.add(directory);
    for (const former of this.#left) {
      try {
        await rmdir(former);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "EBUSY") continue;
      }
      this.#left.delete(former);
    }
  }

  /** The end of this process: nothing of it stays. */
  close(): void {
    this.#closed = true;
    killAll(this.#directory);
    const clock = new Int32Array(new SharedArrayBuffer(4));
    const deadline = performance.now() + removalMs;
    while (!remove(this.#directory) && performance.now() < deadline)
      Atomics.wait(clock, 0, 0, removalPauseMs);
  }
}

/** Has the groups below a directory bounded. */
function give(directory: string): void {
  writeFileSync(join(directory, "cgroup.subtree_control"), "+memory +pids");
}
