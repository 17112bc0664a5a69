/**
 * Owns the zip format: the central directory, entries stored or deflated, zip64. An archive is hostile: sizes and
 * offsets are checked against the file, and a fault is a FormatError.
 */
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { crc32 } from "./checks.js";
import { FormatError } from "./format-error.js";

export interface ZipEntry {
  name: string;
  /** 0 stored, 8 deflated. */
  method: number;
  crc: number;
  packedSize: number;
  size: number;
  /** Of the local header. */
  offset: number;
  encrypted: boolean;
  /** In local time, as the format keeps it. */
  modified: Date;
  /** Mode of Unix, or undefined when the archive was made elsewhere. */
  mode: number | undefined;
  comment: string;
}

const localMagic = 0x04034b50;
const centralMagic = 0x02014b50;
const endMagic = 0x06054b50;
const end64Magic = 0x06064b50;
const end64LocatorMagic = 0x07064b50;
const maxCommentBytes = 65535;
const full32 = 0xffffffff;

function corrupt(): FormatError {
  return new FormatError("invalid zip file");
}

/** Where the list of entries is. */
function findEnd(data: Buffer): { count: number; offset: number } {
  const lowest = Math.max(0, data.length - 22 - maxCommentBytes);
  for (let at = data.length - 22; at >= lowest; at--) {
    if (data.readUInt32LE(at) !== endMagic) continue;
    const count = data.readUInt16LE(at + 10);
    const offset = data.readUInt32LE(at + 16);
    const locator = at - 20;
    if ((count === 0xffff || offset === full32) && locator >= 0) {
      if (data.readUInt32LE(locator) !== end64LocatorMagic) return { count, offset };
      const end64 = Number(data.readBigUInt64LE(locator + 8));
      if (!(end64 + 56 <= data.length) || data.readUInt32LE(end64) !== end64Magic) throw corrupt();
      return {
        count: Number(data.readBigUInt64LE(end64 + 32)),
        offset: Number(data.readBigUInt64LE(end64 + 48)),
      };
    }
    return { count, offset };
  }
  throw new FormatError("End-of-central-directory signature not found");
}

export function readDirectory(data: Buffer): ZipEntry[] {
  if (data.length < 22) throw new FormatError("End-of-central-directory signature not found");
  const { count, offset } = findEnd(data);
  const entries: ZipEntry[] = [];
  let at = offset;
  for (let index = 0; index < count; index++) {
    if (!(at + 46 <= data.length) || data.readUInt32LE(at) !== centralMagic) throw corrupt();
    const nameBytes = data.readUInt16LE(at + 28);
    const extraBytes = data.readUInt16LE(at + 30);
    const commentBytes = data.readUInt16LE(at + 32);
    const end = at + 46 + nameBytes + extraBytes + commentBytes;
    if (end > data.length) throw corrupt();
    const madeBy = data.readUInt16LE(at + 4) >> 8;
    const nameEnd = at + 46 + nameBytes;
    const entry: ZipEntry = {
      name: data.toString("utf8", at + 46, nameEnd),
      method: data.readUInt16LE(at + 10),
      crc: data.readUInt32LE(at + 16),
      packedSize: data.readUInt32LE(at + 20),
      size: data.readUInt32LE(at + 24),
      offset: data.readUInt32LE(at + 42),
      encrypted: (data.readUInt16LE(at + 8) & 1) !== 0,
      modified: fromDosTime(data.readUInt16LE(at + 14), data.readUInt16LE(at + 12)),
      mode: madeBy === 3 ? data.readUInt32LE(at + 38) >>> 16 : undefined,
      comment: data.toString("utf8", nameEnd + extraBytes, end),
    };
    readExtra(data.subarray(nameEnd, nameEnd + extraBytes), entry);
    entries.push(entry);
    at = end;
  }
  return entries;
}

/** Sizes of zip64 and the time of Unix. */
function readExtra(extra: Buffer, entry: ZipEntry): void {
  for (let at = 0; at + 4 <= extra.length;) {
    const id = extra.readUInt16LE(at);
    const field = extra.subarray(at + 4, at + 4 + extra.readUInt16LE(at + 2));
    at += 4 + extra.readUInt16LE(at + 2);
    if (id === 0x5455 && field.length >= 5 && field[0]! & 1) {
      entry.modified = new Date(field.readInt32LE(1) * 1000);
    } else if (id === 1) {
      let next = 0;
      const wide = () => {
        if (next + 8 > field.length) throw corrupt();
        next += 8;
        return Number(field.readBigUInt64LE(next - 8));
      };
      if (entry.size === full32) entry.size = wide();
      if (entry.packedSize === full32) entry.packedSize = wide();
      if (entry.offset === full32) entry.offset = wide();
    }
  }
}

/** What an entry holds, decompressed and checked. */
export function contentOf(data: Buffer, entry: ZipEntry): Buffer {
  const { offset } = entry;
  if (!(offset + 30 <= data.length) || data.readUInt32LE(offset) !== localMagic) throw corrupt();
  if (entry.encrypted) throw new FormatError("encrypted entries are not supported");
  const start = offset + 30 + data.readUInt16LE(offset + 26) + data.readUInt16LE(offset + 28);
  const packed = data.subarray(start, start + entry.packedSize);
  if (packed.length !== entry.packedSize) throw corrupt();
  let content: Buffer;
  if (entry.method === 0) content = packed;
  else if (entry.method === 8) {
    try {
      // More than the directory says is an attempt to fill the memory.
      content = inflateRawSync(packed, { maxOutputLength: Math.max(entry.size, 1) });
    } catch {
      throw new FormatError("invalid compressed data to inflate");
    }
  } else throw new FormatError(`unsupported compression method ${entry.method}`);
  if (content.length !== entry.size || crc32(content) !== entry.crc) {
    throw new FormatError(`bad CRC ${hex(crc32(content))}  (should be ${hex(entry.crc)})`);
  }
  return content;
}

function hex(value: number): string {
  return value.toString(16).padStart(8, "0");
}

function fromDosTime(date: number, time: number): Date {
  return new Date(
    1980 + (date >> 9),
    ((date >> 5) & 15) - 1,
    date & 31,
    time >> 11,
    (time >> 5) & 63,
    (time & 31) * 2,
  );
}

function dosTime(when: Date): { date: number; time: number } {
  const year = Math.min(Math.max(when.getFullYear(), 1980), 2107);
  return {
    date: ((year - 1980) << 9) | ((when.getMonth() + 1) << 5) | when.getDate(),
    time: (when.getHours() << 11) | (when.getMinutes() << 5) | (when.getSeconds() >> 1),
  };
}

export interface NewEntry {
  name: string;
  content: Buffer;
  mode: number;
  modified: Date;
  level: number;
}

/** A whole archive. Entries that do not get smaller are stored. Beyond 4 GiB is not written. */
export class ZipWriter {
  readonly #parts: Buffer[] = [];
  readonly #directory: Buffer[] = [];
  #offset = 0;

  /** Answers the method and the packed size. */
  add(entry: NewEntry): { method: number; packedSize: number } {
    const { content } = entry;
    const deflated =
      entry.level > 0 && content.length > 0
        ? deflateRawSync(content, { level: entry.level })
        : content;
    const smaller = deflated.length < content.length;
    const packed = smaller ? deflated : content;
    this.#put(
      {
        name: entry.name,
        method: smaller ? 8 : 0,
        crc: crc32(content),
        packedSize: packed.length,
        size: content.length,
        offset: this.#offset,
        encrypted: false,
        modified: entry.modified,
        mode: entry.mode,
        comment: "",
      },
      packed,
    );
    return { method: smaller ? 8 : 0, packedSize: packed.length };
  }

  /** An entry of another archive, as it is. */
  copy(data: Buffer, entry: ZipEntry): void {
    const start =
      entry.offset +
      30 +
      data.readUInt16LE(entry.offset + 26) +
      data.readUInt16LE(entry.offset + 28);
    this.#put({ ...entry, offset: this.#offset }, data.subarray(start, start + entry.packedSize));
  }

  #put(entry: ZipEntry, packed: Buffer): void {
    if (this.#offset + packed.length > full32) throw new FormatError("archive is too large");
    const name = Buffer.from(entry.name, "utf8");
    const { date, time } = dosTime(entry.modified);
    const stamp = Buffer.alloc(9);
    stamp.writeUInt16LE(0x5455, 0);
    stamp.writeUInt16LE(5, 2);
    stamp[4] = 1;
    stamp.writeInt32LE(Math.floor(entry.modified.getTime() / 1000), 5);
    const shared = Buffer.alloc(26);
    shared.writeUInt16LE(entry.method === 8 ? 20 : 10, 0);
    // Names are UTF-8.
    shared.writeUInt16LE(/^[ -~]*$/.test(entry.name) ? 0 : 0x800, 2);
    shared.writeUInt16LE(entry.method, 4);
    shared.writeUInt16LE(time, 6);
    shared.writeUInt16LE(date, 8);
    shared.writeUInt32LE(entry.crc, 10);
    shared.writeUInt32LE(entry.packedSize, 14);
    shared.writeUInt32LE(entry.size, 18);
    shared.writeUInt16LE(name.length, 22);
    shared.writeUInt16LE(stamp.length, 24);
    const local = Buffer.alloc(4);
    local.writeUInt32LE(localMagic);
    this.#parts.push(local, shared, name, stamp, packed);
    const head = Buffer.alloc(6);
    head.writeUInt32LE(centralMagic);
    // Made on Unix, by version 3.0 of the format.
    head.writeUInt16LE((3 << 8) | 30, 4);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(((entry.mode ?? 0o100644) << 16) >>> 0, 6);
    tail.writeUInt32LE(entry.offset, 10);
    this.#directory.push(head, shared, tail, name, stamp);
    this.#offset += 30 + name.length + stamp.length + packed.length;
    this.#count++;
  }

  #count = 0;

  finish(): Buffer {
    const directory = Buffer.concat(this.#directory);
    const end = Buffer.alloc(22);
    end.writeUInt32LE(endMagic, 0);
    end.writeUInt16LE(Math.min(this.#count, 0xffff), 8);
    end.writeUInt16LE(Math.min(this.#count, 0xffff), 10);
    end.writeUInt32LE(directory.length, 12);
    end.writeUInt32LE(this.#offset, 16);
    if (this.#count > 0xfffe) throw new FormatError("too many entries");
    return Buffer.concat([...this.#parts, directory, end]);
  }
}
