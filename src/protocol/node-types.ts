/**
 * Owns what the package's declarations take from Node's types. With `@types/node` they are Node's own; where a project
 * has not installed them, or names none in `types`, they are the part of them that stands without: declarations that
 * users compile import no `node:` module and name no global of Node, but by this file.
 */
/** @ts-ignore -- any, where Node's types are not */
import type { Buffer as GivenBuffer } from "node:buffer";
/** @ts-ignore -- any, where Node's types are not */
import type { Readable as GivenReadable, Writable as GivenWritable } from "node:stream";

type Known<Given, Otherwise> = 0 extends 1 & Given ? Otherwise : Given;

/** The names of `BufferEncoding`. */
export type TextEncoding =
  | "ascii"
  | "utf8"
  | "utf-8"
  | "utf16le"
  | "utf-16le"
  | "ucs2"
  | "ucs-2"
  | "base64"
  | "base64url"
  | "latin1"
  | "binary"
  | "hex";

interface Listens {
  on(event: string, listener: (...values: never[]) => void): this;
  once(event: string, listener: (...values: never[]) => void): this;
  off(event: string, listener: (...values: never[]) => void): this;
  destroy(error?: Error): this;
  readonly destroyed: boolean;
}

interface ReadableBytes extends Listens, AsyncIterable<Uint8Array> {
  pause(): this;
  resume(): this;
}

interface WritableBytes extends Listens {
  write(chunk: string | Uint8Array, done?: (error?: Error | null) => void): boolean;
  end(): this;
  end(chunk: string | Uint8Array): this;
  readonly writableLength: number;
}

/** A `Buffer`; without Node's types the Uint8Array that it is. */
export type NodeBuffer = Known<GivenBuffer, Uint8Array>;
/** A `Readable` of node:stream. */
export type Readable = Known<GivenReadable, ReadableBytes>;
/** A `Writable` of node:stream. */
export type Writable = Known<GivenWritable, WritableBytes>;
