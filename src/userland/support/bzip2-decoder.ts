/**
 * Owns decoding bzip2. Compressed data is hostile: counts, tables and positions are checked, a block never yields more
 * than its 900,000 bytes, and a fault is a FormatError.
 */
import { blockMagic, endMagic, groupSize, isBzip2, maxCodeBits, runB } from "./bzip2-format.js";
import { bzipCrc } from "./checks.js";
import { FormatError } from "./format-error.js";

const corrupt = () => new FormatError("data integrity (CRC) error in data");
const ended = () => new FormatError("file ends unexpectedly");

class BitReader {
  #at = 0;
  #held = 0;
  #count = 0;

  constructor(private readonly data: Uint8Array) {}

  bit(): number {
    if (this.#count === 0) {
      const byte = this.data[this.#at++];
      if (byte === undefined) throw ended();
      this.#held = byte;
      this.#count = 8;
    }
    return (this.#held >> --this.#count) & 1;
  }

  bits(count: number): number {
    let value = 0;
    let left = count;
    while (left > 0) {
      if (this.#count === 0) {
        const byte = this.data[this.#at++];
        if (byte === undefined) throw ended();
        this.#held = byte;
        this.#count = 8;
      }
      const take = Math.min(left, this.#count);
      this.#count -= take;
      value = value * 2 ** take + ((this.#held >> this.#count) & ((1 << take) - 1));
      left -= take;
    }
    return value;
  }

  align(): void {
    this.#count = 0;
  }

  get position(): number {
    return this.#at;
  }
}

/** All streams of the file; what follows the last is left alone, as bzip2 does. */
export function decodeBzip2(data: Buffer, use: (data: Uint8Array) => void): void {
  let at = 0;
  while (at < data.length) {
    const rest = data.subarray(at);
    const level = rest[3] ?? 0;
    if (!isBzip2(rest) || level < 0x31 || level > 0x39) {
      if (at === 0) throw new FormatError("(stdin) is not a bzip2 file.");
      return;
    }
    const reader = new BitReader(rest);
    reader.bits(32);
    decodeStream(reader, (level - 0x30) * 100_000, use);
    reader.align();
    at += reader.position;
  }
  if (data.length === 0) throw ended();
}

function decodeStream(
  reader: BitReader,
  blockBytes: number,
  use: (data: Uint8Array) => void,
): void {
  let whole = 0;
  const counts = new Int32Array(blockBytes);
  for (;;) {
    const magic = reader.bits(48);
    const crc = reader.bits(32) | 0;
    if (magic === endMagic) {
      if (crc !== whole) throw corrupt();
      return;
    }
    if (magic !== blockMagic) throw corrupt();
    const block = decodeBlock(reader, counts);
    const value = writeRuns(block, use);
    if (~value !== crc) throw corrupt();
    whole = ((whole << 1) | (whole >>> 31)) ^ crc;
  }
}

interface Block {
  /** Low byte: the byte; above it: where the next one is. */
  links: Int32Array;
  length: number;
  start: number;
}

function decodeBlock(reader: BitReader, links: Int32Array): Block {
  if (reader.bit() === 1) throw new FormatError("randomised blocks are not supported");
  const origin = reader.bits(24);
  const used = reader.bits(16);
  const symbols: number[] = [];
  for (let row = 0; row < 16; row++) {
    if (!((used >> (15 - row)) & 1)) continue;
    const bits = reader.bits(16);
    for (let column = 0; column < 16; column++) {
      if ((bits >> (15 - column)) & 1) symbols.push(row * 16 + column);
    }
  }
  if (symbols.length === 0) throw corrupt();
  const tableCount = reader.bits(3);
  const selectorCount = reader.bits(15);
  if (tableCount < 2 || tableCount > 6 || selectorCount === 0) throw corrupt();
  const order = Array.from({ length: tableCount }, (_, index) => index);
  const selectors = new Uint8Array(selectorCount);
  for (let index = 0; index < selectorCount; index++) {
    let place = 0;
    while (reader.bit() === 1) if (++place >= tableCount) throw corrupt();
    const [table] = order.splice(place, 1);
    order.unshift(table!);
    selectors[index] = table!;
  }
  const alphabet = symbols.length + 2;
  const tables = Array.from({ length: tableCount }, () => {
    const lengths = new Uint8Array(alphabet);
    let length = reader.bits(5);
    for (let symbol = 0; symbol < alphabet; symbol++) {
      while (reader.bit() === 1) length += reader.bit() === 1 ? -1 : 1;
      if (length < 1 || length > maxCodeBits) throw corrupt();
      lengths[symbol] = length;
    }
    return new DecodingTable(lengths);
  });
  const length = decodeSymbols(reader, symbols, selectors, tables, links);
  if (origin >= length) throw corrupt();
  linkUp(links, length);
  return { links, length, start: links[origin]! >>> 8 };
}

class DecodingTable {
  readonly #limit = new Int32Array(maxCodeBits + 2).fill(-1);
  readonly #base = new Int32Array(maxCodeBits + 2);
  readonly #symbols: number[] = [];
  readonly #shortest: number;

  constructor(lengths: Uint8Array) {
    this.#shortest = Math.min(...lengths);
    let code = 0;
    for (let bits = this.#shortest; bits <= maxCodeBits; bits++) {
      this.#base[bits] = this.#symbols.length - code;
      lengths.forEach((length, symbol) => {
        if (length === bits) this.#symbols.push(symbol);
      });
      code = this.#symbols.length - this.#base[bits]!;
      this.#limit[bits] = code - 1;
      code <<= 1;
    }
  }

  next(reader: BitReader): number {
    let bits = this.#shortest;
    let code = reader.bits(bits);
    while (code > this.#limit[bits]!) {
      if (++bits > maxCodeBits) throw corrupt();
      code = (code << 1) | reader.bit();
    }
    const symbol = this.#symbols[code + this.#base[bits]!];
    if (symbol === undefined) throw corrupt();
    return symbol;
  }
}

function decodeSymbols(
  reader: BitReader,
  symbols: number[],
  selectors: Uint8Array,
  tables: DecodingTable[],
  output: Int32Array,
): number {
  const order = Uint8Array.from(symbols);
  const end = symbols.length + 1;
  let length = 0;
  let [run, weight] = [0, 1];
  for (let group = 0; ; group++) {
    if (group >= selectors.length) throw corrupt();
    const table = tables[selectors[group]!]!;
    for (let count = 0; count < groupSize; count++) {
      const symbol = table.next(reader);
      if (symbol <= runB) {
        run += weight << symbol;
        weight <<= 1;
        if (run > output.length) throw corrupt();
        continue;
      }
      if (run > 0) {
        if (length + run > output.length) throw corrupt();
        output.fill(order[0]!, length, length + run);
        length += run;
        [run, weight] = [0, 1];
      }
      if (symbol === end) return length;
      if (length >= output.length) throw corrupt();
      const place = symbol - 1;
      const byte = order[place]!;
      order.copyWithin(1, 0, place);
      order[0] = byte;
      output[length++] = byte;
    }
  }
}

/** Undoes the sorting: each place learns where the next byte is. */
function linkUp(links: Int32Array, length: number): void {
  const starts = new Int32Array(257);
  for (let at = 0; at < length; at++) starts[(links[at]! & 255) + 1]!++;
  for (let byte = 0; byte < 256; byte++) starts[byte + 1]! += starts[byte]!;
  for (let at = 0; at < length; at++) {
    const byte = links[at]! & 255;
    links[starts[byte]!++]! |= at << 8;
  }
}

/** Undoes the runs of the first stage; answers the check sum, not inverted. */
function writeRuns({ links, length, start }: Block, use: (data: Uint8Array) => void): number {
  const buffer = Buffer.allocUnsafe(65536 + 256);
  let [size, crc] = [0, -1];
  let [place, previous, same] = [start, -1, 0];
  for (let at = 0; at < length; at++) {
    const entry = links[place]!;
    const byte = entry & 255;
    place = entry >>> 8;
    if (same === 4) {
      buffer.fill(previous, size, size + byte);
      size += byte;
      same = 0;
      previous = -1;
    } else {
      same = byte === previous ? same + 1 : 1;
      previous = byte;
      buffer[size++] = byte;
    }
    if (size >= 65536) {
      crc = bzipCrc(buffer.subarray(0, size), crc);
      use(Buffer.from(buffer.subarray(0, size)));
      size = 0;
    }
  }
  crc = bzipCrc(buffer.subarray(0, size), crc);
  use(Buffer.from(buffer.subarray(0, size)));
  return crc;
}
