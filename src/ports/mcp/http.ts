/**
 * Owns the MCP server's HTTP transport ("streamable HTTP"): POST a message, get its answer as JSON.
 * The server sends nothing on its own, so GET is refused, as the protocol allows.
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
import { McpServer } from "./server.js";
import type { McpServerOptions } from "./server.js";

export interface McpHttpOptions extends McpServerOptions {
  /** Default: a free one. */
  port?: number;
  /** Default 127.0.0.1. */
  host?: string;
  /** What clients have to send as `Authorization: Bearer …`. Needed for a host that is not loopback. */
  token?: string;
  /** Sessions, each with machines of its own, at a time. Default 16. */
  sessions?: number;
}

export interface McpHttpServer {
  url: string;
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

class HttpServing {
  readonly #options: McpHttpOptions;
  readonly #sessions = new Map<string, McpServer>();

  constructor(options: McpHttpOptions) {
    this.#options = options;
  }

  /** The status for a request that may not be served, or 0. */
  #refusal(request: http.IncomingMessage): number {
    const { host = "127.0.0.1", token } = this.#options;
    if (isForeign(request, host)) return 403;
    const { headers, url } = request;
    if (token !== undefined && !isSame(headers.authorization ?? "", `Bearer ${token}`)) return 401;
    return new URL(url ?? "/", "http://host").pathname === "/mcp" ? 0 : 404;
  }

  async answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const refused = this.#refusal(request);
    if (refused !== 0) return void response.writeHead(refused).end();
    const id = String(request.headers["mcp-session-id"] ?? "");
    const session = this.#sessions.get(id);
    if (request.method === "DELETE") {
      this.#sessions.delete(id);
      await session?.dispose();
      return void response.writeHead(session === undefined ? 404 : 204).end();
    }
    if (request.method !== "POST")
      return void response.writeHead(405, { allow: "POST, DELETE" }).end();
    const body = await bodyOf(request, bodyBytes);
    if (body === undefined) return void response.writeHead(413, { connection: "close" }).end();
    await this.#post(body.toString("utf8"), session, response);
  }

  async #post(
    body: string,
    known: McpServer | undefined,
    response: http.ServerResponse,
  ): Promise<void> {
    const headers: Record<string, string> = { "content-type": "application/json" };
    let session = known;
    if (session === undefined) {
      // The protocol's sign that a session is over: the client makes a new one.
      if (!isInitialize(body)) return void response.writeHead(404).end();
      const id = randomUUID();
      session = new McpServer(this.#options);
      await this.#makeRoom();
      this.#sessions.set(id, session);
      headers["mcp-session-id"] = id;
    }
    const said = await session.handleText(body);
    if (said === undefined) response.writeHead(202).end();
    else response.writeHead(200, headers).end(JSON.stringify(said));
  }

  async #makeRoom(): Promise<void> {
    const { sessions = defaultSessions } = this.#options;
    for (const [id, oldest] of this.#sessions) {
      if (this.#sessions.size < sessions) return;
      this.#sessions.delete(id);
      await oldest.dispose();
    }
  }

  async dispose(): Promise<void> {
    await Promise.all([...this.#sessions.values()].map((session) => session.dispose()));
    this.#sessions.clear();
  }
}

/** Listens at `http://host:port/mcp`. Rejects for a host that is not loopback without a token. */
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
    close: async () => {
      server.close();
      server.closeAllConnections();
      await serving.dispose();
    },
  };
}
