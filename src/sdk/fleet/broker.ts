/**
 * Owns the connection to a NATS server: the one door to the client's package.
 *
 * Invariants: messages are bytes; a broker that goes away is waited for, for ever, and what is lost
 * meanwhile is for the packet streams to notice, as long as anybody has a session or waits; the host's event loop is kept alive only while
 * somebody holds the connection.
 * Untrusted: every message that comes. The server is trusted to keep accounts apart.
 */
import type { ConnectionOptions as NatsOptions, NatsConnection } from "@nats-io/transport-node";
import { failure } from "../errors.js";
import type { ParsedCredentials, ParsedFleetServers } from "./options.js";

export interface BrokerMessage {
  readonly subject: string;
  readonly data: Uint8Array;
  /** Where an answer goes; empty for nowhere. */
  readonly reply: string;
  /** The server's own answer: nobody listens to what was sent. */
  readonly isUnheard: boolean;
}

/** Parts of the client that have no public name: its socket and its timer. Pinned in package.json. */
interface NatsInternals {
  readonly protocol?: {
    readonly transport?: { readonly socket?: { ref?(): void; unref?(): void } };
    readonly heartbeats?: { readonly timer?: { ref?(): void; unref?(): void } };
  };
}

const connectTimeoutMs = 10_000;
const reconnectMs = 250;
const pingMs = 20_000;
const noResponders = 503;

function unreachable(cause: unknown): Error {
  const why = cause instanceof Error ? cause.message : String(cause);
  return failure("FLEET_UNREACHABLE", { why: why.toLowerCase() }, { cause });
}

export class Broker {
  readonly #nats: NatsConnection;
  readonly #client: Client;
  #holds = 0;
  /** Sessions over it, which a broker that comes back goes on with. */
  #sessions = 0;
  #isConnected = true;
  readonly #reconnected = new Set<() => void>();

  private constructor(nats: NatsConnection, client: Client) {
    this.#nats = nats;
    this.#client = client;
    this.#setRef(false);
    void this.#watch();
  }

  /** Rejects with FLEET_CLIENT_MISSING and FLEET_UNREACHABLE. */
  static async connect(
    { servers, credentials, tls, inboxPrefix }: ParsedFleetServers,
    name: string,
  ): Promise<Broker> {
    const client = await import("@nats-io/transport-node").catch((cause: unknown) => {
      throw failure("FLEET_CLIENT_MISSING", {}, { cause });
    });
    const options: NatsOptions = {
      servers,
      name,
      timeout: connectTimeoutMs,
      maxReconnectAttempts: -1,
      reconnectTimeWait: reconnectMs,
      pingInterval: pingMs,
      noAsyncTraces: true,
      inboxPrefix,
      ...(tls !== undefined && { tls }),
      ...optionsOf(credentials, client),
    };
    try {
      return new Broker(await client.connect(options), client);
    } catch (cause) {
      throw unreachable(cause);
    }
  }

  /** The most bytes that one message may have. */
  get messageBytes(): number {
    return this.#nats.info?.max_payload ?? 1024 * 1024;
  }

  get serverVersion(): string {
    return this.#nats.info?.version ?? "";
  }

  get isClosed(): boolean {
    return this.#nats.isClosed();
  }

  publish(subject: string, data: Uint8Array, reply = ""): void {
    // What is said while it is closed reaches nobody; streams end by their lease.
    if (!this.#nats.isClosed()) this.#nats.publish(subject, data, reply === "" ? {} : { reply });
  }

  /** Answers how to stop it. `refused` hears that the server does not allow it. */
  subscribe(
    subject: string,
    take: (message: BrokerMessage) => void,
    refused: (error: Error) => void = () => undefined,
  ): () => void {
    const subscription = this.#nats.subscribe(subject, {
      callback: (error, message) => {
        if (error !== null) return refused(error);
        const { data, reply = "", headers } = message;
        const isUnheard = data.length === 0 && headers?.code === noResponders;
        take({ subject: message.subject, data, reply, isUnheard });
      },
    });
    return () => subscription.unsubscribe();
  }

  /** Asks whoever listens there. Rejects with the reason when nobody does, or nobody answers in time. */
  async request(
    subject: string,
    data: Uint8Array,
    given: { readonly timeoutMs: number; readonly headers: Readonly<Record<string, string>> },
  ): Promise<Uint8Array> {
    const headers = this.#client.headers();
    for (const [name, value] of Object.entries(given.headers)) headers.set(name, value);
    const options = { timeout: given.timeoutMs, headers };
    return (await this.#nats.request(subject, data, options)).data;
  }

  /**
   * A round trip to the server: what was said before has reached it. Answers its milliseconds. Rejects with
   * FLEET_UNREACHABLE when the connection is lost meanwhile.
   */
  async flush(): Promise<number> {
    const startedMs = performance.now();
    try {
      await this.#nats.flush();
    } catch (cause) {
      throw unreachable(cause);
    }
    return performance.now() - startedMs;
  }

  /** Calls `listener` whenever the server is back; answers how to stop that. */
  onReconnect(listener: () => void): () => void {
    this.#reconnected.add(listener);
    return () => this.#reconnected.delete(listener);
  }

  hold(): void {
    if (this.#holds++ === 0) this.#setRef(true);
  }

  release(): void {
    if (--this.#holds > 0) return;
    this.#setRef(false);
    this.#closeUnused();
  }

  join(): void {
    this.#sessions++;
  }

  leave(): void {
    this.#sessions--;
    this.#closeUnused();
  }

  /** To come back to a server is work that keeps the host alive: nobody does it for nobody. */
  #closeUnused(): void {
    if (!this.#isConnected && this.#holds <= 0 && this.#sessions === 0) void this.#nats.close();
  }

  async close(): Promise<void> {
    if (this.#nats.isClosed()) return;
    // What was said last is to reach the server, if that is there.
    await Promise.race([
      this.#nats.flush().catch(() => undefined),
      new Promise((resolve) => setTimeout(resolve, reconnectMs)),
    ]);
    await this.#nats.close();
  }

  #setRef(on: boolean): void {
    const { transport, heartbeats } = (this.#nats as NatsInternals).protocol ?? {};
    if (on) transport?.socket?.ref?.();
    else transport?.socket?.unref?.();
    heartbeats?.timer?.unref?.();
  }

  async #watch(): Promise<void> {
    for await (const { type } of this.#nats.status()) {
      if (type === "disconnect") this.#isConnected = false;
      if (type === "reconnect") this.#isConnected = true;
      this.#closeUnused();
      this.#setRef(this.#holds > 0);
      if (type === "reconnect") for (const listener of this.#reconnected) listener();
    }
  }
}

type Client = typeof import("@nats-io/transport-node");

function optionsOf(credentials: ParsedCredentials | undefined, client: Client): NatsOptions {
  switch (credentials?.kind) {
    case undefined:
      return {};
    case "token":
      return { token: credentials.token };
    case "password":
      return { user: credentials.user, pass: credentials.password };
    case "nkey":
      return { authenticator: client.nkeyAuthenticator(Buffer.from(credentials.seed)) };
    case "creds":
      return { authenticator: client.credsAuthenticator(Buffer.from(credentials.text)) };
  }
}
