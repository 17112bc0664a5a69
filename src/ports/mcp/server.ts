/**
 * Owns the MCP server: what a message of a client means, which of its requests are under way, and the tools, resources
 * and prompts that it offers: code, commands and files of its machines, and what its owner has added.
 *
 * The transports are stdio.ts and http.ts. Protocol: modelcontextprotocol.io, JSON-RPC 2.0.
 * Invariants: every request is answered exactly once, unless it was cancelled; a tool that fails is
 * a result with `isError`, a request that is wrong is an error.
 * Untrusted: every message, and what the machine's programs answer.
 */
import type { CodeMode } from "../core/code-mode.js";
import type { Session } from "../core/session.js";
import type { McpContext, McpFeatures } from "./features.js";
import { machineTools } from "./machine-tools.js";
import { Machines } from "./machines.js";
import type { MachinesOptions } from "./machines.js";
import { Peer } from "./peer.js";
import { Prompts, textsOf } from "./prompts.js";
import {
  errorCodes,
  failureOf,
  isId,
  isRecord,
  messageOf,
  protocolVersions,
  RequestError,
  textOf,
} from "./protocol.js";
import type { Arguments, Id, McpMessage, McpOutlet } from "./protocol.js";
import { Resources } from "./resources.js";
import { Toolbox, untilAborted } from "./tools.js";

/** How the server's machines are made, and what it offers beside them. */
export interface McpServerOptions extends MachinesOptions, McpFeatures {
  /**
   * Milliseconds for one call.
   * @default 60 000
   */
  timeoutMs?: number;
  /**
   * Characters of a text that a call answers with.
   * @default 100 000
   */
  outputChars?: number;
  /**
   * Whether there are `run_code`, `run_command` and the tools for files.
   * @default true
   */
  machineTools?: boolean;
}

const defaultTimeoutMs = 60_000;
const defaultOutputChars = 100_000;
/** Requests of one client at a time. */
const callLimit = 64;
/** Values that a completion answers with; the protocol's bound. */
const completionLimit = 100;

/** What a request may need beside its parameters. */
interface Request {
  id: Id;
  params: Arguments;
  outlet: McpOutlet | undefined;
}

/**
 * A server of the Model Context Protocol with machines of its own; `serveStdio` and `serveMcpHttp` are its
 * transports.
 * @throws {DISPOSED|KERNEL_LOST} from what needs a machine that is gone.
 * @example
 * import { McpServer } from "secure-exec/mcp";
 *
 * const server = new McpServer({ timeoutMs: 10_000 });
 * console.log(await server.handle({ jsonrpc: "2.0", id: 1, method: "ping" }));
 * await server.dispose();
 */
export class McpServer {
  readonly timeoutMs: number;
  readonly #version: string;
  readonly #machines: Machines;
  readonly #tools: Toolbox;
  readonly #resources: Resources;
  readonly #prompts: Prompts;
  readonly #peer = new Peer();
  readonly #calls = new Map<Id, AbortController>();
  #updates: McpOutlet | undefined;

  /**
   * `version` is what the client is told of the server.
   * @throws {Error} where two tools have one name.
   * @throws {INVALID_OPTION} for a tool that is none.
   */
  constructor(options: McpServerOptions = {}, version = "0.4.0") {
    const { outputChars = defaultOutputChars, timeoutMs = defaultTimeoutMs } = options;
    this.#version = version;
    this.timeoutMs = timeoutMs;
    this.#machines = new Machines(options);
    const own = options.machineTools === false ? {} : machineTools(this.#machines, timeoutMs);
    this.#tools = new Toolbox([own, options.tools ?? {}], { timeoutMs, outputChars });
    this.#resources = new Resources(options, this.#machines, (uri) =>
      this.#peer.tell(this.#updates, "notifications/resources/updated", { uri }),
    );
    this.#prompts = new Prompts(options);
  }

  /**
   * The machine of commands and files.
   * @throws {INVALID_OPTION|KERNEL_START_FAILED} and all others as `NodeRuntime.create`.
   */
  session(): Promise<Session> {
    return this.#machines.session();
  }

  /**
   * The machine of `run_code`.
   * @throws {INVALID_OPTION|KERNEL_START_FAILED} and all others as `NodeRuntime.create`.
   */
  code(): Promise<CodeMode> {
    return this.#machines.code();
  }

  /** The version of the protocol that the client and this server speak; empty before they have agreed. */
  get protocolVersion(): string {
    return this.#peer.version;
  }

  /** Where messages go that belong to no request; without it they are dropped. Never throws. */
  connect(outlet: McpOutlet): void {
    this.#updates = outlet;
  }

  /** The client is gone: what asks it is refused. Calls go on. Never throws. */
  hangUp(): void {
    this.#updates = undefined;
    this.#peer.end();
  }

  /** A resource of the owner's has changed: who has subscribed to it is told. Never throws. */
  resourceUpdated(uri: string): void {
    this.#resources.changed(uri);
  }

  /** The answer to a message as text; undefined where there is none. Never rejects. */
  async handleText(text: string, outlet?: McpOutlet): Promise<McpMessage | undefined> {
    let message: unknown;
    try {
      message = JSON.parse(text);
    } catch {
      return failureOf(null, errorCodes.parse, "not JSON");
    }
    return this.handle(message, outlet);
  }

  /**
   * The answer to a message; undefined where there is none. Never rejects. What is said while a request is under way goes to
   * `outlet`; without it the client is told nothing and cannot be asked.
   */
  async handle(message: unknown, outlet?: McpOutlet): Promise<McpMessage | undefined> {
    const { jsonrpc, id, method, params } = isRecord(message) ? message : {};
    const failed = (code: number, text: string): McpMessage =>
      failureOf(isId(id) ? id : null, code, text);
    if (jsonrpc !== "2.0" || typeof method !== "string") {
      if (!isRecord(message) || !("result" in message || "error" in message))
        return failed(errorCodes.invalid, "not a request of JSON-RPC 2.0");
      this.#peer.answered(message);
      return undefined;
    }
    if (!isId(id)) {
      this.#notified(method, params);
      return undefined;
    }
    try {
      const request = { id, params: isRecord(params) ? params : {}, outlet };
      const result = await this.#request(method, request);
      return result === undefined ? undefined : { jsonrpc: "2.0", id, result };
    } catch (error) {
      if (error instanceof RequestError) return failed(error.code, error.message);
      return failed(errorCodes.internal, messageOf(error));
    }
  }

  #notified(method: string, params: unknown): void {
    if (method !== "notifications/cancelled" || !isRecord(params)) return;
    this.#calls.get(params.requestId as Id)?.abort(new Error("cancelled by the client"));
  }

  /** The result of a request; undefined for one that the client has cancelled: it is not answered. */
  async #request(method: string, request: Request): Promise<unknown> {
    const { params } = request;
    switch (method) {
      case "initialize":
        return this.#initialize(params);
      case "ping":
        return {};
      case "logging/setLevel":
        this.#peer.setLevel(params.level);
        return {};
      case "tools/list":
        return this.#tools.list();
      case "tools/call":
        return this.#callTool(request);
      case "resources/list":
        return this.#resources.list();
      case "resources/templates/list":
        return this.#resources.templates();
      case "resources/read": {
        const uri = textOf(params, "uri");
        return this.#underWay(request, this.timeoutMs, (context) =>
          this.#resources.read(uri, context),
        );
      }
      case "resources/subscribe":
        await this.#resources.subscribe(textOf(params, "uri"));
        return {};
      case "resources/unsubscribe":
        await this.#resources.unsubscribe(textOf(params, "uri"));
        return {};
      case "prompts/list":
        return this.#prompts.list();
      case "prompts/get": {
        const name = textOf(params, "name");
        return this.#underWay(request, this.timeoutMs, (context) =>
          this.#prompts.get(name, params.arguments, context),
        );
      }
      case "completion/complete":
        return this.#complete(params);
      default:
        throw new RequestError(errorCodes.noMethod, `there is no method ${method}`);
    }
  }

  #initialize({ protocolVersion, capabilities }: Arguments): unknown {
    const asked = String(protocolVersion);
    const version = protocolVersions.includes(asked) ? asked : protocolVersions[0]!;
    this.#peer.begin(version, capabilities);
    return {
      protocolVersion: version,
      capabilities: {
        tools: {},
        resources: { subscribe: true },
        prompts: {},
        completions: {},
        logging: {},
      },
      serverInfo: { name: "secure-exec", version: this.#version },
      instructions: "Runs untrusted code and commands in machines that are isolated from the host.",
    };
  }

  async #callTool(request: Request): Promise<unknown> {
    const { params } = request;
    const name = textOf(params, "name");
    const timeoutMs = this.#tools.timeoutOf(name);
    try {
      return await this.#underWay(request, timeoutMs, (context) =>
        this.#tools.call(name, params.arguments, context),
      );
    } catch (error) {
      if (error instanceof RequestError) throw error;
      return { content: [{ type: "text", text: messageOf(error) }], isError: true };
    }
  }

  async #complete(params: Arguments): Promise<unknown> {
    const { ref, argument, context } = params;
    if (!isRecord(ref) || !isRecord(argument))
      throw new RequestError(errorCodes.params, "ref and argument must be objects");
    const name = textOf(argument, "name");
    const complete =
      ref.type === "ref/prompt"
        ? this.#prompts.completionOf(textOf(ref, "name"), name)
        : this.#resources.completionOf(textOf(ref, "uri"), name);
    if (complete === undefined)
      throw new RequestError(errorCodes.params, "there is no such template");
    const given = textsOf(isRecord(context) ? context.arguments : undefined);
    const values = await complete(textOf(argument, "value"), given);
    return {
      completion: {
        values: values.slice(0, completionLimit),
        total: values.length,
        hasMore: values.length > completionLimit,
      },
    };
  }

  /** Does what a request wants, unless it is cancelled (undefined), takes too long or the server ends (rejects). */
  async #underWay(
    request: Request,
    timeoutMs: number,
    work: (context: McpContext) => Promise<unknown>,
  ): Promise<unknown> {
    const { id } = request;
    if (this.#calls.has(id)) throw new RequestError(errorCodes.invalid, "the id is in use");
    if (this.#calls.size >= callLimit)
      throw new RequestError(errorCodes.invalid, `at most ${callLimit} calls at a time`);
    const controller = new AbortController();
    const { signal } = controller;
    this.#calls.set(id, controller);
    const late = new Error(`no answer within ${timeoutMs} ms`);
    const timer = timeoutMs > 0 ? setTimeout(() => controller.abort(late), timeoutMs) : undefined;
    try {
      const result = await untilAborted(work(this.#context(request, signal)), signal);
      return signal.aborted ? undefined : result;
    } catch (error) {
      if (signal.aborted && signal.reason !== late) return undefined;
      throw error;
    } finally {
      clearTimeout(timer);
      this.#calls.delete(id);
    }
  }

  #context({ params, outlet }: Request, signal: AbortSignal): McpContext {
    const meta = isRecord(params._meta) ? params._meta : {};
    const token = isId(meta.progressToken) ? meta.progressToken : undefined;
    const peer = this.#peer;
    // What comes late belongs to no request any more.
    const open = (): McpOutlet | undefined => (signal.aborted ? undefined : outlet);
    return {
      signal,
      session: () => this.session(),
      progress: (progress, total, message) => {
        if (token === undefined) return;
        peer.tell(open(), "notifications/progress", {
          progressToken: token,
          progress,
          ...(total !== undefined && { total }),
          ...(message !== undefined && { message }),
        });
      },
      log: (level, data, logger) => peer.log(open(), level, data, logger),
      sample: (asked) => peer.ask(outlet, "sampling", "sampling/createMessage", asked, signal),
      elicit: async (asked) => {
        const said = await peer.ask(outlet, "elicitation", "elicitation/create", asked, signal);
        const { action, content } = said;
        if (action !== "accept" && action !== "decline" && action !== "cancel")
          throw new Error("the client answers with no action");
        return isRecord(content) ? { action, content: { ...content } } : { action };
      },
      release: () => open()?.release?.(),
    };
  }

  /** Ends the machines, and calls with them. */
  async dispose(): Promise<void> {
    for (const controller of this.#calls.values()) controller.abort(new Error("the server ends"));
    this.hangUp();
    this.#tools.dispose();
    this.#resources.dispose();
    await this.#machines.dispose();
  }

  /** The same as `dispose`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}
