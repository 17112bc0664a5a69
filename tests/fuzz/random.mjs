// What all share that try things at random: numbers that a seed repeats, and changes to a text or to bytes.

/** mulberry32: 32 bits per call. */
export class Random {
  #state;
  constructor(seed) {
    this.#state = seed | 0;
  }
  next() {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }
  below(limit) {
    return this.next() % limit;
  }
  /** From 0 to below 1. */
  fraction() {
    return this.next() / 2 ** 32;
  }
  pick(list) {
    return list[this.below(list.length)];
  }
  bytes(size) {
    return Buffer.from(Array.from({ length: size }, () => this.next() & 255));
  }
}

/** Some changes to bytes: flipped, cut out, doubled, put together with another seed. */
export function mutate(random, seeds) {
  let bytes = Buffer.from(random.pick(seeds));
  for (let count = 1 + random.below(6); count > 0; count--) {
    const at = random.below(bytes.length + 1);
    const end = Math.min(bytes.length, at + random.below(16));
    const before = bytes.subarray(0, at);
    switch (random.below(5)) {
      case 0:
        if (at < bytes.length) bytes[at] ^= 1 << random.below(8);
        break;
      case 1:
        bytes = Buffer.concat([before, bytes.subarray(end)]);
        break;
      case 2:
        bytes = Buffer.concat([bytes.subarray(0, end), bytes.subarray(at)]);
        break;
      case 3:
        bytes = Buffer.concat([before, random.bytes(1 + random.below(8)), bytes.subarray(at)]);
        break;
      default: {
        const other = Buffer.from(random.pick(seeds));
        bytes = Buffer.concat([before, other.subarray(random.below(other.length + 1))]);
      }
    }
  }
  return bytes.subarray(0, 64 * 1024);
}

/** Parts of a text put together anew: what a mutation of bytes seldom finds. */
export function recombine(random, parts, longest = 12) {
  return Array.from({ length: random.below(longest) }, () => random.pick(parts)).join("");
}
