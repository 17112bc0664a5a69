/**
 * Owns what the thread that made a worker must know of its databases, in memory that both
 * share. A worker that is terminated runs nothing of its own any more; its databases are then
 * closed by C++, through callbacks whose thread is gone. So before it stops a thread, its maker
 * makes the callbacks harmless. The files that are left the kernel closes, as all that the thread has open.
 *
 * A worker that ends in another way closes them itself (./databases.ts).
 */
import { retireSqliteFiles } from "../../sandbox/sqlite-vfs.js";
import { ledgerAddresses } from "../bindings/sqlite.js";
import type { RegisteredFiles } from "../../sandbox/sqlite-vfs.js";

export class ThreadLedger {
  readonly #addresses: BigUint64Array;

  constructor(shared: SharedArrayBuffer) {
    this.#addresses = new BigUint64Array(shared, 0, ledgerAddresses);
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
  }
}
