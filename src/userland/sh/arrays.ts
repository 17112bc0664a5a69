/**
 * Owns the arrays of variables. An associative one lists its elements in the
 * order of bash's hash table (hashlib.c, assoc.h), because scripts print that order.
 */
import { ShellError } from "./control.js";
import { limits } from "./limits.js";
import { encodeText } from "./text.js";

/** ASSOC_HASH_BUCKETS, HASH_REHASH_FACTOR and HASH_REHASH_MULTIPLIER of bash. */
const FIRST_BUCKETS = 1024;
const REHASH_FACTOR = 2;
const REHASH_MULTIPLIER = 4;

/** hash_string() of bash: FNV-1 over signed bytes. */
function hash(text: string): number {
  let value = 2166136261;
  for (const byte of encodeText(text)) {
    value = Math.imul(value, 16777619) ^ (byte > 127 ? byte - 256 : byte);
  }
  return value >>> 0;
}

/** Indexed by non-negative numbers, or by text when associative. */
export class ShellArray {
  readonly #elements: Map<string | number, string>;
  /** False for an array that has been declared and never given anything. */
  assigned: boolean;

  constructor(
    readonly associative: boolean,
    elements?: Iterable<readonly [string | number, string]>,
  ) {
    this.#elements = new Map(elements);
    this.assigned = elements !== undefined;
  }

  /** The elements one after another, from 0 on. */
  static of(values: readonly string[]): ShellArray {
    return new ShellArray(false, values.entries());
  }

  get size(): number {
    return this.#elements.size;
  }

  get(key: string | number): string | undefined {
    return this.#elements.get(key);
  }

  set(key: string | number, value: string): void {
    if (this.#elements.size >= limits.arrayElements && !this.#elements.has(key)) {
      throw new ShellError("array too large");
    }
    this.#elements.set(key, value);
    this.assigned = true;
  }

  delete(key: string | number): void {
    this.#elements.delete(key);
  }

  clear(): void {
    this.#elements.clear();
  }

  keys(): (string | number)[] {
    const keys = [...this.#elements.keys()];
    return this.associative
      ? hashOrder(keys.map(String))
      : keys.sort((a, b) => Number(a) - Number(b));
  }

  values(): string[] {
    return this.keys().map((key) => this.#elements.get(key)!);
  }

  /** Where `+=` goes on: one behind the last. */
  nextIndex(): number {
    let next = 0;
    for (const key of this.#elements.keys()) if (Number(key) >= next) next = Number(key) + 1;
    return next;
  }

  copy(): ShellArray {
    const copy = new ShellArray(this.associative, this.#elements);
    copy.assigned = this.assigned;
    return copy;
  }

  entries(): [string | number, string][] {
    return this.keys().map((key) => [key, this.#elements.get(key)!]);
  }
}

/** By bucket; in one bucket the youngest is first. */
function hashOrder(keys: readonly string[]): string[] {
  let buckets = FIRST_BUCKETS;
  while (keys.length > buckets * REHASH_FACTOR) buckets *= REHASH_MULTIPLIER;
  return keys
    .map((key, age) => ({ key, age, bucket: hash(key) & (buckets - 1) }))
    .sort((a, b) => a.bucket - b.bucket || b.age - a.age)
    .map(({ key }) => key);
}
