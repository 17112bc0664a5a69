/**
 * Owns the answer of a system call that has to wait. A handler returns a result,
 * a negative errno, or one of these.
 *
 * Invariants: settles at most once; `cancel` (the caller ended) runs the clean-up
 * exactly once and nothing is delivered afterwards.
 */
export class Deferred<R> {
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
