/**
 * Owns the server that e2b's unmodified SDKs speak to: the control API and the daemon of each sandbox, on one
 * port, told apart by the sandbox that a request names.
 *
 * Invariants: on loopback by default; a request needs the key, a sandbox's own token, or a signature made with it; a
 * request with a foreign Host or Origin is refused. Untrusted: every request; what machines answer with.
 */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { gunzip } from "node:zlib";
import { promisify } from "node:util";
import { isForeign, isLoopback, isSame } from "../core/loopback.js";
import { bodyOf } from "../core/request-body.js";
import { answer, answerError, ConnectError, errorOf, EventStream, messagesOf } from "./connect.js";
import type { Message } from "./connect.js";
import { ControlApi } from "./control-api.js";
import type { ControlOptions, Reply } from "./control-api.js";
import type { E2bSandbox } from "./sandbox.js";

/** Where the server listens, and how its machines are made. */
export interface E2bServerOptions extends ControlOptions {
  /**
   * A port of the host.
   * @default a free one
   */
  port?: number;
  /** @default 127.0.0.1 */
  host?: string;
  /**
   * What clients give as `apiKey`: `e2b_` and hexadecimal digits, or the SDK refuses it.
   * @default a random one
   */
  apiKey?: string;
  /**
   * Bytes of one upload.
   * @default 256 MiB
   */
  uploadBytes?: number;
}

/** A server that listens. */
export interface E2bServer {
  /** For `E2B_API_URL` and `E2B_SANDBOX_URL`. */
  url: string;
  /** For `E2B_API_KEY`. */
  apiKey: string;
  close: () => Promise<void>;
}

const controlBytes = 1024 * 1024;
const defaultUploadBytes = 256 * 1024 * 1024;
const unzip = promisify(gunzip);
/** Statuses that /files answers errors with. */
const fileStatus: Readonly<Record<string, number>> = {
  not_found: 404,
  invalid_argument: 400,
  permission_denied: 403,
  unauthenticated: 401,
  resource_exhausted: 413,
};

const headerOf = (request: http.IncomingMessage, name: string): string => {
  const value = request.headers[name];
  return Array.isArray(value) ? (value[0] ?? "") : (value ?? "");
};

/** The user of Basic authentication, which has no password here. */
function userOf(request: http.IncomingMessage): string {
  const [kind, text = ""] = headerOf(request, "authorization").split(" ");
  return kind === "Basic" ? (Buffer.from(text, "base64").toString("utf8").split(":")[0] ?? "") : "";
}

class E2bServing {
  readonly #control: ControlApi;
  readonly #host: string;
  readonly #apiKey: string;
  readonly #uploadBytes: number;

  constructor(options: Required<Pick<E2bServerOptions, "host" | "apiKey">> & E2bServerOptions) {
    const { port: _port, host, apiKey, uploadBytes = defaultUploadBytes, ...rest } = options;
    this.#control = new ControlApi(rest);
    this.#host = host;
    this.#apiKey = apiKey;
    this.#uploadBytes = uploadBytes;
  }

  set domain(domain: string) {
    this.#control.domain = domain;
  }

  async answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    if (isForeign(request, this.#host)) return void response.writeHead(403).end();
    const url = new URL(request.url ?? "/", "http://host");
    const [, port, id = ""] = /^(\d+)-([\w-]+)\./.exec(request.headers.host ?? "") ?? [];
    if (port !== undefined) return this.#forward(Number(port), id, request, response);
    const named = headerOf(request, "e2b-sandbox-id");
    if (named !== "") return this.#daemon(this.#control.find(named), url, request, response);
    if (url.pathname === "/files" && url.searchParams.has("signature"))
      return this.#signed(url, request, response);
    if (url.pathname === "/health") return void response.writeHead(204).end();
    return this.#controlled(url, request, response);
  }

  async #controlled(
    url: URL,
    request: http.IncomingMessage,
    response: http.ServerResponse,
  ): Promise<void> {
    const [kind, bearer = ""] = headerOf(request, "authorization").split(" ");
    const key = headerOf(request, "x-api-key") || (kind === "Bearer" ? bearer : "");
    const send = ({ status, body, headers = {} }: Reply): void => {
      const type = body === undefined ? {} : { "content-type": "application/json" };
      response.writeHead(status, { ...headers, ...type });
      response.end(body === undefined ? undefined : JSON.stringify(body));
    };
    if (!isSame(key, this.#apiKey))
      return send({
        status: 401,
        body: { code: 401, message: "the API key is not this server's" },
      });
    const text = await bodyOf(request, controlBytes);
    if (text === undefined) return void response.writeHead(413, { connection: "close" }).end();
    let body: unknown = {};
    try {
      body = text.byteLength === 0 ? {} : JSON.parse(text.toString("utf8"));
    } catch {
      return send({ status: 400, body: { code: 400, message: "the body is no JSON" } });
    }
    const bag = typeof body === "object" && body !== null ? (body as Message) : {};
    const path = url.pathname.split("/").slice(1);
    try {
      send(await this.#control.answer(request.method ?? "", path, url.searchParams, bag));
    } catch (error) {
      const { message } = errorOf(error);
      send({ status: 500, body: { code: 500, message } });
    }
  }

  /** A request to the daemon of a sandbox. */
  async #daemon(
    sandbox: E2bSandbox | undefined,
    url: URL,
    request: http.IncomingMessage,
    response: http.ServerResponse,
  ): Promise<void> {
    // As the proxy in front of the daemons says that there is none: the SDK takes it for the sandbox's end.
    if (sandbox === undefined) {
      const body = { code: 502, message: "The sandbox was not found" };
      return void response
        .writeHead(502, { "content-type": "application/json" })
        .end(JSON.stringify(body));
    }
    if (url.pathname === "/health") return void response.writeHead(204).end();
    if (!isSame(headerOf(request, "x-access-token"), sandbox.accessToken))
      return answerError(
        response,
        new ConnectError("unauthenticated", "the access token is not this sandbox's"),
      );
    if (url.pathname === "/files") return this.#files(sandbox, url, request, response);
    if (url.pathname === "/init" && request.method === "POST") {
      const [{ envVars = {} } = {}] = await messagesOf(request);
      sandbox.session.setEnvironment(envVars as Record<string, string>);
      return void response.writeHead(204).end();
    }
    await this.#call(sandbox, url.pathname.slice(1), request, response);
  }

  /** One call of the two services. */
  async #call(
    sandbox: E2bSandbox,
    method: string,
    request: http.IncomingMessage,
    response: http.ServerResponse,
  ): Promise<void> {
    const { processes, filesystem } = sandbox;
    const user = userOf(request);
    const timing = {
      timeoutMs: Number(headerOf(request, "connect-timeout-ms")) || 0,
      keepaliveMs: (Number(headerOf(request, "keepalive-ping-interval")) || 0) * 1000,
    };
    let stream: EventStream | undefined;
    const open = (): EventStream => (stream = new EventStream(response));
    try {
      const messages = await messagesOf(request);
      const [message = {}] = messages;
      const unary: Readonly<Record<string, () => object | Promise<object>>> = {
        "process.Process/List": () => processes.list(),
        "process.Process/Update": () => processes.update(message),
        "process.Process/StreamInput": () => processes.streamInput(messages),
        "process.Process/SendInput": () => processes.sendInput(message),
        "process.Process/SendSignal": () => processes.sendSignal(message),
        "process.Process/CloseStdin": () => processes.closeStdin(message),
        "filesystem.Filesystem/Stat": () => filesystem.stat(message, user),
        "filesystem.Filesystem/MakeDir": () => filesystem.makeDir(message, user),
        "filesystem.Filesystem/Move": () => filesystem.move(message, user),
        "filesystem.Filesystem/ListDir": () => filesystem.listDir(message, user),
        "filesystem.Filesystem/Remove": () => filesystem.remove(message, user),
        "filesystem.Filesystem/CreateWatcher": () => filesystem.createWatcher(message, user),
        "filesystem.Filesystem/GetWatcherEvents": () => filesystem.getWatcherEvents(message),
        "filesystem.Filesystem/RemoveWatcher": () => filesystem.removeWatcher(message),
      };
      const streams: Readonly<Record<string, () => void | Promise<void>>> = {
        "process.Process/Start": () => processes.start(message, open(), timing),
        "process.Process/Connect": () => processes.connect(message, open(), timing),
        "filesystem.Filesystem/WatchDir": () => filesystem.watchDir(message, open(), timing, user),
      };
      if (Object.hasOwn(streams, method)) return await streams[method]!();
      if (!Object.hasOwn(unary, method))
        throw new ConnectError("unimplemented", `${method} is not there`);
      answer(response, await unary[method]!());
    } catch (error) {
      if (stream !== undefined) stream.end(error);
      else answerError(response, error);
    }
  }

  /** A URL that a client signed for somebody who has no token. */
  async #signed(
    url: URL,
    request: http.IncomingMessage,
    response: http.ServerResponse,
  ): Promise<void> {
    const { searchParams: query } = url;
    const signed = {
      path: query.get("path") ?? "",
      operation: request.method === "POST" ? ("write" as const) : ("read" as const),
      user: query.get("username") ?? "",
      signature: query.get("signature") ?? "",
      expiration: query.get("signature_expiration"),
    };
    for (const sandbox of this.#control.all()) {
      const { ours, why } = sandbox.checkSignature(signed);
      if (!ours) continue;
      if (why === undefined) return this.#files(sandbox, url, request, response);
      return fileError(response, 401, why);
    }
    fileError(response, 401, "invalid signature");
  }

  async #files(
    sandbox: E2bSandbox,
    { searchParams: query }: URL,
    request: http.IncomingMessage,
    response: http.ServerResponse,
  ): Promise<void> {
    const { filesystem } = sandbox;
    const user = query.get("username") ?? "";
    const path = query.get("path");
    try {
      if (request.method === "GET") {
        const content = await filesystem.read(filesystem.resolve(path, user));
        const type = { "content-type": "application/octet-stream" };
        response.writeHead(200, { ...type, "content-length": content.byteLength }).end(content);
        return;
      }
      if (request.method !== "POST") return fileError(response, 405, "GET and POST are there");
      const written: object[] = [];
      const metadata = metadataOf(request);
      for (const file of await this.#uploaded(request, path))
        written.push(
          await filesystem.write(filesystem.resolve(file.path, user), file.content, metadata),
        );
      answer(response, written);
    } catch (error) {
      const { code, message } = errorOf(error);
      fileError(response, fileStatus[code] ?? 500, message);
    }
  }

  /** The files of an upload: its body, or the parts of a form, whose names are their paths. */
  async #uploaded(
    request: http.IncomingMessage,
    path: string | null,
  ): Promise<{ path: string; content: Uint8Array }[]> {
    const tooLong = new ConnectError(
      "resource_exhausted",
      `an upload is at most ${this.#uploadBytes} bytes`,
    );
    let body = await bodyOf(request, this.#uploadBytes);
    if (body === undefined) throw tooLong;
    if (headerOf(request, "content-encoding") === "gzip") {
      try {
        body = await unzip(body, { maxOutputLength: this.#uploadBytes });
      } catch {
        throw new ConnectError("invalid_argument", "the body is no gzip, or too long");
      }
    }
    const type = headerOf(request, "content-type");
    if (!type.startsWith("multipart/form-data")) {
      if (path === null) throw new ConnectError("invalid_argument", "path is missing");
      return [{ path, content: body }];
    }
    const form = await new Response(new Uint8Array(body), { headers: { "content-type": type } })
      .formData()
      .catch(() => {
        throw new ConnectError("invalid_argument", "the body is no form");
      });
    const files: { path: string; content: Uint8Array }[] = [];
    for (const part of form.getAll("file")) {
      const isText = typeof part === "string";
      const content = isText ? Buffer.from(part) : new Uint8Array(await part.arrayBuffer());
      const name = path ?? (isText ? null : part.name);
      if (name === null) throw new ConnectError("invalid_argument", "a part has no file name");
      files.push({ path: name, content });
    }
    return files;
  }

  /** A request to a port of a sandbox, by the host name that the SDK's `getHost` has. */
  async #forward(
    port: number,
    id: string,
    request: http.IncomingMessage,
    response: http.ServerResponse,
  ): Promise<void> {
    const sandbox = this.#control.find(id);
    if (sandbox === undefined) return void response.writeHead(502).end("The sandbox was not found");
    const body = await bodyOf(request, this.#uploadBytes);
    if (body === undefined) return void response.writeHead(413, { connection: "close" }).end();
    const { method = "GET" } = request;
    const headers = Object.entries(request.headers).flatMap(([name, value]) =>
      hopHeaders.has(name) ? [] : [value ?? []].flat().map((one): [string, string] => [name, one]),
    );
    const hasBody = method !== "GET" && method !== "HEAD";
    const forwarded = new Request(`http://localhost:${port}${request.url}`, {
      method,
      headers,
      ...(hasBody && { body: new Uint8Array(body) }),
    });
    try {
      const answered = await sandbox.session.runtime.fetch(port, forwarded);
      response.writeHead(answered.status, Object.fromEntries(answered.headers));
      if (answered.body === null) return void response.end();
      Readable.fromWeb(answered.body as Parameters<typeof Readable.fromWeb>[0])
        .on("error", () => response.destroy())
        .pipe(response);
    } catch (error) {
      if (!response.headersSent) response.writeHead(502);
      response.end(errorOf(error).message);
    }
  }

  dispose(): Promise<void> {
    return this.#control.dispose();
  }
}

/** RFC 9110, 7.6.1: of one connection, and what the forwarder sets itself. */
const hopHeaders = new Set(
  "connection keep-alive proxy-connection transfer-encoding te trailer upgrade content-length host expect".split(
    " ",
  ),
);

function metadataOf({ headers }: http.IncomingMessage): Record<string, string> {
  const prefix = "x-metadata-";
  const found = Object.entries(headers).filter(([name]) => name.startsWith(prefix));
  return Object.fromEntries(
    found.map(([name, value]) => [name.slice(prefix.length), String(value)]),
  );
}

function fileError(response: http.ServerResponse, code: number, message: string): void {
  response
    .writeHead(code, {
      "content-type": "application/json",
      ...(code === 413 && { connection: "close" }),
    })
    .end(JSON.stringify({ code, message }));
}

/**
 * Listens; see docs/ports/e2b.md.
 * @throws {RangeError} for a host that is not loopback without a key.
 * @throws {Error} Node's own, where it cannot listen.
 * @example
 * import { serveE2b } from "secure-exec/e2b";
 *
 * const server = await serveE2b();
 * console.log(server.url);
 * await server.close();
 */
export async function serveE2b(options: E2bServerOptions = {}): Promise<E2bServer> {
  const { port = 0, host = "127.0.0.1" } = options;
  if (!isLoopback(host) && options.apiKey === undefined)
    throw new RangeError("a server that others reach needs an apiKey");
  const apiKey = options.apiKey ?? `e2b_${randomBytes(20).toString("hex")}`;
  const serving = new E2bServing({ ...options, host, apiKey });
  const server = http.createServer((request, response) => {
    serving.answer(request, response).catch(() => {
      if (!response.headersSent) response.writeHead(500);
      response.end();
    });
  });
  // A command may run for as long as its client lets it.
  server.requestTimeout = 0;
  server.listen(port, host);
  await once(server, "listening");
  const bound = (server.address() as AddressInfo).port;
  serving.domain = `localhost:${bound}`;
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${bound}`,
    apiKey,
    close: async () => {
      server.close();
      server.closeAllConnections();
      await serving.dispose();
    },
  };
}
