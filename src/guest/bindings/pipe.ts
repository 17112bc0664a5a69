/**
 * Replaces the `Pipe` of internalBinding("pipe_wrap"): stdio and message channels
 * of processes, and Unix sockets, over descriptors of the kernel.
 */
import { Errno } from "../../abi/errno.js";
import { S_IFCHR, S_IFIFO, S_IFMT, S_IFREG, S_IFSOCK } from "../../abi/fcntl.js";
import { ptySlaveMajor } from "../../abi/termios.js";
import { StatSlot } from "../../protocol/fs-calls.js";
import { SocketType } from "../../protocol/net-calls.js";
import type { EngineRequest } from "../engine-types.js";
import type { GuestEnvironment, KernelClient } from "../environment.js";
import { SocketHandle } from "./socket-handle.js";
import { adopters } from "./stream-handle.js";

/** sizeof(sockaddr_un.sun_path); libuv answers EINVAL for what does not fit. */
const maxPathBytes = 108;

/** What `new net.Socket({ fd })` is to be, for modules that are loaded from now on. */
function installHandleTypes(env: GuestEnvironment): void {
  env.requireBuiltin("internal/util").guessHandleType = (fd: number): string => {
    const stat = env.kernel.call("fstat", { fd });
    if (typeof stat === "number") return "INVALID";
    const type = stat.values[StatSlot.mode]! & S_IFMT;
    if (type === S_IFIFO || type === S_IFSOCK) return "PIPE";
    if (type === S_IFCHR && stat.values[StatSlot.rdev]! >> 8 === ptySlaveMajor) return "TTY";
    return type === S_IFREG || type === S_IFCHR ? "FILE" : "UNKNOWN";
  };
}

/** Of the binding's constants, and what handles ask. */
let tools: {
  kernel: KernelClient;
  socket: number;
  server: number;
  readable: number;
  writable: number;
};

class Pipe extends SocketHandle {
  /** The file that this handle made, and takes away again. */
  #path = "";

  constructor(type: number) {
    super(SocketType.unix, type === tools.server);
  }

  bind(path: string): number {
    if (Buffer.byteLength(path) >= maxPathBytes) return -Errno.EINVAL;
    const result = this.bindTo(path, 0, 0);
    if (result === 0 && !path.startsWith("\0")) this.#path = path;
    // As libuv has it: a missing directory is no permission.
    return result === -Errno.ENOENT ? -Errno.EACCES : result;
  }

  connect(req: EngineRequest, path: string): number {
    if (Buffer.byteLength(path) >= maxPathBytes) return -Errno.EINVAL;
    return this.connectTo(req, path, 0);
  }

  fchmod(mode: number): number {
    if (this.#path === "") return -Errno.EBADF;
    const stat = tools.kernel.call("stat", { path: this.#path, follow: true });
    if (typeof stat === "number") return stat;
    let wanted = stat.values[StatSlot.mode]! & 0o7777;
    if ((mode & tools.readable) !== 0) wanted |= 0o444;
    if ((mode & tools.writable) !== 0) wanted |= 0o222;
    const result = tools.kernel.call("chmod", { path: this.#path, mode: wanted });
    return typeof result === "number" ? result : 0;
  }

  setPendingInstances(): void {}

  override close(done?: () => void): void {
    if (this.#path !== "") tools.kernel.call("unlink", { path: this.#path });
    this.#path = "";
    super.close(done);
  }
}

export function installPipes(env: GuestEnvironment): void {
  installHandleTypes(env);
  const binding = env.internalBinding("pipe_wrap");
  const { SOCKET, SERVER, UV_READABLE, UV_WRITABLE } = binding.constants;
  tools = {
    kernel: env.kernel,
    socket: SOCKET,
    server: SERVER,
    readable: UV_READABLE,
    writable: UV_WRITABLE,
  };
  binding.Pipe = Pipe;
  adopters.set("pipe", (fd) => {
    const pipe = new Pipe(tools.socket);
    pipe.open(fd);
    return pipe;
  });
}
