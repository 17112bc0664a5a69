/** Owns driving a zlib stream from a blocking source, with as much in flight as one chunk. */
import type { Transform } from "node:stream";
import type { ByteSource } from "./input.js";

export async function throughTransform(
  source: ByteSource,
  transform: Transform,
  use: (data: Uint8Array) => void,
): Promise<void> {
  let failure: unknown;
  const finished = new Promise<void>((resolve) => {
    transform.on("data", (data: Buffer) => {
      try {
        if (failure === undefined) use(data);
      } catch (error) {
        failure = error;
        transform.destroy();
      }
    });
    transform.on("error", (error) => {
      failure ??= error;
      resolve();
    });
    transform.on("close", resolve);
    transform.on("end", resolve);
  });
  for (;;) {
    const chunk = failure === undefined ? source.read() : new Uint8Array(0);
    if (chunk.length === 0) break;
    await Promise.race([
      new Promise<void>((resolve) => transform.write(Buffer.from(chunk), () => resolve())),
      finished,
    ]);
  }
  if (failure === undefined) transform.end();
  await finished;
  if (failure !== undefined) throw failure;
}
