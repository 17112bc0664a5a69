/** Owns the .xz container: streams, blocks, indexes and their checks. What is read is hostile. */
import { createHash } from "node:crypto";
import { crc32, Crc64 } from "./checks.js";
import { FormatError } from "./format-error.js";
import { decodeLzma2, decodeLzmaAlone } from "./lzma-decoder.js";
import { encodeLzma2 } from "./lzma-encoder.js";

const magic = Buffer.from("fd377a585a00", "hex");
const footerMagic = Buffer.from("YZ");
const lzma2 = 0x21;
const checkSizes = [0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64];
const crc32Check = 1;
const crc64Check = 4;
const sha256Check = 10;

const corrupt = () => new FormatError("Compressed data is corrupt");

export function isXz(data: Uint8Array): boolean {
  return data.length >= 6 && magic.equals(data.subarray(0, 6));
}

class Reader {
  at = 0;
  constructor(readonly data: Buffer) {}

  byte(): number {
    const byte = this.data[this.at++];
    if (byte === undefined) throw new FormatError("Unexpected end of input");
    return byte;
  }

  take(count: number): Buffer {
    if (this.at + count > this.data.length) throw new FormatError("Unexpected end of input");
    this.at += count;
    return this.data.subarray(this.at - count, this.at);
  }

  /** Seven bits a byte, the lowest first; exact up to 2^53. */
  number(): number {
    let value = 0;
    for (let shift = 0; shift < 63; shift += 7) {
      const byte = this.byte();
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
    throw corrupt();
  }
}

/** All streams of the file one after the other. */
export function decodeXz(data: Buffer, use: (data: Uint8Array) => void): void {
  if (!isXz(data)) {
    const looksAlone = data.length >= 13 && data[0]! < 225 && data[1] === 0 && data[2] === 0;
    if (looksAlone) return decodeLzmaAlone(data, use);
    throw new FormatError(
      data.length === 0 ? "Unexpected end of input" : "File format not recognized",
    );
  }
  const reader = new Reader(data);
  while (reader.at < data.length) {
    decodeStream(reader, use);
    const padding = reader.at;
    while (data[reader.at] === 0) reader.at++;
    if ((reader.at - padding) % 4 !== 0) throw corrupt();
  }
}

function decodeStream(reader: Reader, use: (data: Uint8Array) => void): void {
  if (!reader.take(6).equals(magic)) throw corrupt();
  const flags = reader.take(2);
  if (reader.take(4).readUInt32LE() !== crc32(flags)) throw corrupt();
  if (flags[0] !== 0 || flags[1]! > 15) throw new FormatError("Unsupported options");
  const check = flags[1]!;
  const records: [unpadded: number, size: number][] = [];
  while (reader.data[reader.at] !== 0) records.push(decodeBlock(reader, check, use));
  const start = reader.at;
  reader.byte();
  if (reader.number() !== records.length) throw corrupt();
  for (const [unpadded, size] of records) {
    if (reader.number() !== unpadded || reader.number() !== size) throw corrupt();
  }
  while ((reader.at - start) % 4 !== 0) if (reader.byte() !== 0) throw corrupt();
  const index = reader.data.subarray(start, reader.at);
  if (reader.take(4).readUInt32LE() !== crc32(index)) throw corrupt();
  const footer = reader.take(12);
  const backward = (footer.readUInt32LE(4) + 1) * 4;
  const good =
    footer.readUInt32LE(0) === crc32(footer.subarray(4, 10)) &&
    backward === index.length + 4 &&
    footer.subarray(8, 10).equals(flags) &&
    footer.subarray(10).equals(footerMagic);
  if (!good) throw corrupt();
}

function decodeBlock(
  reader: Reader,
  check: number,
  use: (data: Uint8Array) => void,
): [unpadded: number, size: number] {
  const start = reader.at;
  const headerBytes = (reader.byte() + 1) * 4;
  reader.at = start;
  const header = new Reader(reader.take(headerBytes));
  const crcAt = headerBytes - 4;
  if (header.data.readUInt32LE(crcAt) !== crc32(header.data.subarray(0, crcAt))) throw corrupt();
  header.at = 1;
  const flags = header.byte();
  const packedSize = flags & 0x40 ? header.number() : undefined;
  const wholeSize = flags & 0x80 ? header.number() : undefined;
  // Filters for machine code and the like come before LZMA2; nobody packs text or tar files with them.
  if ((flags & 0x3f) !== 0) throw new FormatError("Unsupported options");
  if (header.number() !== lzma2 || header.number() !== 1)
    throw new FormatError("Unsupported options");
  const bits = header.byte();
  if (bits > 40) throw new FormatError("Unsupported options");
  const dictionary = bits === 40 ? 2 ** 32 : (2 | (bits & 1)) * 2 ** (Math.floor(bits / 2) + 11);
  const content = new Content(check, use);
  const packedAt = reader.at;
  reader.at = decodeLzma2(reader.data, packedAt, dictionary, (data) => content.add(data));
  const packed = reader.at - packedAt;
  if (packedSize !== undefined && packedSize !== packed) throw corrupt();
  if (wholeSize !== undefined && wholeSize !== content.size) throw corrupt();
  while ((reader.at - packedAt) % 4 !== 0) if (reader.byte() !== 0) throw corrupt();
  const checkBytes = checkSizes[check]!;
  content.verify(reader.take(checkBytes));
  return [headerBytes + packed + checkBytes, content.size];
}

/** What a block holds, on its way out: counted, and checked at its end. */
class Content {
  size = 0;
  #crc = 0;
  readonly #crc64 = new Crc64();
  readonly #hash = createHash("sha256");

  constructor(
    private readonly check: number,
    private readonly use: (data: Uint8Array) => void,
  ) {}

  add(data: Uint8Array): void {
    this.size += data.length;
    if (this.check === crc32Check) this.#crc = crc32(data, this.#crc);
    else if (this.check === crc64Check) this.#crc64.add(data);
    else if (this.check === sha256Check) this.#hash.update(data);
    this.use(data);
  }

  verify(expected: Buffer): void {
    const { check } = this;
    const good =
      check === crc32Check
        ? expected.readUInt32LE() === this.#crc
        : check === crc64Check
          ? expected.equals(this.#crc64.digest())
          : check === sha256Check
            ? expected.equals(this.#hash.digest())
            : true;
    if (!good) throw corrupt();
  }
}

function numberBytes(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return [...bytes, rest];
}

function withCrc(data: Buffer): Buffer {
  const crc = Buffer.alloc(4);
  crc.writeUInt32LE(crc32(data));
  return Buffer.concat([data, crc]);
}

/** A stream of one block, with CRC-64 as xz writes it. Levels 0 to 9 try harder and see further. */
export function encodeXz(data: Buffer, level: number): Buffer {
  const flags = Buffer.of(0, crc64Check);
  const parts = [magic, withCrc(flags)];
  const index: number[] = [0];
  if (data.length === 0) index.push(0);
  else {
    // 256 KiB at level 0, 8 MiB at 6 and 64 MiB at 9.
    const bits = [12, 16, 18, 20, 20, 22, 22, 24, 26, 28][level]!;
    const dictionary = 2 ** (bits / 2 + 12);
    const depth = [4, 8, 12, 16, 24, 32, 48, 64, 96, 128][level]!;
    const header = withCrc(Buffer.of(2, 0, lzma2, 1, bits, 0, 0, 0));
    const packed = encodeLzma2(data, depth, dictionary);
    const padding = Buffer.alloc((4 - (packed.length % 4)) % 4);
    parts.push(header, packed, padding, new Crc64().add(data).digest());
    index.push(1, ...numberBytes(header.length + packed.length + 8), ...numberBytes(data.length));
  }
  while (index.length % 4 !== 0) index.push(0);
  const indexed = withCrc(Buffer.from(index));
  const tail = Buffer.alloc(6);
  tail.writeUInt32LE(indexed.length / 4 - 1);
  flags.copy(tail, 4);
  const crc = Buffer.alloc(4);
  crc.writeUInt32LE(crc32(tail));
  return Buffer.concat([...parts, indexed, crc, tail, footerMagic]);
}
