/**
 * Owns access to a module's linear memory: every pointer the module gives is
 * checked here, and one outside of memory is EFAULT.
 *
 * Invariant: views are made again only when memory grew, which detaches its buffer.
 * Untrusted: pointers, lengths and everything they lead to.
 */
import { WasiErrno, WasiError } from "./abi.js";
import { wasiLimits } from "./limits.js";

export interface LinearMemory {
  readonly buffer: ArrayBuffer;
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

export class ModuleMemory {
  #memory: LinearMemory | undefined;
  #bytes = new Uint8Array(0);
  #view = new DataView(new ArrayBuffer(0));

  attach(memory: LinearMemory): void {
    this.#memory = memory;
  }

  get attached(): boolean {
    return this.#memory !== undefined;
  }

  #refresh(): void {
    const buffer = this.#memory?.buffer;
    if (buffer === undefined) throw new WasiError(WasiErrno.EFAULT);
    if (buffer === this.#bytes.buffer) return;
    this.#bytes = new Uint8Array(buffer);
    this.#view = new DataView(buffer);
  }

  /** The pointer as an unsigned number, with `size` bytes of memory behind it. */
  #check(pointer: number, size: number): number {
    this.#refresh();
    const at = pointer >>> 0;
    if (at + size > this.#bytes.byteLength) throw new WasiError(WasiErrno.EFAULT);
    return at;
  }

  bytes(pointer: number, size: number): Uint8Array {
    const length = size >>> 0;
    const at = this.#check(pointer, length);
    return this.#bytes.subarray(at, at + length);
  }

  u8(pointer: number): number {
    return this.#bytes[this.#check(pointer, 1)]!;
  }

  u16(pointer: number): number {
    const at = this.#check(pointer, 2);
    return this.#view.getUint16(at, true);
  }

  u32(pointer: number): number {
    const at = this.#check(pointer, 4);
    return this.#view.getUint32(at, true);
  }

  u64(pointer: number): bigint {
    const at = this.#check(pointer, 8);
    return this.#view.getBigUint64(at, true);
  }

  setU8(pointer: number, value: number): void {
    this.#bytes[this.#check(pointer, 1)] = value;
  }

  setU32(pointer: number, value: number): void {
    const at = this.#check(pointer, 4);
    this.#view.setUint32(at, value, true);
  }

  setU64(pointer: number, value: bigint): void {
    const at = this.#check(pointer, 8);
    this.#view.setBigUint64(at, value, true);
  }

  set(pointer: number, data: Uint8Array): void {
    const at = this.#check(pointer, data.byteLength);
    this.#bytes.set(data, at);
  }

  text(pointer: number, size: number): string {
    const bytes = this.bytes(pointer, size);
    try {
      return decoder.decode(bytes);
    } catch {
      throw new WasiError(WasiErrno.EILSEQ);
    }
  }

  path(pointer: number, size: number): string {
    if (size >>> 0 > wasiLimits.pathBytes) throw new WasiError(WasiErrno.ENAMETOOLONG);
    const path = this.text(pointer, size);
    if (path.includes("\0")) throw new WasiError(WasiErrno.EINVAL);
    return path;
  }

  /** Texts that the module serialised, each ended by a NUL. */
  texts(pointer: number, size: number): string[] {
    if (size >>> 0 > wasiLimits.argumentBytes) throw new WasiError(WasiErrno.E2BIG);
    const texts = this.text(pointer, size).split("\0");
    if (texts.at(-1) === "") texts.pop();
    return texts;
  }

  /** The buffers of a list of (pointer, size) pairs. */
  buffers(pointer: number, count: number): Uint8Array[] {
    const entries = count >>> 0;
    if (entries > wasiLimits.buffers) throw new WasiError(WasiErrno.EINVAL);
    const buffers: Uint8Array[] = [];
    const list = this.#check(pointer, entries * 8);
    for (let index = 0; index < entries; index++) {
      const at = list + index * 8;
      buffers.push(this.bytes(this.#view.getUint32(at, true), this.#view.getUint32(at + 4, true)));
    }
    return buffers;
  }
}

export function encodeText(text: string): Uint8Array {
  return encoder.encode(text);
}
