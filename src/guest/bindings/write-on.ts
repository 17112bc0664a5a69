/**
 * Owns what the kernel has promised to take: who writes a file piece by piece, and blocks for each, goes on without waiting for
 * answers once the kernel has said how much will fit.
 *
 * Invariants: every piece is sent at once, in order with everything else, so whoever hears of it from this process finds it in the
 * file; a piece that is not promised waits for its answer. The promise ends with any other call, before the program is told
 * anything by the event loop, and when what runs now has ended. A process with a second thread or native code of its own, which may
 * tell others in another way, has none. The kernel promises nothing of a file that another descriptor shares.
 */
import type { GuestEnvironment, KernelClient } from "../environment.js";

/** Longer ones are served while the next is made ready anyway, and are cheaper one by one. */
const longestPiece = 8 * 1024;
const mostBytes = 512 * 1024;
/** What is asked for is so many times what was written just before. */
const growth = 4;

const none = new Uint8Array(0);

export class WriteOn {
  readonly #kernel: Pick<KernelClient, "event">;
  readonly #enqueueMicrotask: (run: () => void) => void;
  #alone: boolean;
  /** Which descriptor was written last, with no other call since, and how much; -1 and 0 for none. */
  #fd = -1;
  #wrote = 0;
  /** Of this one nothing is promised. */
  #refused = -1;
  /** The call that comes is one of writing `#fd` on. */
  #writes = false;
  #left = 0;
  #isEnding = false;

  constructor(env: GuestEnvironment) {
    this.#kernel = env.kernel;
    this.#enqueueMicrotask = env.internalBinding("task_queue").enqueueMicrotask;
    this.#alone = env.internalBinding("worker").isMainThread === true;
    env.kernel.onCall((name) => this.#calls(name));
  }

  #calls(name: string | undefined): void {
    if (name === "threadSocket" || name === "image") this.#alone = false;
    // With a call it ends at the kernel, too.
    if (name === undefined) this.#giveBack();
    this.#left = 0;
    if (this.#writes) this.#writes = false;
    else {
      this.#fd = -1;
      this.#refused = -1;
    }
  }

  #giveBack(): void {
    if (this.#left === 0) return;
    this.#left = 0;
    this.#kernel.event("writeOn", { fd: this.#fd, data: none });
  }

  /** Writes `data` if that is promised. */
  write(fd: number, data: Uint8Array): boolean {
    const { byteLength } = data;
    if (fd !== this.#fd || byteLength === 0 || byteLength > this.#left) return false;
    this.#left -= byteLength;
    this.#kernel.event("writeOn", { fd, data });
    return true;
  }

  /** Before `length` bytes are written at the position of `fd`: how much more to ask for. */
  wanted(fd: number, length: number): number {
    if (!this.#alone) return 0;
    this.#writes = true;
    if (fd !== this.#fd) {
      this.#fd = fd;
      this.#wrote = 0;
    }
    const before = this.#wrote;
    this.#wrote = length;
    if (before === 0 || fd === this.#refused || length > longestPiece) return 0;
    const more = Math.min(growth * before, mostBytes);
    this.#wrote = more;
    return more;
  }

  refuses(fd: number): void {
    this.#refused = fd;
    this.#writes = true;
  }

  /** So much is promised. */
  has(bytes: number): void {
    if (bytes > 0 && !this.#isEnding) {
      this.#isEnding = true;
      this.#enqueueMicrotask(() => {
        this.#isEnding = false;
        this.#giveBack();
        this.#fd = -1;
      });
    }
    this.#left = bytes;
  }
}
