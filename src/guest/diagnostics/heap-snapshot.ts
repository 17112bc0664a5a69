/** Owns v8.writeHeapSnapshot: the engine's snapshot, streamed into a file of the machine. */
import type { EngineTools } from "../environment.js";
import { diagnosticName, writeParts } from "./files.js";

let sequence = 0;

/** `options` are two flags: internals, numeric values. Answers the name of the file. */
export function writeHeapSnapshot(
  env: EngineTools,
  filename: unknown,
  options: Uint8Array,
): string {
  const { createHeapSnapshotStream } = env.internalBinding("heap_utils");
  const { streamBaseState, kReadBytesOrError } = env.internalBinding("stream_wrap");
  const thread = env.internalBinding("worker").threadId as number;
  const path =
    typeof filename === "string" || Buffer.isBuffer(filename)
      ? String(filename)
      : diagnosticName("Heap", "heapsnapshot", thread, ++sequence);
  writeParts(env, path, (append) => {
    const handle = createHeapSnapshotStream(options);
    // The whole snapshot arrives inside readStart.
    handle.onread = (buffer: ArrayBuffer | undefined) => {
      const size = streamBaseState[kReadBytesOrError] as number;
      if (buffer !== undefined && size > 0) append(new Uint8Array(buffer, 0, size));
    };
    handle.readStart();
  });
  return path;
}
