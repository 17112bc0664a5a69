/**
 * Owns the MCP server: what a message of a client means, and the tools that it offers — code,
 * commands and files of one machine, which is made at the first call.
 *
 * The transports are stdio.ts and http.ts. Protocol: modelcontextprotocol.io, JSON-RPC 2.0.
 * Invariants: every request is answered exactly once, unless it was cancelled; a tool that fails is
 * a result with `isError`, a request that is wrong is an error.
 * Untrusted: every message, and what the machine's programs answer.
 */
import { CodeMode, logLines } from "../core/code-mode.js";
import type { CodeModeOptions } from "../core/code-mode.js";
import { Session } from "../core/session.js";
import type { SessionOptions } from "../core/session.js";

export interface McpServerOptions extends SessionOptions {
  /** How the machine of `run_code` is made; it is another one than that of the commands. */
  code?: CodeModeOptions;
  /** Milliseconds for one call. Default 60 000. */
  timeoutMs?: number;
  /** Characters that a call answers with. Default 100 000. */
  outputChars?: number;
}

type Id = string | number;

export interface McpMessage {
  jsonrpc: "2.0";
  /** null in the answer to what has none that can be read. */
  id?: Id | null;
  method?: string;
  params?: unknown;
  result?: unknown;
  error?: { code: number; message: string };
}

/** Versions whose messages are the same as far as this server goes; the newest first. */
const protocolVersions = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];
const errorCodes = { parse: -32700, invalid: -32600, noMethod: -32601, params: -32602 } as const;
const defaultTimeoutMs = 60_000;
const defaultOutputChars = 100_000;
/** Calls of one client at a time. */
const callLimit = 64;

type Arguments = Readonly<Record<string, unknown>>;

interface Answer {
  text: string;
  isError?: boolean;
}

interface Tool {
  description: string;
  /** Parameter → what it is; all are texts, those of `optional` may be left out. */
  parameters: Readonly<Record<string, string>>;
  optional?: readonly string[];
  call: (
    server: McpServer,
    given: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ) => Promise<Answer>;
}

const tools: Readonly<Record<string, Tool>> = {
  run_code: {
    description:
      "Runs JavaScript in an isolated machine: the body of an async function; return gives the result, console.log notes.",
    parameters: { code: "The body of an async function" },
    call: async (server, { code = "" }, signal) => {
      const { timeoutMs } = server;
      const outcome = await (await server.code()).run({ code, form: "any", signal, timeoutMs });
      const logs = logLines(outcome.logs).map((line) => `${line}\n`);
      if (!outcome.ok)
        return {
          text: `${logs.join("")}${outcome.error.name}: ${outcome.error.message}`,
          isError: true,
        };
      const shown = JSON.stringify(outcome.value, null, 2) ?? "undefined";
      return { text: logs.join("") + shown };
    },
  },
  run_command: {
    description:
      "Runs a bash command line in an isolated machine with Node.js. Files last from call to call.",
    parameters: { command: "The command line", cwd: "Working directory" },
    optional: ["cwd"],
    call: async (server, { command = "", cwd }, signal) => {
      const { timeoutMs } = server;
      const result = await (await server.session()).exec(command, { cwd, signal, timeoutMs });
      const { output, exitCode, timedOut } = result;
      const end = timedOut ? `killed after ${timeoutMs} ms` : `exit code ${exitCode}`;
      return { text: `${output}\n[${end}]`, isError: exitCode !== 0 };
    },
  },
  read_file: {
    description: "Reads a text file of the machine.",
    parameters: { path: "Path of the file" },
    call: async (server, { path = "" }) => {
      const bytes = await (await server.session()).readFile(path);
      if (bytes === undefined) return { text: `there is no file ${path}`, isError: true };
      return { text: Buffer.from(bytes).toString("utf8") };
    },
  },
  write_file: {
    description: "Writes a text file of the machine, and makes its directories.",
    parameters: { path: "Path of the file", content: "The text" },
    call: async (server, { path = "", content = "" }) => {
      await (await server.session()).writeFile(path, content);
      return { text: `wrote ${Buffer.byteLength(content)} bytes to ${path}` };
    },
  },
  list_files: {
    description: "Lists a directory of the machine: one name a line, directories with a / behind.",
    parameters: { path: "Path of the directory; the working directory if left out" },
    optional: ["path"],
    call: async (server, { path = "." }) => {
      const entries = await (await server.session()).list(path);
      if (entries === undefined) return { text: `there is no directory ${path}`, isError: true };
      const names = entries.map(({ name, type }) => (type === "directory" ? `${name}/` : name));
      return { text: names.join("\n") };
    },
  },
};

const described = Object.entries(tools).map(([name, tool]) => ({
  name,
  description: tool.description,
  inputSchema: {
    type: "object",
    properties: Object.fromEntries(
      Object.entries(tool.parameters).map(([key, description]) => [
        key,
        { type: "string", description },
      ]),
    ),
    required: Object.keys(tool.parameters).filter((key) => tool.optional?.includes(key) !== true),
    additionalProperties: false,
  },
}));

const isRecord = (value: unknown): value is Arguments =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function failureOf(id: Id | null, code: number, message: string): McpMessage {
  return { jsonrpc: "2.0", id, error: { code, message } };
}

class RequestError extends Error {
  constructor(
    readonly code: number,
    message: string,
  ) {
    super(message);
  }
}

/** The arguments of a tool, all texts. Throws RequestError for others. */
function argumentsOf(name: string, { parameters, optional = [] }: Tool, given: unknown) {
  const all = given ?? {};
  if (!isRecord(all)) throw new RequestError(errorCodes.params, "arguments must be an object");
  const checked: Record<string, string> = {};
  for (const [key, value] of Object.entries(all)) {
    if (!Object.hasOwn(parameters, key))
      throw new RequestError(errorCodes.params, `${name} has no parameter ${key}`);
    if (typeof value !== "string")
      throw new RequestError(errorCodes.params, `${key} must be a string`);
    checked[key] = value;
  }
  for (const key of Object.keys(parameters))
    if (checked[key] === undefined && !optional.includes(key))
      throw new RequestError(errorCodes.params, `${name} needs ${key}`);
  return checked;
}

export class McpServer {
  readonly timeoutMs: number;
  readonly #options: McpServerOptions;
  readonly #version: string;
  #session: Promise<Session> | undefined;
  #code: Promise<CodeMode> | undefined;
  readonly #calls = new Map<Id, AbortController>();

  /** `version` is what the client is told of the server. */
  constructor(options: McpServerOptions = {}, version = "0.4.0") {
    this.#options = options;
    this.#version = version;
    this.timeoutMs = options.timeoutMs ?? defaultTimeoutMs;
  }

  /** The machine of commands and files. */
  session(): Promise<Session> {
    this.#session ??= Session.create({ cwd: "/workspace", ...this.#options });
    return this.#session;
  }

  /** The machine of `run_code`. */
  code(): Promise<CodeMode> {
    this.#code ??= CodeMode.create(this.#options.code);
    return this.#code;
  }

  /** The answer to a message as text; undefined where there is none. Never rejects. */
  async handleText(text: string): Promise<McpMessage | undefined> {
    let message: unknown;
    try {
      message = JSON.parse(text);
    } catch {
      return failureOf(null, errorCodes.parse, "not JSON");
    }
    return this.handle(message);
  }

  /** The answer to a message; undefined where there is none. Never rejects. */
  async handle(message: unknown): Promise<McpMessage | undefined> {
    const { jsonrpc, id, method, params } = isRecord(message) ? message : {};
    const isId = typeof id === "string" || typeof id === "number";
    const failed = (code: number, text: string): McpMessage =>
      failureOf(isId ? id : null, code, text);
    if (jsonrpc !== "2.0" || typeof method !== "string") {
      // Answers to requests of ours: there are none.
      if (isRecord(message) && ("result" in message || "error" in message)) return undefined;
      return failed(errorCodes.invalid, "not a request of JSON-RPC 2.0");
    }
    if (!isId) {
      this.#notified(method, params);
      return undefined;
    }
    try {
      const result = await this.#request(id, method, isRecord(params) ? params : {});
      return result === undefined ? undefined : { jsonrpc: "2.0", id, result };
    } catch (error) {
      if (error instanceof RequestError) return failed(error.code, error.message);
      throw error;
    }
  }

  #notified(method: string, params: unknown): void {
    if (method !== "notifications/cancelled" || !isRecord(params)) return;
    this.#calls.get(params.requestId as Id)?.abort(new Error("cancelled by the client"));
  }

  async #request(id: Id, method: string, params: Arguments): Promise<unknown> {
    switch (method) {
      case "initialize": {
        const asked = String(params.protocolVersion);
        return {
          protocolVersion: protocolVersions.includes(asked) ? asked : protocolVersions[0],
          capabilities: { tools: {} },
          serverInfo: { name: "secure-exec", version: this.#version },
          instructions:
            "Runs untrusted code and commands in machines that are isolated from the host.",
        };
      }
      case "ping":
        return {};
      case "tools/list":
        return { tools: described };
      case "tools/call":
        return this.#call(id, params);
      default:
        throw new RequestError(errorCodes.noMethod, `there is no method ${method}`);
    }
  }

  /** undefined for a call that the client has cancelled: it is not answered. */
  async #call(id: Id, { name, arguments: given }: Arguments): Promise<unknown> {
    const tool = typeof name === "string" && Object.hasOwn(tools, name) ? tools[name] : undefined;
    if (tool === undefined)
      throw new RequestError(errorCodes.params, `there is no tool ${String(name)}`);
    const checked = argumentsOf(String(name), tool, given);
    if (this.#calls.has(id)) throw new RequestError(errorCodes.invalid, "the id is in use");
    if (this.#calls.size >= callLimit)
      throw new RequestError(errorCodes.invalid, `at most ${callLimit} calls at a time`);
    const controller = new AbortController();
    this.#calls.set(id, controller);
    const limit = this.#options.outputChars ?? defaultOutputChars;
    try {
      const { text, isError = false } = await tool.call(this, checked, controller.signal);
      if (controller.signal.aborted) return undefined;
      const cut = text.length > limit;
      const shown = cut
        ? `${text.slice(0, limit)}\n[${text.length - limit} characters more]`
        : text;
      return { content: [{ type: "text", text: shown }], isError };
    } catch (error) {
      if (controller.signal.aborted) return undefined;
      const text = error instanceof Error ? error.message : String(error);
      return { content: [{ type: "text", text }], isError: true };
    } finally {
      this.#calls.delete(id);
    }
  }

  /** Ends the machines, and calls with them. */
  async dispose(): Promise<void> {
    for (const controller of this.#calls.values()) controller.abort(new Error("the server ends"));
    await Promise.allSettled([
      this.#session?.then((session) => session.dispose()),
      this.#code?.then((code) => code.dispose()),
    ]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}
