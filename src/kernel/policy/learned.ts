/**
 * Owns what programs were seen to need in learn mode: for each request the narrowest pattern that
 * allows it again.
 *
 * Invariant: what is kept is bounded, and a list that is incomplete says so instead of passing for whole.
 * Untrusted: requests, which name what guests choose.
 */
import { basename } from "node:path/posix";
import type { Learned } from "../../protocol/decisions.js";
import type { Request, Requests } from "../../protocol/permissions.js";
import { limits } from "../limits.js";
import { isForbidden, parseAddress } from "../net/address.js";
import { isMachineCommand } from "./commands.js";

/** net.ipv4.ip_local_port_range: nobody asked for such a port by its number. */
const ephemeralFirst = 32_768;
const ephemeralLast = 60_999;

/** `text` as a pattern that matches only it. */
function plain(text: string): string {
  return text.replace(/[\\*?[\]{}]/g, "\\$&");
}

function withPort(host: string, port: number | undefined): string {
  const shown = host.includes(":") ? `[${host}]` : host;
  return port === undefined ? shown : `${shown}:${port}`;
}

function networkPattern(request: Requests["network"]): string {
  const { operation, protocol, hostname, address, port, loopback } = request;
  if (operation === "dns") return `dns://${hostname}`;
  // Inside the machine everything is localhost; a port that the kernel chose is another next time.
  const chosen = port !== undefined && port >= ephemeralFirst && port <= ephemeralLast;
  if (loopback) return withPort("localhost", chosen ? undefined : port);
  const ip = address === undefined ? undefined : parseAddress(address);
  // An address that is not public is only opened by its own name.
  const host = ip !== undefined && isForbidden(ip) ? ip.address : hostname;
  return `${protocol === "udp" ? "udp://" : ""}${withPort(host, port)}`;
}

function commandPattern({ command, path }: Requests["childProcess"]): string {
  if (path !== undefined && !isMachineCommand(path)) return plain(path);
  return plain(path === undefined ? command : basename(command));
}

function patternOf(request: Request): string {
  switch (request.scope) {
    case "fs":
      return plain(request.path);
    case "network":
      return networkPattern(request);
    case "childProcess":
      return commandPattern(request);
    case "process": {
      const { pid, command } = request;
      return command === undefined ? String(pid) : plain(basename(command.split(" ", 1)[0]!));
    }
    case "env":
    case "tool":
      return plain(request.name);
  }
}

export class LearnedRequests {
  readonly #learned = new Map<string, Learned>();
  #chars = 0;
  /** Whether there was more than is kept. */
  incomplete = false;

  add(request: Request): void {
    const { scope, operation } = request;
    const pattern = patternOf(request);
    const inside = scope === "network" && request.loopback;
    const key = `${scope} ${operation} ${inside} ${pattern}`;
    if (this.#learned.has(key)) return;
    if (
      this.#learned.size >= limits.learnedRequests ||
      this.#chars + pattern.length > limits.auditChars
    ) {
      this.incomplete = true;
      return;
    }
    this.#chars += pattern.length;
    this.#learned.set(key, { scope, operation, pattern, ...(inside && { inside }) });
  }

  list(): Learned[] {
    return [...this.#learned.values()];
  }
}
