// The account of a VM: what is taken is given back, limits hold, and the sum over all VMs is kept.
import assert from "node:assert/strict";
import { it } from "node:test";
import { Account, accountKinds, totalUsage } from "../../../dist/kernel/machine/account.js";

const limits = { kernelBytes: 100_000, kernelObjects: 8, hostDescriptors: 3 };
const nothing = { kernelBytes: 0, kernelObjects: 0, hostDescriptors: 0 };

it("what is taken counts with its overhead and is given back", () => {
  const account = new Account(limits);
  assert.ok(account.take("rendered", 1000));
  assert.equal(account.usage.kernelBytes, accountKinds.rendered.bytes + 1000);
  assert.deepEqual(account.counts, { rendered: 1 });
  assert.ok(account.grow(500));
  account.shrink(500);
  account.give("rendered", 1000);
  assert.deepEqual(account.usage, nothing);
  assert.deepEqual(totalUsage(), nothing);
});

it("each sum has its limit, and a refusal takes nothing", () => {
  const account = new Account(limits);
  assert.ok(!account.take("rendered", limits.kernelBytes));
  assert.ok(!account.grow(limits.kernelBytes + 1));
  assert.ok(account.grow(limits.kernelBytes / 2, 0.5));
  assert.ok(!account.grow(1, 0.5));
  account.shrink(limits.kernelBytes / 2);
  for (let i = 0; i < limits.hostDescriptors; i++) assert.ok(account.take("hostFile"));
  assert.ok(!account.take("hostFile"));
  while (account.usage.kernelObjects < limits.kernelObjects) assert.ok(account.take("file"));
  assert.ok(!account.take("file"));
  account.force("file");
  assert.equal(account.usage.kernelObjects, limits.kernelObjects + 1);
  for (const [kind, count] of Object.entries(account.counts))
    for (let i = 0; i < count; i++) account.give(kind);
  assert.deepEqual(account.usage, nothing);
});

it("a closed account refuses, and still takes back", () => {
  const account = new Account(limits);
  account.take("file");
  account.close();
  assert.ok(!account.take("file"));
  assert.ok(!account.grow(1));
  account.give("file");
  assert.deepEqual(totalUsage(), nothing);
});
