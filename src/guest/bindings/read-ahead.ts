/**
 * Owns what the kernel has told of an open file before the program asked: who reads a file piece by piece, and blocks for
 * each, gets several pieces with one call.
 *
 * Invariants: nothing here is older than what the program has heard since. It is forgotten before any other call, before the
 * program is told anything by the event loop, and after 50 ms; the kernel hears first, in the same order, how far the program has
 * read, so that nobody ever finds the file's position elsewhere. A process with a second thread or native code of its own, which
 * may hear of changes or read in another way, is told nothing ahead. The kernel tells of no file that another descriptor shares.
 */
import { fsLimits } from "../../protocol/fs-calls.js";
import type { Own } from "../../protocol/port.js";
import type { GuestEnvironment, KernelClient } from "../environment.js";

const mostBytes = 128 * 1024;
/** What is told is so many times what was read just before. */
const growth = 4;
const longestNs = 50_000_000n;

const { bigint: nanoseconds } = process.hrtime;
const { allocUnsafeSlow } = Buffer;
const NativeUint8Array = Uint8Array;
const none = new NativeUint8Array(0);

/** One answer of the kernel, on its way. */
export interface Told {
  readonly own: Own;
  /** How much the answer brought, all in all. */
  size: number;
}

export class ReadAhead {
  readonly #kernel: Pick<KernelClient, "event">;
  #alone: boolean;
  /** Which descriptor was read last, with no other call since, and what that call brought; -1 and 0 for none. */
  #fd = -1;
  #brought = 0;
  /** Of this one nothing is told. */
  #refused = -1;
  /** The call that comes is one of reading `#fd` on. */
  #reads = false;
  #memory: Uint8Array = none;
  /** What is told and not used is from `#at` to `#end` in the memory; that begins at `#position` of the file. */
  #at = 0;
  #end = 0;
  #position = 0;
  /** So much of it the kernel knows to be used. */
  #known = 0;
  #toldAt = 0n;

  constructor(env: GuestEnvironment) {
    this.#kernel = env.kernel;
    this.#alone = env.internalBinding("worker").isMainThread === true;
    env.kernel.onCall((name) => this.#calls(name));
  }

  #calls(name: string | undefined): void {
    if (name === "threadSocket" || name === "image") this.#alone = false;
    if (this.#at > this.#known) {
      this.#kernel.event("readTo", { fd: this.#fd, position: this.#position + this.#at });
      // In this order: who is broken into between the two says the same again.
      this.#known = this.#at;
    }
    this.#end = this.#at;
    if (this.#reads) this.#reads = false;
    else {
      this.#fd = -1;
      this.#refused = -1;
    }
  }

  /** Fills `target` with what was told, or answers that it cannot: in part would look like the end of the file. */
  fill(fd: number, target: Uint8Array): boolean {
    const { byteLength } = target;
    const at = this.#at;
    if (fd !== this.#fd || byteLength === 0 || byteLength > this.#end - at) return false;
    if (nanoseconds() - this.#toldAt > longestNs) return false;
    target.set(new NativeUint8Array(this.#memory.buffer, at, byteLength));
    this.#at = at + byteLength;
    return true;
  }

  /** Before `length` bytes of `fd` are read at its position: how many more to ask for. */
  wanted(fd: number, length: number): number {
    if (!this.#alone) return 0;
    this.#reads = true;
    if (fd !== this.#fd) {
      this.#fd = fd;
      this.#brought = 0;
    }
    const before = this.#brought;
    this.#brought = length;
    if (before === 0 || fd === this.#refused || length > mostBytes / 2) return 0;
    // Whole pieces: a part of one would be told for nothing.
    const most = Math.min(growth * before, mostBytes);
    const ahead = most - (most % length);
    if (length + ahead > fsLimits.transferBytes) return 0;
    this.#brought = length + ahead;
    return ahead;
  }

  refuses(fd: number): void {
    this.#refused = fd;
    this.#reads = true;
  }

  /** Takes the first bytes of an answer to `target`, and what is behind them here. */
  told(target: Uint8Array): Told {
    const { byteLength } = target;
    const told: Told = {
      size: 0,
      own: (view) => {
        told.size = view.byteLength;
        if (view.byteLength <= byteLength) target.set(view);
        else {
          const rest = view.byteLength - byteLength;
          if (this.#memory.byteLength < rest) this.#memory = allocUnsafeSlow(mostBytes);
          target.set(new NativeUint8Array(view.buffer, view.byteOffset, byteLength));
          const ahead = new NativeUint8Array(view.buffer, view.byteOffset + byteLength, rest);
          this.#memory.set(ahead);
        }
        return none;
      },
    };
    return told;
  }

  /** The answer, which began at `position`, is here: `rest` bytes of it are for later. */
  has(position: number, rest: number): void {
    this.#position = position;
    this.#at = this.#known = 0;
    this.#end = rest;
    this.#toldAt = nanoseconds();
  }
}
