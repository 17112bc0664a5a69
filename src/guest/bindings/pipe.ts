/**
 * Replaces the `Pipe` of internalBinding("pipe_wrap"): stdio and message channels
 * of processes over descriptors of the kernel.
 */
import type { GuestEnvironment } from "../environment.js";
import type { Streams } from "./stream-handle.js";

export function installPipes(env: GuestEnvironment, streams: Streams): void {
  const binding = env.internalBinding("pipe_wrap");
  const { SOCKET } = binding.constants;

  class Pipe extends streams.StreamHandle {
    readonly #type: number;

    constructor(type: number) {
      super();
      this.#type = type;
    }

    get type(): number {
      return this.#type;
    }
  }

  binding.Pipe = Pipe;
  const adopt = (fd: number): unknown => {
    const pipe = new Pipe(SOCKET);
    pipe.open(fd);
    return pipe;
  };
  streams.adopters.set("pipe", adopt);
}
