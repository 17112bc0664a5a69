/**
 * Owns the files of the compile cache: their names, their layout, and when one is believed.
 * They are files of the machine, read and written as the process may. Layout and checks are
 * those of src/compile_cache.cc, so that a cache made by this version of Node serves here,
 * and the other way round.
 *
 * Untrusted: every byte of a file. It is used as plain Node uses it: after its magic number, its
 * sizes, the hash of the source and that of its own content agree; then V8 judges it.
 */
import { O_CREAT, O_EXCL, O_RDONLY, O_RDWR } from "../../abi/fcntl.js";
import type { EngineTools } from "../environment.js";
import type { EngineModule } from "../engine-types.js";

export const cachedCode = { commonJs: 0, esm: 1, strippedTypeScript: 2 } as const;
export type CachedCode = (typeof cachedCode)[keyof typeof cachedCode];
const typeNames = ["CommonJS", "ESM", "StrippedTypeScript"] as const;

/** kCacheMagicNumber of src/compile_cache.cc. */
const magicNumber = 0x8adfdbb2;
/** Magic number, size of the source, size of the content, hash of the source, hash of the content. */
const headerCount = 5;
const headerBytes = headerCount * 4;

/** As mkstemp(3) opens. */
const createFlags = O_RDWR | O_CREAT | O_EXCL;
const createMode = 0o600;
/** Names tried for a new file before it is given up. */
const mostAttempts = 100;
/** How many digits mkstemp(3) puts for its X. */
const suffixDigits = 6;
/** Of the array that fstat fills. */
const sizeSlot = 8;

export interface Entry {
  type: CachedCode;
  typeName: string;
  sourceFile: string;
  cacheFile: string;
  codeHash: number;
  codeSize: number;
  /** What V8 made of the source, or the source without its types. */
  content: Uint8Array | undefined;
  refreshed: boolean;
  persisted: boolean;
}

export type Say = (text: string) => void;

export class CacheFiles {
  readonly #fs: EngineModule;
  readonly #crc32: (data: Uint8Array | string, value: number) => number;
  readonly #errors: Map<number, [name: string, message: string]>;
  readonly #say: Say;
  #attempt = 0;

  constructor(env: EngineTools, say: Say) {
    this.#fs = env.internalBinding("fs");
    this.#crc32 = env.internalBinding("zlib").crc32;
    this.#errors = env.internalBinding("uv").getErrorMap();
    this.#say = say;
  }

  hash(data: Uint8Array | string): number {
    return this.#crc32(data, 0);
  }

  /** GetCacheKey: the kind of code as one byte, then its name. */
  key(name: string, type: CachedCode): string {
    const hash = this.#crc32(name, this.#crc32(new Uint8Array([type]), 0));
    return hash.toString(16).padStart(8, "0");
  }

  entry(type: CachedCode, sourceFile: string, cacheFile: string, source: string): Entry {
    const code = Buffer.from(source, "utf8");
    return {
      type,
      typeName: typeNames[type],
      sourceFile,
      cacheFile,
      codeHash: this.hash(code),
      codeSize: code.byteLength,
      content: undefined,
      refreshed: false,
      persisted: false,
    };
  }

  /** Fills in the content of a file that can be believed. */
  read(entry: Entry): void {
    const { cacheFile, typeName, sourceFile } = entry;
    this.#say(`[compile cache] reading cache from ${cacheFile} for ${typeName} ${sourceFile}...`);
    let fd: number;
    try {
      fd = this.#fs.open(cacheFile, O_RDONLY, 0) as number;
    } catch (error) {
      return this.#say(` ${this.words(error)}\n`);
    }
    try {
      this.#readFrom(fd, entry);
    } catch (error) {
      this.#say(` ${this.words(error)}\n`);
    } finally {
      this.#fs.close(fd);
    }
  }

  #readFrom(fd: number, entry: Entry): void {
    const header = Buffer.alloc(headerBytes);
    const got = this.#fs.read(fd, header, 0, headerBytes, 0) as number;
    if (got !== headerBytes) return this.#say(`reading header failed, bytes read ${got}\n`);
    const [magic, codeSize, size, codeHash, hash] = numbers(header);
    this.#say(`[${magic} ${codeSize} ${size} ${codeHash} ${hash}]...`);
    const differs = (what: string, expected: number, actual: number): boolean => {
      if (expected === actual) return false;
      this.#say(`${what} mismatch: expected ${expected}, actual ${actual}\n`);
      return true;
    };
    if (differs("magic number", magicNumber, magic)) return;
    if (differs("code size", entry.codeSize, codeSize)) return;
    if (differs("code hash", entry.codeHash, codeHash)) return;
    // Before it is allocated: the number in the header is anybody's.
    const held = Number(this.#fs.fstat(fd, false, undefined, false)[sizeSlot]) - headerBytes;
    if (differs("cache size", size, held)) return;
    const content = Buffer.alloc(size);
    let read = 0;
    while (read < size) {
      const more = this.#fs.read(fd, content, read, size - read, headerBytes + read) as number;
      if (more === 0) break;
      read += more;
    }
    if (differs("cache size", size, read)) return;
    if (differs("cache hash", hash, this.hash(content))) return;
    entry.content = content;
    this.#say(` success, size=${size}\n`);
  }

  /** A new file takes the place of the old one at once, so that no reader finds half of one. */
  write(entry: Entry): void {
    const { content, typeName, sourceFile, cacheFile } = entry;
    if (content === undefined) return;
    this.#say(
      `[compile cache] Creating temporary file for cache of ${sourceFile} (${typeName})...`,
    );
    let created: { fd: number; path: string };
    try {
      created = this.#createBeside(cacheFile);
    } catch (error) {
      return this.#say(`failed. ${this.words(error)}\n`);
    }
    const { fd, path } = created;
    const header = [
      magicNumber,
      entry.codeSize,
      content.byteLength,
      entry.codeHash,
      this.hash(content),
    ];
    this.#say(
      ` -> ${path}\n[compile cache] writing cache for ${typeName} ${sourceFile} to temporary file ${path} [${header.join(" ")}]...`,
    );
    try {
      try {
        this.#writeAll(fd, Buffer.concat([bytes(header), content]));
      } finally {
        this.#fs.close(fd);
      }
      this.#say(`success\n[compile cache] Renaming ${path} to ${cacheFile}...`);
      this.#fs.rename(path, cacheFile);
      this.#say("success\n");
      entry.persisted = true;
    } catch (error) {
      this.#say(`failed: ${this.words(error)}\n`);
    }
  }

  /** mkstemp(3), but for the random numbers: a name that is taken is passed over. */
  #createBeside(path: string): { fd: number; path: string } {
    for (let left = mostAttempts; ; left--) {
      const suffix = (process.pid * mostAttempts + this.#attempt++).toString(36);
      const name = `${path}.${suffix.padStart(suffixDigits, "0")}`;
      try {
        return { fd: this.#fs.open(name, createFlags, createMode) as number, path: name };
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST" || left === 0) throw error;
      }
    }
  }

  #writeAll(fd: number, data: Uint8Array): void {
    for (let at = 0; at < data.byteLength;)
      at += this.#fs.writeBuffer(fd, data, at, data.byteLength - at, at) as number;
  }

  /** What uv_strerror says of it. */
  words(error: unknown): string {
    const { errno } = error as NodeJS.ErrnoException;
    return this.#errors.get(errno ?? 0)?.[1] ?? String(error);
  }
}

const numbers = (header: Buffer): [number, number, number, number, number] => [
  header.readUInt32LE(0),
  header.readUInt32LE(4),
  header.readUInt32LE(8),
  header.readUInt32LE(12),
  header.readUInt32LE(16),
];

function bytes(header: readonly number[]): Buffer {
  const result = Buffer.alloc(headerBytes);
  for (const [at, value] of header.entries()) result.writeUInt32LE(value, at * 4);
  return result;
}
