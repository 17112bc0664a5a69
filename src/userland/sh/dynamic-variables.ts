/**
 * Owns the variables that bash computes when they are read: one table, from name
 * to what reads and writes it. A script that unsets one makes the name ordinary.
 */
import { ShellArray } from "./arrays.js";
import { evaluateArithmetic } from "./arithmetic.js";
import { sourceOf, stackOf } from "./call-stack.js";
import type { Environment } from "./environment.js";
import type { Interpreter } from "./interpreter.js";
import { bashOptionNames } from "./options.js";
import { arithmeticScope } from "./parameters.js";
import { shoptNames } from "./shell-options.js";

/** Whose variable it is. */
export interface DynamicContext {
  readonly shell: Interpreter;
  readonly env: Environment;
}

export interface DynamicVariable {
  /** `undefined` while there is none, such as FUNCNAME outside of functions. */
  read(
    context: DynamicContext,
  ):
    | { readonly value: string; readonly integer?: boolean; readonly readonly?: boolean }
    | { readonly value: undefined; readonly array: ShellArray }
    | undefined;
  /** Assignments without it have no effect. */
  write?(context: DynamicContext, value: string): void;
}

function scalar(
  read: (context: DynamicContext) => string | undefined,
  write?: DynamicVariable["write"],
): DynamicVariable {
  return {
    read: (context) => {
      const value = read(context);
      return value === undefined ? undefined : { value };
    },
    ...(write && { write }),
  };
}

function list(read: (context: DynamicContext) => readonly string[] | undefined): DynamicVariable {
  return {
    read: (context) => {
      const values = read(context);
      return values && { value: undefined, array: ShellArray.of(values) };
    },
  };
}

function numberOf({ env }: DynamicContext, text: string): number {
  try {
    return Number(BigInt.asUintN(32, evaluateArithmetic(text, arithmeticScope(env, true))));
  } catch {
    return 0;
  }
}

/** bash's generator (lib/sh/random.c): the minimal standard of Park and Miller. */
function nextRandom(seed: number): number {
  const last = seed === 0 ? 123459876 : seed;
  const next = 16807 * (last % 127773) - 2836 * Math.floor(last / 127773);
  return (next < 0 ? next + 0x7fffffff : next) >>> 0;
}

function random({ env }: DynamicContext): string {
  const before = env.random.last;
  let { seed = Math.floor(Math.random() * 0x7fff_ffff) } = env.random;
  let last: number;
  do {
    seed = nextRandom(seed);
    last = ((seed >>> 16) ^ (seed & 0xffff)) & 0x7fff;
  } while (last === before);
  env.random = { seed, last };
  return String(last);
}

function seconds({ shell, env }: DynamicContext): string {
  const passed = Math.floor(shell.system.nowMs() / 1000) - Math.floor(shell.startMs / 1000);
  return String(passed + env.secondsOffset);
}

function setSeconds(context: DynamicContext, text: string): void {
  const { env } = context;
  env.secondsOffset += (numberOf(context, text) | 0) - Number(seconds(context));
}

export const dynamicVariables: ReadonlyMap<string, DynamicVariable> = new Map<
  string,
  DynamicVariable
>([
  ["LINENO", scalar(({ env }) => String(env.line))],
  [
    "RANDOM",
    scalar(random, (context, text) => {
      context.env.random = { seed: numberOf(context, text), last: 0 };
    }),
  ],
  ["SRANDOM", scalar(() => String(Math.floor(Math.random() * 0x1_0000_0000)))],
  ["SECONDS", scalar(seconds, setSeconds)],
  ["EPOCHSECONDS", scalar(({ shell }) => String(Math.floor(shell.system.nowMs() / 1000)))],
  ["EPOCHREALTIME", scalar(({ shell }) => (shell.system.nowMs() / 1000).toFixed(6))],
  ["BASHPID", scalar(({ env, shell }) => String(env.subshellPid ?? shell.system.pid))],
  ["BASH_SUBSHELL", scalar(({ env }) => String(env.subshellDepth))],
  [
    "BASH_COMMAND",
    scalar(({ env }) => {
      return env.commandText?.();
    }),
  ],
  [
    "BASH_ARGV0",
    scalar(
      ({ env }) => env.name,
      ({ env }, value) => {
        env.name = value;
      },
    ),
  ],
  [
    "FUNCNAME",
    list(({ env }) => (env.inFunction ? stackOf(env.frame).map(({ name }) => name) : undefined)),
  ],
  ["BASH_SOURCE", list(({ env }) => stackOf(env.frame).map(sourceOf))],
  ["BASH_LINENO", list(({ env }) => stackOf(env.frame).map(({ line }) => String(line)))],
  ["PIPESTATUS", list(({ env }) => env.pipeStatus.map(String))],
  ["DIRSTACK", list(({ env }) => [env.cwd, ...env.directoryStack])],
  ["GROUPS", list(({ shell }) => [String(shell.system.identity?.gid ?? 0)])],
  [
    "_",
    scalar(
      ({ env }) => env.lastArgument,
      () => {},
    ),
  ],
  [
    "SHELLOPTS",
    {
      read: ({ env }) => {
        const on = bashOptionNames.filter((name) => env.options.has(name));
        return { value: on.join(":"), readonly: true };
      },
    },
  ],
  [
    "BASHOPTS",
    {
      read: ({ env }) => {
        const on = shoptNames.filter((name) => env.shellOptions.has(name));
        return { value: on.join(":"), readonly: true };
      },
    },
  ],
  [
    "BASH_ALIASES",
    { read: ({ env }) => ({ value: undefined, array: new ShellArray(true, env.aliases) }) },
  ],
]);
