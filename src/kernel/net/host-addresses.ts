/**
 * Owns which addresses are the host's own: those of its network interfaces.
 *
 * Invariant: when the interfaces cannot be read, the last that were known count.
 * What a router in front of the host translates to it cannot be known here.
 */
import { networkInterfaces } from "node:os";
import { embeddedIpv4, parseAddress, unmapped } from "./address.js";
import type { IpAddress } from "./address.js";

/** Interfaces come and go, but not with every connection. */
const freshMs = 1000;

let known: ReadonlySet<string> = new Set();
let readAtMs = -Infinity;

function hostAddresses(): ReadonlySet<string> {
  const now = performance.now();
  if (now - readAtMs < freshMs) return known;
  readAtMs = now;
  try {
    const found = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
    known = new Set(
      found.flatMap(({ address }) => {
        const ip = parseAddress(address);
        return ip === undefined ? [] : [unmapped(ip).address];
      }),
    );
  } catch {
    // Not to be had now; what was is the better guess than nothing.
  }
  return known;
}

/** Whether packets to `ip` end at the host, in whatever form the address is written. */
export function isHostAddress(ip: IpAddress): boolean {
  const own = hostAddresses();
  const plain = unmapped(ip);
  if (own.has(plain.address)) return true;
  const inner = plain.family === 6 ? embeddedIpv4(plain.address) : undefined;
  return inner !== undefined && own.has(inner);
}
