/**
 * Owns code mode: running code that a model wrote against named functions of the host,
 * in a machine of its own. Every port that does so is a thin translation to this.
 *
 * Invariants: `run` never rejects, and says "ok" only of code that ran to its end and handed over
 * its value; a call reaches `call` only while the run that made it goes on; arguments and results
 * are JSON and bytes, never references.
 * Untrusted: the code, its logs, the names and arguments of its calls.
 */
import { randomUUID } from "node:crypto";
import { NodeRuntime } from "../../index.js";
import type { NodeRuntimeCreateOptions, NodeRuntimeRunResult } from "../../index.js";
import { decodeValue, encodeValue, hostBase64 } from "../../protocol/bytes-json.js";
import type { CodeModeFacts, CodeModeForm } from "../../protocol/code-mode.js";

export interface CodeModeOptions {
  /**
   * How machines are made, over: platform "neutral" (the language, timers, console), no imports, no
   * network, no child processes. See `NodeRuntime.create`.
   */
  runtime?: NodeRuntimeCreateOptions;
  /** Bytes of console output that are kept, the rest is dropped. Default 1 MiB. */
  logBytes?: number;
}

/** One call that the code makes. */
export interface CodeModeCall {
  /** `name` of a function, or `namespace.name`. */
  name: string;
  args: unknown[];
  /** Aborted when the run is over. */
  signal: AbortSignal;
}

export interface CodeModeProgram {
  code: string;
  /**
   * How `code` is written.
   * @default "body"
   */
  form?: CodeModeForm;
  /** Names of global functions that the code may call. */
  functions?: readonly string[];
  /** Names of global objects whose every property is a function. */
  namespaces?: readonly string[];
  /** Statements that run before the code, in the machine: they may add properties to namespaces. */
  prelude?: string;
  /** What calls do. What it throws is thrown in the code, by name and message. */
  call?: (call: CodeModeCall) => unknown;
  /** Milliseconds for the whole run; 0 for no bound. Default 30 000. */
  timeoutMs?: number;
  signal?: AbortSignal | undefined;
}

export interface CodeModeLog {
  /** The method of `console`. Output beside it is "log", on stderr "error". */
  level: string;
  text: string;
}

export interface CodeModeError {
  name: string;
  message: string;
  stack?: string;
  code?: string;
}

export type CodeModeOutcome = { logs: CodeModeLog[] } & (
  | { ok: true; value: unknown }
  | { ok: false; error: CodeModeError }
);

/** What the machine answers with, as text that `encodeValue` made. */
type Answer = { ok: true; value: unknown } | { ok: false; error: CodeModeError };

interface Run {
  call: NonNullable<CodeModeProgram["call"]>;
}

const defaultTimeoutMs = 30_000;
const defaultLogBytes = 1024 * 1024;
const toolName = "codeModeCall";
/** 128 + SIGKILL. */
const killedCode = 137;

const machineDefaults = {
  platform: "neutral",
  moduleResolution: "none",
  permissions: { network: "deny", childProcess: "deny", tool: "allow" },
} as const satisfies NodeRuntimeCreateOptions;

function text(value: unknown, otherwise: string): string {
  return typeof value === "string" ? value : otherwise;
}

/** Name, message and, where it has them, stack and code of what was thrown. */
export function errorOf(thrown: unknown): CodeModeError {
  if (typeof thrown !== "object" || thrown === null)
    return { name: "Error", message: String(thrown) };
  const { name, message, stack, code } = thrown as Record<string, unknown>;
  return {
    name: text(name, "Error"),
    message: text(message, "unknown error"),
    ...(typeof stack === "string" && { stack }),
    ...(typeof code === "string" && { code }),
  };
}

/**
 * The text of an ES module that runs the code. The program around it is every machine's own (`src/guest/code-mode.ts`); the
 * module makes texts functions of its own, so that they import what it may.
 */
function textOf(program: CodeModeProgram, run: Pick<CodeModeFacts, "id" | "mark" | "toolName">) {
  const { code, form = "body", functions = [], namespaces = [], prelude = "" } = program;
  const facts: CodeModeFacts = { ...run, functions, namespaces, prelude, form, code };
  // A line separator in JSON cannot end a string in today's language.
  const text = JSON.stringify(JSON.stringify(facts));
  return `await tools.$codeMode(${text}, (text) => new (async () => {}).constructor(text));\n`;
}

export class CodeMode {
  readonly #runtime: NodeRuntime;
  readonly #logBytes: number;
  /** Runs that go on, by the identity that their calls carry. */
  readonly #runs: Map<string, Run>;
  #disposed = false;
  #lost = false;

  private constructor(runtime: NodeRuntime, runs: Map<string, Run>, logBytes: number) {
    this.#runtime = runtime;
    runtime.once("lost", () => (this.#lost = true));
    this.#runs = runs;
    this.#logBytes = logBytes;
  }

  /** Makes the machine. Rejects with the errors of `NodeRuntime.create`. */
  static async create(options: CodeModeOptions = {}): Promise<CodeMode> {
    const { runtime = {}, logBytes = defaultLogBytes } = options;
    const runs = new Map<string, Run>();
    const { permissions } = runtime;
    const made = await NodeRuntime.create({
      ...machineDefaults,
      ...runtime,
      permissions: {
        ...machineDefaults.permissions,
        ...(typeof permissions === "string" ? { mode: permissions } : permissions),
      },
      tools: {
        ...runtime.tools,
        [toolName]: {
          description: "calls a function of the host by name",
          // A call ends with its run, which has a timeout.
          timeoutMs: 0,
          handler: (input: unknown, { signal }: { signal: AbortSignal }) =>
            answerCall(runs, input, signal),
        },
      },
    });
    return new CodeMode(made, runs, logBytes);
  }

  get disposed(): boolean {
    return this.#disposed;
  }

  /** Whether its kernel is gone. */
  get lost(): boolean {
    return this.#lost;
  }

  /** Runs one program. Every run is a process of its own; they share the machine's files. */
  async run(program: CodeModeProgram): Promise<CodeModeOutcome> {
    if (this.#disposed)
      return failed({ name: "DisposedError", message: "the machine has been disposed" });
    const { signal, timeoutMs = defaultTimeoutMs } = program;
    const id = randomUUID();
    const mark = randomUUID();
    this.#runs.set(id, { call: program.call ?? noSuchFunction });
    let startedMs = performance.now();
    try {
      const source = textOf(program, { id, mark, toolName });
      startedMs = performance.now();
      const result = await this.#runtime.run(source, {
        endWhenSettled: true,
        ...(timeoutMs > 0 && { timeout: timeoutMs }),
        ...(signal !== undefined && { signal }),
      });
      const logs = logsOf(result, mark, this.#logBytes);
      const late = timeoutMs > 0 && performance.now() - startedMs >= timeoutMs;
      return { ...answerOf(result, late ? timeoutMs : undefined), logs };
    } catch (error) {
      if (signal?.aborted) return failed({ name: "AbortError", message: "the run was aborted" });
      if (this.#disposed)
        return failed({
          name: "DisposedError",
          message: "the machine was disposed during the run",
        });
      return failedRun(error);
    } finally {
      this.#runs.delete(id);
    }
  }

  /** Ends the machine and whatever still runs in it. Idempotent. */
  async dispose(): Promise<void> {
    this.#disposed = true;
    await this.#runtime.dispose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}

/** The outcome of a program that could not be run. */
export function failedRun(thrown: unknown): CodeModeOutcome {
  return failed(errorOf(thrown));
}

/** Output as people expect it from a console: warnings and errors say what they are. */
export function logLines(logs: readonly CodeModeLog[]): string[] {
  return logs.map(({ level, text }) =>
    level === "warn" || level === "error" ? `[${level}] ${text}` : text,
  );
}

function failed(error: CodeModeError): CodeModeOutcome {
  return { ok: false, error, logs: [] };
}

function noSuchFunction({ name }: CodeModeCall): never {
  throw new Error(`there is no function named ${JSON.stringify(name)}`);
}

/** Answers a call from the machine; what it rejects with, the SDK hands to the caller. */
async function answerCall(
  runs: ReadonlyMap<string, Run>,
  input: unknown,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { id, name, args } = input as Record<string, unknown>;
  const run = runs.get(text(id, ""));
  if (run === undefined || typeof name !== "string" || typeof args !== "string")
    throw new Error("not a call of code that runs");
  const decoded = decodeValue(args, hostBase64);
  const given = Array.isArray(decoded) ? (decoded as unknown[]) : [];
  return encodeValue(await run.call({ name, args: given, signal }), hostBase64);
}

/** What ended a program that handed nothing over. */
function endOf(result: NodeRuntimeRunResult, timeoutMs: number | undefined): CodeModeError {
  const { exitCode, stderr } = result;
  if (exitCode === killedCode && timeoutMs !== undefined)
    return { name: "TimeoutError", message: `Execution timed out after ${timeoutMs} ms` };
  const limit = /ERR_SECURE_EXEC_\w+/.exec(stderr)?.[0];
  const lines = stderr.slice(-64 * 1024).split("\n");
  const line = lines.findLast((each) => /^(?:Uncaught )?[\w$.]*(?:Error|Exception)\b/.test(each));
  const named = /^(?:Uncaught )?([\w$.]+)(?: \[\w+\])?: (.*)$/.exec(line ?? "");
  if (limit !== undefined) {
    const name = limit === "ERR_SECURE_EXEC_MEMORY_LIMIT" ? "MemoryLimitError" : "LimitError";
    const why = lines.find((each) => each.includes(limit)) ?? limit;
    return { name, message: why, code: limit };
  }
  if (named !== null) return { name: named[1]!, message: named[2]! };
  return { name: "Error", message: `the code ended without an answer, exit code ${exitCode}` };
}

function answerOf(result: NodeRuntimeRunResult, timeoutMs: number | undefined): Answer {
  if (result.exitCode !== 0 || typeof result.value !== "string")
    return { ok: false, error: endOf(result, timeoutMs) };
  try {
    const answer = decodeValue(result.value, hostBase64) as Record<string, unknown> | undefined;
    if (answer?.ok === true) return { ok: true, value: answer.value };
    return { ok: false, error: errorOf(answer?.error) };
  } catch (error) {
    return { ok: false, error: errorOf(error) };
  }
}

/** The console's lines, and whatever else was written, in the order of each stream. */
function logsOf(result: NodeRuntimeRunResult, mark: string, limitBytes: number): CodeModeLog[] {
  const logs: CodeModeLog[] = [];
  let left = limitBytes;
  const add = (log: CodeModeLog): void => {
    left -= Buffer.byteLength(log.text);
    if (left >= 0) logs.push(log);
  };
  for (const line of result.stdout.split("\n")) {
    if (!line.startsWith(mark)) {
      if (line !== "") add({ level: "log", text: line });
      continue;
    }
    const [level, said] = JSON.parse(line.slice(mark.length)) as [string, string];
    add({ level: text(level, "log"), text: text(said, "") });
  }
  // An uncaught error is the outcome; it is no log.
  if (result.exitCode === 0)
    for (const line of result.stderr.split("\n"))
      if (line !== "") add({ level: "error", text: line });
  if (left < 0) logs.push({ level: "warn", text: `output beyond ${limitBytes} bytes was dropped` });
  return logs;
}
