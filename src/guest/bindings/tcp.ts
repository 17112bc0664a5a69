/** Replaces the `TCP` of internalBinding("tcp_wrap") by a handle over sockets of the kernel. */
import { Errno } from "../../abi/errno.js";
import { SocketType } from "../../protocol/net-calls.js";
import type { AddressOut, EngineRequest } from "../engine-types.js";
import type { EngineTools } from "../environment.js";
import { SocketHandle } from "./socket-handle.js";
import { adopters } from "./stream-handle.js";

/** Types of a handle; SOCKET and SERVER of src/tcp_wrap.h. */
let types: { socket: number; server: number };

export function familyOf(address: string): string {
  return address.includes(":") ? "IPv6" : "IPv4";
}

function fill(out: AddressOut, address: string, port: number): number {
  out.address = address === "" ? "0.0.0.0" : address;
  out.family = familyOf(out.address);
  out.port = port;
  return 0;
}

class TCP extends SocketHandle {
  #typeOfService = 0;

  constructor(type: number) {
    super(SocketType.tcp, type === types.server);
  }

  bind(address: string, port: number, flags = 0): number {
    if (address.includes(":")) return -Errno.EINVAL;
    return this.bindTo(address, port, flags);
  }

  bind6(address: string, port: number, flags = 0): number {
    if (!address.includes(":")) return -Errno.EINVAL;
    return this.bindTo(address, port, flags);
  }

  connect(req: EngineRequest, address: string, port: number): number {
    return this.connectTo(req, address, port);
  }

  connect6(req: EngineRequest, address: string, port: number): number {
    return this.connectTo(req, address, port);
  }

  getsockname(out: AddressOut): number {
    const names = this.names();
    if (typeof names === "number") return names;
    return fill(out, names.localAddress, names.localPort);
  }

  getpeername(out: AddressOut): number {
    const names = this.names();
    if (typeof names === "number") return names;
    if (names.peerAddress === "") return -Errno.ENOTCONN;
    return fill(out, names.peerAddress, names.peerPort);
  }

  // There is no wire whose timing these would change.
  setNoDelay(): number {
    return this.isOpen ? 0 : -Errno.EBADF;
  }

  setKeepAlive(): number {
    return this.isOpen ? 0 : -Errno.EBADF;
  }

  setTypeOfService(value: number): number {
    if (!this.isOpen) return -Errno.EBADF;
    this.#typeOfService = value;
    return 0;
  }

  getTypeOfService(): number {
    return this.isOpen ? this.#typeOfService : -Errno.EBADF;
  }

  reset(done?: () => void): number {
    if (!this.isOpen) return -Errno.EBADF;
    this.closeWith(true, done);
    return 0;
  }
}

export function installTcp(env: EngineTools): void {
  const binding = env.internalBinding("tcp_wrap");
  types = { socket: binding.constants.SOCKET, server: binding.constants.SERVER };
  binding.TCP = TCP;
  adopters.set("tcp", (fd) => {
    const handle = new TCP(types.socket);
    handle.open(fd);
    return handle;
  });
}
