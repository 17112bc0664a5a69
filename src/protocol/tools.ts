/**
 * Owns the shape of a host tool on the wire, the bounds on what crosses, and the
 * errors that come back to a guest. Behaviour reference §4.
 */
export const toolLimits = Object.freeze({
  /** An input or result that crosses in one message. A larger one comes in parts, and may be as long as `mostToolBytes` says. */
  jsonBytes: 4 * 1024 * 1024,
  /** Of such a part. */
  partBytes: 512 * 1024,
  jsonDepth: 256,
  /** Parts of one value that is no JSON. */
  values: 500_000,
  toolsPerVm: 256,
  nameChars: 64,
  descriptionChars: 4096,
  schemaBytes: 64 * 1024,
  schemaDepth: 32,
  examples: 16,
  exampleBytes: 4 * 1024,
  errorNameChars: 64,
  errorMessageChars: 8192,
  defaultTimeoutMs: 30_000,
  maxTimeoutMs: 300_000,
  /** Handlers of one runtime that run at the same time; more calls wait. */
  concurrentCalls: 64,
});

/** The longest input or result of a machine with that `limits.valueBytes`. */
export function mostToolBytes(valueBytes: number): number {
  return Math.max(toolLimits.jsonBytes, valueBytes);
}

/** The command that lists the tools of a VM. */
export const toolListCommand = "list-tools";

/** Dots are of namespaces. */
export const toolNamePattern = /^(?=.{1,64}$)[A-Za-z][A-Za-z0-9_-]*(?:\.[A-Za-z][A-Za-z0-9_-]*)*$/;

/** `lookupUser` → `lookup-user`. */
export function kebabCase(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, "$1-$2")
    .replace(/([A-Z]+)([A-Z][a-z])/g, "$1-$2")
    .replace(/_/g, "-")
    .toLowerCase();
}

/** What guests may know of a tool. */
export interface ToolDescriptor {
  name: string;
  aliases: string[];
  description: string;
  /** JSON Schema. */
  inputSchema: Record<string, unknown>;
  examples: { description: string; input: unknown }[];
  timeoutMs: number;
}

/** A failed call, as JSON. Of a handler's error only name and message cross. */
export interface ToolFailure {
  name: string;
  message: string;
  /** Of the table below; never set by a handler. */
  code?: ToolErrorCode;
  /** Where in the input, as `$.a[0]`. */
  path?: string;
}

const toolErrorCodes = Object.freeze([
  "ERR_TOOL_NOT_FOUND",
  "ERR_TOOL_INPUT",
  "ERR_TOOL_RESULT",
  "ERR_TOOL_TIMEOUT",
  "ERR_TOOL_LIMIT",
  "ERR_TOOL_REFUSED",
] as const);
export type ToolErrorCode = (typeof toolErrorCodes)[number];
