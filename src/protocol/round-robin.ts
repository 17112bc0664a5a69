/**
 * Owns a queue in which owners take turns: each has its own line, and the next item is always
 * that of the owner who has waited longest since its last one.
 *
 * Invariants: items of one owner keep their order; an owner without items costs nothing.
 */
export class RoundRobin<T> {
  /** In the order in which they are served; a Map keeps it. */
  readonly #lines = new Map<object, Set<T>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** How many items of `owner` wait. */
  sizeOf(owner: object): number {
    return this.#lines.get(owner)?.size ?? 0;
  }

  push(owner: object, item: T): void {
    let line = this.#lines.get(owner);
    if (line === undefined) this.#lines.set(owner, (line = new Set()));
    line.add(item);
    this.#size++;
  }

  /** The next item whose owner `may` have one. */
  shift(may: (owner: object) => boolean = () => true): T | undefined {
    for (const [owner, line] of this.#lines) {
      if (!may(owner)) continue;
      const [item] = line;
      line.delete(item!);
      this.#size--;
      // Behind all others.
      this.#lines.delete(owner);
      if (line.size > 0) this.#lines.set(owner, line);
      return item;
    }
    return undefined;
  }

  /** The next item of the owner whom `rank` puts lowest; of equals, of the one whose turn it is. */
  shiftLowest(rank: (owner: object) => number): T | undefined {
    let lowest: object | undefined;
    let least = Infinity;
    for (const owner of this.#lines.keys()) {
      const value = rank(owner);
      if (value >= least) continue;
      least = value;
      lowest = owner;
    }
    return this.shift((owner) => owner === lowest);
  }

  /** Takes an item out again; false when it is not there any more. */
  delete(owner: object, item: T): boolean {
    const line = this.#lines.get(owner);
    if (line?.delete(item) !== true) return false;
    this.#size--;
    if (line.size === 0) this.#lines.delete(owner);
    return true;
  }

  /** Takes all of them, in the order in which they would have been served. */
  drain(): T[] {
    const all: T[] = [];
    for (let next = this.shift(); next !== undefined; next = this.shift()) all.push(next);
    return all;
  }
}
