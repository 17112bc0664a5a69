/**
 * Owns reading a value that structured.ts has the format of, in steps.
 *
 * Invariants: memory is taken for bytes that are there; depth and number of parts are bounded. Untrusted: every byte.
 */
import { errors, mostEntries, StructuredRefused, Tag, views } from "./structured.js";
import type { StructuredBounds, StructuredSteps, ViewConstructor } from "./structured.js";

// Taken before a program can change them.
const { hasOwn } = Object;
const { from: bufferFrom } = Buffer;

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

  /** The same of a container that finds its entries by name or value. */
  #entries(bytesEach = 1): number {
    const length = this.#length(bytesEach);
    if (length > mostEntries) throw new StructuredRefused("entries");
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
        return this.#opened(made, this.#entries(3), put, true);
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
        return this.#opened(made, this.#entries(2) * 2, put);
      }
      case Tag.set: {
        const made = new Set<unknown>();
        return this.#opened(made, this.#entries(), (value) => void made.add(this.#whole(value)));
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
