/**
 * Owns ready-made tools for `generateText` and `streamText` of the AI SDK: one that runs code, alone or as a caller of
 * other tools, and one that runs commands.
 *
 * A tool of the AI SDK is an object with `description`, `inputSchema` and `execute`; the schema is
 * one by Standard Schema with its JSON Schema beside it, so that nothing is imported.
 * Untrusted: the model's input, which the schema checks, and what its code does.
 */
import { CodeMode, logLines } from "../core/code-mode.js";
import type { CodeModeCall, CodeModeOptions } from "../core/code-mode.js";
import { Session } from "../core/session.js";
import type { SessionOptions } from "../core/session.js";

/**
 * As `jsonSchema()` of the AI SDK makes it. Its types know such a schema by a symbol that nobody else can name, and a Standard
 * Schema by its shape: so it is one as well.
 */
interface Schema<T> {
  readonly jsonSchema: Record<string, unknown>;
  readonly validate: (
    value: unknown,
  ) => { success: true; value: T } | { success: false; error: Error };
  readonly _type: T;
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (
      value: unknown,
    ) => { value: T; issues?: undefined } | { issues: readonly { message: string }[] };
    readonly types?: { readonly input: unknown; readonly output: T };
    readonly jsonSchema: Record<"input" | "output", () => Record<string, unknown>>;
  };
}

/** What the AI SDK gives to `execute`; the rest of it is handed on to the tools that are called. */
interface ExecuteOptions {
  abortSignal?: AbortSignal;
}

/** The mark by which the AI SDK knows its schemas. */
const schemaMark = Symbol.for("vercel.ai.schema");

/** The schema of an object with one text. */
function textSchema<K extends string>(key: K, description: string): Schema<Record<K, string>> {
  const jsonSchema = {
    type: "object",
    properties: { [key]: { type: "string", description } },
    required: [key],
    additionalProperties: false,
  };
  const why = `${key} must be a string`;
  const fits = (value: unknown): value is Record<K, string> =>
    typeof value === "object" &&
    value !== null &&
    typeof (value as Record<string, unknown>)[key] === "string";
  const schema = {
    [schemaMark]: true,
    _type: undefined as never,
    jsonSchema,
    validate: (value: unknown) =>
      fits(value)
        ? { success: true as const, value }
        : { success: false as const, error: new TypeError(why) },
    "~standard": {
      version: 1 as const,
      vendor: "secure-exec",
      validate: (value: unknown) => (fits(value) ? { value } : { issues: [{ message: why }] }),
      jsonSchema: { input: () => jsonSchema, output: () => jsonSchema },
    },
  };
  return schema;
}

/** How a code tool's machine is made, and what its code may call. */
export interface CodeToolOptions extends CodeModeOptions {
  /**
   * Milliseconds for one run.
   * @default 30 000
   */
  timeoutMs?: number;
  /**
   * Functions that the code may call by name, with one argument; tools of the AI SDK fit.
   * @default {}
   */
  tools?: Record<
    string,
    {
      /**
       * For the model.
       * @default none
       */
      description?: string;
      /**
       * Without it, the tool cannot be called.
       * @default none
       */
      // oxlint-disable-next-line typescript/no-explicit-any -- a tool of the package names its input's type
      execute?: (input: any, options: any) => unknown;
    }
  >;
}

/** A machine that is made when it is first needed. */
function lazily<T extends { dispose(): Promise<void> }>(make: () => Promise<T>) {
  let made: Promise<T> | undefined;
  return {
    open: (): Promise<T> => (made ??= make()),
    dispose: async (): Promise<void> => (await made)?.dispose(),
  };
}

/** The tool, over a machine that others may share. */
function codeToolOn(
  machine: ReturnType<typeof lazily<CodeMode>>,
  timeoutMs: number | undefined,
  tools: NonNullable<CodeToolOptions["tools"]> = {},
) {
  const names = Object.keys(tools).filter((name) => tools[name]?.execute !== undefined);
  const listed = names.map((name) => `- await ${name}(input): ${tools[name]?.description ?? ""}`);
  const call =
    (options: ExecuteOptions) =>
    ({ name, args, signal }: CodeModeCall): unknown => {
      const run = Object.hasOwn(tools, name) ? tools[name]?.execute : undefined;
      if (run === undefined) throw new Error(`there is no tool named ${JSON.stringify(name)}`);
      // Messages, context and the call's id are those of the call that runs the code.
      const given = { toolCallId: "code", messages: [], ...options, abortSignal: signal };
      return run(args[0] ?? {}, given);
    };
  return {
    description: [
      "Runs JavaScript: the body of an async function. Use return for the result and console.log for notes.",
      ...(listed.length > 0 ? ["These functions are there:", ...listed] : []),
    ].join("\n"),
    inputSchema: textSchema("code", "the body of an async function"),
    execute: async ({ code }: { code: string }, options: ExecuteOptions = {}) => {
      const outcome = await (
        await machine.open()
      ).run({
        code,
        functions: names,
        call: call(options),
        signal: options.abortSignal,
        ...(timeoutMs !== undefined && { timeoutMs }),
      });
      const logs = logLines(outcome.logs);
      if (outcome.ok) return { value: outcome.value, logs };
      return { error: `${outcome.error.name}: ${outcome.error.message}`, logs };
    },
  };
}

/**
 * A tool that runs JavaScript; answers `{ value, logs, error }`. Its machine is made at its first call. Never
 * throws: what the code throws is an answer.
 * @example
 * import { codeTool } from "secure-exec/ai";
 *
 * const tool = codeTool({ tools: { double: { execute: (value: number) => value * 2 } } });
 * console.log(await tool.execute({ code: "return await double(21)" }));
 * await tool.dispose();
 */
export function codeTool(options: CodeToolOptions = {}) {
  const { timeoutMs, tools, ...rest } = options;
  const machine = lazily(() => CodeMode.create(rest));
  return { ...codeToolOn(machine, timeoutMs, tools), dispose: machine.dispose };
}

/**
 * The same as a caller of other tools (`experimental_toolCallers: { lookup: ["code"] }`): the call that generates
 * binds the tools that it may call. All bindings share one machine, which `dispose` ends. Never throws.
 * @example
 * import { codeToolCaller } from "secure-exec/ai";
 *
 * const code = codeToolCaller({ timeoutMs: 10_000 });
 * await code.dispose();
 */
export function codeToolCaller(options: Omit<CodeToolOptions, "tools"> = {}) {
  const { timeoutMs, ...rest } = options;
  const machine = lazily(() => CodeMode.create(rest));
  const tool = { ...codeToolOn(machine, timeoutMs), dispose: machine.dispose };
  const definition = {
    type: "local" as const,
    bind: (tools: NonNullable<CodeToolOptions["tools"]>) => codeToolOn(machine, timeoutMs, tools),
  };
  // As `experimental_toolCaller` of the package does it: a spread of the tool is no caller.
  return Object.defineProperty(tool, "experimental_toolCaller", {
    value: definition,
  }) as typeof tool & { readonly experimental_toolCaller: typeof definition };
}

/** How a command tool's machine is made. */
export interface CommandToolOptions extends SessionOptions {
  /**
   * Milliseconds for one command.
   * @default 120 000
   */
  timeoutMs?: number;
}

/**
 * A tool that runs shell commands in one machine; answers `{ stdout, stderr, exitCode }`. Never throws; `execute`
 * rejects as `Session.exec`.
 * @example
 * import { commandTool } from "secure-exec/ai";
 *
 * const tool = commandTool();
 * console.log(await tool.execute({ command: "echo hello" }));
 * await tool.dispose();
 */
export function commandTool(options: CommandToolOptions = {}) {
  const { timeoutMs = 120_000, ...rest } = options;
  const session = lazily(() => Session.create(rest));
  return {
    description:
      "Runs a bash command in an isolated machine with Node.js. Files last from call to call.",
    inputSchema: textSchema("command", "the command line"),
    execute: async ({ command }: { command: string }, { abortSignal }: ExecuteOptions = {}) => {
      const result = await (await session.open()).exec(command, { timeoutMs, signal: abortSignal });
      const { stdout, exitCode, timedOut } = result;
      const late = timedOut ? `killed after ${timeoutMs} ms\n` : "";
      return { stdout, stderr: result.stderr + late, exitCode };
    },
    dispose: session.dispose,
  };
}
