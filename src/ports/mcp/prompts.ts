/**
 * Owns the prompts of a server, which are all its owner's.
 * Untrusted: names and arguments.
 */
import { wireContent } from "./features.js";
import type { McpCompletion, McpContext, McpFeatures, McpPrompt } from "./features.js";
import { errorCodes, isRecord, RequestError } from "./protocol.js";

export class Prompts {
  readonly #prompts: ReadonlyMap<string, McpPrompt>;

  constructor({ prompts = {} }: McpFeatures) {
    this.#prompts = new Map(Object.entries(prompts));
  }

  list(): { prompts: unknown[] } {
    const prompts = [...this.#prompts].map(([name, { get: _get, arguments: given, ...shown }]) => ({
      name,
      ...shown,
      ...(given !== undefined && {
        arguments: given.map(({ complete: _complete, ...argument }) => argument),
      }),
    }));
    return { prompts };
  }

  async get(name: string, given: unknown, context: McpContext): Promise<unknown> {
    const prompt = this.#named(name);
    const checked = textsOf(given);
    for (const { name: argument, required = false } of prompt.arguments ?? [])
      if (required && checked[argument] === undefined)
        throw new RequestError(errorCodes.params, `${name} needs ${argument}`);
    const made = await prompt.get(checked, context);
    const messages =
      typeof made === "string"
        ? [{ role: "user", content: { type: "text", text: made } }]
        : made.map(({ role, content }) => ({ role, content: wireContent(content) }));
    const { description } = prompt;
    return { ...(description !== undefined && { description }), messages };
  }

  /** What may complete an argument of a prompt. */
  completionOf(name: string, argument: string): McpCompletion {
    const found = this.#named(name).arguments?.find((each) => each.name === argument);
    return found?.complete ?? (() => []);
  }

  #named(name: string): McpPrompt {
    const prompt = this.#prompts.get(name);
    if (prompt === undefined)
      throw new RequestError(errorCodes.params, `there is no prompt ${name}`);
    return prompt;
  }
}

/** An object whose values are all texts. */
export function textsOf(given: unknown): Readonly<Record<string, string>> {
  const entries = Object.entries(isRecord(given) ? given : {});
  for (const [name, value] of entries)
    if (typeof value !== "string")
      throw new RequestError(errorCodes.params, `${name} must be a string`);
  return Object.fromEntries(entries) as Record<string, string>;
}
