/**
 * Owns datagram sockets inside a VM: a bounded queue of datagrams each.
 *
 * Invariants: a datagram arrives whole or not at all; a full queue drops the
 * newest, and so does a full account, as UDP does. Untrusted: data, addresses.
 */
import { Errno } from "../../abi/errno.js";
import { S_IFSOCK } from "../../abi/fcntl.js";
import type { Request } from "../../protocol/permissions.js";
import type { FileStat } from "../fs/index.js";
import { Deferred } from "../io/deferred.js";
import { Stream, streamStat } from "../io/stream.js";
import { limits } from "../limits.js";
import type { Account } from "../machine/account.js";
import { noEndpoint } from "./stream-socket.js";
import type { Endpoint } from "./stream-socket.js";

export interface Datagram {
  from: Endpoint;
  data: Uint8Array;
  /** Nobody changes or reuses `data`. */
  owned?: boolean;
}

export interface UdpTable {
  leaveUdp(socket: UdpSocket): void;
}

export class UdpSocket extends Stream {
  readonly kind = "udp";
  readonly #table: UdpTable;
  readonly #account: Account;
  local: Endpoint = noEndpoint;
  /** What it was bound to, while its peer decides its own address. */
  unconnected: Endpoint | undefined;
  peer: Endpoint = noEndpoint;
  ipv6Only = false;
  reuse = false;
  /** What its network was asked before it was bound. */
  judgedAs: Request | undefined;
  #revoked = false;
  readonly #queue: Datagram[] = [];
  #queuedBytes = 0;
  /** What a socket outside the VM sends for this one, if the policy let it. */
  outside: { close(): void } | undefined;

  constructor(table: UdpTable, account: Account) {
    super();
    this.#table = table;
    this.#account = account;
  }

  /** Nothing comes in any more. */
  revoke(): void {
    this.#revoked = true;
    this.forgetPeers();
  }

  /** What answers to datagrams it has sent is not for it any more. */
  forgetPeers(): void {
    this.outside?.close();
    this.outside = undefined;
  }

  deliver(datagram: Datagram): void {
    if (this.#revoked || this.isReleased || this.#queue.length >= limits.datagrams) return;
    if (this.#queuedBytes + datagram.data.byteLength > limits.datagramBytes) return;
    const { peer } = this;
    if (
      peer.address !== "" &&
      (peer.address !== datagram.from.address || peer.port !== datagram.from.port)
    )
      return;
    if (!this.#account.take("datagram", datagram.data.byteLength)) return;
    // Copied only now: of what does not fit, nothing is left over. What goes to many is copied once.
    const data = datagram.owned === true ? datagram.data : Buffer.from(datagram.data);
    this.#queue.push({ from: datagram.from, data });
    this.#queuedBytes += datagram.data.byteLength;
    this.readable.wakeAll();
  }

  get unreadBytes(): number {
    return this.#queuedBytes;
  }

  receive(): Datagram | number | Deferred<Datagram> {
    const first = this.#take();
    if (first !== undefined) return first;
    const deferred = new Deferred<Datagram>();
    let stop = (): void => undefined;
    const attempt = (): void => {
      if (this.isReleased) return deferred.settle(-Errno.EBADF);
      const next = this.#take();
      if (next !== undefined) deferred.settle(next);
      else stop = this.readable.add(attempt);
    };
    stop = this.readable.add(attempt);
    deferred.onCancel(() => stop());
    return deferred;
  }

  #take(): Datagram | undefined {
    const first = this.#queue.shift();
    if (first === undefined) return undefined;
    this.#queuedBytes -= first.data.byteLength;
    this.#account.give("datagram", first.data.byteLength);
    return first;
  }

  read(maxBytes: number): Uint8Array | number {
    return this.#take()?.data.subarray(0, maxBytes) ?? -Errno.EAGAIN;
  }

  write(): number {
    return -Errno.EDESTADDRREQ;
  }

  stat(): FileStat {
    return streamStat(S_IFSOCK);
  }

  protected released(): void {
    this.#table.leaveUdp(this);
    while (this.#take() !== undefined);
    this.outside?.close();
    this.outside = undefined;
  }
}
