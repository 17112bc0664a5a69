/**
 * Owns what keeps V8's very first chunks together: a library of one function, written here byte by
 * byte, that the dynamic loader runs before the engine's first instruction. It sets aside the
 * addresses that V8 would ask for (see `makeHeapContiguous` in pages.ts, which does the rest later):
 * some forty chunks of the startup snapshot otherwise lie at random places of 64 TiB, and each
 * needs three page-table pages that every fork copies and every end frees.
 *
 * Invariants: the function makes two system calls and returns; the range holds no memory; a loader
 * or a Linux that refuses it leaves the engine as it would be without. Untrusted: nothing.
 */
import { Errno } from "../abi/errno.js";
import { addressOf, cString, close, syscall, write } from "./libc.js";

/** An engine elsewhere starts without: nobody has run such code on arm64 yet. */
const SYS_MEMFD_CREATE: Readonly<Record<string, number>> = { x64: 319 };
const SYS_FCNTL = 72;
/** include/uapi/linux/memfd.h, fcntl.h: nobody who has the descriptor can write to it or change its seals. */
const MFD_CLOEXEC_ALLOW_SEALING = 3;
const F_ADD_SEALS = 1033;
const EVERY_SEAL = 0xf;

/**
 * From 64 GiB and up to 2 MiB behind the end of the C heap, which grows there, to 64 TiB:
 * `mmap(…, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0)`.
 */
const code: readonly (readonly number[])[] = [
  [0x31, 0xff, 0xb8, 12, 0, 0, 0, 0x0f, 0x05], // brk(0)
  [0x48, 0xb9, 0xff, 0xff, 0x1f, 0x00, 0x10, 0, 0, 0], // rcx = 64 GiB + 2 MiB - 1
  [0x48, 0x01, 0xc8, 0x48, 0x25, 0, 0, 0xe0, 0xff], // rax = (rax + rcx) & -2 MiB
  [0x48, 0x89, 0xc7], // rdi = rax
  [0x48, 0xbe, 0, 0, 0, 0, 0, 0x40, 0, 0], // rsi = 1 << 46
  [0x48, 0x29, 0xfe], // rsi -= rdi; beyond 64 TiB a size that no Linux grants
  [0x31, 0xd2, 0x41, 0xba, 0x22, 0x40, 0x10, 0], // edx = 0, r10d = flags
  [0x49, 0xc7, 0xc0, 0xff, 0xff, 0xff, 0xff, 0x45, 0x31, 0xc9], // r8 = -1, r9d = 0
  [0xb8, 9, 0, 0, 0, 0x0f, 0x05, 0xc3], // mmap; ret
];

/** elf.h */
const EM_X86_64 = 62;
const ET_DYN = 3;
const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const PT_GNU_STACK = 0x6474_e551;
const [DT_HASH, DT_STRTAB, DT_SYMTAB, DT_STRSZ, DT_SYMENT, DT_INIT] = [4, 5, 6, 10, 11, 12];
const READ_EXECUTE = 5;
const READ_WRITE = 6;
const ehdrBytes = 64;
const phdrBytes = 56;
const symbolBytes = 24;

const pageBytes = 0x1000;
/** Where each part lies, in the file as in memory. The loader may write to the last, so it is in a page of its own. */
const at = { symbols: 0x140, strings: 0x158, hash: 0x160, init: 0x180, dynamic: pageBytes };
const dynamicBytes = 7 * 16;

/** The library as a file. */
function reservationLibrary(): Buffer {
  const file = Buffer.alloc(at.dynamic + dynamicBytes);
  const word = (offset: number, value: number): unknown =>
    file.writeBigUInt64LE(BigInt(value), offset);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  file.writeUInt16LE(ET_DYN, 16);
  file.writeUInt16LE(EM_X86_64, 18);
  file.writeUInt32LE(1, 20);
  word(32, ehdrBytes);
  file.writeUInt16LE(ehdrBytes, 52);
  file.writeUInt16LE(phdrBytes, 54);
  const segments = [
    { type: PT_LOAD, flags: READ_EXECUTE, offset: 0, bytes: pageBytes, align: pageBytes },
    {
      type: PT_LOAD,
      flags: READ_WRITE,
      offset: at.dynamic,
      bytes: dynamicBytes,
      align: pageBytes,
    },
    { type: PT_DYNAMIC, flags: READ_WRITE, offset: at.dynamic, bytes: dynamicBytes, align: 8 },
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
  file.set(code.flat(), at.init);
  const entries = [
    [DT_HASH, at.hash],
    [DT_STRTAB, at.strings],
    [DT_SYMTAB, at.symbols],
    [DT_STRSZ, 1],
    [DT_SYMENT, symbolBytes],
    [DT_INIT, at.init],
  ] as const;
  entries.forEach(([tag, value], i) => {
    word(at.dynamic + 16 * i, tag);
    word(at.dynamic + 16 * i + 8, value);
  });
  return file;
}

/** A descriptor of the library, for a process to come; -errno where there can be none. */
export function openReservation(): number {
  const number = SYS_MEMFD_CREATE[process.arch];
  if (number === undefined) return -Errno.ENOSYS;
  const name = cString("secure-exec");
  const fd = syscall(number, addressOf(name), MFD_CLOEXEC_ALLOW_SEALING);
  if (fd < 0) return fd;
  const file = reservationLibrary();
  const written = write(fd, file, 0, file.length) === file.length;
  if (written && syscall(SYS_FCNTL, fd, F_ADD_SEALS, EVERY_SEAL) === 0) return fd;
  close(fd);
  return -Errno.EIO;
}
