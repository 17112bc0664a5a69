// Numbers of descriptors: the lowest free one, the limit, and one reference for each.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Errno } from "../../../dist/abi/errno.js";
import { DescriptorTable } from "../../../dist/kernel/process/descriptors.js";

/** Counts the references that were given back. */
const description = (name, given) => ({ unref: () => given.push(name) });

test("the lowest free number, also after some were closed", () => {
  const table = new DescriptorTable(8);
  const given = [];
  for (const name of "abcd") table.add(description(name, given));
  assert.equal(table.close(1), 0);
  assert.equal(table.close(2), 0);
  assert.deepEqual(given, ["b", "c"]);
  assert.equal(table.add(description("e", given)), 1);
  assert.equal(table.add(description("f", given)), 2);
  assert.equal(table.add(description("g", given)), 4);
  assert.equal(table.size, 5);
});

test("beyond the limit there is none, and the reference is given back", () => {
  const table = new DescriptorTable(2);
  const given = [];
  table.add(description("a", given));
  table.add(description("b", given));
  assert.equal(table.isFull, true);
  assert.equal(table.add(description("c", given)), -Errno.EMFILE);
  for (const fd of [-1, 2, 1.5, NaN, 2 ** 31])
    assert.equal(table.put(fd, description(`at ${fd}`, given)), -Errno.EBADF);
  assert.equal(given.length, 6);
  for (const fd of [-1, 2, 1.5, NaN]) assert.equal(table.close(fd), -Errno.EBADF);
});

test("put closes what was there; closeAll gives every reference back once", () => {
  const table = new DescriptorTable(8);
  const given = [];
  table.add(description("a", given));
  assert.equal(table.put(0, description("b", given)), 0);
  assert.equal(table.put(5, description("c", given)), 5);
  assert.deepEqual(given, ["a"]);
  table.closeAll();
  table.closeAll();
  assert.deepEqual(given, ["a", "b", "c"]);
  assert.equal(table.add(description("d", given)), 0);
});
