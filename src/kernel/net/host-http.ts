/**
 * Owns HTTP requests that the host makes into a VM: Node's own client over a
 * connection of the VM's socket table.
 *
 * Invariants: only a listener of that VM is reached, whatever the policy says and
 * whatever else runs on the port; a body over the limit is an error, not a part.
 * Untrusted: everything that comes back.
 */
import { Agent, request } from "node:http";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { Errno } from "../../abi/errno.js";
import type { HostFetchRequest, HostFetchResponse } from "../../protocol/host-calls.js";
import { limits } from "../limits.js";
import type { Network } from "./network.js";
import { SocketDuplex } from "./socket-duplex.js";

/** Header section of an answer; Node's own default. */
const headerBytes = 16 * 1024;
const leastBodyBytes = 4 * 1024;
/** Answers of the 1xx kind before the one that counts; no server sends more than a few. */
const mostInformation = 32;

export class HostFetchError extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** Hands out the one connection it was given: no path in Node's client leads to a connection of the host. */
class OneConnection extends Agent {
  #connection: Duplex | undefined;

  constructor(connection: Duplex) {
    super({ keepAlive: false, maxSockets: 1 });
    this.#connection = connection;
  }

  override createConnection(): Duplex {
    const connection = this.#connection;
    if (connection === undefined) throw new Error("the connection was used already");
    this.#connection = undefined;
    return connection;
  }
}

export interface FetchAnswer {
  response: HostFetchResponse;
  body: Buffer;
}

/** `started` gets a way to give the request up. */
export function hostFetch(
  network: Network,
  port: number,
  options: HostFetchRequest,
  body: Uint8Array,
  started: (cancel: () => void) => void,
): Promise<FetchAnswer> {
  return new Promise((resolve, reject) => {
    const socket = network.connectFromHost(port);
    if (typeof socket === "number") {
      const why =
        socket === -Errno.ECONNREFUSED
          ? new HostFetchError("ERR_SECURE_EXEC_NO_LISTENER", `no program listens on port ${port}`)
          : new HostFetchError(
              "ERR_SECURE_EXEC_CONNECTION_LIMIT",
              `the VM has ${network.limits.connections} connections already (limits.connections), or port ${port} has too many waiting`,
            );
      reject(why);
      return;
    }
    const connection = new SocketDuplex(socket);
    const fail = (error: unknown): void => {
      connection.destroy();
      if (error instanceof HostFetchError) return reject(error);
      const { code, message } = error as NodeJS.ErrnoException;
      const invalid = code === "ERR_UNESCAPED_CHARACTERS" || code?.startsWith("ERR_INVALID_");
      reject(
        new HostFetchError(
          invalid === true ? "ERR_SECURE_EXEC_INVALID_OPTION" : "ERR_SECURE_EXEC_FETCH_FAILED",
          invalid === true ? message : `the listener on port ${port} gave no answer: ${message}`,
        ),
      );
    };
    started(() => fail(new Error("given up")));
    try {
      const outgoing = request({
        agent: new OneConnection(connection),
        host: "localhost",
        port,
        method: options.method,
        path: options.path,
        headers: options.headers,
        maxHeaderSize: headerBytes,
      });
      outgoing.on("error", fail);
      outgoing.on("upgrade", () => fail(new Error("the protocol was switched")));
      let information = 0;
      outgoing.on("information", () => {
        if (++information > mostInformation) fail(new Error("it only ever says that it goes on"));
      });
      outgoing.on("response", (incoming) => {
        collect(incoming).then((answer) => {
          connection.destroy();
          resolve(answer);
        }, fail);
      });
      outgoing.end(body);
    } catch (error) {
      fail(error);
    }
  });
}

/** The body in one piece, copied as it comes: a listener may send it in single bytes, each of which would be an object of its own. */
async function collect(incoming: IncomingMessage): Promise<FetchAnswer> {
  let body = Buffer.allocUnsafeSlow(leastBodyBytes);
  let bytes = 0;
  await new Promise<void>((resolve, reject) => {
    incoming.on("data", (part: Buffer) => {
      const size = bytes + part.length;
      if (size > limits.fetchResponseBytes) {
        const why = `the body is over ${limits.fetchResponseBytes} bytes`;
        return reject(new HostFetchError("ERR_SECURE_EXEC_FETCH_RESPONSE_LIMIT", why));
      }
      if (size > body.length) {
        const grown = Buffer.allocUnsafeSlow(Math.max(size, body.length * 2));
        body.copy(grown, 0, 0, bytes);
        body = grown;
      }
      part.copy(body, bytes);
      bytes = size;
    });
    incoming.on("end", resolve);
    incoming.on("error", reject);
    incoming.on("aborted", () => reject(new Error("the connection ended before the body")));
  });
  const headers: [string, string][] = [];
  for (let at = 0; at < incoming.rawHeaders.length; at += 2)
    headers.push([incoming.rawHeaders[at]!.toLowerCase(), incoming.rawHeaders[at + 1]!]);
  return {
    response: {
      status: incoming.statusCode ?? 0,
      statusText: incoming.statusMessage ?? "",
      headers,
    },
    body: body.subarray(0, bytes),
  };
}
