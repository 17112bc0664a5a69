/**
 * Owns decoding LZMA and LZMA2. Compressed data is hostile: every distance and length is checked against what there is,
 * and a fault is a FormatError.
 */
import { FormatError } from "./format-error.js";
import { afterLiteral, bitModelTotal, type LengthModel, Model, top } from "./lzma-model.js";

/** A longer window would be memory that a guest of ordinary size does not have. */
const maxDictionaryBytes = 1 << 28;

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
