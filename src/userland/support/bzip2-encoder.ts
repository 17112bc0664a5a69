/** Owns encoding bzip2. */
import { blockMagic, endMagic, groupSize, maxCodeBits, runA, runB } from "./bzip2-format.js";
import { bzipCrc } from "./checks.js";

class BitWriter {
  readonly #parts: Buffer[] = [];
  #buffer = Buffer.allocUnsafe(65536);
  #length = 0;
  #held = 0;
  #count = 0;

  bits(value: number, count: number): void {
    for (let left = count; left > 0;) {
      const take = Math.min(left, 8 - this.#count);
      const piece = Math.floor(value / 2 ** (left - take)) % 2 ** take;
      this.#held = (this.#held << take) | piece;
      this.#count += take;
      left -= take;
      if (this.#count === 8) this.#byte();
    }
  }

  #byte(): void {
    if (this.#length === this.#buffer.length) {
      this.#parts.push(this.#buffer);
      this.#buffer = Buffer.allocUnsafe(65536);
      this.#length = 0;
    }
    this.#buffer[this.#length++] = this.#held;
    this.#held = this.#count = 0;
  }

  finish(): Buffer {
    if (this.#count > 0) this.bits(0, 8 - this.#count);
    return Buffer.concat([...this.#parts, this.#buffer.subarray(0, this.#length)]);
  }
}

/** Level 1 to 9: blocks of so many hundred thousand bytes. */
export function encodeBzip2(data: Uint8Array, level: number): Buffer {
  const writer = new BitWriter();
  writer.bits(0x425a68, 24);
  writer.bits(0x30 + level, 8);
  let whole = 0;
  // Four equal bytes and a count are at most five quarters of what they stand for.
  const room = level * 100_000 - 20;
  for (let at = 0; at < data.length;) {
    const { block, end } = collapseRuns(data, at, room);
    const crc = ~bzipCrc(data.subarray(at, end));
    whole = ((whole << 1) | (whole >>> 31)) ^ crc;
    writer.bits(blockMagic, 48);
    writer.bits(crc >>> 0, 32);
    encodeBlock(writer, block);
    at = end;
  }
  writer.bits(endMagic, 48);
  writer.bits(whole >>> 0, 32);
  return writer.finish();
}

function collapseRuns(
  data: Uint8Array,
  start: number,
  room: number,
): { block: Uint8Array; end: number } {
  const block = new Uint8Array(room + 8);
  let [length, at] = [0, start];
  while (at < data.length && length < room) {
    const byte = data[at]!;
    let run = 1;
    while (run < 255 && data[at + run] === byte) run++;
    at += run;
    for (let count = Math.min(run, 4); count > 0; count--) block[length++] = byte;
    if (run >= 4) block[length++] = run - 4;
  }
  return { block: block.subarray(0, length), end: at };
}

/** The order of all rotations of the block, by doubling the length that is sorted. */
function sortRotations(block: Uint8Array): Int32Array {
  const n = block.length;
  let rank = Int32Array.from(block);
  let next = new Int32Array(n);
  let order = new Int32Array(n);
  let other = new Int32Array(n);
  const counts = new Int32Array(Math.max(257, n + 1));
  for (let at = 0; at < n; at++) counts[rank[at]! + 1]!++;
  for (let value = 0; value < 256; value++) counts[value + 1]! += counts[value]!;
  for (let at = 0; at < n; at++) order[counts[rank[at]!]!++] = at;
  let classes = renumber(order, n, next, (a, b) => rank[a] === rank[b]);
  [rank, next] = [next, rank];
  for (let step = 1; step < n && classes < n; step *= 2) {
    // Sorted by the second half when each is moved back by the step; then stably by the first.
    for (let at = 0; at < n; at++) other[at] = (order[at]! - step + n) % n;
    counts.fill(0, 0, classes + 1);
    for (let at = 0; at < n; at++) counts[rank[at]! + 1]!++;
    for (let value = 0; value < classes; value++) counts[value + 1]! += counts[value]!;
    for (let at = 0; at < n; at++) order[counts[rank[other[at]!]!]!++] = other[at]!;
    const known = rank;
    classes = renumber(
      order,
      n,
      next,
      (a, b) => known[a] === known[b] && known[(a + step) % n] === known[(b + step) % n],
    );
    [rank, next] = [next, rank];
  }
  return order;
}

function renumber(
  order: Int32Array,
  n: number,
  ranks: Int32Array,
  same: (a: number, b: number) => boolean,
): number {
  let value = 0;
  ranks[order[0]!] = 0;
  for (let at = 1; at < n; at++) {
    if (!same(order[at - 1]!, order[at]!)) value++;
    ranks[order[at]!] = value;
  }
  return value + 1;
}

function encodeBlock(writer: BitWriter, block: Uint8Array): void {
  const order = sortRotations(block);
  writer.bits(0, 1);
  writer.bits(order.indexOf(0), 24);
  const used = new Uint8Array(256);
  for (const byte of block) used[byte] = 1;
  for (let row = 0; row < 16; row++) {
    writer.bits(used.subarray(row * 16, row * 16 + 16).includes(1) ? 1 : 0, 1);
  }
  for (let row = 0; row < 16; row++) {
    const part = used.subarray(row * 16, row * 16 + 16);
    if (part.includes(1)) for (const bit of part) writer.bits(bit, 1);
  }
  const values = moveToFront(block, order, used);
  const alphabet = used.reduce((sum, bit) => sum + bit, 0) + 2;
  encodeValues(writer, values, alphabet);
}

/** The last column, as places in a list of recent bytes; runs of zero in binary. */
function moveToFront(block: Uint8Array, order: Int32Array, used: Uint8Array): Uint16Array {
  const recent = Uint8Array.from([...used.keys()].filter((byte) => used[byte] === 1));
  const values = new Uint16Array(block.length + 1);
  let [length, zeros] = [0, 0];
  const flush = () => {
    for (; zeros > 0; zeros = (zeros - 1) >> 1) values[length++] = zeros & 1 ? runA : runB;
  };
  for (const start of order) {
    const byte = block[start === 0 ? block.length - 1 : start - 1]!;
    if (recent[0] === byte) {
      zeros++;
      continue;
    }
    flush();
    const place = recent.indexOf(byte);
    recent.copyWithin(1, 0, place);
    recent[0] = byte;
    values[length++] = place + 1;
  }
  flush();
  values[length++] = recent.length + 1;
  return values.subarray(0, length);
}

function encodeValues(writer: BitWriter, values: Uint16Array, alphabet: number): void {
  const count = values.length;
  const tableCount = count < 200 ? 2 : count < 600 ? 3 : count < 1200 ? 4 : count < 2400 ? 5 : 6;
  const groups = Math.ceil(count / groupSize);
  const selectors = new Uint8Array(groups);
  let lengths = initialLengths(values, alphabet, tableCount);
  for (let round = 0; round < 4; round++) {
    const frequencies = lengths.map(() => new Int32Array(alphabet));
    for (let group = 0; group < groups; group++) {
      const part = values.subarray(group * groupSize, (group + 1) * groupSize);
      let [best, cheapest] = [0, Infinity];
      lengths.forEach((table, index) => {
        let cost = 0;
        for (const value of part) cost += table[value]!;
        if (cost < cheapest) [best, cheapest] = [index, cost];
      });
      selectors[group] = best;
      for (const value of part) frequencies[best]![value]!++;
    }
    lengths = frequencies.map(codeLengths);
  }
  writer.bits(tableCount, 3);
  writer.bits(groups, 15);
  const recent = lengths.map((_, index) => index);
  for (const selector of selectors) {
    const place = recent.indexOf(selector);
    recent.splice(place, 1);
    recent.unshift(selector);
    for (let left = place; left > 0; left--) writer.bits(1, 1);
    writer.bits(0, 1);
  }
  for (const table of lengths) {
    let current = table[0]!;
    writer.bits(current, 5);
    for (const length of table) {
      for (; current < length; current++) writer.bits(2, 2);
      for (; current > length; current--) writer.bits(3, 2);
      writer.bits(0, 1);
    }
  }
  const codes = lengths.map(codesOf);
  values.forEach((value, at) => {
    const table = selectors[Math.floor(at / groupSize)]!;
    writer.bits(codes[table]![value]!, lengths[table]![value]!);
  });
}

/** Tables to begin with: each is cheap for a part of the alphabet that is as frequent as the others. */
function initialLengths(values: Uint16Array, alphabet: number, tableCount: number): Uint8Array[] {
  const frequencies = new Int32Array(alphabet);
  for (const value of values) frequencies[value]!++;
  let from = 0;
  let left = values.length;
  return Array.from({ length: tableCount }, (_, index) => {
    const share = left / (tableCount - index);
    let [to, sum] = [from, 0];
    while (to < alphabet && (sum < share || to === from)) sum += frequencies[to++]!;
    left -= sum;
    const table = Uint8Array.from({ length: alphabet }, (_, at) =>
      at >= from && at < to ? 1 : 15,
    );
    from = to;
    return table;
  });
}

/** Huffman's lengths, at most 17 bits: frequencies are flattened until they fit, as bzip2 does. */
function codeLengths(frequencies: Int32Array): Uint8Array {
  let weights = Array.from(frequencies, (count) => Math.max(1, count));
  for (;;) {
    const lengths = huffmanLengths(weights);
    if (Math.max(...lengths) <= 17) return lengths;
    weights = weights.map((weight) => 1 + (weight >> 1));
  }
}

function huffmanLengths(weights: number[]): Uint8Array {
  // Two queues: leaves by weight, and sums, which come out in order by themselves.
  const leaves = weights.map((weight, at) => ({ weight, at })).sort((a, b) => a.weight - b.weight);
  const parents = new Int32Array(2 * weights.length);
  const sums: { weight: number; at: number }[] = [];
  let [leaf, sum, next] = [0, 0, weights.length];
  const take = () => {
    const [a, b] = [leaves[leaf], sums[sum]];
    if (b === undefined || (a !== undefined && a.weight <= b.weight)) {
      leaf++;
      return a!;
    }
    sum++;
    return b;
  };
  while (leaves.length - leaf + sums.length - sum > 1) {
    const [a, b] = [take(), take()];
    parents[a.at] = parents[b.at] = next;
    sums.push({ weight: a.weight + b.weight, at: next++ });
  }
  const depths = new Int32Array(next);
  for (let at = next - 2; at >= 0; at--) depths[at] = depths[parents[at]!]! + 1;
  return Uint8Array.from(weights, (_, at) => Math.max(1, depths[at]!));
}

function codesOf(lengths: Uint8Array): Int32Array {
  const codes = new Int32Array(lengths.length);
  let code = 0;
  for (let bits = 1; bits <= maxCodeBits; bits++) {
    lengths.forEach((length, symbol) => {
      if (length === bits) codes[symbol] = code++;
    });
    code <<= 1;
  }
  return codes;
}
