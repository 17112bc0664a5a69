/**
 * The file watches of one process.
 *
 * Owns: their numbers, and the events on their way to the guest.
 * Invariants: equal events in a row count once, as in inotify's queue; a queue that
 * is not drained is bounded, and what is over the bound is lost, as there.
 * Untrusted: how many watches a guest wants, and how often it changes what it watches.
 */
import { Errno } from "../../abi/errno.js";
import type { Account } from "../machine/account.js";
import { limits } from "../limits.js";

export interface FileEvent {
  watch: number;
  renamed: boolean;
  name: string;
}

export class WatchList {
  readonly #stops = new Map<number, () => void>();
  /** What each watches, without links. */
  readonly #paths = new Map<number, string>();
  readonly #send: (event: FileEvent) => void;
  readonly #limit: number;
  readonly #account: Account;
  #queue: FileEvent[] = [];
  #last = 0;
  #flushing = false;

  constructor(limit: number, account: Account, send: (event: FileEvent) => void) {
    this.#limit = limit;
    this.#account = account;
    this.#send = send;
  }

  /** `start` begins the watch with the listener it is given, and answers how to stop or -errno. */
  add(
    start: (listener: (renamed: boolean, name: string) => void) => (() => void) | number,
    path = "",
  ): number {
    if (this.#stops.size >= this.#limit) return -Errno.ENOSPC;
    const watch = ++this.#last;
    const stop = start((renamed, name) => this.#push({ watch, renamed, name }));
    if (typeof stop === "number") return stop;
    this.#stops.set(watch, stop);
    this.#paths.set(watch, path);
    return watch;
  }

  remove(watch: number): number {
    const stop = this.#stops.get(watch);
    if (stop === undefined) return -Errno.EINVAL;
    this.#stops.delete(watch);
    this.#paths.delete(watch);
    stop();
    return 0;
  }

  paths(): [watch: number, path: string][] {
    return [...this.#paths];
  }

  close(): void {
    for (const stop of this.#stops.values()) stop();
    this.#stops.clear();
    this.#paths.clear();
    this.#take();
  }

  /** What waits, which is off the account then. */
  #take(): FileEvent[] {
    const events = this.#queue;
    this.#queue = [];
    for (const { name } of events) this.#account.give("fileEvent", name.length * 2);
    return events;
  }

  #push(event: FileEvent): void {
    const last = this.#queue.at(-1);
    if (
      last !== undefined &&
      last.watch === event.watch &&
      last.renamed === event.renamed &&
      last.name === event.name
    )
      return;
    if (this.#queue.length >= limits.queuedFileEvents) return;
    if (!this.#account.take("fileEvent", event.name.length * 2)) return;
    this.#queue.push(event);
    if (this.#flushing) return;
    this.#flushing = true;
    setImmediate(() => {
      this.#flushing = false;
      for (const one of this.#take()) if (this.#stops.has(one.watch)) this.#send(one);
    });
  }
}
