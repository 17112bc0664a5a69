/**
 * Moves bytes between a file and the buffers that a module lists, with one system
 * call each time.
 * Untrusted: how many buffers there are and how long they are.
 */
import type { OpenFile } from "./descriptors.js";
import { wasiLimits } from "./limits.js";
import type { WasiSystem } from "./system.js";

const leastScratchBytes = 64 * 1024;

/** Positions are offsets in the file; null: where the kernel's position is. */
export class Transfer {
  /** What several buffers are read into and written from. */
  #scratch = new Uint8Array(0);

  constructor(private readonly fs: WasiSystem["fs"]) {}

  /** Reads once, so that a short read ends the call: the next one could block. */
  read(file: OpenFile, buffers: readonly Uint8Array[], position: number | null): number {
    const filled = withRoom(buffers);
    const [first] = filled;
    if (first === undefined) return 0;
    if (filled.length === 1) return this.fs.readSync(file.fd, first, 0, first.byteLength, position);
    const whole = this.#wholeOf(filled);
    const size = this.fs.readSync(file.fd, whole, 0, whole.byteLength, position);
    let taken = 0;
    for (const buffer of filled) {
      if (taken >= size) break;
      const part = whole.subarray(taken, Math.min(size, taken + buffer.byteLength));
      buffer.set(part);
      taken += part.byteLength;
    }
    return size;
  }

  write(file: OpenFile, buffers: readonly Uint8Array[], position: number | null): number {
    const filled = withRoom(buffers);
    const [first] = filled;
    if (first === undefined) return 0;
    if (filled.length === 1)
      return this.fs.writeSync(file.fd, first, 0, first.byteLength, position);
    const whole = this.#wholeOf(filled);
    let taken = 0;
    for (const buffer of filled) {
      const part = buffer.subarray(0, whole.byteLength - taken);
      whole.set(part, taken);
      taken += part.byteLength;
      if (taken === whole.byteLength) break;
    }
    return this.fs.writeSync(file.fd, whole, 0, whole.byteLength, position);
  }

  /** As much of the scratch as the buffers have room for, up to what one call moves. */
  #wholeOf(buffers: readonly Uint8Array[]): Uint8Array {
    let size = 0;
    for (const buffer of buffers) size += buffer.byteLength;
    size = Math.min(size, wasiLimits.transferBytes);
    if (this.#scratch.byteLength < size)
      this.#scratch = new Uint8Array(Math.max(size, leastScratchBytes));
    return this.#scratch.subarray(0, size);
  }
}

function withRoom(buffers: readonly Uint8Array[]): Uint8Array[] {
  return buffers.filter((buffer) => buffer.byteLength > 0);
}
