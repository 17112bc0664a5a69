/** Replaces the `UDP` of internalBinding("udp_wrap") by a handle over datagram sockets of the kernel. */
import { Errno } from "../../abi/errno.js";
import { BindFlags, SocketType } from "../../protocol/net-calls.js";
import { currentFrame, deliver } from "../delivery.js";
import type { AddressOut, EngineRequest, ErrorContext } from "../engine-types.js";
import type { GuestEnvironment, KernelClient } from "../environment.js";
import { denialError, explainNext, ownerOf } from "./socket-handle.js";
import { adopters } from "./stream-handle.js";
import { bytesOf } from "./stream-outbox.js";
import { familyOf } from "./tcp.js";
import { asyncIdsOf, beginHandle, beginRequest, endHandle } from "../async-resources.js";
import { LoopHold } from "../loop-hold.js";
import { later } from "../turns.js";

const bufferBytes = 212_992;

/** The request of a `send`; `callback` is the program's. */
interface SendRequest extends EngineRequest {
  callback?(error: Error): void;
}

type SendArguments = [
  req: SendRequest,
  list: Uint8Array[],
  count: number,
  port: number | boolean,
  address?: string,
  hasCallback?: boolean,
];

/** What the handles of this thread use of the engine; set when the binding is replaced. */
interface Tools {
  kernel: KernelClient;
  isIP(address: string): number;
  flags: { ipv6Only: number; reuse: number };
}

let tools: Tools;

class UDP {
  onmessage: ((size: number, handle: UDP, data: Buffer, from: object) => void) | undefined;
  #fd = -1;
  #closed = false;
  #receiving = false;
  #asked = false;
  readonly #hold = new LoopHold(tools.kernel);
  #buffers = [bufferBytes, bufferBytes];
  #frame: unknown;
  /** 4 or 6 once something has made it one. */
  #family = 0;
  #sending = 0;
  #sendingBytes = 0;

  constructor() {
    beginHandle("UDPWRAP", this);
  }

  get fd(): number {
    return this.#closed ? -1 : this.#fd;
  }

  getAsyncId(): number {
    return asyncIdsOf(this)!.id;
  }

  getProviderType(): number {
    return 0;
  }

  open(fd: number): number {
    if (this.#fd >= 0) return -Errno.EEXIST;
    this.#fd = fd;
    return 0;
  }

  #ensure(): number {
    if (this.#closed) return -Errno.EBADF;
    if (this.#fd >= 0) return 0;
    const result = tools.kernel.call("socket", { type: SocketType.udp });
    return typeof result === "number" ? result : this.open(result.fd);
  }

  bind(address: string, port: number, flags: number): number {
    return this.#bindTo(4, address, port, flags);
  }

  bind6(address: string, port: number, flags: number): number {
    return this.#bindTo(6, address, port, flags);
  }

  #bindTo(family: 4 | 6, address: string, port: number, flags: number): number {
    if (address.includes(":") !== (family === 6)) return -Errno.EINVAL;
    this.#family = family;
    const made = this.#ensure();
    if (made < 0) return made;
    let wanted = 0;
    if ((flags & tools.flags.ipv6Only) !== 0) wanted |= BindFlags.ipv6Only;
    if ((flags & tools.flags.reuse) !== 0) wanted |= BindFlags.reuse;
    const args = { fd: this.#fd, address, port, flags: wanted };
    const result = tools.kernel.call("bind", args, (words) => explainNext(ownerOf(this), words));
    return typeof result === "number" ? result : 0;
  }

  connect(address: string, port: number): number {
    return this.#connectTo(4, address, port);
  }

  connect6(address: string, port: number): number {
    return this.#connectTo(6, address, port);
  }

  #connectTo(family: 4 | 6, address: string, port: number): number {
    if (address.includes(":") !== (family === 6)) return -Errno.EINVAL;
    this.#family ||= family;
    const made = this.#ensure();
    if (made < 0) return made;
    const result = tools.kernel.call("connect", { fd: this.#fd, address, port });
    return typeof result === "number" ? result : 0;
  }

  disconnect(): number {
    const result = tools.kernel.call("connect", { fd: this.#fd, address: "", port: 0 });
    return typeof result === "number" ? result : 0;
  }

  send(...args: SendArguments): number {
    return this.#sendTo(4, ...args);
  }

  send6(...args: SendArguments): number {
    return this.#sendTo(6, ...args);
  }

  #sendTo(family: 4 | 6, ...[req, list, count, port, address, hasCallback]: SendArguments): number {
    if (address !== undefined && typeof port !== "boolean") {
      if (address.includes(":") !== (family === 6)) return -Errno.EINVAL;
    }
    this.#family ||= family;
    const made = this.#ensure();
    if (made < 0) return made;
    const connected = typeof port === "boolean";
    const callback = connected ? port : hasCallback === true;
    const data = Buffer.concat(list.slice(0, count).map(bytesOf));
    const to = connected ? { address: "", port: 0 } : { address: address ?? "", port };
    const frame = currentFrame();
    if (callback) beginRequest("UDPSENDWRAP", req);
    this.#sending++;
    this.#sendingBytes += data.byteLength;
    tools.kernel.callAsync("sendTo", { fd: this.#fd, ...to, data }, (result, words) => {
      this.#sending--;
      this.#sendingBytes -= data.byteLength;
      if (!callback) return;
      deliver(frame, req, () => {
        if (typeof result !== "number") req.oncomplete?.(0, result.sent);
        else if (words !== "" && typeof req.callback === "function")
          req.callback(denialError(words, "send", to));
        else req.oncomplete?.(result, 0);
      });
    });
    return 0;
  }

  recvStart(): number {
    const made = this.#ensure();
    if (made < 0) return made;
    this.#receiving = true;
    this.#frame = currentFrame();
    this.#hold.active = true;
    if (!this.#asked) this.#receive();
    return 0;
  }

  recvStop(): number {
    this.#receiving = false;
    this.#hold.active = false;
    return 0;
  }

  #receive(): void {
    this.#asked = true;
    const call = tools.kernel.callAsync("receiveFrom", { fd: this.#fd }, (result) => {
      this.#asked = false;
      if (this.#closed || typeof result === "number") return;
      if (this.#receiving) this.#receive();
      const { address, port, data } = result;
      const size = data.byteLength;
      const from = { address, family: familyOf(address), port, size };
      deliver(this.#frame, this, () => {
        if (!this.#closed) this.onmessage?.(size, this, data as Buffer, from);
      });
    });
    call.unref();
  }

  ref(): void {
    this.#hold.referenced = true;
  }

  unref(): void {
    this.#hold.referenced = false;
  }

  hasRef(): boolean {
    return this.#hold.isReferenced && !this.#closed;
  }

  close(done?: () => void): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#receiving = false;
    this.#hold.active = false;
    if (this.#fd >= 0) tools.kernel.callAsync("close", { fd: this.#fd }, () => undefined);
    const frame = currentFrame();
    later(() => {
      if (typeof done === "function") deliver(frame, this, () => Reflect.apply(done, this, []));
      later(() => endHandle(this));
    });
  }

  #name(out: AddressOut, peer: boolean): number {
    if (this.fd < 0) return -Errno.EBADF;
    const names = tools.kernel.call("socketNames", { fd: this.#fd });
    if (typeof names === "number") return names;
    const address = peer ? names.peerAddress : names.localAddress;
    if (peer && address === "") return -Errno.ENOTCONN;
    out.address = address === "" ? (this.#family === 6 ? "::" : "0.0.0.0") : address;
    out.family = familyOf(out.address);
    out.port = peer ? names.peerPort : names.localPort;
    return 0;
  }

  getsockname(out: AddressOut): number {
    return this.#name(out, false);
  }

  getpeername(out: AddressOut): number {
    return this.#name(out, true);
  }

  bufferSize(size: number, receive: boolean, context: ErrorContext): number | undefined {
    if (this.fd < 0) {
      context.errno = -Errno.EBADF;
      context.code = "EBADF";
      context.message = "bad file descriptor";
      context.syscall = receive ? "uv_recv_buffer_size" : "uv_send_buffer_size";
      return undefined;
    }
    const which = receive ? 0 : 1;
    // Linux doubles what it is given; socket(7).
    if (size !== 0) this.#buffers[which] = size * 2;
    return this.#buffers[which];
  }

  getSendQueueSize(): number {
    return this.#sendingBytes;
  }

  getSendQueueCount(): number {
    return this.#sending;
  }

  /** Options are of a socket, and there is none before it is bound. */
  #option(): number {
    return this.fd < 0 ? -Errno.EBADF : 0;
  }

  setBroadcast(): number {
    return this.#option();
  }

  setTTL(ttl: number): number {
    return ttl < 1 || ttl > 255 ? -Errno.EINVAL : this.#option();
  }

  setMulticastTTL(ttl: number): number {
    return ttl < 0 || ttl > 255 ? -Errno.EINVAL : this.#option();
  }

  setMulticastLoopback(): number {
    return this.#option();
  }

  /** The machine has one interface, so there is nothing to choose; what libuv and Linux say of others. */
  setMulticastInterface(address: string): number {
    if (this.fd < 0) return -Errno.EBADF;
    const [bare = ""] = address.split("%");
    const family = tools.isIP(bare);
    if (family === 0) return -Errno.EINVAL;
    if (family === 6) return this.#family === 4 ? -Errno.ENOPROTOOPT : 0;
    return bare === "0.0.0.0" || bare.startsWith("127.") ? 0 : -Errno.EADDRNOTAVAIL;
  }

  #membership(group: string, source: string, via: string | undefined, joins: boolean): number {
    if (this.#closed) return -Errno.EBADF;
    const [bare = ""] = group.split("%");
    const family = tools.isIP(bare);
    if (family === 0) return -Errno.EINVAL;
    if (this.#fd < 0) {
      // As libuv does for who is not bound yet.
      const bound = family === 6 ? this.bind6("::", 0, 0) : this.bind("0.0.0.0", 0, 0);
      if (bound < 0) return bound;
    }
    if (family === 6 && this.#family === 4) return -Errno.ENOPROTOOPT;
    const args = { fd: this.#fd, group: bare, source, via: via ?? "", joins };
    const result = tools.kernel.call("membership", args);
    return typeof result === "number" ? result : 0;
  }

  addMembership(group: string, via?: string): number {
    return this.#membership(group, "", via, true);
  }

  dropMembership(group: string, via?: string): number {
    return this.#membership(group, "", via, false);
  }

  addSourceSpecificMembership(source: string, group: string, via?: string): number {
    return this.#membership(group, source, via, true);
  }

  dropSourceSpecificMembership(source: string, group: string, via?: string): number {
    return this.#membership(group, source, via, false);
  }
}

export function installUdp(env: GuestEnvironment): void {
  const binding = env.internalBinding("udp_wrap");
  const { UV_UDP_IPV6ONLY, UV_UDP_REUSEADDR, UV_UDP_REUSEPORT } = binding.constants;
  tools = {
    kernel: env.kernel,
    isIP: env.requireBuiltin("internal/net").isIP,
    flags: { ipv6Only: UV_UDP_IPV6ONLY, reuse: UV_UDP_REUSEADDR | UV_UDP_REUSEPORT },
  };
  binding.UDP = UDP;
  adopters.set("udp", (fd) => {
    const handle = new UDP();
    handle.open(fd);
    return handle;
  });
}
