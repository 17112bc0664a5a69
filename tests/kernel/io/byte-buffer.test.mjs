// What a buffer holds and what it costs: nothing is lost or made up, and small writes share memory.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ByteBuffer, reserveBytes } from "../../../dist/kernel/io/byte-buffer.js";
import { Account } from "../../../dist/kernel/machine/account.js";

const nothing = { kernelBytes: 0, kernelObjects: 0, hostDescriptors: 0 };

test("what goes in comes out, whatever is pushed and taken, and all is given back", () => {
  const steps = fc.array(
    fc.oneof(
      fc.record({ push: fc.uint8Array({ maxLength: 3000 }) }),
      fc.record({ take: fc.integer({ min: -1, max: 5000 }) }),
    ),
    { maxLength: 60 },
  );
  fc.assert(
    fc.property(steps, (list) => {
      const account = new Account();
      const buffer = new ByteBuffer(8192, account);
      let model = Buffer.alloc(0);
      for (const { push, take } of list) {
        if (push !== undefined) {
          const taken = buffer.push(push);
          assert.equal(taken, Math.min(push.length, 8192 - model.length));
          model = Buffer.concat([model, push.subarray(0, taken)]);
        } else {
          const part = Buffer.from(buffer.take(take));
          assert.ok(part.length <= Math.max(0, take));
          assert.ok(part.length > 0 || take <= 0 || model.length === 0);
          assert.ok(part.equals(model.subarray(0, part.length)));
          model = model.subarray(part.length);
        }
        assert.equal(buffer.length, model.length);
        const newline = model.indexOf(10);
        assert.equal(buffer.lineLength(), newline < 0 ? model.length : newline + 1);
      }
      buffer.clear();
      assert.deepEqual(account.usage, nothing);
    }),
  );
});

test("a write byte by byte costs no more than its bytes", () => {
  const account = new Account();
  const buffer = new ByteBuffer(64 * 1024, account);
  for (let at = 0; at < 64 * 1024; at++) assert.equal(buffer.push(Buffer.of(at & 255)), 1);
  assert.ok(account.usage.kernelBytes < 2 * 64 * 1024, String(account.usage.kernelBytes));
});

test("a full account leaves each buffer its reserve, and none more; the host's is forced", () => {
  const account = new Account({ kernelBytes: 1, kernelObjects: 1, hostDescriptors: 1 });
  const one = new ByteBuffer(64 * 1024, account);
  const taken = one.push(Buffer.alloc(64 * 1024));
  assert.ok(taken > 0 && taken <= reserveBytes);
  assert.equal(one.push(Buffer.alloc(1)), 0);
  assert.ok(new ByteBuffer(64 * 1024, account).push(Buffer.alloc(1)) === 1);
  assert.equal(new ByteBuffer(64 * 1024, account, true).push(Buffer.alloc(64 * 1024)), 64 * 1024);
});
