/**
 * Owns the kernel's end of the SDK's socket: calls that are answered once each, and events.
 *
 * Invariants: a call gets its result or a failure with a code; the kernel ends with the socket.
 * Untrusted: what is inside messages (program text, names, output); the SDK itself is trusted, so
 * a frame that fits no table is an error of ours and ends the kernel.
 */
import type { Socket } from "node:net";
import { FrameReader } from "../../protocol/frames.js";
import { hostWire } from "../../protocol/host-calls.js";
import type { HostTables, hostEvents, kernelHostEvents } from "../../protocol/host-calls.js";
import { ServingPort } from "../../protocol/port.js";
import type { CallOf, EventArgs, EventOf } from "../../protocol/port.js";
import { giveBuffer, spareBytes } from "../../protocol/spare-buffer.js";
import type { CallArgs, CallResult } from "../../protocol/table.js";
import { limits } from "../limits.js";
import { HostError } from "./error.js";

type Calls = HostTables["calls"];
type Later<R> = R | Promise<R>;
export type CallHandlers = {
  readonly [K in keyof Calls]: (args: CallArgs<Calls, K>) => Later<CallResult<Calls, K>>;
};
export type EventHandlers = {
  readonly [K in keyof typeof hostEvents]: (args: EventArgs<typeof hostEvents, K>) => void;
};
export type Emit = <K extends keyof typeof kernelHostEvents>(
  name: K,
  args: EventArgs<typeof kernelHostEvents, K>,
) => void;

export class HostDoor {
  readonly #socket: Socket;
  readonly #port = new ServingPort(hostWire);
  /** Until then nothing is answered. */
  #ready: Promise<void> | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  readonly emit: Emit = (name, args) => this.#write(this.#port.event(name, args));

  /** A large frame would be garbage that the collector sees late: what was written of it is used again. */
  #write(frame: Buffer): void {
    if (frame.buffer.byteLength < spareBytes) this.#socket.write(frame);
    else this.#socket.write(frame, (error) => void (error ?? giveBuffer(frame)));
  }

  /** Whether the host leaves unread more than a little; `drained` of `serve` runs when it has read all. */
  get isBehind(): boolean {
    return this.#socket.writableNeedDrain && this.#socket.writableLength > limits.hostUnreadBytes;
  }

  /** Whether the host leaves so much unread that no guest may cause more. */
  get isStuck(): boolean {
    return this.#socket.writableLength > limits.hostStuckBytes;
  }

  /**
   * Takes calls from now on and answers them once it is `ready`; `closed` runs when the SDK is gone, `drained` when it has
   * read everything that waited.
   */
  serve(
    calls: CallHandlers,
    events: EventHandlers,
    { closed, drained }: { closed(): void; drained(): void },
    ready = Promise.resolve(),
  ): void {
    this.#ready = ready;
    ready.then(
      () => (this.#ready = undefined),
      () => undefined,
    );
    this.#socket.on("drain", drained);
    const reader = new FrameReader();
    this.#socket.on("data", (chunk: Buffer) =>
      reader.push(chunk, (frame) =>
        this.#port.take(
          frame,
          (call) => this.#call(calls, call),
          (event) => dispatchEvent(events, event),
        ),
      ),
    );
    this.#socket.on("error", (error: NodeJS.ErrnoException) => {
      // Any other is no end of the host's, and has to be heard of.
      if (error.code !== "EPIPE" && error.code !== "ECONNRESET") throw error;
      closed();
    });
    this.#socket.on("close", closed);
  }

  /** Answers keep their order. */
  #answer(frame: () => Buffer): void {
    if (this.#ready === undefined) return this.#write(frame());
    this.#ready.then(
      () => this.#write(frame()),
      () => undefined,
    );
  }

  #call(calls: CallHandlers, call: CallOf<Calls>): void {
    const fail = (error: unknown): void => {
      const json = JSON.stringify({
        code: error instanceof HostError ? error.code : "ERR_SECURE_EXEC_INTERNAL",
        message: error instanceof Error ? error.message : String(error),
      });
      this.#answer(() => this.#port.failure(call, { json }));
    };
    const answer = (result: CallResult<Calls, keyof Calls>): void => {
      this.#answer(() => this.#port.reply(call, result));
    };
    try {
      const result = dispatchCall(calls, call);
      if (result instanceof Promise) result.then(answer).catch(fail);
      else answer(result);
    } catch (error) {
      fail(error);
    }
  }
}

// Name and arguments are of one row; the type cannot say so for all rows at once.

function dispatchCall(
  calls: CallHandlers,
  { name, args }: CallOf<Calls>,
): Later<CallResult<Calls, keyof Calls>> {
  return calls[name](args as never);
}

function dispatchEvent(events: EventHandlers, { name, args }: EventOf<typeof hostEvents>): void {
  events[name](args as never);
}
