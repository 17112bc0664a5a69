/**
 * Character devices of the memory driver: null, zero, full, random, urandom.
 *
 * Owns: what reading and writing them does. They keep no state.
 * Untrusted: buffers are guest-sized; a transfer is capped as Linux caps it.
 */
import { randomFillSync } from "node:crypto";
import { Errno, type Failure } from "../../abi/errno.js";
import { S_IFCHR } from "../../abi/fcntl.js";
import { Inode, type InodeAttributes } from "./inode.js";

const MAJOR = 1;
const minors = { null: 3, zero: 5, full: 7, random: 8, urandom: 9 } as const;
export type DeviceName = keyof typeof minors;
export const deviceNames = Object.keys(minors) as DeviceName[];

/** MAX_RW_COUNT of Linux. */
const TRANSFER_BYTES = 0x7fff_f000;

export class CharacterDevice extends Inode {
  readonly device: DeviceName;

  constructor(attributes: InodeAttributes, device: DeviceName) {
    super(S_IFCHR, attributes);
    this.device = device;
  }

  get size(): number {
    return 0;
  }

  override get rdev(): number {
    return (MAJOR << 8) | minors[this.device];
  }

  read(target: Uint8Array): number {
    if (this.device === "null") return 0;
    const part = target.subarray(0, TRANSFER_BYTES);
    if (this.device === "zero" || this.device === "full") part.fill(0);
    else randomFillSync(part);
    return part.length;
  }

  write(source: Uint8Array): number | Failure {
    if (this.device === "full" && source.length > 0) return -Errno.ENOSPC;
    return Math.min(source.length, TRANSFER_BYTES);
  }
}
