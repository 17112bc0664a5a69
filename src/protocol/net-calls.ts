/**
 * Network calls of the system-call table, numbers 210–249. Bytes of connected
 * sockets travel as flows (flow-calls.ts), not here.
 *
 * An endpoint is `address` and `port`; a Unix socket's is its path in `address`,
 * with a leading NUL for an abstract name.
 */

/** How a socket is made. */
export const SocketType = Object.freeze({ tcp: 0, unix: 1, udp: 2 } as const);

/** Flags of `bind`. */
export const BindFlags = Object.freeze({
  /** IPV6_V6ONLY. */
  ipv6Only: 1,
  /** SO_REUSEPORT, and SO_REUSEADDR of datagram sockets. */
  reuse: 2,
} as const);

/** Datagrams over IPv4; the kernel refuses larger ones with EMSGSIZE. */
export const maxDatagramBytes = 65_507;

const endpoints = {
  localAddress: "string",
  localPort: "u32",
  peerAddress: "string",
  peerPort: "u32",
} as const;

export const netCalls = {
  socket: { nr: 210, args: { type: "u8" }, result: { fd: "i32" } },
  bind: {
    nr: 211,
    args: { fd: "i32", address: "string", port: "u32", flags: "u32" },
    result: {},
  },
  listen: { nr: 212, args: { fd: "i32", backlog: "u32" }, result: {} },
  /** Waits for a connection. `kind` as in `describe`. */
  accept: { nr: 213, args: { fd: "i32" }, result: { fd: "i32", ...endpoints } },
  /** Ends the caller's own waits for connections there, with EBADF. */
  stopAccepting: { nr: 216, args: { fd: "i32" }, result: {} },
  /** Waits until connected. A datagram socket only remembers the peer; an empty address forgets it. */
  connect: {
    nr: 214,
    args: { fd: "i32", address: "string", port: "u32" },
    result: { ...endpoints },
  },
  /** Both names of a socket; an empty address stands for none. */
  socketNames: { nr: 215, args: { fd: "i32" }, result: { ...endpoints } },
  /** Names the connected peer may be reached under; the table's own answer, or the resolver's. */
  resolve: {
    nr: 220,
    args: { hostname: "string", family: "u8" },
    result: { addresses: "strings" },
  },
  /** The name of an address and the service of a port. */
  nameOf: {
    nr: 221,
    args: { address: "string", port: "u32" },
    result: { hostname: "string", service: "string" },
  },
  /**
   * One DNS question, `type` as in "A" or "MX". `error` is a code as node:dns has it, or empty;
   * `json` holds the answer in the shape of its `resolve`.
   */
  dnsQuery: {
    nr: 222,
    args: { type: "string", name: "string" },
    result: { error: "string", json: "string" },
  },
  /** An empty address sends to the connected peer. */
  sendTo: {
    nr: 230,
    args: { fd: "i32", address: "string", port: "u32", data: "bytes" },
    result: { sent: "u32" },
  },
  /**
   * IP_ADD_MEMBERSHIP and its like: joins a multicast group, or leaves it; with `source`, of that one only.
   * `via` is an address of the interface, or empty.
   */
  membership: {
    nr: 232,
    args: { fd: "i32", group: "string", source: "string", via: "string", joins: "bool" },
    result: {},
  },
  /** Waits for a datagram. */
  receiveFrom: {
    nr: 231,
    args: { fd: "i32" },
    result: { address: "string", port: "u32", data: "bytes" },
  },
} as const;
