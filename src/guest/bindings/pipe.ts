/**
 * Replaces the `Pipe` of internalBinding("pipe_wrap"): stdio and message channels
 * of processes, and Unix sockets, over descriptors of the kernel.
 */
import { Errno } from "../../abi/errno.js";
import { S_IFCHR, S_IFIFO, S_IFMT, S_IFREG, S_IFSOCK } from "../../abi/fcntl.js";
import { ptySlaveMajor } from "../../abi/termios.js";
import { StatSlot } from "../../protocol/fs-calls.js";
import { SocketType } from "../../protocol/net-calls.js";
import type { GuestEnvironment } from "../environment.js";
import type { SocketHandleClass } from "./socket-handle.js";
import type { Streams } from "./stream-handle.js";

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

export function installPipes(
  env: GuestEnvironment,
  streams: Streams,
  SocketHandle: SocketHandleClass,
): void {
  const { kernel } = env;
  installHandleTypes(env);
  const binding = env.internalBinding("pipe_wrap");
  const { SOCKET, SERVER, UV_READABLE, UV_WRITABLE } = binding.constants;

  class Pipe extends SocketHandle {
    /** The file that this handle made, and takes away again. */
    #path = "";

    constructor(type: number) {
      super(SocketType.unix, type === SERVER);
    }

    bind(path: string): number {
      if (Buffer.byteLength(path) >= maxPathBytes) return -Errno.EINVAL;
      const result = this["bindTo"](path, 0, 0) as number;
      if (result === 0 && !path.startsWith("\0")) this.#path = path;
      // As libuv has it: a missing directory is no permission.
      return result === -Errno.ENOENT ? -Errno.EACCES : result;
    }

    connect(req: any, path: string): number {
      if (Buffer.byteLength(path) >= maxPathBytes) return -Errno.EINVAL;
      return this["connectTo"](req, path, 0);
    }

    fchmod(mode: number): number {
      if (this.#path === "") return -Errno.EBADF;
      const stat = kernel.call("stat", { path: this.#path, follow: true });
      if (typeof stat === "number") return stat;
      let wanted = stat.values[StatSlot.mode]! & 0o7777;
      if ((mode & UV_READABLE) !== 0) wanted |= 0o444;
      if ((mode & UV_WRITABLE) !== 0) wanted |= 0o222;
      const result = kernel.call("chmod", { path: this.#path, mode: wanted });
      return typeof result === "number" ? result : 0;
    }

    setPendingInstances(): void {}

    close(done?: () => void): void {
      if (this.#path !== "") kernel.call("unlink", { path: this.#path });
      this.#path = "";
      super["close"](done);
    }
  }

  binding.Pipe = Pipe;
  streams.adopters.set("pipe", (fd) => {
    const pipe = new Pipe(SOCKET);
    pipe["open"](fd);
    return pipe;
  });
}
