/**
 * Owns results of tools that a program gets one by one: what a handler yields, and the parts of a result that is too large
 * for one message.
 * Untrusted: nothing; what a handler yields is the host's, but may be anything.
 */
import { toolLimits } from "../protocol/tools.js";
import { ToolForm, inForm } from "../protocol/tool-values.js";
import type { Encoded } from "./tool-results.js";

/** A handler's results that a program reads one by one. */
export interface ResultStream {
  readonly name: string;
  readonly iterator: AsyncIterator<unknown>;
  readonly controller: AbortController;
  /** A value of it as it travels. */
  readonly encode: (value: unknown) => Encoded;
  readonly timeoutMs: number;
}

export const openedStream = Uint8Array.of(ToolForm.stream);
export const endedStream = Uint8Array.of(ToolForm.ended);
export const openedParts = Uint8Array.of(ToolForm.parts);

/** A result that is too large for one message. */
export function partsOf(name: string, json: Uint8Array): ResultStream {
  const size = toolLimits.partBytes;
  async function* parts(): AsyncGenerator<Uint8Array, undefined> {
    for (let at = 0; at < json.byteLength; at += size) yield json.subarray(at, at + size);
    return undefined;
  }
  return {
    name,
    iterator: parts(),
    // The handler has ended: it is told nothing.
    controller: new AbortController(),
    encode: (part) => ({ json: inForm(ToolForm.part, part as Uint8Array) }),
    timeoutMs: 0,
  };
}

export function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return (
    typeof value === "object" &&
    value !== null &&
    typeof (value as Partial<AsyncIterable<unknown>>)[Symbol.asyncIterator] === "function"
  );
}

/** One turn of a handler's stream, within the tool's time; 0 is no bound. */
export async function beforeDeadline({
  name,
  iterator,
  timeoutMs,
}: ResultStream): Promise<IteratorResult<unknown>> {
  if (timeoutMs === 0) return iterator.next();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const message = `the host tool ${name} gave no further value within ${timeoutMs}ms`;
    timer = setTimeout(
      () => reject(Object.assign(new Error(message), { name: "ToolTimeout" })),
      timeoutMs,
    );
  });
  try {
    return await Promise.race([iterator.next(), late]);
  } finally {
    clearTimeout(timer);
  }
}
