/**
 * Owns what a clone costs that nobody writes to, such as the files of a set-up: what it alone still has of its source,
 * and the inodes that were copied for it. It is counted in the quota of its source, for as long as there is room.
 *
 * Invariants: a page counts from the moment at which its source gives it up; when the source needs the room, or what is
 * lent does not fit any more, the loan is recalled, and whoever has it lets go of the clone; an ended one counts nothing.
 * Pages that several clones of one source have count in each.
 * Untrusted: nothing; but what is given up, and when, is a guest's choice.
 */
import type { PageCache } from "./page-cache.js";
import type { Amounts, Quota } from "./quota.js";

export class Loan {
  readonly amounts: Amounts = { bytes: 0, inodes: 0, names: 0 };
  /** Has whoever holds the clone let go of it, and end this. */
  readonly recall: () => void;
  readonly #quota: Quota;
  /** By that of the source. */
  readonly #copies = new Map<PageCache, PageCache>();
  #over = false;

  /** In the `quota` of the source. */
  constructor(quota: Quota, recall: () => void) {
    this.#quota = quota;
    this.recall = recall;
    quota.lend(this);
  }

  get isOver(): boolean {
    return this.#over;
  }

  /** An inode was copied, a directory with so many names. */
  copied(names: number): void {
    this.#add({ bytes: 0, inodes: 1, names });
  }

  /** Both have the same pages now. */
  shared(source: PageCache, copy: PageCache): void {
    if (!this.#over) this.#copies.set(source, copy);
  }

  /** `source` has no use for one of its pages any more. */
  gaveUp(source: PageCache, number: number, page: Uint8Array): void {
    if (this.#copies.get(source)?.has(number, page) === true)
      this.#add({ bytes: page.length, inodes: 0, names: 0 });
  }

  /** The same of all its pages. */
  gaveUpAll(source: PageCache): void {
    const copy = this.#copies.get(source);
    if (copy === undefined) return;
    this.#copies.delete(source);
    this.#add({ bytes: copy.inCommonWith(source), inodes: 0, names: 0 });
  }

  #add(amounts: Amounts): void {
    if (this.#over) return;
    this.amounts.bytes += amounts.bytes;
    this.amounts.inodes += amounts.inodes;
    this.amounts.names += amounts.names;
    this.#quota.lent(amounts);
  }

  /** The clone is gone. */
  end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#copies.clear();
    this.#quota.returned(this);
  }
}
