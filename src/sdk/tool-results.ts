/**
 * Owns what of a handler's outcome goes back into the machine: its result as bytes, or the name and message of its
 * error.
 *
 * Untrusted: nothing; a result is the host's, but may be anything.
 */
import type { ToolFailure } from "../protocol/tools.js";
import { NotStructured } from "../protocol/structured.js";
import { encodeStructured } from "../protocol/structured-write.js";
import { ToolForm, holdsBytes, inForm } from "../protocol/tool-values.js";
import { toolLimits } from "../protocol/tools.js";
import { dropProtoKeys } from "./json.js";
import type { Tool } from "./tool-definitions.js";

export type Encoded = { json: Uint8Array } | { failure: ToolFailure };

/** A result of at most `most` bytes as it travels. */
export function encodeResult(
  name: string,
  result: unknown,
  encoding: Tool["encoding"] = "json",
  most: number = toolLimits.jsonBytes,
): Encoded {
  const bad = (
    problem: string,
    code: "ERR_TOOL_RESULT" | "ERR_TOOL_LIMIT" = "ERR_TOOL_RESULT",
  ) => ({
    failure: { name: "ToolResultError", message: `the result of ${name} ${problem}`, code },
  });
  let text: string | undefined;
  try {
    if (encoding === "structured" || holdsBytes(result))
      return { json: structuredResult(result, most) };
    text = JSON.stringify(result);
  } catch (error) {
    if (error instanceof NotStructured)
      return error.path === "$" && error.message.startsWith("over ")
        ? bad("is too large", "ERR_TOOL_LIMIT")
        : bad(`has ${error.message} at ${error.path}`);
    return bad("is not JSON: it has a cycle, a BigInt or a getter that throws");
  }
  if (text === undefined) {
    return result === undefined ? { json: new Uint8Array(0) } : bad(`is a ${typeof result}`);
  }
  if (text.length > most) return bad("is too large", "ERR_TOOL_LIMIT");
  if (text.includes("__proto__")) {
    const value: unknown = JSON.parse(text);
    dropProtoKeys(value);
    text = JSON.stringify(value);
  }
  const json = Buffer.from(text);
  return json.length > most ? bad("is too large", "ERR_TOOL_LIMIT") : { json };
}

function structuredResult(result: unknown, most: number): Uint8Array {
  const bytes = encodeStructured(result, most - 1, toolLimits.jsonDepth);
  return inForm(ToolForm.structured, bytes);
}

function textOf(error: object, key: "name" | "message", fallback: string, limit: number): string {
  try {
    const text: unknown = Reflect.get(error, key);
    return (typeof text === "string" ? text : fallback).slice(0, limit);
  } catch {
    return fallback;
  }
}

/** Name and message of what a handler threw; nothing else of it is for the guest. */
export function handlerFailure(error: unknown): ToolFailure {
  const { errorNameChars, errorMessageChars } = toolLimits;
  if (typeof error !== "object" || error === null) {
    const message = typeof error === "string" ? error : "the host tool failed";
    return { name: "Error", message: message.slice(0, errorMessageChars) };
  }
  return {
    name: textOf(error, "name", "Error", errorNameChars),
    message: textOf(error, "message", "the host tool failed", errorMessageChars),
  };
}

export function encodeFailure(refused: ToolFailure): Uint8Array {
  return Buffer.from(JSON.stringify(refused));
}
