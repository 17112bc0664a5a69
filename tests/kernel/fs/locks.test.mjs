// Byte-range locks of open file descriptions.
import assert from "node:assert/strict";
import { test } from "node:test";
import { FileLocks, LockKind } from "../../../dist/kernel/fs/locks.js";
import { limits } from "../../../dist/kernel/limits.js";
import { Errno } from "../../../dist/abi/errno.js";

const { none, shared, exclusive } = LockKind;
const [a, b] = [{}, {}];

test("readers share, writers do not, and the loser is told at once", () => {
  const locks = new FileLocks();
  assert.equal(locks.set("f", a, shared, 0, 10), 0);
  assert.equal(locks.set("f", b, shared, 5, 10), 0);
  assert.equal(locks.set("f", b, exclusive, 9, 1), -Errno.EAGAIN);
  assert.equal(locks.set("f", b, exclusive, 10, 5), 0);
  assert.equal(locks.set("f", a, shared, 14, 1), -Errno.EAGAIN);
  // Another file is another matter.
  assert.equal(locks.set("g", a, exclusive, 0, 10), 0);
  locks.release("f", b);
  assert.equal(locks.set("f", a, exclusive, 0, 20), 0);
});

test("one's own range is replaced, cut and joined", () => {
  const locks = new FileLocks();
  assert.equal(locks.set("f", a, exclusive, 0, 30), 0);
  assert.equal(locks.set("f", a, none, 10, 10), 0);
  assert.equal(locks.set("f", b, exclusive, 10, 10), 0);
  assert.equal(locks.conflicts("f", b, false, 9, 10), true);
  assert.equal(locks.conflicts("f", b, false, 20, 21), true);
  // Down to shared lets readers in.
  assert.equal(locks.set("f", a, shared, 20, 10), 0);
  assert.equal(locks.set("f", b, shared, 25, 1), 0);
  locks.release("f", a);
  locks.release("f", b);
  assert.equal(locks.count, 0);
});

test("ranges that are none are refused, and so are too many", () => {
  const locks = new FileLocks();
  for (const [start, length] of [
    [-1, 1],
    [0, 0],
    [0, -1],
    [0.5, 1],
    [NaN, 1],
    [0, Infinity],
    [2 ** 53, 1],
  ])
    assert.equal(locks.set("f", a, shared, start, length), -Errno.EINVAL);
  for (let at = 0; at < limits.fileLocks; at++)
    assert.equal(locks.set("f", a, shared, at * 2, 1), 0);
  assert.equal(locks.set("f", a, shared, 1e9, 1), -Errno.ENOLCK);
  assert.equal(locks.set("g", b, shared, 0, 1), -Errno.ENOLCK);
  assert.equal(locks.set("f", a, none, 0, 1e9), 0);
  assert.equal(locks.count, 0);
});
