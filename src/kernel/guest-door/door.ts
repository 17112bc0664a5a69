/**
 * Owns the way between a process and the OS process behind it: the guest with its threads, what
 * they say and what they are told.
 *
 * Invariants: nothing is heard from a guest before it was attached or after its end; every thread
 * is closed with the door; the VM's account holds one guest per door and one entry per thread.
 * Untrusted: everything that threads send.
 */
import { Errno } from "../../abi/errno.js";
import type { Guest } from "../../launcher/fork.js";
import type { OutOfMemory } from "../../launcher/guest-groups.js";
import type { GuestSocket } from "../../launcher/guest-socket.js";
import type { kernelEvents } from "../../protocol/guest-calls.js";
import type { EventArgs } from "../../protocol/port.js";
import { Deferred } from "../io/deferred.js";
import { limits } from "../limits.js";
import { GuestThread } from "./thread.js";
import type { ThreadOwner } from "./thread.js";

type Events = typeof kernelEvents;

/** The process as its door sees it. */
export interface DoorOwner extends Omit<ThreadOwner, "openThread" | "threadEnded" | "violated"> {
  /** Workers it may have at one time. */
  readonly threadLimit: number;
  /** Its guest broke the rules and is being ended. */
  violated(reason: string): void;
  /** A worker's thread got its socket. */
  threadOpened(): void;
  /** The OS process is about to go: what it used can be read for the last time. */
  osEnding(): void;
  /** The OS process is gone; `status` is a wait status, or -1. */
  osEnded(status: number, stderr: string, outOfMemory: OutOfMemory | undefined): void;
}

export class GuestDoor {
  readonly #owner: DoorOwner;
  readonly #guest: Guest;
  readonly #threads = new Set<GuestThread>();
  /** Those of workers, by the numbers that the guest knows them by; none is used twice. */
  readonly #workers = new Map<number, GuestThread>();
  #lastWorker = 0;
  readonly #main: GuestThread;
  readonly #threadOwner: ThreadOwner;
  #closed = false;

  constructor(guest: Guest, owner: DoorOwner) {
    this.#guest = guest;
    this.#owner = owner;
    this.#threadOwner = {
      account: owner.account,
      share: owner.share,
      descriptors: owner.descriptors,
      get ended() {
        return owner.ended;
      },
      answer: (call) => owner.answer(call),
      get paused() {
        return owner.paused;
      },
      answered: (call, result, own) => owner.answered(call, result, own),
      served: (milliseconds, more) => owner.served(milliseconds, more),
      pauseMs: () => owner.pauseMs(),
      moved: (kind, direction, bytes) => owner.moved(kind, direction, bytes),
      happened: (event) => owner.happened(event),
      mayRead: (stream) => owner.mayRead(stream),
      brokenPipe: () => owner.brokenPipe(),
      violated: (reason) => {
        owner.violated(reason);
        this.end();
      },
      awaitsFork: (errno, give) => owner.awaitsFork(errno, give),
      image: (args) => owner.image(args),
      get mayPrintByPipe() {
        return owner.mayPrintByPipe;
      },
      openThread: (via, announcement) => this.#openThread(via, announcement),
      threadEnded: (thread) => this.#threadEnded(thread),
      unwatch: (watch) => owner.unwatch(watch),
    };
    owner.account.force("guest");
    this.#main = this.#newThread(guest.socket, false);
    guest.attach({
      ready: () => this.#main.ready(),
      frame: (frame, isLast) => this.#main.frame(frame, isLast),
      rested: () => this.#main.rested(),
      occupies: (bytes) => this.#main.occupies(bytes),
      drained: () => this.#main.drained(),
      violation: (reason) => owner.violated(reason),
      ending: () => {
        owner.osEnding();
        for (const thread of this.#threads) thread.cancelCalls();
      },
      ended: (status, stderr, outOfMemory) => {
        this.close();
        owner.osEnded(status, stderr, outOfMemory);
      },
    });
  }

  /** Of the OS process. */
  get osPid(): number {
    return this.#guest.pid;
  }

  /** How many sockets it has: one a thread. */
  get threads(): number {
    return this.#threads.size;
  }

  /** Tells the main thread. */
  tell<K extends keyof Events>(name: K, args: EventArgs<Events, K>): void {
    this.#main.tell(name, args);
  }

  /** Tells every thread, of which the right one knows what it is about; those that do not read miss it. */
  tellAll<K extends keyof Events>(name: K, args: EventArgs<Events, K>): void {
    for (const thread of this.#threads) if (!thread.isBehind) thread.tell(name, args);
  }

  signal(signal: number): void {
    this.#main.signal(signal);
  }

  /** Stops the OS process, or lets it go on. */
  stop(stopped: boolean): void {
    this.#guest.stop(stopped);
  }

  /** Sends the OS process itself a SIGINT, which its engine has a handler for. */
  interrupt(): void {
    this.#guest.interrupt();
  }

  /** What is on its real stderr, as far as it was not read. */
  readStderr(): string {
    return this.#guest.readStderr();
  }

  /** Whether nothing of its program is left in its guest or on its way there, as far as can be seen from here. */
  get isIdle(): boolean {
    return this.#threads.size === 1 && this.#main.isIdle;
  }

  /** Lets go of its guest, which waits for another program. The door has been closed. */
  release(): Guest {
    this.#guest.detach();
    return this.#guest;
  }

  /** Ends the OS process; nothing more is heard of it but its end. */
  end(): void {
    this.#guest.end();
  }

  /** Lets go of what its threads wait for. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const thread of this.#threads) this.#closeThread(thread);
    this.#owner.account.give("guest");
  }

  #newThread(socket: GuestSocket, isWorker: boolean): GuestThread {
    const thread = new GuestThread(this.#threadOwner, socket, isWorker);
    this.#threads.add(thread);
    return thread;
  }

  #closeThread(thread: GuestThread): void {
    if (!this.#threads.delete(thread)) return;
    thread.close();
    if (thread !== this.#main) this.#owner.account.give("thread");
  }

  /** Answers a call of `via` with a socket for a new thread: 0, or -errno. */
  #openThread(via: GuestThread, announcement: (thread: number) => Buffer): number {
    const { account, threadLimit } = this.#owner;
    if (this.#threads.size > threadLimit * limits.socketsPerThread) return -Errno.EMFILE;
    if (!account.take("thread")) return -Errno.EMFILE;
    const number = ++this.#lastWorker;
    const socket = this.#guest.openThread(via.socket, announcement(number), {
      ready: () => thread.ready(),
      frame: (frame, isLast) => thread.frame(frame, isLast),
      rested: () => thread.rested(),
      occupies: (bytes) => thread.occupies(bytes),
      drained: () => thread.drained(),
      closed: () => {
        this.#workers.delete(number);
        this.#closeThread(thread);
      },
    });
    if (typeof socket === "number") {
      account.give("thread");
      return socket;
    }
    const thread = this.#newThread(socket, true);
    this.#workers.set(number, thread);
    this.#owner.threadOpened();
    return 0;
  }

  /** Its socket's end may have come here already, and not been heard of: what the process does next must not find it open. */
  #threadEnded(number: number): Deferred<object> {
    const closed = new Deferred<object>();
    // Not inside the frame that asks: the other socket is read into the same buffer.
    const immediate = setImmediate(() => {
      this.#workers.get(number)?.socket.finish();
      closed.settle({});
    });
    closed.onCancel(() => clearImmediate(immediate));
    return closed;
  }
}
