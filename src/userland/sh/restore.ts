/** Owns the arrival of what `resume.ts` saved: another shell that goes on where that one was. */
import type { Command } from "./ast.js";
import { ShellError } from "./control.js";
import { Environment } from "./environment.js";
import { Interpreter } from "./interpreter.js";
import { Options } from "./options.js";
import type { SavedState } from "./resume.js";
import type { ShellSystem } from "./system.js";
import { ShellArray } from "./variables.js";

export interface ResumedState {
  readonly shell: Interpreter;
  readonly command: Command;
  readonly env: Environment;
}

/** The descriptors and traps of the environment are the caller's to add. */
export function restoreState(system: ShellSystem, text: string): ResumedState {
  let state: SavedState;
  try {
    state = JSON.parse(text) as SavedState;
  } catch {
    throw new ShellError("bad shell state");
  }
  const shell = new Interpreter(system, state.bash, false);
  const env = new Environment(shell);
  for (const [name, { elements, associative, value, ...rest }] of state.variables) {
    const variable = { ...rest, value };
    env.variables.restore(
      name,
      elements === undefined
        ? variable
        : { ...variable, array: new ShellArray(associative === true, elements) },
    );
  }
  env.functions = new Map(state.functions);
  env.aliases = new Map(state.aliases);
  env.options = new Options(state.options);
  env.shellOptions = new Set(state.shellOptions);
  for (const signal of state.ignored) env.traps.set(signal, "");
  env.positional = state.positional;
  env.name = state.name;
  env.cwd = state.cwd;
  env.umask = state.umask;
  env.resourceLimits = new Map(state.resourceLimits);
  env.status = state.status;
  env.backgroundPid = state.backgroundPid;
  env.shellPid = state.shellPid;
  env.line = state.line;
  env.returnDepth = state.inFunction ? 1 : 0;
  for (const [trap, action] of state.traps) env.traps.set(trap, action);
  env.frame = state.frame;
  env.directoryStack = state.directoryStack;
  env.lastArgument = state.lastArgument;
  env.isSubshell = true;
  env.subshellDepth = 1;
  return { shell, command: state.command, env };
}
