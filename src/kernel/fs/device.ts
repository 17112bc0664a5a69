/**
 * Character devices: null, zero, full, random, urandom, and a tty that nobody has.
 *
 * Owns: what reading and writing them does. They keep no state.
 * Untrusted: buffers are guest-sized; a transfer is capped as Linux caps it.
 */
import { randomFillSync } from "node:crypto";
import { Errno, type Failure } from "../../abi/errno.js";
import { S_IFCHR } from "../../abi/fcntl.js";
import { Inode, type InodeAttributes } from "./inode.js";

/** Major and minor numbers. */
const numbers = {
  null: [1, 3],
  zero: [1, 5],
  full: [1, 7],
  random: [1, 8],
  urandom: [1, 9],
  tty: [5, 0],
} as const;
export type DeviceName = keyof typeof numbers;
export const deviceNames = Object.keys(numbers) as DeviceName[];

/** The one of these numbers, if there is one. */
export function deviceOf(major: number, minor: number): DeviceName | undefined {
  return deviceNames.find((name) => numbers[name][0] === major && numbers[name][1] === minor);
}

/** MAX_RW_COUNT of Linux. */
const TRANSFER_BYTES = 0x7fff_f000;

export class CharacterDevice extends Inode {
  readonly kind: DeviceName;

  constructor(attributes: InodeAttributes, device: DeviceName) {
    super(S_IFCHR, attributes);
    this.kind = device;
  }

  get size(): number {
    return 0;
  }

  override get rdev(): number {
    const [major, minor] = numbers[this.kind];
    return (major << 8) | minor;
  }

  /** Why it cannot be opened, or 0: no process here has a controlling terminal. */
  get unopenable(): 0 | Failure {
    return this.kind === "tty" ? -Errno.ENXIO : 0;
  }

  read(target: Uint8Array): number {
    if (this.kind === "null") return 0;
    const part = target.subarray(0, TRANSFER_BYTES);
    if (this.kind === "zero" || this.kind === "full") part.fill(0);
    else randomFillSync(part);
    return part.length;
  }

  write(source: Uint8Array): number | Failure {
    if (this.kind === "full" && source.length > 0) return -Errno.ENOSPC;
    return Math.min(source.length, TRANSFER_BYTES);
  }
}
