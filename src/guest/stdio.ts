/**
 * Owns process.stdin, stdout and stderr of a guest. Output goes through Node's
 * own SyncWriteStream over the virtual `fs` binding (descriptors 1 and 2), as
 * Node does for files; stdin is a Readable fed by the channel's events.
 */
import type { Channel } from "./channel.js";

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
    let reading = false;
    const stop = (): void => {
      if (!reading) return;
      reading = false;
      channel().onStdin(undefined);
      channel().unref();
    };
    const advance = (): void => {
      for (;;) {
        const bytes = channel().takeInput(64 * 1024);
        if (bytes === null) return;
        if (bytes.byteLength === 0) {
          stop();
          stream.push(null);
          return;
        }
        if (!stream.push(Buffer.from(bytes))) return stop();
      }
    };
    const stream = new Readable({
      highWaterMark: 64 * 1024,
      read() {
        if (!reading) {
          reading = true;
          channel().ref();
          channel().onStdin(advance);
        }
        advance();
      },
      destroy(error: unknown, done: (error: unknown) => void) {
        stop();
        done(error);
      },
    });
    stream.fd = 0;
    // A paused stdin must not keep the program alive.
    stream.on("pause", () => process.nextTick(() => stream.readableFlowing === false && stop()));
    return stream;
  });
}
