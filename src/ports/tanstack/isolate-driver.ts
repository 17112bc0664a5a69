/**
 * Owns the isolate driver of `@tanstack/ai-code-mode`, over core/code-mode.ts: a context is a
 * machine, an execution a process of it.
 *
 * Invariant: `execute` never rejects. Untrusted: the code and what it calls bindings with.
 */
import { CodeMode } from "../core/code-mode.js";
import type { CodeModeCall, CodeModeError, CodeModeOptions } from "../core/code-mode.js";

/** A function of the host that the code may call. */
export interface ToolBinding {
  name: string;
  description: string;
  inputSchema: Record<string, unknown>;
  outputSchema?: Record<string, unknown> | undefined;
  // oxlint-disable-next-line typescript/no-explicit-any -- the type of the package that this stands in for
  execute: (args: any, context?: any) => Promise<unknown>;
}

/** What a context has. */
export interface IsolateConfig {
  /** Functions by the names that the code calls. */
  bindings: Record<string, ToolBinding>;
  /**
   * Milliseconds for one execution.
   * @default 30 000
   */
  timeout?: number;
  /**
   * MiB of one execution, 32 at least.
   * @default 128
   */
  memoryLimit?: number;
}

/** What code came to. */
export interface ExecutionResult<T = unknown> {
  success: boolean;
  value?: T;
  error?: CodeModeError;
  logs?: string[];
}

/** Where code runs; `execute` never rejects. */
export interface IsolateContext {
  execute: <T = unknown>(code: string) => Promise<ExecutionResult<T>>;
  dispose: () => Promise<void>;
}

/** As TanStack AI declares it. */
export interface IsolateDriver {
  createContext: (config: IsolateConfig) => Promise<IsolateContext>;
}

/** How the machines of contexts are made. */
export interface IsolateDriverOptions extends CodeModeOptions {
  /**
   * Milliseconds for one execution, where a context's config has none.
   * @default 30 000
   */
  timeout?: number;
  /**
   * MiB of one execution, where a context's config has none.
   * @default 128
   */
  memoryLimit?: number;
}

const defaultTimeoutMs = 30_000;
const defaultMemoryMiB = 128;
/** Below this no process of Node starts. */
const leastMemoryMiB = 32;
const bytesPerMiB = 1024 * 1024;

class SecureExecContext implements IsolateContext {
  readonly #machine: CodeMode;
  readonly #bindings: ReadonlyMap<string, ToolBinding>;
  readonly #timeoutMs: number;

  constructor(machine: CodeMode, bindings: ReadonlyMap<string, ToolBinding>, timeoutMs: number) {
    this.#machine = machine;
    this.#bindings = bindings;
    this.#timeoutMs = timeoutMs;
  }

  execute = async <T = unknown>(code: string): Promise<ExecutionResult<T>> => {
    if (this.#machine.disposed) {
      const error = { name: "DisposedError", message: "Context has been disposed" };
      return { success: false, error, logs: [] };
    }
    const call = ({ name, args }: CodeModeCall): unknown => {
      const binding = this.#bindings.get(name);
      if (binding === undefined) throw new Error(`there is no tool named ${JSON.stringify(name)}`);
      return binding.execute(args[0]);
    };
    const outcome = await this.#machine.run({
      code,
      functions: [...this.#bindings.keys()],
      call,
      timeoutMs: this.#timeoutMs,
    });
    const logs = outcome.logs.map(({ level, text }) =>
      level === "log" ? text : `${level.toUpperCase()}: ${text}`,
    );
    return outcome.ok
      ? { success: true, value: outcome.value as T, logs }
      : { success: false, error: outcome.error, logs };
  };

  dispose = (): Promise<void> => this.#machine.dispose();
}

/**
 * A driver for `createCodeMode({ driver })`. Never throws; `createContext` rejects as `NodeRuntime.create`.
 * @example
 * import { createIsolateDriver } from "secure-exec/tanstack";
 *
 * const context = await createIsolateDriver().createContext({ bindings: {} });
 * console.log((await context.execute("return 6 * 7")).value);
 * await context.dispose();
 */
export function createIsolateDriver(options: IsolateDriverOptions = {}): IsolateDriver {
  const { timeout: ownTimeout, memoryLimit: ownMemory, ...rest } = options;
  return {
    createContext: async (config) => {
      const { bindings, timeout = ownTimeout ?? defaultTimeoutMs } = config;
      const memoryMiB = config.memoryLimit ?? ownMemory ?? defaultMemoryMiB;
      const memoryBytes = Math.max(leastMemoryMiB, memoryMiB) * bytesPerMiB;
      const limits = { memoryBytes, ...rest.runtime?.limits };
      const machine = await CodeMode.create({ ...rest, runtime: { ...rest.runtime, limits } });
      return new SecureExecContext(machine, new Map(Object.entries(bindings)), timeout);
    },
  };
}
