/**
 * Owns what the handles of TCP and Unix sockets have in common: a socket made on
 * first use, listening, accepting, connecting, names. The kernel decides whether
 * any of it happens; what it refuses by policy arrives as a text.
 */
import { Errno } from "../../abi/errno.js";
import { SocketType } from "../../protocol/net-calls.js";
import { joinCopies } from "../copying.js";
import { currentFrame, deliver } from "../delivery.js";
import type { EngineRequest } from "../engine-types.js";
import type { GuestEnvironment, KernelClient } from "../environment.js";
import { StreamHandle } from "./stream-handle.js";
import { beginRequest } from "../async-resources.js";
import { later } from "../turns.js";

export interface SocketNames {
  localAddress: string;
  localPort: number;
  peerAddress: string;
  peerPort: number;
}

const providers = {
  tcp: { socket: "TCPWRAP", server: "TCPSERVERWRAP", connect: "TCPCONNECTWRAP" },
  unix: { socket: "PIPEWRAP", server: "PIPESERVERWRAP", connect: "PIPECONNECTWRAP" },
} as const;

/** An error that says which rule stood in the way; behaviour as of a failed system call otherwise. */
export function denialError(message: string, syscall: string, more: object = {}): Error {
  return Object.assign(new Error(message), {
    errno: -Errno.EACCES,
    code: "EACCES",
    syscall,
    ...more,
  });
}

interface Emitter {
  emit?: (name: unknown, ...args: never[]) => unknown;
}

/** The next EACCES that `emitter` reports was made by Node's own code: gives it the kernel's words. */
export function explainNext(owner: unknown, message: string): void {
  const emitter = owner as Emitter | null | undefined;
  const emit = emitter?.emit;
  if (emitter == null || typeof emit !== "function") return;
  const own = Object.hasOwn(emitter, "emit");
  emitter.emit = function explained(
    name: unknown,
    error?: { code?: unknown; message?: unknown; stack?: unknown },
    ...rest: unknown[]
  ) {
    if (name === "error" && error?.code === "EACCES") {
      if (own) emitter.emit = emit;
      else delete emitter.emit;
      const { message: before, stack } = error;
      error.message = message;
      if (typeof stack === "string") error.stack = stack.replace(String(before), () => message);
    }
    return Reflect.apply(emit, this, [name, error, ...rest]);
  };
}

/** Those that listen and wait for connections. */
const accepting = new Set<SocketHandle>();
let kernel: KernelClient;
let ownerSymbol: symbol;

/** Once in each thread. */
export function installSocketHandles(env: GuestEnvironment): void {
  ({ kernel } = env);
  ownerSymbol = env.requireBuiltin("internal/async_hooks").symbols.owner_symbol;
  joinCopies({
    stop: () => accepting.forEach(({ fd }) => kernel.call("stopAccepting", { fd })),
    begins: "program",
    begin: () => accepting.forEach((handle) => handle.acceptMore()),
  });
}

/** What Node made of a handle: a socket or a server. */
export function ownerOf(handle: object): unknown {
  return (handle as { [owner: symbol]: unknown })[ownerSymbol];
}

/** A net.Socket whose connection is under way. */
interface Connecting {
  connecting: boolean;
  destroy?(error: Error): void;
}

export class SocketHandle extends StreamHandle {
  /** What lib/net.js sets and finds. */
  declare isServer: boolean;
  declare onconnection: ((status: number, client: unknown) => void) | undefined;
  readonly #type: number;
  #names: SocketNames | undefined;
  /** libuv keeps a failed bind to itself until the socket is used. */
  #delayedError = 0;
  #frame: unknown;

  constructor(type: number, server: boolean) {
    super(providers[type === SocketType.unix ? "unix" : "tcp"][server ? "server" : "socket"]);
    this.#type = type;
    this.isServer = server;
  }

  /** Makes the socket. Answers 0 or a negative errno. */
  #ensure(): number {
    if (this.isOpen) return 0;
    const result = kernel.call("socket", { type: this.#type });
    return typeof result === "number" ? result : this.open(result.fd);
  }

  /** A connection that was accepted. */
  adopt(fd: number, names: SocketNames): void {
    this.open(fd);
    this.#names = names;
  }

  bindTo(address: string, port: number, flags: number): number {
    const made = this.#ensure();
    if (made < 0) return made;
    const result = kernel.call("bind", { fd: this.fd, address, port, flags });
    if (result === -Errno.EADDRINUSE && this.#type === SocketType.tcp) {
      this.#delayedError = -Errno.EADDRINUSE;
      return 0;
    }
    return typeof result === "number" ? result : 0;
  }

  listen(backlog: number): number {
    if (this.#delayedError !== 0) return this.#delayedError;
    const made = this.#ensure();
    if (made < 0) return made;
    const args = { fd: this.fd, backlog: Math.max(0, backlog) };
    const result = kernel.call("listen", args, (words) => explainNext(ownerOf(this), words));
    if (typeof result === "number") return result;
    this.#frame = currentFrame();
    this.active = true;
    if (!accepting.has(this)) this.acceptMore();
    return 0;
  }

  /** Waits for the next connection. */
  acceptMore(): void {
    accepting.add(this);
    const call = kernel.callAsync("accept", { fd: this.fd }, (result) => {
      if (!this.isOpen) {
        accepting.delete(this);
        if (typeof result !== "number") kernel.callAsync("close", { fd: result.fd }, ignore);
        return;
      }
      if (result === -Errno.EINVAL || result === -Errno.EBADF) {
        accepting.delete(this);
        this.active = false;
        return;
      }
      this.acceptMore();
      deliver(this.#frame, this, () => {
        // Closed while the turn was awaited.
        if (!this.isOpen) {
          if (typeof result !== "number") kernel.callAsync("close", { fd: result.fd }, ignore);
          return;
        }
        if (typeof result === "number") return this.onconnection?.(result, undefined);
        const client = new (this.constructor as new (type: number) => SocketHandle)(0);
        client.adopt(result.fd, result);
        this.onconnection?.(0, client);
      });
    });
    // Listening itself holds the loop, as long as the handle is referenced.
    call.unref();
  }

  connectTo(req: EngineRequest, address: string, port: number): number {
    const made = this.#ensure();
    if (made < 0) return made;
    const frame = currentFrame();
    const unix = this.#type === SocketType.unix;
    // TCPWrap::Connect of src/tcp_wrap.cc takes itself for the trigger, and PipeWrap::Connect its caller.
    beginRequest(providers[unix ? "unix" : "tcp"].connect, req, unix ? undefined : this);
    const finish = (status: number): void =>
      deliver(frame, req, () => req.oncomplete?.(status, this, req, true, true));
    if (this.#delayedError !== 0) {
      const error = this.#delayedError;
      later(() => finish(error));
      return 0;
    }
    kernel.callAsync("connect", { fd: this.fd, address, port }, (result, words) => {
      if (!this.isOpen) return finish(-Errno.ECANCELED);
      if (typeof result !== "number") {
        this.#names = result;
        return finish(0);
      }
      const owner = ownerOf(this) as Connecting | undefined;
      if (words === "" || typeof owner?.destroy !== "function") return finish(result);
      const where = this.#type === SocketType.tcp ? { address, port } : { address };
      const error = denialError(words, "connect", where);
      deliver(frame, req, () => {
        owner.connecting = false;
        owner.destroy?.(error);
      });
    });
    return 0;
  }

  /** What the kernel says about both ends, asked once they are settled. */
  names(): SocketNames | number {
    if (this.#names !== undefined) return this.#names;
    if (!this.isOpen) return -Errno.EBADF;
    const result = kernel.call("socketNames", { fd: this.fd });
    if (typeof result !== "number" && result.peerAddress !== "") this.#names = result;
    return result;
  }
}

function ignore(): void {}
