/**
 * Owns the room for a guest's workers: memory set aside before the fork, and the
 * words that all threads of the guest share.
 *
 * A V8 isolate maps 64 MiB for its code, which RLIMIT_DATA counts although next
 * to nothing of it is used; over the limit V8 ends the process. So that a worker
 * neither does that nor eats the program's own budget, the zygote maps one block
 * per possible worker. It is part of what a guest starts with; a block is made
 * inaccessible, and so uncounted, while a worker uses the room.
 *
 * Nothing here is a limit that a hostile guest must keep: the kernel counts
 * sockets, RLIMIT_DATA counts memory.
 */
import { Errno } from "../abi/errno.js";
import * as libc from "../sandbox/libc.js";

/** Workers of a process at one time. */
export const threadSlots = 12;
/** The smallest code range V8 accepts; node_worker.cc passes it on as codeRangeSizeMb. */
export const codeRangeMiB = 64;

const slotBytes = codeRangeMiB * 1024 * 1024;
/** Words of a slot: the thread that started the worker + 1 (0: free), the worker, its unclaimed socket. */
const [OWNER, WORKER, SOCKET] = [0, 1, 2];
const wordsPerSlot = 3;
/** Word 0 holds the thread that draws its seed, + 1. */
const SEEDING = 0;
const slotsAt = 1;
const unclaimedSocket = -1;
/** How long a thread waits for another's seeding; the other may have been terminated inside. */
const seedingWaitMs = 50;

/** What travels to another thread. */
export interface SharedSlots {
  words: Int32Array<SharedArrayBuffer>;
  base: bigint;
}

export class ThreadSlots {
  readonly shared: SharedSlots;

  constructor(shared: SharedSlots) {
    this.shared = shared;
  }

  /** In the zygote. */
  static reserve(): ThreadSlots {
    const base = libc.reserveMemory(threadSlots * slotBytes);
    if (typeof base === "number") throw new Error(`no memory for workers: errno ${-base}`);
    const bytes = 4 * (slotsAt + threadSlots * wordsPerSlot);
    return new ThreadSlots({ words: new Int32Array(new SharedArrayBuffer(bytes)), base });
  }

  #at(slot: number, word: number): number {
    return slotsAt + slot * wordsPerSlot + word;
  }

  #address(slot: number): bigint {
    return this.shared.base + BigInt(slot * slotBytes);
  }

  /** Makes room for a worker, of which the process may have `most`: a slot, or -EAGAIN. */
  take(owner: number, worker: number, socket: number, most: number): number {
    const { words } = this.shared;
    for (let slot = 0; slot < Math.min(threadSlots, most); slot++) {
      if (Atomics.compareExchange(words, this.#at(slot, OWNER), 0, owner + 1) !== 0) continue;
      Atomics.store(words, this.#at(slot, WORKER), worker);
      Atomics.store(words, this.#at(slot, SOCKET), socket);
      libc.protectMemory(this.#address(slot), slotBytes, libc.PROT_NONE);
      return slot;
    }
    return -Errno.EAGAIN;
  }

  /** The worker of `slot` took its socket over. */
  claimSocket(slot: number): void {
    Atomics.store(this.shared.words, this.#at(slot, SOCKET), unclaimedSocket);
  }

  /** Gives the room of an ended worker back, and that of workers which ended with it. */
  release(slot: number): void {
    const { words } = this.shared;
    const worker = Atomics.load(words, this.#at(slot, WORKER));
    const socket = Atomics.exchange(words, this.#at(slot, SOCKET), unclaimedSocket);
    if (socket !== unclaimedSocket) libc.close(socket);
    if (Atomics.compareExchange(words, SEEDING, worker + 1, 0) === worker + 1)
      Atomics.notify(words, SEEDING);
    // A failure leaves the room to whoever took it; the next worker in this slot then lacks it.
    const back = libc.protectMemory(this.#address(slot), slotBytes, libc.PROT_READ_WRITE);
    for (let other = 0; other < threadSlots; other++) {
      if (Atomics.load(words, this.#at(other, OWNER)) === worker + 1) this.release(other);
    }
    if (back === 0) Atomics.store(words, this.#at(slot, OWNER), 0);
  }

  /** Runs `seed` while no other thread does: V8's random seed is one flag for all isolates. */
  whileSeeding(thread: number, seed: () => void): void {
    const { words } = this.shared;
    for (let holder = 0; ;) {
      holder = Atomics.compareExchange(words, SEEDING, 0, thread + 1);
      if (holder === 0 || Atomics.wait(words, SEEDING, holder, seedingWaitMs) === "timed-out")
        break;
    }
    seed();
    if (Atomics.compareExchange(words, SEEDING, thread + 1, 0) === thread + 1)
      Atomics.notify(words, SEEDING);
  }
}
