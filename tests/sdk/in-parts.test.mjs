// Bytes of a guest's in any number become one text or one array while the host's event loop goes round.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { KeptOutput } from "../../dist/sdk/kept-output.js";
import { bytesOfParts, decodableBytes, textOf } from "../../dist/sdk/in-parts.js";

const MiB = 1024 * 1024;
/** What is special to UTF-8, and some of what is not. */
const byte = fc.oneof(
  fc.constantFrom(0x00, 0x61, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc3, 0xe0),
  fc.constantFrom(0xe2, 0xed, 0xef, 0xbb, 0xf0, 0xf1, 0xf4, 0xf5, 0xff),
  fc.nat({ max: 255 }),
);

test("where it cuts, both parts decode to what the whole does", () => {
  fc.assert(
    fc.property(fc.array(byte, { maxLength: 12 }), fc.nat({ max: 12 }), (values, at) => {
      const whole = Buffer.from(values);
      const first = whole.subarray(0, at);
      const end = decodableBytes(first);
      assert.ok(first.length - end <= 3);
      assert.equal(
        whole.toString("utf8", 0, end) + whole.toString("utf8", end),
        whole.toString("utf8"),
      );
    }),
    { numRuns: 20_000 },
  );
});

test("texts and arrays over many parts are those of one piece", async () => {
  for (const unit of [[0xff], [0xe2, 0x82], [0xe2, 0x82, 0xac], [0xf0, 0x9f, 0x98, 0x80, 0x80]]) {
    for (let shift = 0; shift < 4; shift++) {
      const bytes = Buffer.concat([
        Buffer.alloc(shift, 0x61),
        Buffer.alloc(200_000, Buffer.from(unit)),
      ]);
      assert.ok((await textOf(bytes)) === bytes.toString("utf8"));
      const parts = [
        bytes.subarray(0, 70_000),
        bytes.subarray(70_000, 70_001),
        bytes.subarray(70_001),
      ];
      assert.ok(bytes.equals(await bytesOfParts(parts)));
    }
  }
  assert.equal(await textOf(new Uint8Array(0)), "");
  assert.deepEqual(await bytesOfParts([]), new Uint8Array(0));
});

const cpuMs = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

/** The longest turn of the event loop until `work` is done, as time of the processor. */
async function longestTurnMs(work) {
  let longest = 0;
  let before = cpuMs();
  let done = false;
  const look = () => {
    const now = cpuMs();
    longest = Math.max(longest, now - before);
    before = now;
    if (!done) setImmediate(look);
  };
  look();
  await work();
  done = true;
  await new Promise(setImmediate);
  look();
  return longest;
}

test("60 MiB that are no UTF-8 hold the event loop for a small part of what they take at once", async () => {
  const bytes = Buffer.alloc(60 * MiB, 0xff);
  const before = cpuMs();
  bytes.toString("utf8");
  const atOnceMs = cpuMs() - before;
  const textMs = await longestTurnMs(() => textOf(bytes));
  assert.ok(textMs < atOnceMs / 3, `text: ${textMs} of ${atOnceMs} ms`);
  const keptMs = await longestTurnMs(async () => {
    const kept = new KeptOutput(64 * MiB);
    for (let at = 0; at < bytes.length; at += 256 * 1024) {
      kept.add(bytes.subarray(at, at + 256 * 1024));
      await new Promise(setImmediate);
    }
    assert.equal(kept.take().text.length, bytes.length);
  });
  assert.ok(keptMs < atOnceMs / 3, `kept: ${keptMs} of ${atOnceMs} ms`);
});

test("nothing decodes or copies more than a part at a time", async (t) => {
  const sizes = [];
  const count = (target, method, sizeOf) =>
    t.mock.method(target, method, function (...args) {
      sizes.push(sizeOf(this, args));
      return "";
    });
  count(Buffer.prototype, "toString", (self, [, from = 0, to = self.length]) => to - from);
  count(Uint8Array.prototype, "set", (_self, [source]) => source.byteLength);
  await textOf(Buffer.alloc(4 * MiB, 0xff));
  await bytesOfParts([Buffer.alloc(4 * MiB), Buffer.alloc(MiB + 1)]);
  t.mock.restoreAll();
  assert.ok(sizes.length > 100);
  assert.ok(Math.max(...sizes) <= 64 * 1024, String(Math.max(...sizes)));
});
