/** Owns the messages between kernel and zygote; see main.ts for the format. Both sides are trusted. */
import { vmLimitTable } from "../../protocol/limits.js";

export const ControlKind = Object.freeze({
  /** zygote → kernel: it serves; a = the first process of its PID namespace or 0, b = bytes of JSON that follow: `IsolationReport[]`. */
  ready: 1,
  /** kernel → zygote, with three descriptors (socket, stderr, null device): fork; a = token, b = bytes of an order that follow. */
  fork: 2,
  /** zygote → kernel: a = token, b = pid or -errno. */
  forked: 3,
  /** kernel → zygote: SIGKILL and reap; a = pid. A process that ended by itself keeps its own status. */
  end: 4,
  /** zygote → kernel: a = pid, b = wait status. */
  reaped: 5,
  /** kernel → zygote: TypeScript is in use, guests to come should find its compiler loaded. */
  typeScript: 6,
  /** kernel → zygote: raises or lowers the memory of a guest that has not started; a = pid, b = KiB. */
  limitMemory: 7,
  /** zygote → kernel: it is set; a = pid, b = 0 or -errno. */
  memoryLimited: 8,
  /** kernel → zygote: the CPU time of a guest; a = pid, b = seconds. Not answered. */
  limitCpu: 9,
  /**
   * zygote → kernel: its heap has changed; it would measure what its guests write, while there are none.
   * a = twice the modules that it had compiled forms of, 65536 times the texts whose tables guests inherit, and 1 when its heap is contiguous; b = huge pages of
   * engine text, and 65536 times those of its heaps.
   */
  stale: 10,
  /** kernel → zygote: there are no guests now. */
  measure: 11,
  /** zygote → kernel: it can fork again; a = pages that guests copy ahead. */
  measured: 12,
  /** kernel → zygote: are you there? a comes back. */
  ask: 13,
  /** zygote → kernel: yes, and everything that was asked before is done; a as asked. */
  here: 14,
  /** kernel → zygote: SIGSTOP (b = 1) or SIGCONT (b = 0); a = pid of a guest that it was not told to end. Not answered. */
  stop: 15,
  /** kernel → zygote, with four descriptors (as `fork`, and one that its listener is sent over): fork a guest that may become a template; a = token. Answered as `fork`. */
  forkTemplate: 16,
  /** kernel → zygote: SIGINT, which breaks into a script of the guest; a = pid of a guest that it was not told to end. Not answered. */
  interrupt: 17,
} as const);

/** Heap, buffers and WebAssembly of a guest together, beside what it shares with the zygote, unless its VM says otherwise. */
export const guestMemoryBytes = vmLimitTable.memoryBytes.default;

/** The order of a guest that may load native addons; the others have none. */
export const addonsOrder = "addons";

export const controlMessageBytes = 12;

/** A message of fixed size: its kind and two numbers. */
export function encodeControl(kind: number, a: number, b = 0): Buffer {
  const message = Buffer.alloc(controlMessageBytes);
  message.writeUInt32LE(kind, 0);
  message.writeInt32LE(a, 4);
  message.writeInt32LE(b, 8);
  return message;
}

/** The message that `bytes` begin with. */
export function decodeControl(bytes: Buffer): { kind: number; a: number; b: number } {
  return { kind: bytes.readUInt32LE(0), a: bytes.readInt32LE(4), b: bytes.readInt32LE(8) };
}
