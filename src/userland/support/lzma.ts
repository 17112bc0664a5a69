/**
 * Owns LZMA and LZMA2: the decoder's and the encoder's state machine. Compressed data is hostile: every
 * distance and length is checked against what there is, and a fault is a FormatError.
 */
export class FormatError extends Error {}

const bitModelTotal = 2048;
const half = bitModelTotal / 2;
const top = 2 ** 24;
/** A longer window would be memory that a guest of ordinary size does not have. */
const maxDictionaryBytes = 1 << 28;

/** Probabilities of one stream, as the format names them. */
class Model {
  readonly isMatch = new Uint16Array(12 << 4);
  readonly isRep = new Uint16Array(12);
  readonly isRepG0 = new Uint16Array(12);
  readonly isRepG1 = new Uint16Array(12);
  readonly isRepG2 = new Uint16Array(12);
  readonly isRep0Long = new Uint16Array(12 << 4);
  readonly posSlot = Array.from({ length: 4 }, () => new Uint16Array(64));
  readonly posSpecial = new Uint16Array(128);
  readonly align = new Uint16Array(16);
  readonly length = new LengthModel();
  readonly repLength = new LengthModel();
  literal = new Uint16Array(0);
  lc = 3;
  lp = 0;
  pb = 2;
  state = 0;
  rep0 = 0;
  rep1 = 0;
  rep2 = 0;
  rep3 = 0;

  setProperties(byte: number): void {
    if (byte >= 225) throw new FormatError("Compressed data is corrupt");
    this.lc = byte % 9;
    this.lp = Math.floor(byte / 9) % 5;
    this.pb = Math.floor(byte / 45);
  }

  reset(): void {
    for (const table of [
      this.isMatch,
      this.isRep,
      this.isRepG0,
      this.isRepG1,
      this.isRepG2,
      this.isRep0Long,
      this.posSpecial,
      this.align,
      ...this.posSlot,
    ]) {
      table.fill(half);
    }
    this.length.reset();
    this.repLength.reset();
    const size = 0x300 << (this.lc + this.lp);
    if (this.literal.length !== size) this.literal = new Uint16Array(size);
    this.literal.fill(half);
    this.state = this.rep0 = this.rep1 = this.rep2 = this.rep3 = 0;
  }

  literalBase(position: number, previous: number): number {
    const low = position & ((1 << this.lp) - 1);
    return 0x300 * ((low << this.lc) + (previous >> (8 - this.lc)));
  }
}

class LengthModel {
  readonly choice = new Uint16Array(2);
  readonly low = Array.from({ length: 16 }, () => new Uint16Array(8));
  readonly middle = Array.from({ length: 16 }, () => new Uint16Array(8));
  readonly high = new Uint16Array(256);

  reset(): void {
    for (const table of [this.choice, this.high, ...this.low, ...this.middle]) table.fill(half);
  }
}

const afterLiteral = [0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 4, 5];

class RangeDecoder {
  #range = 0xffffffff;
  #code = 0;
  at = 0;

  constructor(private readonly data: Uint8Array) {}

  start(at: number): void {
    this.at = at;
    if (this.#byte() !== 0) throw new FormatError("Compressed data is corrupt");
    this.#range = 0xffffffff;
    this.#code = 0;
    for (let count = 0; count < 4; count++) this.#code = ((this.#code << 8) | this.#byte()) >>> 0;
  }

  get finished(): boolean {
    return this.#code === 0;
  }

  #byte(): number {
    const byte = this.data[this.at++];
    if (byte === undefined) throw new FormatError("Unexpected end of input");
    return byte;
  }

  #normalize(): void {
    if (this.#range >= top) return;
    this.#range = (this.#range << 8) >>> 0;
    this.#code = ((this.#code << 8) | this.#byte()) >>> 0;
  }

  bit(table: Uint16Array, index: number): number {
    const probability = table[index]!;
    const bound = (this.#range >>> 11) * probability;
    if (this.#code < bound) {
      this.#range = bound;
      table[index] = probability + ((bitModelTotal - probability) >> 5);
      this.#normalize();
      return 0;
    }
    this.#range = (this.#range - bound) >>> 0;
    this.#code = (this.#code - bound) >>> 0;
    table[index] = probability - (probability >> 5);
    this.#normalize();
    return 1;
  }

  tree(table: Uint16Array, bits: number): number {
    let symbol = 1;
    for (let count = 0; count < bits; count++) symbol = (symbol << 1) | this.bit(table, symbol);
    return symbol - (1 << bits);
  }

  reverseTree(table: Uint16Array, base: number, bits: number): number {
    let symbol = 1;
    let value = 0;
    for (let count = 0; count < bits; count++) {
      const bit = this.bit(table, base + symbol);
      symbol = (symbol << 1) | bit;
      value |= bit << count;
    }
    return value;
  }

  direct(bits: number): number {
    let value = 0;
    for (let count = 0; count < bits; count++) {
      this.#range >>>= 1;
      const bit = this.#code >= this.#range ? 1 : 0;
      if (bit) this.#code = (this.#code - this.#range) >>> 0;
      value = value * 2 + bit;
      this.#normalize();
    }
    return value;
  }

  length(model: LengthModel, positionState: number): number {
    if (this.bit(model.choice, 0) === 0) return this.tree(model.low[positionState]!, 3);
    if (this.bit(model.choice, 1) === 0) return 8 + this.tree(model.middle[positionState]!, 3);
    return 16 + this.tree(model.high, 8);
  }
}

/** What was decoded: handed on as it grows, kept as far back as distances may reach. */
class Window {
  #buffer: Buffer;
  #length = 0;
  #flushed = 0;
  /** Since the last reset of the dictionary. */
  position = 0;

  constructor(
    private readonly dictionaryBytes: number,
    private readonly use: (data: Uint8Array) => void,
  ) {
    this.#buffer = Buffer.allocUnsafe(Math.min(dictionaryBytes, 1 << 20) + (1 << 20));
  }

  #room(): void {
    if (this.#length < this.#buffer.length) return;
    this.flush();
    if (this.#length >= this.dictionaryBytes + (1 << 20)) {
      this.#buffer.copyWithin(0, this.#length - this.dictionaryBytes, this.#length);
      this.#length = this.#flushed = this.dictionaryBytes;
      return;
    }
    const larger = Buffer.allocUnsafe(
      Math.min(2 * this.#buffer.length, this.dictionaryBytes + (2 << 20)),
    );
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }

  put(byte: number): void {
    if (this.#length >= this.#buffer.length) this.#room();
    this.#buffer[this.#length++] = byte;
    this.position++;
  }

  /** 0 is the byte before. */
  back(distance: number): number {
    return this.#buffer[this.#length - 1 - distance]!;
  }

  reaches(distance: number): boolean {
    return distance < this.position && distance < this.dictionaryBytes;
  }

  copy(distance: number, length: number): void {
    for (let left = length; left > 0; left--) {
      if (this.#length >= this.#buffer.length) this.#room();
      this.#buffer[this.#length] = this.#buffer[this.#length - 1 - distance]!;
      this.#length++;
    }
    this.position += length;
  }

  flush(): void {
    // A copy: the window is written over, and whoever takes the data may keep it.
    if (this.#length > this.#flushed) {
      this.use(Buffer.from(this.#buffer.subarray(this.#flushed, this.#length)));
    }
    this.#flushed = this.#length;
  }
}

/** Decodes symbols until `size` bytes have come out; true when the end marker stood before that. */
function decodeSymbols(
  range: RangeDecoder,
  model: Model,
  window: Window,
  size: number,
  mayEnd: boolean,
): boolean {
  const mask = (1 << model.pb) - 1;
  const end = window.position + size;
  while (window.position < end) {
    const positionState = window.position & mask;
    if (range.bit(model.isMatch, (model.state << 4) | positionState) === 0) {
      decodeLiteral(range, model, window);
      continue;
    }
    let length: number;
    if (range.bit(model.isRep, model.state) === 0) {
      model.rep3 = model.rep2;
      model.rep2 = model.rep1;
      model.rep1 = model.rep0;
      length = range.length(model.length, positionState);
      model.state = model.state < 7 ? 7 : 10;
      model.rep0 = decodeDistance(range, model, length);
      if (model.rep0 === 0xffffffff) {
        if (mayEnd) return true;
        throw new FormatError("Compressed data is corrupt");
      }
    } else {
      if (window.position === 0) throw new FormatError("Compressed data is corrupt");
      if (range.bit(model.isRepG0, model.state) === 0) {
        if (range.bit(model.isRep0Long, (model.state << 4) | positionState) === 0) {
          if (!window.reaches(model.rep0)) throw new FormatError("Compressed data is corrupt");
          model.state = model.state < 7 ? 9 : 11;
          window.put(window.back(model.rep0));
          continue;
        }
      } else decodeRepeated(range, model);
      length = range.length(model.repLength, positionState);
      model.state = model.state < 7 ? 8 : 11;
    }
    length += 2;
    if (!window.reaches(model.rep0) || window.position + length > end) {
      throw new FormatError("Compressed data is corrupt");
    }
    window.copy(model.rep0, length);
  }
  return false;
}

function decodeRepeated(range: RangeDecoder, model: Model): void {
  let distance: number;
  if (range.bit(model.isRepG1, model.state) === 0) distance = model.rep1;
  else {
    if (range.bit(model.isRepG2, model.state) === 0) distance = model.rep2;
    else {
      distance = model.rep3;
      model.rep3 = model.rep2;
    }
    model.rep2 = model.rep1;
  }
  model.rep1 = model.rep0;
  model.rep0 = distance;
}

function decodeLiteral(range: RangeDecoder, model: Model, window: Window): void {
  const previous = window.position > 0 ? window.back(0) : 0;
  const base = model.literalBase(window.position, previous);
  const table = model.literal;
  let symbol = 1;
  if (model.state >= 7) {
    if (!window.reaches(model.rep0)) throw new FormatError("Compressed data is corrupt");
    let match = window.back(model.rep0);
    do {
      const matchBit = (match >> 7) & 1;
      match <<= 1;
      const bit = range.bit(table, base + ((1 + matchBit) << 8) + symbol);
      symbol = (symbol << 1) | bit;
      if (matchBit !== bit) break;
    } while (symbol < 0x100);
  }
  while (symbol < 0x100) symbol = (symbol << 1) | range.bit(table, base + symbol);
  window.put(symbol & 255);
  model.state = afterLiteral[model.state]!;
}

function decodeDistance(range: RangeDecoder, model: Model, length: number): number {
  const slot = range.tree(model.posSlot[Math.min(length, 3)]!, 6);
  if (slot < 4) return slot;
  const bits = (slot >> 1) - 1;
  const base = (2 | (slot & 1)) * 2 ** bits;
  if (slot < 14) return base + range.reverseTree(model.posSpecial, base - slot, bits);
  return base + range.direct(bits - 4) * 16 + range.reverseTree(model.align, 0, 4);
}

/** Decodes LZMA2 chunks at `at`; answers where they end. */
export function decodeLzma2(
  data: Uint8Array,
  at: number,
  dictionaryBytes: number,
  use: (data: Uint8Array) => void,
): number {
  const window = new Window(limitedDictionary(dictionaryBytes), use);
  const model = new Model();
  const range = new RangeDecoder(data);
  const need = (position: number): number => {
    const byte = data[position];
    if (byte === undefined) throw new FormatError("Unexpected end of input");
    return byte;
  };
  let [needDictionary, needProperties, needState] = [true, true, true];
  for (;;) {
    const control = need(at++);
    if (control === 0) break;
    if (control >= 0xe0 || control === 1) {
      needDictionary = false;
      window.position = 0;
    } else if (needDictionary) throw new FormatError("Compressed data is corrupt");
    if (control < 0x80) {
      if (control > 2) throw new FormatError("Compressed data is corrupt");
      const size = ((need(at) << 8) | need(at + 1)) + 1;
      at += 2;
      for (let left = size; left > 0; left--) window.put(need(at++));
      continue;
    }
    const size = (((control & 0x1f) << 16) | (need(at) << 8) | need(at + 1)) + 1;
    const packed = ((need(at + 2) << 8) | need(at + 3)) + 1;
    at += 4;
    if (control >= 0xc0) {
      model.setProperties(need(at++));
      if (model.lc + model.lp > 4) throw new FormatError("Compressed data is corrupt");
      needProperties = false;
    } else if (needProperties) throw new FormatError("Compressed data is corrupt");
    if (control >= 0xa0) {
      model.reset();
      needState = false;
    } else if (needState) throw new FormatError("Compressed data is corrupt");
    range.start(at);
    decodeSymbols(range, model, window, size, false);
    if (range.at !== at + packed || !range.finished) {
      throw new FormatError("Compressed data is corrupt");
    }
    at += packed;
  }
  window.flush();
  return at;
}

function limitedDictionary(bytes: number): number {
  if (bytes > maxDictionaryBytes) throw new FormatError("Memory usage limit reached");
  return Math.max(bytes, 4096);
}

/** Decodes a file of the old .lzma format. */
export function decodeLzmaAlone(data: Buffer, use: (data: Uint8Array) => void): void {
  if (data.length < 13) throw new FormatError("Unexpected end of input");
  const model = new Model();
  model.setProperties(data[0]!);
  model.reset();
  const window = new Window(limitedDictionary(data.readUInt32LE(1)), use);
  const size = data.readBigUInt64LE(5);
  const range = new RangeDecoder(data);
  range.start(13);
  const unknown = size === 0xffffffffffffffffn;
  decodeSymbols(range, model, window, unknown ? Infinity : Number(size), unknown);
  window.flush();
}

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
