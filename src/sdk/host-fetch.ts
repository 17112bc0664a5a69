/**
 * Owns requests of the host to a listener in a machine: the simple form and the
 * standard one. Untrusted: everything that comes back.
 */
import type { HostFetchRequest, HostFetchResponse } from "../protocol/host-calls.js";
import { listenOnce } from "./aborts.js";
import { failure, invalidOption } from "./errors.js";
import { KernelRefusal } from "./kernel-connection.js";
import { isPort } from "./listeners.js";
import type { Machine } from "./machine.js";

/** A request to a server in the machine. */
export interface NodeRuntimeFetchInput {
  /** Path and query, beginning with a slash. */
  path: string;
  /**
   * Sent as it is given.
   * @default "GET"
   */
  method?: string;
  /**
   * By name.
   * @default {}
   */
  headers?: Record<string, string>;
  /**
   * Text is sent as UTF-8.
   * @default none
   */
  body?: string | Uint8Array;
}

/** What a server in the machine answered. */
export interface NodeRuntimeFetchResponse {
  /** Of HTTP, as 200. */
  status: number;
  /** As the server said it. */
  statusText: string;
  /** By lower-case name; several values of one name are joined by ", ". */
  headers: Record<string, string>;
  /** Decoded as UTF-8. */
  body: string;
}

export interface FetchCall {
  port: number;
  request: HostFetchRequest;
  body: Uint8Array;
}

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

export function parseFetchInput(port: unknown, input: unknown): FetchCall {
  if (!isPort(port)) throw invalidOption("port", "must be a port from 1 to 65535");
  if (typeof input !== "object" || input === null)
    throw invalidOption("input", "must be an object with a path, or a Request");
  const { path, method = "GET", headers = {}, body = "" } = input as NodeRuntimeFetchInput;
  if (typeof path !== "string" || !path.startsWith("/"))
    throw invalidOption("input.path", "must be a string that begins with a slash");
  if (typeof method !== "string" || !token.test(method))
    throw invalidOption("input.method", "must be the name of an HTTP method");
  if (typeof headers !== "object" || headers === null)
    throw invalidOption("input.headers", "must be an object of strings");
  const own: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const [name, value] of Object.entries(headers)) {
    if (!token.test(name)) throw invalidOption(`input.headers.${name}`, "is no header name");
    if (typeof value !== "string") throw invalidOption(`input.headers.${name}`, "must be a string");
    own[name] = value;
  }
  if (typeof body !== "string" && !(body instanceof Uint8Array))
    throw invalidOption("input.body", "must be a string or a Uint8Array");
  return {
    port,
    request: { method, path, headers: own },
    body: typeof body === "string" ? Buffer.from(body) : body,
  };
}

/** What the standard form of a request says in the simple one. */
export async function callOfRequest(port: unknown, request: Request): Promise<FetchCall> {
  const { pathname, search } = new URL(request.url);
  const headers = Object.fromEntries(request.headers);
  const body = new Uint8Array(await request.arrayBuffer());
  return parseFetchInput(port, { path: pathname + search, method: request.method, headers, body });
}

/** What the machine's server answered, as it said it. */
export interface Fetched extends HostFetchResponse {
  body: Uint8Array;
}

/** Sends it, and takes it back where `signal` is aborted. */
export async function fetched(
  { connection, vm }: Machine,
  { port, request, body }: FetchCall,
  signal: AbortSignal | undefined,
): Promise<Fetched> {
  signal?.throwIfAborted();
  const fetch = connection.newHandle();
  const stopListening = listenOnce(signal, () => connection.send("cancelFetch", { vm, fetch }));
  try {
    const call = { vm, fetch, port, request: JSON.stringify(request), body };
    const answer = await connection.call("fetch", call);
    return { ...(JSON.parse(answer.response) as HostFetchResponse), body: answer.body };
  } catch (error) {
    signal?.throwIfAborted();
    throw error instanceof KernelRefusal ? error.toPublic() : error;
  } finally {
    stopListening();
  }
}

export function simpleResponse({
  status,
  statusText,
  headers,
  body,
}: Fetched): NodeRuntimeFetchResponse {
  const joined: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const [name, value] of headers)
    joined[name] = joined[name] === undefined ? value : `${joined[name]}, ${value}`;
  // A header may have any name; this one would change the prototype of what it is merged into.
  delete joined.__proto__;
  return { status, statusText, headers: { ...joined }, body: Buffer.from(body).toString("utf8") };
}

/** Statuses whose Response must not have a body; fetch standard, null body status. */
const bodiless = new Set([101, 204, 205, 304]);

/** Throws FETCH_FAILED for what HTTP's grammar allows and `Response` does not, as status 999. */
export function standardResponse({ status, statusText, headers, body }: Fetched): Response {
  try {
    const list = new Headers();
    for (const [name, value] of headers) list.append(name, value);
    const content = bodiless.has(status) ? null : new Uint8Array(body);
    return new Response(content, { status, statusText, headers: list });
  } catch (cause) {
    const why = `the answer is no standard response: ${cause instanceof Error ? cause.message : "?"}`;
    throw failure("FETCH_FAILED", { why }, { details: { status } });
  }
}
