/** Inputs of host tools that come in parts: counted as long as they are kept, bounded, and used once. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Account } from "../../../dist/kernel/machine/account.js";
import { limits } from "../../../dist/kernel/limits.js";
import { ToolInputs } from "../../../dist/kernel/process/tool-inputs.js";
import { completeVmLimits } from "../../../dist/protocol/limits.js";
import { toolLimits } from "../../../dist/protocol/tools.js";

const [E2BIG, EBADF, EAGAIN, ENOMEM] = [-7, -9, -11, -12];
const mebibyte = 2 ** 20;

function inputs({ valueBytes = 8 * mebibyte, kernelBytes = 64 * mebibyte } = {}) {
  const account = new Account(completeVmLimits({ kernelBytes }));
  return {
    account,
    held: () => account.usage.kernelBytes,
    of: new ToolInputs(account, valueBytes),
  };
}

test("parts make one input, which counts from its first part until its call is over", () => {
  const { of, held } = inputs();
  const number = of.add(0, Buffer.from("one "));
  assert.ok(number > 0);
  assert.equal(of.add(number, Buffer.from("two ")), number);
  const other = of.add(0, Buffer.from("other"));
  assert.notEqual(other, number);
  assert.equal(held(), 13);
  const whole = of.take(number, Buffer.from("three"));
  assert.equal(String(whole.bytes), "one two three");
  assert.equal(held(), 13);
  whole.over();
  whole.over();
  assert.equal(held(), 5);
  assert.equal(of.take(number, Buffer.alloc(0)), EBADF);
  assert.equal(of.add(number, Buffer.from("x")), EBADF);
  assert.equal(of.add(other, Buffer.alloc(0)), 0);
  assert.equal(of.take(other, Buffer.alloc(0)), EBADF);
  assert.equal(held(), 0);
});

test("what is kept is bounded in bytes, in number and by what the machine may hold; what is refused changes nothing", () => {
  const { of, held } = inputs();
  const number = of.add(0, Buffer.alloc(8 * mebibyte - 1));
  assert.equal(of.add(number, Buffer.alloc(2)), E2BIG);
  assert.equal(of.add(0, Buffer.alloc(8 * mebibyte + 1)), E2BIG);
  assert.equal(of.take(number, Buffer.alloc(2)), E2BIG);
  assert.equal(held(), 0);
  const numbers = Array.from({ length: limits.toolInputs }, () => of.add(0, Buffer.alloc(10)));
  assert.equal(of.add(0, Buffer.alloc(10)), EAGAIN);
  assert.equal(of.add(numbers[3], Buffer.alloc(10)), numbers[3]);
  assert.equal(held(), 10 * (limits.toolInputs + 1));
  of.clear();
  assert.equal(held(), 0);

  const poor = inputs({ kernelBytes: mebibyte });
  const first = poor.of.add(0, Buffer.alloc(mebibyte / 2));
  assert.equal(poor.of.add(first, Buffer.alloc(mebibyte)), ENOMEM);
  assert.equal(poor.of.add(0, Buffer.alloc(mebibyte)), ENOMEM);
  assert.equal(poor.held(), mebibyte / 2);
});

test("a machine that may have small values only has inputs of one message still", () => {
  const { of } = inputs({ valueBytes: 1024 });
  assert.ok(of.add(0, Buffer.alloc(toolLimits.jsonBytes)) > 0);
  assert.equal(of.add(0, Buffer.alloc(toolLimits.jsonBytes + 1)), E2BIG);
});
