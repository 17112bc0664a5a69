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
  readonly why: "depth" | "values" | "form";
  constructor(why: StructuredRefused["why"]) {
    super(why);
    this.why = why;
  }
}

const Tag = {
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

const views = [
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

type ViewConstructor = new (buffer: ArrayBuffer, offset: number, length: number) => ArrayBufferView;

const errors: Readonly<Record<string, ErrorConstructor>> = {
  Error,
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
};

// Taken before a program can change them.
const isWellFormed = Function.prototype.call.bind(
  (String.prototype as unknown as { isWellFormed(): boolean }).isWellFormed,
) as (text: string) => boolean;
const { isArray } = Array;
const { isView } = ArrayBuffer;
const { keys, hasOwn, getPrototypeOf, prototype: objectPrototype } = Object;
const { from: bufferFrom, alloc: bufferAlloc } = Buffer;
const tagOf = Function.prototype.call.bind(objectPrototype.toString) as (value: unknown) => string;

class Writer {
  #bytes = bufferAlloc(1024);
  #at = 0;
  readonly #most: number;

  constructor(most: number) {
    this.#most = most;
  }

  #room(size: number): number {
    const at = this.#at;
    const end = at + size;
    if (end > this.#most) throw new NotStructured(`over ${this.#most} bytes`, "$");
    if (end > this.#bytes.length) {
      const more = bufferAlloc(Math.max(end, this.#bytes.length * 2));
      this.#bytes.copy(more, 0, 0, at);
      this.#bytes = more;
    }
    this.#at = end;
    return at;
  }

  byte(value: number): void {
    const at = this.#room(1);
    this.#bytes[at] = value;
  }

  /** A number of at most 2⁵³, seven bits a byte. */
  count(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.byte((rest % 0x80) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    this.byte(rest);
  }

  float(value: number): void {
    this.#bytes.writeDoubleLE(value, this.#room(8));
  }

  bytes(value: Uint8Array): void {
    this.count(value.byteLength);
    const at = this.#room(value.byteLength);
    this.#bytes.set(value, at);
  }

  text(value: string): void {
    const wide = !isWellFormed(value);
    this.byte(wide ? Tag.wideText : Tag.text);
    this.bytes(bufferFrom(value, wide ? "utf16le" : "utf8"));
  }

  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#at);
  }
}

/** What is still to be written: a value at a place, or something in between. */
type Task = { value: unknown; path: Path; depth: number } | (() => void);
interface Path {
  readonly above: Path | undefined;
  readonly step: string;
}

function pathText(path: Path | undefined): string {
  let text = "";
  for (let at = path; at !== undefined; at = at.above) text = at.step + text;
  return text.slice(0, 1024);
}

const stepOf = (key: string): string =>
  /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;

class Encoding {
  readonly #writer: Writer;
  readonly #seen = new Map<object, number>();
  readonly #depth: number;
  /** The next one is last. */
  readonly #tasks: Task[] = [];

  constructor(most: number, depth: number) {
    this.#writer = new Writer(most);
    this.#depth = depth;
  }

  run(value: unknown): Uint8Array {
    this.#tasks.push({ value, path: { above: undefined, step: "$" }, depth: 0 });
    for (let task = this.#tasks.pop(); task !== undefined; task = this.#tasks.pop()) {
      if (typeof task === "function") task();
      else this.#write(task.value, task.path, task.depth);
    }
    return this.#writer.finish();
  }

  #write(value: unknown, path: Path, depth: number): void {
    const writer = this.#writer;
    switch (typeof value) {
      case "undefined":
        return writer.byte(Tag.undefined);
      case "boolean":
        return writer.byte(value ? Tag.true : Tag.false);
      case "number":
        if (Number.isSafeInteger(value) && !Object.is(value, -0)) {
          writer.byte(Tag.integer);
          writer.byte(value < 0 ? 1 : 0);
          return writer.count(Math.abs(value));
        }
        writer.byte(Tag.number);
        return writer.float(value);
      case "bigint": {
        writer.byte(Tag.bigint);
        return writer.bytes(bufferFrom(value.toString(16), "latin1"));
      }
      case "string":
        return writer.text(value);
      case "object":
        if (value === null) return writer.byte(Tag.null);
        return this.#object(value, path, depth);
      default:
        throw new NotStructured(`a ${typeof value}`, pathText(path));
    }
  }

  #object(value: object, path: Path, depth: number): void {
    const writer = this.#writer;
    const known = this.#seen.get(value);
    if (known !== undefined) {
      writer.byte(Tag.reference);
      return writer.count(known);
    }
    if (depth >= this.#depth) throw new NotStructured("nested too deeply", pathText(path));
    this.#seen.set(value, this.#seen.size);
    if (isArray(value)) return this.#array(value, path, depth);
    if (isView(value)) return this.#view(value, path, depth);
    const kind = tagOf(value);
    if (value instanceof ArrayBuffer) {
      writer.byte(Tag.buffer);
      return writer.bytes(new Uint8Array(value));
    }
    if (value instanceof Map)
      return this.#entries(Tag.map, [...value].flat(), value.size, path, depth);
    if (value instanceof Set) return this.#entries(Tag.set, [...value], value.size, path, depth);
    if (value instanceof Date) {
      writer.byte(Tag.date);
      return writer.float(value.getTime());
    }
    if (value instanceof Error) return this.#error(value, path, depth);
    if (
      kind !== "[object Object]" &&
      getPrototypeOf(value) !== null &&
      getPrototypeOf(value) !== objectPrototype
    )
      throw new NotStructured(`a ${kind.slice(8, -1)}`, pathText(path));
    const names = keys(value);
    writer.byte(Tag.object);
    writer.count(names.length);
    this.#properties(value, names, path, depth);
  }

  /** Names and values in turn, read when their turn comes. */
  #properties(value: object, names: readonly string[], path: Path, depth: number): void {
    for (let at = names.length - 1; at >= 0; at--) {
      const name = names[at]!;
      this.#tasks.push(() => {
        this.#writer.text(name);
        const step = { above: path, step: stepOf(name) };
        this.#tasks.push({ value: Reflect.get(value, name), path: step, depth: depth + 1 });
      });
    }
  }

  #array(value: readonly unknown[], path: Path, depth: number): void {
    const { length } = value;
    this.#writer.byte(Tag.array);
    this.#writer.count(length);
    const next = (at: number): void => {
      if (at + 1 < length) this.#tasks.push(() => next(at + 1));
      if (!hasOwn(value, at)) return this.#writer.byte(Tag.hole);
      this.#tasks.push({
        value: value[at],
        path: { above: path, step: `[${at}]` },
        depth: depth + 1,
      });
    };
    if (length > 0) next(0);
  }

  #entries(tag: number, parts: readonly unknown[], size: number, path: Path, depth: number): void {
    this.#writer.byte(tag);
    this.#writer.count(size);
    for (let at = parts.length - 1; at >= 0; at--)
      this.#tasks.push({
        value: parts[at],
        path: { above: path, step: `[entry ${at}]` },
        depth: depth + 1,
      });
  }

  #view(value: ArrayBufferView, path: Path, depth: number): void {
    const kind = views.findIndex((view) => value instanceof view);
    const { buffer, byteOffset, byteLength } = value;
    if (kind === -1 || !(buffer instanceof ArrayBuffer))
      throw new NotStructured("a view of shared memory", pathText(path));
    // What is far smaller than its buffer, as a Buffer in the pool is, travels alone.
    const alone = byteLength * 2 < buffer.byteLength;
    const bytes = alone ? buffer.slice(byteOffset, byteOffset + byteLength) : buffer;
    this.#writer.byte(Tag.view);
    this.#writer.byte(kind);
    this.#writer.count(alone ? 0 : byteOffset);
    this.#writer.count(byteLength);
    this.#tasks.push({ value: bytes, path, depth: depth + 1 });
  }

  #error(value: Error, path: Path, depth: number): void {
    const writer = this.#writer;
    const hasCause = hasOwn(value, "cause");
    writer.byte(Tag.error);
    for (const name of ["name", "message", "stack", "code"]) {
      const part: unknown = Reflect.get(value, name);
      writer.text(typeof part === "string" ? part : "");
    }
    writer.byte(hasCause ? 1 : 0);
    if (hasCause)
      this.#tasks.push({
        value: value.cause,
        path: { above: path, step: ".cause" },
        depth: depth + 1,
      });
  }
}

/** Throws `NotStructured` for what cannot be carried or needs more than `mostBytes`. */
export function encodeStructured(value: unknown, mostBytes: number, depth: number): Uint8Array {
  return new Encoding(mostBytes, depth).run(value);
}

/** A container whose entries are being read. */
interface Frame {
  left: number;
  /** Whether a name comes before each value. */
  readonly named: boolean;
  /** Takes the next value. */
  put(value: unknown, name: string): void;
}

const pauseEvery = 512;
const pauseBytes = 256 * 1024;
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const hole = Symbol("hole");

class Decoding {
  readonly #bytes: Buffer;
  readonly #bounds: StructuredBounds;
  #at = 0;
  #values = 0;
  /** By the numbers that references have. */
  readonly #made: object[] = [];
  readonly #open: Frame[] = [];
  /** Bytes that were copied since the last pause. */
  #copied = 0;

  constructor(bytes: Uint8Array, bounds: StructuredBounds) {
    this.#bytes = bufferFrom(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#bounds = bounds;
  }

  *read(): StructuredSteps {
    let result: unknown;
    this.#open.push({ left: 1, named: false, put: (value) => void (result = value) });
    let steps = 0;
    for (let frame = this.#open.at(-1); frame !== undefined; frame = this.#open.at(-1)) {
      if (frame.left-- === 0) {
        this.#open.pop();
        continue;
      }
      if (++this.#values > this.#bounds.values) throw new StructuredRefused("values");
      const name = frame.named ? this.#text() : "";
      frame.put(this.#value(), name);
      if (++steps % pauseEvery !== 0 && this.#copied < pauseBytes) continue;
      this.#copied = 0;
      yield;
    }
    if (this.#at !== this.#bytes.length || result === hole) throw new StructuredRefused("form");
    return result;
  }

  #byte(): number {
    if (this.#at >= this.#bytes.length) throw new StructuredRefused("form");
    return this.#bytes[this.#at++]!;
  }

  #count(): number {
    let value = 0;
    for (let factor = 1; factor <= 2 ** 49; factor *= 0x80) {
      const byte = this.#byte();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80 && value <= Number.MAX_SAFE_INTEGER) return value;
    }
    throw new StructuredRefused("form");
  }

  /** So many entries, of at least so many bytes each, are still to come. */
  #length(bytesEach = 1): number {
    const length = this.#count();
    if (length * bytesEach > this.#bytes.length - this.#at) throw new StructuredRefused("form");
    return length;
  }

  #part(): Buffer {
    const length = this.#length();
    this.#copied += length;
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  #float(): number {
    if (this.#bytes.length - this.#at < 8) throw new StructuredRefused("form");
    this.#at += 8;
    return this.#bytes.readDoubleLE(this.#at - 8);
  }

  #text(): string {
    const tag = this.#byte();
    if (tag === Tag.text) return this.#narrow();
    if (tag === Tag.wideText) return this.#part().toString("utf16le");
    throw new StructuredRefused("form");
  }

  #narrow(): string {
    const part = this.#part();
    try {
      return utf8.decode(part);
    } catch {
      throw new StructuredRefused("form");
    }
  }

  #opened<T extends object>(made: T, left: number, put: Frame["put"], named = false): T {
    // The first frame is nobody's.
    if (this.#open.length > this.#bounds.depth) throw new StructuredRefused("depth");
    this.#open.push({ left, named, put });
    return this.#kept(made);
  }

  #kept<T extends object>(made: T): T {
    this.#made.push(made);
    return made;
  }

  #value(): unknown {
    const tag = this.#byte();
    switch (tag) {
      case Tag.undefined:
        return undefined;
      case Tag.null:
        return null;
      case Tag.false:
        return false;
      case Tag.true:
        return true;
      case Tag.number:
        return this.#float();
      case Tag.integer:
        return this.#byte() === 1 ? -this.#count() : this.#count();
      case Tag.bigint:
        return this.#bigint();
      case Tag.text:
        return this.#narrow();
      case Tag.wideText:
        return this.#part().toString("utf16le");
      case Tag.hole:
        return hole;
      default:
        return this.#object(tag);
    }
  }

  #object(tag: number): object {
    switch (tag) {
      case Tag.date:
        return this.#kept(new Date(this.#float()));
      case Tag.array: {
        const made: unknown[] = [];
        const put = (value: unknown): void =>
          void (value === hole ? made.length++ : made.push(value));
        return this.#opened(made, this.#length(), put);
      }
      case Tag.object: {
        const made: Record<string, unknown> = {};
        const put = (value: unknown, name: string): void => {
          if (name !== "__proto__") made[name] = this.#whole(value);
        };
        return this.#opened(made, this.#length(3), put, true);
      }
      case Tag.map: {
        const made = new Map<unknown, unknown>();
        let key: unknown;
        let isKey = true;
        const put = (value: unknown): void => {
          if (isKey) key = this.#whole(value);
          else made.set(key, this.#whole(value));
          isKey = !isKey;
        };
        return this.#opened(made, this.#length(2) * 2, put);
      }
      case Tag.set: {
        const made = new Set<unknown>();
        return this.#opened(made, this.#length(), (value) => void made.add(this.#whole(value)));
      }
      case Tag.buffer:
        return this.#buffer();
      case Tag.view:
        return this.#view();
      case Tag.error:
        return this.#error();
      case Tag.reference: {
        const made = this.#made[this.#count()];
        if (made === undefined) throw new StructuredRefused("form");
        return made;
      }
      default:
        throw new StructuredRefused("form");
    }
  }

  /** Holes are of arrays alone. */
  #whole(value: unknown): unknown {
    if (value === hole) throw new StructuredRefused("form");
    return value;
  }

  /** Hexadecimal, so that the work is linear in it. */
  #bigint(): bigint {
    const text = this.#part().toString("latin1");
    if (!/^-?[0-9a-f]+$/.test(text)) throw new StructuredRefused("form");
    return text.startsWith("-") ? -BigInt(`0x${text.slice(1)}`) : BigInt(`0x${text}`);
  }

  #buffer(): ArrayBuffer {
    const part = this.#part();
    // A copy of its own: `part` may be in a pool.
    return this.#kept(new Uint8Array(part).buffer);
  }

  #view(): ArrayBufferView {
    const View = views[this.#byte()] as ViewConstructor | undefined;
    const [offset, length] = [this.#count(), this.#count()];
    // Its number comes before that of its buffer, which is not a view of anything.
    const index = this.#made.length;
    this.#made.push(noBuffer);
    const tag = this.#byte();
    const buffer = tag === Tag.buffer || tag === Tag.reference ? this.#object(tag) : undefined;
    if (View === undefined || !(buffer instanceof ArrayBuffer) || buffer === noBuffer)
      throw new StructuredRefused("form");
    const each = "BYTES_PER_ELEMENT" in View ? (View.BYTES_PER_ELEMENT as number) : 1;
    if (offset % each !== 0 || length % each !== 0 || offset + length > buffer.byteLength)
      throw new StructuredRefused("form");
    const made = new View(buffer, offset, length / each);
    this.#made[index] = made;
    return made;
  }

  #error(): Error {
    const name = this.#text();
    const message = this.#text();
    const stack = this.#text();
    const code = this.#text();
    const Made = hasOwn(errors, name) ? errors[name]! : Error;
    // Its stack is where it was made, which is not here.
    const made = new Made(message);
    const define = (key: string, value: unknown): void =>
      void Object.defineProperty(made, key, { value, writable: true, configurable: true });
    define("stack", stack);
    if (made.name !== name) define("name", name);
    if (code !== "") define("code", code);
    const hasCause = this.#byte() === 1;
    return this.#opened(made, hasCause ? 1 : 0, (value) => define("cause", this.#whole(value)));
  }
}

const noBuffer = new ArrayBuffer(0);

/** The value; throws `StructuredRefused`. */
export function* decodeStructured(bytes: Uint8Array, bounds: StructuredBounds): StructuredSteps {
  return yield* new Decoding(bytes, bounds).read();
}
