/**
 * Owns one stream of server-sent events to a client: those of a request, or those that belong to none; and what of it can be
 * sent again to a client that lost its connection (Last-Event-ID).
 *
 * Invariants: events go out once per connection and in order; of what a client has not read, and of what is kept to be sent
 * again, notifications are the first to go beyond a bound; a request of ours and an answer stay.
 * Untrusted: how fast the client reads, and when its connection ends.
 */
import type http from "node:http";
import type { McpMessage } from "./protocol.js";

/** Bytes of events that are kept, and of output that a client has not read. */
const keptBytes = 1024 * 1024;
const unreadBytes = 4 * 1024 * 1024;
/** When a client comes back whose connection ended. */
const retryMs = 500;

interface Event {
  sequence: number;
  text: string;
  /** What nobody waits for. */
  isNotification: boolean;
}

export class EventStream {
  readonly #name: string;
  readonly #primed: boolean;
  #sequence = 0;
  #kept: Event[] = [];
  #keptBytes = 0;
  #response: http.ServerResponse | undefined;
  #finished = false;

  /** `primed`: the stream begins with an event without data, by which a client can come back before there is any other. */
  constructor(name: string, primed: boolean) {
    this.#name = name;
    this.#primed = primed;
  }

  get finished(): boolean {
    return this.#finished;
  }

  /** The number of the last event. */
  get last(): number {
    return this.#sequence;
  }

  /** Sends over this connection from now on, beginning behind the event `after`. */
  attach(
    response: http.ServerResponse,
    after: number,
    headers: Readonly<Record<string, string>> = {},
  ): void {
    this.release();
    if (response.destroyed) return;
    this.#response = response;
    response.on("close", () => {
      if (this.#response === response) this.#response = undefined;
    });
    response.writeHead(200, {
      ...headers,
      "content-type": "text/event-stream",
      "cache-control": "no-cache, no-transform",
    });
    if (this.#primed) response.write(`id: ${this.#name}-${after}\nretry: ${retryMs}\ndata: \n\n`);
    else response.flushHeaders();
    for (const { sequence, text } of this.#kept) if (sequence > after) response.write(text);
    if (this.#finished) this.release();
  }

  send(message: McpMessage): void {
    const sequence = ++this.#sequence;
    const text = `id: ${this.#name}-${sequence}\nevent: message\ndata: ${JSON.stringify(message)}\n\n`;
    const isNotification = message.id === undefined;
    this.#keep({ sequence, text, isNotification });
    const unread = this.#response?.writableLength ?? 0;
    if (!isNotification || unread < unreadBytes) this.#response?.write(text);
  }

  #keep(event: Event): void {
    this.#kept.push(event);
    this.#keptBytes += event.text.length;
    if (this.#keptBytes <= keptBytes) return;
    let over = this.#keptBytes - keptBytes;
    this.#kept = this.#kept.filter(({ text, isNotification }) => {
      if (over <= 0 || !isNotification) return true;
      over -= text.length;
      this.#keptBytes -= text.length;
      return false;
    });
  }

  /** Ends the connection; what follows waits for the client to come back. */
  release(): void {
    this.#response?.end();
    this.#response = undefined;
  }

  /** The last message, if there is one. */
  finish(message: McpMessage | undefined): void {
    if (message !== undefined) this.send(message);
    this.#finished = true;
    this.release();
  }
}
