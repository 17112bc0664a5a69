/**
 * Who wants to know of changes, as inotify has it.
 *
 * Owns: the listeners of each inode in memory, and how many changes there were.
 * Invariants: while nobody listens a change costs one comparison; a listener is
 * called after the change is complete and never twice for one of its causes. Nothing in memory
 * changes, of names, content or attributes, that is not told here.
 * Untrusted: nothing; names in events are entries that exist or existed.
 */
import { Errno, type Failure } from "../../abi/errno.js";
import type { Account } from "../machine/account.js";
import type { Directory, Inode } from "./inode.js";

/** `renamed`: a name came, went or moved; otherwise content or attributes changed. */
export type WatchListener = (renamed: boolean, name: string) => void;

interface Watch {
  /** What events about the inode itself call it. */
  name: string;
  listener: WatchListener;
}

/** Where a changed inode was reached. */
export interface WatchOrigin {
  readonly parent: Directory;
  readonly name: string;
}

export class WatchTable {
  readonly #watches = new Map<Inode, Set<Watch>>();
  readonly #account: Account;
  /** Who finds the same number again knows that nothing has changed. */
  changes = 0;

  constructor(account: Account) {
    this.#account = account;
  }

  /** Answers how to stop, which is to be done once, or -ENOSPC. */
  add(inode: Inode, name: string, listener: WatchListener): (() => void) | Failure {
    if (!this.#account.take("watch")) return -Errno.ENOSPC;
    const watch = { name, listener };
    const present = this.#watches.get(inode);
    if (present === undefined) this.#watches.set(inode, new Set([watch]));
    else present.add(watch);
    return () => {
      const all = this.#watches.get(inode);
      all?.delete(watch);
      if (all?.size === 0) this.#watches.delete(inode);
      this.#account.give("watch");
    };
  }

  /** A name appeared in or went from a directory. */
  renamed(directory: Directory, name: string): void {
    this.changes++;
    if (this.#watches.size === 0) return;
    for (const { listener } of this.#watches.get(directory) ?? []) listener(true, name);
  }

  /** The inode itself moved or lost its last name. */
  moved(inode: Inode): void {
    this.changes++;
    if (this.#watches.size === 0) return;
    for (const { listener, name } of this.#watches.get(inode) ?? []) listener(true, name);
  }

  /** Content or attributes changed. */
  changed(inode: Inode, origin: WatchOrigin): void {
    this.changes++;
    if (this.#watches.size === 0) return;
    for (const { listener, name } of this.#watches.get(inode) ?? []) listener(false, name);
    if (origin.parent === inode || origin.name === "") return;
    for (const { listener } of this.#watches.get(origin.parent) ?? []) listener(false, origin.name);
  }
}
