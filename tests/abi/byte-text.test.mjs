// Bytes as text: what is valid UTF-8 is itself, what is not is kept, and no two byte strings are one text.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  canonicalText,
  decodeText,
  encodeText,
  isPlain,
  plainText,
  textBytes,
} from "../../dist/abi/byte-text.js";

/** Bytes among which there are often pieces of UTF-8, whole and cut. */
const bytes = fc
  .array(
    fc.oneof(
      fc.uint8Array({ maxLength: 4 }),
      fc.string({ unit: "binary", maxLength: 3 }).map((text) => new TextEncoder().encode(text)),
      fc.constantFrom([0xc3], [0xa9], [0xed, 0xb3, 0xbf], [0xc0, 0xaf], [0xe2, 0x82], [0xf0, 0x9f]),
    ),
    { maxLength: 8 },
  )
  .map((parts) => Uint8Array.from(parts.flatMap((part) => [...part])));

test("any bytes survive the way to text and back, in a text of their own", () => {
  fc.assert(
    fc.property(bytes, (given) => {
      const text = decodeText(given);
      assert.deepEqual([...encodeText(text)], [...given]);
      assert.equal(textBytes(text), given.length);
      assert.equal(canonicalText(text), text);
      assert.equal(plainText(text), Buffer.from(given).toString());
      if (Buffer.from(Buffer.from(given).toString()).equals(Buffer.from(given)))
        assert.equal(text, Buffer.from(given).toString());
    }),
    { numRuns: 3000 },
  );
});

test("names at a slash stay what they are, and others become one text", () => {
  fc.assert(
    fc.property(bytes, bytes, (one, other) => {
      const [left, right] = [decodeText(one), decodeText(other)];
      assert.equal(decodeText(Buffer.concat([one, Buffer.from("/"), other])), `${left}/${right}`);
      assert.equal(canonicalText(left + right), decodeText(Buffer.concat([one, other])));
    }),
    { numRuns: 1000 },
  );
});

test("no byte of a slash or a dot is read out of what is not UTF-8", () => {
  for (const bad of [[0xc0, 0xaf], [0xc0, 0xae], [0xe0, 0x80, 0xaf], [0xed, 0xb3, 0xbf], [0xff]]) {
    const text = decodeText(Uint8Array.from(bad));
    assert.equal(text.length, bad.length);
    assert.match(text, /^[\udc80-\udcff]+$/);
    assert.ok(!isPlain(text));
  }
});

test("a lone surrogate that stands for no byte is U+FFFD, as for Node", () => {
  assert.equal(canonicalText("a\ud800b\udc7f\udd00"), "a\ufffdb\ufffd\ufffd");
  assert.equal(plainText("\ud83d\ude00\udcff"), "\u{1f600}\ufffd");
});

test("megabytes that are no UTF-8 cost what they are long", () => {
  const bytes = new Uint8Array(8 * 1024 * 1024).fill(0xff);
  bytes.set([0xf0, 0x9f, 0x98, 0x80], 1000);
  const before = process.cpuUsage();
  const text = decodeText(bytes);
  const { user, system } = process.cpuUsage(before);
  assert.equal(text.length, bytes.length - 2);
  assert.equal(text.slice(999, 1003), "\udcff\u{1f600}\udcff");
  assert.ok((user + system) / 1000 < 2000, `${(user + system) / 1000} ms`);
  assert.equal(textBytes(text), bytes.length);
});
