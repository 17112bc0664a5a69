/**
 * Owns how the options of one program are checked: of `exec`, `run`, `spawn`, commands, shells, resident runners.
 *
 * Invariant: what comes out is whole and needs no further look. A wrong option is INVALID_OPTION, with its name.
 */
import { invalidOption, unknownOption } from "./errors.js";
import type { OutputHook } from "./output-channel.js";
import type { EngineKind } from "../protocol/engine-start.js";
import type { TerminalSize } from "../protocol/host-calls.js";
import { parseRunLimits } from "./limits.js";
import type { NodeRuntimeRunLimits } from "./limits.js";
import { completeVmLimits } from "../protocol/limits.js";
import type { RunLimits, VmLimits } from "../protocol/limits.js";
import {
  isRecord,
  bagOf,
  textOf,
  pathOf,
  envOf,
  functionOf,
  bytesOf,
  timeoutOf,
  signalOf,
} from "./option-checks.js";
import { programOnlyNames } from "./option-types.js";
import { engineOf } from "./options.js";

const runNames = [
  "pty",
  "env",
  "cwd",
  "stdin",
  "timeout",
  "timeoutMs",
  "signal",
  "onStdout",
  "onStderr",
  "limits",
  "engine",
  ...programOnlyNames,
];
/** struct winsize has 16 bits for each. */
const mostCells = 0xffff;

export interface RunOptions {
  env: Record<string, string>;
  /** Absolute, or empty for the VM's. */
  cwd: string;
  stdin: Uint8Array | undefined;
  timeoutMs: number | undefined;
  /** 0 for none. */
  cpuTimeMs: number;
  limits?: RunLimits;
  signal: AbortSignal | undefined;
  onStdout: OutputHook | undefined;
  onStderr: OutputHook | undefined;
  /** Called when all output has come; a result waits for what it answers. */
  onEnd?: () => unknown[];
  args: string[];
  language: Language;
  compilerOptions?: Record<string, unknown>;
  /** Empty for a fresh one. */
  name: string;
  terminal?: TerminalSize;
  endWhenSettled: boolean;
  encoding?: "json" | "structured";
  /** @default the VM's */
  engine?: EngineKind;
}

function nameOf(value: unknown): string {
  if (value === undefined) return "";
  const name = pathOf("name", value);
  if (name.endsWith("/") || name.endsWith("/..") || name === "." || name === "..") {
    throw invalidOption("name", "must name a file");
  }
  if (name.includes("/") && !name.startsWith("/")) {
    throw invalidOption(
      "name",
      "must be a file name without directories, or an absolute path of the guest",
    );
  }
  return name;
}

/** What programs and snippets may be written in. */
export type Language = "js" | "ts" | "tsx";

function languageOf(value: unknown, name: string): Language {
  if (value === undefined)
    return name.endsWith(".tsx") ? "tsx" : /\.m?ts$/.test(name) ? "ts" : "js";
  if (value === "js" || value === "ts" || value === "tsx") return value;
  throw invalidOption("language", 'must be "js", "ts" or "tsx"');
}

/** Both as they are given, and what they are by default. */
function writtenIn(
  { language, compilerOptions }: { language?: unknown; compilerOptions?: unknown },
  name: string,
): { language: Language; compilerOptions?: Record<string, unknown> } {
  const chosen = languageOf(language, name);
  if (compilerOptions === undefined) return { language: chosen };
  if (!isRecord(compilerOptions))
    throw invalidOption("compilerOptions", "must be an object, as in tsconfig.json");
  if (chosen === "js") throw invalidOption("compilerOptions", 'needs language "ts" or "tsx"');
  try {
    const text = JSON.stringify(compilerOptions);
    return { language: chosen, compilerOptions: JSON.parse(text) as Record<string, unknown> };
  } catch {
    throw invalidOption("compilerOptions", "must be what JSON can carry");
  }
}

function cellsOf(option: string, value: unknown, initial: number): number {
  if (value === undefined) return initial;
  if (typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= mostCells)
    return value;
  throw invalidOption(option, `must be an integer from 1 to ${mostCells}`);
}

/** `columns` and `rows` of what may leave them out. `prefix` names the option in messages. */
export function terminalSizeOf(
  { cols, rows }: { readonly cols?: unknown; readonly rows?: unknown },
  prefix = "",
): TerminalSize {
  return { rows: cellsOf(`${prefix}rows`, rows, 24), columns: cellsOf(`${prefix}cols`, cols, 80) };
}

function terminalOf(value: unknown): { terminal?: TerminalSize } {
  if (value === undefined || value === false) return {};
  if (value === true) return { terminal: terminalSizeOf({}) };
  if (!isRecord(value))
    throw invalidOption("pty", "must be a boolean or an object of cols and rows");
  const unknown = Object.keys(value).filter((name) => name !== "cols" && name !== "rows");
  if (unknown.length > 0) throw unknownOption([unknown[0]!], ["cols", "rows"], "pty.");
  return { terminal: terminalSizeOf(value, "pty.") };
}

/** What `openShell` is given, as a command in a terminal. */
export function parseShellOptions(value: unknown, cwd: string): RunOptions {
  const given = bagOf(value, ["cols", "rows", "env", "cwd", "command", "args", "signal"]);
  const { args = [], command = "bash", env, signal } = given;
  return {
    ...parseCommandOptions({ env, signal, cwd: given.cwd }, cwd),
    ...commandOf(command, args),
    terminal: terminalSizeOf(given),
  };
}

/** `cwd` is the VM's, which a relative one is relative to; `limits` are the VM's, too. */
export function parseRunOptions(
  value: unknown,
  cwd: string,
  limits: VmLimits = completeVmLimits(),
): RunOptions {
  const given = bagOf(value, runNames);
  const { args = [] } = given;
  if (!Array.isArray(args)) throw invalidOption("args", "must be an array of strings");
  const name = nameOf(given.name);
  const own = given.cwd === undefined ? "" : pathOf("cwd", given.cwd);
  if (given.timeout !== undefined && given.timeoutMs !== undefined)
    throw invalidOption("timeoutMs", "means the same as timeout; give one");
  const { encoding, endWhenSettled = false } = given;
  if (encoding !== undefined && encoding !== "json" && encoding !== "structured")
    throw invalidOption("encoding", 'must be "json" or "structured"');
  if (typeof endWhenSettled !== "boolean")
    throw invalidOption("endWhenSettled", "must be a boolean");
  return {
    env: envOf(given.env),
    cwd: own === "" || own.startsWith("/") ? own : `${cwd}/${own}`,
    stdin: given.stdin === undefined ? undefined : bytesOf("stdin", given.stdin),
    timeoutMs: timeoutOf(given.timeout) ?? timeoutOf(given.timeoutMs, "timeoutMs"),
    cpuTimeMs: 0,
    ...(given.limits !== undefined && { limits: parseRunLimits(given.limits, limits) }),
    signal: signalOf(given.signal),
    onStdout: functionOf("onStdout", given.onStdout),
    onStderr: functionOf("onStderr", given.onStderr),
    args: args.map((arg, index) => textOf(`args[${index}]`, arg)),
    ...writtenIn(given, name),
    name,
    ...terminalOf(given.pty),
    endWhenSettled,
    ...(encoding !== undefined && { encoding }),
    ...(given.engine !== undefined && { engine: engineOf(given.engine) }),
  };
}

/** The name of a command and its arguments. */
export function commandOf(name: unknown, args: unknown): { name: string; args: string[] } {
  if (!Array.isArray(args)) throw invalidOption("args", "must be an array of strings");
  return {
    name: pathOf("command", name),
    args: args.map((arg, index) => textOf(`args[${index}]`, arg)),
  };
}

/** Options of a command: those of a program that do not say what the program is. */
export function parseCommandOptions(
  value: unknown,
  cwd: string,
  limits: VmLimits = completeVmLimits(),
): RunOptions {
  return parseRunOptions(
    bagOf(
      value,
      runNames.filter((name) => !programOnlyNames.some((only) => only === name)),
    ),
    cwd,
    limits,
  );
}

/** Options of a resident runner. */
export interface NodeRuntimeResidentOptions {
  /**
   * Lower limits than the machine's, for the runner's process and all it starts.
   * @default the machine's
   */
  limits?: NodeRuntimeRunLimits;
  /**
   * What its snippets are written in; `"js"` by default.
   * @default "js"
   */
  language?: "js" | "ts" | "tsx";
  /**
   * Of TypeScript, for each snippet; as for programs.
   * @default none
   */
  compilerOptions?: Record<string, unknown>;
}

export function parseResidentOptions(
  value: unknown,
  limits: VmLimits,
): { limits: RunLimits; language: Language; compilerOptions?: Record<string, unknown> } {
  const given = bagOf(value, ["limits", "language", "compilerOptions"]);
  return { limits: parseRunLimits(given.limits, limits), ...writtenIn(given, "") };
}

/** Options of one snippet of a resident runner; answers its timeout. */
export function parseSnippetOptions(value: unknown): number | undefined {
  return timeoutOf(bagOf(value, ["timeout"]).timeout);
}
