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
import { elfLibrary } from "./elf-library.js";
import { addressOf, cString, close, syscall, write } from "./libc.js";

/** An engine elsewhere starts without: nobody has run such code on arm64 yet. */
const SYS_MEMFD_CREATE: Readonly<Record<string, number>> = { x64: 319 };
const SYS_FCNTL = 72;
/**
 * include/uapi/linux/memfd.h, fcntl.h: nobody who has the descriptor can write to it or change its seals. MFD_CLOEXEC
 * and MFD_ALLOW_SEALING, F_ADD_SEALS, every seal.
 */
export const sealing = Object.freeze({ flags: 3, command: 1033, seals: 0xf } as const);

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

/** The library as a file. */
export function earlyReservation(): Buffer {
  return elfLibrary({ code: Buffer.from(code.flat()) });
}

/** A descriptor of the library, for a process to come; -errno where there can be none. */
export function openReservation(): number {
  const number = SYS_MEMFD_CREATE[process.arch];
  if (number === undefined) return -Errno.ENOSYS;
  const name = cString("secure-exec");
  const fd = syscall(number, addressOf(name), sealing.flags);
  if (fd < 0) return fd;
  const file = earlyReservation();
  const written = write(fd, file, 0, file.length) === file.length;
  if (written && syscall(SYS_FCNTL, fd, sealing.command, sealing.seals) === 0) return fd;
  close(fd);
  return -Errno.EIO;
}
