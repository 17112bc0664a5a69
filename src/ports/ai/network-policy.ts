/**
 * Owns a network policy of the AI SDK's harness, which may change while a machine runs: the answer to each of its
 * requests.
 *
 * Invariants: a denied range wins over everything; addresses that are not public are reached only where a range
 * names them; what stays in the machine is no outbound request. Untrusted: the requests.
 */
import { BlockList, isIP } from "node:net";
import type { NetworkPermissionRequest } from "../../index.js";

/** What programs may connect to: all, nothing, or what a list says. */
export type NetworkPolicy =
  | { mode: "allow-all" }
  | { mode: "deny-all" }
  | {
      mode: "custom";
      allowedHosts?: readonly string[];
      allowedCIDRs?: readonly string[];
      deniedCIDRs?: readonly string[];
    };

const familyOf = (address: string): "ipv4" | "ipv6" => (isIP(address) === 6 ? "ipv6" : "ipv4");

function rangesOf(cidrs: readonly string[]): BlockList {
  const list = new BlockList();
  for (const cidr of cidrs) {
    const [network = "", bits] = cidr.split("/");
    if (isIP(network) === 0)
      throw new RangeError(`${JSON.stringify(cidr)} is no range of addresses`);
    const family = familyOf(network);
    list.addSubnet(
      network,
      bits === undefined ? (family === "ipv4" ? 32 : 128) : Number(bits),
      family,
    );
  }
  return list;
}

/** IANA's special-purpose ranges that a host's own network may use; RFC 6890. */
const privateRanges = rangesOf(
  "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.168.0.0/16 198.18.0.0/15 224.0.0.0/3 ::/127 64:ff9b::/96 fc00::/7 fe80::/10 ff00::/8".split(
    " ",
  ),
);

const isIn = (list: BlockList, address: string | undefined): boolean =>
  address !== undefined && isIP(address) !== 0 && list.check(address, familyOf(address));

/** `*.name` is all names below; `*` is all. */
function matches(pattern: string, name: string): boolean {
  const [wanted, given] = [pattern.toLowerCase(), name.toLowerCase().replace(/\.$/, "")];
  if (wanted === "*") return true;
  return wanted.startsWith("*.") ? given.endsWith(wanted.slice(1)) : given === wanted;
}

type Request = Pick<
  NetworkPermissionRequest,
  "operation" | "hostname" | "address" | "loopback" | "protocol"
>;

export class NetworkGate {
  #policy!: NetworkPolicy;
  #allowed!: BlockList;
  #denied!: BlockList;

  constructor(policy: NetworkPolicy) {
    this.set(policy);
  }

  /** From the next request on. Throws for a range that is none. */
  set(policy: NetworkPolicy): void {
    const { allowedCIDRs = [], deniedCIDRs = [] } = policy.mode === "custom" ? policy : {};
    const [allowed, denied] = [rangesOf(allowedCIDRs), rangesOf(deniedCIDRs)];
    this.#policy = policy;
    this.#allowed = allowed;
    this.#denied = denied;
  }

  /** As a permission check. */
  readonly allows = (request: Request): boolean => {
    const { operation, hostname, address, loopback, protocol } = request;
    const policy = this.#policy;
    if (loopback || operation === "listen") return true;
    if (policy.mode === "deny-all" || isIn(this.#denied, address)) return false;
    if (policy.mode === "custom") {
      if (isIn(this.#allowed, address)) return true;
      const { allowedHosts = [], allowedCIDRs = [] } = policy;
      // A name may be looked up to see whether its address is in a range.
      const named = allowedHosts.some((pattern) => matches(pattern, hostname));
      if (protocol === "dns") return named || allowedCIDRs.length > 0;
      if (!named) return false;
    }
    return protocol === "dns" || !isIn(privateRanges, address);
  };
}
