/**
 * Owns the addresses that are shut whatever rules say about the names that led there: those that
 * are not public, and those of the host itself. Only a rule that names them opens them.
 *
 * Untrusted: the address.
 */
import type { Requests } from "../../protocol/permissions.js";
import { isForbidden, isLoopback, parseAddress } from "../net/address.js";
import { isHostAddress } from "../net/host-addresses.js";

/**
 * Why the address of a connection or datagram that leaves the VM is shut, if it is. `named`: whether
 * an allowing rule names this very address or a narrow range around it, or the exact host name.
 */
export function whyShut(
  { operation, loopback, address }: Requests["network"],
  named: (by: "address" | "host") => boolean,
): string | undefined {
  if (operation !== "http" || loopback || address === undefined) return undefined;
  const ip = parseAddress(address);
  if (ip === undefined) return "it is no address";
  // The network never leaves the VM for one: it is the VM's own.
  if (isLoopback(ip)) return undefined;
  if (isForbidden(ip)) return named("address") ? undefined : `${address} is not a public address`;
  // Behind its public address the host's own services answer as behind its loopback.
  if (!isHostAddress(ip) || named("host")) return undefined;
  return `${address} is an address of the host itself`;
}
