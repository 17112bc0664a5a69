/**
 * Owns which descriptors and file watches of a process end with one of its threads: those that the thread's calls have
 * opened, as Node closes what an ended worker has open (Environment::RunCleanup of src/env.cc).
 *
 * Invariants: what another thread has closed meanwhile is left alone, and so is what got its number since.
 * Untrusted: every number.
 */
import type { guestCalls } from "../../protocol/guest-calls.js";
import type { CallResult } from "../../protocol/table.js";
import type { DescriptorTable } from "../process/descriptors.js";

type Calls = typeof guestCalls;

/** Those that every process has of its own belong to no thread. */
const lastStdio = 2;

type Opened = { [K in keyof Calls]?: (result: CallResult<Calls, K>) => readonly number[] };

/** Calls that open descriptors, and where those are in their results. Some open none at times: then the number is no descriptor. */
const opened: Opened = {
  open: ({ fd }) => [fd],
  readFile: ({ fd }) => [fd],
  writeFile: ({ fd }) => [fd],
  dup: ({ fd }) => [fd],
  socket: ({ fd }) => [fd],
  accept: ({ fd }) => [fd],
  pipe: ({ reader, writer }) => [reader, writer],
  socketpair: ({ first, second }) => [first, second],
  spawn: ({ ends }) => [...ends],
};

export class ThreadDescriptors {
  readonly #table: DescriptorTable;
  readonly #unwatch: (watch: number) => void;
  /** At most as many as the process may have. */
  readonly #watches = new Set<number>();

  constructor(table: DescriptorTable, unwatch: (watch: number) => void) {
    this.#table = table;
    this.#unwatch = unwatch;
  }

  /** A call of the thread got its result. */
  answered(name: keyof Calls, args: object, result: object): void {
    if (name === "watch") this.#watches.add((result as { watch: number }).watch);
    else if (name === "unwatch") this.#watches.delete((args as { watch: number }).watch);
    else for (const fd of opened[name]?.(result as never) ?? []) this.owns(fd, true);
  }

  owns(fd: number, owned: boolean): void {
    if (fd > lastStdio) this.#table.own(fd, owned ? this : undefined);
  }

  closeAll(): void {
    this.#table.closeOf(this);
    for (const watch of this.#watches) this.#unwatch(watch);
    this.#watches.clear();
  }
}
