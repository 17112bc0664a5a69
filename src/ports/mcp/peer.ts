/**
 * Owns the server's side of what goes to a client unasked: notifications, and requests with their answers.
 *
 * Invariants: a request of ours is settled once, by its answer, its signal or the server's end; the client is asked
 * only for what it has said that it can; at most `askLimit` requests wait.
 * Untrusted: everything that the client says.
 */
import { logLevels } from "./features.js";
import type { McpLogLevel } from "./features.js";
import { errorCodes, isRecord, RequestError } from "./protocol.js";
import type { Arguments, Id, McpOutlet } from "./protocol.js";

const askLimit = 64;

interface Asked {
  resolve: (result: Record<string, unknown>) => void;
  reject: (error: Error) => void;
}

export class Peer {
  /** The version of the protocol that was agreed upon. */
  version = "";
  #capabilities: Arguments = {};
  #level: McpLogLevel = "info";
  #lastId = 0;
  #gone = false;
  readonly #asked = new Map<Id, Asked>();

  /** The client has introduced itself. */
  begin(version: string, capabilities: unknown): void {
    this.version = version;
    this.#capabilities = isRecord(capabilities) ? capabilities : {};
  }

  /** From which level on it is told. */
  setLevel(level: unknown): void {
    const known = logLevels.find((each) => each === level);
    if (known === undefined)
      throw new RequestError(errorCodes.params, `level must be one of ${logLevels.join(", ")}`);
    this.#level = known;
  }

  log(outlet: McpOutlet | undefined, level: McpLogLevel, data: unknown, logger?: string): void {
    if (logLevels.indexOf(level) < logLevels.indexOf(this.#level)) return;
    this.tell(outlet, "notifications/message", {
      level,
      ...(logger !== undefined && { logger }),
      data,
    });
  }

  tell(outlet: McpOutlet | undefined, method: string, params: unknown): void {
    outlet?.send({ jsonrpc: "2.0", method, params });
  }

  /** Asks; `capability` is what the client needs for it. Rejects with the client's error, or the signal's reason. */
  ask(
    outlet: McpOutlet | undefined,
    capability: string,
    method: string,
    params: unknown,
    signal: AbortSignal,
  ): Promise<Record<string, unknown>> {
    if (!isRecord(this.#capabilities[capability]))
      return Promise.reject(new Error(`the client has no capability "${capability}"`));
    if (outlet === undefined || this.#gone)
      return Promise.reject(new Error("this transport has no way to ask the client"));
    if (this.#asked.size >= askLimit)
      return Promise.reject(new Error(`at most ${askLimit} requests to the client wait`));
    if (signal.aborted) return Promise.reject(signal.reason as Error);
    const id = `server-${++this.#lastId}`;
    return new Promise<Record<string, unknown>>((resolve, reject) => {
      const settled = (): void => {
        this.#asked.delete(id);
        signal.removeEventListener("abort", over);
      };
      const over = (): void => {
        settled();
        this.tell(outlet, "notifications/cancelled", { requestId: id });
        reject(signal.reason as Error);
      };
      signal.addEventListener("abort", over);
      this.#asked.set(id, {
        resolve: (result) => {
          settled();
          resolve(result);
        },
        reject: (error) => {
          settled();
          reject(error);
        },
      });
      outlet.send({ jsonrpc: "2.0", id, method, params });
    });
  }

  /** An answer of the client's; one that nobody waits for is dropped. */
  answered({ id, result, error }: Arguments): void {
    const asked = this.#asked.get(id as Id);
    if (asked === undefined) return;
    if (isRecord(result)) return asked.resolve({ ...result });
    const text = isRecord(error) && typeof error.message === "string" ? error.message : "no result";
    asked.reject(new Error(`the client answers: ${text}`));
  }

  /** The client is gone: whoever waits for it is told, and nobody will any more. */
  end(): void {
    this.#gone = true;
    for (const { reject } of this.#asked.values()) reject(new Error("the client is gone"));
  }
}
