/**
 * Owns what messages of the Model Context Protocol look like: JSON-RPC 2.0, its errors, the versions that are spoken.
 * The protocol is modelcontextprotocol.io's.
 */

export type Id = string | number;

/** A message of JSON-RPC 2.0. */
export interface McpMessage {
  jsonrpc: "2.0";
  /** null in the answer to what has none that can be read. */
  id?: Id | null;
  method?: string;
  params?: unknown;
  result?: unknown;
  error?: { code: number; message: string };
}

/** A way to the client. */
export interface McpOutlet {
  /** Hands a message over. What cannot be sent any more is dropped. */
  send: (message: McpMessage) => void;
  /** Lets go of the connection; the client comes back for what follows. Only where the transport has that. */
  release?: () => void;
}

export type Arguments = Readonly<Record<string, unknown>>;

/** Versions whose messages are the same as far as this server goes; the newest first. */
export const protocolVersions: readonly string[] = [
  "2025-11-25",
  "2025-06-18",
  "2025-03-26",
  "2024-11-05",
];

/** JSON-RPC 2.0 section 5.1; `noResource` is the protocol's own, of server/resources. */
export const errorCodes = {
  parse: -32700,
  invalid: -32600,
  noMethod: -32601,
  params: -32602,
  internal: -32603,
  noResource: -32002,
} as const;

/** A request that is wrong: its answer is an error with this code. */
export class RequestError extends Error {
  constructor(
    readonly code: number,
    message: string,
  ) {
    super(message);
  }
}

export const isRecord = (value: unknown): value is Arguments =>
  typeof value === "object" && value !== null && !Array.isArray(value);

export const isId = (value: unknown): value is Id =>
  typeof value === "string" || typeof value === "number";

export const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

export function failureOf(id: Id | null, code: number, message: string): McpMessage {
  return { jsonrpc: "2.0", id, error: { code, message } };
}

/** A parameter that has to be a text. */
export function textOf(params: Arguments, name: string): string {
  const value = params[name];
  if (typeof value !== "string")
    throw new RequestError(errorCodes.params, `${name} must be a string`);
  return value;
}
