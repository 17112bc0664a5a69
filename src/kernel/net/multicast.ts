/**
 * Owns which datagram sockets of one VM belong to which multicast groups. The machine's only interface
 * is its loopback: what is sent to a group reaches members inside the VM and never leaves it.
 *
 * Invariants: at most `memberships` groups of one socket; each is on the VM's account until the socket
 * leaves it or is closed.
 * Untrusted: groups and sources, which have been parsed.
 */
import { Errno } from "../../abi/errno.js";
import { limits } from "../limits.js";
import type { Account } from "../machine/account.js";
import type { IpAddress } from "./address.js";
import type { UdpSocket } from "./udp-socket.js";

export function isMulticast({ family, address }: IpAddress): boolean {
  if (family === 6) return address.startsWith("ff");
  const first = Number(address.slice(0, address.indexOf(".")));
  return first >= 224 && first < 240;
}

/** Whom a member hears: everybody, or these sources. */
type Sources = Set<string> | "any";

export class Memberships {
  readonly #account: Account;
  readonly #groups = new Map<string, Map<UdpSocket, Sources>>();
  readonly #counts = new WeakMap<UdpSocket, number>();

  constructor(account: Account) {
    this.#account = account;
  }

  /** `source` empty: from anybody. Answers 0 or -errno, as ip(7) has them. */
  join(socket: UdpSocket, group: string, source: string): number {
    const sources = this.#groups.get(group)?.get(socket);
    if (source === "") {
      if (sources !== undefined) return -Errno.EADDRINUSE;
      return this.#add(socket, group, "any");
    }
    if (sources === "any") return -Errno.EINVAL;
    if (sources === undefined) return this.#add(socket, group, new Set([source]));
    if (sources.has(source)) return -Errno.EADDRNOTAVAIL;
    if (sources.size >= limits.memberships) return -Errno.ENOBUFS;
    sources.add(source);
    return 0;
  }

  #add(socket: UdpSocket, group: string, sources: Sources): number {
    const count = this.#counts.get(socket) ?? 0;
    if (count >= limits.memberships || !this.#account.take("name")) return -Errno.ENOBUFS;
    this.#counts.set(socket, count + 1);
    const members = this.#groups.get(group);
    if (members === undefined) this.#groups.set(group, new Map([[socket, sources]]));
    else members.set(socket, sources);
    return 0;
  }

  drop(socket: UdpSocket, group: string, source: string): number {
    const sources = this.#groups.get(group)?.get(socket);
    if (sources === undefined) return -Errno.EADDRNOTAVAIL;
    if (source !== "") {
      if (sources === "any") return -Errno.EINVAL;
      if (!sources.delete(source)) return -Errno.EADDRNOTAVAIL;
      if (sources.size > 0) return 0;
    }
    this.#remove(socket, group);
    return 0;
  }

  #remove(socket: UdpSocket, group: string): void {
    const members = this.#groups.get(group);
    if (members?.delete(socket) !== true) return;
    if (members.size === 0) this.#groups.delete(group);
    this.#counts.set(socket, this.#counts.get(socket)! - 1);
    this.#account.give("name");
  }

  /** The socket is closed. */
  leave(socket: UdpSocket): void {
    if ((this.#counts.get(socket) ?? 0) === 0) return;
    for (const group of this.#groups.keys()) this.#remove(socket, group);
  }

  /**
   * Whether `socket` hears what `from` sends to `group`: who is no member does when anybody in the machine
   * is one, as with IP_MULTICAST_ALL, which is on by default.
   */
  hears(socket: UdpSocket, group: string, from: string): boolean {
    const members = this.#groups.get(group);
    if (members === undefined) return false;
    const sources = members.get(socket);
    return sources === undefined || sources === "any" || sources.has(from);
  }
}
