/**
 * Owns the descriptors of one VM that are on their way in a pipe: who is, and what of
 * it nobody can reach any more.
 *
 * A socket may travel inside a socket, and so inside itself: then every reference to it lies in
 * a queue that only it leads to, and counting references never ends its life. Linux looks for
 * such rings in net/unix/garbage.c; this is the same search. References that come from queues
 * of streams under suspicion are taken off; what has others left is alive, with all that can be
 * reached from it; the rest is a ring, and its queues are emptied.
 *
 * Invariants: a description in flight holds one reference per flight; when the VM is gone nothing
 * is in flight. The search costs as much as there is in flight, and runs at most once per pause.
 */
import type { Account } from "../machine/account.js";
import { Stream } from "./stream.js";
import type { Passable } from "./stream.js";

/** Between two searches. */
const pauseMs = 50;

/** Something with a queue that descriptors travel in. */
export interface Carrier {
  /** Lets go of all that is in the queue. */
  dropPassed(): void;
}

export class Transit {
  readonly account: Account;
  /** Streams in flight, and how often. */
  readonly #flying = new Map<Stream, number>();
  readonly #carriers = new Set<Carrier>();
  #search: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(account: Account) {
    this.account = account;
  }

  /** `description` is about to enter a queue of `carrier`; false when it must not. */
  depart(carrier: Carrier, description: Passable): boolean {
    if (this.#closed || !this.account.take("passed")) return false;
    this.#carriers.add(carrier);
    if (description instanceof Stream) {
      description.transit = this;
      this.#flying.set(description, (this.#flying.get(description) ?? 0) + 1);
    }
    return true;
  }

  /** It has left the queue, of which it was the last one if `empty`. */
  arrive(carrier: Carrier, description: Passable, empty: boolean): void {
    this.account.give("passed");
    if (empty) this.#carriers.delete(carrier);
    if (!(description instanceof Stream)) return;
    const count = this.#flying.get(description)! - 1;
    if (count > 0) {
      this.#flying.set(description, count);
      return;
    }
    this.#flying.delete(description);
    description.transit = undefined;
  }

  /** A reference to a stream in flight went: it may have been the last from outside. */
  suspect(): void {
    if (this.#closed || this.#search !== undefined) return;
    this.#search = setTimeout(() => {
      this.#search = undefined;
      this.collect();
    }, pauseMs);
    this.#search.unref();
  }

  /** Ends the streams that only their own queues refer to; answers how many. */
  collect(): number {
    const references = new Map<Stream, number>();
    const todo = [...this.#flying.keys()];
    for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
      if (references.has(next)) continue;
      references.set(next, next.references);
      todo.push(...next.holds());
    }
    for (const stream of references.keys())
      for (const held of stream.holds()) references.set(held, references.get(held)! - 1);
    const alive = new Set<Stream>();
    for (const [stream, left] of references) if (left > 0) todo.push(stream);
    for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
      if (alive.has(next)) continue;
      alive.add(next);
      todo.push(...next.holds());
    }
    const rings = [...references.keys()].filter((stream) => !alive.has(stream));
    // None of them may go while the others are still to be asked for what they hold.
    for (const stream of rings) stream.ref();
    for (const stream of rings) stream.letGo();
    for (const stream of rings) stream.unref();
    return rings.length;
  }

  /** The VM is gone: nobody will take what is in flight. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#search);
    this.#search = undefined;
    for (const carrier of this.#carriers) carrier.dropPassed();
  }
}
