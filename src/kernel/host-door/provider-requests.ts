/**
 * Owns what the kernel asks of file systems that code of the host serves, and the answers that come back.
 *
 * Invariants: every question is settled once: by its answer, by time, by the end of who asked or of its
 * machine; one provider has at most so many at a time, the rest waits in its line; bytes that have come
 * are on the quota of the asker's files until they are handed over, and more than a file may have is EFBIG.
 * Untrusted: answers, which are handed on as they are.
 */
import { Errno } from "../../abi/errno.js";
import type { ProviderMountOptions, ProviderQuestion } from "../../protocol/provider.js";
import { Deferred } from "../io/deferred.js";
import { providerAnswerOf } from "../fs/index.js";
import type { Provided, Quota } from "../fs/index.js";
import { limits } from "../limits.js";

/** Content of one message; the rest of a frame is for its other fields. */
const messageBytes = 4 * 1024 * 1024;
const firstId = 0x8000_0000;
const nothing = new Uint8Array(0);

export interface ProviderPort {
  provide(
    vm: number,
    id: number,
    provider: number,
    question: string,
    data: Uint8Array,
    more: boolean,
  ): void;
  provideCancel(vm: number, id: number): void;
  /** Whether the host has not read what was sent before. */
  isBehind(): boolean;
}

/** Whose provider it is. */
interface Asker {
  readonly vm: number;
  /** What bytes that have come are charged to. */
  readonly room: Quota;
}

/** The questions to one provider. */
interface Line {
  running: number;
  readonly waiting: Set<{ start(): void; drop(): void }>;
}

interface Pending {
  readonly vm: number;
  part(data: Uint8Array): void;
  answer(text: string): void;
  end(errno: number): void;
}

export class ProviderRequests {
  readonly #port: ProviderPort;
  readonly #pending = new Map<number, Pending>();
  readonly #lines = new Map<string, Line>();
  #lastId = 0;

  constructor(port: ProviderPort) {
    this.#port = port;
  }

  /** `data` is sent when its turn has come. */
  ask(
    asker: Asker,
    { id: provider, maxFileBytes, timeoutMs }: ProviderMountOptions,
    question: ProviderQuestion,
    data: Uint8Array = nothing,
  ): Deferred<Provided> {
    const answer = new Deferred<Provided>();
    const key = `${asker.vm}:${provider}`;
    const line: Line = this.#lines.get(key) ?? { running: 0, waiting: new Set() };
    this.#lines.set(key, line);
    const start = (): void => {
      line.running++;
      const id = this.#newId();
      const pending = this.#begin(asker, id, maxFileBytes, (result) => {
        clearTimeout(timer);
        this.#pending.delete(id);
        line.running--;
        answer.settle(result);
        this.#advance(key, line);
      });
      const stop = (errno: number): void => {
        this.#port.provideCancel(asker.vm, id);
        pending.end(errno);
      };
      const timer = setTimeout(() => stop(-Errno.ETIMEDOUT), timeoutMs);
      answer.onCancel(() => stop(-Errno.ECANCELED));
      this.#send(asker.vm, id, provider, question, data);
    };
    const turn = { start, drop: () => answer.settle(-Errno.EIO) };
    line.waiting.add(turn);
    answer.onCancel(() => {
      line.waiting.delete(turn);
      this.#advance(key, line);
    });
    this.#advance(key, line);
    return answer;
  }

  #newId(): number {
    // Other questions to the host have the numbers below: on the way through a fleet all are told apart by theirs.
    do this.#lastId = ((this.#lastId + 1) | firstId) >>> 0;
    while (this.#pending.has(this.#lastId));
    return this.#lastId;
  }

  #begin(
    { vm, room }: Asker,
    id: number,
    mostBytes: number,
    over: (result: Provided | number) => void,
  ): Pending {
    const parts: Buffer[] = [];
    let bytes = 0;
    const end = (result: Provided | number): void => {
      room.giveOpenBytes(bytes);
      bytes = 0;
      over(result);
    };
    const pending: Pending = {
      vm,
      part: (data) => {
        const refused = bytes + data.byteLength > mostBytes ? -Errno.EFBIG : 0;
        if (refused !== 0 || !room.takeOpenBytes(data.byteLength)) {
          this.#port.provideCancel(vm, id);
          return end(refused || -Errno.ENOSPC);
        }
        bytes += data.byteLength;
        parts.push(Buffer.from(data));
      },
      answer: (text) => {
        const data = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
        end({ json: providerAnswerOf(text), data });
      },
      end,
    };
    this.#pending.set(id, pending);
    return pending;
  }

  #send(
    vm: number,
    id: number,
    provider: number,
    question: ProviderQuestion,
    data: Uint8Array,
  ): void {
    let at = 0;
    for (; data.byteLength - at > messageBytes; at += messageBytes)
      this.#port.provide(vm, id, provider, "", data.subarray(at, at + messageBytes), true);
    this.#port.provide(vm, id, provider, JSON.stringify(question), data.subarray(at), false);
  }

  #advance(key: string, line: Line): void {
    for (const turn of line.waiting) {
      if (line.running >= limits.providerCalls || this.#port.isBehind()) break;
      line.waiting.delete(turn);
      turn.start();
    }
    if (line.running === 0 && line.waiting.size === 0) this.#lines.delete(key);
  }

  /** The host has read what was sent. */
  drained(): void {
    for (const [key, line] of this.#lines) this.#advance(key, line);
  }

  /** A part of an answer, or the last of it. Of a question that nobody waits for any more it is too late. */
  provided(vm: number, id: number, answer: string, data: Uint8Array, more: boolean): void {
    const pending = this.#pending.get(id);
    if (pending?.vm !== vm) return;
    if (data.byteLength > 0) pending.part(data);
    // It may have ended with that part.
    if (!more && this.#pending.get(id) === pending) pending.answer(answer);
  }

  /** The machine is gone, and nobody answers for it. */
  release(vm: number): void {
    for (const [key, { waiting }] of this.#lines) {
      if (!key.startsWith(`${vm}:`)) continue;
      for (const turn of waiting) turn.drop();
      waiting.clear();
    }
    for (const pending of this.#pending.values()) if (pending.vm === vm) pending.end(-Errno.EIO);
  }
}
