/**
 * Owns the answer of a system call that has to wait. A handler returns a result,
 * a negative errno, or one of these.
 *
 * Invariants: settles at most once; `cancel` (the caller ended) runs the clean-up
 * exactly once and nothing is delivered afterwards.
 */
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
  if (!(answer instanceof Deferred)) return map(answer);
  const mapped = new Deferred<B>();
  mapped.onCancel(() => answer.cancel());
  answer.whenSettled((value) => mapped.settle(typeof value === "number" ? value : map(value)));
  return mapped;
}
