/**
 * Owns what the thread that made a worker must know of its databases, in memory that both
 * share. A worker that is terminated runs nothing of its own any more; its databases are then
 * closed by C++, through callbacks whose thread is gone. So before it stops a thread, its maker
 * makes the callbacks harmless. Nor may it be stopped inside a callback, which native code expects to return: its
 * maker waits for the end of one. The files that are left the kernel closes, as all that the thread has open.
 *
 * A worker that ends in another way closes them itself (./databases.ts).
 */
import { retireSqliteFiles } from "../../sandbox/sqlite-vfs.js";
import { ledgerAddressBytes, ledgerAddresses } from "../bindings/sqlite.js";
import type { RegisteredFiles } from "../../sandbox/sqlite-vfs.js";

/** How long a callback takes at most that is waited for: it is a system call, or a short sleep. */
const callbackMs = 1000;
/** In which one that native code is about to call has begun. */
const beginMs = 1;

export class ThreadLedger {
  readonly #addresses: BigUint64Array;
  /** 1 while a callback runs. */
  readonly #calls: Int32Array;

  constructor(shared: SharedArrayBuffer) {
    this.#addresses = new BigUint64Array(shared, 0, ledgerAddresses);
    this.#calls = new Int32Array(shared, ledgerAddressBytes, 1);
  }

  callbackBegins(): void {
    Atomics.store(this.#calls, 0, 1);
  }

  callbackEnds(): void {
    Atomics.store(this.#calls, 0, 0);
    Atomics.notify(this.#calls, 0);
  }

  registered({ structure, table }: RegisteredFiles): void {
    Atomics.store(this.#addresses, 1, table);
    Atomics.store(this.#addresses, 0, structure);
  }

  /** In the maker's thread, before the thread is stopped. */
  retire(): void {
    const structure = Atomics.load(this.#addresses, 0);
    if (structure === 0n) return;
    retireSqliteFiles({ structure, table: Atomics.load(this.#addresses, 1) });
    Atomics.wait(this.#calls, 0, 0, beginMs);
    Atomics.wait(this.#calls, 0, 1, callbackMs);
  }
}
