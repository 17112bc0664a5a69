/**
 * Owns values as bytes where JSON is too little: what structured clone carries of data (Map, Set, Date, BigInt,
 * errors, buffers and their views, cycles and shared parts), between a program and its host in both directions.
 *
 * Invariants: decoding makes objects of this realm and own properties only, none of them `__proto__`; it never
 * recurses, reads past the end, or makes more entries than there are bytes, and yields often; what is decoded was
 * written by nobody's prototypes and runs nobody's code.
 * Untrusted: every byte given to `decodeStructured`. What is encoded may be anything: getters run, as with JSON.
 */

/** Work that lets others have their turn; the value is returned. */
export type StructuredSteps = Generator<undefined, unknown, undefined>;

/** How a value travels: as JSON text, or as `encodeStructured` writes it. */
export const ValueEncoding = Object.freeze({ json: 0, structured: 1 } as const);
export type EncodingName = keyof typeof ValueEncoding;

export const structuredBounds: StructuredBounds = Object.freeze({
  depth: 1000,
  values: 2_000_000,
});

/**
 * Entries of one object, Map or Set. Making one larger takes work over all that is in it, which nothing can
 * interrupt: over 50 ms when V8's table of 2^20 keys becomes one of 2^21.
 */
export const mostEntries = 2 ** 19;

export interface StructuredBounds {
  /** Containers within containers. */
  readonly depth: number;
  /** Values in all, entries and keys of containers included. */
  readonly values: number;
}

/** A value that cannot be carried, and where it is. */
export class NotStructured extends Error {
  override name = "DataCloneError";
  readonly path: string;
  constructor(reason: string, path: string) {
    super(reason);
    this.path = path;
  }
}

/** Bytes that `encodeStructured` does not write, or more than the bounds allow. */
export class StructuredRefused extends Error {
  readonly why: "depth" | "values" | "entries" | "form";
  constructor(why: StructuredRefused["why"]) {
    super(why);
    this.why = why;
  }
}

export const Tag = {
  undefined: 0,
  null: 1,
  false: 2,
  true: 3,
  number: 4,
  integer: 5,
  bigint: 6,
  text: 7,
  /** UTF-16, for what is no UTF-8. */
  wideText: 8,
  date: 9,
  array: 10,
  hole: 11,
  object: 12,
  map: 13,
  set: 14,
  buffer: 15,
  view: 16,
  error: 17,
  reference: 18,
} as const;

export const views = [
  Uint8Array,
  Int8Array,
  Uint8ClampedArray,
  Uint16Array,
  Int16Array,
  Uint32Array,
  Int32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
  DataView,
] as const;

export type ViewConstructor = new (
  buffer: ArrayBuffer,
  offset: number,
  length: number,
) => ArrayBufferView;

export const errors: Readonly<Record<string, ErrorConstructor>> = {
  Error,
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
};
