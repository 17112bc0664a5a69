/**
 * Owns simple commands (POSIX XCU 2.9.1): expansion, assignments, redirections,
 * and the choice between builtin, function and file.
 */
import type { Assignment, SimpleCommand } from "./ast.js";
import { evaluateArithmetic } from "./arithmetic.js";
import type { Builtin } from "./builtins/builtin.js";
import { BuiltinCall } from "./builtins/builtin.js";
import { builtins } from "./builtins/index.js";
import { Return, ShellError } from "./control.js";
import type { Environment } from "./environment.js";
import { expandText, expandWords } from "./expansion.js";
import { startCommand } from "./external.js";
import type { Interpreter } from "./interpreter.js";
import { exitStatus } from "./jobs.js";
import { arithmeticScope, elementKey } from "./parameters.js";
import { applyRedirections, expandRedirections } from "./redirections.js";
import { becomeCommand } from "./replacement.js";
import type { SavedDescriptors } from "./redirections.js";
import { SIGINT, SIGPIPE, describeSignal } from "./signals.js";
import { encodeText } from "./text.js";
import { ShellArray } from "./variables.js";

export async function runSimple(
  shell: Interpreter,
  env: Environment,
  command: SimpleCommand,
  tested: boolean,
  last = false,
): Promise<number> {
  env.line = command.line;
  env.substitutionStatus = undefined;
  const argv = await expandWords(shell, env, command.words);
  let status: number;
  if (argv.length === 0) status = await assignOnly(shell, env, command);
  else status = await runNamed(shell, env, command, argv, tested, last);
  env.status = status;
  if (env.pendingSignals.length > 0) await shell.traps.run(env);
  return status;
}

async function assignOnly(
  shell: Interpreter,
  env: Environment,
  command: SimpleCommand,
): Promise<number> {
  const { assignments, redirections } = command;
  if (redirections.length > 0) {
    const saved = await redirect(shell, env, command, false);
    if (saved === undefined) return 2;
    saved.restore();
  }
  for (const assignment of assignments) await assign(shell, env, assignment);
  if (env.options.has("xtrace") && assignments.length > 0) {
    await trace(shell, env, assignments, []);
  }
  return env.substitutionStatus ?? 0;
}

async function runNamed(
  shell: Interpreter,
  env: Environment,
  command: SimpleCommand,
  argv: string[],
  tested: boolean,
  last: boolean,
): Promise<number> {
  await shell.breathe();
  const name = argv[0]!;
  const isFunction = env.functions.has(name);
  const builtin = builtins.get(name);
  const special = builtin?.special === true && !(shell.bash && isFunction);
  const { assignments } = command;
  const saved =
    command.redirections.length > 0 ? await redirect(shell, env, command, special) : undefined;
  if (saved === undefined && command.redirections.length > 0) return 2;
  const scoped = assignments.length > 0 && !special;
  if (scoped) env.variables.pushScope();
  try {
    for (const assignment of assignments) {
      if (scoped) env.variables.local(assignment.name);
      await assign(shell, env, assignment);
      if (scoped) env.variables.setAttributes(assignment.name, { exported: true });
    }
    if (env.options.has("xtrace")) await trace(shell, env, assignments, argv);
    const status = await invoke(shell, env, argv, { tested, functions: true, special, last });
    await declareArrays(shell, env, command);
    return status;
  } finally {
    if (scoped) env.variables.popScope();
    if (name === "exec" && argv.length === 1) saved?.keep();
    else saved?.restore();
  }
}

/** `undefined` when it failed and was reported; a special builtin's failure ends the shell. */
async function redirect(
  shell: Interpreter,
  env: Environment,
  command: SimpleCommand,
  special: boolean,
): Promise<SavedDescriptors | undefined> {
  const expanded = await expandRedirections(shell, env, command.redirections);
  try {
    return applyRedirections(shell, env, expanded);
  } catch (error) {
    if (special || !(error instanceof ShellError)) throw error;
    await shell.complain(env, error.message);
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
}

/** Runs a command that has been expanded. */
export async function invoke(
  shell: Interpreter,
  env: Environment,
  argv: readonly string[],
  options: InvokeOptions,
): Promise<number> {
  const name = argv[0]!;
  const builtin = builtins.get(name);
  if (builtin?.special === true && options.special)
    return runBuiltin(shell, env, builtin, argv, options);
  const body = options.functions ? env.functions.get(name) : undefined;
  if (body !== undefined) return callFunction(shell, env, name, argv.slice(1), options.tested);
  if (builtin !== undefined && (shell.bash || !builtin.bashOnly)) {
    return runBuiltin(shell, env, builtin, argv, options);
  }
  return runExternal(shell, env, argv, options);
}

async function runBuiltin(
  shell: Interpreter,
  env: Environment,
  builtin: Builtin,
  argv: readonly string[],
  options: InvokeOptions,
): Promise<number> {
  const call = new BuiltinCall(shell, env, argv[0]!, argv.slice(1), options.tested);
  try {
    return await builtin.run(call);
  } catch (error) {
    // Of `eval` and `.`, the errors are those of the commands inside.
    if (!(error instanceof ShellError) || (builtin.special && options.special)) throw error;
    await shell.complain(env, error.message);
    return error.status;
  }
}

async function callFunction(
  shell: Interpreter,
  env: Environment,
  name: string,
  args: readonly string[],
  tested: boolean,
): Promise<number> {
  const body = env.functions.get(name)!;
  const { positional, loopDepth, getopts } = env;
  env.positional = [...args];
  env.loopDepth = 0;
  env.getopts = { index: 1, offset: 0, optind: undefined };
  env.callDepth += 1;
  env.returnDepth += 1;
  env.variables.pushScope();
  try {
    shell.checkDepth(env);
    return await shell.execute(env, body, tested);
  } catch (end) {
    if (end instanceof Return) return end.status;
    throw end;
  } finally {
    env.variables.popScope();
    env.returnDepth -= 1;
    env.callDepth -= 1;
    env.loopDepth = loopDepth;
    env.getopts = getopts;
    env.positional = positional;
  }
}

async function runExternal(
  shell: Interpreter,
  env: Environment,
  argv: readonly string[],
  { last, searchPath }: InvokeOptions,
): Promise<number> {
  let pid: number;
  try {
    if (last && env.traps.size === 0) return await becomeCommand(shell, env, argv, searchPath);
    pid = await startCommand(shell, env, argv, false, searchPath);
  } catch (error) {
    if (!(error instanceof ShellError)) throw error;
    await shell.complain(env, error.message);
    return error.status;
  }
  const status = await shell.system.wait(pid);
  if (status.signal !== 0 && status.signal !== SIGINT && status.signal !== SIGPIPE) {
    const text = `${describeSignal(status.signal)}\n`;
    if (!env.isSubshell) await env.descriptors.get(2)?.write(encodeText(text));
  }
  return exitStatus(status);
}

// --- assignments -----------------------------------------------------------------------------------

async function assign(shell: Interpreter, env: Environment, assignment: Assignment): Promise<void> {
  const { name, append, value, index } = assignment;
  if (!("parts" in value)) return assignArray(shell, env, assignment);
  const text = await expandText(shell, env, value);
  if (index !== undefined) {
    const key = elementKey(env, name, await expandText(shell, env, index));
    const array = env.variables.array(name);
    array.set(key, append ? (array.get(key) ?? "") + text : text);
    return;
  }
  const old = env.variables.value(name) ?? "";
  if (env.variables.get(name)?.integer === true) {
    const expression = append ? `(${old}) + (${text})` : text;
    env.assign(name, evaluateArithmetic(expression, arithmeticScope(env, true)).toString());
  } else env.assign(name, append ? old + text : text);
}

async function assignArray(
  shell: Interpreter,
  env: Environment,
  { name, append, value }: Assignment,
): Promise<void> {
  if ("parts" in value) return;
  const old = env.variables.get(name)?.array;
  const array = append ? env.variables.array(name) : new ShellArray(old?.associative === true);
  let next = array.nextIndex();
  for (const element of value) {
    if (element.index !== undefined) {
      const text = await expandText(shell, env, element.index);
      const key = array.associative ? text : elementKey(env, name, text);
      array.set(key, await expandText(shell, env, element.value));
      if (!array.associative) next = Number(key) + 1;
    } else {
      for (const field of await expandWords(shell, env, [element.value])) array.set(next++, field);
    }
  }
  if (!append) env.variables.setArray(name, array);
}

/** `declare -a x=(…)`: the builtin saw the name; the elements follow. */
async function declareArrays(
  shell: Interpreter,
  env: Environment,
  command: SimpleCommand,
): Promise<void> {
  for (const { assignment } of command.words) {
    if (assignment !== undefined && !("parts" in assignment.value)) {
      await assignArray(shell, env, assignment);
    }
  }
}

// --- set -x ----------------------------------------------------------------------------------------

async function trace(
  shell: Interpreter,
  env: Environment,
  assignments: readonly Assignment[],
  argv: readonly string[],
): Promise<void> {
  const words = assignments.map(
    ({ name }) => `${name}=${quoteForTrace(env.variables.value(name) ?? "")}`,
  );
  words.push(...argv.map(quoteForTrace));
  const prefix = env.variables.value("PS4") ?? "+ ";
  await env.descriptors.get(2)?.write(encodeText(`${prefix}${words.join(" ")}\n`));
}

function quoteForTrace(text: string): string {
  return /^[\w%+,./:=@^-]+$/.test(text) || text === ""
    ? text
    : `'${text.replaceAll("'", `'"'"'`)}'`;
}
