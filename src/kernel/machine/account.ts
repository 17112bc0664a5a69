/**
 * Owns what one VM makes the kernel process hold, whatever system call it came by:
 * bytes of memory, objects, and descriptors of the host.
 *
 * Invariants: every `take` or `force` is matched by exactly one `give` of the same kind and
 * bytes; no sum is over its limit but by what was forced; a VM that is gone holds nothing.
 * A cost is what the thing occupies, its objects and the room kept for it included, never its
 * payload alone. Content of the VM's own files is the quota's, not counted here.
 * Untrusted: nothing; but how often, and with how many bytes, is a guest's choice.
 */
import { readFileSync } from "node:fs";
import { completeVmLimits } from "../../protocol/limits.js";
import type { VmLimits } from "../../protocol/limits.js";

interface KindSpec {
  /** Memory of one, without what is passed with each `take`: measured, and rounded up. */
  readonly bytes: number;
  /** Descriptors of the kernel process that one holds. */
  readonly hostDescriptors?: number;
}

const kinds = {
  /** A process or zombie, with its tables; bytes: arguments and environment. */
  process: { bytes: 6 * 1024 },
  /** The OS process behind one: its socket and its real stderr. */
  guest: { bytes: 8 * 1024, hostDescriptors: 2 },
  /** A thread's socket, its reader and windows. */
  thread: { bytes: 8 * 1024, hostDescriptors: 1 },
  /** The pipe that a thread prints through. */
  outputPipe: { bytes: 4 * 1024, hostDescriptors: 1 },
  /** An open file description in memory. */
  file: { bytes: 512 },
  /** One of a mount. */
  hostFile: { bytes: 1024, hostDescriptors: 1 },
  /** An open file of a provider of the host, or the bytes of one for all who have it open; bytes: read ahead. */
  provided: { bytes: 1024 },
  /** A file of /proc as it was when it was opened; bytes: its text. */
  rendered: { bytes: 512 },
  /** Both ends of a pipe, or one of two in a socket pair; bytes: the room that it always has. */
  conduit: { bytes: 2 * 1024 },
  /** What waits in pipes, sockets and stdin; bytes: room taken, not its filling. */
  buffer: { bytes: 0 },
  /** A terminal with both its sides; bytes: the input it keeps. */
  terminal: { bytes: 4 * 1024 },
  /** A descriptor on its way in a pipe. */
  passed: { bytes: 256 },
  /** A descriptor whose bytes travel as events. */
  flow: { bytes: 1024 },
  /** A write of a flow that its stream has no room for; bytes: the data. */
  flowWrite: { bytes: 256 },
  socket: { bytes: 3 * 1024 },
  /** A connection out of the VM, or from the host into it. */
  outside: { bytes: 24 * 1024, hostDescriptors: 1 },
  /** A question to the host's name servers, with its sockets. */
  lookup: { bytes: 16 * 1024, hostDescriptors: 2 },
  /** bytes: the data. */
  datagram: { bytes: 384 },
  /** What a socket is bound to, a listener, a name that was looked up; bytes: its text. */
  name: { bytes: 512 },
  watch: { bytes: 1024 },
  /** One on a mount: an inotify watch of the host's user. */
  hostWatch: { bytes: 3 * 1024, hostDescriptors: 1 },
  /** A change that waits to be told; bytes: the name. */
  fileEvent: { bytes: 192 },
  /** A copy of a file that a native addon is loaded from; its content is counted beside. */
  image: { bytes: 1024, hostDescriptors: 2 },
  /** A system call that waits for its answer; bytes: its frame. */
  call: { bytes: 1024 },
  /** A reply or event that the guest has not read; bytes: its frame. */
  unread: { bytes: 256 },
  /** Output on its way to the host; bytes: the data. */
  output: { bytes: 256 },
} as const satisfies Record<string, KindSpec>;

export type Kind = keyof typeof kinds;
export const accountKinds: Readonly<Record<Kind, KindSpec>> = Object.freeze(kinds);

export interface Usage {
  kernelBytes: number;
  kernelObjects: number;
  hostDescriptors: number;
}

export type AccountLimits = Pick<VmLimits, "kernelBytes" | "kernelObjects" | "hostDescriptors">;

/** Descriptors that the kernel process keeps for itself and its guests: three quarters of what it may have is the VMs'. */
const sharedDescriptors = Math.floor(descriptorLimit() * 0.75);

/** RLIMIT_NOFILE; the least that any Linux has where it cannot be read. */
function descriptorLimit(): number {
  try {
    const line = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "latin1"));
    return line === null ? 1024 : Number(line[1]);
  } catch {
    return 1024;
  }
}

const all: Usage = { kernelBytes: 0, kernelObjects: 0, hostDescriptors: 0 };

/** What all VMs hold together, those that are gone included: for tests and diagnostics. */
export function totalUsage(): Usage {
  return { ...all };
}

export class Account {
  readonly limits: AccountLimits;
  readonly #used: Usage = { kernelBytes: 0, kernelObjects: 0, hostDescriptors: 0 };
  readonly #counts = new Map<Kind, number>();
  #closed = false;

  constructor(limits: AccountLimits = completeVmLimits()) {
    this.limits = limits;
  }

  /** Takes one `kind` with `bytes` more, or nothing. */
  take(kind: Kind, bytes = 0): boolean {
    if (!this.fits(kind, bytes)) return false;
    this.force(kind, bytes);
    return true;
  }

  /** Whether `take` would succeed. */
  fits(kind: Kind, bytes = 0): boolean {
    const { bytes: own, hostDescriptors = 0 }: KindSpec = kinds[kind];
    const { limits } = this;
    const used = this.#used;
    if (this.#closed || used.kernelObjects >= limits.kernelObjects) return false;
    if (used.kernelBytes + own + bytes > limits.kernelBytes) return false;
    return hostDescriptors === 0 || this.#mayOpen(hostDescriptors);
  }

  /** As `take`, for what cannot be refused: what the host asked for, what has happened already. */
  force(kind: Kind, bytes = 0): void {
    this.#change(kind, bytes, 1);
  }

  /** Gives one `kind` back that was taken with `bytes`. */
  give(kind: Kind, bytes = 0): void {
    this.#change(kind, bytes, -1);
  }

  /** Room for `bytes` more of something that was taken; give it back with `shrink`. `share` of the limit is all it may use. */
  grow(bytes: number, share = 1): boolean {
    if (this.#closed || this.#used.kernelBytes + bytes > this.limits.kernelBytes * share)
      return false;
    this.shrink(-bytes);
    return true;
  }

  shrink(bytes: number): void {
    this.#used.kernelBytes -= bytes;
    all.kernelBytes -= bytes;
  }

  /** Whether more is held than may be, by what could not be refused. */
  get isOver(): boolean {
    return this.#used.kernelBytes > this.limits.kernelBytes;
  }

  /** At disposal: from now on nothing can be taken. */
  close(): void {
    this.#closed = true;
  }

  get usage(): Usage {
    return { ...this.#used };
  }

  /** How many of each kind are held. */
  get counts(): Partial<Record<Kind, number>> {
    return Object.fromEntries([...this.#counts].filter(([, count]) => count !== 0));
  }

  /** Nobody gets more than is left for others, so that one VM cannot take all there are. */
  #mayOpen(count: number): boolean {
    const after = this.#used.hostDescriptors + count;
    const free = sharedDescriptors - all.hostDescriptors;
    return after <= this.limits.hostDescriptors && after <= free;
  }

  #change(kind: Kind, bytes: number, sign: 1 | -1): void {
    const { bytes: own, hostDescriptors = 0 }: KindSpec = kinds[kind];
    const used = this.#used;
    const change = sign * (own + bytes);
    used.kernelBytes += change;
    all.kernelBytes += change;
    used.kernelObjects += sign;
    all.kernelObjects += sign;
    if (hostDescriptors > 0) {
      used.hostDescriptors += sign * hostDescriptors;
      all.hostDescriptors += sign * hostDescriptors;
    }
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + sign);
  }
}
