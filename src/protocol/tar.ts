/**
 * Owns tar's blocks: ustar headers with pax and GNU long names, written and read. An archive is
 * anybody's bytes: sizes and checksums are checked before they are used.
 */
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

function octal(value: number, width: number): string {
  return `${Math.max(0, Math.floor(value))
    .toString(8)
    .padStart(width - 1, "0")}\0`;
}

/** A name of up to 255 bytes is divided at a slash. */
function splitName(name: Buffer): { prefix: Buffer; rest: Buffer } | undefined {
  if (name.length <= 100) return { prefix: Buffer.alloc(0), rest: name };
  for (let at = Math.min(155, name.length - 1); at > 0; at--) {
    if (name[at] === 47 && name.length - at - 1 <= 100 && name.length - at - 1 > 0) {
      return { prefix: name.subarray(0, at), rest: name.subarray(at + 1) };
    }
  }
  return undefined;
}

/** One entry's header blocks; pax records come first when names or sizes do not fit. */
export function headerBlocks(entry: Entry): Buffer {
  const records: string[] = [];
  const name = Buffer.from(entry.name);
  const link = Buffer.from(entry.link);
  for (const [key, value] of Object.entries(entry.records ?? {}))
    records.push(paxRecord(key, value));
  const parts = splitName(name);
  if (parts === undefined) records.push(paxRecord("path", entry.name));
  if (link.length > 100) records.push(paxRecord("linkpath", entry.link));
  if (entry.size >= 8 ** 11) records.push(paxRecord("size", String(entry.size)));
  const main = header(
    entry,
    parts ?? { prefix: Buffer.alloc(0), rest: name.subarray(0, 100) },
    link.subarray(0, 100),
  );
  if (records.length === 0) return main;
  const data = Buffer.from(records.join(""));
  const extra: Entry = { ...entry, name: "PaxHeader", type: "x", size: data.length, link: "" };
  return Buffer.concat([
    header(
      extra,
      { prefix: Buffer.alloc(0), rest: Buffer.from("././@PaxHeader") },
      Buffer.alloc(0),
    ),
    padded(data),
    main,
  ]);
}

export function padded(data: Buffer): Buffer {
  const rest = data.length % blockBytes;
  return rest === 0 ? data : Buffer.concat([data, Buffer.alloc(blockBytes - rest)]);
}

function paxRecord(key: string, value: string): string {
  const body = ` ${key}=${value}\n`;
  const bytes = Buffer.byteLength(body);
  // The length counts its own digits.
  let length = bytes + String(bytes).length;
  length = bytes + String(length).length;
  return length + body;
}

function header(entry: Entry, parts: { prefix: Buffer; rest: Buffer }, link: Buffer): Buffer {
  const block = Buffer.alloc(blockBytes);
  parts.rest.copy(block, 0);
  block.write(octal(entry.mode & 0o7777, 8), 100);
  block.write(octal(Math.min(entry.uid, 0o7777777), 8), 108);
  block.write(octal(Math.min(entry.gid, 0o7777777), 8), 116);
  block.write(octal(entry.size >= 8 ** 11 ? 0 : entry.size, 12), 124);
  block.write(octal(entry.mtimeSeconds, 12), 136);
  block.write("        ", 148);
  block.write(entry.type, 156);
  link.copy(block, 157);
  block.write("ustar\x0000", 257);
  block.write(entry.user.slice(0, 31), 265);
  block.write(entry.group.slice(0, 31), 297);
  const [major, minor] = entry.device ?? [0, 0];
  block.write(octal(major, 8), 329);
  block.write(octal(minor, 8), 337);
  parts.prefix.copy(block, 345);
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}

function field(block: Buffer, start: number, length: number): string {
  const end = block.indexOf(0, start);
  return block.toString("utf8", start, end === -1 || end > start + length ? start + length : end);
}

function number(block: Buffer, start: number, length: number): number {
  // GNU's binary numbers have the top bit set.
  if (block[start]! & 0x80) {
    let value = block[start]! & 0x7f;
    for (let at = start + 1; at < start + length; at++) value = value * 256 + block[at]!;
    return value;
  }
  const text = field(block, start, length).trim();
  if (text === "") return 0;
  if (!/^[0-7]+$/.test(text)) throw new ArchiveError("This does not look like a tar archive");
  return parseInt(text, 8);
}

/** Undefined for a block of zeroes. */
export function parseHeader(block: Buffer): Entry | undefined {
  if (block.every((byte) => byte === 0)) return undefined;
  let sum = 8 * 32;
  for (let at = 0; at < blockBytes; at++) if (at < 148 || at >= 156) sum += block[at]!;
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
    const text = data.toString("utf8", space + 1, at + length - 1);
    const equals = text.indexOf("=");
    records.set(text.slice(0, equals), text.slice(equals + 1));
    at += length;
  }
  return records;
}
