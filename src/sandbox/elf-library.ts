/**
 * Owns the shape of the libraries of one function that the dynamic loader runs before an engine's first instruction:
 * what an ELF file of x64 takes for that, and no more. Invariants: it names no library and no symbol. Untrusted: nothing.
 */

/** elf.h */
const EM_X86_64 = 62;
const ET_DYN = 3;
const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const PT_GNU_STACK = 0x6474_e551;
const [DT_HASH, DT_STRTAB, DT_SYMTAB, DT_RELA] = [4, 5, 6, 7];
const [DT_RELASZ, DT_RELAENT, DT_STRSZ, DT_SYMENT, DT_INIT] = [8, 9, 10, 11, 12];
const R_X86_64_RELATIVE = 8;
const READ_EXECUTE = 5;
const READ_WRITE = 6;
const ehdrBytes = 64;
const phdrBytes = 56;
const symbolBytes = 24;
const relocationBytes = 24;

const pageBytes = 0x1000;
/** Where each part lies, in the file as in memory. The loader may write to the last, so it is in a page of its own. */
const at = { symbols: 0x140, strings: 0x158, hash: 0x160, init: 0x180, dynamic: pageBytes };
/** Behind the code's page and the loader's table. */
export const dataAt = pageBytes + 0x100;
export const codeAt = at.init;

export interface LibraryParts {
  /** One function, without arguments; it lies at `codeAt`. */
  readonly code: Uint8Array;
  /** What it may read and write, at `dataAt`. */
  readonly data?: Uint8Array;
  /** Where in the data there are addresses, counted from the library's beginning: the loader makes them real. */
  readonly addressesAt?: readonly number[];
}

function headers(file: Buffer, writtenBytes: number): void {
  const word = (offset: number, value: number): unknown =>
    file.writeBigUInt64LE(BigInt(value), offset);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  file.writeUInt16LE(ET_DYN, 16);
  file.writeUInt16LE(EM_X86_64, 18);
  file.writeUInt32LE(1, 20);
  word(32, ehdrBytes);
  file.writeUInt16LE(ehdrBytes, 52);
  file.writeUInt16LE(phdrBytes, 54);
  const written = { flags: READ_WRITE, offset: at.dynamic, bytes: writtenBytes };
  const segments = [
    { type: PT_LOAD, flags: READ_EXECUTE, offset: 0, bytes: pageBytes, align: pageBytes },
    { type: PT_LOAD, ...written, align: pageBytes },
    { type: PT_DYNAMIC, ...written, align: 8 },
    // Without it the loader would make every stack executable.
    { type: PT_GNU_STACK, flags: READ_WRITE, offset: 0, bytes: 0, align: 16 },
  ];
  file.writeUInt16LE(segments.length, 56);
  segments.forEach(({ type, flags, offset, bytes, align }, i) => {
    const header = ehdrBytes + i * phdrBytes;
    file.writeUInt32LE(type, header);
    file.writeUInt32LE(flags, header + 4);
    for (const field of [8, 16, 24]) word(header + field, offset);
    for (const field of [32, 40]) word(header + field, bytes);
    word(header + 48, align);
  });
  // No symbol but the one that is none: one bucket, a chain of one.
  file.writeUInt32LE(1, at.hash);
  file.writeUInt32LE(1, at.hash + 4);
}

/** The library as a file. */
export function elfLibrary({ code, data, addressesAt = [] }: LibraryParts): Buffer {
  if (at.init + code.length > pageBytes) throw new RangeError("a function of more than a page");
  const relocationsAt = dataAt + (((data?.length ?? 0) + 7) & ~7);
  const end = relocationsAt + addressesAt.length * relocationBytes;
  const file = Buffer.alloc(end);
  const word = (offset: number, value: number | bigint): unknown =>
    file.writeBigUInt64LE(BigInt(value), offset);
  headers(file, end - at.dynamic);
  file.set(code, at.init);
  if (data !== undefined) file.set(data, dataAt);
  addressesAt.forEach((offset, i) => {
    const relocation = relocationsAt + i * relocationBytes;
    word(relocation, dataAt + offset);
    word(relocation + 8, R_X86_64_RELATIVE);
    word(relocation + 16, file.readBigUInt64LE(dataAt + offset));
  });
  const entries = [
    [DT_HASH, at.hash],
    [DT_STRTAB, at.strings],
    [DT_SYMTAB, at.symbols],
    [DT_STRSZ, 1],
    [DT_SYMENT, symbolBytes],
    [DT_INIT, at.init],
    ...(addressesAt.length === 0
      ? []
      : [
          [DT_RELA, relocationsAt],
          [DT_RELASZ, addressesAt.length * relocationBytes],
          [DT_RELAENT, relocationBytes],
        ]),
  ];
  entries.forEach(([tag, value], i) => {
    word(at.dynamic + 16 * i, tag!);
    word(at.dynamic + 16 * i + 8, value!);
  });
  return file;
}
