/**
 * Owns tar's blocks: ustar headers with pax and GNU long names, written and read. An archive is
 * anybody's bytes: sizes and checksums are checked before they are used.
 */
import { bufferOf, decodeText, textBytes } from "../abi/byte-text.js";

export const blockBytes = 512;

export interface Entry {
  name: string;
  mode: number;
  uid: number;
  gid: number;
  size: number;
  mtimeSeconds: number;
  type: string;
  link: string;
  user: string;
  group: string;
  /** Of a device: major and minor number. */
  device?: readonly [number, number];
  /** Further pax records, whose keys begin with the name of who understands them. */
  records?: Readonly<Record<string, string>>;
}

export class ArchiveError extends Error {}

/** A whole number in octal digits and a NUL, `width` bytes in all. */
function writeOctal(block: Buffer, value: number, at: number, width: number): void {
  let rest = Math.max(0, Math.floor(value));
  for (let digit = at + width - 2; digit >= at; digit--) {
    block[digit] = 48 + (rest % 8);
    rest = Math.floor(rest / 8);
  }
}

/** Where a name of up to 255 bytes is divided: its first part ends there, at a slash; 0 for none; undefined for never. */
function splitAt(name: Buffer): number | undefined {
  if (name.length <= 100) return 0;
  for (let at = Math.min(155, name.length - 1); at > 0; at--) {
    if (name[at] === 47 && name.length - at - 1 <= 100 && name.length - at - 1 > 0) return at;
  }
  return undefined;
}

/** One entry's header blocks; pax records come first when names or sizes do not fit. */
export function headerBlocks(entry: Entry): Buffer {
  const name = bufferOf(entry.name);
  const link = bufferOf(entry.link);
  let records = "";
  for (const [key, value] of Object.entries(entry.records ?? {})) records += paxRecord(key, value);
  const split = splitAt(name);
  if (split === undefined) records += paxRecord("path", entry.name);
  if (link.length > 100) records += paxRecord("linkpath", entry.link);
  if (entry.size >= 8 ** 11) records += paxRecord("size", String(entry.size));
  const recordText = bufferOf(records);
  const recordBytes = recordText.length;
  const extraBytes = recordBytes === 0 ? 0 : blockBytes + recordBytes + paddingOf(recordBytes);
  const blocks = Buffer.allocUnsafe(extraBytes + blockBytes).fill(0);
  if (recordBytes > 0) {
    writeHeader(blocks, entry, paxName, 0, noLink, "x", recordBytes);
    blocks.set(recordText, blockBytes);
  }
  const main = blocks.subarray(extraBytes);
  writeHeader(main, entry, name, split ?? 0, link, entry.type, entry.size);
  return blocks;
}

const paxName = Buffer.from("././@PaxHeader");
const noLink = Buffer.alloc(0);

/** How many bytes are missing to whole blocks. */
export function paddingOf(bytes: number): number {
  return (blockBytes - (bytes % blockBytes)) % blockBytes;
}

export function padded(data: Buffer): Buffer {
  const missing = paddingOf(data.length);
  return missing === 0 ? data : Buffer.concat([data, Buffer.alloc(missing)]);
}

function paxRecord(key: string, value: string): string {
  const body = ` ${key}=${value}\n`;
  const bytes = textBytes(body);
  // The length counts its own digits.
  let length = bytes + String(bytes).length;
  length = bytes + String(length).length;
  return length + body;
}

/** Into a block of zeroes. `split`: see `splitAt`. */
function writeHeader(
  block: Buffer,
  entry: Entry,
  name: Buffer,
  split: number,
  link: Buffer,
  type: string,
  size: number,
): void {
  const { mode, uid, gid, mtimeSeconds, user, group, device } = entry;
  if (split > 0) name.copy(block, 345, 0, split);
  const from = split > 0 ? split + 1 : 0;
  name.copy(block, 0, from, Math.min(name.length, from + 100));
  writeOctal(block, mode & 0o7777, 100, 8);
  writeOctal(block, Math.min(uid, 0o7777777), 108, 8);
  writeOctal(block, Math.min(gid, 0o7777777), 116, 8);
  writeOctal(block, size >= 8 ** 11 ? 0 : size, 124, 12);
  writeOctal(block, mtimeSeconds, 136, 12);
  block.fill(32, 148, 156);
  block[156] = type.charCodeAt(0);
  link.copy(block, 157, 0, 100);
  block.write("ustar\x0000", 257, "latin1");
  if (user !== "") block.write(user.slice(0, 31), 265);
  if (group !== "") block.write(group.slice(0, 31), 297);
  writeOctal(block, device?.[0] ?? 0, 329, 8);
  writeOctal(block, device?.[1] ?? 0, 337, 8);
  writeOctal(block, sumOf(block), 148, 7);
  block[154] = 0;
  block[155] = 32;
}

/** Of the bytes of a header. */
function sumOf(block: Buffer): number {
  let sum = 0;
  for (let at = 0; at < blockBytes; at++) sum += block[at]!;
  return sum;
}

function field(block: Buffer, start: number, length: number): string {
  if (block[start] === 0) return "";
  const end = block.indexOf(0, start);
  const to = end === -1 || end > start + length ? start + length : end;
  return decodeText(block.subarray(start, to));
}

function number(block: Buffer, start: number, length: number): number {
  // GNU's binary numbers have the top bit set.
  if (block[start]! & 0x80) {
    let value = block[start]! & 0x7f;
    for (let at = start + 1; at < start + length; at++) value = value * 256 + block[at]!;
    return value;
  }
  // Octal digits, with blanks around them.
  let at = start;
  const end = start + length;
  while (at < end && block[at] === 32) at++;
  let value = 0;
  for (; at < end; at++) {
    const digit = block[at]! - 48;
    if (digit < 0 || digit > 7) break;
    value = value * 8 + digit;
  }
  while (at < end && block[at] === 32) at++;
  if (at < end && block[at] !== 0) throw new ArchiveError("This does not look like a tar archive");
  return value;
}

/** Undefined for a block of zeroes. */
export function parseHeader(block: Buffer): Entry | undefined {
  if (block[0] === 0 && block.every((byte) => byte === 0)) return undefined;
  let sum = sumOf(block) + 8 * 32;
  for (let at = 148; at < 156; at++) sum -= block[at]!;
  if (number(block, 148, 8) !== sum)
    throw new ArchiveError("This does not look like a tar archive");
  const prefix = block.toString("latin1", 257, 263) === "ustar\0" ? field(block, 345, 155) : "";
  const name = field(block, 0, 100);
  const isDevice = block[156] === 51 || block[156] === 52;
  return {
    name: prefix === "" ? name : `${prefix}/${name}`,
    mode: number(block, 100, 8),
    uid: number(block, 108, 8),
    gid: number(block, 116, 8),
    size: number(block, 124, 12),
    mtimeSeconds: number(block, 136, 12),
    type: String.fromCharCode(block[156] || 48),
    link: field(block, 157, 100),
    user: field(block, 265, 32),
    group: field(block, 297, 32),
    ...(isDevice && { device: [number(block, 329, 8), number(block, 337, 8)] }),
  };
}

export function parsePax(data: Buffer): Map<string, string> {
  const records = new Map<string, string>();
  for (let at = 0; at < data.length;) {
    const space = data.indexOf(32, at);
    const length = space === -1 ? NaN : Number(data.toString("latin1", at, space));
    if (!Number.isInteger(length) || length <= space - at || at + length > data.length) break;
    const text = decodeText(data.subarray(space + 1, at + length - 1));
    const equals = text.indexOf("=");
    records.set(text.slice(0, equals), text.slice(equals + 1));
    at += length;
  }
  return records;
}
