/**
 * Owns how many requests and bytes went through a machine's border, per host, and their bounds.
 *
 * Invariant: there are as many counts as the host has named patterns, whatever programs ask for.
 */
import type { HostUsage } from "../../protocol/usage.js";
import type { Meter } from "../net/socket-duplex.js";

/** Of each host; 0 is no bound. */
export interface HostBounds {
  readonly requests: number;
  readonly bytes: number;
}

/** Of one connection; what passes before its first request is that request's host's. */
export interface HostMeter extends Meter {
  /** From now on bytes are this host's; answers whether it may have more. */
  belongsTo(count: HostUsage): boolean;
}

export class HostCounts {
  readonly #bounds: HostBounds;
  readonly #counts = new Map<string, HostUsage>();

  constructor(bounds: HostBounds) {
    this.#bounds = bounds;
  }

  usage(): Record<string, HostUsage> {
    return Object.fromEntries([...this.#counts].map(([host, count]) => [host, { ...count }]));
  }

  #hasRoom({ bytesSent, bytesReceived }: HostUsage): boolean {
    const { bytes } = this.#bounds;
    return bytes === 0 || bytesSent + bytesReceived <= bytes;
  }

  /** A new connection's; `ended` is called when it is over. */
  meter(ended: () => void): HostMeter {
    let own: HostUsage = { requests: 0, bytesSent: 0, bytesReceived: 0 };
    return {
      count: (direction, bytes) => {
        own[direction === "sent" ? "bytesSent" : "bytesReceived"] += bytes;
        return this.#hasRoom(own);
      },
      belongsTo: (count) => {
        if (own !== count) {
          if (own.requests === 0) {
            count.bytesSent += own.bytesSent;
            count.bytesReceived += own.bytesReceived;
          }
          own = count;
        }
        return this.#hasRoom(count);
      },
      ended,
    };
  }

  /** Counts a request to `host`; the limit that is reached, if one is. */
  request(host: string, meter: HostMeter): string | undefined {
    let count = this.#counts.get(host);
    if (count === undefined)
      this.#counts.set(host, (count = { requests: 0, bytesSent: 0, bytesReceived: 0 }));
    if (!meter.belongsTo(count)) return "limits.bytesPerHost";
    const { requests } = this.#bounds;
    if (requests !== 0 && count.requests >= requests) return "limits.requestsPerHost";
    count.requests++;
    return undefined;
  }
}
