/**
 * Owns what the host knows of a machine's listeners: a mirror that the kernel's
 * events keep, and waiting for one to appear.
 *
 * Invariant: an entry is there from the moment the kernel said so until it said
 * otherwise. Untrusted: host and path, which guests chose.
 */
import type { ListenerInfo } from "../protocol/host-calls.js";
import { failure, invalidOption, unknownOption } from "./errors.js";

/** What a listener has to be to be found; at least one of these. */
export interface NodeRuntimeListenerQuery {
  /**
   * A port from 1 to 65 535.
   * @default any
   */
  port?: number;
  /**
   * The address that it is bound to; what is bound to all is found by any, and every loopback address by
   * "localhost".
   * @default any
   */
  host?: string;
  /**
   * Path of a Unix socket.
   * @default any
   */
  path?: string;
}

/** Something that a program listens on: `host` and `port`, or the `path` of a Unix socket. */
export interface NodeRuntimeListener {
  /** The process that listens, by its pid in the machine. */
  processId: string;
  host?: string;
  port?: number;
  path?: string;
}

/** How long `waitForListener` waits. */
export interface NodeRuntimeWaitOptions {
  /**
   * Milliseconds, from 0 to 2147483647.
   * @default 10000
   */
  timeoutMs?: number;
  /**
   * The same as `timeoutMs`, in milliseconds.
   * @default 10000
   */
  timeout?: number;
  /**
   * Aborting ends the wait with the signal's reason.
   * @default none
   */
  signal?: AbortSignal;
  /**
   * Accepted for compatibility: nothing is polled.
   * @default none
   */
  pollIntervalMs?: number;
}

const wildcards = new Set(["0.0.0.0", "::"]);
const loopbackNames = new Set(["localhost", "127.0.0.1", "::1"]);
const defaultTimeoutMs = 10_000;
const waitNames = ["timeoutMs", "timeout", "signal", "pollIntervalMs"];
const longestTimeoutMs = 2 ** 31 - 1;

export function parseQuery(value: unknown): NodeRuntimeListenerQuery {
  if (typeof value !== "object" || value === null)
    throw invalidOption("query", "must be an object with port, host or path");
  const { port, host, path } = value as NodeRuntimeListenerQuery;
  if (port !== undefined && !isPort(port))
    throw invalidOption("query.port", "must be a port from 1 to 65535");
  if (host !== undefined && typeof host !== "string")
    throw invalidOption("query.host", "must be a string");
  if (path !== undefined && typeof path !== "string")
    throw invalidOption("query.path", "must be a string");
  if (port === undefined && host === undefined && path === undefined)
    throw invalidOption("query", "must name a port, a host or a path");
  return {
    ...(port === undefined ? {} : { port }),
    ...(host === undefined ? {} : { host }),
    ...(path === undefined ? {} : { path }),
  };
}

export function isPort(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) > 0 && (value as number) <= 65_535;
}

function matches(listener: ListenerInfo, query: NodeRuntimeListenerQuery): boolean {
  const { port, host, path } = query;
  if (port !== undefined && (listener.path !== "" || listener.port !== port)) return false;
  if (path !== undefined && listener.path !== path) return false;
  if (host === undefined) return true;
  if (listener.path !== "") return false;
  if (listener.host === host || wildcards.has(listener.host)) return true;
  return host === "localhost" && loopbackNames.has(listener.host);
}

function describe(query: NodeRuntimeListenerQuery): string {
  const parts: string[] = [];
  if (query.port !== undefined) parts.push(`port ${query.port}`);
  if (query.host !== undefined) parts.push(`host ${query.host}`);
  if (query.path !== undefined) parts.push(`path ${query.path}`);
  return parts.join(", ");
}

export class Listeners {
  readonly #known = new Map<number, ListenerInfo>();
  readonly #waiters = new Set<() => void>();
  /** Ports that something has listened on, whether or not it still does. */
  readonly #ports = new Set<number>();

  added(info: ListenerInfo): NodeRuntimeListener {
    this.#known.set(info.id, info);
    this.#ports.add(info.port);
    for (const waiter of this.#waiters) waiter();
    return publicForm(info);
  }

  /** The listener that is no more, if it was known. */
  removed(id: number): NodeRuntimeListener | undefined {
    const info = this.#known.get(id);
    this.#known.delete(id);
    return info && publicForm(info);
  }

  /** Whether something has ever listened there. */
  haveHad(port: number): boolean {
    return this.#ports.has(port);
  }

  find(query: NodeRuntimeListenerQuery): NodeRuntimeListener | null {
    const info = this.#match(query);
    return info === undefined ? null : publicForm(info);
  }

  #match(query: NodeRuntimeListenerQuery): ListenerInfo | undefined {
    for (const info of this.#known.values()) if (matches(info, query)) return info;
    return undefined;
  }

  /** `closed` gets a way to make the wait fail. */
  wait(
    query: NodeRuntimeListenerQuery,
    options: NodeRuntimeWaitOptions = {},
    closed: (fail: (error: unknown) => void) => () => void,
  ): Promise<NodeRuntimeListener> {
    const unknown = Object.keys(options).filter((name) => !waitNames.includes(name));
    if (unknown.length > 0) throw unknownOption(unknown, waitNames);
    if (options.timeout !== undefined && options.timeoutMs !== undefined)
      throw invalidOption("timeout", "means the same as timeoutMs; give one");
    const { signal, timeoutMs = options.timeout ?? defaultTimeoutMs } = options;
    if (typeof timeoutMs !== "number" || !(timeoutMs >= 0) || timeoutMs > longestTimeoutMs)
      throw invalidOption("timeoutMs", "must be a number of milliseconds");
    if (signal !== undefined && !(signal instanceof AbortSignal))
      throw invalidOption("signal", "must be an AbortSignal");
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(signal.reason);
      let forget = (): void => undefined;
      let timer: NodeJS.Timeout | undefined;
      const settle = (act: () => void): void => {
        this.#waiters.delete(look);
        clearTimeout(timer);
        signal?.removeEventListener("abort", aborted);
        forget();
        act();
      };
      const aborted = (): void => settle(() => reject(signal!.reason));
      const look = (): void => {
        const info = this.#match(query);
        if (info === undefined) return;
        if (info.publishError !== "") {
          const { port, publishError: why } = info;
          return settle(() => reject(failure("PORT_TAKEN", { port, why }, { details: { port } })));
        }
        settle(() => resolve(publicForm(info)));
      };
      timer = setTimeout(
        () =>
          settle(() =>
            reject(
              failure(
                "LISTENER_TIMEOUT",
                { timeout: timeoutMs, listener: describe(query) },
                { details: { ...query, timeoutMs } },
              ),
            ),
          ),
        timeoutMs,
      );
      signal?.addEventListener("abort", aborted, { once: true });
      this.#waiters.add(look);
      forget = closed((error) => settle(() => reject(error)));
      look();
    });
  }
}

function publicForm({ pid, host, port, path }: ListenerInfo): NodeRuntimeListener {
  const processId = String(pid);
  return path === "" ? { processId, host, port } : { processId, path };
}
