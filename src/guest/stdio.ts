/**
 * Owns process.stdin, stdout and stderr of a guest. Output goes through Node's
 * own SyncWriteStream over the virtual `fs` binding (descriptors 1 and 2), as
 * Node does for files and, in effect, for pipes; stdin is a Readable over read(2).
 */
import type { Channel } from "./channel.js";
import { failure } from "./bindings/fs-runner.js";
import type { PendingCall } from "./environment.js";

const readBytes = 64 * 1024;

export function installStdio(requireBuiltin: (id: string) => any, channel: () => Channel): void {
  const { Readable } = requireBuiltin("stream");
  const SyncWriteStream = requireBuiltin("internal/fs/sync_write_stream");
  const lazy = (name: "stdin" | "stdout" | "stderr", make: () => unknown) => {
    let stream: unknown;
    Object.defineProperty(process, name, {
      get: () => (stream ??= make()),
      configurable: true,
      enumerable: true,
    });
  };
  const output = (fd: number) => () => {
    const stream = new SyncWriteStream(fd, { autoClose: false });
    stream._type = "fs";
    stream._isStdio = true;
    stream.fd = fd;
    stream.destroySoon = stream.destroy;
    stream._destroy = function (error: unknown, done: (error: unknown) => void) {
      done(error);
    };
    return stream;
  };
  lazy("stdout", output(1));
  lazy("stderr", output(2));
  lazy("stdin", () => {
    let pending: PendingCall | undefined;
    let closed = false;
    const take = (result: { data: Uint8Array } | number): void => {
      pending = undefined;
      if (closed) return;
      if (typeof result === "number") stream.destroy(failure(result, "read"));
      else stream.push(result.data.byteLength === 0 ? null : Buffer.from(result.data));
    };
    const stream = new Readable({
      highWaterMark: readBytes,
      read() {
        if (pending !== undefined) return pending.ref();
        pending = channel().callAsync("read", { fd: 0, length: readBytes, position: -1 }, take);
      },
      destroy(error: unknown, done: (error: unknown) => void) {
        closed = true;
        pending?.unref();
        done(error);
      },
    });
    stream.fd = 0;
    stream.ref = () => (pending?.ref(), stream);
    stream.unref = () => (pending?.unref(), stream);
    // A paused stdin must not keep the program alive.
    stream.on("pause", () =>
      process.nextTick(() => {
        if (stream.readableFlowing === false) pending?.unref();
      }),
    );
    stream.on("resume", () => pending?.ref());
    return stream;
  });
}
