/**
 * Owns the processes of one VM: pids, parents, groups, zombies and who waits.
 *
 * Invariants: pid 1 is the VM's init, which is no process of the OS; a process
 * that has ended stays until its parent has waited for it or has ended itself;
 * pids count up and are not used again; each process is on the account as long as it has a pid.
 */
import { constants } from "node:os";
import { Errno } from "../../abi/errno.js";
import { WaitOptions } from "../../protocol/terminal-calls.js";
import type { Account } from "../machine/account.js";
import { Deferred } from "../io/deferred.js";
import { isOrphaned } from "./job-control.js";
import type { ExitStatus, Process } from "./process.js";

export const initPid = 1;
const firstPid = 2;

const { SIGCONT, SIGHUP } = constants.signals;

/** What `waitState` tells of a child: `state` is the signal that stopped it, SIGCONT, or 0 when it has ended. */
export interface ChildState extends ExitStatus {
  pid: number;
  state: number;
}

type Answer = Deferred<ChildState> | ChildState | number;

export class ProcessTable {
  readonly #byPid = new Map<number, Process>();
  readonly #limit: number;
  readonly #account: Account;
  #nextPid = firstPid;

  constructor(limit: number, account: Account) {
    this.#limit = limit;
    this.#account = account;
  }

  /** Zombies included: they hold a pid. */
  get size(): number {
    return this.#byPid.size;
  }

  get isFull(): boolean {
    return this.#byPid.size >= this.#limit;
  }

  /** Whether one more may be made, with `textBytes` of arguments and environment. */
  hasRoom(textBytes: number): boolean {
    return !this.isFull && this.#account.fits("process", textBytes) && this.#account.fits("guest");
  }

  allocatePid(): number {
    return this.#nextPid++;
  }

  /** Numbers begin anew, as on a machine that has just started; for one without processes. */
  restart(): void {
    if (this.#byPid.size === 0) this.#nextPid = firstPid;
  }

  add(process: Process): void {
    this.#byPid.set(process.pid, process);
    this.#account.force("process", process.textBytes);
  }

  #remove(process: Process): void {
    if (this.#byPid.delete(process.pid)) this.#account.give("process", process.textBytes);
  }

  get(pid: number): Process | undefined {
    return this.#byPid.get(pid);
  }

  values(): Process[] {
    return [...this.#byPid.values()];
  }

  /** Children of `process` go to init; it stays as a zombie when a parent may wait for it. */
  ended(process: Process): void {
    const stopped = this.values().filter((one) => one.ppid === process.pid && one.stopped);
    this.#account.shrink(process.forgetText());
    for (const other of this.#byPid.values()) {
      if (other.ppid !== process.pid) continue;
      other.ppid = initPid;
      if (other.ended) this.#remove(other);
    }
    const parent = this.#byPid.get(process.ppid);
    if (parent === undefined || parent.ended) this.#remove(process);
    for (const { processGroup: group } of stopped.filter(isOrphaned)) {
      // Nobody is left who could continue them; kill_orphaned_pgrp of Linux.
      this.signalGroup(group, SIGHUP);
      this.signalGroup(group, SIGCONT);
    }
  }

  /** wait(2) by `parent` for its child `pid`. */
  wait(parent: Process, pid: number): Deferred<ExitStatus> | ExitStatus | number {
    const child = this.#byPid.get(pid);
    if (child === undefined || child.ppid !== parent.pid) return -Errno.ECHILD;
    const reap = (): ExitStatus => {
      this.#remove(child);
      child.countFor(parent);
      return child.status!;
    };
    if (child.ended) return reap();
    const deferred = new Deferred<ExitStatus>();
    // What its streams had to say comes first; see the end of a flow.
    const ended = (): void => {
      if (!deferred.settled) deferred.settle(reap());
    };
    deferred.onCancel(child.exited.add(() => queueMicrotask(ended)));
    return deferred;
  }

  /**
   * waitpid(2) for children that have ended or, as `options` asks, stopped or gone on. `pid` is one of
   * them, any (-1), those of the caller's group (0) or of a group (negative).
   */
  waitState(parent: Process, pid: number, options: number): Answer {
    const isMine = (child: Process): boolean => {
      if (child.ppid !== parent.pid) return false;
      if (pid > 0) return child.pid === pid;
      return pid === -1 || child.processGroup === (pid === 0 ? parent.processGroup : -pid);
    };
    const attempt = (): ChildState | number => {
      const children = this.values().filter(isMine);
      if (children.length === 0) return -Errno.ECHILD;
      for (const child of children) {
        if (child.ended) {
          this.#remove(child);
          child.countFor(parent);
          return { pid: child.pid, ...child.status!, state: 0 };
        }
        const { unreportedState: state } = child;
        const wanted = state === SIGCONT ? WaitOptions.continued : WaitOptions.stopped;
        if (state === 0 || (options & wanted) === 0) continue;
        child.unreportedState = 0;
        return { pid: child.pid, code: 0, signal: 0, state };
      }
      return (options & WaitOptions.noHang) === 0
        ? -Errno.EAGAIN
        : { pid: 0, code: 0, signal: 0, state: 0 };
    };
    const first = attempt();
    if (first !== -Errno.EAGAIN) return first;
    const deferred = new Deferred<ChildState>();
    let stops: (() => void)[] = [];
    const again = (): void => {
      for (const stop of stops) stop();
      stops = [];
      // What its streams had to say comes first; see the end of a flow.
      queueMicrotask(() => {
        if (deferred.settled) return;
        const result = attempt();
        if (result === -Errno.EAGAIN) listen();
        else deferred.settle(result);
      });
    };
    const listen = (): void => {
      stops = this.values()
        .filter(isMine)
        .flatMap((child) => [child.exited.add(again), child.stateChanged.add(again)]);
    };
    listen();
    deferred.onCancel(() => {
      for (const stop of stops) stop();
    });
    return deferred;
  }

  /** kill(2). `pid` may name one process, a group (negative), the caller's group (0) or all (-1). */
  kill(sender: Process, pid: number, signal: number): number {
    if (signal < 0 || signal > 64) return -Errno.EINVAL;
    const targets = this.targets(sender, pid);
    if (targets.length === 0) return pid === initPid ? -Errno.EPERM : -Errno.ESRCH;
    let result: number = -Errno.ESRCH;
    for (const target of targets) {
      const sent = target.signal(signal, sender.pid);
      if (sent === 0) result = 0;
    }
    return result;
  }

  /** Signals a group in the name of its terminal. */
  signalGroup(group: number, signal: number): void {
    for (const process of this.values())
      if (process.processGroup === group) process.signal(signal, "terminal");
  }

  /** Whom kill(2) means by `pid`. */
  targets(sender: Process, pid: number): Process[] {
    if (pid > 0) {
      const one = this.#byPid.get(pid);
      return one === undefined ? [] : [one];
    }
    const all = this.values();
    if (pid === -1) return all.filter((process) => process !== sender);
    const group = pid === 0 ? sender.processGroup : -pid;
    return all.filter((process) => process.processGroup === group);
  }

  /** setpgid(2) for the caller or a child of it. */
  setProcessGroup(caller: Process, pid: number, group: number): number {
    const target = pid === 0 ? caller : this.#byPid.get(pid);
    if (target === undefined || (target !== caller && target.ppid !== caller.pid))
      return -Errno.ESRCH;
    if (target.session !== caller.session || target.session === target.pid) return -Errno.EPERM;
    const wanted = group === 0 ? target.pid : group;
    const exists = this.values().some(
      (process) => process.processGroup === wanted && process.session === target.session,
    );
    if (wanted !== target.pid && !exists) return -Errno.EPERM;
    target.processGroup = wanted;
    return 0;
  }
}
