/**
 * Owns the MCP server's HTTP transport ("streamable HTTP"): POST a message, get its answer; GET what belongs to no
 * request, or the rest of an answer whose connection was lost. What a session is, http-session.ts says.
 *
 * Invariants: on loopback by default; a request with a foreign Host or Origin is refused, so that no
 * web page reaches it by a name that resolves to loopback; a session ends with DELETE or when it
 * is the oldest of too many. Untrusted: every request.
 */
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { isForeign, isLoopback, isSame } from "../core/loopback.js";
import { bodyOf } from "../core/request-body.js";
import { HttpSession } from "./http-session.js";
import { protocolVersions } from "./protocol.js";
import type { McpServerOptions } from "./server.js";

/** Where the server listens, and for whom. */
export interface McpHttpOptions extends McpServerOptions {
  /**
   * A port of the host.
   * @default a free one
   */
  port?: number;
  /** @default 127.0.0.1 */
  host?: string;
  /**
   * What clients have to send as `Authorization: Bearer …`. Needed for a host that is not loopback.
   * @default none: everybody on this host may ask
   */
  token?: string;
  /**
   * Sessions, each with machines of its own, at a time.
   * @default 16
   */
  sessions?: number;
}

/** A server that listens. */
export interface McpHttpServer {
  url: string;
  /** A resource of the owner's has changed: whoever has subscribed to it, in any session, is told. */
  resourceUpdated: (uri: string) => void;
  close: () => Promise<void>;
}

const bodyBytes = 16 * 1024 * 1024;
const defaultSessions = 16;

/** Whether a message begins a session. */
function isInitialize(body: string): boolean {
  try {
    return (JSON.parse(body) as { method?: unknown } | null)?.method === "initialize";
  } catch {
    return false;
  }
}

const takesEvents = ({ headers }: http.IncomingMessage): boolean =>
  (headers.accept ?? "").includes("text/event-stream");

class HttpServing {
  readonly #options: McpHttpOptions;
  readonly #sessions = new Map<string, HttpSession>();

  constructor(options: McpHttpOptions) {
    this.#options = options;
  }

  /** The status for a request that may not be served, or 0. */
  #refusal(request: http.IncomingMessage): number {
    const { host = "127.0.0.1", token } = this.#options;
    if (isForeign(request, host)) return 403;
    const { headers, url } = request;
    if (token !== undefined && !isSame(headers.authorization ?? "", `Bearer ${token}`)) return 401;
    if (new URL(url ?? "/", "http://host").pathname !== "/mcp") return 404;
    const version = headers["mcp-protocol-version"];
    return version === undefined || protocolVersions.includes(String(version)) ? 0 : 400;
  }

  async answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const refused = this.#refusal(request);
    if (refused !== 0) return void response.writeHead(refused).end();
    const id = String(request.headers["mcp-session-id"] ?? "");
    const session = this.#sessions.get(id);
    switch (request.method) {
      case "POST":
        return this.#post(request, session, response);
      case "GET":
        return this.#get(request, session, response);
      case "DELETE":
        this.#sessions.delete(id);
        await session?.dispose();
        return void response.writeHead(session === undefined ? 404 : 204).end();
      default:
        response.writeHead(405, { allow: "POST, GET, DELETE" }).end();
    }
  }

  async #post(
    request: http.IncomingMessage,
    known: HttpSession | undefined,
    response: http.ServerResponse,
  ): Promise<void> {
    const body = await bodyOf(request, bodyBytes);
    if (body === undefined) return void response.writeHead(413, { connection: "close" }).end();
    const text = body.toString("utf8");
    const events = { takesEvents: takesEvents(request) };
    if (known !== undefined) return known.answer(text, response, events);
    // The protocol's sign that a session is over: the client makes a new one.
    if (!isInitialize(text)) return void response.writeHead(404).end();
    const id = randomUUID();
    const session = new HttpSession(this.#options);
    await this.#makeRoom();
    this.#sessions.set(id, session);
    await session.answer(text, response, { ...events, headers: { "mcp-session-id": id } });
  }

  #get(
    request: http.IncomingMessage,
    session: HttpSession | undefined,
    response: http.ServerResponse,
  ): void {
    if (!takesEvents(request)) return void response.writeHead(406).end();
    if (session === undefined) return void response.writeHead(404).end();
    const lastId = request.headers["last-event-id"];
    const isThere = session.listen(response, lastId === undefined ? undefined : String(lastId));
    if (!isThere) response.writeHead(400).end();
  }

  async #makeRoom(): Promise<void> {
    const { sessions = defaultSessions } = this.#options;
    for (const [id, oldest] of this.#sessions) {
      if (this.#sessions.size < sessions) return;
      this.#sessions.delete(id);
      await oldest.dispose();
    }
  }

  resourceUpdated(uri: string): void {
    for (const { server } of this.#sessions.values()) server.resourceUpdated(uri);
  }

  async dispose(): Promise<void> {
    await Promise.all([...this.#sessions.values()].map((session) => session.dispose()));
    this.#sessions.clear();
  }
}

/**
 * Listens at `http://host:port/mcp`.
 * @throws {RangeError} for a host that is not loopback without a token.
 * @throws {Error} Node's own, where it cannot listen; where two tools have one name.
 * @example
 * import { serveMcpHttp } from "secure-exec/mcp";
 *
 * const server = await serveMcpHttp();
 * console.log(server.url);
 * await server.close();
 */
export async function serveMcpHttp(options: McpHttpOptions = {}): Promise<McpHttpServer> {
  const { port = 0, host = "127.0.0.1", token } = options;
  if (!isLoopback(host) && token === undefined)
    throw new RangeError("a server that others reach needs a token");
  const serving = new HttpServing(options);
  const server = http.createServer((request, response) => {
    serving.answer(request, response).catch(() => {
      if (!response.headersSent) response.writeHead(500);
      response.end();
    });
  });
  server.listen(port, host);
  await once(server, "listening");
  const bound = (server.address() as AddressInfo).port;
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${bound}/mcp`,
    resourceUpdated: (uri) => serving.resourceUpdated(uri),
    close: async () => {
      server.close();
      server.closeAllConnections();
      await serving.dispose();
    },
  };
}
