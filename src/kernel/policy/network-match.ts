/**
 * Owns matching of connections, look-ups and listeners against network patterns.
 *
 * Invariant: a range is compared with the address that is really connected to,
 * IPv4 inside IPv6 included; a name only with what this kernel looked up itself.
 * Untrusted: hostname and port of the request.
 */
import { BlockList, isIP } from "node:net";
import { normalizeHostname } from "../../protocol/permission-patterns.js";
import type { NetworkPattern } from "../../protocol/permission-patterns.js";
import type { Mode, Requests } from "../../protocol/permissions.js";

export type NetworkMatcher = (request: Requests["network"], mode: Mode) => boolean;

export function isLoopbackAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 0) return false;
  return loopback.check(address, family === 4 ? "ipv4" : "ipv6");
}

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

function hostMatcher(host: NetworkPattern["host"]): (request: Requests["network"]) => boolean {
  if (host.kind === "any") return () => true;
  if (host.kind === "name") {
    const suffix = `.${host.name}`;
    return ({ hostname }) => {
      const name = normalizeHostname(hostname);
      return host.below ? name.endsWith(suffix) : name === host.name;
    };
  }
  const range = new BlockList();
  range.addSubnet(host.address, host.prefix, host.family);
  return ({ hostname, address }) => {
    const given = address ?? normalizeHostname(hostname);
    const family = isIP(given);
    return family !== 0 && range.check(given, family === 4 ? "ipv4" : "ipv6");
  };
}

/** A range this narrow was meant: 10.0.0.0/8 and fc00::/7 pass, 0.0.0.0/0 does not. */
const narrowPrefix = { ipv4: 8, ipv6: 7 } as const;

/** Whether the pattern names addresses, rather than names or everything. */
export function namesAddresses({ host }: NetworkPattern): boolean {
  return host.kind === "range" && host.prefix >= narrowPrefix[host.family];
}

export function networkMatcher(pattern: NetworkPattern): NetworkMatcher {
  const host = hostMatcher(pattern.host);
  const { protocol, port } = pattern;
  return (request, mode) => {
    if (!host(request)) return false;
    if (request.operation === "dns") {
      if (protocol === "dns") return true;
      if (protocol === undefined && port === undefined) return true;
      // Who may connect to a name may look it up. Who may not connect to one of its ports may still.
      return mode === "allow";
    }
    if (protocol !== undefined && protocol !== request.protocol) return false;
    return port === undefined || port === request.port;
  };
}
