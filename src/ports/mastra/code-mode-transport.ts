/**
 * Owns the code mode transport of `@mastra/core` over core/code-mode.ts: each program runs in a machine of its own,
 * and no sandbox is needed.
 *
 * Invariant: `run` never rejects. Types are written after the interface that the package declares; nothing is
 * imported from it. Untrusted: the program, and what it calls tools with.
 */
import { logLines } from "../core/code-mode.js";
import type { CodeModeCall, CodeModeOptions } from "../core/code-mode.js";
import { MachinesAhead } from "../core/machines-ahead.js";

/** As the package gives it. */
export interface CodeModeRun {
  /** The body of an async function, without types. */
  program: string;
  toolIds: readonly string[];
  dispatch: (tool: string, args: unknown) => Promise<unknown>;
  /** Milliseconds. */
  timeout: number;
  abortSignal?: AbortSignal | undefined;
  onExternalCall?: ((tool: string, args: unknown) => void) | undefined;
  onExternalResult?: ((tool: string, durationMs: number, error?: unknown) => void) | undefined;
  [more: string]: unknown;
}

/** What code came to. */
export interface CodeModeToolResult {
  success: boolean;
  result?: unknown;
  logs?: string[];
  error?: { message: string; name?: string; line?: number };
}

const prefix = "external_";

/** As the package names a tool's function: what may not stand in an identifier is "_". */
const functionOf = (toolId: string): string => {
  const plain = toolId.replace(/[^A-Za-z0-9_$]/g, "_");
  return `${prefix}${/^\d/.test(plain) ? "_" : ""}${plain}`;
};

/**
 * Runs code mode's programs, each in a machine of its own. Never throws: what fails is in the result.
 * @example
 * import { SecureExecCodeModeTransport } from "secure-exec/mastra";
 *
 * const transport = new SecureExecCodeModeTransport();
 * const run = { program: "return 6 * 7", toolIds: [], dispatch: async () => null, timeout: 5000 };
 * console.log((await transport.run(run)).result);
 */
export class SecureExecCodeModeTransport {
  readonly requiresSandbox = false;
  readonly #machines: MachinesAhead;

  /** Makes nothing yet. Never throws. */
  constructor(options: CodeModeOptions = {}) {
    this.#machines = new MachinesAhead(options);
  }

  /** Runs a program to its end. Never rejects. */
  async run(run: CodeModeRun): Promise<CodeModeToolResult> {
    const { program, toolIds, dispatch, timeout, abortSignal } = run;
    const tools = new Map(toolIds.map((id) => [functionOf(id), id]));
    const call = async ({ name, args }: CodeModeCall): Promise<unknown> => {
      const tool = tools.get(name);
      if (tool === undefined) throw new Error(`there is no tool named ${JSON.stringify(name)}`);
      run.onExternalCall?.(tool, args[0]);
      const startedMs = performance.now();
      const over = (error?: unknown): void =>
        run.onExternalResult?.(tool, performance.now() - startedMs, error);
      try {
        const result = await dispatch(tool, args[0]);
        over();
        return result;
      } catch (error) {
        over(error);
        throw error;
      }
    };
    const outcome = await this.#machines.run({
      code: program,
      functions: [...tools.keys()],
      call,
      timeoutMs: timeout,
      signal: abortSignal,
    });
    const logs = logLines(outcome.logs);
    if (outcome.ok) return { success: true, result: outcome.value, logs };
    const { name, message } = outcome.error;
    return { success: false, error: { name, message }, logs };
  }
}
