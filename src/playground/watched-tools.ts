/**
 * Owns the host's tools as the playground offers them: each call is shown as it goes, and may wait for the person who
 * looks.
 *
 * Invariants: a tool's own approval is asked as well, after the person's; a call whose program is gone waits for
 * nobody; what is shown of input and result is bounded.
 * Untrusted: inputs, which programs choose.
 */
import type { HostToolApproval, HostToolCall, HostToolDefinition, HostTools } from "../index.js";
import type { ToolCall, ToolState } from "./messages.js";
import { jsonText } from "./plain.js";

const refusedByPerson = "refused in the playground";

/** What there is to call where the command line names no tools. */
export const exampleTools: HostTools = {
  add: {
    description: "Add two numbers",
    inputSchema: {
      type: "object",
      properties: { a: { type: "number" }, b: { type: "number" } },
      required: ["a", "b"],
    },
    handler: ({ a, b }: { a: number; b: number }) => ({ sum: a + b }),
  },
};

export class WatchedTools {
  readonly #tell: (call: ToolCall) => void;
  readonly #waiting = new Map<number, (approve: boolean) => void>();
  #next = 1;
  /** Whether each call waits for an answer. */
  ask = false;

  constructor(tell: (call: ToolCall) => void) {
    this.#tell = tell;
  }

  /** Answers a call that waits; false where none does by that number. */
  answer(id: number, approve: boolean): boolean {
    const settle = this.#waiting.get(id);
    settle?.(approve);
    return settle !== undefined;
  }

  wrap(tools: HostTools): HostTools {
    return Object.fromEntries(
      Object.entries(tools).map(([name, definition]) => [name, this.#wrapped(name, definition)]),
    );
  }

  #wrapped(tool: string, definition: HostToolDefinition): HostToolDefinition {
    const handler = definition.handler ?? definition.execute;
    if (handler === undefined) return definition;
    // Approval and handler of one call get the same input, and nothing else in common.
    const ids = new WeakMap<object, number>();
    const idOf = (input: unknown): number => {
      const known = typeof input === "object" && input !== null ? ids.get(input) : undefined;
      const id = known ?? this.#next++;
      if (typeof input === "object" && input !== null) ids.set(input, id);
      return id;
    };
    const say = (id: number, state: ToolState, input: unknown, result = ""): void =>
      this.#tell({ id, tool, state, input: jsonText(input), result });
    const { execute: _, ...rest } = definition;
    return {
      ...rest,
      approval: async (call) => {
        const id = idOf(call.input);
        const verdict = await this.#approval(id, call, definition, say);
        const refused = typeof verdict === "boolean" ? !verdict : !verdict.approve;
        if (refused) say(id, "failed", call.input, "refused");
        return verdict;
      },
      handler: async (input: unknown, context) => {
        const id = idOf(input);
        say(id, "runs", input);
        try {
          const result = (await handler(input, context)) as unknown;
          say(id, "answered", input, jsonText(result));
          return result;
        } catch (error) {
          say(id, "failed", input, error instanceof Error ? error.message : String(error));
          throw error;
        }
      },
    };
  }

  async #approval(
    id: number,
    call: HostToolCall,
    definition: HostToolDefinition,
    say: (id: number, state: ToolState, input: unknown) => void,
  ): Promise<HostToolApproval> {
    if (this.ask) {
      say(id, "asks", call.input);
      if (!(await this.#person(id, call.signal)))
        return { approve: false, reason: refusedByPerson };
    }
    return definition.approval?.(call) ?? true;
  }

  #person(id: number, signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (approve: boolean): void => {
        this.#waiting.delete(id);
        signal.removeEventListener("abort", gone);
        resolve(approve);
      };
      const gone = (): void => settle(false);
      this.#waiting.set(id, settle);
      signal.addEventListener("abort", gone, { once: true });
      if (signal.aborted) gone();
    });
  }
}
