/**
 * Owns the question "where in the engine's code is a function that it does not export?".
 * Read once from the symbol table of the binary that the kernel process itself runs, on
 * the first question; the table is public and holds nothing of a guest or the host.
 *
 * Untrusted: nothing. A binary without symbols answers undefined.
 */
import { closeSync, openSync, readSync } from "node:fs";

/** Elf64_Ehdr, Elf64_Shdr and Elf64_Sym of elf.h. */
const header = { bytes: 64, magic: 0x464c457f, sections: 0x28, entryBytes: 0x3a, entries: 0x3c };
const section = { type: 4, offset: 24, size: 32, link: 40 };
const SHT_SYMTAB = 2;
const symbolBytes = 24;
/** A larger table is none of the pinned engine's. */
const mostTableBytes = 256 * 1024 * 1024;

interface Tables {
  symbols: Buffer;
  names: Buffer;
}

let addresses: Map<string, number> | undefined;

/** Bytes from one function to another; undefined when either has no name in the binary. */
export function distance(from: string, to: string): number | undefined {
  addresses ??= readAddresses([from, to]);
  const start = addresses.get(from);
  const end = addresses.get(to);
  return start === undefined || end === undefined ? undefined : end - start;
}

/** Where the first of these that has a name in the binary is linked to. */
export function linkedAt(names: readonly string[]): number | undefined {
  const found = readAddresses(names);
  return names.map((name) => found.get(name)).find((address) => address !== undefined);
}

function readAddresses(wanted: readonly string[]): Map<string, number> {
  const found = new Map<string, number>();
  const fd = openSync(process.execPath, "r");
  try {
    const tables = readTables(fd);
    if (tables === undefined) return found;
    for (const name of wanted) {
      const at = tables.names.indexOf(`\0${name}\0`, 0, "latin1") + 1;
      const address = at === 0 ? undefined : addressOf(tables.symbols, at);
      if (address !== undefined) found.set(name, address);
    }
  } finally {
    closeSync(fd);
  }
  return found;
}

/** The value of the symbol whose name starts at `nameAt` of the string table. */
function addressOf(symbols: Buffer, nameAt: number): number | undefined {
  for (let at = 0; at + symbolBytes <= symbols.length; at += symbolBytes) {
    if (symbols.readUInt32LE(at) !== nameAt) continue;
    const value = Number(symbols.readBigUInt64LE(at + 8));
    return value === 0 ? undefined : value;
  }
  return undefined;
}

function readTables(fd: number): Tables | undefined {
  const start = readAt(fd, 0, header.bytes);
  if (start.readUInt32LE(0) !== header.magic) return undefined;
  const entryBytes = start.readUInt16LE(header.entryBytes);
  const entries = start.readUInt16LE(header.entries);
  const table = readAt(fd, Number(start.readBigUInt64LE(header.sections)), entryBytes * entries);
  const contentOf = (index: number): Buffer => {
    const at = index * entryBytes;
    const offset = Number(table.readBigUInt64LE(at + section.offset));
    return readAt(fd, offset, Number(table.readBigUInt64LE(at + section.size)));
  };
  for (let index = 0; index < entries; index++) {
    const at = index * entryBytes;
    if (table.readUInt32LE(at + section.type) !== SHT_SYMTAB) continue;
    return { symbols: contentOf(index), names: contentOf(table.readUInt32LE(at + section.link)) };
  }
  return undefined;
}

function readAt(fd: number, position: number, length: number): Buffer {
  if (!(length <= mostTableBytes)) throw new Error("the engine's symbol table is too large");
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length;) {
    const size = readSync(fd, bytes, at, length - at, position + at);
    if (size === 0) throw new Error("the engine's symbol table ends too early");
    at += size;
  }
  return bytes;
}
