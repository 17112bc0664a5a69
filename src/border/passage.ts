/**
 * Owns one connection of a program to a server, whose requests are read here and written anew: each as
 * the kernel allows it, with what the host adds.
 *
 * Invariants: nothing of a request leaves before the kernel has allowed it; a request goes to the host
 * that it names and that the connection was made to, or not at all; requests of a connection go one after
 * the other; what was added does not come back in clear text.
 * Untrusted: everything from either side. Parsed by Node's own parser, which is strict.
 */
import { Agent, request as requestOf } from "node:http";
import type { ClientRequest, IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { pipeline } from "node:stream";
import type { Control } from "./control.js";
import type { Facts, Verdict } from "./wire.js";
import { Redactor, formsOf, redactText } from "./redact.js";

/** Requests of one connection that may have begun to come in. */
const mostPipelined = 16;
const mostPathChars = 16 * 1024;

/** Of the connection, not of the request (RFC 9110, 7.6.1): each side has its own. */
const hopByHop = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Hands out the one connection to the server, as often as it is free. */
class OneServer extends Agent {
  #connection: Duplex | undefined;

  constructor(connection: Duplex) {
    super({ keepAlive: true, maxSockets: 1 });
    this.#connection = connection;
  }

  override createConnection(): Duplex {
    const connection = this.#connection;
    if (connection === undefined) throw new Error("the server ended the connection");
    this.#connection = undefined;
    return connection;
  }
}

/** A request that is not made: what the program is answered. */
class Refused extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** Name and value in turn, as pairs. */
function pairsOf(raw: readonly string[]): [name: string, value: string][] {
  const pairs: [string, string][] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) pairs.push([raw[at]!, raw[at + 1]!]);
  return pairs;
}

/** The name that a Host header has, or undefined where its port is not the connection's. */
function hostOf(header: string, port: number, secure: boolean): string | undefined {
  const [, bracketed, plain, given] =
    /^(?:\[([^\]]*)\]|([^:[\]/@\s]*))(?::(\d{1,5}))?$/.exec(header) ?? [];
  const named = given === undefined ? (secure ? 443 : 80) : Number(given);
  const name = (bracketed ?? plain ?? "").toLowerCase().replace(/\.$/, "");
  return named === port && name !== "" ? name : undefined;
}

/** With each name of `query` once, whatever there was of it before. */
function withQuery(target: string, query: readonly [string, string][]): string {
  if (query.length === 0) return target;
  const mark = target.indexOf("?");
  const path = mark === -1 ? target : target.slice(0, mark);
  const names = new Set(query.map(([name]) => name));
  const nameOf = (part: string): string => {
    const text = part.split("=", 1)[0]!.replaceAll("+", " ");
    try {
      return decodeURIComponent(text);
    } catch {
      return text;
    }
  };
  const kept =
    mark === -1
      ? []
      : target
          .slice(mark + 1)
          .split("&")
          .filter((part) => part !== "" && !names.has(nameOf(part)));
  const added = query.map((pair) => pair.map(encodeURIComponent).join("="));
  return `${path}?${[...kept, ...added].join("&")}`;
}

interface Ready {
  /** Name and value in turn. */
  headers: string[];
  path: string;
  secrets: string[];
}

export interface PassageOptions {
  facts: Facts;
  /** What TLS has proven, and the only host of the connection's requests; undefined without TLS. */
  serverName: string | undefined;
  /** The connection to the server, when it is there. */
  server: Promise<Duplex>;
  control: Control;
}

export class Passage {
  readonly #facts: Facts;
  readonly #serverName: string | undefined;
  readonly #agent: Promise<OneServer>;
  readonly #control: Control;
  #turn: Promise<void> = Promise.resolve();
  #begun = 0;

  constructor({ facts, serverName, server, control }: PassageOptions) {
    this.#facts = facts;
    this.#serverName = serverName;
    this.#control = control;
    this.#agent = server.then((connection) => new OneServer(connection));
    // Whoever asks hears of it.
    this.#agent.catch(() => undefined);
  }

  /** `expects`: the program waits for "100 Continue" before it sends the body. */
  request(incoming: IncomingMessage, response: ServerResponse, expects = false): void {
    if (++this.#begun > mostPipelined) return void incoming.socket.destroy();
    const before = this.#turn;
    const work = async (): Promise<void> => {
      await before;
      try {
        const ready = await this.#judged(incoming);
        await this.#forward(incoming, response, ready, expects);
      } catch (error) {
        refuse(incoming, response, error);
      } finally {
        this.#begun--;
      }
    };
    this.#turn = work();
  }

  /** Calls `then` when the requests that have begun are answered. */
  whenIdle(then: () => void): void {
    void this.#turn.then(then);
  }

  upgrade(incoming: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on("error", () => socket.destroy());
    const work = async (): Promise<void> => {
      await this.#turn;
      const ready = await this.#judged(incoming);
      const outgoing = await this.#begin(
        incoming,
        [...ready.headers, "Connection", "Upgrade", "Upgrade", "websocket"],
        ready.path,
      );
      outgoing.on("error", () => socket.destroy());
      outgoing.on("response", (answer) => {
        // The server stays with HTTP: its answer is the last of the connection.
        socket.write(headOf(answer, ready.secrets, ["Connection", "close"]));
        pipeline(answer, new Redactor(ready.secrets), socket, () => socket.destroy());
      });
      outgoing.on("upgrade", (answer, server, first) => {
        socket.write(
          headOf(answer, ready.secrets, ["Connection", "Upgrade", "Upgrade", "websocket"]),
        );
        if (first.length > 0) socket.write(first);
        if (head.length > 0) server.write(head);
        splice(socket, server);
      });
      outgoing.end();
    };
    work().catch((error: unknown) => {
      const { status, message } = refusalOf(error);
      socket.end(
        `HTTP/1.1 ${status} Refused\r\nConnection: close\r\nContent-Length: ${Buffer.byteLength(message)}\r\n\r\n${message}`,
      );
    });
  }

  /** The request as it may go. Throws `Refused`. */
  async #judged(incoming: IncomingMessage): Promise<Ready> {
    const { method = "", url = "", rawHeaders } = incoming;
    if (incoming.httpVersionMajor !== 1) throw new Refused(505, "requests are HTTP/1.1");
    const headers = pairsOf(rawHeaders);
    const hosts = headers.filter(([name]) => name.toLowerCase() === "host");
    if (hosts.length !== 1) throw new Refused(400, "a request names exactly one host");
    const secure = this.#serverName !== undefined;
    const host = hostOf(hosts[0]![1], this.#facts.port, secure);
    const { guarded, others } = this.#facts;
    const known = secure ? [this.#serverName!] : [...guarded, ...others];
    if (host === undefined || !known.includes(host))
      throw new Refused(421, "the connection was not made to the host that the request names");
    const target = url.startsWith("/") || (url === "*" && method === "OPTIONS");
    if (!target || url.length > mostPathChars || !/^[\x21\x22\x24-\x7e]+$/.test(url))
      throw new Refused(400, "a request's target is a path");
    const coding = headers.filter(([name]) => name.toLowerCase() === "transfer-encoding");
    if (coding.some(([, value]) => value.trim().toLowerCase() !== "chunked"))
      throw new Refused(501, "the only transfer coding of a request is chunked");
    const kept = headers.filter(
      ([name]) => !hopByHop.has(name.toLowerCase()) || name.toLowerCase() === "transfer-encoding",
    );
    if (!guarded.includes(host)) return { headers: kept.flat(), path: url, secrets: [] };
    // Nothing is asked for a server that is not who it says.
    await this.#agent;
    // It repeats the request, and what was added to it.
    if (method === "TRACE" || method === "TRACK")
      throw new Refused(405, `${method} is not passed on`);
    const { pair } = this.#facts;
    const verdict = await this.#control.ask({
      pair,
      host,
      secure,
      method,
      path: url,
      headers: rawHeaders,
    });
    if (!verdict.allow) throw new Refused(verdict.status, verdict.text);
    return prepared(kept, url, verdict);
  }

  async #begin(incoming: IncomingMessage, headers: string[], path: string): Promise<ClientRequest> {
    const agent = await this.#agent;
    const { method = "GET" } = incoming;
    return requestOf({ agent, method, path, headers, setHost: false, maxHeaderSize: 64 * 1024 });
  }

  async #forward(
    incoming: IncomingMessage,
    response: ServerResponse,
    { headers, path, secrets }: Ready,
    expects: boolean,
  ): Promise<void> {
    const outgoing = await this.#begin(incoming, headers, path);
    const hasBody =
      incoming.headers["transfer-encoding"] !== undefined ||
      incoming.headers["content-length"] !== undefined;
    return new Promise((resolve, reject) => {
      const gone = (): void => {
        outgoing.destroy();
        resolve();
      };
      response.on("close", gone);
      outgoing.on("error", (error) => {
        if (!response.headersSent) return reject(error);
        // The program must not take what came so far for all of it.
        incoming.socket.destroy();
        resolve();
      });
      let sending = false;
      const send = (): void => {
        if (sending) return;
        sending = true;
        incoming.off("readable", send);
        incoming.pipe(outgoing);
      };
      outgoing.on("continue", () => {
        response.writeContinue();
        send();
      });
      outgoing.on("response", (answer) => {
        // Without its body, nobody knows where the next request begins.
        const cut = !incoming.complete && expects;
        response.sendDate = false;
        const raw = answerHeaders(answer, secrets);
        if (cut) raw.push("Connection", "close");
        response.writeHead(answer.statusCode ?? 502, answer.statusMessage ?? "", raw);
        response.flushHeaders();
        answer.on("end", () => {
          const trailers = pairsOf(answer.rawTrailers).map(([name, value]): [string, string] => [
            name,
            redactText(value, secrets),
          ]);
          if (trailers.length > 0) response.addTrailers(trailers);
        });
        const parts =
          secrets.length > 0 ? [answer, new Redactor(secrets), response] : [answer, response];
        pipeline(parts as [IncomingMessage, ServerResponse], (error) => {
          response.off("close", gone);
          if (error) incoming.socket.destroy();
          resolve();
        });
      });
      if (!hasBody) return void outgoing.end();
      // The server may answer before there is a body.
      outgoing.flushHeaders();
      if (expects) {
        // A program need not wait for ever, and then just sends.
        incoming.on("readable", send);
      } else send();
    });
  }
}

/** The request with what the host adds in the place of what the program wrote. */
function prepared(
  headers: readonly [string, string][],
  target: string,
  { headers: added, query }: Extract<Verdict, { allow: true }>,
): Ready {
  const secrets = [...added, ...query].flatMap(([, value]) => formsOf(value));
  const replaced = new Set(added.map(([name]) => name.toLowerCase()));
  // What comes back is searched, so it has to come as it is.
  if (secrets.length > 0) replaced.add("accept-encoding");
  const kept = headers.filter(([name]) => !replaced.has(name.toLowerCase()));
  return { headers: [...kept, ...added].flat(), path: withQuery(target, query), secrets };
}

function answerHeaders(answer: IncomingMessage, secrets: readonly string[]): string[] {
  return pairsOf(answer.rawHeaders)
    .filter(([name]) => !hopByHop.has(name.toLowerCase()))
    .flatMap(([name, value]) => [name, redactText(value, secrets)]);
}

/** Status line and headers of an answer as text. */
function headOf(
  answer: IncomingMessage,
  secrets: readonly string[],
  own: readonly string[],
): string {
  const headers = pairsOf([...answerHeaders(answer, secrets), ...own]);
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return `HTTP/1.1 ${answer.statusCode} ${answer.statusMessage}\r\n${lines}\r\n`;
}

/** The end of one is the end of the other, once what came before it has gone out. */
function follow(first: Duplex, other: Duplex): void {
  first.on("error", () => other.destroy());
  first.on("close", () => {
    if (first.readableEnded) other.end(() => other.destroy());
    else other.destroy();
  });
}

/** Bytes go both ways, and neither end outlives the other. */
export function splice(one: Duplex, two: Duplex): void {
  follow(one, two);
  follow(two, one);
  one.pipe(two);
  two.pipe(one);
}

function refusalOf(error: unknown): Refused {
  if (error instanceof Refused) return error;
  const { code } = error as NodeJS.ErrnoException;
  return new Refused(502, `the server gave no answer${code === undefined ? "" : `: ${code}`}`);
}

function refuse(incoming: IncomingMessage, response: ServerResponse, error: unknown): void {
  const { status, message } = refusalOf(error);
  if (response.headersSent || response.destroyed) return void incoming.socket.destroy();
  const text = `secure-exec: ${message}\n`;
  const length = String(Buffer.byteLength(text));
  response.writeHead(status, {
    "content-type": "text/plain",
    "content-length": length,
    connection: "close",
  });
  response.end(text);
}
