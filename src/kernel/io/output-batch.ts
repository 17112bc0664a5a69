/**
 * Owns what a guest prints line by line until all of it that has come is looked at: it goes to the host in
 * one piece, and counts as one request.
 *
 * Invariants: nothing waits here once what a socket brought has been taken; of one thread and stream at
 * a time, so that bytes keep their order; what is in here has been taken off the thread's window.
 * Untrusted: the data.
 */
import type { HostOutput } from "./host-stream.js";

const batchBytes = 64 * 1024;
/** Nothing stays in it from one turn of the event loop to the next, so it is everybody's. */
const memory = Buffer.allocUnsafeSlow(batchBytes);

/** One thread's way to one stream. */
export interface OutputTarget {
  readonly stream: HostOutput;
  /** Learns what the host has taken. */
  readonly taken: (bytes: number) => void;
}

let target: OutputTarget | undefined;
let size = 0;

/** Passes on what there is. */
export function flushOutput(): void {
  if (target === undefined) return;
  const { stream, taken } = target;
  const data = memory.subarray(0, size);
  target = undefined;
  size = 0;
  stream.forward(data, taken);
}

/** Adds `data` for `to`; answers whether it joins what is there already. */
export function addOutput(to: OutputTarget, data: Uint8Array): boolean {
  const joins = target === to && size + data.byteLength <= batchBytes;
  if (!joins) flushOutput();
  if (data.byteLength > batchBytes) {
    to.stream.forward(data, to.taken);
    return false;
  }
  target = to;
  memory.set(data, size);
  size += data.byteLength;
  return joins;
}
