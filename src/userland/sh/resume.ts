/**
 * Owns the passage of an environment and a command to another shell process: the
 * stand-in for fork(). Only data of this user's own shell travels, over a pipe
 * that only the child has; a script that feeds it something else gains nothing
 * that it could not say directly.
 */
import type { Command } from "./ast.js";
import type { Frame } from "./call-stack.js";
import type { Environment, ShellFunction } from "./environment.js";
import type { Interpreter } from "./interpreter.js";
import { eventNames } from "./signals.js";
import type { ResourceLimit } from "../../abi/resources.js";
import type { Variable } from "./variables.js";

interface SavedVariable extends Omit<Variable, "array" | "value"> {
  readonly value?: string | undefined;
  readonly elements?: [string | number, string][] | undefined;
  readonly associative?: boolean | undefined;
}

/** What travels; `restore.ts` makes a shell of it again. */
export interface SavedState {
  readonly bash: boolean;
  readonly variables: [string, SavedVariable][];
  readonly functions: [string, ShellFunction][];
  readonly aliases: [string, string][];
  readonly options: string[];
  readonly shellOptions: string[];
  readonly ignored: string[];
  readonly positional: string[];
  readonly name: string;
  readonly cwd: string;
  readonly umask: number;
  readonly resourceLimits: [number, ResourceLimit][];
  readonly status: number;
  readonly backgroundPid?: number | undefined;
  readonly shellPid: number;
  readonly line: number;
  readonly inFunction: boolean;
  readonly command: Command;
  readonly frame?: Frame | undefined;
  readonly directoryStack: readonly string[];
  readonly traps: [string, string][];
  readonly lastArgument: string;
}

export function saveState(shell: Interpreter, env: Environment, command: Command): string {
  const variables = [...env.variables.entries()].map(
    ([name, { array, ...rest }]): [string, SavedVariable] => [
      name,
      array === undefined
        ? rest
        : { ...rest, elements: array.entries(), associative: array.associative },
    ],
  );
  const state: SavedState = {
    bash: shell.bash,
    variables,
    functions: [...env.functions],
    aliases: [...env.aliases],
    options: env.options.names(),
    shellOptions: [...env.shellOptions],
    ignored: [...env.traps].filter(([, action]) => action === "").map(([signal]) => signal),
    positional: env.positional,
    name: env.name,
    cwd: env.cwd,
    umask: env.umask,
    resourceLimits: [...env.resourceLimits],
    status: env.status,
    backgroundPid: env.backgroundPid,
    shellPid: env.shellPid,
    line: env.line,
    inFunction: env.returnDepth > 0,
    command,
    frame: env.frame,
    directoryStack: env.directoryStack,
    // The clone has those that subshells inherit.
    traps: [...env.traps].filter(([trap]) => eventNames.includes(trap)),
    lastArgument: env.lastArgument,
  };
  return JSON.stringify(state);
}
