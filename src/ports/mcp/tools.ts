/**
 * Owns the tools of a server: their list, the check of an input, and a call's time and result.
 *
 * Invariants: a handler runs only with an input that its schema accepts; a call is over when its signal is, whether the
 * handler listens to that or not; what a handler throws is a result with `isError`.
 * Untrusted: names and inputs. Schemas and handlers are the owner's.
 */
import type { Schema, Validator } from "@cfworker/json-schema";
import { wireContent } from "./features.js";
import type { McpContext, McpTool } from "./features.js";
import { errorCodes, isRecord, messageOf, RequestError } from "./protocol.js";

interface Result {
  content: readonly unknown[];
  structuredContent?: Record<string, unknown>;
  isError: boolean;
}

const noParameters = { type: "object", additionalProperties: false };
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

export class Toolbox {
  readonly #tools: ReadonlyMap<string, McpTool>;
  readonly #timeoutMs: number;
  readonly #outputChars: number;
  readonly #validators = new Map<string, Validator>();

  /** Throws for a name that two tools have. */
  constructor(
    tools: readonly Readonly<Record<string, McpTool>>[],
    { timeoutMs, outputChars }: { timeoutMs: number; outputChars: number },
  ) {
    const all = new Map<string, McpTool>();
    for (const [name, tool] of tools.flatMap((each) => Object.entries(each))) {
      if (all.has(name)) throw new Error(`two tools would have the name ${name}`);
      all.set(name, tool);
    }
    this.#tools = all;
    this.#timeoutMs = timeoutMs;
    this.#outputChars = outputChars;
  }

  list(): { tools: unknown[] } {
    const described = [...this.#tools].map(([name, tool]) => {
      const { handler: _handler, timeoutMs: _timeoutMs, ...shown } = tool;
      return { name, inputSchema: noParameters, ...shown };
    });
    return { tools: described };
  }

  /** Milliseconds that a call of the tool may take, 0 for no bound. Throws for a tool that there is not. */
  timeoutOf(name: string): number {
    return this.#named(name).timeoutMs ?? this.#timeoutMs;
  }

  /** Rejects only when the context's signal is over. */
  async call(name: string, given: unknown, context: McpContext): Promise<Result> {
    const tool = this.#named(name);
    const input = given ?? {};
    if (!isRecord(input)) return failed("arguments must be an object");
    const problem = await this.#problem(name, tool, input);
    if (problem !== undefined) return failed(`${name}: ${problem}`);
    try {
      const running = Promise.resolve().then(() => tool.handler({ ...input }, context));
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

  #named(name: string): McpTool {
    const tool = this.#tools.get(name);
    if (tool === undefined) throw new RequestError(errorCodes.params, `there is no tool ${name}`);
    return tool;
  }

  /** What the schema has against an input; undefined for nothing. */
  async #problem(name: string, tool: McpTool, input: object): Promise<string | undefined> {
    let validator = this.#validators.get(name);
    if (validator === undefined) {
      const library = await import("@cfworker/json-schema");
      const schema = (tool.inputSchema ?? noParameters) as Schema;
      validator = new library.Validator(schema, "2020-12", true);
      this.#validators.set(name, validator);
    }
    const { valid, errors } = validator.validate(input);
    // The last one is the innermost reason; those before it lead there.
    return valid ? undefined : (errors.at(-1)?.error ?? "not what the schema says");
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
