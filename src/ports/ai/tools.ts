/**
 * Owns ready-made tools for `generateText` and `streamText` of the AI SDK: one that runs code, one
 * that runs commands.
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

export interface CodeToolOptions extends CodeModeOptions {
  /** Milliseconds for one run. Default 30 000. */
  timeoutMs?: number;
  /** Functions that the code may call by name, with one argument; tools of the AI SDK fit. */
  // oxlint-disable-next-line typescript/no-explicit-any -- a tool of the package names its input's type
  tools?: Record<string, { description?: string; execute?: (input: any, options: any) => unknown }>;
}

/** A tool that runs JavaScript; answers `{ value, logs, error }`. Its machine is made at its first call. */
export function codeTool(options: CodeToolOptions = {}) {
  const { timeoutMs, tools = {}, ...rest } = options;
  const names = Object.keys(tools).filter((name) => tools[name]?.execute !== undefined);
  const listed = names.map((name) => `- await ${name}(input): ${tools[name]?.description ?? ""}`);
  let machine: Promise<CodeMode> | undefined;
  const call = ({ name, args, signal }: CodeModeCall): unknown => {
    const run = Object.hasOwn(tools, name) ? tools[name]?.execute : undefined;
    if (run === undefined) throw new Error(`there is no tool named ${JSON.stringify(name)}`);
    return run(args[0] ?? {}, { abortSignal: signal, toolCallId: "code", messages: [] });
  };
  return {
    description: [
      "Runs JavaScript: the body of an async function. Use return for the result and console.log for notes.",
      ...(listed.length > 0 ? ["These functions are there:", ...listed] : []),
    ].join("\n"),
    inputSchema: textSchema("code", "the body of an async function"),
    execute: async ({ code }: { code: string }, { abortSignal }: ExecuteOptions = {}) => {
      machine ??= CodeMode.create(rest);
      const outcome = await (
        await machine
      ).run({
        code,
        functions: names,
        call,
        signal: abortSignal,
        ...(timeoutMs !== undefined && { timeoutMs }),
      });
      const logs = logLines(outcome.logs);
      if (outcome.ok) return { value: outcome.value, logs };
      return { error: `${outcome.error.name}: ${outcome.error.message}`, logs };
    },
    dispose: async (): Promise<void> => (await machine)?.dispose(),
  };
}

export interface CommandToolOptions extends SessionOptions {
  /** Milliseconds for one command. Default 120 000. */
  timeoutMs?: number;
}

/** A tool that runs shell commands in one machine; answers `{ stdout, stderr, exitCode }`. */
export function commandTool(options: CommandToolOptions = {}) {
  const { timeoutMs = 120_000, ...rest } = options;
  let session: Promise<Session> | undefined;
  return {
    description:
      "Runs a bash command in an isolated machine with Node.js. Files last from call to call.",
    inputSchema: textSchema("command", "the command line"),
    execute: async ({ command }: { command: string }, { abortSignal }: ExecuteOptions = {}) => {
      session ??= Session.create(rest);
      const result = await (await session).exec(command, { timeoutMs, signal: abortSignal });
      const { stdout, exitCode, timedOut } = result;
      const late = timedOut ? `killed after ${timeoutMs} ms\n` : "";
      return { stdout, stderr: result.stderr + late, exitCode };
    },
    dispose: async (): Promise<void> => (await session)?.dispose(),
  };
}
