/**
 * Owns what a runtime of the older generation does differently: its constructor's
 * options, its options per run, and the additions to its results. Everything else is
 * runtime.ts's, which runs both generations in one way.
 *
 * Untrusted: a program's stderr, from which the line for `errorMessage` is taken.
 */
import type { VmLimits } from "../../protocol/limits.js";
import type { ProgramEnd } from "../guest-process.js";
import { invalidOption, printable } from "../errors.js";
import { parseRunOptions } from "../run-options.js";
import { bagOf, timeoutOf } from "../option-checks.js";
import type { CreateOptions } from "../options.js";
import type { RunOptions } from "../run-options.js";
import type { NodeRuntimeExecOptions } from "../option-types.js";
import type { PlainResult } from "../results.js";
import { StdioLines } from "./stdio-lines.js";
import type { StdioHook } from "./stdio-lines.js";
import { checkDrivers, optionsOf } from "./system-driver.js";
import type { NodeDriver, NodeRuntimeDriverFactory } from "./system-driver.js";
import type { Machine } from "../machine.js";
import { ServedFileSystem } from "./served-file-system.js";
import { connectFileSystem, takeDraft } from "./virtual-file-system.js";
import type { InMemoryFileSystem } from "./virtual-file-system.js";

/** What `new NodeRuntime` is given. */
export interface NodeRuntimeDriverOptions {
  /** The machine: made by `createNodeDriver()`. */
  systemDriver: NodeDriver;
  /** Made by `createNodeRuntimeDriverFactory()`. */
  runtimeDriverFactory: NodeRuntimeDriverFactory;
  /**
   * Megabytes (MiB) of heap, buffers and WebAssembly of one process together, 32 to 4096.
   * @default 256
   */
  memoryLimit?: number;
  /**
   * Milliseconds of processor time of one program, and of each process below it; its code is then 124.
   * @default no limit
   */
  cpuTimeLimitMs?: number;
  /**
   * Receives every line of output as it is written, of all programs that have no hook of their own.
   * @default none
   */
  onStdio?: StdioHook;
  /**
   * "freeze" stops the clocks within a run.
   * @default "off"
   */
  timingMitigation?: "off" | "freeze";
}

/** Beside the options of the newer generation. */
export interface NodeRuntimeDriverExecOptions extends NodeRuntimeExecOptions {
  /**
   * The same as `name`.
   * @default a text in `cwd`, and no file
   */
  filePath?: string;
  /**
   * Milliseconds of processor time of this program.
   * @default the runtime's
   */
  cpuTimeLimitMs?: number;
  /**
   * Receives every line of its output, in the place of the runtime's hook.
   * @default the runtime's
   */
  onStdio?: StdioHook;
}

const names = [
  "systemDriver",
  "runtimeDriverFactory",
  "memoryLimit",
  "cpuTimeLimitMs",
  "onStdio",
  "timingMitigation",
];
const plannedNames = ["payloadLimits", "resourceBudgets"];
const bytesPerMiB = 1024 * 1024;
const leastMiB = 32;
const mostMiB = 4096;
const cpuLimitCode = 124;

function memoryOf(value: unknown): number {
  if (value === undefined) return 0;
  if (typeof value !== "number" || !(value >= leastMiB && value <= mostMiB))
    throw invalidOption(
      "memoryLimit",
      `must be a number of megabytes from ${leastMiB} to ${mostMiB}`,
    );
  return Math.floor(value * bytesPerMiB);
}

function hookOf(value: unknown): StdioHook | undefined {
  if (value !== undefined && typeof value !== "function")
    throw invalidOption("onStdio", "must be a function");
  return value as StdioHook | undefined;
}

function timingOf(value: unknown): "normal" | "frozen" {
  if (value === undefined || value === "off") return "normal";
  if (value === "freeze") return "frozen";
  throw invalidOption("timingMitigation", 'must be "off" or "freeze"');
}

/** The last line that names an error and is not indented: Node writes the stack below it. */
function uncaught(stderr: string): string | undefined {
  const found = stderr.slice(-64 * 1024).match(/^(?:Uncaught )?[\w$.]*(?:Error|Exception)\b.*$/gm);
  return found?.at(-1);
}

export class DriverRun {
  /** Options of the machine. */
  readonly create: CreateOptions;
  /** Of every program, unless its own options say otherwise; 0 for none. */
  readonly cpuTimeMs: number;
  readonly #onStdio: StdioHook | undefined;
  /** The caller's view of the machine's files. */
  readonly #filesystem: InMemoryFileSystem | undefined;
  /** The caller's own file system; undefined once a machine shows it, which its clones do by themselves. */
  #served: ServedFileSystem | undefined;

  constructor(options: unknown) {
    const given = bagOf(options, names, plannedNames);
    const driver = checkDrivers(given.systemDriver, given.runtimeDriverFactory);
    this.#filesystem = driver.filesystem;
    this.cpuTimeMs = timeoutOf(given.cpuTimeLimitMs, "cpuTimeLimitMs") ?? 0;
    this.#onStdio = hookOf(given.onStdio);
    const timing = timingOf(given.timingMitigation);
    const create = optionsOf(driver, { timing });
    const memoryBytes = memoryOf(given.memoryLimit) || create.limits.memoryBytes;
    this.create = { ...create, limits: { ...create.limits, memoryBytes } };
    const { served } = driver;
    if (served !== undefined) this.#served = new ServedFileSystem(served, create.cwd);
  }

  /** Puts what was written to the caller's file system into the machine, which it shows from then on. */
  async opened(machine: Machine): Promise<void> {
    await this.#served?.show(machine);
    this.#served = undefined;
    const { files } = machine;
    if (this.#filesystem === undefined) return;
    const draft = takeDraft(this.#filesystem, this);
    if (draft === undefined) return;
    for (const path of draft.directories) await files.mkdir(path, true, false);
    for (const [path, data] of draft.files) await files.write(path, data, false);
    connectFileSystem(this.#filesystem, files);
  }

  /** Options of one program; a string is the program's path. */
  runOptions(value: unknown, cwd: string, limits?: VmLimits): RunOptions {
    const options = typeof value === "string" ? { filePath: value } : value;
    const own = ["filePath", "cpuTimeLimitMs", "onStdio"] as const;
    const given: Record<string, unknown> =
      typeof options === "object" && options !== null ? { ...options } : {};
    const { filePath, cpuTimeLimitMs, onStdio } = given;
    for (const name of own) delete given[name];
    if (filePath !== undefined) {
      if (given.name !== undefined)
        throw invalidOption("filePath", "means the same as name; give one");
      given.name = filePath;
    }
    const isBag = typeof options === "object" && options !== null && !Array.isArray(options);
    const run = parseRunOptions(isBag ? given : options, cwd, limits);
    run.cpuTimeMs = timeoutOf(cpuTimeLimitMs, "cpuTimeLimitMs") ?? this.cpuTimeMs;
    const hook = hookOf(onStdio) ?? this.#onStdio;
    if (hook === undefined) return run;
    const lines = {
      stdout: new StdioLines("stdout", hook),
      stderr: new StdioLines("stderr", hook),
    };
    const { onStdout, onStderr } = run;
    return {
      ...run,
      onStdout: (chunk) => Promise.all([onStdout?.(chunk), lines.stdout.push(chunk)]),
      onStderr: (chunk) => Promise.all([onStderr?.(chunk), lines.stderr.push(chunk)]),
      onEnd: () => [lines.stdout.end(), lines.stderr.end()],
    };
  }

  /** The result with what the older generation's had. */
  resultOf(result: PlainResult, end: ProgramEnd): PlainResult {
    const overtime = end.errorCode === "ERR_SECURE_EXEC_CPU_TIME_LIMIT";
    const exitCode = overtime ? cpuLimitCode : result.exitCode;
    const message = overtime
      ? "CPU time limit exceeded"
      : (end.errorMessage ??
        (end.signal !== 0
          ? `the program was ended by signal ${end.signal}`
          : exitCode === 0
            ? undefined
            : uncaught(result.stderr)));
    return {
      ...result,
      exitCode,
      code: exitCode,
      ...(message !== undefined && { errorMessage: printable(message) }),
    };
  }
}
