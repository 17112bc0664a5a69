/**
 * Owns what every byte stream that a descriptor may name has in common: pipe
 * ends, sockets, the host's stdio. Reading and writing never block here; who has
 * to wait does so on a wait queue, through `readWhenReady` and `writeFully`.
 *
 * Invariants: the last `unref` runs `released` exactly once and wakes everybody.
 * Untrusted: sizes and data, which come from guests.
 */
import { Errno } from "../../abi/errno.js";
import type { FileStat, OpenFile } from "../fs/index.js";
import { whenReady } from "./deferred.js";
import type { Deferred } from "./deferred.js";
import { WaitQueue } from "./wait-queue.js";

/** What a guest's Node takes a descriptor for; src/node_util.cc, GuessHandleType. */
export type StreamKind = "pipe" | "tcp" | "udp" | "tty" | "host" | "null";

/** An open file description on its way to another process; SCM_RIGHTS. */
export type Passable = Stream | OpenFile;

/** What a stream in flight tells. */
interface InTransit {
  suspect(): void;
}

/** Streams whose last reference is gone and that have not been released yet. */
const ending: Stream[] = [];
let releasing = false;

/** One after the other: a stream that carries a stream that carries one costs no stack. */
function releaseAll(): void {
  if (releasing) return;
  releasing = true;
  try {
    for (let next = ending.pop(); next !== undefined; next = ending.pop()) next.lastReferenceGone();
  } finally {
    releasing = false;
  }
}

export abstract class Stream {
  abstract readonly kind: StreamKind;
  /** Nothing of it is read ahead: what a reader has not asked for is for whoever asks next. */
  readonly isShared: boolean = false;
  /** Woken when `read` may answer something else than EAGAIN. */
  readonly readable = new WaitQueue();
  /** Woken when `write` may. */
  readonly writable = new WaitQueue();
  /** O_NONBLOCK: a call that would wait answers EAGAIN. */
  readonly nonBlocking: boolean = false;
  /** What it was opened as, when a name in the file system led to it. */
  readonly file: OpenFile | undefined = undefined;
  /** Set while a reference to it travels in a queue. */
  transit: InTransit | undefined;
  #references = 1;

  /** Whether it serves several processes that know nothing of each other: no bytes of it are anybody's. */
  get isForAll(): boolean {
    return false;
  }

  get references(): number {
    return this.#references;
  }

  ref(): void {
    if (this.#references > 0) this.#references++;
  }

  unref(): void {
    if (this.#references === 0) return;
    if (--this.#references > 0) return this.transit?.suspect();
    ending.push(this);
    releaseAll();
  }

  /** Called once, when nothing refers to it any more. */
  lastReferenceGone(): void {
    this.released();
    this.readable.wakeAll();
    this.writable.wakeAll();
  }

  /** Streams that its queues keep alive. */
  holds(): Stream[] {
    return [];
  }

  /** Files that are on their way in them. */
  heldFiles(): OpenFile[] {
    return [];
  }

  /** Empties those queues: nobody will read them. */
  letGo(): void {}

  /** Nobody holds a descriptor any more. */
  get isReleased(): boolean {
    return this.#references === 0;
  }

  /** Up to `maxBytes`; empty at end of file; -EAGAIN when there is nothing yet. */
  abstract read(maxBytes: number): Uint8Array | number;
  /** As `read`, but nothing behind the first newline is taken. */
  readLine(maxBytes: number): Uint8Array | number {
    return this.read(Math.min(1, maxBytes));
  }
  /** Nobody has written to it yet, as to a fifo that was opened without waiting: `read` is empty, and that is no end. */
  get awaitsWriter(): boolean {
    return false;
  }
  /** Whether `read` would answer something else than EAGAIN. */
  hasInput(): boolean {
    return true;
  }
  /** How many bytes were taken; -EAGAIN when there is no room; -EPIPE when nobody will read. */
  abstract write(data: Uint8Array): number;
  abstract stat(): FileStat;
  /** Ends the writing side; shutdown(2) with SHUT_WR. */
  shutdown(): number {
    return -Errno.ENOTCONN;
  }
  /** Ends a connection at once: the peer reads ECONNRESET. */
  reset(): void {}
  /** Lets a descriptor travel with the next byte written; takes over one reference. */
  pass(description: Passable): void {
    description.unref();
  }
  /** Whether bytes have come that nobody will read once it is closed, and that its peer has to hear of. */
  get losesInput(): boolean {
    return false;
  }
  /** What travelled with the byte that would be read next, if anything. */
  takePassed(): Passable | undefined {
    return undefined;
  }
  protected abstract released(): void;
}

/** read(2) that blocks: the bytes, an errno, or a wait for them. `may` refuses with -errno; -EAGAIN waits as well. */
export function readWhenReady(
  stream: Stream,
  maxBytes: number,
  how: "read" | "readLine" = "read",
  may: () => number = () => 0,
): Uint8Array | number | Deferred<Uint8Array> {
  if (stream.nonBlocking) {
    const refused = may();
    return refused < 0 ? refused : stream[how](maxBytes);
  }
  let waits = false;
  return whenReady<Uint8Array>(
    // Whoever closed it while this waits reads nothing of it.
    () => {
      if (waits && stream.isReleased) return -Errno.EBADF;
      const refused = may();
      return refused < 0 ? refused : stream[how](maxBytes);
    },
    () => stream.readable,
    () => (waits = true),
  );
}

/** write(2) that blocks until every byte is taken: their number, an errno, or a wait. `may` as for reading. */
export function writeFully(
  stream: Stream,
  data: Uint8Array,
  may: () => number = () => 0,
): number | Deferred<number> {
  let written = 0;
  const advance = (): number => {
    while (written < data.byteLength) {
      const refused = may();
      const result = stream.isReleased
        ? -Errno.EBADF
        : refused < 0
          ? refused
          : stream.write(data.subarray(written));
      if (result < 0)
        return written > 0 && (stream.nonBlocking || result !== -Errno.EAGAIN) ? written : result;
      written += result;
    }
    return written;
  };
  if (stream.nonBlocking) return advance();
  return whenReady<number>(
    advance,
    () => stream.writable,
    // The frame that carried `data` is gone once this returns.
    () => (data = Buffer.from(data)),
  );
}

/** Stat of a descriptor that no directory names. `mode` is of S_IF*. */
export function streamStat(mode: number, size = 0): FileStat {
  const now = Date.now();
  return {
    dev: 0,
    ino: 0,
    mode: mode | 0o600,
    nlink: 1,
    uid: 1000,
    gid: 1000,
    rdev: 0,
    size,
    blksize: 4096,
    blocks: 0,
    atimeMs: now,
    mtimeMs: now,
    ctimeMs: now,
    birthtimeMs: now,
  };
}
