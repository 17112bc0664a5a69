/**
 * Owns matching of connections, look-ups and listeners against network patterns.
 *
 * Invariants: a range is compared with the address that is really connected to,
 * IPv4 inside IPv6 included; a name only with what this kernel looked up itself;
 * a rule matches a request when it matches any of the request's names.
 * Untrusted: hostname and port of the request.
 */
import { BlockList, isIP } from "node:net";
import { embeddedIpv4 } from "../net/address.js";
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

/** Everything the request's target is called, in the form in which names are compared. */
function namesOf(request: Requests["network"], mode: Mode): string[] {
  const { hostname, names = [], aliases = [], loopback } = request;
  const all = [hostname, ...names];
  // What stays in the VM is localhost, however it was written.
  if (loopback) all.push("localhost");
  // Who may reach a name may reach what it is an alias of; a denial of that holds for the alias.
  if (mode === "deny") all.push(...aliases);
  return all.map(normalizeHostname);
}

function hostMatcher(host: NetworkPattern["host"]): NetworkMatcher {
  if (host.kind === "any") return () => true;
  if (host.kind === "name") {
    const suffix = `.${host.name}`;
    return (request, mode) =>
      namesOf(request, mode).some((name) =>
        host.below ? name.endsWith(suffix) : name === host.name,
      );
  }
  const range = new BlockList();
  range.addSubnet(host.address, host.prefix, host.family);
  const within = (address: string): boolean => {
    const family = isIP(address);
    return family !== 0 && range.check(address, family === 4 ? "ipv4" : "ipv6");
  };
  return (request, mode) => {
    const { address } = request;
    const given = address === undefined ? namesOf(request, mode) : [address];
    if (given.some(within)) return true;
    // A translator on the way would take the packets there; only a denial counts on one.
    return (
      mode === "deny" &&
      given.some((text) => {
        const inner = isIP(text) === 6 ? embeddedIpv4(text) : undefined;
        return inner !== undefined && within(inner);
      })
    );
  };
}

/** A range this narrow was meant: 10.0.0.0/8 and fc00::/7 pass, 0.0.0.0/0 does not. */
const narrowPrefix = { ipv4: 8, ipv6: 7 } as const;

/** Whether the pattern names addresses, rather than names or everything. */
export function namesAddresses({ host }: NetworkPattern): boolean {
  return host.kind === "range" && host.prefix >= narrowPrefix[host.family];
}

/** Whether the pattern names one host. */
export function namesHost({ host }: NetworkPattern): boolean {
  return host.kind === "name" && !host.below;
}

export function networkMatcher(pattern: NetworkPattern): NetworkMatcher {
  const host = hostMatcher(pattern.host);
  const { protocol, port } = pattern;
  return (request, mode) => {
    if (!host(request, mode)) return false;
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
