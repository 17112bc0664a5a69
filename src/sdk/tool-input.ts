/**
 * Owns the input of a call of a host tool: bytes become a value that its schema accepts, or a failure.
 *
 * Invariant: no own `__proto__` key comes through. Untrusted: every byte.
 */
import type { ToolFailure } from "../protocol/tools.js";
import { StructuredRefused } from "../protocol/structured.js";
import { decodeStructured } from "../protocol/structured-read.js";
import { ToolForm } from "../protocol/tool-values.js";
import { toolLimits } from "../protocol/tools.js";
import { JsonRefused, parseJson } from "./json.js";
import { inSteps } from "./steps.js";
import type { Tool } from "./tool-definitions.js";

/** An input: as it was meant, as JSON Schema looks at it, and the JSON text of that. */
export interface DecodedInput {
  value: unknown;
  plain: unknown;
  text: Uint8Array;
}

export async function decodeInput(
  bytes: Uint8Array,
  encoding: Tool["encoding"],
  most: number,
): Promise<DecodedInput | { failure: ToolFailure }> {
  const bad = (problem: string): { failure: ToolFailure } => ({
    failure: {
      name: "ToolInputSchemaViolation",
      message: `ToolInputSchemaViolation at $: ${problem}`,
      code: "ERR_TOOL_INPUT",
      path: "$",
    },
  });
  if (bytes.byteLength > most) return bad("the input is too large");
  try {
    if (bytes[0] === ToolForm.structured) {
      const bounds = { depth: toolLimits.jsonDepth, values: toolLimits.values };
      const value = await inSteps(decodeStructured(bytes.subarray(1), bounds));
      const plain = plainOf(value, encoding === "structured");
      if (plain === undefined) return bad("the tool takes JSON and bytes");
      return {
        value,
        plain: plain.value,
        text: Buffer.from(JSON.stringify(plain.value) ?? "null"),
      };
    }
    const value = await inSteps(parseJson(bytes, toolLimits.jsonDepth));
    return { value, plain: value, text: bytes };
  } catch (error) {
    if (error instanceof StructuredRefused)
      return bad(error.why === "form" ? "not well-formed" : `too many ${error.why}`);
    if (!(error instanceof JsonRefused)) throw error;
    return bad(
      {
        depth: `nested deeper than ${toolLimits.jsonDepth} levels`,
        entries: "too many keys",
        syntax: "not well-formed JSON",
      }[error.why],
    );
  }
}

/**
 * What a JSON Schema sees of a structured value: an empty object for bytes, and where `all` may be there for what else
 * JSON has not; otherwise undefined for such a value.
 */
function plainOf(root: unknown, all: boolean): { value: unknown } | undefined {
  const seen = new Map<object, unknown>();
  let whole = true;
  const copy = (value: unknown): unknown => {
    if (typeof value === "bigint" || value === undefined) {
      whole &&= all || value === undefined;
      return value === undefined ? undefined : String(value);
    }
    if (typeof value !== "object" || value === null) return value;
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return {};
    if (seen.has(value)) {
      whole &&= all;
      return {};
    }
    seen.set(value, true);
    if (Array.isArray(value)) return value.map(copy);
    if (
      value instanceof Date ||
      value instanceof Map ||
      value instanceof Set ||
      value instanceof Error
    ) {
      whole &&= all;
      return value instanceof Date ? String(value.getTime()) : {};
    }
    return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, copy(part)]));
  };
  const value = copy(root);
  return whole ? { value } : undefined;
}
