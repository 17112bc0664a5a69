/**
 * Owns one client's session over HTTP: its server, and the streams of events that it has open or may come back to.
 *
 * Invariants: an answer is JSON, unless something was said before it and the client takes events: then both are events of
 * one stream; at most `finishedLimit` streams that are over are kept for clients that come back.
 * Untrusted: every message, and event ids.
 */
import type http from "node:http";
import { EventStream } from "./event-stream.js";
import type { McpOutlet } from "./protocol.js";
import { McpServer } from "./server.js";
import type { McpServerOptions } from "./server.js";

const finishedLimit = 8;
/** Of the first version whose clients take an event without data. */
const primedSince = "2025-11-25";
/** The stream of what belongs to no request. */
const updatesName = "0";

type Headers = Readonly<Record<string, string>>;

export class HttpSession {
  readonly server: McpServer;
  readonly #streams = new Map<string, EventStream>();
  #lastName = 0;

  constructor(options: McpServerOptions) {
    this.server = new McpServer(options);
    this.server.connect({ send: (message) => this.#updates().send(message) });
  }

  get #primed(): boolean {
    return this.server.protocolVersion >= primedSince;
  }

  #updates(): EventStream {
    let stream = this.#streams.get(updatesName);
    if (stream === undefined) {
      stream = new EventStream(updatesName, this.#primed);
      this.#streams.set(updatesName, stream);
    }
    return stream;
  }

  #open(response: http.ServerResponse, headers: Headers): EventStream {
    const finished = [...this.#streams].filter(([, stream]) => stream.finished);
    for (const [name] of finished.slice(0, -finishedLimit)) this.#streams.delete(name);
    const name = String(++this.#lastName);
    const stream = new EventStream(name, this.#primed);
    this.#streams.set(name, stream);
    stream.attach(response, 0, headers);
    return stream;
  }

  /** Answers a message. `takesEvents`: the client reads them. */
  async answer(
    text: string,
    response: http.ServerResponse,
    { headers = {}, takesEvents }: { headers?: Headers; takesEvents: boolean },
  ): Promise<void> {
    const at: { stream?: EventStream } = {};
    const opened = (): EventStream => (at.stream ??= this.#open(response, headers));
    const outlet: McpOutlet = {
      send: (message) => opened().send(message),
      release: () => opened().release(),
    };
    const said = await this.server.handleText(text, takesEvents ? outlet : undefined);
    if (at.stream !== undefined) at.stream.finish(said);
    else if (said === undefined) response.writeHead(202, headers).end();
    else
      response
        .writeHead(200, { ...headers, "content-type": "application/json" })
        .end(JSON.stringify(said));
  }

  /** Sends events: those that belong to no request, or of the stream and behind the event that `lastId` names. Whether there is such a stream. */
  listen(response: http.ServerResponse, lastId: string | undefined): boolean {
    const [, name = updatesName, sequence] = /^(\d{1,15})-(\d{1,15})$/.exec(lastId ?? "") ?? [];
    if (lastId !== undefined && sequence === undefined) return false;
    const stream = name === updatesName ? this.#updates() : this.#streams.get(name);
    stream?.attach(response, sequence === undefined ? stream.last : Number(sequence));
    return stream !== undefined;
  }

  /** Ends the server with its machines, and the connections. */
  async dispose(): Promise<void> {
    for (const stream of this.#streams.values()) stream.release();
    await this.server.dispose();
  }
}
