// Output that is kept as text: what decoding it in one piece would give.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { KeptOutput } from "../../dist/sdk/kept-output.js";

const fragments = ["a", "é", "€", "😀", "\ufeff", "\ufffd"].map((text) => Buffer.from(text));
const bad = [[0xff], [0xc3], [0xe2, 0x82], [0xf0, 0x9f, 0x98], [0xed, 0xa0, 0x80], [0x80, 0x80]];
/** Text, broken characters and stretches that fill a part but for some bytes. */
const piece = fc.oneof(
  fc.constantFrom(...fragments, ...bad.map((bytes) => Buffer.from(bytes))),
  fc.integer({ min: 65_530, max: 65_540 }).map((size) => Buffer.alloc(size, 0x78)),
);

test("the text of all chunks is that of their bytes in one piece, and each take begins anew", () => {
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 10 }), fc.nat({ max: 150_000 }), (chunks, limit) => {
      const kept = new KeptOutput(limit);
      const whole = Buffer.concat(chunks);
      for (let round = 0; round < 2; round++) {
        for (const chunk of chunks) kept.add(chunk);
        assert.deepEqual(kept.take(), {
          text: whole.subarray(0, limit).toString("utf8"),
          truncated: whole.length > limit,
        });
      }
      assert.deepEqual(kept.take(), { text: "", truncated: false });
    }),
    { numRuns: 300 },
  );
});

test("no call decodes more than a part and the chunk it was given", (t) => {
  const sizes = [];
  const count = (method, target) =>
    t.mock.method(target, method, function (...args) {
      sizes.push((ArrayBuffer.isView(args[0]) ? args[0] : this).byteLength);
      return "";
    });
  count("decode", TextDecoder.prototype);
  count("toString", Buffer.prototype);
  const kept = new KeptOutput(16 * 1024 * 1024);
  for (let at = 0; at < 1024; at++) kept.add(Buffer.alloc(16 * 1024, 0xff));
  kept.take();
  t.mock.restoreAll();
  assert.ok(sizes.length > 100);
  assert.ok(Math.max(...sizes) < 2 * 64 * 1024, String(Math.max(...sizes)));
});
