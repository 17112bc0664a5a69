/**
 * Replaces the `TTY` of internalBinding("tty_wrap"): a terminal of the VM. Reading is that of every
 * stream; what is not read stays in the terminal, for the next one who does. Writing blocks, as
 * libuv's does on a terminal: what a program wrote before it left is on the screen.
 */
import { Errno } from "../../abi/errno.js";
import { rawAttributes } from "../../abi/termios.js";
import type { TerminalAttributes } from "../../abi/termios.js";
import type { ErrorContext } from "../engine-types.js";
import type { GuestEnvironment, KernelClient } from "../environment.js";
import { StreamHandle, adopters, chunksOf, streamState } from "./stream-handle.js";
import type { WriteChunks } from "./stream-handle.js";
import { bytesOf } from "./stream-outbox.js";

/** One write call carries at most this. */
const pieceBytes = 256 * 1024;

let kernel: KernelClient;
/** As the terminal was before this process made it raw: libuv has one for all, and so have we. */
let original: { attributes: TerminalAttributes } | undefined;

function attributesOf(fd: number): TerminalAttributes | number {
  return kernel.call("terminalGet", { fd });
}
function change(fd: number, to: TerminalAttributes, untilEnd: boolean): number {
  const { cc, cflag, iflag, lflag, oflag } = to;
  const flags = { cflag, iflag, lflag, oflag };
  const result = kernel.call("terminalSet", { fd, cc, ...flags, flush: false, untilEnd });
  return typeof result === "number" ? result : 0;
}

class TTY extends StreamHandle {
  #raw = false;
  #terminalFd: number;

  constructor(fd: number, context: ErrorContext) {
    super("TTYWRAP");
    this.#terminalFd = fd;
    const found = kernel.call("terminalGet", { fd });
    if (typeof found === "number") {
      context.errno = found === -Errno.ENOTTY ? -Errno.EINVAL : found;
      context.code = found === -Errno.EBADF ? "EBADF" : "EINVAL";
      context.message = found === -Errno.EBADF ? "bad file descriptor" : "invalid argument";
      context.syscall = "uv_tty_init";
      return;
    }
    // libuv opens the terminal anew: to close the handle does not close the descriptor.
    const own = kernel.call("dup", { fd, to: -1 });
    if (typeof own !== "number") this.open((this.#terminalFd = own.fd));
  }

  override close(done?: () => void): void {
    if (this.#raw) this.setRawMode(0);
    super.close(done);
  }

  protected override get isShared(): boolean {
    return true;
  }

  override readStop(): number {
    this.holdReading();
    return super.readStop();
  }

  getWindowSize(size: [number, number]): number {
    const found = kernel.call("terminalGet", { fd: this.#terminalFd });
    if (typeof found === "number") return found;
    size[0] = found.columns;
    size[1] = found.rows;
    return 0;
  }

  /** `mode` is of uv_tty_mode_t: 0 as it was, 2 without any processing, all others raw. */
  setRawMode(mode: number | boolean): number {
    const raw = Number(mode) !== 0;
    if (raw === this.#raw) return 0;
    const fd = this.#terminalFd;
    const attributes = attributesOf(fd);
    if (typeof attributes === "number") return attributes;
    original ??= { attributes };
    const result = raw
      ? change(fd, rawAttributes(attributes, Number(mode) !== 2), true)
      : change(fd, original.attributes, false);
    if (result === 0) this.#raw = raw;
    if (!raw) original = undefined;
    return result;
  }

  #write(chunks: readonly Uint8Array[]): number {
    let total = 0;
    for (const chunk of chunks) {
      const bytes = bytesOf(chunk);
      for (let at = 0; at < bytes.byteLength;) {
        const data = bytes.subarray(at, at + pieceBytes);
        const result = kernel.call("write", { fd: this.#terminalFd, data, position: -1 });
        if (typeof result === "number") return result;
        at += result.written;
      }
      total += bytes.byteLength;
    }
    streamState.state[streamState.bytesWritten] = total;
    streamState.state[streamState.lastWriteWasAsync] = 0;
    return 0;
  }

  override writeBuffer(_req: unknown, data: Uint8Array): number {
    return this.#write([data]);
  }

  override writeUtf8String(_req: unknown, text: string): number {
    return this.#write([Buffer.from(text, "utf8")]);
  }

  override writeAsciiString(_req: unknown, text: string): number {
    return this.#write([Buffer.from(text, "latin1")]);
  }

  override writeLatin1String(_req: unknown, text: string): number {
    return this.#write([Buffer.from(text, "latin1")]);
  }

  override writeUcs2String(_req: unknown, text: string): number {
    return this.#write([Buffer.from(text, "utf16le")]);
  }

  override writev(_req: unknown, chunks: WriteChunks, allBuffers: boolean): number {
    const list = chunksOf(chunks, allBuffers);
    return this.#write(list);
  }
}

export function installTty(env: GuestEnvironment): void {
  ({ kernel } = env);
  const binding = env.internalBinding("tty_wrap");
  binding.TTY = TTY;
  binding.isTTY = (fd: number): boolean => typeof attributesOf(fd) !== "number";
  adopters.set("tty", (fd) => new TTY(fd, {}));
}
