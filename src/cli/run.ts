/**
 * Owns `secure-exec run` and `secure-exec exec`: one program, or one command, in a fresh machine.
 *
 * Invariant: of the file's host path only the last part enters the machine, or with --project what is
 * below the project.
 * Untrusted: the program.
 */
import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { buffer } from "node:stream/consumers";
import { jsonLines } from "../sdk/audit.js";
import type { NodeRuntimeExecOptions, NodeRuntimeSpawnOptions } from "../sdk/option-types.js";
import type { NodeRuntimeProcess } from "../sdk/process.js";
import type { NodeRuntime } from "../sdk/runtime.js";
import type { NodeRuntimeRunResult } from "../sdk/results.js";
import type { NodeRuntimeEnd } from "../sdk/usage.js";
import { durationOf, UsageError } from "./arguments.js";
import type { Arguments, Flag, Given } from "./arguments.js";
import { attach, explanationOf, isAtTerminal } from "./attach.js";
import { commandWithProject, hintsOf } from "./hints.js";
import { makeMachine } from "./make-machine.js";
import { machineOptionsOf, programOf } from "./machine-options.js";

export const runFlags: readonly Flag[] = [
  {
    name: "timeout",
    value: "TIME",
    help: "kill it after this time, such as 30s; it ends with 137",
  },
  {
    name: "tty",
    short: "t",
    help: "give it a terminal; the default where all three streams are one",
  },
  { name: "no-tty", help: "give it pipes" },
  {
    name: "json",
    help: "print one line of JSON at its end: exitCode, stdout, stderr, value, end, usage",
  },
  {
    name: "audit",
    value: "LOG",
    help: "write every decision of the policy to LOG, as lines of JSON",
  },
  {
    name: "learn",
    value: "FILE",
    help: "allow everything, and write the least permissions it needs",
  },
];

export const programFlags: readonly Flag[] = [
  { name: "eval", short: "e", value: "CODE", help: "run CODE instead of a FILE" },
  { name: "ts", help: "the program is TypeScript, whatever its name" },
];

type Attachable = Omit<NodeRuntimeSpawnOptions, "args" | "language" | "name">;

/** What is run: started by `spawn`, or run to its end by `finish`. */
interface Job {
  /** The command that shows it what is beside it, where it is one file of the host without. */
  besides?: string | undefined;
  /** Reads what is to be run, once the options are known to be right. */
  prepare?(): void;
  spawn(rt: NodeRuntime, options: Attachable): Promise<NodeRuntimeProcess>;
  finish(rt: NodeRuntime, options: NodeRuntimeExecOptions): Promise<NodeRuntimeRunResult>;
}

/** A machine for one job, with its log of decisions and what it learns. */
async function inMachine(
  given: Given,
  { prepare }: Job,
  work: (rt: NodeRuntime) => Promise<number>,
): Promise<number> {
  const [audit] = given.get("audit") ?? [];
  const [learn] = given.get("learn") ?? [];
  const options = machineOptionsOf(given);
  if (learn !== undefined && options.permissions !== undefined)
    throw new UsageError("--learn allows everything; it cannot be combined with permissions");
  prepare?.();
  const log = audit === undefined ? undefined : openSync(audit, "w", 0o600);
  try {
    const rt = await makeMachine({
      ...options,
      ...(learn !== undefined && { permissions: "learn" as const }),
      ...(log !== undefined && {
        onDecision: (decision) => void writeSync(log, jsonLines([decision])),
      }),
    });
    try {
      const code = await work(rt);
      if (learn !== undefined)
        writeFileSync(learn, `${JSON.stringify(await rt.learnedPermissions(), null, 2)}\n`);
      return code;
    } finally {
      await rt.dispose();
    }
  } finally {
    if (log !== undefined) closeSync(log);
  }
}

function ttyOf(given: Given): boolean {
  if (given.has("tty") && given.has("no-tty")) throw new UsageError("--tty and --no-tty differ");
  if (given.has("tty") && !isAtTerminal()) throw new UsageError("--tty needs a terminal");
  return given.has("tty") || (!given.has("no-tty") && !given.has("json") && isAtTerminal());
}

/** What is said of a program's end: why, where it was not its own, or what may help. */
async function explained(
  rt: NodeRuntime,
  job: Job,
  [end, code, output]: [end: NodeRuntimeEnd, code: number, output: string],
): Promise<string[]> {
  const why = explanationOf(end);
  if (why.length > 0 || code === 0) return why;
  return hintsOf({ output, besides: job.besides, decisions: await rt.audit() });
}

async function perform(given: Given, job: Job): Promise<number> {
  const [timeout] = given.get("timeout") ?? [];
  const timeoutMs = timeout === undefined ? undefined : durationOf("--timeout", timeout);
  const bound = timeoutMs === undefined ? {} : { timeout: timeoutMs };
  const tty = ttyOf(given);
  return inMachine(given, job, async (rt) => {
    if (!given.has("json"))
      return attach((attached) => job.spawn(rt, { ...bound, ...attached }), {
        tty,
        explain: (...ended) => explained(rt, job, ended),
      });
    const stdin = process.stdin.isTTY === true ? undefined : await buffer(process.stdin);
    const result = await job.finish(rt, { ...bound, ...(stdin !== undefined && { stdin }) });
    const { end, usage, ...rest } = { ...result, end: result.end, usage: result.usage };
    process.stdout.write(`${JSON.stringify({ ...rest, end, usage })}\n`);
    return result.exitCode;
  });
}

/** `run FILE [args]`, `run -`, `run --eval CODE [args]`. */
export async function run({ given, rest }: Arguments): Promise<number> {
  const [code] = given.get("eval") ?? [];
  const [file, ...more] = rest;
  if (code === undefined && file === undefined)
    throw new UsageError("run needs a FILE, - for stdin, or --eval CODE");
  const args = code === undefined ? more : [...rest];
  const besides = given.has("project")
    ? undefined
    : commandWithProject(code === undefined ? file! : "-e …", code === undefined && file !== "-");
  const named = file?.endsWith(".tsx") === true;
  const language = given.has("ts") && !named ? { language: "ts" as const } : {};
  if (code !== undefined || file === "-") {
    const source = code ?? (await buffer(process.stdin)).toString("utf8");
    return perform(
      given,
      programJob(() => source, { args, besides, ...language }),
    );
  }
  const { name, inProject } = programOf(file!, given);
  if (!inProject)
    return perform(
      given,
      programJob(() => readFileSync(file!, "utf8"), { args, name, besides, ...language }),
    );
  const node = [...(given.has("ts") ? ["--experimental-strip-types"] : []), name, ...args];
  return perform(given, commandJob("node", node));
}

function programJob(
  text: () => string,
  {
    besides,
    ...what
  }: Pick<NodeRuntimeExecOptions, "args" | "name" | "language"> & {
    besides: string | undefined;
  },
): Job {
  let source = "";
  return {
    besides,
    prepare: () => void (source = text()),
    spawn: (rt, options) => rt.spawn(source, { ...options, ...what }),
    finish: (rt, options) => rt.run(source, { ...options, ...what }),
  };
}

function commandJob(command: string, args: string[]): Job {
  return {
    spawn: (rt, options) => rt.spawnCommand(command, args, options),
    finish: (rt, options) => rt.execCommand(command, args, options),
  };
}

/** `exec -- COMMAND [args]`. */
export async function exec({ given, rest }: Arguments): Promise<number> {
  const [command, ...args] = rest;
  if (command === undefined) throw new UsageError("exec needs a COMMAND");
  return perform(given, commandJob(command, args));
}
