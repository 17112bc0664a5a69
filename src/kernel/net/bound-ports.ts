/**
 * Owns who of one VM is bound to which port, of TCP and of UDP: whether a place is free, who listens for an address, and
 * what /proc shows of them.
 *
 * Invariant: two sockets that would get each other's traffic never listen at one port, unless both asked to share it.
 * Untrusted: addresses, ports, flags.
 */
import { randomInt } from "node:crypto";
import { Errno } from "../../abi/errno.js";
import { BindFlags } from "../../protocol/net-calls.js";
import { isLoopback, isUnspecified, parseAddress, unmapped } from "./address.js";
import type { IpAddress } from "./address.js";
import { isMulticast } from "./multicast.js";
import { TcpState } from "./socket-table.js";
import type { SocketRow } from "./socket-table.js";
import { StreamSocket, noEndpoint } from "./stream-socket.js";
import type { Endpoint } from "./stream-socket.js";
import { UdpSocket } from "./udp-socket.js";

/** net.ipv4.ip_local_port_range */
export const ephemeralFirst = 32_768;
const ephemeralLast = 60_999;
export const maxPort = 65_535;

type Bound = StreamSocket | UdpSocket;

export class BoundPorts {
  readonly #tcp = new Map<number, Set<StreamSocket>>();
  readonly #udp = new Map<number, Set<UdpSocket>>();
  /** Where to begin to look for a free port, from 0 to below `count`. */
  choose = (count: number): number => randomInt(count);

  tcpAt(port: number): Iterable<StreamSocket> {
    return this.#tcp.get(port) ?? [];
  }

  udpAt(port: number): Iterable<UdpSocket> {
    return this.#udp.get(port) ?? [];
  }

  #tableOf(socket: Bound): Map<number, Set<Bound>> {
    return (socket instanceof UdpSocket ? this.#udp : this.#tcp) as Map<number, Set<Bound>>;
  }

  /** A port for a connection of the host's to come from. */
  peerPort(): number {
    return ephemeralFirst + this.choose(16_384);
  }

  /** It is bound nowhere any more, if it was. */
  leave(socket: Bound): void {
    const table = this.#tableOf(socket);
    const { port } = socket.local;
    const bound = table.get(port);
    if (bound?.delete(socket) === true && bound.size === 0) table.delete(port);
  }

  /** Whether two sockets of one port would get each other's traffic. */
  #conflicts(one: Bound, two: Bound): boolean {
    const a = parseAddress(one.local.address)!;
    const b = parseAddress(two.local.address)!;
    if (isUnspecified(a) || isUnspecified(b)) {
      const dual = (ip: IpAddress, socket: Bound): boolean =>
        ip.family === 6 && isUnspecified(ip) && !socket.ipv6Only;
      return a.family === b.family || dual(a, one) || dual(b, two);
    }
    return unmapped(a).address === unmapped(b).address;
  }

  /** Binds it where it asked to be, or to a port that is free for 0. Answers where that is, or -errno. */
  place(socket: Bound, address: string, port: number, flags: number): Endpoint | number {
    const ip = parseAddress(address);
    if (ip === undefined || port > maxPort) return -Errno.EINVAL;
    const ofGroup = socket instanceof UdpSocket && isMulticast(ip);
    if (!isLoopback(ip) && !isUnspecified(ip) && !ofGroup) return -Errno.EADDRNOTAVAIL;
    if (socket.local !== noEndpoint) return -Errno.EINVAL;
    socket.ipv6Only = (flags & BindFlags.ipv6Only) !== 0;
    socket.reuse = (flags & BindFlags.reuse) !== 0;
    const table = this.#tableOf(socket);
    const free = (wanted: number): boolean => {
      socket.local = { address: ip.address, port: wanted };
      for (const other of table.get(wanted) ?? []) {
        if (!this.#conflicts(socket, other)) continue;
        if (socket.reuse && other.reuse) continue;
        // SO_REUSEADDR, which libuv sets: only a listener keeps others away.
        if (other instanceof StreamSocket && !other.isListening && port !== 0) continue;
        return false;
      }
      return true;
    };
    let chosen = port;
    if (port === 0) {
      const count = ephemeralLast - ephemeralFirst + 1;
      const start = this.choose(count);
      let tried = 0;
      do chosen = ephemeralFirst + ((start + tried) % count);
      while (!free(chosen) && ++tried < count);
      if (tried >= count) chosen = -1;
    } else if (!free(port)) chosen = -1;
    if (chosen < 0) {
      socket.local = noEndpoint;
      return -Errno.EADDRINUSE;
    }
    let set = table.get(chosen);
    if (set === undefined) table.set(chosen, (set = new Set()));
    set.add(socket);
    return socket.local;
  }

  /** Whether nobody listens where `socket` is bound. */
  mayListen(socket: StreamSocket): boolean {
    for (const other of this.tcpAt(socket.local.port)) {
      if (other === socket || !other.isListening || (other.reuse && socket.reuse)) continue;
      if (this.#conflicts(socket, other)) return false;
    }
    return true;
  }

  /** The socket that listens for `ip` and `port`. */
  listenerAt(ip: IpAddress, port: number): StreamSocket | undefined {
    const plain = unmapped(ip);
    let wild: StreamSocket | undefined;
    for (const socket of this.tcpAt(port)) {
      if (!socket.isListening) continue;
      const local = unmapped(parseAddress(socket.local.address)!);
      if (local.address === plain.address) return socket;
      if (!isUnspecified(local)) continue;
      if (local.family === plain.family) wild = socket;
      else if (local.family === 6 && !socket.ipv6Only) wild ??= socket;
    }
    return wild;
  }

  /** Rows of /proc/net/tcp and tcp6, or of udp and udp6. */
  *rows(kind: "tcp" | "udp"): Iterable<SocketRow> {
    if (kind === "udp") {
      for (const sockets of this.#udp.values())
        for (const { local, peer, unreadBytes } of sockets) {
          const state = peer === noEndpoint ? TcpState.close : TcpState.established;
          yield { local, peer, state, unreadBytes };
        }
      return;
    }
    for (const sockets of this.#tcp.values())
      for (const socket of sockets) {
        const { isListening, local, peer, state, unreadBytes } = socket;
        if (isListening) yield { local, peer: noEndpoint, state: TcpState.listen, unreadBytes: 0 };
        else if (state === "connecting")
          yield { local, peer, state: TcpState.synSent, unreadBytes };
        else if (state === "connected")
          yield { local, peer, state: TcpState.established, unreadBytes };
        // Who was accepted is bound to nothing of its own.
        const other = state === "connected" ? socket.otherEnd : undefined;
        if (other !== undefined && other.local !== noEndpoint)
          yield {
            local: other.local,
            peer: other.peer,
            state: TcpState.established,
            unreadBytes: other.unreadBytes,
          };
      }
  }
}
