/**
 * Owns the playground's HTTP server: a page, its events, and its requests, for one machine on this host.
 *
 * Invariants: it listens on 127.0.0.1 and nowhere else; admission.ts sees every request before anything else does; a
 * body has a bound. Untrusted: every request.
 */
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { Doorkeeper } from "./admission.js";
import { loadAssets, safeHeaders } from "./assets.js";
import { EventHub } from "./events.js";
import type { PlaygroundRequests } from "./messages.js";
import { failureOf } from "./plain.js";
import { Refusal, Session } from "./session.js";
import type { SessionOptions } from "./session.js";
import { faultOf, isRequest } from "./shapes.js";

const bodyBytes = 8 * 1024 * 1024;
const address = "127.0.0.1";

export interface PlaygroundOptions extends SessionOptions {
  /** 0 for a free one. */
  readonly port: number;
}

export interface Playground {
  /** With the token, to be opened in a browser. */
  readonly url: string;
  close(): Promise<void>;
}

class Serving {
  readonly #hub = new EventHub();
  readonly #assets = loadAssets();
  readonly #session: Session;
  readonly #door: Doorkeeper;

  constructor(options: PlaygroundOptions, door: Doorkeeper) {
    this.#door = door;
    this.#session = new Session(options, this.#hub);
  }

  open(): Promise<void> {
    return this.#session.open();
  }

  async answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    for (const [name, value] of Object.entries(safeHeaders)) response.setHeader(name, value);
    const { method = "", url = "", headers } = request;
    const admitted = this.#door.admit({ method, url, headers });
    if (!("path" in admitted)) return refuse(response, admitted.status, admitted.why);
    const { path } = admitted;
    if (method === "POST") return this.#request(path, request, response);
    if (method !== "GET") return refuse(response, 405, "there is GET and POST");
    if (path === "events") return this.#events(request, response);
    const asset = this.#assets.get(path);
    if (asset === undefined) return refuse(response, 404, "there is no such page");
    response.writeHead(200, { "content-type": asset.type }).end(asset.bytes);
  }

  #events({ headers }: http.IncomingMessage, response: http.ServerResponse): void {
    const last = Number(headers["last-event-id"] ?? 0);
    const seen = Number.isSafeInteger(last) && last > 0 ? last : 0;
    if (!this.#hub.attach(response, seen)) refuse(response, 429, "too many pages are open");
  }

  async #request(
    name: string,
    request: http.IncomingMessage,
    response: http.ServerResponse,
  ): Promise<void> {
    if (!isRequest(name)) return refuse(response, 404, "there is no such request");
    const text = await bodyOf(request);
    if (text === undefined) return refuse(response, 413, "the request is too long");
    let body: unknown;
    try {
      body = JSON.parse(text);
    } catch {
      return refuse(response, 400, "the request is no JSON");
    }
    const fault = faultOf(name, body);
    if (fault !== undefined) return refuse(response, 400, `the request ${fault}`);
    try {
      // The shape was checked for that name.
      const handler = this.#session.handlers[name] as (asked: unknown) => unknown;
      const answer = (await handler(body)) as PlaygroundRequests[typeof name][1];
      say(response, 200, answer);
    } catch (error) {
      say(response, error instanceof Refusal ? 409 : 422, { error: failureOf(error) });
    }
  }

  async close(): Promise<void> {
    await this.#session.close();
    this.#hub.close();
  }
}

function say(response: http.ServerResponse, status: number, value: object): void {
  if (response.destroyed) return;
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
}

function refuse(response: http.ServerResponse, status: number, why: string): void {
  // What was not read of a body is not waited for.
  response.setHeader("connection", "close");
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8" }).end(`${why}\n`);
}

/** The text of a body, or undefined for one that is too long. */
async function bodyOf(request: http.IncomingMessage): Promise<string | undefined> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request) {
    bytes += (part as Buffer).byteLength;
    if (bytes > bodyBytes) return undefined;
    parts.push(part as Buffer);
  }
  return Buffer.concat(parts).toString("utf8");
}

/** Makes a machine and serves the page for it. Rejects with what `NodeRuntime.create` and `listen` do. */
export async function servePlayground(options: PlaygroundOptions): Promise<Playground> {
  const server = http.createServer();
  server.listen(options.port, address);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const door = new Doorkeeper(port);
  const serving = new Serving(options, door);
  try {
    await serving.open();
  } catch (error) {
    server.close();
    throw error;
  }
  server.on("request", (request, response) => {
    serving.answer(request, response).catch(() => {
      if (!response.headersSent) response.writeHead(500);
      response.end();
    });
  });
  return {
    url: `http://${address}:${port}/${door.token}/`,
    close: async () => {
      server.close();
      await serving.close();
      server.closeAllConnections();
    },
  };
}
