/**
 * Owns writing a value as structured.ts has the format: what clones carry of data, tag by tag.
 *
 * Invariants: nothing is half written; what cannot be carried is said with its path. Untrusted: the value, whose
 * getters and proxies may do anything.
 */
import { NotStructured, Tag, views } from "./structured.js";

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
