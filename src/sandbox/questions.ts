/**
 * Owns the kernel process's end of a filter that asks (seccomp_unotify(2)): takes the questions of one family
 * of processes from the event loop, and answers each with "go on" or an errno.
 *
 * Invariants: each question is answered once, in the turn in which it is taken; what is not recognised
 * is refused; after `close` the calls of the family fail with ENOSYS, as Linux has it.
 * Untrusted: the questions; their words were read by Linux and cannot change any more.
 */
import * as ffi from "node:ffi";
import { Errno } from "../abi/errno.js";
import * as libc from "./libc.js";
import { bind, openEngine, openLibrary } from "./native.js";

/** include/uapi/linux/seccomp.h: SECCOMP_IOCTL_NOTIF_RECV and _SEND. */
const NOTIF_RECV = 0xc0502100n;
const NOTIF_SEND = 0xc0182101n;
const USER_NOTIF_FLAG_CONTINUE = 1;
/** struct seccomp_notif, struct seccomp_notif_resp. */
const question = { bytes: 80, id: 0, pid: 8, nr: 16, args: 32 } as const;
const response = { bytes: 24, id: 0, error: 16, flags: 20 } as const;
/** uv.h */
const UV_POLL = 8;
const UV_READABLE = 1;
/** Of one family in one turn of the event loop. */
const mostPerTurn = 8;

export interface Question {
  /** The thread that asks, by the number that this process knows it by; 0 when it knows none. */
  readonly tid: number;
  readonly nr: number;
  readonly args: readonly bigint[];
}

/** "go on" runs the call, a number is the errno it fails with. */
export type Verdict = "go on" | number;

const engine = openEngine();
const handleSize = bind<[number], bigint>(engine, "uv_handle_size", ["i32"], "u64");
const pollInit = bind<[bigint, bigint, number], number>(
  engine,
  "uv_poll_init",
  ["pointer", "pointer", "i32"],
  "i32",
);
const pollStart = bind<[bigint, number, bigint], number>(
  engine,
  "uv_poll_start",
  ["pointer", "i32", "pointer"],
  "i32",
);
const pollStop = bind<[bigint], number>(engine, "uv_poll_stop", ["pointer"], "i32");
const closeHandle = bind<[bigint, bigint], void>(
  engine,
  "uv_close",
  ["pointer", "pointer"],
  "void",
);
const unrefHandle = bind<[bigint], void>(engine, "uv_unref", ["pointer"], "void");
const ioctl = bind<[number, bigint, bigint], number>(
  openLibrary(),
  "ioctl",
  ["i32", "u64", "pointer"],
  "i32",
);

/** Handles and their callbacks, until libuv has let go of them. */
const kept = new Set<QuestionSource>();

export class QuestionSource {
  readonly #fd: number;
  readonly #judge: (asked: Question) => Verdict;
  readonly #handle: Buffer;
  readonly #handlePointer: bigint;
  readonly #ready: bigint;
  readonly #closed: bigint;
  readonly #question = Buffer.alloc(question.bytes);
  readonly #response = Buffer.alloc(response.bytes);
  #open = true;

  /** Takes over `listener`. `judge` must not throw. */
  constructor(listener: number, judge: (asked: Question) => Verdict) {
    this.#fd = listener;
    this.#judge = judge;
    this.#handle = Buffer.alloc(Number(handleSize(UV_POLL)));
    this.#handlePointer = ffi.getRawPointer(this.#handle);
    this.#ready = engine.registerCallback(
      { arguments: ["pointer", "i32", "i32"], return: "i32" },
      (_handle: bigint, status: number) => {
        this.#take(status);
        return 0;
      },
    );
    this.#closed = engine.registerCallback({ arguments: ["pointer"], return: "i32" }, () => {
      // Not from inside of itself.
      setImmediate(() => this.#release());
      return 0;
    });
    kept.add(this);
    pollInit(ffi.getCurrentEventLoop(), this.#handlePointer, listener);
    pollStart(this.#handlePointer, UV_READABLE, this.#ready);
    unrefHandle(this.#handlePointer);
  }

  /** Called by libuv, with no JavaScript below it: what follows from an answer is done in a later turn. */
  #take(status: number): void {
    if (!this.#open) return;
    // No process of the family is left.
    if (status < 0) return void pollStop(this.#handlePointer);
    for (let taken = 0; taken < mostPerTurn && this.#open; taken++) {
      const revents = libc.pollReadable(this.#fd, 0);
      if ((revents & libc.POLLIN) === 0) {
        if ((revents & libc.POLLHUP) !== 0) pollStop(this.#handlePointer);
        return;
      }
      this.#question.fill(0);
      // A thread that is gone by now makes this fail, not wait: what was announced is still counted.
      if (ioctl(this.#fd, NOTIF_RECV, ffi.getRawPointer(this.#question)) < 0) continue;
      this.#answer();
    }
  }

  #answer(): void {
    const asked: Question = {
      tid: this.#question.readUInt32LE(question.pid),
      nr: this.#question.readInt32LE(question.nr),
      args: Array.from({ length: 6 }, (_, at) =>
        this.#question.readBigUInt64LE(question.args + 8 * at),
      ),
    };
    const verdict = this.#judge(asked);
    this.#response.fill(0);
    this.#question.copy(this.#response, response.id, question.id, question.id + 8);
    if (verdict === "go on") this.#response.writeUInt32LE(USER_NOTIF_FLAG_CONTINUE, response.flags);
    else this.#response.writeInt32LE(-(verdict || Errno.EPERM), response.error);
    ioctl(this.#fd, NOTIF_SEND, ffi.getRawPointer(this.#response));
  }

  /** Idempotent. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    pollStop(this.#handlePointer);
    closeHandle(this.#handlePointer, this.#closed);
  }

  #release(): void {
    libc.close(this.#fd);
    engine.unregisterCallback(this.#ready);
    engine.unregisterCallback(this.#closed);
    kept.delete(this);
  }
}
