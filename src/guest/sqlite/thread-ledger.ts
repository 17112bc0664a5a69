/**
 * Owns what the thread that made a worker must know of its databases, in memory that both
 * share. A worker that is terminated runs nothing of its own any more; its databases are then
 * closed by C++, through callbacks whose thread is gone. So before it stops a thread, its maker
 * makes the callbacks harmless, and afterwards closes the files that were left.
 *
 * A worker that ends in another way closes them itself (./databases.ts).
 */
import { retireSqliteFiles } from "../../sandbox/sqlite-vfs.js";
import { ledgerAddresses, ledgerAddressBytes } from "../bindings/sqlite.js";
import type { RegisteredFiles } from "../../sandbox/sqlite-vfs.js";

export class ThreadLedger {
  readonly #addresses: BigUint64Array;
  /** Descriptors plus one; 0 is a free place. */
  readonly #files: Int32Array;

  constructor(shared: SharedArrayBuffer) {
    this.#addresses = new BigUint64Array(shared, 0, ledgerAddresses);
    this.#files = new Int32Array(shared, ledgerAddressBytes);
  }

  registered({ structure, table }: RegisteredFiles): void {
    Atomics.store(this.#addresses, 1, table);
    Atomics.store(this.#addresses, 0, structure);
  }

  opened(fd: number): void {
    const free = this.#files.indexOf(0);
    if (free >= 0) this.#files[free] = fd + 1;
  }

  closed(fd: number): void {
    const at = this.#files.indexOf(fd + 1);
    if (at >= 0) this.#files[at] = 0;
  }

  /** In the maker's thread, before the thread is stopped. */
  retire(): void {
    const structure = Atomics.load(this.#addresses, 0);
    if (structure === 0n) return;
    retireSqliteFiles({ structure, table: Atomics.load(this.#addresses, 1) });
  }

  /** In the maker's thread, when the thread is gone: the descriptors that it has left. */
  takeFiles(): number[] {
    const left = [...this.#files].filter((entry) => entry !== 0).map((entry) => entry - 1);
    this.#files.fill(0);
    return left;
  }
}
