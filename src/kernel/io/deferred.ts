/**
 * Owns the answer of a system call that has to wait. A handler returns a result,
 * a negative errno, or one of these.
 *
 * Invariants: settles at most once; `cancel` (the caller ended) runs the clean-up
 * exactly once and nothing is delivered afterwards; a cancelled answer cancels the one it is made of.
 */
import { Errno } from "../../abi/errno.js";
import type { WaitQueue } from "./wait-queue.js";

/** What whoever waits sees of one. */
interface Later<R> {
  whenSettled(done: (result: R | number) => void): void;
  cancel(): void;
}

export class Deferred<R> implements Later<R> {
  #result: R | number | undefined;
  #settled = false;
  #done: ((result: R | number) => void) | undefined;
  #cleanUp: (() => void) | undefined;

  get settled(): boolean {
    return this.#settled;
  }

  /** A result, or a negative errno. Later calls do nothing. */
  settle(result: R | number): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#cleanUp = undefined;
    if (this.#done === undefined) this.#result = result;
    else this.#done(result);
  }

  /** Takes the answer, now or later. Called once, by the dispatcher. */
  whenSettled(done: (result: R | number) => void): void {
    if (this.#settled) done(this.#result as R | number);
    else this.#done = done;
  }

  /** Settles as `answer` does, now or later; a cancellation goes on to it. */
  follow(answer: R | number | Later<R>): void {
    if (!(answer instanceof Deferred)) return this.settle(answer as R | number);
    this.onCancel(() => answer.cancel());
    answer.whenSettled((value) => this.settle(value as R | number));
  }

  /** Another answer, made of this one's result; an errno stays what it is. */
  map<B>(make: (result: R) => B | number): Deferred<B> {
    return this.chain<B>((answer) => (typeof answer === "number" ? answer : make(answer)));
  }

  /** Another answer, made of whatever this one comes to; it may take time itself. */
  chain<B>(next: (answer: R | number) => B | number | Deferred<B>): Deferred<B> {
    const made = new Deferred<B>();
    made.onCancel(() => this.cancel());
    this.whenSettled((answer) => made.follow(next(answer)));
    return made;
  }

  /** What to undo when nobody waits any more. */
  onCancel(cleanUp: () => void): void {
    if (!this.#settled) this.#cleanUp = cleanUp;
  }

  cancel(): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#done = undefined;
    const cleanUp = this.#cleanUp;
    this.#cleanUp = undefined;
    cleanUp?.();
  }
}

/** An answer made from another, now or when it is there; an errno stays what it is. */
export function mapAnswer<A, B>(
  answer: A | number | Deferred<A>,
  map: (value: A) => B | number,
): B | number | Deferred<B> {
  if (typeof answer === "number") return answer;
  return answer instanceof Deferred ? answer.map(map) : map(answer);
}

/**
 * What `attempt` answers, which is made again whenever `queue` wakes, for as long as it says EAGAIN.
 * `waiting` runs once, before the first wait.
 */
export function whenReady<R>(
  attempt: () => R | number,
  queue: () => Pick<WaitQueue, "add">,
  waiting: () => void = () => undefined,
): R | number | Deferred<R> {
  const first = attempt();
  if (first !== -Errno.EAGAIN) return first;
  waiting();
  const deferred = new Deferred<R>();
  let stop = (): void => undefined;
  const again = (): void => {
    const result = attempt();
    if (result === -Errno.EAGAIN) stop = queue().add(again);
    else deferred.settle(result);
  };
  stop = queue().add(again);
  deferred.onCancel(() => stop());
  return deferred;
}
