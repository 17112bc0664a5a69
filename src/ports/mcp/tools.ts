/**
 * Owns the tools of a server: their list, the check of an input, and a call's time and result.
 *
 * Invariants: a handler runs only with an input that its schema accepts; a call is over when its signal is, whether the
 * handler listens to that or not; what a handler throws is a result with `isError`.
 * Untrusted: names and inputs. Schemas and handlers are the owner's.
 */
import { SchemaJudge } from "../../sdk/schema-judge.js";
import { schemaCheck } from "../../sdk/tool-schema.js";
import type { InputCheck } from "../../sdk/tool-schema.js";
import { wireContent } from "./features.js";
import type { McpContext, McpTool } from "./features.js";
import { errorCodes, isRecord, messageOf, RequestError } from "./protocol.js";

interface Result {
  content: readonly unknown[];
  structuredContent?: Record<string, unknown>;
  isError: boolean;
}

const noParameters = { type: "object", additionalProperties: false };

interface Checked {
  tool: McpTool;
  check: InputCheck;
  /** As clients are shown it. */
  inputSchema: unknown;
}

const failed = (text: string): Result => ({ content: [{ type: "text", text }], isError: true });

/** What becomes of `work`, unless `signal` is over first. Rejects with its reason then. */
export function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const over = (): void => reject(signal.reason as Error);
    if (signal.aborted) return over();
    signal.addEventListener("abort", over);
    const settled = (): void => signal.removeEventListener("abort", over);
    work.then(
      (value) => {
        settled();
        resolve(value);
      },
      (error: unknown) => {
        settled();
        reject(error as Error);
      },
    );
  });
}

/** The JSON text of what was JSON; undefined where it is nested more deeply than the engine goes. */
function textOf(input: object): Uint8Array | undefined {
  try {
    return Buffer.from(JSON.stringify(input));
  } catch {
    return undefined;
  }
}

export class Toolbox {
  readonly #tools: ReadonlyMap<string, Checked>;
  readonly #timeoutMs: number;
  readonly #outputChars: number;
  /** Clients choose the inputs, so that what takes long must not be judged on the server's own thread. */
  readonly #judge = new SchemaJudge();

  /** Throws for a name that two tools have, and INVALID_OPTION for a schema that is none. */
  constructor(
    tools: readonly Readonly<Record<string, McpTool>>[],
    { timeoutMs, outputChars }: { timeoutMs: number; outputChars: number },
  ) {
    const all = new Map<string, Checked>();
    for (const [name, tool] of tools.flatMap((each) => Object.entries(each))) {
      if (all.has(name)) throw new Error(`two tools would have the name ${name}`);
      const option = `tools.${name}.inputSchema`;
      const { check, jsonSchema } = schemaCheck(option, tool.inputSchema ?? noParameters);
      all.set(name, { tool, check, inputSchema: jsonSchema });
    }
    this.#tools = all;
    this.#timeoutMs = timeoutMs;
    this.#outputChars = outputChars;
  }

  list(): { tools: unknown[] } {
    const described = [...this.#tools].map(([name, { tool, inputSchema }]) => {
      const { handler: _handler, timeoutMs: _timeoutMs, ...shown } = tool;
      return { ...shown, name, inputSchema };
    });
    return { tools: described };
  }

  /** Milliseconds that a call of the tool may take, 0 for no bound. Throws for a tool that there is not. */
  timeoutOf(name: string): number {
    return this.#named(name).tool.timeoutMs ?? this.#timeoutMs;
  }

  /** Rejects only when the context's signal is over. */
  async call(name: string, given: unknown, context: McpContext): Promise<Result> {
    const { tool, check } = this.#named(name);
    const input = given ?? {};
    if (!isRecord(input)) return failed("arguments must be an object");
    const { signal } = context;
    const json = textOf(input);
    if (json === undefined) return failed("arguments are nested too deeply");
    const checked = await check(input, json, { judge: this.#judge, signal });
    signal.throwIfAborted();
    if ("violation" in checked) {
      const { path, problem } = checked.violation;
      return failed(`${name}: ${path}: ${problem}`);
    }
    try {
      const accepted = checked.value as Record<string, unknown>;
      const running = Promise.resolve().then(() => tool.handler(accepted, context));
      const answer = await untilAborted(running, context.signal);
      if (typeof answer === "string") return this.#bounded({ ...failed(answer), isError: false });
      const { content, structuredContent, isError = false } = answer;
      return this.#bounded({
        content: content.map(wireContent),
        ...(structuredContent !== undefined && { structuredContent }),
        isError,
      });
    } catch (error) {
      context.signal.throwIfAborted();
      return this.#bounded(failed(messageOf(error)));
    }
  }

  /** Ends the thread that judges inputs; whatever waits for it is refused. */
  dispose(): void {
    this.#judge.close();
  }

  #named(name: string): Checked {
    const tool = this.#tools.get(name);
    if (tool === undefined) throw new RequestError(errorCodes.params, `there is no tool ${name}`);
    return tool;
  }

  #bounded(result: Result): Result {
    const limit = this.#outputChars;
    const cut = (part: unknown): unknown => {
      if (!isRecord(part) || typeof part.text !== "string" || part.text.length <= limit)
        return part;
      const rest = part.text.length - limit;
      return { ...part, text: `${part.text.slice(0, limit)}\n[${rest} characters more]` };
    };
    return { ...result, content: result.content.map(cut) };
  }
}
