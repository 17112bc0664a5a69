/**
 * Owns everything of a VM's network that leaves the VM: connections, datagrams
 * and look-ups of the kernel process, made only after the policy has agreed.
 *
 * Invariants: a connection goes to exactly the address that was judged; an answer
 * to a datagram comes in only from where one was sent; nothing outlives the VM.
 * Untrusted: names and addresses, what comes back.
 */
import { createSocket } from "node:dgram";
import type { Socket as DatagramSocket } from "node:dgram";
import { connect } from "node:net";
import { Errno } from "../../abi/errno.js";
import { Deferred } from "../io/deferred.js";
import { limits } from "../limits.js";
import type { Account } from "../machine/account.js";
import type { IpAddress } from "./address.js";
import { Lookups } from "./lookups.js";
import { SocketDuplex, bridge } from "./socket-duplex.js";
import type { Meter } from "./socket-duplex.js";
import type { StreamSocket } from "./stream-socket.js";
import type { UdpSocket } from "./udp-socket.js";

function errnoOf(error: unknown): number {
  const { errno } = error as NodeJS.ErrnoException;
  return typeof errno === "number" && errno < 0 ? errno : -Errno.EIO;
}

/** The VM's end of a connection that leaves it, and who counts what passes. */
export interface Joined {
  readonly socket: StreamSocket;
  readonly meter?: Meter;
}

export class Outside {
  readonly #open = new Set<{ destroy(): void }>();
  readonly #account: Account;

  readonly #lookups: Lookups;

  constructor(account: Account) {
    this.#account = account;
    this.#lookups = new Lookups(account);
  }

  /** Connects to `ip`; `join` then makes the VM's end of it, or says why not. */
  connect(ip: IpAddress, port: number, join: () => Joined | number): Deferred<{ local: string }> {
    const deferred = new Deferred<{ local: string }>();
    if (!this.#account.take("outside")) {
      deferred.settle(-Errno.ENOBUFS);
      return deferred;
    }
    const socket = connect({
      host: ip.address,
      port,
      family: ip.family,
      allowHalfOpen: true,
      noDelay: true,
      // The address is given: nothing is looked up here.
      lookup: (_host, _options, done) => done(null, ip.address, ip.family),
    });
    this.#open.add(socket);
    socket.once("close", () => {
      this.#open.delete(socket);
      this.#account.give("outside");
    });
    socket.once("error", (error) => deferred.settle(errnoOf(error)));
    socket.once("connect", () => {
      if (deferred.settled) return;
      const inner = join();
      if (typeof inner === "number") {
        socket.destroy();
        return deferred.settle(inner);
      }
      socket.removeAllListeners("error");
      bridge(new SocketDuplex(inner.socket, inner.meter), socket);
      deferred.settle({ local: `${socket.localAddress} ${socket.localPort}` });
    });
    deferred.onCancel(() => socket.destroy());
    return deferred;
  }

  /** Sends a datagram from the host for `from`; answers come in through it. */
  send(from: UdpSocket, ip: IpAddress, port: number, data: Uint8Array): void {
    let relay = from.outside as DatagramRelay | undefined;
    if (relay === undefined) {
      relay = new DatagramRelay(from, this.#account, () => this.#open.delete(relay!));
      from.outside = relay;
      this.#open.add(relay);
    }
    relay.send(ip, port, Buffer.from(data));
  }

  // Questions to the host's name servers; `Lookups` says more.

  lookup(hostname: string, family: number): ReturnType<Lookups["lookup"]> {
    return this.#lookups.lookup(hostname, family);
  }

  aliases(name: string): ReturnType<Lookups["aliases"]> {
    return this.#lookups.aliases(name);
  }

  query(type: string, name: string): ReturnType<Lookups["query"]> {
    return this.#lookups.query(type, name);
  }

  close(): void {
    this.#lookups.close();
    for (const socket of this.#open) socket.destroy();
    this.#open.clear();
  }
}

class DatagramRelay {
  readonly #from: UdpSocket;
  readonly #account: Account;
  readonly #sockets = new Map<4 | 6, DatagramSocket>();
  readonly #peers = new Set<string>();
  readonly #closed: () => void;

  constructor(from: UdpSocket, account: Account, closed: () => void) {
    this.#from = from;
    this.#account = account;
    this.#closed = closed;
  }

  send(ip: IpAddress, port: number, data: Buffer): void {
    const peer = `${ip.address} ${port}`;
    this.#peers.delete(peer);
    this.#peers.add(peer);
    if (this.#peers.size > limits.datagramPeers) {
      const [oldest] = this.#peers;
      this.#peers.delete(oldest!);
    }
    let socket = this.#sockets.get(ip.family);
    if (socket === undefined) {
      // A datagram without a socket to send it is lost, as on a busy machine.
      if (!this.#account.take("outside")) return;
      socket = createSocket(ip.family === 4 ? "udp4" : "udp6");
      // A datagram that cannot go out is lost, as on any network.
      socket.on("error", () => undefined);
      socket.on("message", (message, from) => {
        if (!this.#peers.has(`${from.address} ${from.port}`)) return;
        this.#from.deliver({ from: { address: from.address, port: from.port }, data: message });
      });
      socket.unref();
      this.#sockets.set(ip.family, socket);
    }
    socket.send(data, port, ip.address, () => undefined);
  }

  close(): void {
    this.destroy();
  }

  destroy(): void {
    for (const socket of this.#sockets.values()) {
      socket.close();
      this.#account.give("outside");
    }
    this.#sockets.clear();
    this.#closed();
  }
}
