/**
 * Owns streams over files of a machine.
 * Invariant: one that is destroyed before its end leaves no transfer behind.
 * Untrusted: the content that is read.
 */
import { Readable, Writable } from "node:stream";
import type { FileWriter, RuntimeFiles } from "./files.js";

type Files = () => RuntimeFiles | Promise<RuntimeFiles>;

export function readStream(files: Files, path: string, followLinks: boolean): Readable {
  async function* parts(): AsyncGenerator<Uint8Array> {
    for await (const part of (await files()).parts(path, followLinks))
      if (part.byteLength > 0) yield part;
  }
  return Readable.from(parts(), { objectMode: false });
}

/** Finishes once the kernel has all of it. A stream that fails leaves what was written until then. */
export function writeStream(files: Files, path: string, followLinks: boolean): Writable {
  let writer: FileWriter | undefined;
  const begun = async (): Promise<FileWriter> =>
    (writer ??= (await files()).writer(path, followLinks));
  const write = async (data: Uint8Array): Promise<void> => (await begun()).write(data);
  const end = async (): Promise<void> => (await begun()).end();
  const settle = async (
    work: Promise<void>,
    done: (error?: Error | null) => void,
  ): Promise<void> => {
    let failed: Error | null = null;
    try {
      await work;
    } catch (error) {
      failed = error as Error;
    }
    done(failed);
  };
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      // The caller may use its memory again once this is done; the last part is kept longer.
      const copy = new Uint8Array(chunk);
      void settle(write(copy), done);
    },
    final(done) {
      void settle(end(), done);
    },
    destroy(error, done) {
      writer?.abandon();
      done(error);
    },
  });
}
