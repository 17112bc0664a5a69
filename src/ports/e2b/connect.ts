/**
 * Owns the Connect protocol as far as e2b's clients speak it: JSON messages, unary and as a stream of envelopes,
 * errors with a code. See connectrpc.com/docs/protocol.
 *
 * Invariants: an answer begins once; a stream ends with an envelope that says how; a writer that is not read
 * is told to wait. Untrusted: requests, whose size is bounded.
 */
import type http from "node:http";
import { bodyOf } from "../core/request-body.js";

/** Codes with the status that a unary answer has for them. */
const statusOf = {
  canceled: 499,
  unknown: 500,
  invalid_argument: 400,
  deadline_exceeded: 504,
  not_found: 404,
  already_exists: 409,
  permission_denied: 403,
  resource_exhausted: 429,
  failed_precondition: 400,
  unimplemented: 501,
  internal: 500,
  unavailable: 503,
  unauthenticated: 401,
} as const;

export type ConnectCode = keyof typeof statusOf;

export class ConnectError extends Error {
  constructor(
    readonly code: ConnectCode,
    message: string,
  ) {
    super(message);
  }
}

export type Message = Readonly<Record<string, unknown>>;

const messageBytes = 16 * 1024 * 1024;
const headBytes = 5;
/** Envelope flags. */
const endOfStream = 0b10;

function parse(text: Buffer): Message {
  try {
    const value: unknown = text.byteLength === 0 ? {} : JSON.parse(text.toString("utf8"));
    if (typeof value === "object" && value !== null && !Array.isArray(value))
      return value as Message;
  } catch {
    // Said below.
  }
  throw new ConnectError("invalid_argument", "the message is no JSON object");
}

/**
 * The messages of a request: one, or those of its envelopes.
 * @internal
 */
export async function messagesOf(request: http.IncomingMessage): Promise<Message[]> {
  const type = request.headers["content-type"]?.split(";")[0]?.trim();
  const body = await bodyOf(request, messageBytes);
  if (body === undefined)
    throw new ConnectError("resource_exhausted", `a message is at most ${messageBytes} bytes`);
  if (type === "application/json") return [parse(body)];
  if (type !== "application/connect+json")
    throw new ConnectError("unimplemented", "only the JSON form of the protocol is spoken");
  const messages: Message[] = [];
  for (let at = 0; at < body.byteLength;) {
    if (at + headBytes > body.byteLength)
      throw new ConnectError("invalid_argument", "a cut envelope");
    const end = at + headBytes + body.readUInt32BE(at + 1);
    if (body[at] !== 0 || end > body.byteLength)
      throw new ConnectError("invalid_argument", "an envelope is compressed or cut");
    messages.push(parse(body.subarray(at + headBytes, end)));
    at = end;
  }
  return messages;
}

export function errorOf(error: unknown): ConnectError {
  if (error instanceof ConnectError) return error;
  const { code, details, message } = error as {
    code?: string;
    details?: { errno?: string };
    message?: string;
  };
  const errno = details?.errno;
  if (code === "ERR_SECURE_EXEC_NO_SUCH_FILE" || errno === "ENOENT" || errno === "ENOTDIR")
    return new ConnectError("not_found", message ?? "not found");
  if (errno === "EEXIST") return new ConnectError("already_exists", message ?? "it exists");
  if (errno === "EACCES" || errno === "EPERM")
    return new ConnectError("permission_denied", message ?? "permission denied");
  if (errno !== undefined) return new ConnectError("invalid_argument", message ?? errno);
  return new ConnectError("internal", message ?? String(error));
}

/**
 * An answer that is one message.
 * @internal
 */
export function answer(response: http.ServerResponse, message: object): void {
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(message));
}

/** @internal */
export function answerError(response: http.ServerResponse, error: unknown): void {
  const { code, message } = errorOf(error);
  if (response.headersSent) return void response.end();
  response
    .writeHead(statusOf[code], { "content-type": "application/json" })
    .end(JSON.stringify({ code, message }));
}

/** An answer that is many. */
export class EventStream {
  readonly #response: http.ServerResponse;
  #open = true;

  /** @internal */
  constructor(response: http.ServerResponse) {
    this.#response = response;
    response.writeHead(200, { "content-type": "application/connect+json" });
    response.on("close", () => {
      this.#open = false;
    });
  }

  get open(): boolean {
    return this.#open;
  }

  /** Calls `left` when the client has gone. */
  whenLeft(left: () => void): void {
    this.#response.on("close", left);
  }

  /** A promise when what was sent waits to be read. */
  send(message: object): Promise<void> | undefined {
    return this.#write(0, message);
  }

  /** The last envelope: without an error, all went well. */
  end(error?: unknown): void {
    if (!this.#open) return;
    const { code, message } = error === undefined ? {} : errorOf(error);
    void this.#write(endOfStream, error === undefined ? {} : { error: { code, message } });
    this.#open = false;
    this.#response.end();
  }

  /** Cuts the connection, as the end of a whole sandbox does. */
  cut(): void {
    this.#open = false;
    this.#response.destroy();
  }

  #write(flags: number, message: object): Promise<void> | undefined {
    if (!this.#open) return undefined;
    const text = Buffer.from(JSON.stringify(message));
    const head = Buffer.alloc(headBytes);
    head[0] = flags;
    head.writeUInt32BE(text.byteLength, 1);
    const response = this.#response;
    if (response.write(Buffer.concat([head, text]))) return undefined;
    return new Promise((resolve) => {
      const done = (): void => {
        response.off("drain", done);
        response.off("close", done);
        resolve();
      };
      response.on("drain", done);
      response.on("close", done);
    });
  }
}
