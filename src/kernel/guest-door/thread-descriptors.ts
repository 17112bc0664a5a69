/**
 * Owns which descriptors and file watches of a process end with one of its threads: those that the thread's calls have
 * opened, as Node closes what an ended worker has open (Environment::RunCleanup of src/env.cc).
 *
 * Invariants: what another thread has closed meanwhile is left alone, and so is what got its number since.
 * Untrusted: every number.
 */
import type { DescriptorTable } from "../process/descriptors.js";

/** Those that every process has of its own belong to no thread. */
const lastStdio = 2;

/** Of one worker, as its calls see it. */
export interface Belongings {
  owns(fd: number, owned: boolean): void;
  /** `lasts`: false of one that is over. */
  watches(watch: number, lasts: boolean): void;
}

export class ThreadDescriptors implements Belongings {
  readonly #table: DescriptorTable;
  readonly #unwatch: (watch: number) => void;
  /** At most as many as the process may have. */
  readonly #watches = new Set<number>();

  constructor(table: DescriptorTable, unwatch: (watch: number) => void) {
    this.#table = table;
    this.#unwatch = unwatch;
  }

  owns(fd: number, owned: boolean): void {
    if (fd > lastStdio) this.#table.own(fd, owned ? this : undefined);
  }

  watches(watch: number, lasts: boolean): void {
    if (lasts) this.#watches.add(watch);
    else this.#watches.delete(watch);
  }

  closeAll(): void {
    this.#table.closeOf(this);
    for (const watch of this.#watches) this.#unwatch(watch);
    this.#watches.clear();
  }
}
