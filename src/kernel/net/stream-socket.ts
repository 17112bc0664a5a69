/**
 * Owns TCP and Unix stream sockets inside a VM: their states, the two directions
 * of a connection, and how each end learns that the other one has gone.
 *
 * Invariants: a socket leaves its network's table exactly once; bytes already
 * received stay readable after a reset, as on Linux; a listening socket holds at
 * most `backlog` connections that nobody has accepted.
 * Untrusted: everything that guests ask of it.
 */
import { Errno } from "../../abi/errno.js";
import { S_IFSOCK } from "../../abi/fcntl.js";
import type { Request } from "../../protocol/permissions.js";
import type { FileStat } from "../fs/index.js";
import { Deferred } from "../io/deferred.js";
import { makeConduits } from "../io/conduit.js";
import type { Conduit } from "../io/conduit.js";
import type { Transit } from "../io/transit.js";
import { Stream, streamStat } from "../io/stream.js";
import type { Passable, StreamKind } from "../io/stream.js";
import { WaitQueue } from "../io/wait-queue.js";
import { limits } from "../limits.js";

/** `port` 0 and an empty address stand for none. */
export interface Endpoint {
  address: string;
  port: number;
}

export const noEndpoint: Endpoint = Object.freeze({ address: "", port: 0 });

/** What a socket needs of the table it is in. */
export interface SocketTable {
  readonly transit: Transit;
  /** The socket is not bound or listening any more. */
  leave(socket: StreamSocket): void;
  connectionEnded(): void;
  socketEnded(counted: boolean): void;
}

/** Counted in one table, whichever end goes last. */
interface Connection {
  ends: number;
  readonly table: SocketTable;
}

type State = "idle" | "bound" | "listening" | "connecting" | "connected";

export class StreamSocket extends Stream {
  readonly kind: StreamKind;
  readonly domain: "tcp" | "unix";
  readonly #table: SocketTable;
  /** Whether it counts as a socket of the table; accepted ones count as connections. */
  readonly #counted: boolean;
  state: State = "idle";
  local: Endpoint = noEndpoint;
  peer: Endpoint = noEndpoint;
  /** Where its network knows a Unix socket by. */
  boundKey = "";
  /** What its network was asked before it connected, listened or was accepted. */
  judgedAs: Request | undefined;
  /** Who connects it, for the record of what is asked over it. */
  openedBy: { readonly pid: number; readonly argv0: string } | undefined;
  #revoked = false;
  ipv6Only = false;
  reuse = false;
  /** Connections that wait to be accepted. */
  readonly #backlog: StreamSocket[] = [];
  #backlogLimit = 0;
  readonly #acceptable = new WaitQueue();
  /** Woken when a place in the backlog is free. */
  readonly #room = new WaitQueue();
  #incoming: Conduit | undefined;
  #outgoing: Conduit | undefined;
  #other: StreamSocket | undefined;
  /** Reported once by the next read. */
  #error = 0;
  #shutdown = false;
  /** A first write after the peer has gone is lost without a word. */
  #lostWrite = false;
  #connection: Connection | undefined;

  constructor(table: SocketTable, domain: "tcp" | "unix", counted: boolean) {
    super();
    this.#table = table;
    this.domain = domain;
    this.kind = domain === "tcp" ? "tcp" : "pipe";
    this.#counted = counted;
  }

  get isRevoked(): boolean {
    return this.#revoked;
  }

  /** Closed for all who hold it: nothing goes in or out any more. */
  revoke(): void {
    if (this.#revoked) return;
    this.#revoked = true;
    if (this.isListening) {
      this.#table.leave(this);
      this.state = "idle";
      this.#dropBacklog();
      this.#acceptable.wakeAll();
      this.#room.wakeAll();
    }
    this.#disconnect(true);
    this.readable.wakeAll();
    this.writable.wakeAll();
  }

  /** The other end of its connection, while both are there. */
  get otherEnd(): StreamSocket | undefined {
    return this.#other;
  }

  /** What has come in and was not read. */
  get unreadBytes(): number {
    return this.#incoming?.buffer.length ?? 0;
  }

  override get losesInput(): boolean {
    return this.domain === "tcp" && this.unreadBytes > 0;
  }

  get isListening(): boolean {
    return this.state === "listening";
  }

  override get isForAll(): boolean {
    return this.isListening;
  }

  listen(backlog: number): void {
    this.state = "listening";
    this.#backlogLimit = Math.max(1, Math.min(backlog, limits.backlog));
  }

  /** Room for one more connection; who has to wait does so on the answer. */
  get backlogRoom(): true | WaitQueue {
    return this.#backlog.length < this.#backlogLimit ? true : this.#room;
  }

  offer(connection: StreamSocket): void {
    this.#backlog.push(connection);
    this.#acceptable.wakeAll();
  }

  /** Asks all who wait for a connection whether they still want one. */
  recheckWaits(): void {
    this.#acceptable.wakeAll();
  }

  /** `wanted` is asked again before a connection is handed to one who has waited. */
  accept(wanted: () => boolean = () => true): StreamSocket | number | Deferred<StreamSocket> {
    if (!this.isListening) return -Errno.EINVAL;
    const first = this.#backlog.shift();
    if (first !== undefined) {
      this.#room.wakeAll();
      return first;
    }
    const deferred = new Deferred<StreamSocket>();
    let stop = (): void => undefined;
    const attempt = (): void => {
      if (!wanted()) return deferred.settle(-Errno.EBADF);
      const next = this.#backlog.shift();
      if (next !== undefined) {
        this.#room.wakeAll();
        deferred.settle(next as never);
      } else if (!this.isListening) deferred.settle(-Errno.EINVAL);
      else stop = this.#acceptable.add(attempt);
    };
    stop = this.#acceptable.add(attempt);
    deferred.onCancel(() => stop());
    return deferred;
  }

  /** Connects two sockets with each other, on the first one's account: 0, or -ENOBUFS. */
  static join(one: StreamSocket, two: StreamSocket): number {
    const conduits = makeConduits(limits.socketBufferBytes, one.#table.transit);
    if (conduits === undefined) return -Errno.ENOBUFS;
    const [forth, back] = conduits;
    const connection = { ends: 2, table: one.#table };
    one.#connect(two, back, forth, connection);
    two.#connect(one, forth, back, connection);
    return 0;
  }

  #connect(
    other: StreamSocket,
    incoming: Conduit,
    outgoing: Conduit,
    connection: Connection,
  ): void {
    this.state = "connected";
    this.#other = other;
    this.#incoming = incoming;
    this.#outgoing = outgoing;
    this.#connection = connection;
    incoming.readers = this.readable;
    outgoing.writers = this.writable;
    this.readable.wakeAll();
    this.writable.wakeAll();
  }

  read(maxBytes: number): Uint8Array | number {
    if (this.#revoked) return -Errno.EACCES;
    const incoming = this.#incoming;
    if (incoming === undefined) return -Errno.ENOTCONN;
    if (incoming.buffer.length > 0 || this.#error === 0) return incoming.read(maxBytes);
    const error = this.#error;
    this.#error = 0;
    return -error;
  }

  write(data: Uint8Array): number {
    if (this.#revoked) return -Errno.EACCES;
    const outgoing = this.#outgoing;
    if (outgoing === undefined) return -Errno.ENOTCONN;
    if (this.#shutdown) return -Errno.EPIPE;
    if (!outgoing.readerOpen && this.domain === "tcp" && !this.#lostWrite) {
      this.#lostWrite = true;
      return data.byteLength;
    }
    return outgoing.write(data);
  }

  override shutdown(): number {
    if (this.#outgoing === undefined) return -Errno.ENOTCONN;
    this.#shutdown = true;
    this.#outgoing.closeWriter();
    return 0;
  }

  override pass(description: Passable): void {
    if (this.domain === "unix" && this.#outgoing !== undefined) this.#outgoing.pass(description);
    else description.unref();
  }

  override takePassed(): Passable | undefined {
    return this.#incoming?.takePassed();
  }

  override holds(): Stream[] {
    return [...this.#backlog, ...(this.#incoming?.passedStreams ?? [])];
  }

  override heldFiles(): Exclude<Passable, Stream>[] {
    return this.#incoming?.passedFiles ?? [];
  }

  override letGo(): void {
    this.#incoming?.dropPassed();
    this.#dropBacklog();
  }

  override reset(): void {
    this.#disconnect(true);
  }

  #disconnect(reset: boolean): void {
    const other = this.#other;
    if (other === undefined) return;
    this.#other = undefined;
    const unread = this.#incoming!.buffer.length > 0;
    if ((reset || unread) && other.#other !== undefined) {
      other.#error = Errno.ECONNRESET;
      other.#lostWrite = true;
    }
    this.#outgoing!.closeWriter();
    this.#incoming!.closeReader();
    const connection = this.#connection!;
    if (--connection.ends === 0) connection.table.connectionEnded();
  }

  stat(): FileStat {
    return streamStat(S_IFSOCK);
  }

  #dropBacklog(): void {
    for (const connection of this.#backlog.splice(0)) {
      connection.reset();
      connection.unref();
    }
  }

  protected released(): void {
    this.#table.leave(this);
    if (this.isListening) {
      this.state = "idle";
      this.#dropBacklog();
      this.#acceptable.wakeAll();
      this.#room.wakeAll();
    }
    this.#disconnect(false);
    this.#table.socketEnded(this.#counted);
  }
}
