/**
 * Owns the patterns of hosts that a machine's border looks into: a name, every name below one, or an address,
 * with a port or without. The SDK refuses others, the kernel and the SDK match with them.
 *
 * Untrusted: names that are matched.
 */
import { isIP } from "node:net";
import { PatternError, parseNetworkPattern } from "./permission-patterns.js";
import type { NetworkPattern } from "./permission-patterns.js";

/** Where HTTP is spoken unless a pattern says otherwise. */
const defaultPorts: readonly number[] = [80, 443];

export class HostPattern {
  readonly text: string;
  readonly #host: NetworkPattern["host"];
  readonly #port: number | undefined;

  constructor(text: string) {
    this.text = text;
    const { host, port, protocol } = parseNetworkPattern(text);
    const whole = host.kind === "range" && host.prefix === (host.family === "ipv4" ? 32 : 128);
    if (protocol !== undefined || !(host.kind === "name" || whole))
      throw new PatternError("must be a name or an address, with or without a port");
    this.#host = host;
    this.#port = port;
  }

  /** `name` is in lower case; port 0 is any of the pattern's. */
  matches(name: string, port: number): boolean {
    const ports = this.#port === undefined ? defaultPorts : [this.#port];
    if (port !== 0 && !ports.includes(port)) return false;
    const host = this.#host;
    if (host.kind === "name")
      return host.below ? name.endsWith(`.${host.name}`) : name === host.name;
    return host.kind === "range" && isIP(name) !== 0 && host.address.toLowerCase() === name;
  }
}
