/** Owns encoding LZMA2. */
import { afterLiteral, bitModelTotal, type LengthModel, Model, top } from "./lzma-model.js";

class RangeEncoder {
  #low = 0;
  #range = 0xffffffff;
  #cache = 0;
  #pending = 1;
  readonly bytes: number[] = [];

  #shift(): void {
    if (this.#low < 0xff000000 || this.#low > 0xffffffff) {
      const carry = this.#low > 0xffffffff ? 1 : 0;
      this.bytes.push((this.#cache + carry) & 255);
      for (; this.#pending > 1; this.#pending--) this.bytes.push((0xff + carry) & 255);
      this.#cache = (this.#low >>> 24) & 255;
      this.#pending = 0;
    }
    this.#pending++;
    this.#low = ((this.#low % 2 ** 32) & 0x00ffffff) * 256;
  }

  /** How many bytes there would be if the encoder were flushed now. */
  get size(): number {
    return this.bytes.length + this.#pending + 4;
  }

  bit(table: Uint16Array, index: number, bit: number): void {
    const probability = table[index]!;
    const bound = (this.#range >>> 11) * probability;
    if (bit === 0) {
      this.#range = bound;
      table[index] = probability + ((bitModelTotal - probability) >> 5);
    } else {
      this.#low += bound;
      this.#range -= bound;
      table[index] = probability - (probability >> 5);
    }
    while (this.#range < top) {
      this.#range = (this.#range << 8) >>> 0;
      this.#shift();
    }
  }

  tree(table: Uint16Array, bits: number, value: number): void {
    let symbol = 1;
    for (let at = bits - 1; at >= 0; at--) {
      const bit = (value >> at) & 1;
      this.bit(table, symbol, bit);
      symbol = (symbol << 1) | bit;
    }
  }

  reverseTree(table: Uint16Array, base: number, bits: number, value: number): void {
    let symbol = 1;
    for (let at = 0; at < bits; at++) {
      const bit = (value >> at) & 1;
      this.bit(table, base + symbol, bit);
      symbol = (symbol << 1) | bit;
    }
  }

  direct(bits: number, value: number): void {
    for (let at = bits - 1; at >= 0; at--) {
      this.#range >>>= 1;
      if ((value >>> at) & 1) this.#low += this.#range;
      while (this.#range < top) {
        this.#range = (this.#range << 8) >>> 0;
        this.#shift();
      }
    }
  }

  length(model: LengthModel, positionState: number, length: number): void {
    if (length < 8) {
      this.bit(model.choice, 0, 0);
      this.tree(model.low[positionState]!, 3, length);
    } else if (length < 16) {
      this.bit(model.choice, 0, 1);
      this.bit(model.choice, 1, 0);
      this.tree(model.middle[positionState]!, 3, length - 8);
    } else {
      this.bit(model.choice, 0, 1);
      this.bit(model.choice, 1, 1);
      this.tree(model.high, 8, length - 16);
    }
  }

  finish(): number[] {
    for (let count = 0; count < 5; count++) this.#shift();
    return this.bytes;
  }
}

const maxMatch = 273;
const hashBits = 16;

/** Earlier places that begin with the same three bytes, newest first. */
class MatchFinder {
  readonly #heads = new Int32Array(1 << hashBits).fill(-1);
  readonly #chain: Int32Array;

  constructor(
    private readonly data: Uint8Array,
    private readonly depth: number,
    private readonly windowBytes: number,
  ) {
    this.#chain = new Int32Array(data.length);
  }

  #hash(at: number): number {
    const { data } = this;
    const value = (data[at]! << 16) | (data[at + 1]! << 8) | data[at + 2]!;
    return Math.imul(value, 0x9e3779b1) >>> (32 - hashBits);
  }

  insert(at: number): void {
    if (at + 2 >= this.data.length) return;
    const hash = this.#hash(at);
    this.#chain[at] = this.#heads[hash]!;
    this.#heads[hash] = at;
  }

  /** The longest match for what stands at `at`, before it is inserted. */
  find(at: number, limit: number): { length: number; distance: number } {
    const { data } = this;
    let [length, distance] = [0, 0];
    if (at + 2 >= data.length) return { length, distance };
    let candidate = this.#heads[this.#hash(at)]!;
    for (let tries = this.depth; tries > 0 && candidate >= 0; tries--) {
      if (at - candidate > this.windowBytes) break;
      if (data[candidate + length] === data[at + length]) {
        const found = matchLength(data, candidate, at, limit);
        if (found > length) {
          length = found;
          distance = at - candidate - 1;
          if (found >= limit) break;
        }
      }
      candidate = this.#chain[candidate]!;
    }
    return { length, distance };
  }
}

function matchLength(data: Uint8Array, from: number, at: number, limit: number): number {
  let length = 0;
  while (length < limit && data[from + length] === data[at + length]) length++;
  return length;
}

/** What one LZMA2 chunk may hold, a little less than the format's bounds. */
const chunkBytes = 2 ** 21 - maxMatch;
const chunkPacked = 2 ** 16 - 64;

class Encoder {
  readonly #model = new Model();
  readonly #finder: MatchFinder;

  constructor(
    private readonly data: Uint8Array,
    depth: number,
    dictionaryBytes: number,
  ) {
    this.#finder = new MatchFinder(data, depth, dictionaryBytes);
  }

  /** Encodes from `at` into one chunk with a fresh state; answers where it ends. */
  chunk(at: number): { end: number; packed: number[] } {
    const model = this.#model;
    model.reset();
    const range = new RangeEncoder();
    const limit = Math.min(this.data.length, at + chunkBytes);
    let position = at;
    while (position < limit && range.size < chunkPacked) {
      position += this.#symbol(range, position, limit);
    }
    return { end: position, packed: range.finish() };
  }

  #symbol(range: RangeEncoder, at: number, end: number): number {
    const { data } = this;
    const model = this.#model;
    const limit = Math.min(maxMatch, end - at);
    const positionState = at & ((1 << model.pb) - 1);
    const stateBits = (model.state << 4) | positionState;
    const reps = [model.rep0, model.rep1, model.rep2, model.rep3];
    let [repLength, rep] = [0, 0];
    reps.forEach((distance, index) => {
      if (distance >= at) return;
      const length = matchLength(data, at - distance - 1, at, limit);
      if (length > repLength) [repLength, rep] = [length, index];
    });
    const match = this.#finder.find(at, limit);
    // A near match of a few bytes costs less than a far one.
    const worth = match.length >= 4 || (match.length === 3 && match.distance < 1 << 14);
    const useRep = repLength >= 2 && (!worth || repLength + 1 >= match.length);
    if (!useRep && !worth) {
      range.bit(model.isMatch, stateBits, 0);
      this.#literal(range, at);
      this.#finder.insert(at);
      return 1;
    }
    range.bit(model.isMatch, stateBits, 1);
    const length = useRep ? repLength : match.length;
    if (useRep) this.#repeated(range, rep, length, positionState);
    else this.#match(range, match, positionState);
    for (let step = 0; step < length; step++) this.#finder.insert(at + step);
    return length;
  }

  #repeated(range: RangeEncoder, rep: number, length: number, positionState: number): void {
    const model = this.#model;
    range.bit(model.isRep, model.state, 1);
    if (rep === 0) {
      range.bit(model.isRepG0, model.state, 0);
      range.bit(model.isRep0Long, (model.state << 4) | positionState, 1);
    } else {
      range.bit(model.isRepG0, model.state, 1);
      range.bit(model.isRepG1, model.state, rep === 1 ? 0 : 1);
      if (rep > 1) range.bit(model.isRepG2, model.state, rep - 2);
      const distance = [model.rep0, model.rep1, model.rep2, model.rep3][rep]!;
      if (rep === 3) model.rep3 = model.rep2;
      if (rep >= 2) model.rep2 = model.rep1;
      model.rep1 = model.rep0;
      model.rep0 = distance;
    }
    range.length(model.repLength, positionState, length - 2);
    model.state = model.state < 7 ? 8 : 11;
  }

  #match(
    range: RangeEncoder,
    { length, distance }: { length: number; distance: number },
    positionState: number,
  ): void {
    const model = this.#model;
    range.bit(model.isRep, model.state, 0);
    range.length(model.length, positionState, length - 2);
    model.state = model.state < 7 ? 7 : 10;
    const bits = distance < 4 ? 0 : 30 - Math.clz32(distance);
    const slot = distance < 4 ? distance : ((bits + 1) << 1) | ((distance >>> bits) & 1);
    range.tree(model.posSlot[Math.min(length - 2, 3)]!, 6, slot);
    if (slot >= 4) {
      const base = (2 | (slot & 1)) << bits;
      const rest = distance - base;
      if (slot < 14) range.reverseTree(model.posSpecial, base - slot, bits, rest);
      else {
        range.direct(bits - 4, rest >>> 4);
        range.reverseTree(model.align, 0, 4, rest & 15);
      }
    }
    model.rep3 = model.rep2;
    model.rep2 = model.rep1;
    model.rep1 = model.rep0;
    model.rep0 = distance;
  }

  #literal(range: RangeEncoder, at: number): void {
    const { data } = this;
    const model = this.#model;
    const base = model.literalBase(at, at > 0 ? data[at - 1]! : 0);
    const byte = data[at]!;
    let symbol = 1;
    let position = 7;
    if (model.state >= 7) {
      const match = data[at - model.rep0 - 1]!;
      for (; position >= 0; position--) {
        const matchBit = (match >> position) & 1;
        const bit = (byte >> position) & 1;
        range.bit(model.literal, base + ((1 + matchBit) << 8) + symbol, bit);
        symbol = (symbol << 1) | bit;
        if (matchBit !== bit) {
          position--;
          break;
        }
      }
    }
    for (; position >= 0; position--) {
      const bit = (byte >> position) & 1;
      range.bit(model.literal, base + symbol, bit);
      symbol = (symbol << 1) | bit;
    }
    model.state = afterLiteral[model.state]!;
  }
}

/** lc 3, lp 0, pb 2: what everybody uses. */
const properties = (2 * 5 + 0) * 9 + 3;

export function encodeLzma2(data: Uint8Array, depth: number, dictionaryBytes: number): Buffer {
  const parts: Uint8Array[] = [];
  const encoder = new Encoder(data, depth, dictionaryBytes);
  for (let at = 0; at < data.length;) {
    const { end, packed } = encoder.chunk(at);
    const size = end - at - 1;
    if (packed.length < end - at && packed.length <= 2 ** 16) {
      const control = (at === 0 ? 0xe0 : 0xc0) | (size >> 16);
      const packedSize = packed.length - 1;
      const header = [control, (size >> 8) & 255, size & 255, packedSize >> 8, packedSize & 255];
      parts.push(Uint8Array.from([...header, properties]), Uint8Array.from(packed));
    } else {
      for (let from = at; from < end; from += 2 ** 16) {
        const piece = data.subarray(from, Math.min(end, from + 2 ** 16));
        const last = piece.length - 1;
        parts.push(Uint8Array.of(from === 0 ? 1 : 2, last >> 8, last & 255), piece);
      }
    }
    at = end;
  }
  parts.push(Uint8Array.of(0));
  return Buffer.concat(parts);
}
