/**
 * Owns the asynchronous lists of one environment. A subshell starts with none:
 * only a parent can wait for its children.
 */
import type { ForegroundJob } from "./terminal.js";
import type { WaitStatus } from "../system.js";
import { describeSignal } from "./signals.js";

export class Job {
  status: WaitStatus | undefined;
  /** Its end has been told to the script; its number may go to another. */
  waited = false;
  /** Told once `wait` has seen its end: a coprocess gives up its names then. */
  whenWaited: (() => void) | undefined;
  /** What may bring it back to the foreground. */
  foreground: ForegroundJob | undefined;
  /** A stop of which the user has not been told. */
  tellStop = false;
  /** The signal that has stopped it, or 0. */
  stopSignal = 0;

  constructor(
    readonly id: number,
    readonly pid: number,
    /** The command as it was written. */
    readonly text: string,
    readonly ended: Promise<WaitStatus>,
  ) {}

  get state(): string {
    const { status } = this;
    if (status === undefined)
      return this.stopSignal === 0 ? "Running" : describeSignal(this.stopSignal);
    if (status.signal !== 0) return describeSignal(status.signal);
    return status.code === 0 ? "Done" : `Done(${status.code})`;
  }
}

export function exitStatus(status: WaitStatus): number {
  return status.signal === 0 ? status.code : 128 + status.signal;
}

export class JobTable {
  readonly #jobs: Job[] = [];
  #hidden: readonly Job[] = [];

  /** In bash a subshell still sees its parent's jobs, though it cannot wait for them. */
  forSubshell(shows: boolean): JobTable {
    const table = new JobTable();
    if (shows) table.#jobs.push(...this.#jobs);
    return table;
  }

  add(pid: number, text: string, ended: Promise<WaitStatus>): Job {
    for (const job of this.#jobs.filter((one) => one.waited && one.status !== undefined)) {
      this.remove(job);
    }
    const taken = new Set(this.#jobs.map(({ id }) => id));
    let id = 1;
    while (taken.has(id)) id += 1;
    const job = new Job(id, pid, text, ended);
    void ended.then((status) => (job.status = status));
    this.#jobs.push(job);
    return job;
  }

  /** A process substitution: `wait` knows its number, `jobs` does not show it. */
  addHidden(pid: number, ended: Promise<WaitStatus>): void {
    const job = new Job(0, pid, "", ended);
    void ended.then((status) => (job.status = status));
    this.#hidden = [job, ...this.#hidden.slice(0, 15)];
  }

  /** Forgets a job whose end has been told. */
  remove(job: Job): void {
    const index = this.#jobs.indexOf(job);
    if (index >= 0) this.#jobs.splice(index, 1);
  }

  /** The job is no longer listed, and can still be waited for. */
  disown(job: Job): void {
    this.remove(job);
    this.addHidden(job.pid, job.ended);
  }

  clear(): void {
    this.#jobs.length = 0;
  }

  all(): readonly Job[] {
    return this.#jobs;
  }

  /** `%n`, `%%`, `%+`, `%-`, `%text`, `%?text`, or a pid. */
  find(text: string): Job | undefined {
    if (!text.startsWith("%")) {
      const pid = /^\d+$/.test(text) ? Number(text) : -1;
      return [...this.#jobs, ...this.#hidden].find((job) => job.pid === pid);
    }
    const name = text.slice(1);
    if (name === "" || name === "%" || name === "+") return this.current();
    if (name === "-") return this.#jobs.at(-2) ?? this.current();
    if (/^\d+$/.test(name)) return this.#jobs.find((job) => job.id === Number(name));
    if (name.startsWith("?")) return this.#jobs.find((job) => job.text.includes(name.slice(1)));
    return this.#jobs.find((job) => job.text.startsWith(name));
  }

  current(): Job | undefined {
    return this.#jobs.at(-1);
  }
}
