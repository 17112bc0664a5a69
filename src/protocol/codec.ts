/**
 * Owns how values become bytes: little-endian fields in schema order, no tags,
 * no self-description. A message is decoded only against the schema that the
 * receiver looked up in its own table, so a sender can choose values, never shapes.
 *
 * Invariants: decoding never reads past the message, never allocates more than
 * the message holds, accepts no trailing byte, and either returns a complete
 * value or throws `MalformedMessage`.
 * Untrusted: every byte given to `Decoder`.
 */

import { decodeText, encodeText, isPlain } from "../abi/byte-text.js";
import type { NodeBuffer } from "./node-types.js";
import { giveBuffer, takeBuffer, takeSmallBuffer } from "./spare-buffer.js";

export class MalformedMessage extends Error {
  override name = "MalformedMessage";
}

interface FieldValues {
  u8: number;
  u32: number;
  i32: number;
  f64: number;
  bool: boolean;
  string: string;
  /** As `string`, but that its bytes need not be UTF-8: see byte-text.ts. */
  text: string;
  bytes: Uint8Array;
  strings: string[];
  texts: string[];
  numbers: number[];
}

export type FieldType = keyof FieldValues;
export type Schema = Readonly<Record<string, FieldType>>;
export type Message<S extends Schema> = { -readonly [K in keyof S]: FieldValues[S[K]] };

/** Hard ceilings of the wire. The first is what a peer may announce before anything is allocated. */
export const wireLimits = Object.freeze({
  /** One frame, header included. */
  frameBytes: 8 * 1024 * 1024,
  /** Answers and events that a thread of a guest may leave unread before its process is ended. */
  unreadBytes: 16 * 1024 * 1024,
  /** Elements in one list field. */
  listItems: 65_536,
});

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export class Encoder {
  #buffer: Buffer;
  #length = 0;
  /** The first bytes value that is so long stays where it is, for `parts`. */
  apartBytes = Infinity;
  #apart: Uint8Array | undefined;
  #apartAt = 0;

  constructor() {
    this.#buffer = takeSmallBuffer();
  }

  #reserve(bytes: number): number {
    const at = this.#length;
    const end = at + bytes;
    if (end > this.#buffer.length) {
      const grown = takeBuffer(Math.max(end, this.#buffer.length * 2));
      this.#buffer.copy(grown, 0, 0, at);
      giveBuffer(this.#buffer);
      this.#buffer = grown;
    }
    this.#length = end;
    return at;
  }

  u8(value: number): void {
    const at = this.#reserve(1);
    this.#buffer[at] = value;
  }

  u32(value: number): void {
    const at = this.#reserve(4);
    this.#buffer.writeUInt32LE(value >>> 0, at);
  }

  i32(value: number): void {
    const at = this.#reserve(4);
    this.#buffer.writeInt32LE(value | 0, at);
  }

  f64(value: number): void {
    const at = this.#reserve(8);
    this.#buffer.writeDoubleLE(value, at);
  }

  bytes(value: Uint8Array): void {
    this.u32(value.byteLength);
    // Of memory that threads share, native calls do not take the address.
    if (
      value.byteLength >= this.apartBytes &&
      this.#apart === undefined &&
      value.buffer instanceof ArrayBuffer
    ) {
      this.#apart = value;
      this.#apartAt = this.#length;
      return;
    }
    const at = this.#reserve(value.byteLength);
    this.#buffer.set(value, at);
  }

  text(value: string): void {
    if (isPlain(value)) this.string(value);
    else this.bytes(encodeText(value));
  }

  string(value: string): void {
    const size = Buffer.byteLength(value, "utf8");
    this.u32(size);
    const at = this.#reserve(size);
    this.#buffer.write(value, at, size, "utf8");
  }

  field(type: FieldType, value: unknown): void {
    switch (type) {
      case "u8":
        return this.u8(value as number);
      case "u32":
        return this.u32(value as number);
      case "i32":
        return this.i32(value as number);
      case "f64":
        return this.f64(value as number);
      case "bool":
        return this.u8(value === true ? 1 : 0);
      case "string":
        return this.string(value as string);
      case "text":
        return this.text(value as string);
      case "bytes":
        return this.bytes(value as Uint8Array);
      case "strings": {
        const items = value as string[];
        this.u32(items.length);
        // By index: a guest's program may have taken the iterators of arrays away.
        for (let at = 0; at < items.length; at++) this.string(items[at]!);
        return;
      }
      case "texts": {
        const items = value as string[];
        this.u32(items.length);
        for (let at = 0; at < items.length; at++) this.text(items[at]!);
        return;
      }
      case "numbers": {
        const items = value as number[];
        this.u32(items.length);
        for (let at = 0; at < items.length; at++) this.f64(items[at]!);
        return;
      }
    }
  }

  message<S extends Schema>(schema: S, value: Message<S>): void {
    for (const name in schema) this.field(schema[name]!, value[name]);
  }

  /** Writes `value` over the four bytes at `offset`, which must already exist. */
  patchU32(offset: number, value: number): void {
    this.#buffer.writeUInt32LE(value >>> 0, offset);
  }

  get length(): number {
    return this.#length + (this.#apart?.byteLength ?? 0);
  }

  /** The encoded bytes. The view is handed over, to `giveBuffer` at best: the encoder must not be used afterwards. */
  finish(): NodeBuffer {
    return this.#buffer.subarray(0, this.#length);
  }

  /** The same when a value may lie apart: what is before it, the value, what is behind it. */
  parts():
    | readonly [NodeBuffer]
    | readonly [head: NodeBuffer, apart: Uint8Array, tail: NodeBuffer] {
    if (this.#apart === undefined) return [this.finish()];
    const at = this.#apartAt;
    return [this.#buffer.subarray(0, at), this.#apart, this.#buffer.subarray(at, this.#length)];
  }
}

export class Decoder {
  #bytes: Buffer;
  #at: number;
  #end: number;

  constructor(bytes: NodeBuffer, start = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  #take(bytes: number): number {
    const at = this.#at;
    if (bytes > this.#end - at) throw new MalformedMessage("message is shorter than its fields");
    this.#at = at + bytes;
    return at;
  }

  u8(): number {
    return this.#bytes[this.#take(1)]!;
  }

  u32(): number {
    return this.#bytes.readUInt32LE(this.#take(4));
  }

  i32(): number {
    return this.#bytes.readInt32LE(this.#take(4));
  }

  f64(): number {
    return this.#bytes.readDoubleLE(this.#take(8));
  }

  bool(): boolean {
    const value = this.u8();
    if (value > 1) throw new MalformedMessage("boolean field is neither 0 nor 1");
    return value === 1;
  }

  /** A view into the message: copy it before it outlives the call. */
  bytes(): Uint8Array {
    const size = this.u32();
    const at = this.#take(size);
    return this.#bytes.subarray(at, at + size);
  }

  string(): string {
    const size = this.u32();
    const at = this.#take(size);
    try {
      return utf8.decode(this.#bytes.subarray(at, at + size));
    } catch {
      throw new MalformedMessage("string field is not UTF-8");
    }
  }

  text(): string {
    return decodeText(this.bytes());
  }

  #list<T>(itemBytes: number, read: () => T): T[] {
    const count = this.u32();
    if (count > wireLimits.listItems || count * itemBytes > this.#end - this.#at) {
      throw new MalformedMessage("list field announces more items than the message holds");
    }
    return Array.from({ length: count }, read);
  }

  field(type: FieldType): unknown {
    switch (type) {
      case "u8":
        return this.u8();
      case "u32":
        return this.u32();
      case "i32":
        return this.i32();
      case "f64":
        return this.f64();
      case "bool":
        return this.bool();
      case "string":
        return this.string();
      case "text":
        return this.text();
      case "bytes":
        return this.bytes();
      case "strings":
        return this.#list(4, () => this.string());
      case "texts":
        return this.#list(4, () => this.text());
      case "numbers":
        return this.#list(8, () => this.f64());
    }
  }

  message<S extends Schema>(schema: S): Message<S> {
    // A copy has properties of its own from the start: a setter that a program has put on Object.prototype sees none of them.
    const value: Record<string, unknown> = { ...schema };
    for (const name in schema) value[name] = this.field(schema[name]!);
    if (this.#at !== this.#end) throw new MalformedMessage("message is longer than its fields");
    return value as Message<S>;
  }
}
