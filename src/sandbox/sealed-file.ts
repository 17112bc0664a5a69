/**
 * Owns files without a name that one process fills and another may only read: a descriptor that is handed out is of
 * an open file description of its own, for reading, and every seal but one is set, so that nobody who has it can
 * change the content or the seals. The one left out lets whoever filled it take the memory back.
 */
import { Errno } from "../abi/errno.js";
import * as libc from "./libc.js";

const SYS_MEMFD_CREATE = process.arch === "x64" ? 319 : 279;
const SYS_FCNTL = process.arch === "x64" ? 72 : 25;
const SYS_FTRUNCATE = process.arch === "x64" ? 77 : 46;
/**
 * include/uapi/linux/memfd.h: MFD_CLOEXEC with MFD_NOEXEC_SEAL, by which it is executable for nobody (Linux 6.3),
 * or with MFD_ALLOW_SEALING.
 */
export const memfdFlags = { notExecutable: 9, sealing: 3 } as const;
/** include/uapi/linux/fcntl.h: F_SEAL_SEAL, F_SEAL_GROW, F_SEAL_WRITE. */
const F_ADD_SEALS = 1033;
const seals = 1 | 4 | 8;

export class SealedFile {
  readonly #fd: number;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /** An empty one that can be written, or -errno. */
  static make(): SealedFile | number {
    const name = libc.cString("secure-exec");
    const make = (flags: number): number =>
      libc.syscall(SYS_MEMFD_CREATE, libc.addressOf(name), flags);
    const safest = make(memfdFlags.notExecutable);
    const fd = safest === -Errno.EINVAL ? make(memfdFlags.sealing) : safest;
    return fd < 0 ? fd : new SealedFile(fd);
  }

  /** All of `bytes` behind what is there: 0 or -errno. */
  write(bytes: Uint8Array): number {
    for (let at = 0; at < bytes.byteLength;) {
      const written = libc.write(this.#fd, bytes, at, bytes.byteLength - at);
      if (written < 0) return written;
      at += written;
    }
    return 0;
  }

  /** From now on nobody can write. A descriptor for reading, the caller's to close, or -errno. */
  seal(): number {
    const sealed = libc.syscall(SYS_FCNTL, this.#fd, F_ADD_SEALS, seals);
    return sealed < 0 ? sealed : libc.openReadOnly(`/proc/self/fd/${this.#fd}`);
  }

  /** Its memory goes back, whoever has it open. */
  close(): void {
    libc.syscall(SYS_FTRUNCATE, this.#fd, 0);
    libc.close(this.#fd);
  }
}
