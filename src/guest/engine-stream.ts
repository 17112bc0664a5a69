/**
 * Owns the engine's JSStream as a class that handles of ours extend, so that native consumers (TLS,
 * HTTP parser, HTTP/2) take them for the StreamBase that they are. Classes are made when their modules
 * load; the engine's is put under them when the bindings become virtual.
 */
import { quietly } from "./async-resources.js";
import type { EngineTools } from "./environment.js";

/** JSStream of src/js_stream.cc, as far as handles use it. */
interface StreamBase {
  /** Gives bytes to whoever reads. */
  readBuffer(data: Uint8Array): void;
  emitEOF(): void;
  /** Complete a request that a native consumer has made. */
  finishWrite(req: object, status: number): void;
  finishShutdown(req: object, status: number): void;
  useUserBuffer(buffer: Uint8Array): void;
  getAsyncId(): number;
  onread?(buffer: unknown): void;
}
type StreamClass = new () => StreamBase;

let JSStream: StreamClass;

export const EngineStream = function (this: object): StreamBase {
  return Reflect.construct(JSStream, [], new.target!);
} as unknown as StreamClass;

/** The same without a word to async hooks: what it is to them its subclass says. */
export const QuietStream = function (this: object): StreamBase {
  return quietly(() => Reflect.construct(JSStream, [], new.target!));
} as unknown as StreamClass;

/** Once in each thread, before the first handle is made. */
export function installEngineStream({ internalBinding }: EngineTools): void {
  ({ JSStream } = internalBinding("js_stream"));
  for (const ours of [EngineStream, QuietStream]) {
    Object.setPrototypeOf(ours, JSStream);
    Object.setPrototypeOf(ours.prototype, JSStream.prototype);
  }
}
