/**
 * Owns simple commands (POSIX XCU 2.9.1): expansion, assignments, redirections,
 * and the choice between builtin, function and file.
 */
import { ArithmeticError } from "./arithmetic-parser.js";
import type { Assignment, SimpleCommand } from "./ast.js";
import { assign } from "./assignments.js";
import type { Builtin } from "./builtins/builtin.js";
import { BuiltinCall } from "./builtins/builtin.js";
import { builtinOf } from "./builtins/builtin.js";
import { Return, ShellError } from "./control.js";
import type { Environment } from "./environment.js";
import type { Compounds } from "./expansion.js";
import { expandWords } from "./expansion.js";
import { startCommand } from "./external.js";
import { runHere } from "./here.js";
import type { Interpreter } from "./interpreter.js";
import { notifyAfterWait } from "./job-control.js";
import { exitStatus } from "./jobs.js";
import { closeTemporaries } from "./process-substitution.js";
import { RedirectionError, performRedirections } from "./redirections.js";
import { becomeCommand } from "./replacement.js";
import type { SavedDescriptors } from "./redirections.js";
import { SIGINT, SIGPIPE, SIGSTOP, SIGTERM, SIGTTOU, describeSignal } from "./signals.js";
import type { WaitStatus } from "../system.js";
import { ForegroundJob } from "./terminal.js";
import { encodeText } from "./text.js";
import { traceSimple } from "./trace.js";
import { commandText } from "./unparse.js";

export async function runSimple(
  shell: Interpreter,
  env: Environment,
  command: SimpleCommand,
  tested: boolean,
  last = false,
): Promise<number> {
  env.line = command.line;
  env.substitutionStatus = undefined;
  if (shell.bash && env.activeTrap === undefined) env.commandText = () => commandText(command);
  if (env.traps.has("DEBUG") && (await shell.traps.before(env))) return env.status;
  const mark = env.temporaryDescriptors.length;
  let status: number;
  try {
    const compounds: Compounds = new Map();
    const argv = await expandWords(shell, env, command.words, compounds);
    if (argv.length === 0) status = await assignOnly(shell, env, command);
    else status = await runNamed(shell, env, command, argv, { compounds, tested, last });
    if (env.killed !== undefined) await tellKilled(shell, env, commandText(command));
    env.lastArgument = argv.at(-1) ?? "";
  } finally {
    if (env.temporaryDescriptors.length > mark) closeTemporaries(env, mark);
  }
  env.status = status;
  env.pipeStatus = [status];
  if (env.pendingSignals.length > 0) await shell.traps.run(env);
  return status;
}

/** The status of a command whose redirections failed. */
function redirectionStatus({ bash }: Interpreter): number {
  return bash ? 1 : 2;
}

async function assignOnly(
  shell: Interpreter,
  env: Environment,
  command: SimpleCommand,
): Promise<number> {
  const { assignments, redirections } = command;
  if (redirections.length > 0) {
    // Numbers that the shell chooses would stay open: bash makes them in a subshell.
    const named = redirections.some(({ fdVariable }) => fdVariable !== undefined);
    const where = named ? env.clone() : env;
    const saved = await redirect(shell, where, command, false);
    saved?.restore();
    if (named) where.descriptors.closeAll();
    if (saved === undefined) return redirectionStatus(shell);
  }
  for (const assignment of assignments) await assign(shell, env, assignment);
  if (env.options.has("xtrace") && assignments.length > 0) {
    await traceSimple(shell, env, assignments, []);
  }
  return env.substitutionStatus ?? 0;
}

interface NamedOptions {
  readonly compounds: Compounds;
  readonly tested: boolean;
  readonly last: boolean;
}

async function runNamed(
  shell: Interpreter,
  env: Environment,
  command: SimpleCommand,
  argv: string[],
  { compounds, tested, last }: NamedOptions,
): Promise<number> {
  await shell.breathe();
  const name = argv[0]!;
  const isFunction = env.functions.has(name);
  const special = builtinOf(env, name)?.special === true && !(shell.bash && isFunction);
  const { assignments } = command;
  // Seen where the command's own redirections do not lead; assignments are shown with their values.
  const traces = env.options.has("xtrace");
  if (traces && assignments.length === 0) await traceSimple(shell, env, assignments, argv);
  const saved =
    command.redirections.length > 0 ? await redirect(shell, env, command, special) : undefined;
  if (saved === undefined && command.redirections.length > 0) return redirectionStatus(shell);
  const scoped = assignments.length > 0 && (!special || shell.bash);
  if (scoped) env.variables.pushScope(false);
  try {
    if (assignments.length > 0) await assignBefore(shell, env, assignments, scoped);
    if (traces && assignments.length > 0) await traceSimple(shell, env, assignments, argv);
    return await invoke(shell, env, argv, { tested, functions: true, special, last, compounds });
  } finally {
    if (scoped) env.variables.popScope();
    if (keepsDescriptors(argv)) saved?.keep();
    else saved?.restore();
  }
}

/** `exec` without a command: the redirections are the shell's from then on. */
function keepsDescriptors(argv: readonly string[]): boolean {
  return argv[0] === "exec" && (argv.length === 1 || (argv.length === 2 && argv[1] === "--"));
}

async function assignBefore(
  shell: Interpreter,
  env: Environment,
  assignments: readonly Assignment[],
  scoped: boolean,
): Promise<void> {
  for (const assignment of assignments) {
    if (scoped) env.variables.local(assignment.name);
    await assign(shell, env, assignment);
    if (scoped) env.variables.setAttributes(assignment.name, { exported: true });
  }
}

/** `undefined` when it failed and was reported; in dash a special builtin's failure ends the shell. */
async function redirect(
  shell: Interpreter,
  env: Environment,
  command: SimpleCommand,
  special: boolean,
): Promise<SavedDescriptors | undefined> {
  try {
    return await performRedirections(shell, env, command.redirections);
  } catch (error) {
    if (!(error instanceof RedirectionError) || (special && !shell.bash)) throw error;
    if (!error.told) await shell.complain(env, error.messageFor(shell.bash));
    return undefined;
  }
}

export interface InvokeOptions {
  readonly tested: boolean;
  /** False: `command` and `builtin` pass functions by. */
  readonly functions: boolean;
  /** Whether errors of a special builtin end the shell. */
  readonly special: boolean;
  readonly searchPath?: string | undefined;
  /** Nothing comes after it: a command in a file may take the shell's place. */
  readonly last?: boolean;
  /** Arrays among the words. */
  readonly compounds?: Compounds;
}

/** Runs a command that has been expanded. */
export async function invoke(
  shell: Interpreter,
  env: Environment,
  argv: readonly string[],
  options: InvokeOptions,
): Promise<number> {
  const name = argv[0]!;
  const builtin = builtinOf(env, name);
  if (builtin?.special === true && options.special)
    return runBuiltin(shell, env, builtin, argv, options);
  if (options.functions && env.functions.has(name)) {
    return callFunction(shell, env, name, argv.slice(1), options.tested);
  }
  if (builtin !== undefined) return runBuiltin(shell, env, builtin, argv, options);
  return runExternal(shell, env, argv, options);
}

async function runBuiltin(
  shell: Interpreter,
  env: Environment,
  builtin: Builtin,
  argv: readonly string[],
  options: InvokeOptions,
): Promise<number> {
  const { compounds = new Map(), tested } = options;
  const call = new BuiltinCall(shell, env, argv[0]!, argv.slice(1), tested, compounds);
  try {
    return await builtin.run(call);
  } catch (error) {
    // Of `eval` and `.`, the errors are those of the commands inside.
    if (!(error instanceof ShellError)) throw error;
    if (builtin.special && options.special && !shell.bash) throw error;
    if (error.bash.ends !== undefined && shell.bash) throw error;
    const name = error instanceof ArithmeticError && shell.bash ? `${argv[0]}: ` : "";
    await shell.complain(env, name + error.messageFor(shell.bash));
    return error.statusFor(shell.bash);
  }
}

export async function callFunction(
  shell: Interpreter,
  env: Environment,
  name: string,
  args: readonly string[],
  tested: boolean,
): Promise<number> {
  const { body, source, traced } = env.functions.get(name)!;
  const { positional, line, loopDepth, getopts, frame, localOptions } = env;
  env.positional = [...args];
  env.loopDepth = 0;
  env.getopts = { index: 1, offset: 0, optind: undefined };
  env.callDepth += 1;
  env.returnDepth += 1;
  env.frame = { name, source, line, isFunction: true, outer: frame };
  env.localOptions = undefined;
  const restoreTraps = env.suspendTraps(traced === true);
  env.variables.pushScope(true);
  try {
    shell.checkDepth(env);
    const status = await functionStatus(shell, env, () => shell.execute(env, body, tested));
    if (env.traps.has("RETURN")) await shell.traps.event(env, "RETURN");
    // What is said of the call's own status is said of its line.
    if (shell.bash) env.line = line;
    return status;
  } catch (error) {
    if (error instanceof ShellError) error.source ??= source;
    throw error;
  } finally {
    env.variables.popScope();
    restoreTraps();
    if (env.localOptions !== undefined) env.options = env.localOptions;
    env.localOptions = localOptions;
    env.frame = frame;
    env.returnDepth -= 1;
    env.callDepth -= 1;
    env.loopDepth = loopDepth;
    env.getopts = getopts;
    env.positional = positional;
  }
}

async function functionStatus(
  shell: Interpreter,
  env: Environment,
  run: () => Promise<number>,
): Promise<number> {
  const limit = shell.bash ? Number(env.variables.value("FUNCNEST") ?? 0) : 0;
  if (limit > 0 && env.returnDepth > limit) {
    throw new ShellError(`${env.frame?.name}: maximum function nesting level exceeded (${limit})`);
  }
  try {
    return await run();
  } catch (end) {
    if (end instanceof Return) return end.status;
    throw end;
  }
}

/** Its end, or its stop when it is a job in the foreground: then the signal that stopped it. */
function waitForCommand(
  shell: Interpreter,
  env: Environment,
  job: ForegroundJob | undefined,
  pid: number,
  text: string,
): Promise<WaitStatus> {
  const control = shell.jobControl;
  if (job === undefined || control === undefined) return shell.system.wait(pid);
  const ended = control.untilEnd(pid, job);
  // A member's stop is the pipeline's, which waits for it.
  return env.isSubshell ? ended : control.foreground(env, job, text, ended);
}

async function runExternal(
  shell: Interpreter,
  env: Environment,
  argv: readonly string[],
  { last, searchPath, tested }: InvokeOptions,
): Promise<number> {
  const here = await runHere(shell, env, argv, searchPath);
  if (here !== undefined) return here;
  env.turn?.end();
  let pid: number;
  // A pipeline's members are part of its job; a command alone is one of its own.
  const control = shell.jobControl?.applies(env) === true ? shell.jobControl : undefined;
  const own = control !== undefined && env.foregroundJob === undefined;
  const job = control === undefined ? undefined : (env.foregroundJob ?? new ForegroundJob());
  const text = argv.join(" ");
  if (own) env.foregroundJob = job;
  try {
    if (last && env.traps.size === 0 && !shell.beside.hasOutliving) {
      return await becomeCommand(shell, env, argv, { searchPath });
    }
    pid = await startCommand(shell, env, argv, { searchPath });
  } catch (error) {
    if (!(error instanceof ShellError)) throw error;
    const handler = "command_not_found_handle";
    if (
      shell.bash &&
      error.status === 127 &&
      env.functions.has(handler) &&
      !argv[0]!.includes("/")
    ) {
      return callFunction(shell, env, handler, argv, tested);
    }
    await shell.complain(env, error.messageFor(shell.bash));
    return error.statusFor(shell.bash);
  } finally {
    if (own) env.foregroundJob = undefined;
  }
  const status = await waitForCommand(shell, env, job, pid, text);
  await notifyAfterWait(shell, env);
  const isStop = own && status.signal >= SIGSTOP && status.signal <= SIGTTOU;
  if (status.signal !== 0 && status.signal !== SIGINT && status.signal !== SIGPIPE && !isStop) {
    if (shell.bash && !shell.interactive) {
      // Told by who started it, when the command's redirections are over.
      if (!unspoken.has(status.signal)) env.killed = { pid, signal: status.signal };
    } else if (!env.isSubshell)
      await env.descriptors.get(2)?.write(encodeText(`${describeSignal(status.signal)}\n`));
  }
  return exitStatus(status);
}

/** Of these bash says nothing. */
const unspoken: ReadonlySet<number> = new Set([SIGINT, SIGPIPE, SIGTERM]);

/** Room for the longest name of a signal; LONGEST_SIGNAL_DESC of bash. */
const signalColumns = 24;

/** The same of a subshell, which has no process. */
export async function tellSubshellKilled(
  shell: Interpreter,
  env: Environment,
  { killedBy, subshellPid = 0 }: Environment,
  text: string,
): Promise<void> {
  if (!shell.bash || shell.interactive || unspoken.has(killedBy)) return;
  env.killed = { pid: subshellPid, signal: killedBy };
  await tellKilled(shell, env, text);
}

/** What bash says of a command that a signal has ended, and what it was. */
async function tellKilled(shell: Interpreter, env: Environment, text: string): Promise<void> {
  const { killed } = env;
  env.killed = undefined;
  if (killed === undefined) return;
  const pid = String(killed.pid).padStart(5);
  const name = describeSignal(killed.signal).padEnd(signalColumns);
  await shell.complain(env, `${pid} ${name}${text}`);
}
