/**
 * What guest-side modules may reach. They hold no authority: whatever they ask
 * for is judged by the kernel, and they run inside the walls of the guest process.
 */
import type { Message } from "../protocol/codec.js";
import type { guestCalls, guestEvents, kernelEvents } from "../protocol/guest-calls.js";
import type { Own } from "../protocol/port.js";
import type { CallArgs, CallResult } from "../protocol/table.js";
import type { Modules } from "./bindings/worker.js";
import type { Channel } from "./channel.js";
import type { InheritedFlags } from "./engine-options.js";
import type { InternalBinding, RequireBuiltin } from "./engine-types.js";
import type { ThreadSlots } from "./thread-slots.js";

export type GuestCalls = typeof guestCalls;
export type GuestEvents = typeof guestEvents;

/** `words`: the kernel's own text for a failure, or empty when the errno says it all. */
export type Answered<K extends keyof GuestCalls> = (
  result: CallResult<GuestCalls, K> | number,
  words: string,
) => void;

export interface KernelClient {
  /**
   * Blocks until the reply: the result, or a negative errno. `explain` hears the kernel's own words for one; `own` keeps
   * bytes of the result, by default in memory of their own.
   */
  call<K extends keyof GuestCalls>(
    name: K,
    args: CallArgs<GuestCalls, K>,
    explain?: (words: string) => void,
    own?: Own,
  ): CallResult<GuestCalls, K> | number;
  /** The same without blocking; keeps the event loop alive until `done` has run. */
  callAsync<K extends keyof GuestCalls>(
    name: K,
    args: CallArgs<GuestCalls, K>,
    done: Answered<K>,
  ): PendingCall;
  /** A one-way message. */
  event<K extends keyof GuestEvents>(name: K, args: Message<GuestEvents[K]["args"]>): void;
  /** The message `flowWrite` with `bytes` bytes, at most as many as one frame joins: all of `chunks`, or of a text. */
  flowWrite(flow: number, chunks: readonly Uint8Array[], bytes: number): void;
  flowText(flow: number, text: string, encoding: "latin1" | "utf8", bytes: number): void;
  /** Hears one kind of the kernel's one-way messages. */
  on<K extends keyof typeof kernelEvents>(
    name: K,
    handler: (args: Message<(typeof kernelEvents)[K]["args"]>) => void,
  ): void;
  /** Runs `listener` before any call is sent, and without a name before the program hears of anything it did not block for. */
  onCall(listener: (name: keyof GuestCalls | undefined) => void): void;
  /** Keep the event loop alive, counted. */
  ref(): void;
  unref(): void;
}

/** A call under way. Referenced ones keep the event loop alive. */
export interface PendingCall {
  ref(): void;
  unref(): void;
}

/** What reaches the engine alone, and no kernel. */
export interface EngineTools {
  internalBinding: InternalBinding;
  /** Loads a built-in module, internal ones included. */
  requireBuiltin: RequireBuiltin;
}

/** What workers of a thread get of it. */
export interface WorkerTools {
  slots: ThreadSlots;
  modules: Modules;
  /** Flags of the engine that this thread was started with, as the program sees them. */
  ownFlags(): InheritedFlags;
}

/** What every binding is installed with. */
export interface GuestEnvironment extends EngineTools {
  kernel: KernelClient;
  /** The thread's socket, which is one thread's own: the zygote has none, and its forks each have theirs. */
  channel(): Channel;
  workers: WorkerTools;
  /** Whether `writeOutput` is the way to write to `fd`: its other end is the host. */
  isHostOutput(fd: number): boolean;
  /** Writes to stdout (1) or stderr (2); blocks while the window is spent. */
  writeOutput(fd: number, data: Uint8Array): void;
  /** `fd` was closed: what gets its number next is something else. */
  forgetOutput(fd: number): void;
  /** What the linker is to load, of the file `fd` or a part of the libc: a descriptor, or -errno. Empty after the next call. */
  openImage(fd: number, library: string): number;
  /** A socket to the kernel for a new thread, and the thread's number there; or -errno. */
  openThreadSocket(): { fd: number; thread: number } | number;
  /** Closes one that no thread took over. */
  closeSocket(fd: number): void;
}
