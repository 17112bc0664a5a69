/**
 * Owns job control: which process group has the terminal, jobs that stop, and their return to the
 * foreground. Only for a shell whose option `monitor` is on and whose input is a terminal.
 */
import { encodeText } from "./text.js";
import type { Environment } from "./environment.js";
import type { Interpreter } from "./interpreter.js";
import { SIGCONT, SIGINT, SIGTSTP, SIGTTIN, SIGTTOU } from "./signals.js";
import { exitStatus } from "./jobs.js";
import type { Job } from "./jobs.js";
import { ForegroundJob } from "./terminal.js";
import type { JobTerminal, WaitStatus } from "../system.js";
import type { TerminalAttributes } from "../../abi/termios.js";

const terminalFd = 0;

export class JobControl {
  readonly #shell: Interpreter;
  readonly terminal: JobTerminal;
  readonly #ownGroup: number;
  /** As the shell's user has set the terminal. */
  #attributes: TerminalAttributes | undefined;

  private constructor(shell: Interpreter, terminal: JobTerminal) {
    this.#shell = shell;
    this.terminal = terminal;
    this.#ownGroup = terminal.foreground(terminalFd);
    this.#remember();
    for (const signal of [SIGTTIN, SIGTTOU]) shell.system.onSignal(signal, "ignore");
    shell.system.onSignal(SIGTSTP, () => (shell.early = SIGTSTP));
  }

  /** For an interactive shell at a terminal, in whose foreground it is; otherwise undefined. */
  static of(shell: Interpreter): JobControl | undefined {
    const { system } = shell;
    const { terminal } = system;
    if (!shell.interactive || terminal === undefined || !system.isatty(terminalFd))
      return undefined;
    return terminal.foreground(terminalFd) > 0 ? new JobControl(shell, terminal) : undefined;
  }

  #remember(): void {
    const found = this.terminal.attributes(terminalFd);
    if (typeof found !== "number") this.#attributes = found;
  }

  /** Whether a command of `env` is a job of its own or part of one. */
  applies(env: Environment): boolean {
    return env.options.has("monitor") && (!env.isSubshell || env.foregroundJob !== undefined);
  }

  /** A process of the foreground was started in a group of its own: the job's is that of the first. */
  started(job: ForegroundJob, pid: number): void {
    if (job.group === 0) job.group = pid;
    else if (this.terminal.setProcessGroup(pid, job.group) < 0) return;
    this.terminal.setForeground(terminalFd, job.group);
    const signal = this.#shell.interrupted ? SIGINT : this.#shell.early;
    if (signal === 0) return;
    // The key came while the command was being started, and meant it.
    this.#shell.interrupted = false;
    this.#shell.early = 0;
    this.#shell.system.kill(-job.group, signal);
  }

  /** The end of a process; its stops are told to `job`. */
  async untilEnd(pid: number, job: { stopped(signal: number): void }): Promise<WaitStatus> {
    for (;;) {
      const change = await this.terminal.waitForChange(pid);
      if (change.stopSignal === 0) return change;
      job.stopped(change.stopSignal);
    }
  }

  /** The shell has the terminal again. `clean`: what the job made of it stays, as it ended well. */
  #takeBack(clean: boolean): void {
    this.terminal.setForeground(terminalFd, this.#ownGroup);
    if (clean) this.#remember();
    else if (this.#attributes !== undefined) {
      this.terminal.setAttributes(terminalFd, this.#attributes);
    }
  }

  /**
   * Waits for what runs in the foreground. When it stops it becomes a job, and the status says so.
   */
  async foreground(
    env: Environment,
    job: ForegroundJob,
    text: string,
    ended: Promise<WaitStatus>,
  ): Promise<WaitStatus> {
    const stop = job.nextStop();
    const result = await Promise.race([ended, stop]);
    if (job.group === 0) return result as WaitStatus;
    if (typeof result !== "number") {
      this.#takeBack(result.signal === 0);
      // The cursor stands behind ^C.
      if (result.signal === SIGINT) await this.#print(env, "\n");
      return result;
    }
    this.#takeBack(false);
    const stopped = env.jobs.add(job.group, text, ended);
    stopped.foreground = job;
    stopped.stopSignal = result;
    await this.#print(env, `\n${row(stopped, "+")}`);
    return { code: 0, signal: result };
  }

  /** `fg`: the status of the job, or of its next stop. */
  async resume(env: Environment, job: Job): Promise<number> {
    const control = job.foreground;
    this.terminal.setForeground(terminalFd, job.pid);
    const stop = control?.nextStop() ?? new Promise<number>(() => {});
    job.stopSignal = 0;
    this.#shell.system.kill(-job.pid, SIGCONT);
    const result = await Promise.race([job.ended, stop]);
    this.#takeBack(typeof result !== "number" && result.signal === 0);
    if (typeof result === "number") {
      job.stopSignal = result;
      await this.#print(env, `\n${row(job, "+")}`);
      return 128 + result;
    }
    if (result.signal === SIGINT) await this.#print(env, "\n");
    env.jobs.remove(job);
    return exitStatus(result);
  }

  /** Has the stops of a job in the background told before the next prompt. */
  watch(job: Job): void {
    void job.foreground?.nextStop().then((signal) => {
      job.stopSignal = signal;
      job.tellStop = true;
      if (job.status === undefined) this.watch(job);
    });
  }

  /** What has ended or stopped in the background since the last prompt. */
  notify(env: Environment): Promise<void> {
    return notify(this.#shell, env);
  }

  async #print(env: Environment, text: string): Promise<void> {
    await env.descriptors.get(2)?.write(encodeText(text));
  }
}

async function notify(shell: Interpreter, env: Environment): Promise<void> {
  await shell.system.yield();
  const all = [...env.jobs.all()];
  for (const job of all) {
    if (job.status === undefined && !job.tellStop) continue;
    const mark = job === all.at(-1) ? "+" : job === all.at(-2) ? "-" : " ";
    await env.descriptors.get(2)?.write(encodeText(row(job, mark)));
    job.tellStop = false;
    if (job.status !== undefined) env.jobs.remove(job);
  }
}

/** bash tells a `-c` text that has switched `monitor` on of ended jobs whenever it has waited for something. */
export async function notifyAfterWait(shell: Interpreter, env: Environment): Promise<void> {
  if (!shell.bash || shell.interactive || env.isSubshell || !env.fromArgument) return;
  if (env.options.has("monitor") && env.jobs.all().length > 0) await notify(shell, env);
}

function row(job: Job, mark: string): string {
  const state = job.state.replace(/^Done\((\d+)\)$/, "Exit $1");
  return `[${job.id}]${mark}  ${state.padEnd(23)} ${job.text}\n`;
}
