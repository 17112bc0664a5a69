/** Owns the check sums that archive formats carry: CRC-32 (zip, xz), CRC-64 (xz) and bzip2's CRC-32. */
import * as zlib from "node:zlib";

/** The engine has it; the types of the oldest host do not. */
const { crc32: engineCrc32 } = zlib as unknown as {
  crc32(data: Uint8Array, value?: number): number;
};

export function crc32(data: Uint8Array, before = 0): number {
  return engineCrc32(data, before);
}

/** ECMA-182, reflected, as two halves: [low, high] for each byte. */
let crc64Table: Uint32Array | undefined;

function tableOfCrc64(): Uint32Array {
  const table = new Uint32Array(512);
  for (let byte = 0; byte < 256; byte++) {
    let [low, high] = [byte, 0];
    for (let bit = 0; bit < 8; bit++) {
      const carry = low & 1;
      low = ((low >>> 1) | (high << 31)) >>> 0;
      high >>>= 1;
      if (carry) {
        low = (low ^ 0xd7870f42) >>> 0;
        high = (high ^ 0xc96c5795) >>> 0;
      }
    }
    table[2 * byte] = low;
    table[2 * byte + 1] = high;
  }
  return table;
}

export class Crc64 {
  #low = 0xffffffff;
  #high = 0xffffffff;

  add(data: Uint8Array): this {
    const table = (crc64Table ??= tableOfCrc64());
    let [low, high] = [this.#low, this.#high];
    for (const byte of data) {
      const at = 2 * ((low ^ byte) & 255);
      low = (((low >>> 8) | (high << 24)) ^ table[at]!) >>> 0;
      high = ((high >>> 8) ^ table[at + 1]!) >>> 0;
    }
    this.#low = low;
    this.#high = high;
    return this;
  }

  /** Eight bytes, the lowest first. */
  digest(): Buffer {
    const result = Buffer.alloc(8);
    result.writeUInt32LE(~this.#low >>> 0, 0);
    result.writeUInt32LE(~this.#high >>> 0, 4);
    return result;
  }
}

let bzipTable: Int32Array | undefined;

/** CRC-32 with the highest bit first. `value` is what it has come to so far, uninverted. */
export function bzipCrc(data: Uint8Array, value = -1): number {
  bzipTable ??= Int32Array.from({ length: 256 }, (_, byte) => {
    let crc = byte << 24;
    for (let bit = 0; bit < 8; bit++) crc = crc < 0 ? (crc << 1) ^ 0x04c11db7 : crc << 1;
    return crc;
  });
  let crc = value;
  for (const byte of data) crc = (crc << 8) ^ bzipTable[((crc >>> 24) ^ byte) & 255]!;
  return crc;
}
