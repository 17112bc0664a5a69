/**
 * Owns the network of one VM: who listens, what names mean, and which connection may leave the VM; who is bound
 * where is bound-ports.ts.
 *
 * Invariants: loopback never leaves the VM but for the exempt ports; every connection, datagram, look-up and
 * listener is a plan that says what has to be allowed, on the address that is then used.
 * Untrusted: addresses, ports, names, data.
 */
import { Errno } from "../../abi/errno.js";
import { S_IFMT, S_IFSOCK, W_OK } from "../../abi/fcntl.js";
import type { Credentials, FileSystem } from "../fs/index.js";
import { Deferred } from "../io/deferred.js";
import { Plan } from "../io/plan.js";
import { Transit } from "../io/transit.js";
import { Account } from "../machine/account.js";
import type { VmLimits } from "../../protocol/limits.js";
import type { Request } from "../../protocol/permissions.js";
import { limits } from "../limits.js";
import { isLoopback, isUnspecified, parseAddress, unmapped } from "./address.js";
import type { IpAddress } from "./address.js";
import { Announcer } from "./announce.js";
import type { HostEar } from "./announce.js";
import { BoundPorts, ephemeralFirst, maxPort } from "./bound-ports.js";
import type { Gate } from "./gate.js";
import { KnownNames } from "./known-names.js";
import { Memberships, isMulticast } from "./multicast.js";
import { Outside } from "./outside.js";
import type { Joined } from "./outside.js";
import { Resolver } from "./resolver.js";
import { StreamSocket, noEndpoint } from "./stream-socket.js";
import type { Endpoint, SocketTable } from "./stream-socket.js";
import { UdpSocket } from "./udp-socket.js";
import type { UdpTable } from "./udp-socket.js";

/** In a question about a name alone. */
const anyPort = 0;

function tooLong(path: string): boolean {
  return path.length > limits.socketPathBytes || Buffer.byteLength(path) > limits.socketPathBytes;
}

export interface Listener {
  id: number;
  pid: number;
  /** Where it listens: address and port, or path. */
  host: string;
  port: number;
  path: string;
}

export interface ListenerSink {
  added(listener: Listener): void;
  removed(id: number): void;
}

type NetworkRequest = Extract<Request, { scope: "network" }>;
/** Of a call that has no more to tell. */
type Done = Record<never, never>;
type Result<R> = R | number | Deferred<R>;
type Planned<R> = Plan<R> | number;

export type NetworkLimits = Pick<VmLimits, "sockets" | "connections">;

export class Network implements SocketTable, UdpTable {
  #announcer: Announcer | undefined;
  /** Ports of the host's loopback that a guest reaches where nobody in the VM listens. */
  readonly exemptPorts: ReadonlySet<number>;
  readonly limits: NetworkLimits;
  readonly #fs: FileSystem;
  readonly transit: Transit;
  readonly #account: Account;
  readonly #outside: Outside;
  /** Who is bound to which port. */
  readonly ports = new BoundPorts();
  /** Unix sockets by abstract name, or by the inode of their file. */
  readonly #unix = new Map<string, StreamSocket>();
  readonly #listeners = new Map<StreamSocket, Listener>();
  readonly #names: KnownNames;
  readonly #resolver: Resolver;
  readonly #memberships: Memberships;
  /** What connections to certain hosts go through. */
  #gate: Gate | undefined;
  #sockets = 0;
  #connections = 0;
  #nextListener = 1;

  constructor(
    fs: FileSystem,
    hostname: string,
    given: NetworkLimits,
    exemptPorts: readonly number[] = [],
    transit: Transit = new Transit(new Account()),
    outside: Outside = new Outside(transit.account),
  ) {
    this.#outside = outside;
    this.limits = given;
    this.transit = transit;
    this.#account = transit.account;
    this.#names = new KnownNames(transit.account);
    this.#resolver = new Resolver(this.#names, outside, hostname);
    this.#memberships = new Memberships(transit.account);
    this.#fs = fs;
    this.exemptPorts = new Set(exemptPorts);
  }

  get counts(): { sockets: number; connections: number } {
    return { sockets: this.#sockets, connections: this.#connections };
  }

  /** From now on the host hears of every listener. */
  announceTo(ear: HostEar): void {
    this.#announcer = new Announcer(this, ear);
  }

  /** From now on; before any process of the machine exists. */
  guardBy(gate: Gate): void {
    this.#gate = gate;
    this.#names.keep = (name) => gate.guards([name], anyPort);
  }

  close(): void {
    this.#announcer?.close();
    this.#outside.close();
    this.#names.clear();
  }

  streamSocket(domain: "tcp" | "unix"): StreamSocket | number {
    if (!this.#takeSocket()) return -Errno.ENFILE;
    return new StreamSocket(this, domain, true);
  }

  udpSocket(): UdpSocket | number {
    if (!this.#takeSocket()) return -Errno.ENFILE;
    return new UdpSocket(this, this.#account);
  }

  #takeSocket(): boolean {
    if (this.#sockets >= this.limits.sockets || !this.#account.take("socket")) return false;
    this.#sockets++;
    return true;
  }

  /** `counted`: it was asked for by a process, as no end of a connection is. */
  socketEnded(counted: boolean): void {
    if (counted) this.#sockets--;
    this.#account.give("socket");
  }

  connectionEnded(): void {
    this.#connections--;
  }

  leave(socket: StreamSocket): void {
    if (socket.domain === "tcp") {
      this.ports.leave(socket);
    } else if (socket.boundKey !== "") {
      this.#unix.delete(socket.boundKey);
      this.#account.give("name", socket.boundKey.length * 2);
    }
    const listener = this.#listeners.get(socket);
    if (listener === undefined) return;
    this.#listeners.delete(socket);
    this.#account.give("name", listener.path.length * 2);
    this.#announcer?.removed(listener.id);
  }

  leaveUdp(socket: UdpSocket): void {
    this.socketEnded(true);
    this.#memberships.leave(socket);
    this.ports.leave(socket);
  }

  // Binding and listening.

  bindTcp(socket: StreamSocket, address: string, port: number, flags: number): number {
    if (socket.state !== "idle") return -Errno.EINVAL;
    const placed = this.ports.place(socket, address, port, flags);
    if (typeof placed === "number") return placed;
    socket.state = "bound";
    return 0;
  }

  bindUnix(socket: StreamSocket, who: Credentials, path: string): number {
    if (socket.state !== "idle" || path === "" || tooLong(path)) return -Errno.EINVAL;
    let key = path;
    if (!path.startsWith("\0")) {
      const made = this.#fs.makeSocket(who, path);
      if (typeof made === "number") return made;
      key = `${made.dev} ${made.ino}`;
    } else if (this.#unix.has(path)) return -Errno.EADDRINUSE;
    if (!this.#account.take("name", key.length * 2)) return -Errno.ENOBUFS;
    socket.boundKey = key;
    this.#unix.set(key, socket);
    socket.local = { address: path, port: 0 };
    socket.state = "bound";
    return 0;
  }

  bindUdp(socket: UdpSocket, address: string, port: number, flags: number): Plan<Done> {
    const request = this.#listenRequest("udp", address, port);
    return new Plan<Done>([request], () => {
      socket.judgedAs = request;
      const placed = this.ports.place(socket, address, port, flags);
      return typeof placed === "number" ? placed : {};
    });
  }

  #listenRequest(protocol: "tcp" | "udp", address: string, port: number): NetworkRequest {
    const ip = parseAddress(address);
    const hostname = ip === undefined || isUnspecified(ip) ? "127.0.0.1" : ip.address;
    const where = { hostname, address: hostname, port, loopback: true };
    return { scope: "network", operation: "listen", protocol, ...where };
  }

  listen(socket: StreamSocket, pid: number, backlog: number): Done | Planned<Done> {
    if (socket.isListening) {
      socket.listen(backlog);
      return {};
    }
    if (socket.domain === "unix") {
      if (socket.state !== "bound") return -Errno.EINVAL;
      const listening = this.#listening(socket, pid, backlog);
      return listening < 0 ? listening : {};
    }
    if (socket.state === "idle") {
      const bound = this.bindTcp(socket, "::", 0, 0);
      if (bound < 0) return bound;
    }
    if (socket.state !== "bound") return -Errno.EINVAL;
    const { address, port } = socket.local;
    const request = this.#listenRequest("tcp", address, port);
    return new Plan<Done>([request], () => {
      socket.judgedAs = request;
      if (!this.ports.mayListen(socket)) return -Errno.EADDRINUSE;
      const listening = this.#listening(socket, pid, backlog);
      return listening < 0 ? listening : {};
    });
  }

  #listening(socket: StreamSocket, pid: number, backlog: number): number {
    const unix = socket.domain === "unix";
    const { address, port } = socket.local;
    if (!this.#account.take("name", unix ? address.length * 2 : 0)) return -Errno.ENOBUFS;
    socket.listen(backlog);
    const listener: Listener = {
      id: this.#nextListener++,
      pid,
      host: unix ? "" : address,
      port,
      path: unix ? address : "",
    };
    this.#listeners.set(socket, listener);
    this.#announcer?.added(listener);
    return 0;
  }

  // Connecting.

  #enter(socket: StreamSocket, listener: StreamSocket, peer: Endpoint): Result<Done> {
    const attempt = (): boolean | number => {
      if (!listener.isListening) return -Errno.ECONNREFUSED;
      if (this.#connections >= this.limits.connections) return -Errno.ENOBUFS;
      if (listener.backlogRoom !== true) return false;
      if (!this.#account.take("socket")) return -Errno.ENOBUFS;
      const accepted = new StreamSocket(this, listener.domain, false);
      this.#connections++;
      const joined = StreamSocket.join(socket, accepted);
      if (joined < 0) {
        this.#connections--;
        accepted.unref();
        return joined;
      }
      socket.peer = peer;
      accepted.judgedAs = listener.judgedAs;
      // A dual-stack listener sees IPv4 peers in an IPv6 coat.
      const coat = listener.domain === "tcp" && listener.local.address.includes(":");
      const shown = ({ address, port }: Endpoint): Endpoint => {
        const plain = unmapped({ family: address.includes(":") ? 6 : 4, address });
        const mapped = coat && plain.family === 4;
        return { address: mapped ? `::ffff:${plain.address}` : plain.address, port };
      };
      accepted.local = shown(peer);
      accepted.peer = shown(socket.local);
      listener.offer(accepted);
      return true;
    };
    const first = attempt();
    if (typeof first === "number") return first;
    if (first) return {};
    const deferred = new Deferred<Done>();
    let stop = (): void => undefined;
    const again = (): void => {
      const result = socket.isReleased ? -Errno.EBADF : attempt();
      if (typeof result === "number") deferred.settle(result);
      else if (result) deferred.settle({});
      else stop = (listener.backlogRoom as { add(wake: () => void): () => void }).add(again);
    };
    again();
    deferred.onCancel(() => stop());
    return deferred;
  }

  connectTcp(socket: StreamSocket, address: string, port: number): Planned<Done> {
    if (socket.state === "connected") return -Errno.EISCONN;
    if (socket.state === "connecting") return -Errno.EALREADY;
    if (socket.isListening) return -Errno.EINVAL;
    let ip = parseAddress(address);
    if (ip === undefined || port > maxPort) return -Errno.EINVAL;
    if (isUnspecified(ip)) ip = { family: ip.family, address: loopbackOf(ip) };
    if (socket.local === noEndpoint) {
      const local = loopbackOf(ip);
      const bound = this.bindTcp(socket, isLoopback(ip) ? local : "0.0.0.0", 0, 0);
      if (bound < 0) return bound;
    }
    const before = socket.state;
    socket.state = "connecting";
    const over = (): void => {
      if (socket.state === "connecting") socket.state = before;
    };
    return isLoopback(ip)
      ? this.#connectInside(socket, ip, port, over)
      : this.#connectOutside(socket, ip, port, over);
  }

  #connectInside(socket: StreamSocket, ip: IpAddress, port: number, over: () => void): Plan<Done> {
    const plain = unmapped(ip);
    const { names } = this.#names.of(plain);
    const request: NetworkRequest = {
      scope: "network",
      operation: "http",
      protocol: "tcp",
      hostname: plain.address,
      names,
      address: plain.address,
      port,
      loopback: true,
    };
    const listener = this.ports.listenerAt(ip, port);
    if (listener === undefined && this.exemptPorts.has(port)) {
      // Leaves the VM, so it is judged as what it is, a connection to the host; the exemption is
      // what opens the range. No address: to a policy a loopback address is the VM's own.
      const { address: _own, ...outward } = { ...request, loopback: false };
      const own = names.length === 0 ? [plain.address] : names;
      const named = { ...outward, hostname: "localhost", names: own, asked: own };
      const leave = (): Deferred<Done> | number => {
        socket.judgedAs = named;
        return this.#leave(socket, plain, port, [...new Set([...own, plain.address])]);
      };
      return new Plan<Done>([named], leave, { over });
    }
    const enter = (): Result<Done> => {
      const found = this.ports.listenerAt(ip, port);
      if (found === undefined || port === 0) return -Errno.ECONNREFUSED;
      socket.judgedAs = request;
      return this.#enter(socket, found, { address: ip.address, port });
    };
    return new Plan<Done>([request], enter, { over });
  }

  #connectOutside(socket: StreamSocket, ip: IpAddress, port: number, over: () => void): Plan<Done> {
    const request = this.#outwardRequest("tcp", ip, port);
    const leave = (): Deferred<Done> | number => {
      socket.judgedAs = request;
      return this.#leave(socket, ip, port, everyNameOf(request));
    };
    return new Plan<Done>([request], leave, { over });
  }

  /** Both ends of a connection that leaves, or -errno. */
  #joinOutside(socket: StreamSocket): Joined | number {
    if (!this.#account.take("socket")) return -Errno.ENOBUFS;
    const outer = new StreamSocket(this, "tcp", false);
    const result = StreamSocket.join(socket, outer);
    if (result === 0) return { socket: outer };
    outer.unref();
    return result;
  }

  /**
   * Makes a connection whose one end is `socket`, of another machine, which counts it, or else a new one. Its
   * other end is for `offer`.
   */
  admit(socket: StreamSocket | undefined): { own: StreamSocket; accepted: StreamSocket } | number {
    if (!this.#account.take("socket")) return -Errno.ENOBUFS;
    const accepted = new StreamSocket(this, "tcp", false);
    if (socket === undefined) {
      this.#account.force("socket");
      this.#connections++;
    }
    const own = socket ?? new StreamSocket(this, "tcp", false);
    const result = StreamSocket.join(own, accepted);
    if (result === 0) return { own, accepted };
    if (socket === undefined) {
      this.#connections--;
      own.unref();
    }
    accepted.unref();
    return result;
  }

  /** Hands an end of a connection to the listener at `port`, whatever waits there already. */
  offer(accepted: StreamSocket, port: number): void {
    const listener = this.ports.listenerAt({ family: 4, address: "127.0.0.1" }, port);
    accepted.local = { address: "127.0.0.1", port };
    accepted.peer = { address: "127.0.0.1", port: ephemeralFirst };
    if (listener !== undefined) return listener.offer(accepted);
    accepted.reset();
    accepted.unref();
  }

  /** `names`: all under which `ip` is known, or itself. */
  #leave(
    socket: StreamSocket,
    ip: IpAddress,
    port: number,
    names: readonly string[],
  ): Deferred<Done> | number {
    if (this.#connections >= this.limits.connections) return -Errno.ENOBUFS;
    this.#connections++;
    let joined = false;
    const gate = this.#gate?.guards(names, port) === true ? this.#gate : undefined;
    const join = (): Joined | number => {
      if (socket.isRevoked) return -Errno.EACCES;
      const outer = gate === undefined ? this.#joinOutside(socket) : gate.join(socket, names, port);
      if (typeof outer === "number") return outer;
      joined = true;
      socket.peer = { address: ip.address, port };
      return outer;
    };
    const connected = this.#outside.connect(ip, port, join);
    const answer = new Deferred<Done>();
    answer.onCancel(() => {
      connected.cancel();
      if (!joined) this.#connections--;
    });
    connected.whenSettled((result) => {
      if (typeof result === "number" && !joined) this.#connections--;
      answer.settle(typeof result === "number" ? result : {});
    });
    return answer;
  }

  connectUnix(socket: StreamSocket, who: Credentials, path: string): Result<Done> {
    if (socket.state === "connected") return -Errno.EISCONN;
    if (path === "" || tooLong(path)) return -Errno.EINVAL;
    let key = path;
    if (!path.startsWith("\0")) {
      const stat = this.#fs.stat(who, path, true);
      if (typeof stat === "number") return stat;
      if ((stat.mode & S_IFMT) !== S_IFSOCK) return -Errno.ECONNREFUSED;
      const allowed = this.#fs.access(who, path, W_OK);
      if (allowed < 0) return allowed;
      key = `${stat.dev} ${stat.ino}`;
    }
    const listener = this.#unix.get(key);
    if (listener === undefined || !listener.isListening) return -Errno.ECONNREFUSED;
    return this.#enter(socket, listener, { address: path, port: 0 });
  }

  /** A connection from the host to a listener of this VM; nothing else is ever reached. */
  connectFromHost(port: number): StreamSocket | number {
    const listener =
      this.ports.listenerAt({ family: 4, address: "127.0.0.1" }, port) ??
      this.ports.listenerAt({ family: 6, address: "::1" }, port) ??
      [...this.ports.tcpAt(port)].find((socket) => socket.isListening);
    if (listener === undefined) return -Errno.ECONNREFUSED;
    if (this.#connections >= this.limits.connections) return -Errno.ENOBUFS;
    if (listener.backlogRoom !== true) return -Errno.EAGAIN;
    this.#account.force("socket");
    const socket = new StreamSocket(this, "tcp", false);
    socket.local = { address: "127.0.0.1", port: this.ports.peerPort() };
    const entered = this.#enter(socket, listener, { address: "127.0.0.1", port });
    if (typeof entered === "number") {
      socket.unref();
      return entered;
    }
    return socket;
  }

  // Datagrams.

  send(socket: UdpSocket, address: string, port: number, data: Uint8Array): Planned<Done> {
    const to = address === "" ? socket.peer : { address, port };
    if (to === noEndpoint) return -Errno.EDESTADDRREQ;
    let ip = parseAddress(to.address);
    if (ip === undefined || to.port === 0 || to.port > maxPort) return -Errno.EINVAL;
    if (isUnspecified(ip)) ip = { family: ip.family, address: loopbackOf(ip) };
    if (socket.local === noEndpoint) {
      const wildcard = ip.family === 4 ? "0.0.0.0" : "::";
      const placed = this.ports.place(socket, wildcard, 0, 0);
      if (typeof placed === "number") return placed;
    }
    const target = ip;
    if (isMulticast(unmapped(target))) return this.#sendToGroup(socket, target, to.port, data);
    if (!isLoopback(target)) {
      const request = this.#outwardRequest("udp", target, to.port);
      // What it would say there cannot be looked into.
      if (this.#gate?.guards(everyNameOf(request), to.port) === true) return -Errno.EACCES;
      return new Plan<Done>([request], () => {
        if (!socket.isReleased) this.#outside.send(socket, target, to.port, data);
        return {};
      });
    }
    const plain = unmapped(target);
    const request: NetworkRequest = {
      scope: "network",
      operation: "http",
      protocol: "udp",
      hostname: plain.address,
      names: this.#names.of(plain).names,
      address: plain.address,
      port: to.port,
      loopback: true,
    };
    return new Plan<Done>([request], () => {
      this.#deliver(socket, target, to.port, data);
      return {};
    });
  }

  /** Remembers the peer of a datagram socket, or forgets it. Answers 0 or -errno. */
  connectUdp(socket: UdpSocket, address: string, port: number): number {
    if (address === "") {
      if (socket.peer === noEndpoint) return -Errno.ENOTCONN;
      socket.peer = noEndpoint;
      socket.local = socket.unconnected ?? socket.local;
      socket.unconnected = undefined;
      return 0;
    }
    const ip = parseAddress(address);
    if (ip === undefined || port === 0 || port > maxPort) return -Errno.EINVAL;
    const inside = isLoopback(ip) || isUnspecified(ip);
    const loopback = loopbackOf(ip);
    if (socket.local === noEndpoint) {
      const wildcard = ip.family === 4 ? "0.0.0.0" : "::";
      const placed = this.ports.place(socket, inside ? loopback : wildcard, 0, 0);
      if (typeof placed === "number") return placed;
    }
    socket.peer = { address: isUnspecified(ip) ? loopback : ip.address, port };
    // The way to the peer decides the address that was left open.
    const open = socket.unconnected ?? socket.local;
    if (inside && isUnspecified(parseAddress(open.address)!)) {
      socket.unconnected = open;
      socket.local = { address: loopback, port: open.port };
    }
    return 0;
  }

  /** To everybody in the VM who hears the group; it goes nowhere else. */
  #sendToGroup(from: UdpSocket, group: IpAddress, port: number, data: Uint8Array): Plan<Done> {
    const plain = unmapped(group);
    const { address } = plain;
    const request: NetworkRequest = {
      scope: "network",
      operation: "http",
      protocol: "udp",
      hostname: address,
      names: this.#names.of(plain).names,
      address,
      port,
      loopback: true,
    };
    return new Plan<Done>([request], () => {
      const own = unmapped(parseAddress(from.local.address)!);
      const source =
        isLoopback(own) && own.family === plain.family ? own : parseAddress(loopbackOf(plain))!;
      const datagram = { data: Buffer.from(data), owned: true };
      for (const socket of this.ports.udpAt(port)) {
        const local = unmapped(parseAddress(socket.local.address)!);
        const fits =
          local.address === address ||
          (isUnspecified(local) &&
            (local.family === plain.family || (local.family === 6 && !socket.ipv6Only)));
        if (!fits || !this.#memberships.hears(socket, address, source.address)) continue;
        const mapped = local.family === 6 && plain.family === 4;
        const shown = mapped ? `::ffff:${source.address}` : source.address;
        socket.deliver({ ...datagram, from: { address: shown, port: from.local.port } });
      }
      return {};
    });
  }

  /**
   * Joins or leaves a multicast group, of one source unless that is empty. `via` is an address of the
   * interface, or empty; the machine has its loopback. Answers 0 or -errno.
   */
  membership(
    socket: UdpSocket,
    group: string,
    source: string,
    via: string,
    joins: boolean,
  ): number {
    const ip = parseAddress(group);
    if (ip === undefined || !isMulticast(ip)) return -Errno.EINVAL;
    const from = source === "" ? undefined : parseAddress(source);
    if (source !== "" && from?.family !== ip.family) return -Errno.EINVAL;
    if (via !== "") {
      const where = parseAddress(via);
      if (where?.family !== ip.family) return -Errno.EINVAL;
      if (!isLoopback(where) && !isUnspecified(where)) return -Errno.ENODEV;
    }
    const act = joins ? "join" : "drop";
    return this.#memberships[act](socket, ip.address, from?.address ?? "");
  }

  #deliver(from: UdpSocket, ip: IpAddress, port: number, data: Uint8Array): void {
    const plain = unmapped(ip);
    const own = parseAddress(from.local.address)!;
    const source = isUnspecified(own) ? plain.address : from.local.address;
    for (const socket of this.ports.udpAt(port)) {
      const local = unmapped(parseAddress(socket.local.address)!);
      const fits =
        local.address === plain.address ||
        (isUnspecified(local) &&
          (local.family === plain.family || (local.family === 6 && !socket.ipv6Only)));
      if (!fits) continue;
      const mapped = local.family === 6 && plain.family === 4 ? `::ffff:${source}` : source;
      socket.deliver({ from: { address: mapped, port: from.local.port }, data });
      return;
    }
  }

  // Names.

  /** See `Resolver`. */
  resolve(...question: Parameters<Resolver["resolve"]>): ReturnType<Resolver["resolve"]> {
    return this.#resolver.resolve(...question);
  }

  /** See `Resolver`. */
  query(...question: Parameters<Resolver["query"]>): ReturnType<Resolver["query"]> {
    return this.#resolver.query(...question);
  }

  /** Judged under every name that led to the address, and under the address. */
  #outwardRequest(protocol: "tcp" | "udp", ip: IpAddress, port: number): NetworkRequest {
    const address = unmapped(ip).address;
    const { names, aliases } = this.#names.of(ip);
    const [hostname = address, ...others] = names;
    return {
      scope: "network",
      operation: "http",
      protocol,
      hostname,
      names: others,
      aliases,
      address,
      port,
      loopback: false,
    };
  }
}

/** The machine's own address, in the form in which `ip` is written. */
function loopbackOf(ip: IpAddress): string {
  if (ip.family === 4) return "127.0.0.1";
  return unmapped(ip).family === 4 ? "::ffff:127.0.0.1" : "::1";
}

/** The names of a connection that leaves, and its address. */
function everyNameOf({ hostname, names = [], address = hostname }: NetworkRequest): string[] {
  return [...new Set([hostname, ...names, address])];
}
