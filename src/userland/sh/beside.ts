/**
 * Owns what runs beside the shell's own command in the same process: members of pipelines and process
 * substitutions, and what is done for lists in the background.
 *
 * Invariant: while anything does, the shell may not block, as that may wait for it.
 */
export class Beside {
  #running = 0;
  #started = false;
  readonly #outliving = new Set<Promise<unknown>>();

  get isNothing(): boolean {
    return this.#running === 0 && !this.#started;
  }

  /** A list starts in the background: another process, but this one may still have to tell it what it is, or to take what it writes. */
  start(): void {
    this.#started = true;
  }

  /** What `start` begins, which runs from then on. */
  run<T>(start: () => Promise<T>): Promise<T> {
    this.#running += 1;
    return start().finally(() => (this.#running -= 1));
  }

  /** Something that the shell's end must not cut off, if it `writes`. */
  outlives(ended: Promise<unknown>, writes: boolean): void {
    if (!writes) return;
    this.#outliving.add(ended);
    void ended.finally(() => this.#outliving.delete(ended));
  }

  get hasOutliving(): boolean {
    return this.#outliving.size > 0;
  }

  async untilAllEnded(): Promise<void> {
    while (this.#outliving.size > 0) await Promise.all(this.#outliving);
  }
}
