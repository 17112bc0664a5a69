/**
 * Owns pipelines and asynchronous lists. The members of a pipeline are clones of
 * the environment that run at once inside this process; what they start are
 * processes of their own. An asynchronous list is always a process: the command
 * itself if it is one, else another shell that goes on with this one's state.
 */
import { O_RDONLY, S_IFIFO, S_IFMT } from "../../abi/fcntl.js";
import type { Command } from "./ast.js";
import { ShellError } from "./control.js";
import { builtinOf } from "./builtins/builtin.js";
import { RealDescriptor } from "./descriptors.js";
import type { Descriptor } from "./descriptors.js";
import type { Environment } from "./environment.js";
import { errorText } from "./errors.js";
import { expandWords } from "./expansion.js";
import { StartFailure, findCommand, spawn, startCommand } from "./external.js";
import { isQuick, runInTurn } from "./in-turn.js";
import type { Interpreter } from "./interpreter.js";
import { SavedDescriptors, applyRedirections, expandRedirections } from "./redirections.js";
import { SIGSTOP, SIGTTOU } from "./signals.js";
import type { WaitStatus } from "../system.js";
import { ForegroundJob } from "./terminal.js";
import { saveState } from "./resume.js";
import { encodeText } from "./text.js";
import { commandText } from "./unparse.js";

export async function runPipeline(
  shell: Interpreter,
  env: Environment,
  commands: readonly Command[],
  tested: boolean,
): Promise<number> {
  const { system } = shell;
  const before = await runInTurn(shell, env, commands, tested);
  const rest = commands.slice(before.statuses.length);
  // The last member may be this environment itself.
  const inside =
    env.shellOptions.has("lastpipe") && !env.options.has("monitor") && shell.bash
      ? commands.at(-1)
      : undefined;
  const members: { env: Environment; command: Command }[] = [];
  let input: Descriptor | undefined = before.input;
  for (const [index, command] of rest.entries()) {
    if (command === inside) break;
    const member = env.clone();
    members.push({ env: member, command });
    if (input !== undefined) member.descriptors.set(0, input);
    if (index === rest.length - 1) break;
    const pipe = system.pipe();
    if (typeof pipe === "number") {
      for (const started of members) started.env.descriptors.closeAll();
      throw new ShellError(`Pipe call failed: ${errorText(-pipe)}`);
    }
    input = new RealDescriptor(system, pipe[0]);
    member.descriptors.set(1, new RealDescriptor(system, pipe[1]));
    // Held by the next member from its clone on; until then by nobody else.
  }
  if (env.traps.has("DEBUG")) {
    for (const { command } of members) {
      if (env.activeTrap === undefined) env.commandText = () => commandText(command);
      await shell.traps.before(env);
    }
  } else if (shell.bash && env.activeTrap === undefined) {
    env.commandText = () => commandText(commands.at(-1)!);
  }
  const control = shell.jobControl;
  const job = control?.applies(env) === true && !env.isSubshell ? new ForegroundJob() : undefined;
  if (job !== undefined) for (const member of members) member.env.foregroundJob = job;
  const running = members.map((member) =>
    shell.beside.run(() =>
      shell.runSubshell(member.env, () => shell.executeMember(member.env, member.command, tested)),
    ),
  );
  if (inside !== undefined) running.push(runInside(shell, env, inside, input!, tested));
  let statuses: number[];
  if (job === undefined || control === undefined) statuses = await Promise.all(running);
  else {
    const ended = Promise.all(running);
    const text = commands.map(commandText).join(" | ");
    const result = await control.foreground(env, job, text, ended.then(statusOf));
    const isStop = result.signal >= SIGSTOP && result.signal <= SIGTTOU;
    statuses = isStop ? [128 + result.signal] : await ended;
  }
  statuses = [...before.statuses, ...statuses];
  env.pipeStatus = statuses;
  if (env.pendingSignals.length > 0) await shell.traps.run(env);
  const last = statuses.at(-1)!;
  const failed = statuses.findLast((status) => status !== 0) ?? 0;
  env.status = env.options.has("pipefail") ? failed : last;
  return env.status;
}

/** A pipeline's end as that of a process. */
function statusOf(statuses: readonly number[]): WaitStatus {
  const status = statuses.at(-1)!;
  return status > 128 ? { code: 0, signal: status - 128 } : { code: status, signal: 0 };
}

/** `lastpipe`: the last member of a pipeline changes this environment. */
async function runInside(
  shell: Interpreter,
  env: Environment,
  command: Command,
  input: Descriptor,
  tested: boolean,
): Promise<number> {
  const saved = new SavedDescriptors(env);
  saved.save(0);
  env.descriptors.set(0, input);
  try {
    return await shell.execute(env, command, tested);
  } finally {
    saved.restore();
  }
}

/** Starts it and returns 0; `$!` is its pid. */
export async function runBackground(
  shell: Interpreter,
  env: Environment,
  { command, text }: Extract<Command, { kind: "background" }>,
): Promise<number> {
  const clone = env.clone();
  if (!env.options.has("monitor")) {
    const nothing = await shell.system.open("/dev/null", O_RDONLY, 0);
    if (nothing >= 0) clone.descriptors.set(0, new RealDescriptor(shell.system, nothing));
  }
  await startAsynchronous(shell, env, clone, command, text);
  return 0;
}

/** Starts a command in its clone of the environment, as a job; its pid. */
export async function startAsynchronous(
  shell: Interpreter,
  env: Environment,
  clone: Environment,
  command: Command,
  text: string,
): Promise<number> {
  shell.beside.start();
  // What the list ignores and catches is a child's business from here on.
  let pid: number;
  try {
    pid = (await startDirectly(shell, clone, command)) ?? (await startShell(shell, clone, command));
  } finally {
    clone.descriptors.closeAll();
  }
  env.backgroundPid = pid;
  const control = env.options.has("monitor") ? shell.jobControl : undefined;
  const foreground = new ForegroundJob();
  foreground.group = pid;
  const ended = control?.untilEnd(pid, foreground) ?? shell.system.wait(pid);
  const job = env.jobs.add(pid, shell.bash ? commandText(command) : text, ended);
  job.foreground = foreground;
  control?.watch(job);
  if (shell.interactive) await env.descriptors.get(2)?.write(encodeText(`[${job.id}] ${pid}\n`));
  return pid;
}

/** A command in a file needs no shell around it, if expanding its words runs nothing. */
async function startDirectly(
  shell: Interpreter,
  env: Environment,
  command: Command,
): Promise<number | undefined> {
  if (command.kind !== "simple" || command.assignments.length > 0) return undefined;
  const words = [...command.words, ...command.redirections.map(({ target }) => target)];
  const name = command.words[0]?.parts;
  const part = name?.length === 1 ? name[0] : undefined;
  if (!words.every(isQuick) || part?.kind !== "text") return undefined;
  const file = part.text;
  if (env.functions.has(file) || builtinOf(env, file) !== undefined) return undefined;
  if (typeof findCommand(shell, env, file) === "number") return undefined;
  try {
    const argv = await expandWords(shell, env, command.words);
    const redirections = await expandRedirections(shell, env, command.redirections);
    const files = redirections.filter(({ operator }) => !/^<<|^[<>]&$/.test(operator));
    if (files.some(({ target }) => isFifo(shell, env, target))) return undefined;
    (await applyRedirections(shell, env, redirections)).keep();
    return await startCommand(shell, env, argv, { background: true });
  } catch (error) {
    // Another shell will meet the same error, report it and have its status.
    if (error instanceof ShellError) return undefined;
    throw error;
  }
}

/** Opening one may wait, which is a child's to do. */
function isFifo({ system }: Interpreter, env: Environment, target: string): boolean {
  const status = system.stat(env.resolve(target));
  return typeof status !== "number" && (status.mode & S_IFMT) === S_IFIFO;
}

async function startShell(shell: Interpreter, env: Environment, command: Command): Promise<number> {
  const { system } = shell;
  const pipe = system.pipe();
  if (typeof pipe === "number") throw new ShellError(`Cannot fork: ${errorText(-pipe)}`);
  const [readEnd, writeEnd] = pipe;
  const [file, ...args] = system.shellCommand;
  // The lowest number that the list's own descriptors leave free.
  let fd = 3;
  while (env.descriptors.get(fd) !== undefined) fd += 1;
  const argv = [file, ...args, "--resume", String(fd)];
  const pid = await spawn(shell, env, file, argv, true, new Map([[fd, readEnd]]));
  system.close(readEnd);
  if (pid < 0) {
    system.close(writeEnd);
    throw new StartFailure("sh", pid);
  }
  const state = encodeText(saveState(shell, env, command));
  // Whole before anything else happens: as behind a fork(), the shell may stop itself or end at once.
  await system.write(writeEnd, state);
  system.close(writeEnd);
  return pid;
}
