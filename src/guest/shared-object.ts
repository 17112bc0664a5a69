/**
 * Owns what a shared object says of itself (elf(5)): the others that it needs, where its makers expect them, and how much
 * of it is mapped first. Decides nothing: the dynamic linker reads the same bytes and has the last word.
 *
 * Untrusted: every byte. What cannot be read counts as not said.
 */
const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const DT_NULL = 0n;
const DT_NEEDED = 1n;
const DT_STRTAB = 5n;
const DT_RPATH = 15n;
const DT_RUNPATH = 29n;
const elfMagic = 0x7f45_4c46;
const ELFCLASS64 = 2;
const headerBytes = 64;
/** Where the header says how the program headers lie. */
const header = { class: 4, phoff: 32, phentsize: 54, phnum: 56 } as const;
const programHeaderBytes = 56;
const dynamicBytes = 16;
/** As the linker maps it. */
const pageBytes = 4096;

/** More of any is no shared object of anybody's. */
const most = { segments: 128, dynamicBytes: 64 * 1024, nameBytes: 4096 };

export interface SharedObject {
  /** Names of what it needs. */
  readonly needed: readonly string[];
  /** Directories, with $ORIGIN in them; DT_RPATH holds for what they need in turn, too. */
  readonly rpath: readonly string[];
  readonly runpath: readonly string[];
  /** What its first segment has of the file, in whole pages, where that can be read. */
  readonly firstBytes?: number;
}

/** Bytes of the file from a position on, fewer at its end. */
export type ReadAt = (position: number, bytes: number) => Buffer;

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly fileBytes: number;
}

function segmentsOf(read: ReadAt): Segment[] {
  const start = read(0, headerBytes);
  if (start.readUInt32BE(0) !== elfMagic || start[header.class] !== ELFCLASS64)
    throw new Error("not of this machine");
  const count = Math.min(most.segments, start.readUInt16LE(header.phnum));
  const size = start.readUInt16LE(header.phentsize);
  if (size !== programHeaderBytes) throw new Error("other program headers");
  const table = read(Number(start.readBigUInt64LE(header.phoff)), count * size);
  return Array.from({ length: count }, (_, index) => {
    const word = (at: number): number => Number(table.readBigUInt64LE(index * size + at));
    return {
      type: table.readUInt32LE(index * size),
      offset: word(8),
      address: word(16),
      fileBytes: word(32),
    };
  });
}

function describe(read: ReadAt): SharedObject {
  const segments = segmentsOf(read);
  const loaded = segments.filter(({ type }) => type === PT_LOAD);
  const offsetOf = (address: number): number => {
    const home = loaded.find(
      (one) => one.address <= address && address < one.address + one.fileBytes,
    );
    if (home === undefined) throw new Error("an address of none of its bytes");
    return address - home.address + home.offset;
  };
  const dynamic = segments.find(({ type }) => type === PT_DYNAMIC);
  const table = read(dynamic?.offset ?? 0, Math.min(most.dynamicBytes, dynamic?.fileBytes ?? 0));
  const entries: [tag: bigint, value: number][] = [];
  for (let at = 0; at + dynamicBytes <= table.length; at += dynamicBytes) {
    const tag = table.readBigInt64LE(at);
    if (tag === DT_NULL) break;
    entries.push([tag, Number(table.readBigUInt64LE(at + 8))]);
  }
  const values = (wanted: bigint): number[] =>
    entries.filter(([tag]) => tag === wanted).map(([, value]) => value);
  const [strings] = values(DT_STRTAB);
  const textAt = (at: number): string => {
    const bytes = read(offsetOf(strings ?? 0) + at, most.nameBytes);
    return bytes.toString("utf8", 0, Math.max(0, bytes.indexOf(0)));
  };
  const folders = (tag: bigint): string[] => values(tag).flatMap((at) => textAt(at).split(":"));
  const [first] = loaded;
  const end = (first?.address ?? 0) + (first?.fileBytes ?? 0);
  const begin = Math.floor((first?.address ?? 0) / pageBytes) * pageBytes;
  return {
    needed: values(DT_NEEDED).map(textAt),
    rpath: folders(DT_RPATH),
    runpath: folders(DT_RUNPATH),
    firstBytes: Math.ceil((end - begin) / pageBytes) * pageBytes,
  };
}

/** Of a file that may be anything. */
export function sharedObject(read: ReadAt): SharedObject {
  try {
    return describe(read);
  } catch {
    // It is none, or points out of itself; the linker will say so.
    return { needed: [], rpath: [], runpath: [] };
  }
}
