/**
 * Owns the table of compressed formats beside gzip. A codec takes and answers whole files in memory: a guest's
 * memory is its limit, and what is decoded is handed on in pieces.
 */
import * as zlib from "node:zlib";
import { decodeBzip2 } from "./bzip2-decoder.js";
import { encodeBzip2 } from "./bzip2-encoder.js";
import { isBzip2 } from "./bzip2-format.js";
import { FormatError } from "./format-error.js";
import { decodeXz, encodeXz, isXz } from "./xz.js";

export { FormatError } from "./format-error.js";

export interface Codec {
  name: "xz" | "bzip2" | "zstd";
  levels: { lowest: number; highest: number; usual: number };
  matches(data: Uint8Array): boolean;
  decode(data: Buffer, use: (data: Uint8Array) => void): void;
  encode(data: Buffer, level: number): Buffer;
}

/** The engine has them; the types of the oldest host do not. */
const zstd = zlib as unknown as {
  zstdCompressSync(data: Uint8Array, options: { params: Record<number, number> }): Buffer;
  zstdDecompressSync(data: Uint8Array): Buffer;
  constants: { ZSTD_c_compressionLevel: number; ZSTD_c_checksumFlag: number };
};

export const codecs: Record<Codec["name"], Codec> = {
  xz: {
    name: "xz",
    levels: { lowest: 0, highest: 9, usual: 6 },
    matches: isXz,
    decode: decodeXz,
    encode: encodeXz,
  },
  bzip2: {
    name: "bzip2",
    levels: { lowest: 1, highest: 9, usual: 9 },
    matches: isBzip2,
    decode: decodeBzip2,
    encode: encodeBzip2,
  },
  zstd: {
    name: "zstd",
    levels: { lowest: 1, highest: 19, usual: 3 },
    matches: (data) => data[0] === 0x28 && data[1] === 0xb5 && data[2] === 0x2f && data[3] === 0xfd,
    decode(data, use) {
      if (!this.matches(data)) throw new FormatError("unsupported format");
      try {
        use(zstd.zstdDecompressSync(data));
      } catch (error) {
        throw new FormatError(`Decoding error (36) : ${(error as Error).message}`);
      }
    },
    encode(data, level) {
      const { ZSTD_c_compressionLevel, ZSTD_c_checksumFlag } = zstd.constants;
      return zstd.zstdCompressSync(data, {
        params: { [ZSTD_c_compressionLevel]: level, [ZSTD_c_checksumFlag]: 1 },
      });
    },
  },
};
