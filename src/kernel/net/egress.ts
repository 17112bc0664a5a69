/**
 * Owns what the network asks of a policy, and the answer when there is none:
 * loopback and listening inside the VM are free, everything else is denied.
 */
import { Errno } from "../../abi/errno.js";
import type { Deferred } from "../io/deferred.js";
import { isForbidden } from "./address.js";
import type { IpAddress } from "./address.js";
import { isHostAddress } from "./host-addresses.js";

export interface NetworkRequest {
  /** `http` is every outgoing connection and datagram. */
  operation: "http" | "dns" | "listen";
  protocol: "tcp" | "udp" | "dns";
  /** As the guest named it last, when the kernel looked it up itself; otherwise the address. */
  hostname: string;
  /** The other names that led to the address: a denial under any of them is final. */
  names?: readonly string[];
  /** What these names are aliases of (CNAME): denying rules look at them, too. */
  aliases?: readonly string[];
  /** The names a function is asked about, when that is not all of them. */
  asked?: readonly string[];
  /** What is really connected to. */
  address?: string;
  port?: number;
  /** Whether it stays inside the VM. */
  loopback: boolean;
  /** Whose call it is about: the policy's, which keeps it here over what takes time. */
  subject?: object | undefined;
}

/** 0, or why not, in the words that the guest gets. */
export type NetworkDecision = 0 | { readonly errno: number; readonly message: string };

export interface NetworkPolicy {
  judge(request: NetworkRequest): NetworkDecision | Deferred<NetworkDecision>;
  /**
   * Whether an allowing rule names this very address or a narrow range around it (the default),
   * or with "host" the exact host name, so that what is shut otherwise opens.
   */
  names?(request: NetworkRequest, by?: "address" | "host"): boolean;
  /** Told of a denial that stands whatever rules say; answers what holds. */
  refused?(request: NetworkRequest, decision: NetworkDecision): NetworkDecision;
  /** Whether rules deny by name, so that it matters what a name is an alias of. */
  readonly deniesNames?: boolean;
}

/** `EACCES: permission denied, <resource>: blocked by <scope>.<operation> policy`. */
export function denied(request: NetworkRequest, reason = ""): NetworkDecision {
  const { operation, protocol, hostname, port } = request;
  const host = hostname.includes(":") ? `[${hostname}]` : hostname;
  const resource = port === undefined ? `${protocol}://${host}` : `${protocol}://${host}:${port}`;
  return {
    errno: -Errno.EACCES,
    message: `EACCES: permission denied, ${resource}: blocked by network.${operation} policy${reason}`,
  };
}

export const closedPolicy: NetworkPolicy = Object.freeze({
  judge: (request: NetworkRequest) => (request.loopback ? 0 : denied(request)),
});

/** Lets nothing out, whatever `policy` says: what comes back, and when, would be the outside's to decide. */
export function withoutOutside(policy: NetworkPolicy): NetworkPolicy {
  const why = ": a deterministic machine has no outside (ERR_SECURE_EXEC_DETERMINISTIC)";
  return {
    judge: (request) => (request.loopback ? policy.judge(request) : denied(request, why)),
  };
}

/** A denial for the address itself, whatever the rules say about its name. */
export function judgeRange(
  policy: NetworkPolicy,
  request: NetworkRequest,
  ip: IpAddress,
): NetworkDecision {
  const refuse = (reason: string): NetworkDecision => {
    const decision = denied(request, reason);
    return policy.refused?.(request, decision) ?? decision;
  };
  if (isForbidden(ip)) {
    if (policy.names?.(request, "address") === true) return 0;
    return refuse(`: ${ip.address} is not a public address`);
  }
  // Behind its public address the host's own services answer as behind its loopback.
  if (!isHostAddress(ip) || policy.names?.(request, "host") === true) return 0;
  return refuse(`: ${ip.address} is an address of the host itself`);
}
